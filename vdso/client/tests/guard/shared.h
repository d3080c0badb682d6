/* Fixups in functions that several files have: in C each its own, in C++ one that they share. */
#include "liblinux/guard.h"

#ifdef __cplusplus
#define SHARED template <int> inline
#define DIVIDE shared_divide<1>
#define PEEK shared_peek<2>
#else
#define SHARED static inline
#define DIVIDE shared_divide
#define PEEK shared_peek
#endif

/* The quotient, or -1. */
SHARED long shared_divide(unsigned int dividend, unsigned int divisor)
{
	unsigned int low = dividend, high = 0;

	__asm__ volatile goto("2:\tdiv{l}\t%[divisor]\n3:\n" LIBLINUX_FIXUP_PLAIN("2b", "3b", "%l[trapped]")
		     : "+a"(low), "+d"(high) : [divisor] "r"(divisor) : "cc" : trapped);
	return low;
trapped:
	return -1;
}

/* The byte at an address, or -1. */
SHARED int shared_peek(const void *address)
{
	struct liblinux_fault fault;
	unsigned char byte;

	return liblinux_probe_copy(&byte, address, 1, &fault) ? -1 : byte;
}

int second(int what);
