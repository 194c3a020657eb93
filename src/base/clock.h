/* clock.h - time. The monotonic clock for deadlines and durations, the wall clock for records.
 *
 * Tests may set a fixed wall clock (clock_set_wall); production never does.
 */
#pragma once

#include "base/base.h"

int64_t clock_mono_ns(void);
/* CLOCK_MONOTONIC when wait_ns have passed; INT64_MAX, which is never, for one beyond its end. */
int64_t clock_deadline_ns(int64_t wait_ns);
int64_t clock_wall_ns(void);           /* since the epoch, UTC */
void clock_set_wall(int64_t fixed_ns); /* 0: the real clock again */
