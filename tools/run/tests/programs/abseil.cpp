// Looks up names and addresses by abseil's parser, on which TCMalloc and Protocol Buffers rely.
// Standard input has lines of a name and of the offset and size that it must have; prints how many
// it found.

#include <absl/debugging/internal/vdso_support.h>

#include <cstdio>
#include <sys/auxv.h>

using absl::debugging_internal::VDSOSupport;

int main()
{
	const char *image = reinterpret_cast<const char *>(getauxval(AT_SYSINFO_EHDR));
	VDSOSupport vdso;
	VDSOSupport::SymbolInfo found, back;
	unsigned long offset, size;
	char name[128];
	int count = 0, all = 0;

	for (const auto &symbol : vdso)
		all += symbol.symbol != nullptr;
	for (; scanf("%127s %lx %lx", name, &offset, &size) == 3; count++) {
		const char *address = image + offset;

		if (!vdso.LookupSymbol(name, "LINUX_2.6", STT_FUNC, &found) || found.address != address ||
		    found.symbol->st_size != size || !vdso.LookupSymbolByAddress(address + size - 1, &back) ||
		    back.address != address) {
			printf("%s is not found as it is\n", name);
			return 1;
		}
	}
	if (vdso.LookupSymbol("__vdso_nonesuch", "LINUX_2.6", STT_FUNC, &found) || all < count) {
		puts("found what is not there, or too little");
		return 1;
	}
	printf("%d\n", count);
}
