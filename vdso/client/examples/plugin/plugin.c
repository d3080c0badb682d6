/*
 * A plugin that reads where nothing may be, and divides by what may be 0: it is registered when it
 * is loaded, and unregistered when it is unloaded.
 *
 *   cc -O2 -shared -fPIC -Ivdso/client/include vdso/client/examples/plugin/plugin.c -o plugin.so
 */
#define LIBLINUX_FIXUPS
#include "liblinux/guard.h"

/* 0 if the plugin is ready. */
long plugin_status(void)
{
	return liblinux_fixups_status;
}

/* The area that the plugin shares with the other libraries of the process. */
uint64_t plugin_area(void)
{
	return liblinux_fixups_area(&liblinux_fixups_joined);
}

/* The byte at an address, or -1. */
int plugin_peek(const void *address)
{
	struct liblinux_fault fault;
	unsigned char byte;

	return liblinux_probe_copy(&byte, address, 1, &fault) ? -1 : byte;
}

/* The quotient, or -1. */
long plugin_divide(unsigned int dividend, unsigned int divisor)
{
	unsigned int low = dividend, high = 0;

	__asm__ volatile goto("1:\tdivl %[divisor]\n2:\n" LIBLINUX_FIXUP_PLAIN("1b", "2b", "%l[trapped]")
		     : "+a"(low), "+d"(high) : [divisor] "r"(divisor) : "cc" : trapped);
	return low;
trapped:
	return -1;
}
