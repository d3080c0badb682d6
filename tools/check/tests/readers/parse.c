/*
 * parse IMAGE NAMES: looks every name up with the kernel's own reference parser, which is built
 * into this program.
 */
#include "parse_vdso.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc < 3)
		return 98;
	FILE *image = fopen(argv[1], "rb"), *names = fopen(argv[2], "r");
	static char bytes[1 << 22] __attribute__((aligned(4096)));
	if (!image || !names || !fread(bytes, 1, sizeof(bytes), image))
		return 98;
	vdso_init_from_sysinfo_ehdr((uintptr_t)bytes);
	char name[64];
	while (fgets(name, sizeof(name), names)) {
		name[strcspn(name, "\n")] = 0;
		char *found = vdso_sym("LINUX_2.6", name), *other = vdso_sym("LINUX_2.7", name);
		printf("%s %ld %ld\n", name, found ? found - bytes : -1, other ? other - bytes : -1);
	}
	return 0;
}
