/*
 * Interrupts itself while it asks for the time, and looks up the stack from
 * there: prints how often that was inside of a standard function, and how often
 * main() was reached from it.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <execinfo.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#define SAMPLES 200

extern const char __start_main_text[], __stop_main_text[];
static volatile int inside, reached;
/* Ranges of the image and of the kernel's own vDSO. */
static unsigned long ranges[2][2];

static int is_inside(unsigned long address)
{
	return (address >= ranges[0][0] && address < ranges[0][1]) ||
	       (address >= ranges[1][0] && address < ranges[1][1]);
}

static void sample(int signal, siginfo_t *info, void *context)
{
	void *frames[64];
	int count, frame;

	(void)signal, (void)info;
	if (!is_inside(((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP]))
		return;
	inside++;
	count = backtrace(frames, 64);
	for (frame = 0; frame < count; frame++)
		if ((char *)frames[frame] >= __start_main_text && (char *)frames[frame] < __stop_main_text) {
			reached++;
			return;
		}
}

__attribute__((section("main_text"))) int main(void)
{
	struct sigaction action = { .sa_sigaction = sample, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerval often = { { 0, 500 }, { 0, 500 } };
	unsigned long start, end, image = getauxval(AT_SYSINFO_EHDR);
	FILE *maps = fopen("/proc/self/maps", "r");
	struct timespec now;
	struct timeval day;
	void *frames[4];
	char line[512];

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && (start == image || strstr(line, "[vdso]"))) {
			ranges[start != image][0] = start;
			ranges[start != image][1] = end;
		}
	/* The first call loads a library. */
	backtrace(frames, 4);
	sigaction(SIGALRM, &action, 0);
	setitimer(ITIMER_REAL, &often, 0);
	while (inside < SAMPLES) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
		clock_getres(CLOCK_BOOTTIME, &now);
		gettimeofday(&day, 0);
		sched_getcpu();
	}
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, 0);
	printf("%d %d\n", inside, reached);
	return 0;
}
