/*
 * launch IMAGE PROGRAM [ARGUMENT...]: runs a program that takes IMAGE for its vDSO.
 *
 * Does what execve does, in this process: maps the program and its interpreter, lays out the stack,
 * and jumps. So the program's own start-up code, and nothing of this file, reads the image.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096ul

void *place_image(const char *path); /* place.c */

extern char **environ;

static void fail(const char *what)
{
	perror(what);
	exit(99);
}

static char *file(const char *path, size_t *size)
{
	struct stat status;
	int fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &status))
		fail(path);
	char *bytes = malloc(status.st_size);
	if (!bytes || read(fd, bytes, status.st_size) != status.st_size)
		fail(path);
	close(fd);
	*size = status.st_size;
	return bytes;
}

struct program {
	unsigned long base, entry, headers, count;
	char interpreter[256];
};

static struct program map_program(const char *path)
{
	struct program program = {0};
	size_t size;
	char *bytes = file(path, &size);
	Elf64_Ehdr *header = (Elf64_Ehdr *)bytes;
	Elf64_Phdr *segments = (Elf64_Phdr *)(bytes + header->e_phoff);
	unsigned long end = 0;
	for (int i = 0; i < header->e_phnum; i++)
		if (segments[i].p_type == PT_LOAD && segments[i].p_vaddr + segments[i].p_memsz > end)
			end = segments[i].p_vaddr + segments[i].p_memsz;
	if (header->e_type == ET_DYN) {
		program.base = (unsigned long)mmap(NULL, end + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (program.base == (unsigned long)MAP_FAILED)
			fail(path);
	}
	for (int i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr *one = &segments[i];
		if (one->p_type == PT_INTERP)
			strncpy(program.interpreter, bytes + one->p_offset, sizeof(program.interpreter) - 1);
		if (one->p_type == PT_PHDR)
			program.headers = program.base + one->p_vaddr;
		if (one->p_type != PT_LOAD)
			continue;
		unsigned long start = one->p_vaddr & -PAGE;
		char *place = (char *)(program.base + start);
		size_t len = one->p_vaddr + one->p_memsz - start;
		if (mmap(place, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			fail(path);
		memcpy((char *)program.base + one->p_vaddr, bytes + one->p_offset, one->p_filesz);
		int protection = (one->p_flags & PF_R ? PROT_READ : 0) | (one->p_flags & PF_W ? PROT_WRITE : 0) |
				 (one->p_flags & PF_X ? PROT_EXEC : 0);
		if (mprotect(place, len, protection))
			fail(path);
		if (!program.headers && one->p_offset == 0)
			program.headers = program.base + one->p_vaddr + header->e_phoff;
	}
	program.entry = program.base + header->e_entry;
	program.count = header->e_phnum;
	return program;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return fprintf(stderr, "usage: launch IMAGE PROGRAM [ARGUMENT...]\n"), 99;
	char *image = place_image(argv[1]);
	struct program program = map_program(argv[2]), interpreter = {0};
	if (program.interpreter[0])
		interpreter = map_program(program.interpreter);
	unsigned long entry = program.interpreter[0] ? interpreter.entry : program.entry;

	int variables = 0;
	while (environ[variables])
		variables++;
	char *stack = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack == MAP_FAILED)
		fail("the stack");
	unsigned long *top = (unsigned long *)(stack + (1 << 19)), *word = top;
	*word++ = argc - 2;
	for (int i = 2; i < argc; i++)
		*word++ = (unsigned long)argv[i];
	*word++ = 0;
	for (int i = 0; i < variables; i++)
		*word++ = (unsigned long)environ[i];
	*word++ = 0;
	unsigned long auxiliary[][2] = {
		{AT_SYSINFO_EHDR, (unsigned long)image}, {AT_PHDR, program.headers}, {AT_PHENT, sizeof(Elf64_Phdr)},
		{AT_PHNUM, program.count}, {AT_PAGESZ, PAGE}, {AT_BASE, interpreter.base}, {AT_FLAGS, 0},
		{AT_ENTRY, program.entry}, {AT_UID, getuid()}, {AT_EUID, geteuid()}, {AT_GID, getgid()},
		{AT_EGID, getegid()}, {AT_SECURE, 0}, {AT_RANDOM, getauxval(AT_RANDOM)},
		{AT_HWCAP, getauxval(AT_HWCAP)}, {AT_CLKTCK, 100}, {AT_EXECFN, (unsigned long)argv[2]},
		{AT_MINSIGSTKSZ, getauxval(AT_MINSIGSTKSZ)}, {AT_NULL, 0},
	};
	memcpy(word, auxiliary, sizeof(auxiliary));
	__asm__ volatile("mov %0, %%rsp\n xor %%edx, %%edx\n xor %%ebp, %%ebp\n jmp *%1" : : "r"(top), "r"(entry) : "memory");
	__builtin_unreachable();
}
