/*
 * KTAP, as the programs that test exception fixups print it.
 */
#ifndef KTAP_H
#define KTAP_H

#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static unsigned tests, failures;

static void plan(unsigned count)
{
	printf("KTAP version 1\n1..%u\n", count);
	fflush(stdout);
}

__attribute__((format(printf, 2, 3), unused)) static void test(int passed, const char *format, ...)
{
	char name[256];
	va_list list;

	va_start(list, format);
	vsnprintf(name, sizeof(name), format, list);
	va_end(list);
	printf("%sok %u %s\n", passed ? "" : "not ", ++tests, name);
	failures += !passed;
	fflush(stdout);
}

__attribute__((format(printf, 2, 3), unused)) static void skip(const char *reason, const char *format, ...)
{
	char name[256];
	va_list list;

	va_start(list, format);
	vsnprintf(name, sizeof(name), format, list);
	va_end(list);
	printf("ok %u %s # SKIP %s\n", ++tests, name, reason);
	fflush(stdout);
}

__attribute__((format(printf, 1, 2), unused)) static void note(const char *format, ...)
{
	va_list list;

	printf("# ");
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	printf("\n");
	fflush(stdout);
}

__attribute__((format(printf, 1, 2), noreturn, unused)) static void die(const char *format, ...)
{
	va_list list;

	printf("# ");
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	printf(": %s\n", strerror(errno));
	fflush(stdout);
	_exit(2);
}

#endif
