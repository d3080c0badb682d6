/*
 * faults IMAGE: probes and the signal mask in C. Prints what does not hold.
 */
#include "child.h"

static struct vdso_fixup_dso own;

/* ---- Probes ---- */

#define FULL 0x1122334455667788ULL

/*
 * A size: what is there, where it ends, and where nothing is. END is a page's end, behind which
 * nothing can be read.
 */
#define PROBE(bytes, type) \
	do { \
		const type full = (type)FULL; \
		type value = 0, *last = (type *)(end - sizeof(type)); \
	\
		CHECK(!liblinux_probe_store##bytes(last, full, &fault)); \
		CHECK(!memcmp(last, &full, sizeof(type)) && ((unsigned char *)last)[-1] == 0); \
		CHECK(!liblinux_probe_load##bytes(last, &value, &fault) && value == full); \
		memset(last, 0, sizeof(type)); \
		value = 5; \
		CHECK(liblinux_probe_load##bytes((unsigned char *)last + 1, &value, &fault) && value == 5); \
		CHECK(fault.trap == 14 && fault.address == (uint64_t)end && !(fault.error_code & 2)); \
		CHECK(fault.signal == SIGSEGV); \
		CHECK(liblinux_probe_store##bytes((unsigned char *)last + 1, full, &fault)); \
		CHECK(fault.trap == 14 && fault.error_code & 2 && fault.signal == SIGSEGV); \
		CHECK(liblinux_probe_store##bytes(readable, full, &fault) && fault.address == (uint64_t)readable); \
		CHECK(liblinux_probe_load##bytes(odd, &value, &fault) && fault.trap == 13 && fault.signal == SIGSEGV); \
		CHECK(liblinux_probe_load##bytes(past_end, &value, &fault) && fault.signal == SIGBUS && fault.trap == 14); \
		CHECK(liblinux_probe_store##bytes(past_end, full, &fault) && fault.signal == SIGBUS); \
		CHECK(value == 5 && fault.ip - (uint64_t)own.text_start < own.text_len); \
	} while (0)

static void probe_tests(void)
{
	unsigned char *end = pages(2, PROT_READ | PROT_WRITE) + PAGE, *readable = pages(1, PROT_READ);
	void *odd = (void *)(1UL << 62);
	int file = memfd_create("empty", 0);
	unsigned char *past_end = (unsigned char *)mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	struct liblinux_fault fault;

	memset(&fault, 0, sizeof(fault));
	CHECK(!mprotect(end, PAGE, PROT_NONE) && past_end != MAP_FAILED);
	CHECK(!liblinux_fixups_register_own(&fixups, &own));
	PROBE(1, uint8_t);
	PROBE(2, uint16_t);
	PROBE(4, uint32_t);
	PROBE(8, uint64_t);
	CHECK(liblinux_probe_copy(end - 4, past_end, 4, &fault) && fault.signal == SIGBUS && fault.trap == 14);
}

/* ---- The signal mask ---- */

static int unblocks;
static volatile sig_atomic_t faults;

/* A handler that looks at memory, and steps over an instruction of two bytes. */
static void prober(int number, siginfo_t *information, void *context)
{
	struct liblinux_fault fault;
	uint64_t blocked = 0;
	uint32_t value;
	int i;

	(void)information;
	if (unblocks)
		CHECK(!liblinux_fixups_unblock(&fixups, &blocked));
	for (i = 0; i < 3; i++)
		faults += liblinux_probe_load4((void *)8, &value, &fault);
	if (unblocks)
		CHECK(!liblinux_fixups_reblock(&fixups, blocked));
	if (number == SIGSEGV)
		((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

static void handle(int number, int mask_all)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = prober;
	action.sa_flags = SA_SIGINFO;
	if (mask_all)
		sigfillset(&action.sa_mask);
	CHECK(!sigaction(number, &action, 0));
}

/*
 * The client's handler comes last. It calls the one before for a fault without a fixup, with
 * SIGSEGV blocked as ever.
 */
static void in_a_handler_of_faults(void)
{
	struct liblinux_fixups here;

	handle(SIGSEGV, 0);
	CHECK(!liblinux_fixups_join(&here, image) && here.pages);
	fixups = here;
	CHECK(!liblinux_fixups_register_own(&fixups, &own));
	__asm__ volatile("movb (%%rax), %%al" : : "a"(0) : "memory");
	CHECK(faults == 3);
}

static void in_a_handler_with_a_mask(void)
{
	CHECK(!liblinux_fixups_register_own(&fixups, &own));
	handle(SIGUSR1, 1);
	raise(SIGUSR1);
	CHECK(faults == 3);
}

static void mask_tests(void)
{
	sigset_t all, before, after;
	struct liblinux_fault fault;
	uint64_t blocked, none;
	uint8_t byte;

	CHECK(dies(in_a_handler_with_a_mask));
	unblocks = 1;
	CHECK(!end_of(in_a_handler_with_a_mask));
	CHECK(!liblinux_fixups_register_own(&fixups, &own));
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, 0);
	sigprocmask(SIG_SETMASK, 0, &before);
	CHECK(!liblinux_fixups_unblock(&fixups, &blocked) && blocked == 0x4c8);
	CHECK(!liblinux_fixups_unblock(&fixups, &none) && !none && !liblinux_fixups_reblock(&fixups, none));
	CHECK(liblinux_probe_load1((void *)8, &byte, &fault));
	CHECK(!liblinux_fixups_reblock(&fixups, blocked));
	sigprocmask(SIG_SETMASK, 0, &after);
	CHECK(!memcmp(&before, &after, 8));
}

/* Without a registry before the program's handler is there. */
static void earlier_tests(void)
{
	unblocks = 0;
	CHECK(dies(in_a_handler_of_faults));
	unblocks = 1;
	CHECK(!end_of(in_a_handler_of_faults));
}

/* A handler that reports crashes: in front, without SA_NODEFER, and it passes nothing on. */
static void reporter(int number, siginfo_t *information, void *context)
{
	unsigned char buffer[8];

	(void)number;
	faults += liblinux_probe_read_by_call(image, buffer, information->si_addr, 8) == -EFAULT;
	faults += liblinux_probe_read_by_call(image, buffer, (char *)context + 1, 8) == 0;
	faults += !memcmp(buffer, (char *)context + 1, 8);
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

static void call_tests(void)
{
	unsigned char *two = pages(2, PROT_READ | PROT_WRITE), buffer[16];
	struct sigaction action;

	CHECK(!munmap(two + PAGE, PAGE));
	CHECK(!liblinux_probe_read_by_call(image, buffer, two + PAGE - 16, 16));
	CHECK(liblinux_probe_read_by_call(image, buffer, two + PAGE - 15, 16) == -EFAULT);
	CHECK(liblinux_probe_read_by_call(image, buffer, (void *)(1UL << 62), 1) == -EFAULT);
	memset(&action, 0, sizeof(action));
	action.sa_sigaction = reporter;
	action.sa_flags = SA_SIGINFO;
	CHECK(!sigaction(SIGSEGV, &action, 0));
	__asm__ volatile("movb (%%rax), %%al" : : "a"(8) : "memory");
	CHECK(faults == 3);
}

JOINED(probe)
JOINED(mask)

int main(int count, char **arguments)
{
	void (*const tests[])(void) = { joined_probe, joined_mask, earlier_tests, call_tests };

	return count == 2 ? run_tests(arguments[1], tests, 4) : 2;
}
