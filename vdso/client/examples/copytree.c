/*
 * copytree FROM TO: copies a tree of files, folders and symbolic links, by the entries of the vDSO
 * alone.
 *
 *   musl-gcc -static -O2 -Ivdso/client/include vdso/client/examples/copytree.c -o copytree
 *
 * A static program, which no loader binds to the vDSO: it looks each entry up. Once it has them it
 * pins the origin of its system calls. From then to its exit one syscall of the libc would kill it,
 * so it uses none of the libc's functions that make any, not even to return from main().
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "liblinux.h"

/* Folders within folders that are followed: each takes 5 KiB of the stack. */
#define DEPTH 256

/* Every call of this program. */
#define CALLS(call) \
	call(close) call(copy_file_range) call(exit_group) call(fchmod) call(getdents64) call(mkdirat) \
	call(mknodat) call(openat) call(prctl) call(read) call(readlinkat) call(newfstatat) call(symlinkat) \
	call(utimensat) call(write)

#define POINTER(name) static __typeof__(__vdso_##name) *call_##name;
CALLS(POINTER)

static struct { unsigned long files, folders, links, bytes; } copied;

/* As fprintf, by one call of write. */
static void say(int descriptor, const char *format, ...)
{
	char text[1024];
	va_list list;
	int length;

	va_start(list, format);
	length = vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	if (length > (int)sizeof(text) - 1)
		length = sizeof(text) - 1;
	call_write(descriptor, text, length);
}

/* Says what could not be done, if it could not. */
static int failed(const char *what, const char *name, long result)
{
	if (result >= 0)
		return 0;
	say(2, "copytree: cannot %s %s: errno %ld\n", what, name, -result);
	return 1;
}

/* In the kernel where both file systems can, else through a buffer. */
static long copy_contents(int from, int to)
{
	char buffer[4096];
	long count, written, done;

	while ((count = call_copy_file_range(from, 0, to, 0, 1 << 30, 0)) > 0)
		copied.bytes += count;
	if (count == 0)
		return 0;
	while ((count = call_read(from, buffer, sizeof(buffer))) > 0) {
		for (done = 0; done < count; done += written) {
			written = call_write(to, buffer + done, count - done);
			if (written < 0)
				return written;
		}
		copied.bytes += count;
	}
	return count;
}

static int copy_entry(int from_folder, const char *from, int to_folder, const char *to, int depth);

static int copy_file(int from_folder, const char *from, int to_folder, const char *to, unsigned int mode)
{
	long source, target;
	int bad;

	source = call_openat(from_folder, from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (failed("open", from, source))
		return 1;
	target = call_openat(to_folder, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bad = failed("make", to, target);
	if (!bad) {
		bad = failed("copy", from, copy_contents(source, target)) ||
		      failed("set the mode of", to, call_fchmod(target, mode & 07777));
		call_close(target);
	}
	call_close(source);
	copied.files += !bad;
	return bad;
}

static int copy_folder(int from_folder, const char *from, int to_folder, const char *to, unsigned int mode, int depth)
{
	/* struct linux_dirent64: inode, offset, length, type, name. */
	_Alignas(8) char entries[4096];
	long source, target, filled, at;
	int bad;

	if (!depth) {
		say(2, "copytree: more than %d folders within each other\n", DEPTH);
		return 1;
	}
	source = call_openat(from_folder, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (failed("open", from, source))
		return 1;
	bad = failed("make", to, call_mkdirat(to_folder, to, 0700));
	target = bad ? -1 : call_openat(to_folder, to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	bad = bad || failed("open", to, target);
	while (!bad && (filled = call_getdents64(source, (struct linux_dirent64 *)entries, sizeof(entries)))) {
		bad = failed("list", from, filled);
		for (at = 0; !bad && at < filled; at += *(uint16_t *)(entries + at + 16)) {
			const char *name = entries + at + 19;

			if (strcmp(name, ".") && strcmp(name, ".."))
				bad = copy_entry(source, name, target, name, depth - 1);
		}
	}
	bad = bad || failed("set the mode of", to, call_fchmod(target, mode & 07777));
	if (target >= 0)
		call_close(target);
	call_close(source);
	copied.folders += !bad;
	return bad;
}

static int copy_link(int from_folder, const char *from, int to_folder, const char *to)
{
	char target[4096];
	long length = call_readlinkat(from_folder, from, target, sizeof(target) - 1);

	if (failed("read", from, length))
		return 1;
	target[length] = 0;
	if (failed("make", to, call_symlinkat(target, to_folder, to)))
		return 1;
	copied.links++;
	return 0;
}

/* Copies one entry of a folder, whatever it is. */
static int copy_entry(int from_folder, const char *from, int to_folder, const char *to, int depth)
{
	/* On x86-64 the libc's structure is the kernel's. */
	struct stat status;
	/* The kernel's timespecs are of 64-bit words. */
	long times[4];
	int bad;

	if (failed("look at", from, call_newfstatat(from_folder, from, &status, AT_SYMLINK_NOFOLLOW)))
		return 1;
	switch (status.st_mode & S_IFMT) {
	case S_IFREG:
		bad = copy_file(from_folder, from, to_folder, to, status.st_mode);
		break;
	case S_IFDIR:
		bad = copy_folder(from_folder, from, to_folder, to, status.st_mode, depth);
		break;
	case S_IFLNK:
		return copy_link(from_folder, from, to_folder, to);
	case S_IFIFO:
		bad = failed("make", to, call_mknodat(to_folder, to, status.st_mode, 0));
		break;
	default:
		say(2, "copytree: %s is a device or a socket, and left out\n", to);
		return 0;
	}
	times[0] = status.st_atim.tv_sec;
	times[1] = status.st_atim.tv_nsec;
	times[2] = status.st_mtim.tv_sec;
	times[3] = status.st_mtim.tv_nsec;
	return bad || failed("set the times of", to, call_utimensat(to_folder, to, (struct __kernel_timespec *)times,
								     AT_SYMLINK_NOFOLLOW));
}

int main(int count, char **arguments)
{
	const void *image = liblinux_find(getauxval(AT_SYSINFO_EHDR));
	const char *missing = 0;
	int status = 2;

	if (!image) {
		fprintf(stderr, "copytree: %s\n", liblinux_unfit(getauxval(AT_SYSINFO_EHDR)));
		return 1;
	}
#define RESOLVE(name) \
	call_##name = LIBLINUX(image, name); \
	if (!call_##name) \
		missing = #name;
	CALLS(RESOLVE)
	if (missing) {
		fprintf(stderr, "copytree: the vDSO has no entry for %s: it is the kernel's own, or an older one of liblinux; "
				"start this program with `cargo xtask run -- copytree ...`\n", missing);
		return 1;
	}
	if (liblinux_pin_origin(image)) {
		fprintf(stderr, "copytree: this kernel cannot pin the origin of system calls\n");
		return 1;
	}
	/* From here on every system call comes from the vDSO. */
	if (count != 3) {
		say(2, "usage: copytree FROM TO\n");
	} else {
		status = copy_entry(AT_FDCWD, arguments[1], AT_FDCWD, arguments[2], DEPTH);
		if (!status)
			say(1, "copied %lu files, %lu folders, %lu links, %lu bytes; every system call came from the vDSO\n",
			    copied.files, copied.folders, copied.links, copied.bytes);
	}
	call_exit_group(status);
}
