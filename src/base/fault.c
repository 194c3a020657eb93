/* fault.c - see fault.h. The countdown is one atomic; pauses are a thread-local depth. */
#include "base/fault.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic unsigned armed_kinds;
static _Atomic int64_t countdown;
static _Atomic bool fire_forever;
static _Atomic uint64_t fired_count;
static _Thread_local int pause_depth;

bool fault_fires(FaultKind kind)
{
    unsigned kinds = atomic_load_explicit(&armed_kinds, memory_order_relaxed);
    if (!(kinds & (unsigned)kind) || pause_depth > 0)
        return false;
    int64_t left = atomic_fetch_sub(&countdown, 1);
    if (left > 0 || (left < 0 && !atomic_load(&fire_forever)))
        return false;
    atomic_fetch_add(&fired_count, 1);
    return true;
}

void fault_pause(void)
{
    pause_depth++;
}

void fault_resume(void)
{
    pause_depth--;
}

void fault_arm(unsigned kinds, uint64_t after, bool forever)
{
    atomic_store(&countdown, (int64_t)after);
    atomic_store(&fire_forever, forever);
    atomic_store(&fired_count, 0);
    atomic_store(&armed_kinds, kinds);
}

uint64_t fault_disarm(void)
{
    atomic_store(&armed_kinds, 0);
    return atomic_load(&fired_count);
}

/* The sweep runs once-faults for n = 0, 1, 2 … until none fires, then the same with lasting
 * faults. */
bool fault_sweep_next(FaultSweep *sweep, unsigned kinds)
{
    if (sweep->started) {
        sweep->fired += fault_disarm();
        bool clean_run = sweep->fired == 0;
        if (clean_run && sweep->forever)
            return false;
        sweep->after = clean_run ? 0 : sweep->after + 1;
        sweep->forever = sweep->forever || clean_run;
    }
    sweep->started = true;
    sweep->fired = 0;
    fault_arm(kinds, sweep->after, sweep->forever);
    return true;
}

uint64_t fault_sweep_stop(FaultSweep *sweep)
{
    sweep->fired += fault_disarm();
    fault_arm(0, 0, false);
    return sweep->fired;
}

void fault_crash_point(const char *name)
{
    static _Atomic int64_t passes;
    const char *wanted = getenv("PCV_CRASH_AT");
    if (!wanted)
        return;
    const char *colon = strchr(wanted, ':');
    size_t name_size = colon ? (size_t)(colon - wanted) : strlen(wanted);
    if (strlen(name) != name_size || strncmp(wanted, name, name_size) != 0)
        return;
    int64_t nth = colon ? strtoll(colon + 1, NULL, 10) : 1;
    if (atomic_fetch_add(&passes, 1) + 1 == nth)
        kill(getpid(), SIGKILL);
}
