// SPDX-License-Identifier: GPL-2.0-only OR MIT

// A Go library whose runtime turns a fault into a panic, which it recovers from. Its functions have the names
// that host.c looks up.
package main

/*
#include <signal.h>
void host_note(const char *name, int signal, siginfo_t *info, void *context);
*/
import "C"

var none *int

// The runtime installs its handlers on a thread of its own; a call waits for that.
//
//export start
func start() {}

//export install
func install(signal, flags, careful C.int) {}

//export fault
func fault() {
	defer func() {
		if recover() != nil {
			C.host_note(C.CString("go"), 0, nil, nil)
		}
	}()
	*none = 1
}

func main() {}
