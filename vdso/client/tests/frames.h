/*
 * Code that faults, for the tests of landings with a frame. All but the last lands at `landing`.
 */
#ifndef FRAMES_H
#define FRAMES_H

#ifdef __cplusplus
extern "C" {
#endif
/*
 * A load from the address, an undefined instruction, or a division by zero, with known registers.
 * The handler of a signal continues at r9, with the stack pointer in r8.
 */
long probe_kind(uint64_t kind, uint64_t address);
/* A load on another stack. */
long probe_stack(uint64_t address, uint64_t stack);
/* A load with a value in each register and two vectors: 0 if they are there behind it. */
long probe_registers(uint64_t address);
/* A load whose landing leaves the frame where it is, and returns 5. */
long probe_jump(uint64_t address);
#ifdef __cplusplus
}
#endif

#define COVER(start, end, landing) \
	"\t.pushsection fixup_table, \"ao?\", @progbits, " start "\n" \
	"\t.balign 4\n" \
	"\t.long " start " - ., " end " - " start ", " landing " - ., 2\n" \
	"\t.popsection\n"

__asm__(".pushsection .text\n"
	"probe_kind:\n"
	"\tpushq %rbx\n\tpushq %rbp\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n"
	"\tmovq %rdi, %rax\n\tmovq %rsi, %rdi\n\tleaq 3f(%rip), %r9\n\tmovq %rsp, %r8\n"
	"\t.irp reg, ebx, ecx, edx, esi, ebp, r10d, r11d, r12d, r13d, r14d, r15d\n"
	"\txorl %\\reg, %\\reg\n"
	"\t.endr\n"
	"\tcmpl $1, %eax\n\tje probe_kind_undefined\n\tja probe_kind_divide\n"
	"probe_kind_load:\n"
	"\tmovq (%rdi), %rax\n"
	"probe_kind_undefined:\n"
	"\tud2\n"
	"probe_kind_divide:\n"
	"\txorl %eax, %eax\n\tdivl %edx\n"
	"3:\tpopq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbp\n\tpopq %rbx\n\tret\n"
	COVER("probe_kind_load", "3b", "landing")
	"probe_stack:\n"
	"\tleaq 4f(%rip), %r9\n\tmovq %rsp, %r8\n\tmovq %rsi, %rsp\n"
	"probe_stack_load:\n"
	"\tmovq (%rdi), %rax\n"
	"3:\tmovq %r8, %rsp\n"
	"4:\tret\n"
	COVER("probe_stack_load", "3b", "landing")
	"probe_registers:\n"
	"\tpushq %rbx\n\tpushq %rbp\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n"
	"\t.set value, 0x1000\n"
	"\t.irp reg, rax, rbx, rcx, rdx, rsi, rbp, r8, r9, r10, r11, r12, r13, r14, r15\n"
	"\tmovq $value, %\\reg\n\t.set value, value + 1\n"
	"\t.endr\n"
	"\tmovq %rax, %xmm0\n\tmovq %rbx, %xmm15\n\tstd\n\tstc\n"
	"probe_registers_load:\n"
	"\ttestq %rsp, (%rdi)\n"
	"3:\tpushfq\n\tcld\n"
	"\t.set value, 0x1000\n"
	"\t.irp reg, rax, rbx, rcx, rdx, rsi, rbp, r8, r9, r10, r11, r12, r13, r14, r15\n"
	"\tcmpq $value, %\\reg\n\tjne 4f\n\t.set value, value + 1\n"
	"\t.endr\n"
	"\tmovq %xmm0, %rax\n\tcmpq $0x1000, %rax\n\tjne 4f\n"
	"\tmovq %xmm15, %rax\n\tcmpq $0x1001, %rax\n\tjne 4f\n"
	"\tleaq 8(%rsp), %rcx\n\tstd\n\ttestq %rcx, (%rdi)\n\tpushfq\n\tcld\n"
	"\tpopq %rax\n\tpopq %rcx\n\txorq %rcx, %rax\n\tjmp 5f\n"
	"4:\tpopq %rax\n\tmovq $-1, %rax\n"
	"5:\tpopq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbp\n\tpopq %rbx\n\tret\n"
	COVER("probe_registers_load", "3b", "landing")
	"probe_jump:\n"
	"\tmovq %rsp, %r8\n"
	"probe_jump_load:\n"
	"\tmovq (%rdi), %rax\n"
	"3:\tret\n"
	"probe_jump_landing:\n"
	"\tmovq 152(%rdi), %rsp\n\tmovl $5, %eax\n\tret\n"
	COVER("probe_jump_load", "3b", "probe_jump_landing")
	".popsection\n");

#endif
