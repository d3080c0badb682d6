/*
 * random: random bytes from user space, from a state that the program keeps.
 *
 *   cc -O2 -Ivdso/client/include vdso/client/examples/random.c -o target/random
 *   cargo xtask run -- target/random
 *
 * On a kernel before 6.11, which cannot keep states, the same program goes by the system call.
 */
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include <liblinux/random.h>

int main(void)
{
	const void *image = liblinux_find(getauxval(AT_SYSINFO_EHDR));
	unsigned char first[32], second[32], child[32];
	struct liblinux_random random;
	void *state = 0;
	long memory;
	int ends[2];

	if (!image || liblinux_random_find(&random, image)) {
		puts("this vDSO keeps no states");
		return liblinux_getrandom(image, first, sizeof(first), 0) != sizeof(first);
	}
	/* Room for one thread's state, for as long as the program runs. */
	memory = liblinux_random_map(&random, 1);
	if (memory > 0)
		state = liblinux_random_state(&random, (void *)memory, 0);

	if (liblinux_random_fill(&random, state, first, sizeof(first), 0) != sizeof(first) || pipe(ends))
		return 1;
	/* The child has a copy of everything, but of the state it has zeros. */
	if (!fork()) {
		liblinux_random_fill(&random, state, child, sizeof(child), 0);
		_exit(write(ends[1], child, sizeof(child)) != sizeof(child));
	}
	if (liblinux_random_fill(&random, state, second, sizeof(second), 0) != sizeof(second))
		return 1;
	if (read(ends[0], child, sizeof(child)) != sizeof(child) || wait(0) < 0)
		return 1;
	printf("two requests %s, parent and child %s\n", memcmp(first, second, sizeof(first)) ? "differ" : "are equal",
	       memcmp(second, child, sizeof(second)) ? "differ" : "are equal");
	return 0;
}
