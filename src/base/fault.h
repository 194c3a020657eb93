/* fault.h - fail the nth thing: a test arms a kind of fault, the nth call of that kind then fails.
 *
 * Production code asks fault_fires() where something outside may fail. While nothing is armed that
 * is one relaxed load. Armed state is per process; tests that arm run alone.
 */
#pragma once

#include "base/base.h"

typedef enum FaultKind {
    FAULT_ALLOC = 1 << 0, /* memory */
    FAULT_READ = 1 << 1,
    FAULT_WRITE = 1 << 2,
    FAULT_SYNC = 1 << 3,
    FAULT_RENAME = 1 << 4,
    FAULT_QUERY = 1 << 5, /* SQL */
    FAULT_NET = 1 << 6,
    FAULT_IO = FAULT_READ | FAULT_WRITE | FAULT_SYNC | FAULT_RENAME,
} FaultKind;

bool fault_fires(FaultKind kind); /* true: behave as if this call had failed */
void fault_pause(void);           /* this thread: no faults until fault_resume */
void fault_resume(void);

/* Arms: after `after` more calls of any of `kinds` the next one fails; with `forever` all later
 * ones too. */
void fault_arm(unsigned kinds, uint64_t after, bool forever);
uint64_t fault_disarm(void); /* how many faults fired since fault_arm */

/* A named point that tests can make the process die at, as a power cut would:
 * PCV_CRASH_AT=name[:nth]. */
void fault_crash_point(const char *name);

/* for (each n: once, then for good) body; ends when a run meets no fault.
 *   FAULT_SWEEP(fs, FAULT_IO) { ... assert_true(ok || fs.fired > 0); } */
typedef struct FaultSweep {
    uint64_t after;
    uint64_t fired; /* valid in the body after fault_sweep_stop, and at its end */
    bool forever;
    bool started;
} FaultSweep;
bool fault_sweep_next(FaultSweep *sweep, unsigned kinds);
uint64_t fault_sweep_stop(
    FaultSweep *sweep); /* disarm early, to check the outcome without faults */
#define FAULT_SWEEP(name, kinds) for (FaultSweep name = { 0 }; fault_sweep_next(&name, (kinds));)
