/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * How a library passes a signal on that is not its own: to the action that it found when it
 * installed its handler.
 */
#include <signal.h>

static inline void pass_to(const struct sigaction *earlier, int signal, siginfo_t *info, void *context)
{
	if (earlier->sa_flags & SA_SIGINFO) {
		earlier->sa_sigaction(signal, info, context);
	} else if (earlier->sa_handler == SIG_DFL) {
		/* A fault happens again. A signal that was sent is sent again. */
		sigaction(signal, earlier, 0);
		if (info->si_code <= 0)
			raise(signal);
	} else if (earlier->sa_handler != SIG_IGN) {
		earlier->sa_handler(signal);
	}
}
