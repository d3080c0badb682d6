/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The native half of Nulls.java: library.c behind the names that the machine looks up. */
#include <signal.h>

void install(int signal, int flags, int is_careful);
void fault(void);

static volatile int seen;

void host_note(const char *name, int signal, siginfo_t *info, void *context)
{
	(void)name, (void)signal, (void)info, (void)context;
	seen++;
}

void Java_Nulls_install(void *environment, void *class)
{
	(void)environment, (void)class;
	install(SIGSEGV, 0, 0);
}

/* How often the library's handler ran. */
int Java_Nulls_fault(void *environment, void *class)
{
	(void)environment, (void)class;
	seen = 0;
	fault();
	return seen;
}
