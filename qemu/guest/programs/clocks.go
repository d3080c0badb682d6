// An ordinary Go program that reads clocks through the runtime, each reading
// between two by the bare system call, and prints
//
//	clock NAME BEFORE READING AFTER
//
// in nanoseconds: the first reading that does not lie between the other two,
// or else the last one. The runtime's monotonic clock has no absolute value;
// what is bracketed there is the time between two readings.
package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"
)

const (
	rounds         = 500
	clockRealtime  = 0
	clockMonotonic = 1
)

// bare reads a clock by the syscall instruction: package syscall never uses the vDSO.
func bare(clock uintptr) int64 {
	var t syscall.Timespec
	_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&t)), 0)
	if errno != 0 {
		fmt.Fprintln(os.Stderr, "clocks: the system call clock_gettime:", errno)
		os.Exit(2)
	}
	return t.Nano()
}

func realtime() (before, reading, after int64) {
	before = bare(clockRealtime)
	reading = time.Now().UnixNano()
	after = bare(clockRealtime)
	return
}

func monotonic() (before, reading, after int64) {
	beforeFirst := bare(clockMonotonic)
	first := time.Now()
	afterFirst := bare(clockMonotonic)
	beforeSecond := bare(clockMonotonic)
	elapsed := time.Since(first)
	afterSecond := bare(clockMonotonic)
	return beforeSecond - afterFirst, elapsed.Nanoseconds(), afterSecond - beforeFirst
}

func main() {
	status := 0
	for _, clock := range []struct {
		name string
		read func() (before, reading, after int64)
	}{
		{"CLOCK_REALTIME", realtime},
		{"CLOCK_MONOTONIC", monotonic},
	} {
		for round := 0; round < rounds; round++ {
			before, reading, after := clock.read()
			bad := reading < before || reading > after
			if bad {
				status = 1
			}
			if bad || round == rounds-1 {
				fmt.Println("clock", clock.name, before, reading, after)
			}
			if bad {
				break
			}
		}
	}
	os.Exit(status)
}
