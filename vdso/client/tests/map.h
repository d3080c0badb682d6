/* Maps the image in a file over data pages of zeros, as the tests in Rust do. */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const void *map(const char *path)
{
	/* More data pages than any image has. */
	const long data = 16 * 4096;
	int file = open(path, O_RDONLY);
	struct stat status;
	char *place;

	if (file < 0 || fstat(file, &status)) {
		perror(path);
		exit(2);
	}
	place = (char *)mmap(0, data + status.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (place == MAP_FAILED || read(file, place + data, status.st_size) != status.st_size ||
	    mprotect(place + data, status.st_size, PROT_READ | PROT_EXEC)) {
		perror("cannot map the image");
		exit(2);
	}
	close(file);
	return place + data;
}
