/*
 * probe NAMES: asks the loader that started this program for every name in the file, and for names
 * that are not there; asks the unwinder for every function. Prints what it was told, relative to
 * the image. Calls what it can.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

#ifdef __GLIBC__
struct dwarf_eh_bases {
	void *tbase, *dbase, *func;
};
const void *_Unwind_Find_FDE(void *pc, struct dwarf_eh_bases *bases);

static void ask_loader(char *base, FILE *names)
{
	char name[64];
	void *image = dlopen("linux-vdso.so.1", RTLD_LAZY | RTLD_NOLOAD);
	printf("image %s\n", image ? "found" : "not found");
	if (!image)
		return;
	while (fgets(name, sizeof(name), names)) {
		name[strcspn(name, "\n")] = 0;
		char *plain = dlsym(image, name), *versioned = dlvsym(image, name, "LINUX_2.6");
		printf("%s %ld %ld", name, plain ? plain - base : -1, versioned ? versioned - base : -1);
		struct dwarf_eh_bases bases = {0};
		const char *entry = plain ? _Unwind_Find_FDE(plain + 1, &bases) : NULL;
		printf(" entry %ld", entry ? entry - base : -1);
		Dl_info info = {0};
		printf(" is %s\n", plain && dladdr(plain, &info) && info.dli_sname ? "named" : "nameless");
	}
	long (*getpid_entry)(void) = (long (*)(void))dlsym(image, "__vdso_getpid");
	printf("getpid %s\n", getpid_entry && getpid_entry() == getpid() ? "right" : "wrong");
}
#else
static void ask_loader(char *base, FILE *names)
{
	(void)base, (void)names;
}
#endif

int main(int argc, char **argv)
{
	FILE *names = argc > 1 ? fopen(argv[1], "r") : NULL;
	char *base = (char *)getauxval(AT_SYSINFO_EHDR);
	if (!names || !base)
		return 98;
	ask_loader(base, names);
	struct timespec now = {0}, later = {0};
	int failed = clock_gettime(CLOCK_MONOTONIC, &now) || clock_gettime(CLOCK_MONOTONIC, &later);
	printf("clock %s\n", !failed && now.tv_sec > 0 && later.tv_sec >= now.tv_sec ? "goes" : "stands");
	return 0;
}
