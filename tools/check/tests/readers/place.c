/*
 * Maps an image at a fixed address, with unmapped pages around, so that a wrong address faults. In
 * place of the kernel's data pages there are zeros below: a clock of mode 0, so that functions make
 * their system call.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096ul
#define DATA (16 * PAGE)
#define PLACE 0x200000000000ul

void *place_image(const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &status)) {
		perror(path);
		exit(99);
	}
	size_t mapped = (status.st_size + PAGE - 1) & -PAGE;
	char *place = mmap((char *)PLACE - DATA, DATA + mapped, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (place == MAP_FAILED || read(fd, place + DATA, status.st_size) != status.st_size ||
	    mprotect(place, DATA, PROT_READ) || mprotect(place + DATA, mapped, PROT_READ | PROT_EXEC)) {
		perror("cannot map the image");
		exit(99);
	}
	close(fd);
	return place + DATA;
}
