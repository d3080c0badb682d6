/*
 * The block function of the image, for the kernel's vdso_test_chacha, which it is linked with.
 *
 * That selftest links the assembly which the kernel's image is made of. Here it gets the code that
 * is in the image of the process instead, whichever of the two that is. It finds the code by its
 * place, OUR_BLOCKS or KERNELS_BLOCKS, which the build reads from the symbols of both.
 *
 * With COPY, the path of a file with our image, the program carries that file as its own code and
 * uses nothing else: so a test can choose which alternatives are applied to it.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>

typedef void kernels_blocks(uint8_t *out, const uint32_t *key, uint32_t *counter, size_t blocks);

#ifdef COPY
#define QUOTED_(x) #x
#define QUOTED(x) QUOTED_(x)

__asm__(".pushsection .text.copy, \"ax\", @progbits\n"
	".balign 4096\n"
	"copy: .incbin " QUOTED(COPY) "\n"
	".popsection");

extern const char copy[] __attribute__((visibility("hidden")));
#endif

/*
 * Where our image is; 0 if the process has the kernel's, which has no entry for each system call.
 */
static uintptr_t our_image(void)
{
#ifdef COPY
	return (uintptr_t)copy;
#else
	void *image = dlopen("linux-vdso.so.1", RTLD_LAZY | RTLD_NOLOAD);

	return image && dlsym(image, "__vdso_read") ? getauxval(AT_SYSINFO_EHDR) : 0;
#endif
}

/*
 * Ours makes the blocks from number r8 up to number rcx. It sends those behind the first rsi to the
 * state at rdx, which has the key at KEY_OFFSET: none here, so that the state is only read.
 */
static void our_blocks(uintptr_t function, uint8_t *out, const uint32_t *key, uint32_t *counter, size_t blocks)
{
	register uint64_t next __asm__("r8") = counter[0] | (uint64_t)counter[1] << 32;
	uint64_t end = next + blocks;
	uintptr_t state = (uintptr_t)key - KEY_OFFSET;
	uint32_t fault;

	/* A call stores below the stack pointer, where a leaf function may keep variables. */
	__asm__ volatile("sub $128, %%rsp\n\tcall *%[function]\n\tadd $128, %%rsp"
			 : "+D"(out), "+S"(blocks), "+d"(state), "+c"(end), "+r"(next), "=&a"(fault)
			 : [function] "r"(function)
			 : "memory", "cc", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
			   "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	if (fault)
		abort();
	counter[0] = (uint32_t)next;
	counter[1] = (uint32_t)(next >> 32);
}

void __arch_chacha20_blocks_nostack(uint8_t *out, const uint32_t *key, uint32_t *counter, size_t blocks)
{
	static uintptr_t ours, kernels;

	if (!ours && !kernels && !(ours = our_image()))
		kernels = getauxval(AT_SYSINFO_EHDR);
	if (ours)
		our_blocks(ours + OUR_BLOCKS, out, key, counter, blocks);
	else if (kernels)
		((kernels_blocks *)(kernels + KERNELS_BLOCKS))(out, key, counter, blocks);
	else
		abort();
}
