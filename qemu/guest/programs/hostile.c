/*
 * Attaches areas that no honest writer makes.
 *
 * Whatever is in an area or a table, a fault ends in the text that was registered or in a signal;
 * the kernel's log stays empty, nothing hangs, and other processes continue. The first argument
 * says for how many seconds each kind of random areas is tried, the second for how many
 * microseconds an attempt may go round.
 */
#include "attempts.h"

#include <pthread.h>

static __thread uint64_t state = 0x9e3779b97f4a7c15;

static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t nasty(void)
{
	static const uint64_t values[] = {
		0, 1, 2, 3, 4095, 4096, 65535, 65536, 65537, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
		0x7fffffffefff, 0x7ffffffff000, 0x7fffffffffff, 0x800000000000, 0x8000000000000000, 0xffff800000000000,
		0xffff888000000000, 0xffffffff81000000, 0xffffffffff600000, 0xfffffffffffff000, 0xffffffffffffffff,
	};

	switch (random64() % 6) {
	case 0:
		return random64();
	case 1:
		return (uint64_t)text + random64() % (2 * TEXT) - TEXT / 2;
	case 2:
		return (uint64_t)table_page + random64() % 12288 - 4096;
	default:
		return values[random64() % (sizeof(values) / sizeof(*values))];
	}
}

/* Runs `change` and a fault again and again, until both outcomes were seen. */
static void try_often(const char *name, void (*change)(void))
{
	double end = now() + seconds;
	unsigned long rounds = 0;

	landed = signalled = cut_short = 0;
	do {
		restore();
		change();
		fault();
		rounds++;
		if (rounds % 1024 == 0)
			show_life();
	} while (now() < end || !landed || !signalled);
	note("%s: %lu areas, %lu landed, %lu signals, %lu cut short", name, rounds, landed, signalled, cut_short);
}

/* The same, and the good area must work afterwards. */
static void random_test(const char *name, void (*change)(void))
{
	try_often(name, change);
	restore();
	test(fault_to_its_end() == LANDED, "%s", name);
}

static void change_header(void)
{
	for (unsigned n = 1 + random64() % 3; n; n--)
		((uint64_t *)area)[random64() % 16] = nasty();
}

/* A word of the only chunk, which follows a directory of one range. */
#define CHUNK(word) \
	((uint64_t *)area)[(sizeof(struct vdso_fixup_area) + 2 * sizeof(struct vdso_fixup_range)) / 8 + (word)]

static void change_rows(void)
{
	uint64_t *words = (uint64_t *)area;

	for (unsigned n = 1 + random64() % 4; n; n--)
		words[16 + random64() % (area_bytes / 8 - 16)] = nasty();
	if (random64() % 2)
		words[4 + 2 * (random64() % 2)] = random64() % (CAPACITY + 1) | (random64() % 3) << VDSO_FIXUP_CHUNKS_SHIFT;
	if (random64() % 2)
		CHUNK(0) ^= random64() % (1 << (VDSO_FIXUP_FILL_STAMP_SHIFT + 2));
}

static void change_bits(void)
{
	for (unsigned n = 1 + random64() % 4; n; n--)
		area[random64() % area_bytes] ^= 1 << random64() % 8;
}

static void change_table(void)
{
	for (unsigned n = 1 + random64() % 4; n; n--)
		((uint32_t *)table)[random64() % (ENTRIES * 4)] = nasty();
}

static void change_all(void)
{
	for (unsigned i = 0; i < area_bytes / 8; i++)
		if (random64() % 4 == 0)
			((uint64_t *)area)[i] = nasty();
	((uint64_t *)area)[0] = ((uint64_t *)good_area)[0];
	change_table();
	if (random64() % 2)
		restore();
}

/* A cell of row 0 of the side that was written last: start, table, sizes. */
#define ROW(column) CHUNK(8 + 8 * (CHUNK(0) >> VDSO_FIXUP_FILL_SIDE_SHIFT & 1) + 2 * (column))

/* Tables at the edges of what can be read. */
static void edges(void)
{
	static const uint64_t places[] = {
		0, 8, 0x7fffffffeff0, 0x7fffffffeff8, 0x7ffffffff000, 0x7ffffffffff0, 0x7ffffffffff8, 0x800000000000,
		0xffff800000000000, 0xffff888000000000, 0xffffffff81000000, 0xfffffffffffffff0, 0xfffffffffffffff8,
	};
	static const uint64_t counts[] = { 0, 1, 2, 4096, 0x7fffffff, 0x80000000, 0xffffffff };
	unsigned wrong = 0;

	for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++) {
		for (unsigned j = 0; j < sizeof(counts) / sizeof(*counts); j++) {
			restore();
			ROW(1) = places[i];
			ROW(2) = TEXT | counts[j] << 32;
			wrong += fault_to_its_end() != SIGNALLED;
		}
	}
	restore();
	test(!wrong, "tables outside what can be read");
}

