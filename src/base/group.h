/* group.h - group commit: one caller does the slow work for everyone who waits.
 *
 * Callers want some position (of a log, of a file) to be covered. The first to find nobody at work
 * runs the work, which covers all that was there when it began; the others sleep. Who came too late
 * for one run shares the next, so N callers cost a few runs, not N.
 */
#pragma once

#include "base/thread.h"

typedef struct Group {
    pthread_mutex_t lock;
    pthread_cond_t turn; /* a run ended */
    uint64_t covered;    /* all below is done */
    uint64_t runs;
    bool running;
    StatusCode failed; /* of the run that failed; STATUS_OK: none did */
    char *failure;     /* its message */
} Group;

void group_init(Group *group);
void group_done(Group *group); /* nobody may be waiting */

/* Does the work for every position up to *out_covered, which it reads before it begins. */
typedef Status (*GroupWork)(void *self, Ctx *ctx, uint64_t *out_covered);

/* Returns when `target` is covered. A run that fails fails all who waited for it and all who come
 * later: after a failed fdatasync nobody can know what reached the disk, and trying again would
 * lie. Neither deadline nor cancellation cuts the wait short. Any thread. */
Status group_reach(Ctx *ctx, Group *group, uint64_t target, GroupWork work, void *self) NODISCARD;

/* The lasting failure, or OK. */
Status group_health(Ctx *ctx, Group *group);
/* Makes all later calls fail with this status, unless one failed before. */
void group_poison(Group *group, Status why);
uint64_t group_runs(Group *group);
