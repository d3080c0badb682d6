/* A DSO with fixups, which faults and recovers. */
#define LIBLINUX_FIXUPS
#include "liblinux/guard.h"

#ifdef STATIC_THREAD_STORAGE
/* Each thread has it from the start, in a library that comes later as well. */
__thread int prober_thread __attribute__((tls_model("initial-exec")));
#endif

long prober_status(void)
{
#ifdef STATIC_THREAD_STORAGE
	prober_thread++;
#endif
	return liblinux_fixups_status;
}

/* Whether a fault was recovered from. */
int prober_probe(void)
{
	struct liblinux_fault fault;
	char byte;

	return liblinux_probe_copy(&byte, (const void *)8, 1, &fault) && fault.trap == 14 && fault.address == 8;
}
