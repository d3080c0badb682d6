/*
 * criu IMAGE: CRIU's own parser on IMAGE, and what it resolved.
 *
 * CRIU reads the vDSO of its own process when it starts. So it is started under ptrace, IMAGE is
 * written over the vDSO that the kernel has mapped there, which must have as many pages, and
 * AT_SYSINFO_EHDR is taken away, so that its C library does not call into it. CRIU prints no
 * places: they are read out of its memory when it ends. There each found name has 32 bytes, and the
 * place follows.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define NAME 32

static const char *const names[] = {
	"__vdso_clock_gettime", "__vdso_getcpu", "__vdso_gettimeofday", "__vdso_time",
};

static void fail(const char *what)
{
	perror(what);
	exit(99);
}

static FILE *maps_of(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *maps = fopen(path, "r");
	if (!maps)
		fail(path);
	return maps;
}

static int memory_of(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	int memory = open(path, O_RDWR);
	if (memory < 0)
		fail(path);
	return memory;
}

/* Writes the image over the vDSO of a process that has just been executed. */
static void replace(pid_t pid, const char *path)
{
	struct stat status;
	int image = open(path, O_RDONLY), memory = memory_of(pid);
	if (image < 0 || fstat(image, &status))
		fail(path);
	char *bytes = calloc(1, status.st_size);
	if (!bytes || read(image, bytes, status.st_size) != status.st_size)
		fail(path);
	close(image);
	FILE *maps = maps_of(pid);
	char line[512];
	unsigned long start, end, place = 0, len = 0;
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "[vdso]") && sscanf(line, "%lx-%lx", &start, &end) == 2)
			place = start, len = end - start;
	fclose(maps);
	if (!place || ((status.st_size + PAGE - 1) & -PAGE) != len) {
		fprintf(stderr, "%s has %ld bytes, the mapping %lu\n", path, (long)status.st_size, len);
		exit(99);
	}
	if (pwrite(memory, bytes, status.st_size, place) != status.st_size)
		fail("the vDSO cannot be written");
	close(memory);
}

/* Takes AT_SYSINFO_EHDR out of the auxiliary vector. */
static void hide(pid_t pid)
{
	struct user_regs_struct registers;
	if (ptrace(PTRACE_GETREGS, pid, NULL, &registers))
		fail("registers");
	int memory = memory_of(pid), lists = 0;
	unsigned long at = registers.rsp + 8, word;
	/* The arguments and the environment each end with a zero. */
	while (lists < 2) {
		if (pread(memory, &word, 8, at) != 8)
			fail("the stack");
		lists += word == 0;
		at += 8;
	}
	for (;; at += 16) {
		if (pread(memory, &word, 8, at) != 8 || word == AT_NULL)
			break;
		unsigned long ignored = AT_IGNORE;
		if (word == AT_SYSINFO_EHDR && pwrite(memory, &ignored, 8, at) != 8)
			fail("the auxiliary vector");
	}
	close(memory);
}

/* Prints the places that CRIU's memory holds. */
static void tell(pid_t pid)
{
	unsigned long found[sizeof(names) / sizeof(*names)] = {0};
	int memory = memory_of(pid);
	FILE *maps = maps_of(pid);
	char line[512], flags[5];
	unsigned long start, end;
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %4s", &start, &end, flags) != 3 || flags[1] != 'w' || !strstr(line, "criu"))
			continue;
		char *bytes = malloc(end - start);
		if (!bytes || pread(memory, bytes, end - start, start) != (long)(end - start))
			fail("CRIU's memory");
		for (unsigned long at = 0; at + NAME + 8 <= end - start; at += 8)
			for (unsigned long i = 0; i < sizeof(names) / sizeof(*names); i++)
				if (!strcmp(bytes + at, names[i]))
					memcpy(&found[i], bytes + at + NAME, 8);
		free(bytes);
	}
	for (unsigned long i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (found[i])
			printf("%s %lx\n", names[i], found[i]);
	fclose(maps);
	close(memory);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return fprintf(stderr, "usage: criu IMAGE\n"), 99;
	pid_t pid = fork();
	if (pid == 0) {
		int nothing = open("/dev/null", O_WRONLY);
		dup2(nothing, 1);
		dup2(nothing, 2);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execlp("criu", "criu", "check", "-v0", (char *)NULL);
		_exit(98);
	}
	int status;
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return fprintf(stderr, "criu does not start; the package criu has it\n"), 99;
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
	replace(pid, argv[1]);
	hide(pid);
	int signal = 0;
	for (;;) {
		ptrace(PTRACE_CONT, pid, NULL, signal);
		if (waitpid(pid, &status, 0) != pid)
			fail("wait");
		if (WIFSIGNALED(status))
			return 128 + WTERMSIG(status);
		if (WIFEXITED(status))
			return 0;
		signal = WSTOPSIG(status);
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) {
			signal = 0;
			tell(pid);
			fflush(stdout);
		}
	}
}
