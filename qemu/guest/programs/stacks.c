/*
 * Landings that want a frame, on stacks that no honest program has.
 *
 * The kernel writes the frame where the stack pointer of the thread is. Wherever that leads, the
 * fault lands with a whole frame and nothing else was written, or it is a signal. The first
 * argument says for how many seconds stack pointers at random are tried.
 */
#include "attempts.h"

#define PAGE 4096UL
#define RED_ZONE 128UL
#define FRAME sizeof(struct vdso_fixup_frame)
#define FILL 0xa5

/* The stack pointer of the program while a fault has another. */
static uint64_t kept __asm__("kept") __attribute__((used));

/*
 * Faults in the text with another stack pointer. The landing is a `ret`, and the frame begins with
 * r15: it returns to 1f. The result is what the landing found in rdi.
 */
uint64_t enter(uint64_t stack, const void *code);
__asm__("enter:\n"
	"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
	"	mov %rsp, kept(%rip)\n"
	"	lea 1f(%rip), %r15\n"
	"	mov %rdi, %rsp\n"
	"	xor %edi, %edi\n"
	"	jmp *%rsi\n"
	"1:	mov %rdi, %rax\n"
	"	mov kept(%rip), %rsp\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n	pop %rbx\n"
	"	ret\n");

/* Where the frame was, or 0 if there was a signal. */
static uint64_t fault_on(uint64_t stack)
{
	static unsigned long number;
	volatile uint64_t frame = 0;

	for (int i = 0; i < 100; i++) {
		switch (sigsetjmp(back, 0)) {
		case 0:
			attempt = ++number;
			frame = enter(stack, text);
			attempt = 0;
			landed++;
			return frame;
		case 1:
			attempt = 0;
			signalled++;
			return 0;
		default:
			attempt = 0; /* A tick: the machine is slow. */
			cut_short++;
		}
	}
	die("faults with the stack pointer %lx do not end", (unsigned long)stack);
}

/* Where the frame has to be. */
static uint64_t place(uint64_t stack)
{
	return (stack - RED_ZONE - FRAME) & -16UL;
}

static int is_whole(uint64_t at, uint64_t stack)
{
	const struct vdso_fixup_frame *frame = (const void *)at;

	return at == place(stack) && frame->ip == (uintptr_t)text && frame->sp == stack && !frame->via &&
	       frame->trap == 14 && frame->signal == SIGSEGV && !frame->address;
}

/* Whether memory is as it was filled, but for the bytes from one address to another. */
static int is_untouched(const unsigned char *memory, size_t size, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < size; i++) {
		uint64_t at = (uintptr_t)memory + i;

		if (memory[i] != FILL && (at < from || at >= to))
			return 0;
	}
	return 1;
}

/* Every place of a frame in two pages, with any alignment of the stack pointer. */
static void with_room(unsigned char *stack)
{
	unsigned wrong = 0, tried = 0;

	for (size_t offset = RED_ZONE + FRAME + 15; offset <= 2 * PAGE; offset += 13, tried++) {
		uint64_t pointer = (uintptr_t)stack + offset, at;

		memset(stack, FILL, 2 * PAGE);
		at = fault_on(pointer);
		wrong += !at || !is_whole(at, pointer) || !is_untouched(stack, 2 * PAGE, at, at + FRAME);
	}
	note("%u stack pointers", tried);
	test(!wrong && tried, "a frame is whole, and nothing else is written");
}

/* The frame would begin in the page below, which cannot be written. */
static void without_room(const char *below, unsigned char *stack)
{
	unsigned wrong = 0;

	for (size_t offset = 0; offset < RED_ZONE + FRAME; offset += 7) {
		memset(stack, FILL, PAGE);
		wrong += fault_on((uintptr_t)stack + offset) != 0;
		/* The red zone, and what is above the stack pointer. */
		if (offset >= RED_ZONE)
			wrong += !is_untouched(stack + offset - RED_ZONE, PAGE - offset + RED_ZONE, 0, 0);
	}
	test(!wrong, "no room above %s", below);
}

static void nowhere(void)
{
	static const uint64_t places[] = {
		0, 1, 8, 128, 335, 336, 337, 4096, 0x7fffffffefff, 0x7ffffffff000, 0x7ffffffff150, 0x7fffffffffff,
		0x800000000000, 0x800000000150, 0x8000000000000000, 0xffff800000000000, 0xffff888000000000,
		0xffffffff81000000, 0xffffffffff600000, 0xfffffffffffff000, 0xfffffffffffffff8, 0xffffffffffffffff,
	};
	unsigned wrong = 0;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		wrong += fault_on(places[i]) != 0;
	test(!wrong, "stack pointers that lead nowhere");
}

/* The frame lies on the area and the table by which it was found. */
static void at_random(unsigned char *stack)
{
	unsigned long rounds = 0, with_frame = 0;
	uint64_t state = 0x9e3779b97f4a7c15;
	double end = now() + seconds;

	do {
		const char *targets[] = { area, table_page, (const char *)stack };
		uint64_t at;

		state = state * 6364136223846793005 + 1442695040888963407;
		at = fault_on((uintptr_t)targets[(state >> 33) % 3] + (state >> 45) % (PAGE + 1));
		with_frame += at != 0;
		restore();
		table[0].flags = VDSO_FIXUP_FRAME;
		rounds++;
		if (rounds % 1024 == 0)
			show_life();
	} while (now() < end || !with_frame || with_frame == rounds);
	note("%lu stack pointers, %lu with a frame", rounds, with_frame);
	test(is_whole(fault_on((uintptr_t)stack + PAGE), (uintptr_t)stack + PAGE), "stack pointers at random");
}

int main(int count, char **arguments)
{
	unsigned char *pages;

	if (!vdso_function("__vdso_fixup_resume")) {
		printf("KTAP version 1\n1..0 # SKIP the image has no landings with a frame\n");
		return 0;
	}
	begin(count, arguments, 8);
	table[0].flags = VDSO_FIXUP_FRAME;
	/* A page that is changed in turn, and two that can be written. */
	pages = map(4 * PAGE, PROT_READ | PROT_WRITE);
	with_room(pages + PAGE);
	mprotect(pages, PAGE, PROT_NONE);
	without_room("a guard page", pages + PAGE);
	mprotect(pages, PAGE, PROT_READ);
	without_room("a page to read", pages + PAGE);
	munmap(pages, PAGE);
	without_room("a hole", pages + PAGE);
	nowhere();
	at_random(pages + PAGE);
	test_what_was_watched();
	return failures != 0;
}
