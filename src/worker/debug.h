/* debug.h - another process where a datum's user code is: to look around in. */
#pragma once

#include "worker/worker.h"

typedef struct WorkerDebug {
    const char *const *argv; /* NULL-terminated */
    const int *stdio;        /* [3], not owned */
    bool terminal;           /* stdio is a terminal, which becomes the process's own */
} WorkerDebug;

/* Runs a process in the place of a datum's: its inputs, environment, image, user, working folder and
 * limits but for time, and an empty /pfs/out, which stays in the worker's folder until that goes.
 * Errors: INVALID_ARGUMENT (the datum could not run either, with the reason), those of
 * worker_run_datum, CANCELLED. */
Status worker_debug(Ctx *ctx, Worker *worker, WorkerIo *io, const WorkerSpec *spec,
                    const WorkerDatum *datum, const WorkerDebug *debug,
                    SandboxExit *out) NODISCARD;

/* Where /pfs/out of the last datum is, on this machine. In ctx's arena. */
const char *worker_out_dir(Ctx *ctx, const Worker *worker);
