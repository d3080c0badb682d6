/*
 * Fixups in two executable segments: .hot is to be linked to an address of its own. CROSSES: one
 * leads from the one to the other. 0, or the number of what did not land.
 */
#define LIBLINUX_FIXUPS
#include "liblinux/guard.h"

__attribute__((noinline, section(".hot"))) static int hot_peek(const void *address)
{
	struct liblinux_fault fault;
	unsigned char byte;

	return liblinux_probe_copy(&byte, address, 1, &fault) ? -1 : byte;
}

__attribute__((noinline)) static long divide(unsigned int dividend, unsigned int divisor)
{
	unsigned int low = dividend, high = 0;

#ifdef CROSSES
	__asm__ volatile goto("2:\tdivl %[divisor]\n3:\n"
		     ".pushsection .hot, \"ax\", @progbits\n4:\tjmp %l[trapped]\n.popsection\n"
		     LIBLINUX_FIXUP_PLAIN("2b", "3b", "4b")
		     : "+a"(low), "+d"(high) : [divisor] "r"(divisor) : "cc" : trapped);
#else
	__asm__ volatile goto("2:\tdivl %[divisor]\n3:\n" LIBLINUX_FIXUP_PLAIN("2b", "3b", "%l[trapped]")
		     : "+a"(low), "+d"(high) : [divisor] "r"(divisor) : "cc" : trapped);
#endif
	return low;
trapped:
	return -1;
}

int main(void)
{
	const struct vdso_fixup_area *area;

	if (liblinux_fixups_status)
		return 1;
	if (divide(42, 6) != 7 || divide(42, 0) != -1)
		return 2;
	if (hot_peek("*") != '*' || hot_peek((const void *)8) != -1)
		return 3;
	/* A text for each segment, or one for both. */
	area = (const struct vdso_fixup_area *)liblinux_fixups_area(&liblinux_fixups_joined);
#ifdef CROSSES
	if ((uint32_t)area->counts[area->current_generation & 1].value != 1)
		return 4;
#else
	if ((uint32_t)area->counts[area->current_generation & 1].value != 2)
		return 4;
#endif
	if (liblinux_fixups_unregister_own(&liblinux_fixups_joined))
		return 5;
	return (uint32_t)area->counts[area->current_generation & 1].value ? 6 : 0;
}
