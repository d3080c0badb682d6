/*
 * The kernel's log: whether a program made the kernel complain.
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include "ktap.h"

#include <fcntl.h>
#include <stdlib.h>

/* The log, from here on. */
__attribute__((unused)) static int open_log(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);

	if (log < 0 || lseek(log, 0, SEEK_END) < 0)
		die("/dev/kmsg");
	return log;
}

/*
 * Whether the kernel wrote no warning and reported no fault. A host with other work lets the
 * emulated processor stand still, which the kernel takes for a long interrupt and says so once.
 */
__attribute__((unused)) static void test_log(int log)
{
	unsigned long records = 0;
	char line[8192];
	ssize_t length;

	/*
	 * A record starts with its level; 4 is a warning. The kernel reports unhandled faults at a
	 * less severe one.
	 */
	for (;;) {
		length = read(log, line, sizeof(line) - 1);
		if (length < 0 && errno == EAGAIN)
			break;
		/* EPIPE: so many came that some were overwritten. */
		if (length < 0 && errno != EPIPE)
			die("reading /dev/kmsg");
		line[length < 0 ? 0 : length] = 0;
		if (strstr(line, ";hrtimer: interrupt took "))
			continue;
		if (length < 0 || (atoi(line) & 7) <= 4 || strstr(line, "segfault") || strstr(line, "traps:")) {
			note("%.200s", length < 0 ? "records were overwritten" : line);
			records++;
		}
	}
	test(!records, "the kernel's log stays empty");
}

#endif
