/* parse IMAGE: the kernel's reference parser, which is built into this program. */
#include "parse_vdso.h"
#include <stdio.h>

void *place_image(const char *path); /* ../readers/place.c */

int main(int argc, char **argv)
{
	static const char *const names[] = {"__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_time",
					    "__vdso_getcpu", "__vdso_clock_getres", "__vdso_getrandom"};
	char *image = place_image(argv[argc - 1]);
	vdso_init_from_sysinfo_ehdr((unsigned long)image);
	for (int i = 0; i < 6; i++) {
		char *place = vdso_sym("LINUX_2.6", names[i]);
		if (place)
			printf("%s %lx\n", names[i], (unsigned long)(place - image));
	}
	return 0;
}
