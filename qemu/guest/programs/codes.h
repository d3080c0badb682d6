/*
 * Code that raises every exception with all registers known, and the three ways in which one may
 * end.
 *
 * Each exception is raised under a plain signal handler, which is the oracle; with its fixup
 * attached to the kernel; and with its fixup found by __vdso_fixup_dispatch, in a handler, as on a
 * kernel without the patch.
 */
#ifndef CODES_H
#define CODES_H

#include "entries.h"

/* Registers as the signal frame numbers them. */
enum { R_R8, R_R9, R_R10, R_R11, R_R12, R_R13, R_R14, R_R15, R_DI, R_SI, R_BP, R_BX, R_DX, R_AX, R_CX, R_SP, R_COUNT };

struct state {
	uint64_t regs[R_COUNT];		/* 0 */
	uint64_t saved_sp;		/* 128 */
	uint64_t trap, error, address;	/* of the oracle */
	uint64_t ip, flags;
	int signal, code;
};

/*
 * Runs `code` with `argument` in rdi, marks in the other registers and the state in r15. 0 if
 * nothing happened, 1 if it landed, 2 if the handler saw it. The text from code_start on is the
 * DSO; landings store all registers.
 */
long run(const void *code, uint64_t argument, struct state *state);
extern const char code_start[], __stop_code[], done[], landed[], handled[];

asm(".pushsection code, \"ax\", @progbits\n"
    ".balign 4096\n"
    "code_start:\n"
    "run:\n"
    "	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "	mov %rdx, %r15\n"
    "	mov %rsp, 128(%r15)\n"
    "	mov %rdi, %r11\n"
    "	mov %rsi, %rdi\n"
    "	mov $0x5a01, %eax; mov $0x5a02, %ebx; mov $0x5a03, %ecx; mov $0x5a04, %edx; mov $0x5a05, %esi\n"
    "	mov $0x5a06, %ebp; mov $0x5a08, %r8d; mov $0x5a09, %r9d; mov $0x5a0a, %r10d\n"
    "	mov $0x5a0c, %r12d; mov $0x5a0d, %r13d; mov $0x5a0e, %r14d\n"
    "	jmp *%r11\n"
    "done:\n"
    "	xor %eax, %eax\n"
    "	jmp 1f\n"
    "landed:\n"
    "	mov %r8, 0(%r15); mov %r9, 8(%r15); mov %r10, 16(%r15); mov %r11, 24(%r15)\n"
    "	mov %r12, 32(%r15); mov %r13, 40(%r15); mov %r14, 48(%r15); mov %r15, 56(%r15)\n"
    "	mov %rdi, 64(%r15); mov %rsi, 72(%r15); mov %rbp, 80(%r15); mov %rbx, 88(%r15)\n"
    "	mov %rdx, 96(%r15); mov %rax, 104(%r15); mov %rcx, 112(%r15); mov %rsp, 120(%r15)\n"
    "	mov $1, %eax\n"
    "	jmp 1f\n"
    "handled:\n"
    "	mov $2, %eax\n"
    "1:	mov 128(%r15), %rsp\n"
    /* What a case may have changed beside registers: alignment checks, x87, SSE. */
    "	pushf; andl $~0x40000, (%rsp); popf\n"
    "	fninit\n"
    "	movl $0x1f80, -4(%rsp); ldmxcsr -4(%rsp)\n"
    "	cld\n"
    "	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "	ret\n"
    ".popsection");

