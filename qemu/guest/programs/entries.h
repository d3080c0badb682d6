/*
 * The image's entries, found in the running process, and how to give them areas, entries and
 * children.
 *
 * Nothing here trusts the image or the kernel to say what an exception looks like: the oracle is
 * the signal handler, which sees it as it always was.
 */
#ifndef ENTRIES_H
#define ENTRIES_H

#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <liblinux/fixup.h>

#include "kernel_log.h"
#include "ktap.h"

static struct {
	long (*area_size)(unsigned long capacity);
	long (*init)(void *area, unsigned long size, unsigned long capacity);
	long (*reg)(void *area, const struct vdso_fixup_dso *dso);
	long (*unregister)(void *area, unsigned long text_start);
	long (*grow)(void *old, void *new, unsigned long size);
	long (*lookup)(void *area, const void *ip, struct vdso_fixup_hit *hit);
	long (*attach)(const void *area, unsigned long size);
	long (*query)(struct vdso_fixup_attached *out);
	long (*mark)(const void *start, unsigned long len);
	long (*dispatch)(void *area, siginfo_t *info, void *context);
	long (*syscall)(long number, ...);
} vdso;

static void *vdso_function(const char *name)
{
	const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *header = (const void *)base;
	const Elf64_Phdr *segments = (const void *)(base + header->e_phoff);
	const Elf64_Sym *symbols = NULL;
	const uint32_t *hash = NULL;
	const char *strings = NULL;

	for (int i = 0; base && i < header->e_phnum; i++) {
		if (segments[i].p_type != PT_DYNAMIC)
			continue;
		for (const Elf64_Dyn *d = (const void *)(base + segments[i].p_vaddr); d->d_tag; d++) {
			const void *at = base + d->d_un.d_ptr;

			if (d->d_tag == DT_SYMTAB)
				symbols = at;
			if (d->d_tag == DT_STRTAB)
				strings = at;
			if (d->d_tag == DT_HASH)
				hash = at;
		}
	}
	for (uint32_t i = 0; hash && symbols && strings && i < hash[1]; i++)
		if (!strcmp(strings + symbols[i].st_name, name))
			return (void *)(base + symbols[i].st_value);
	return NULL;
}

/* Finds the entries; a missing one ends the program. */
static void find_entries(void)
{
	static const struct {
		const char *name;
		void **place;
	} wanted[] = {
		{ "__vdso_fixup_area_size", (void **)&vdso.area_size },
		{ "__vdso_fixup_init", (void **)&vdso.init },
		{ "__vdso_fixup_register", (void **)&vdso.reg },
		{ "__vdso_fixup_unregister", (void **)&vdso.unregister },
		{ "__vdso_fixup_grow", (void **)&vdso.grow },
		{ "__vdso_fixup_lookup", (void **)&vdso.lookup },
		{ "__vdso_fixup_attach", (void **)&vdso.attach },
		{ "__vdso_fixup_query", (void **)&vdso.query },
		{ "__vdso_fixup_mark", (void **)&vdso.mark },
		{ "__vdso_fixup_dispatch", (void **)&vdso.dispatch },
		{ "__vdso_syscall", (void **)&vdso.syscall },
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		*wanted[i].place = vdso_function(wanted[i].name);
		if (!*wanted[i].place)
			die("the image has no %s", wanted[i].name);
	}
}

static void *map(size_t size, int protection)
{
	void *mem = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		die("mmap of %zu bytes", size);
	return mem;
}

/* A new area for so many DSOs. */
__attribute__((unused)) static void *new_area(unsigned long capacity, unsigned long *size)
{
	long bytes = vdso.area_size(capacity);
	void *area;
	long ret;

	if (bytes <= 0)
		die("area_size(%lu) is %ld", capacity, bytes);
	area = map(bytes, PROT_READ | PROT_WRITE);
	ret = vdso.init(area, bytes, capacity);
	if (ret)
		die("init is %ld", ret);
	*size = bytes;
	return area;
}

/* In a child, since the body may lose its image or its life. The wait status. */
__attribute__((unused)) static int in_child(int (*body)(void))
{
	int status;
	pid_t child = fork();

	if (!child)
		_exit(body());
	if (child < 0 || waitpid(child, &status, 0) != child)
		die("fork");
	return status;
}

static void set_entry(struct vdso_fixup_entry *entry, const void *start, uint32_t len, const void *landing, uint32_t flags)
{
	entry->start = (intptr_t)start - (intptr_t)&entry->start;
	entry->len = len;
	entry->landing = (intptr_t)landing - (intptr_t)&entry->landing;
	entry->flags = flags;
}

#endif
