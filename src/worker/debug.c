/* debug.c - see debug.h. */
#include "worker/debug.h"

#include "base/text.h"
#include "worker/env.h"
#include "worker/run_priv.h"

static Status run_process_of(Run *run, const WorkerDebug *debug, SandboxExit *out)
{
    SandboxRun process = run_process(run, debug->argv, NULL);
    process.stdio = debug->stdio;
    process.terminal = debug->terminal;
    process.mask = NULL; /* who looks around may see what the code sees */
    TRY(run_start_process(run, &process));
    SandboxEvent event;
    return sandbox_wait(run->ctx, run->sandbox, -1, DEADLINE_NONE, &event, out);
}

static Status run_prepared(Run *run, const WorkerDebug *debug, SandboxExit *out)
{
    CLEANUP(lazy_freep) Lazy *lazy = lazy_new(run->io);
    WorkerStats stats;
    uint64_t read_bytes;
    TRY(run_prepare(run, lazy, false, &stats));
    TRY(run_process_of(run, debug, out));
    return lazy_stop(run->ctx, lazy, &read_bytes);
}

Status worker_debug(Ctx *ctx, Worker *worker, WorkerIo *io, const WorkerSpec *spec,
                    const WorkerDatum *datum, const WorkerDebug *debug, SandboxExit *out)
{
    WorkerResult result = { .reason = "", .warning = "" };
    Run run = {
        .ctx = ctx, .worker = worker, .io = io, .spec = spec, .datum = datum, .result = &result
    };
    if (!run_begin(&run))
        return FAIL(ctx, INVALID_ARGUMENT, "%s", result.reason);
    TRY(run_open_sandbox(&run, 0, &run.sandbox));
    run.env = env_build(ctx, spec, datum, run.user.home);
    return run_prepared(&run, debug, out);
}

const char *worker_out_dir(Ctx *ctx, const Worker *worker)
{
    return text_printf(ctx->arena, "%s/out", worker->pfs_dir);
}