#define CODE(name, text) \
	extern const char name[], name##_end[]; \
	asm(".pushsection code, \"ax\", @progbits\n" #name ":\n\t" text "\n" #name "_end:\n\tjmp done\n.popsection")

CODE(c_load, "mov (%rdi), %rax");
CODE(c_load_byte, "movzbl (%rdi), %eax");
CODE(c_store, "mov %rax, (%rdi)");
CODE(c_exchange, "lock xadd %rax, (%rdi)");
CODE(c_string, "xchg %rdi, %rsi; mov $2, %ecx; rep movsb");
CODE(c_vector, "movups (%rdi), %xmm0");
CODE(c_push, "mov %rdi, %rsp; push %rax");
CODE(c_call, "mov %rdi, %rsp; call 1f; 1:");
CODE(c_jump, "jmp *%rdi");
CODE(c_undefined, "ud2");
CODE(c_divide, "xor %edx, %edx; xor %ecx, %ecx; div %ecx");
CODE(c_overflow, "mov $-1, %edx; mov $1, %ecx; div %ecx");
CODE(c_privileged, "hlt");
CODE(c_port, "in $0x80, %al");
CODE(c_segment, "mov $0xffff, %eax; mov %eax, %ds");
CODE(c_interrupt, "int $0x20");
CODE(c_into, "int $4; nop");
CODE(c_x87, "pushq $0x0300; fldcw (%rsp); fld1; fldz; fdivrp; fwait");
CODE(c_sse, "pushq $0x1d80; ldmxcsr (%rsp); mov $1, %eax; cvtsi2ss %eax, %xmm0; xorps %xmm1, %xmm1; divss %xmm1, %xmm0");
CODE(c_align, "pushf; orl $0x40000, (%rsp); popf; mov 1(%rdi), %eax");
CODE(c_breakpoint, "int3; nop");
CODE(c_step, "pushf; orl $0x100, (%rsp); popf; nop");
CODE(c_spin, "movl $1, 4(%rdi); 1: cmpl $0, (%rdi); je 1b");
CODE(c_uncovered, "mov (%rdi), %rax");
CODE(c_plain, "mov (%rdi), %rax");

#define CALLED(name) #name, name, name##_end

static char *readable, *hidden, *short_file, *unmapped, *code_page;

enum way { ORACLE, KERNEL, DISPATCH };

static enum way way;
static void *area;
static struct state *oracle;
static volatile sig_atomic_t signals;

/* The oracle; and in the other ways, what a fault that was not fixed up meets. */
static void see(int sig, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	/*
	 * A signal that was sent is waited for in one place, and comes again if it was too early.
	 */
	if ((info->si_code <= 0 || sig == SIGALRM) &&
	    (regs[REG_RIP] < (greg_t)c_spin || regs[REG_RIP] >= (greg_t)c_spin_end))
		return;
	signals++;
	if (way == DISPATCH && vdso.dispatch(area, info, context) == 1)
		return;
	memcpy(oracle->regs, regs, sizeof(oracle->regs));
	oracle->trap = regs[REG_TRAPNO];
	oracle->flags = regs[REG_EFL];
	oracle->error = regs[REG_ERR];
	oracle->address = regs[REG_CR2];
	oracle->ip = regs[REG_RIP];
	oracle->signal = sig;
	oracle->code = info->si_code;
	regs[REG_RIP] = (greg_t)handled;
	regs[REG_EFL] &= ~0x100;
	regs[REG_R15] = (greg_t)oracle;
}

static void handle_all(void)
{
	static const int all[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGUSR1, SIGALRM };
	stack_t stack = { .ss_sp = map(65536, PROT_READ | PROT_WRITE), .ss_size = 65536 };
	struct sigaction action = { .sa_sigaction = see, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		sigaction(all[i], &action, NULL);
}

/* The table: each code has an entry but c_uncovered; entries ascend as the codes do. */
static struct vdso_fixup_entry table[32];
static unsigned entries;

static void cover(const char *start, const char *end, uint32_t flags)
{
	set_entry(&table[entries++], start, end - start, landed, flags);
}

static void fill_table(void)
{
	static const struct {
		const char *label, *start, *end;
	} codes[] = {
		{ CALLED(c_load) }, { CALLED(c_load_byte) }, { CALLED(c_store) }, { CALLED(c_exchange) },
		{ CALLED(c_string) }, { CALLED(c_vector) }, { CALLED(c_push) }, { CALLED(c_call) }, { CALLED(c_jump) },
		{ CALLED(c_undefined) }, { CALLED(c_divide) }, { CALLED(c_overflow) }, { CALLED(c_privileged) },
		{ CALLED(c_port) }, { CALLED(c_segment) }, { CALLED(c_interrupt) }, { CALLED(c_into) }, { CALLED(c_x87) },
		{ CALLED(c_sse) }, { CALLED(c_align) }, { CALLED(c_breakpoint) }, { CALLED(c_step) },
		{ CALLED(c_spin) },
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		cover(codes[i].start, codes[i].end, 0);
	cover(c_plain, c_plain_end, VDSO_FIXUP_PLAIN);
}

static void prepare(void)
{
	int file = memfd_create("short", 0);
	struct vdso_fixup_dso code = { (uintptr_t)code_start, __stop_code - code_start, (uintptr_t)table, 0 };
	struct vdso_fixup_dso page = { .count = 1 };
	struct vdso_fixup_entry *page_table;
	char *block;
	unsigned long size;
	long ret;

	oracle = map(4096, PROT_READ | PROT_WRITE);
	readable = map(8192, PROT_READ);
	hidden = map(8192, PROT_READ | PROT_WRITE) + 4096;
	/* Between two pages, and where the kernel maps nothing unless it is told to. */
	unmapped = mmap((void *)0x100000000000, 3 * 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (unmapped == MAP_FAILED)
		die("mmap");
	unmapped += 4096;
	if (mprotect(hidden, 4096, PROT_NONE) || munmap(unmapped, 4096))
		die("mprotect, munmap");
	if (file < 0 || ftruncate(file, 4096))
		die("memfd_create");
	short_file = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (short_file == MAP_FAILED)
		die("mmap of a file");

	/*
	 * Three pages of code, as a compiler at run time has them; the second cannot be executed at
	 * the moment.
	 */
	block = map(3 * 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	code_page = block + 4096;
	memcpy(block, "\xff\x25\0\0\0\0", 6);	/* jmp *0(%rip) */
	memcpy(block + 6, &(const char *){ landed }, 8);
	page_table = (struct vdso_fixup_entry *)(block + 2 * 4096);
	set_entry(page_table, code_page, 4096, block, 0);
	if (mprotect(code_page, 4096, PROT_NONE))
		die("mprotect");

	area = new_area(8, &size);
	fill_table();
	code.count = entries;
	ret = vdso.reg(area, &code);
	if (ret)
		die("register is %ld", ret);
	page.text_start = (uintptr_t)block;
	page.text_len = 3 * 4096;
	page.table = (uintptr_t)page_table;
	ret = vdso.reg(area, &page);
	if (ret)
		die("register is %ld", ret);
}

static unsigned long area_bytes(void)
{
	return vdso.area_size(8);
}

static void choose(enum way new_way)
{
	long ret = new_way == KERNEL ? vdso.attach(area, area_bytes()) : vdso.attach(NULL, 0);

	if (ret)
		die("attach is %ld", ret);
	way = new_way;
}

#endif
