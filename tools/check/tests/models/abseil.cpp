// abseil IMAGE: asks abseil's parser for what its GetCPU asks for.
#include <absl/debugging/internal/elf_mem_image.h>

#include <cstdio>

extern "C" void *place_image(const char *path); // ../readers/place.c

int main(int argc, char **argv)
{
	const char *image = static_cast<char *>(place_image(argv[argc - 1]));
	absl::debugging_internal::ElfMemImage elf(image);
	absl::debugging_internal::ElfMemImage::SymbolInfo found;
	if (elf.LookupSymbol("__vdso_getcpu", "LINUX_2.6", STT_FUNC, &found))
		printf("__vdso_getcpu %lx\n",
		       (unsigned long)found.address - reinterpret_cast<unsigned long>(image));
	return 0;
}