static void state_file(void)
{
	static const char *const words[] = {
		"area", "text", "0", "1000", "7fffffffefff", "ffffffffffffffff", "ffff888000000000", "-1", "0x10", " ", "\n",
		"\t", "area 0 0", "\n\n", "", "g", "10000000000000000", "text 0 ffffffffffffffff\n", "%s",
	};
	double end = now() + seconds;
	unsigned long rounds = 0, accepted = 0, strange = 0;
	int file = open("/proc/self/vdso_fixup", O_RDWR);
	char line[256], before[4096], after[4096];
	ssize_t length;

	length = pread(file, before, sizeof(before) - 1, 0);
	if (length <= 0)
		die("reading /proc/self/vdso_fixup");
	before[length] = 0;
	do {
		line[0] = 0;
		for (unsigned n = random64() % 8; n; n--)
			strcat(strcat(line, words[random64() % (sizeof(words) / sizeof(*words))]), random64() % 2 ? " " : "");
		if (random64() % 2)
			strcat(line, "\n");
		errno = 0;
		if (write(file, line, random64() % 16 ? strlen(line) : random64() % sizeof(line)) >= 0)
			accepted++;
		else if (errno != EINVAL && errno != EFAULT && errno != ENOMEM && errno != EBUSY)
			strange++;
		rounds++;
		if (rounds % 1024 == 0)
			show_life();
	} while (now() < end);
	note("/proc/self/vdso_fixup: %lu writes, %lu accepted, %lu strange errors", rounds, accepted, strange);
	write(file, "area 0 0\n", 9);
	test(write(file, before, length) == length && pread(file, after, sizeof(after), 0) >= length &&
	     !memcmp(before, after, strchr(before, '\n') - before) && !strange, "/proc/self/vdso_fixup");
	close(file);
}

/* ---- An area of several chunks ---- */

#define MANY (2 * VDSO_FIXUP_CHUNK_ROWS)

/* Attaches an area of several chunks. The first or the last of them has the text. */
static void attach_many(void)
{
	struct vdso_fixup_entry *tables = map(MANY * sizeof(*tables), PROT_READ | PROT_WRITE);
	char *texts = map(MANY * 16, PROT_READ | PROT_EXEC);
	struct vdso_fixup_dso dso = { (uintptr_t)text, TEXT, (uintptr_t)table, ENTRIES };
	long ret;

	vdso.attach(NULL, 0);
	area = new_area(MANY, &area_bytes);
	if (area_bytes > sizeof(good_area))
		die("an area for %lu DSOs has %lu bytes", (unsigned long)MANY, area_bytes);
	ret = vdso.reg(area, &dso);
	for (int i = 0; !ret && i < MANY - 1; i++) {
		set_entry(&tables[i], texts + 16 * i, 3, texts + 16 * i + 8, 0);
		dso = (struct vdso_fixup_dso){ (uintptr_t)texts + 16 * i, 16, (uintptr_t)&tables[i], 1 };
		ret = vdso.reg(area, &dso);
	}
	if (!ret)
		ret = vdso.attach(area, area_bytes);
	if (ret)
		die("register or attach is %ld", ret);
	memcpy(good_area, area, area_bytes);
}

/* The counts of the generation that is in use. */
static uint64_t *counts(void)
{
	struct vdso_fixup_area *head = (void *)area;

	return &head->counts[head->current_generation & 1].value;
}

/* How many chunks the good area has, and where one of the first ones is. */
static unsigned chunks(void)
{
	struct vdso_fixup_area *head = (void *)good_area;

	return head->counts[head->current_generation & 1].value << 1 >> (VDSO_FIXUP_CHUNKS_SHIFT + 1);
}

static uint64_t place_of_chunk(void)
{
	return area_bytes - (MANY / VDSO_FIXUP_SLOT_ROWS + 1 - random64() % chunks()) * VDSO_FIXUP_CHUNK_SIZE;
}

/* Ranges out of order, with the same chunk or one behind the end, and too many of them. */
static void change_directory(void)
{
	struct vdso_fixup_range *range = (void *)(area + VDSO_FIXUP_HEADER_SIZE);

	for (unsigned n = 1 + random64() % 3; n; n--) {
		/* Both sides. */
		unsigned index = random64() % (2 * chunks());

		switch (random64() % 6) {
		case 0:
			range[index].first.value = nasty();
			break;
		case 1:
			range[index].chunk.value = place_of_chunk();
			break;
		case 2:
			range[index].chunk.value = area_bytes - random64() % 8192;
			break;
		case 3:
			range[index].chunk.value = nasty();
			break;
		case 4:
			*counts() = nasty() % 65537 | nasty() << VDSO_FIXUP_CHUNKS_SHIFT;
			break;
		default:
			*(uint64_t *)(area + place_of_chunk()) ^= random64() % (1 << (VDSO_FIXUP_FILL_STAMP_SHIFT + 2));
		}
	}
}

static volatile int is_over;

/* Changes the area while the kernel reads it. */
static void *changer(void *unused)
{
	state = 0x2545f4914f6cdd1d;
	while (!is_over) {
		if (random64() % 4)
			change_directory();
		else
			change_header();
		restore();
	}
	return unused;
}

static void leave(void)
{
}

/* What the kernel has checked is no longer there when it reads on. */
static void change_meanwhile(void)
{
	static const char name[] = "directories that change while the kernel reads";
	sigset_t all, before;
	pthread_t other_thread;

	/* Its signals are for this thread alone. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&other_thread, NULL, changer, NULL))
		die("pthread_create");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	try_often(name, leave);
	is_over = 1;
	pthread_join(other_thread, NULL);
	restore();
	test(fault_to_its_end() == LANDED, "%s", name);
}

int main(int count, char **arguments)
{
	begin(count, arguments, 11);
	random_test("headers", change_header);
	random_test("rows", change_rows);
	random_test("bits", change_bits);
	random_test("tables", change_table);
	random_test("everything", change_all);
	edges();
	state_file();
	attach_many();
	random_test("directories", change_directory);
	change_meanwhile();
	test_what_was_watched();
	return failures != 0;
}
