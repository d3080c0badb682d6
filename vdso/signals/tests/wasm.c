/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A library that runs WebAssembly in Wasmtime, whose compiled code has no file and whose traps are
 * signals that it handles. Declared here is what it uses of the API that engines share (wasm.h).
 */
#include <signal.h>
#include <stddef.h>

void host_note(const char *name, int signal, siginfo_t *info, void *context);

struct vector {
	size_t size;
	void *data;
};

void *wasm_engine_new(void);
void *wasm_store_new(void *engine);
void *wasm_module_new(void *store, const struct vector *binary);
void *wasm_instance_new(void *store, const void *module, const struct vector *imports, void **trap);
void wasm_instance_exports(const void *instance, struct vector *exports);
void *wasm_extern_as_func(void *external);
void *wasm_func_call(const void *function, const struct vector *arguments, struct vector *results);
void wasm_trap_delete(void *trap);

/*
 * (module (memory 1)
 *  (func (export "f") (drop (i32.load (i32.const 0x7fffffff))))
 *  (func (export "g") (call 1)))
 */
static const unsigned char code[] = {
	0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, /* magic, version */
	0x01, 0x04, 0x01, 0x60, 0x00, 0x00,		/* type */
	0x03, 0x03, 0x02, 0x00, 0x00,			/* functions */
	0x05, 0x03, 0x01, 0x00, 0x01,			/* memory */
	0x07, 0x09, 0x02, 0x01, 0x66, 0x00, 0x00, 0x01, 0x67, 0x00, 0x01, /* exports */
	0x0a, 0x13, 0x02,				/* code */
	0x0c, 0x00, 0x41, 0xff, 0xff, 0xff, 0xff, 0x07, 0x28, 0x02, 0x00, 0x1a, 0x0b,
	0x04, 0x00, 0x10, 0x01, 0x0b,
};

static struct vector exports;

/* Wasmtime installs its handlers. */
void start(void)
{
	struct vector binary = { sizeof(code), (void *)code }, none = { 0, NULL };
	void *store = wasm_store_new(wasm_engine_new()), *trap = NULL;
	void *module = wasm_module_new(store, &binary);
	void *instance = module ? wasm_instance_new(store, module, &none, &trap) : NULL;

	if (instance)
		wasm_instance_exports(instance, &exports);
}

/* Calls an export, and notes that Wasmtime reports a trap. */
static void call(size_t index)
{
	struct vector none = { 0, NULL };
	void *trap = NULL;

	if (index < exports.size)
		trap = wasm_func_call(wasm_extern_as_func(((void **)exports.data)[index]), &none, &none);
	if (trap) {
		host_note("wasm", 0, NULL, NULL);
		wasm_trap_delete(trap);
	}
}

/* A load outside of the memory. */
void fault(void)
{
	call(0);
}

/* A function that calls itself. */
void overflow(void)
{
	call(1);
}
