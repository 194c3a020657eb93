/* clock.c - see clock.h. */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t fixed_wall_ns;

static int64_t read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

int64_t clock_mono_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_deadline_ns(int64_t wait_ns)
{
    int64_t deadline_ns;
    return __builtin_add_overflow(clock_mono_ns(), wait_ns, &deadline_ns) ? INT64_MAX : deadline_ns;
}

int64_t clock_wall_ns(void)
{
    int64_t fixed = atomic_load_explicit(&fixed_wall_ns, memory_order_relaxed);
    return fixed ? fixed : read_clock(CLOCK_REALTIME);
}

void clock_set_wall(int64_t fixed_ns)
{
    atomic_store(&fixed_wall_ns, fixed_ns);
}
