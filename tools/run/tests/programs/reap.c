// Makes children that end by themselves in each way there is, and waits for each by its pidfd, as
// event loops do: when that is readable, `waitid` with WNOHANG must find the child. Prints how
// often it did not, for each way.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static void *sleeps(void *unused)
{
	(void)unused;
	pause();
	return NULL;
}

static void *executes(void *unused)
{
	(void)unused;
	execl("/bin/true", "true", (char *)NULL);
	_exit(9);
}

static void *outlives(void *unused)
{
	(void)unused;
	char path[64], stat[512];
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
	// Not before the first thread has ended: two ends at once are another way.
	do {
		int fd = open(path, O_RDONLY);
		ssize_t size = read(fd, stat, sizeof(stat) - 1);
		close(fd);
		stat[size < 0 ? 0 : size] = 0;
	} while (!strstr(stat, ") Z"));
	return NULL;
}

static void start(void *(*work)(void *))
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, work, NULL))
		_exit(9);
}

static void ends(void)
{
	_exit(0);
}

// Threads are there when the process ends.
static void group_ends(void)
{
	for (int i = 0; i < 3; i++)
		start(sleeps);
	exit(0);
}

// Another thread than the first becomes a program.
static void thread_executes(void)
{
	start(executes);
	pause();
}

// The first thread ends first.
static void leader_ends(void)
{
	start(outlives);
	pthread_exit(NULL);
}

static void vfork_executes(void)
{
	if (!vfork())
		execl("/bin/true", "true", (char *)NULL);
	_exit(0);
}

static void waits(void)
{
	pause();
}

static const struct {
	const char *name;
	void (*work)(void);
	int count;
	// The signal that ends it, or 0.
	int signal;
} ways[] = {
	{ "exit", ends, 1000, 0 },
	{ "group", group_ends, 100, 0 },
	{ "thread-exec", thread_executes, 100, 0 },
	{ "leader", leader_ends, 100, 0 },
	{ "vfork", vfork_executes, 100, 0 },
	{ "kill", waits, 100, SIGKILL },
	{ "term", waits, 100, SIGTERM },
};

int main(void)
{
	for (size_t way = 0; way < sizeof(ways) / sizeof(*ways); way++) {
		int early = 0, killer = ways[way].signal;
		for (int i = 0; i < ways[way].count; i++) {
			pid_t child = fork();
			if (!child) {
				ways[way].work();
				_exit(9);
			}
			int fd = syscall(SYS_pidfd_open, child, 0);
			struct pollfd ended = { .fd = fd, .events = POLLIN };
			siginfo_t info = { 0 };
			if (killer)
				kill(child, killer);
			if (child < 0 || fd < 0 || poll(&ended, 1, 60000) != 1) {
				perror(ways[way].name);
				return 1;
			}
			if (waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG)) {
				perror("waitid");
				return 1;
			}
			if (!info.si_pid) {
				early++;
				waitid(P_PIDFD, fd, &info, WEXITED);
			}
			int code = killer ? CLD_KILLED : CLD_EXITED;
			if (info.si_pid != child || info.si_code != code || info.si_status != killer) {
				printf("%s: code %d, status %d\n", ways[way].name, info.si_code, info.si_status);
				return 1;
			}
			close(fd);
		}
		printf("%s %d\n", ways[way].name, early);
		// Children have a copy of what is not written yet.
		fflush(stdout);
	}
	return 0;
}
