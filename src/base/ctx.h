/* ctx.h - what one request, one job step or one CLI run carries through every call: memory,
 * deadline, cancellation, log fields. It belongs to one thread at a time. */
#pragma once

#include "base/arena.h"
#include "base/status.h"

typedef struct Cancel Cancel;     /* base/event.h */
typedef struct LogScope LogScope; /* base/log.h */

typedef struct Ctx {
    Arena *arena;
    int64_t deadline_ns; /* CLOCK_MONOTONIC; INT64_MAX is none */
    Cancel *cancel;      /* may be NULL; set by whoever no longer wants the answer */
    const LogScope *log; /* fields that every line of this request carries; may be NULL */
    const char *user;    /* who asks, "" when nobody is known; never NULL after ctx_init */
} Ctx;

#define DEADLINE_NONE INT64_MAX

/* A ctx with an arena of its own: CLEANUP(ctx_done) Ctx ctx; ctx_init(&ctx); */
void ctx_init(Ctx *ctx);
void ctx_done(Ctx *ctx);

/* The same request with an arena of its own, for a call whose callbacks keep things in the caller's:
 * streams rewind the arena they are given after each item. A status that leaves is copied
 * (status_copy). */
void ctx_scratch(Ctx *ctx, const Ctx *of);

/* OK, CANCELLED or DEADLINE_EXCEEDED: for loops that may run long. */
Status ctx_check(Ctx *ctx);
