/*
 * reload LIBRARY TIMES: loads and unloads a library with fixups. Prints how many rows the registry
 * has at most while it is loaded, and how many afterwards.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>

#define LIBLINUX_FIXUPS
#define LIBLINUX_NO_LIBC
#include "liblinux/guard.h"

static struct liblinux_fixups fixups;

static unsigned long rows(void)
{
	const struct vdso_fixup_area *area = (const struct vdso_fixup_area *)liblinux_fixups_area(&fixups);

	return (uint32_t)area->counts[area->current_generation & 1].value;
}

int main(int count, char **arguments)
{
	long result = liblinux_fixups_join(&fixups, liblinux_find(getauxval(AT_SYSINFO_EHDR)));
	unsigned long most = 0;
	int times = count == 3 ? atoi(arguments[2]) : 0;

	if (result) {
		fprintf(stderr, "reload: joining failed: %ld\n", result);
		return 3;
	}
	while (times--) {
		void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
		long (*status)(void);
		int (*probe)(void);

		if (!library) {
			fprintf(stderr, "reload: %s\n", dlerror());
			return 4;
		}
		status = (long (*)(void))dlsym(library, "prober_status");
		probe = (int (*)(void))dlsym(library, "prober_probe");
		if (status() || !probe()) {
			fprintf(stderr, "reload: status %ld with %d to come\n", status(), times);
			return 5;
		}
		if (rows() > most)
			most = rows();
		dlclose(library);
	}
	printf("%lu %lu\n", most, rows());
	return 0;
}
