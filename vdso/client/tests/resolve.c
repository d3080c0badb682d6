/*
 * The C resolver, on the image in a file. Prints what it finds; damage must not make it read
 * outside of the image, behind which lies a page that cannot be read.
 *
 * resolve FILE find            reads names from standard input; prints the offset of each, or -1
 * resolve FILE unfit           prints what is wrong with the image
 * resolve FILE lead PLACE ADDRESS ...
 *                              PLACE is that of a symbol's value, the symbol
 *                              __vdso_clock_gettime: has it lead to each address; prints where
 *                              the resolver says it leads
 * resolve FILE damage START END ...
 *                              changes each byte of the ranges in several ways; prints how often
 *                              the resolver noticed
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "liblinux.h"

static const char *const names[] = {"__vdso_read", "__vdso_clock_gettime", "__vdso_mseal", "__vdso_nonesuch"};

static int sum(const unsigned char *image, int use_sysv)
{
	struct liblinux_tables tables;
	int count = 0;

	if (liblinux_tables(&tables, (unsigned long)image))
		return 0;
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		count += (use_sysv ? liblinux_sysv(&tables, names[i]) : liblinux_gnu(&tables, names[i])) != 0;
	return count;
}

int main(int count, char **arguments)
{
	char name[256];
	int file = count > 2 ? open(arguments[1], O_RDONLY) : -1;
	long size = file < 0 ? -1 : lseek(file, 0, SEEK_END), pages = (size + 4095) & ~4095L;
	unsigned char *image = mmap(0, pages + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (size < 0 || image == MAP_FAILED || pread(file, image, size, 0) != size || mprotect(image + pages, 4096, PROT_NONE))
		return 2;
	if (!strcmp(arguments[2], "find")) {
		const void *found = liblinux_find((unsigned long)image);

		while (found && scanf("%255s", name) == 1) {
			struct liblinux_tables tables;
			unsigned char *either = liblinux_symbol(found, name), *sysv;

			liblinux_tables(&tables, (unsigned long)image);
			sysv = (unsigned char *)liblinux_sysv(&tables, name);
			if (either != sysv)
				return 3;
			printf("%ld\n", either ? either - image : -1L);
		}
	} else if (!strcmp(arguments[2], "unfit")) {
		const char *why = liblinux_unfit((unsigned long)image);

		puts(why ? why : "fit");
	} else if (!strcmp(arguments[2], "lead")) {
		for (int i = 4; i < count; i++) {
			unsigned long value = strtoul(arguments[i], NULL, 16) - (unsigned long)image;

			memcpy(image + atol(arguments[3]), &value, sizeof(value));
			printf("%lx\n", (unsigned long)liblinux_symbol(image, "__vdso_clock_gettime"));
		}
	} else {
		int noticed = 0;

		for (int i = 3; i + 1 < count; i += 2) {
			for (long at = atol(arguments[i]); at < atol(arguments[i + 1]); at++) {
				unsigned char was = image[at], values[] = {~was, was ^ 1, 0xff, 0};

				for (int j = 0; j < 4; j++) {
					image[at] = values[j];
					noticed += sum(image, 0) + sum(image, 1) != 6;
				}
				image[at] = was;
			}
		}
		printf("%d\n", noticed);
	}
	return 0;
}
