// Go: prints what the runtime resolved before main.
package main

import _ "unsafe"

//go:linkname gettimeofday runtime.vdsoGettimeofdaySym
var gettimeofday uintptr

//go:linkname clockGettime runtime.vdsoClockgettimeSym
var clockGettime uintptr

// Where launch.c puts the image.
const place = 0x200000000000

func show(name string, address uintptr) {
	if address == 0 {
		return
	}
	const digits = "0123456789abcdef"
	number := [16]byte{}
	for at, left := 15, uint64(address)-place; at >= 0; at, left = at-1, left>>4 {
		number[at] = digits[left&15]
	}
	print(name, " ", string(number[:]), "\n")
}

func main() {
	show("__vdso_gettimeofday", gettimeofday)
	show("__vdso_clock_gettime", clockGettime)
}
