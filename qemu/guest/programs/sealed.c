/*
 * Sealed system mappings: nothing of the image or of its data pages can be moved, unmapped,
 * replaced or made writable, and the image works as it does elsewhere.
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "ktap.h"

static const char *const names[] = { "[vdso]", "[vvar]", "[vvar_vclock]" };
#define NAMES (sizeof(names) / sizeof(names[0]))

struct mapping {
	uintptr_t start, end;
	int is_sealed;
};

/* ---- What the kernel says ---- */

/* The mapping of that name in /proc/self/smaps. */
static struct mapping find(const char *name)
{
	struct mapping mapping = { 0 };
	char line[512];
	FILE *file = fopen("/proc/self/smaps", "r");

	if (!file)
		die("smaps");
	while (fgets(line, sizeof(line), file)) {
		uintptr_t start, end;

		if (sscanf(line, "%lx-%lx", &start, &end) == 2) {
			if (mapping.start)
				break;
			if (strstr(line, name))
				mapping = (struct mapping){ start, end, 0 };
		} else if (mapping.start && !strncmp(line, "VmFlags:", 8)) {
			mapping.is_sealed = !!strstr(line, " sl");
		}
	}
	fclose(file);
	return mapping;
}

static int all_are_sealed(void)
{
	for (unsigned i = 0; i < NAMES; i++)
		if (!find(names[i]).is_sealed)
			return 0;
	return 1;
}

static int is_refused(long result)
{
	return result == -1 && errno == EPERM;
}

/* ---- What a process may not do ---- */

static void try(const char *name)
{
	struct mapping mapping = find(name);
	char *start = (char *)mapping.start;
	size_t size = mapping.end - mapping.start;
	char *elsewhere = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	test(mapping.start && mapping.is_sealed, "%s is sealed", name);
	test(is_refused(munmap(start, size)), "%s is not unmapped", name);
	test(is_refused(munmap(start, 4096)), "%s is not unmapped in part", name);
	/* The kernel first looks whether the mapping may ever be writable: data pages may not. */
	test(mprotect(start, size, PROT_READ | PROT_WRITE) && (errno == EPERM || errno == EACCES),
	     "%s does not become writable", name);
	test(is_refused((long)mremap(start, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere)), "%s is not moved", name);
	test(is_refused((long)mmap(start, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)),
	     "%s is not replaced", name);
	mapping = find(name);
	test(start == (char *)mapping.start && size == mapping.end - mapping.start, "%s is where it was", name);
}

/* ---- What still works ---- */

static int clock_agrees(void)
{
	struct timespec before, between, after;

	if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &before) || clock_gettime(CLOCK_MONOTONIC, &between) ||
	    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &after))
		return 0;
#define NS(t) ((t).tv_sec * 1000000000L + (t).tv_nsec)
	return NS(before) <= NS(between) && NS(between) <= NS(after);
}

static int child_is_sealed(void)
{
	int status;
	pid_t child = fork();

	if (!child)
		_exit(!(all_are_sealed() && clock_agrees()));
	return waitpid(child, &status, 0) == child && !status;
}

int main(void)
{
	plan(7 * NAMES + 3);
	for (unsigned i = 0; i < NAMES; i++)
		try(names[i]);
	test(clock_agrees(), "the image's clock is the kernel's");
	test(child_is_sealed(), "so it is in a child");
	test(syscall(SYS_arch_prctl, ARCH_MAP_VDSO_64, 0) == -1 && errno == EINVAL,
	     "no second image can be mapped: such a kernel has no checkpoint and restore");
	return failures != 0;
}
