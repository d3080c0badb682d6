# A 32-bit program without a libc: exit(7).
.globl _start
_start:
	mov $1, %eax
	mov $7, %ebx
	int $0x80
