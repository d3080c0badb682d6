/*
 * family HOW PROGRAM ARGS: makes a process or a thread as HOW says, which
 * becomes PROGRAM; ends with its exit status.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char **words;

static int become(void *unused)
{
	(void)unused;
	execv(words[0], words);
	_exit(126);
}

static void *thread(void *unused)
{
	become(unused);
	return NULL;
}

static void *forking_thread(void *unused)
{
	pid_t pid = fork();

	if (!pid)
		become(unused);
	return (void *)(long)pid;
}

int main(int argc, char **argv)
{
	static char stack[65536] __attribute__((aligned(16)));
	const char *how = argv[1];
	pthread_t id;
	void *result;
	pid_t pid = -1;
	int status;

	if (argc < 3)
		return 125;
	words = argv + 2;
	if (!strcmp(how, "fork")) {
		pid = fork();
		if (!pid)
			become(NULL);
	} else if (!strcmp(how, "vfork")) {
		pid = vfork();
		if (!pid)
			become(NULL);
	} else if (!strcmp(how, "clone")) {
		pid = clone(become, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
	} else if (!strcmp(how, "untraced")) {
		pid = syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, NULL, NULL, NULL, NULL);
		if (!pid)
			become(NULL);
	} else if (!strcmp(how, "thread")) {
		/* The thread's process becomes the program. */
		pthread_create(&id, NULL, thread, NULL);
		pthread_join(id, NULL);
		return 125;
	} else if (!strcmp(how, "fork-in-thread")) {
		pthread_create(&id, NULL, forking_thread, NULL);
		pthread_join(id, &result);
		pid = (long)result;
	} else if (!strcmp(how, "itself")) {
		become(NULL);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
