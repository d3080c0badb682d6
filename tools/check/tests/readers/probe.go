// Go's runtime reads the vDSO before main, and takes its clocks from there.
package main

import (
	"fmt"
	"time"
)

func main() {
	start := time.Now()
	if time.Since(start) >= 0 && start.Year() > 2000 {
		fmt.Println("clock goes")
	}
}
