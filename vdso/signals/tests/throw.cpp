/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A C++ library whose handler throws an exception out of the code that faulted, from an alternate
 * stack. It passes on the faults of other code.
 */
#include "earlier.h"
#include <cstdlib>
#include <cstring>
#include <ucontext.h>

extern "C" void host_note(const char *name, int signal, siginfo_t *info, void *context);

/* Functions whose faults are exceptions have a section of their own; the linker names its ends. */
#define OWN __attribute__((noinline, section("own_text")))
extern "C" const char __start_own_text[], __stop_own_text[];

namespace {

struct Fault {};

struct sigaction earlier;

OWN int load(const volatile int *address)
{
	return *address;
}

/* Calls itself for as long as a byte is not 0, which it never is. */
OWN int descend(const volatile char *above)
{
	volatile char room[1024];

	room[0] = *above;
	return room[0] ? descend(room) + room[0] : 0;
}

void handle(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *frame = static_cast<ucontext_t *>(context);
	unsigned long ip = static_cast<unsigned long>(frame->uc_mcontext.gregs[REG_RIP]);
	unsigned long start = reinterpret_cast<unsigned long>(__start_own_text);

	if (info->si_code > 0 && ip - start < static_cast<unsigned long>(__stop_own_text - __start_own_text))
		throw Fault();
	pass_to(&earlier, signal, info, context);
}

} // namespace

extern "C" void start()
{
	struct sigaction action;
	stack_t stack;

	std::memset(&stack, 0, sizeof(stack));
	stack.ss_size = 1 << 17;
	stack.ss_sp = std::malloc(stack.ss_size);
	sigaltstack(&stack, nullptr);
	std::memset(&action, 0, sizeof(action));
	action.sa_sigaction = handle;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
	sigaction(SIGSEGV, &action, &earlier);
}

extern "C" void fault()
{
	try {
		load(reinterpret_cast<const int *>(8));
	} catch (Fault) {
		host_note("cpp", SIGSEGV, nullptr, nullptr);
	}
}

extern "C" void overflow()
{
	volatile char top = 1;

	try {
		descend(&top);
	} catch (Fault) {
		host_note("cpp", SIGSEGV, nullptr, nullptr);
	}
}
