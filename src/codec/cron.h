/* cron.h - schedules: five fields, @daily and the like, @every <duration>, @never. Evaluated in
 * UTC. */
#pragma once

#include "base/ctx.h"

typedef struct Cron {
    enum { CRON_FIELDS, CRON_EVERY, CRON_NEVER } kind;
    uint64_t minutes, hours, days, months, weekdays; /* bit n: the value n is in */
    bool day_is_star, weekday_is_star;               /* with either, both day fields must agree */
    int64_t every_ns;                                /* whole seconds, at least one */
} Cron;

/* Errors: UNKNOWN, with the texts clients know: "Expected exactly 5 fields, found 6: …". */
Status cron_parse(Ctx *ctx, Str spec, Cron *out) NODISCARD;

/* The first time after `after_ns` (since the epoch); false when none comes within five years, or
 * ever. */
bool cron_next(const Cron *cron, int64_t after_ns, int64_t *out_ns);
