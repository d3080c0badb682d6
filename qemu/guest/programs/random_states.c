/*
 * Restores states that were never saved: cut, with a byte changed, made of random words.
 *
 * Each is refused with an error that is documented, and the kernel holds what it held; or it is
 * taken, because it says the same in other words.
 */
#include "saved_state.h"

#define RANDOM_STATES 300000

static void truncated(void)
{
	char longer[4096];
	int good = 1;

	for (int len = 0; len < STATE; len++)
		good &= restore(&state, len) == -EINVAL && restore(NULL, len) == -EINVAL;
	test(good && consults(area, area_size), "a state that was cut is EINVAL");
	memset(longer, 0xff, sizeof(longer));
	memcpy(longer, &state, STATE);
	test(!restore(longer, sizeof(longer)) && consults(area, area_size), "what follows a state is not looked at");
}

static int is_documented(long error)
{
	return error == -EINVAL || error == -EFAULT || error == -EBUSY;
}

/* Each byte with each other value, with the area attached or not. */
static void corrupted(int attached)
{
	unsigned accepted = 0, wrong = 0;

	for (int i = 0; i < STATE; i++) {
		for (int flip = 1; flip < 256; flip++) {
			struct saved changed = state;
			long ret;

			((unsigned char *)&changed)[i] ^= flip;
			if (!attached)
				vdso.attach(NULL, 0);
			ret = restore(&changed, STATE);
			if (!ret && i >= 24 && changed.area_size >= area_size) {
				/*
				 * The area, in more memory than it needs: the kernel reports the
				 * size that it was given.
				 */
				accepted++;
				wrong += !consults(area, attached ? area_size : changed.area_size);
			} else {
				wrong += (i < 16 ? ret != -EINVAL : !is_documented(ret)) ||
					 !consults(attached ? area : NULL, area_size);
			}
		}
	}
	vdso.attach(area, area_size);
	note("%u of %u accepted, of an area in more memory", accepted, STATE * 255);
	test(!wrong && accepted < 8 * 255 && hits(), "each byte changed, %s", attached ? "attached" : "not attached");
}

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint64_t nasty(void)
{
	const uint64_t values[] = {
		0, 1, 64, 128, 255, 256, 4096, 0x7fffffff, 0xffffffff, 0x7ffffffff000, 0x7fffffffffc0, 0x8000000000000000,
		0xffff888000000000, 0xffffffffffffffc0, 0xffffffffffffffff, (uintptr_t)area, (uintptr_t)area + 64,
		(uintptr_t)other_area, (uintptr_t)texts[0], (uintptr_t)tables, area_size, other_size, STATE, (uintptr_t)&seed,
	};

	return random64() % 4 ? values[random64() % (sizeof(values) / sizeof(*values))] : random64();
}

/*
 * With the area attached all the time; a state without one would detach it, and is what was asked
 * for.
 */
static void random_states(void)
{
	unsigned long accepted = 0, wrong = 0, refused[3] = {};
	char before[4096];

	strcpy(before, held());
	for (unsigned long i = 0; i < RANDOM_STATES; i++) {
		struct saved random = { state.magic, STATE, nasty(), nasty() };
		long ret;

		if (random64() % 8 == 0)
			random.magic = nasty();
		if (random64() % 8 == 0)
			random.size = nasty();
		if (random64() % 8 == 0)
			((unsigned char *)&random)[random64() % STATE] ^= 1 << random64() % 8;
		if (!random.area && !random.area_size)
			continue;
		ret = restore(&random, STATE);
		if (!ret) {
			accepted++;
			wrong += random.area != (uintptr_t)area || random.magic != state.magic || random.size != STATE;
		} else {
			wrong += !is_documented(ret);
			refused[ret == -EFAULT ? 1 : ret == -EBUSY ? 2 : 0]++;
		}
		wrong += !consults(area, area_size);
		if (i % 4096 == 0)
			wrong += strcmp(before, held()) != 0;
	}
	note("%lu accepted, %lu EINVAL, %lu EFAULT, %lu EBUSY", accepted, refused[0], refused[1], refused[2]);
	test(!wrong && accepted && refused[0] && refused[1] && refused[2] && !strcmp(before, held()) && hits(),
	     "%d random states", RANDOM_STATES);
}

int main(void)
{
	begin(1 + 2 + 2 + 1 + 1);
	save_area();
	truncated();
	corrupted(1);
	corrupted(0);
	random_states();
	test_log(kernel_log);
	return failures != 0;
}
