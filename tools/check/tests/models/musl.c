/* musl: asks the function by which its clock_gettime and getcpu look theirs up. */
#include <stdio.h>
#include <sys/auxv.h>

void *__vdsosym(const char *version, const char *name);

int main(void)
{
	static const char *const names[] = {"__vdso_clock_gettime", "__vdso_getcpu"};
	for (int i = 0; i < 2; i++) {
		char *place = __vdsosym("LINUX_2.6", names[i]);
		if (place)
			printf("%s %lx\n", names[i], (unsigned long)place - getauxval(AT_SYSINFO_EHDR));
	}
	return 0;
}
