/* env.h - the environment of user code: made from the spec and the datum, never from what the
 * worker was started with. */
#pragma once

#include "worker/worker.h"

/* "KEY=value" strings, NULL-terminated, each key once (the last one given wins). In ctx's arena. */

/* Without a datum: what a batch of datums is started with. */
const char *const *env_base(Ctx *ctx, const WorkerSpec *spec, const char *home);
/* And what a datum adds; both must stay. */
const char *const *env_of_datum(Ctx *ctx, const char *const *base, const WorkerDatum *datum);
/* Both; datum may be NULL. */
const char *const *env_build(Ctx *ctx, const WorkerSpec *spec, const WorkerDatum *datum,
                             const char *home);

/* As /pfs/.env has it: one line a variable. */
Str env_text(Ctx *ctx, const char *const *env);
