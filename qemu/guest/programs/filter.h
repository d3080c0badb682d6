/*
 * A seccomp filter as sandboxes have it: a list of numbers that are allowed, and one answer to all
 * others.
 *
 * The list is every number that the kernel's table has, so the filter refuses private calls alone.
 */
#ifndef FILTER_H
#define FILTER_H

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

/* No number of the table is as large. */
#define FIRST_UNKNOWN 600

/*
 * Refuses, by an action of seccomp's, numbers that are not in the table, and the call `also` of the
 * table unless that is -1. 0 if the filter is installed.
 */
static int set_filter(uint32_t action, int also)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FIRST_UNKNOWN, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, also, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, action),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(*code), .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

#endif
