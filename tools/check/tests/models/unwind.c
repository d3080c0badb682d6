/*
 * unwind PLACE...: asks the unwinder that this program is linked with for the entry of call-frame
 * information that covers each place of the image.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>

#ifdef LLVM
typedef struct {
	unsigned long start, end, lsda, handler, gp, flags;
	unsigned format, size;
	unsigned long entry, extra;
} unw_proc_info_t;
typedef struct {
	unsigned long data[64];
} unw_context_t, unw_cursor_t;
int unw_getcontext(unw_context_t *);
int unw_init_local(unw_cursor_t *, unw_context_t *);
int unw_set_reg(unw_cursor_t *, int, unsigned long);
int unw_get_proc_info(unw_cursor_t *, unw_proc_info_t *);

static unsigned long entry(unsigned long place)
{
	unw_context_t context;
	unw_cursor_t cursor;
	unw_proc_info_t info = {0};
	unw_getcontext(&context);
	unw_init_local(&cursor, &context);
	unw_set_reg(&cursor, -1, place); /* the instruction pointer */
	return unw_get_proc_info(&cursor, &info) ? 0 : info.entry;
}
#else
struct dwarf_eh_bases {
	void *tbase, *dbase, *func;
};
const void *_Unwind_Find_FDE(void *pc, struct dwarf_eh_bases *bases);

static unsigned long entry(unsigned long place)
{
	struct dwarf_eh_bases bases = {0};
	return (unsigned long)_Unwind_Find_FDE((void *)place, &bases);
}
#endif

int main(int argc, char **argv)
{
	unsigned long base = getauxval(AT_SYSINFO_EHDR);
	for (int i = 1; i + 1 < argc; i += 2) {
		unsigned long found = entry(base + strtoul(argv[i + 1], NULL, 16));
		if (found)
			printf("%s %lx\n", argv[i], found - base);
	}
	return 0;
}
