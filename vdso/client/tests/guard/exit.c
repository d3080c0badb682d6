/*
 * exit [LIBRARY]: threads fault and recover while the process exits. The prober is part of the
 * program, a library that it is linked with, or LIBRARY.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

extern int prober_probe(void) __attribute__((weak));
extern long prober_status(void) __attribute__((weak));
extern int slow_is_there __attribute__((weak));

static int (*probe)(void);
static atomic_long probes;

static void *work(void *unused)
{
	for (;;) {
		if (!probe())
			abort();
		probes++;
	}
	return unused;
}

int main(int count, char **arguments)
{
	long (*status)(void) = prober_status;
	pthread_t thread;
	int i;

	probe = prober_probe;
	if (count > 1) {
		void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);

		if (!library) {
			fprintf(stderr, "exit: %s\n", dlerror());
			return 3;
		}
		probe = (int (*)(void))dlsym(library, "prober_probe");
		status = (long (*)(void))dlsym(library, "prober_status");
	} else if (!&slow_is_there) {
		return 4;
	}
	if (!probe || !status || status()) {
		fprintf(stderr, "exit: status %ld\n", status ? status() : 0);
		return 5;
	}
	for (i = 0; i < 3; i++)
		if (pthread_create(&thread, 0, work, 0))
			return 6;
	while (probes < 100)
		;
	exit(0);
}
