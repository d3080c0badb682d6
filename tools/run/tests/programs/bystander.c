/*
 * Opens FILE, says that it is ready, and waits until its standard input ends.
 * Then it says whether that file and the auxiliary vector on its stack were
 * written to meanwhile, whose image the vector names, and its own number.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static const char symbol[] = "__vdso_openat";

/* The entry of the vector itself, which getauxval() may have copied. */
static unsigned long on_stack(char **environment)
{
	Elf64_auxv_t *entry;

	while (*environment)
		environment++;
	for (entry = (Elf64_auxv_t *)(environment + 1); entry->a_type != AT_NULL; entry++)
		if (entry->a_type == AT_SYSINFO_EHDR)
			return entry->a_un.a_val;
	return 0;
}

int main(int argc, char **argv, char **environment)
{
	unsigned long image = getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *header = (const void *)image;
	char before[4096], after[4096], byte;
	int file = argc > 1 ? open(argv[1], O_RDWR) : -1;
	long size = read(file, before, sizeof(before));

	puts("ready");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	if (size <= 0 || pread(file, after, sizeof(after), 0) != size || memcmp(before, after, size))
		puts("the file was written to");
	if (on_stack(environment) != image)
		puts("the stack was written to");
	printf("%s %d\n", memmem(header, header->e_shoff, symbol, sizeof(symbol)) ? "image" : "kernel", getpid());
	return 0;
}
