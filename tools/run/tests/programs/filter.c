/*
 * filter WHAT NUMBER... -- PROGRAM ARGS: becomes PROGRAM under a seccomp filter
 * that, for each system call NUMBER, fails with EPERM (WHAT is "fail") or kills
 * the process ("kill").
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sock_filter code[64] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
	};
	struct sock_fprog program = { .filter = code };
	unsigned int verdict = strcmp(argv[1], "kill") ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_KILL_PROCESS;
	int count = 1, word = 2;

	for (; word < argc && strcmp(argv[word], "--"); word++) {
		code[count++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, atoi(argv[word]), 0, 1);
		code[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, verdict);
	}
	code[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = count;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 125;
	execvp(argv[word + 1], argv + word + 1);
	return 126;
}
