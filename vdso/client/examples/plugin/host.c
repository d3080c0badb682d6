/*
 * host PLUGIN: loads a plugin that faults and recovers, unloads it, and loads it again. The host
 * itself knows nothing of fixups, and has a handler of SIGSEGV of its own for what the plugin does
 * not catch.
 *
 *   cc -O2 vdso/client/examples/plugin/host.c -o host
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>

static sigjmp_buf recovery;

static void on_fault(int number)
{
	(void)number;
	siglongjmp(recovery, 1);
}

/* Reads where nothing is, as a host with a bug does; whether its own handler noticed. */
static int fault(void)
{
	const volatile char *volatile nothing = (const volatile char *)8;

	if (sigsetjmp(recovery, 1))
		return 1;
	(void)*nothing;
	return 0;
}

static int use(const char *path, int round)
{
	void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	long (*status)(void), (*divide)(unsigned int, unsigned int);
	int (*peek)(const void *);
	static const char there = 42;

	if (!plugin) {
		fprintf(stderr, "host: %s\n", dlerror());
		return 1;
	}
	status = (long (*)(void))dlsym(plugin, "plugin_status");
	peek = (int (*)(const void *))dlsym(plugin, "plugin_peek");
	divide = (long (*)(unsigned int, unsigned int))dlsym(plugin, "plugin_divide");
	if (!status || !peek || !divide)
		return 1;
	if (status()) {
		fprintf(stderr, "host: the plugin could not register its fixups: errno %ld; this image may have none, "
				"start this program with `cargo xtask run -- host ...`\n", -status());
		return 1;
	}
	printf("round %d: peek %d, peek nothing %d, 42 / 6 = %ld, 42 / 0 = %ld, own fault %s\n", round, peek(&there),
	       peek((const void *)8), divide(42, 6), divide(42, 0), fault() ? "seen" : "lost");
	dlclose(plugin);
	if (dlopen(path, RTLD_NOW | RTLD_NOLOAD)) {
		fprintf(stderr, "host: the plugin was not unloaded\n");
		return 1;
	}
	printf("round %d: unloaded, own fault %s\n", round, fault() ? "seen" : "lost");
	return 0;
}

int main(int count, char **arguments)
{
	struct sigaction action = {.sa_handler = on_fault};

	if (count != 2) {
		fprintf(stderr, "usage: host PLUGIN\n");
		return 2;
	}
	sigaction(SIGSEGV, &action, 0);
	return use(arguments[1], 1) || use(arguments[1], 2);
}
