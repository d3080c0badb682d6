/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A program that loads libraries and does with them what its arguments say, and prints which
 * library's handler ran. A step is a word and a library's file behind a colon:
 *
 *	careful:F, careless:F	loads F, which installs its handler of SIGSEGV and SIGUSR1
 *	load:F			loads F, and calls its function "start" if it has one
 *	fault:F			a fault in its text
 *	overflow:F		an overflow of the stack in its code
 *	inside:F		a fault in its text, in the program's handler of SIGUSR1
 *	made:F			a fault in code that it makes at run time
 *	lost:F			the same, with a frame pointer that leads nowhere
 *	host			a fault in the program's text
 *	send			SIGUSR1 to itself
 *	sent			SIGSEGV to this thread, which no fault raised
 *	back:F			F gives back what it was told, and is unloaded
 *	drop:F			F is unloaded, with its handlers installed
 *	fork			the rest happens in a child
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char noted[256];

void host_note(const char *name, int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info, (void)context;
	strcat(noted, name);
}

__attribute__((naked, noinline)) static int load(const int *address)
{
	(void)address;
	__asm__("xor %eax, %eax\n\t.byte 0x8b, 0x07\n\tret");
}

static void *symbol(void *library, const char *name)
{
	void *found = dlsym(library, name);

	if (!found) {
		fprintf(stderr, "%s\n", dlerror());
		exit(2);
	}
	return found;
}

/* A library's function, which is called in a handler. */
static void (*inside)(void);

static void call_inside(int signal)
{
	(void)signal;
	inside();
}

/* Has the fault that a step is, in a library. Whether there is such a step. */
static int has_fault(const char *step, void *library)
{
	static const char *const functions[][2] = {
		{ "fault", "fault" },
		{ "overflow", "overflow" },
		{ "made", "fault_in_made" },
		{ "lost", "fault_in_lost" },
		{ "inside", "fault" },
	};

	for (unsigned long i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		void (*function)(void);

		if (strcmp(step, functions[i][0]))
			continue;
		function = (void (*)(void))symbol(library, functions[i][1]);
		if (strcmp(step, "inside")) {
			function();
		} else {
			inside = function;
			signal(SIGUSR1, call_inside);
			raise(SIGUSR1);
		}
		return 1;
	}
	return 0;
}

/* musl never unloads a library. */
static void unload(const char *file, void *library)
{
	for (int i = 0; i < 9 && dlopen(file, RTLD_NOW | RTLD_NOLOAD); i++)
		dlclose(library), dlclose(library);
}

int main(int count, char **steps)
{
	int i;

	for (i = 1; i < count; i++) {
		char *file = strchr(steps[i], ':');
		void *library = 0;

		noted[0] = 0;
		if (file) {
			*file++ = 0;
			library = dlopen(file, RTLD_NOW);
			if (!library) {
				fprintf(stderr, "%s\n", dlerror());
				return 2;
			}
		}
		if (!strcmp(steps[i], "load")) {
			void (*start)(void) = (void (*)(void))dlsym(library, "start");

			if (start)
				start();
			continue;
		} else if (!strncmp(steps[i], "care", 4)) {
			int is_careful = !strcmp(steps[i], "careful");
			void (*install)(int, int, int) = (void (*)(int, int, int))symbol(library, "install");

			install(SIGSEGV, 0, is_careful);
			install(SIGUSR1, SA_RESTART, 0);
			continue;
		} else if (!strcmp(steps[i], "host")) {
			load((const int *)8);
		} else if (!strcmp(steps[i], "send")) {
			raise(SIGUSR1);
		} else if (!strcmp(steps[i], "sent")) {
			syscall(SYS_tgkill, getpid(), gettid(), SIGSEGV);
		} else if (!strcmp(steps[i], "back")) {
			void (*give_back)(int) = (void (*)(int))symbol(library, "give_back");

			give_back(SIGSEGV);
			give_back(SIGUSR1);
			unload(file, library);
			continue;
		} else if (!strcmp(steps[i], "drop")) {
			unload(file, library);
			continue;
		} else if (!strcmp(steps[i], "fork")) {
			int status;
			pid_t child = fork();

			if (child) {
				waitpid(child, &status, 0);
				return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			}
			continue;
		} else if (!has_fault(steps[i], library)) {
			fprintf(stderr, "%s: an unknown step; host.c lists the steps\n", steps[i]);
			return 2;
		}
		printf("%s ", noted[0] ? noted : "-");
		fflush(stdout);
	}
	puts("");
	return 0;
}
