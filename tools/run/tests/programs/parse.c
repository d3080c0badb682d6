/*
 * Looks up names by the kernel's own example of a parser. Standard input has
 * lines of a name and the offset that it must have; prints how many it found.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/auxv.h>

#include "parse_vdso.h"

int main(void)
{
	uintptr_t image = getauxval(AT_SYSINFO_EHDR);
	unsigned long offset;
	char name[128];
	int count = 0;

	vdso_init_from_sysinfo_ehdr(image);
	for (; scanf("%127s %lx %*x", name, &offset) == 2; count++)
		if ((uintptr_t)vdso_sym("LINUX_2.6", name) != image + offset) {
			printf("%s: %p, not %#lx\n", name, vdso_sym("LINUX_2.6", name), image + offset);
			return 1;
		}
	if (vdso_sym("LINUX_2.6", "__vdso_nonesuch") || vdso_sym("LINUX_9.9", "__vdso_read")) {
		puts("found what is not there");
		return 1;
	}
	printf("%d\n", count);
	return 0;
}
