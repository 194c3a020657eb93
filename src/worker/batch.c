/* batch.c - one process for many datums, each asked for by a call.
 *
 *   process            the worker's thread
 *   call 1  ---------> waits for the process and its door: a call
 *                      places datum 1
 *   works   <--------- answers with its environment
 *   call 2  ---------> datum 1 is done; uploads it, places datum 2
 *
 * After the last datum the call is not answered: the process is killed. One that fails is killed
 * too, and the next try begins with a new process. */
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "worker/env.h"
#include "worker/folder.h"
#include "worker/run_priv.h"

/* --- the process ------------------------------------------------------------------------------ */

typedef struct BatchRun {
    Run run;
    WorkerDoor *door;
    RunWake wake; /* the door, while it is open: there is a process then */
    bool is_open;
    const char *said;        /* by the call that waits for an answer; NULL: none does */
    WorkerSpec spec;         /* with the door's port */
    const char *const *base; /* the environment without a datum */
    SandboxRun process;
    unsigned starts;
} BatchRun;

static bool is_asked(void *arg)
{
    BatchRun *self = arg;
    self->said = self->door->turn(self->door);
    return self->said != NULL;
}

static void close_door(BatchRun *self)
{
    self->door->close(self->door);
    self->is_open = false;
}

/* Waits for a call; *out_reason tells why there is none and the process is gone. */
static Status wait_call(BatchRun *self, const char **out_reason)
{
    Run *run = &self->run;
    int64_t timeout_ns = run->spec->timeout_ns;
    int64_t deadline_ns = timeout_ns > 0 ? clock_deadline_ns(timeout_ns) : DEADLINE_NONE;
    SandboxEvent event;
    SandboxExit ended;
    const char *cause;
    *out_reason = NULL;
    TRY(run_wait(run, &self->wake, deadline_ns, &event, &ended, &cause));
    if (event == SANDBOX_WOKEN)
        return OK;
    close_door(self);
    const char *reason = run_judge(run, &ended, cause);
    *out_reason =
        text_printf(run->ctx->arena, "error running user code: %s",
                    reason ? run_because(run, reason, cause) : "user code exited prematurely");
    return OK;
}

static void close_kept(RunKept *kept)
{
    fd_closep(&kept->env_fd);
    fd_closep(&kept->out_fd);
}

/* Starts the process, and waits until it asks for its first datum. */
static Status start(BatchRun *self, const char **out_reason)
{
    Run *run = &self->run;
    Ctx *ctx = run->ctx;
    self->wake = (RunWake){ .look = is_asked, .self = self };
    TRY(self->door->open(self->door, ctx, &self->spec.grpc_port, &self->wake.fd));
    self->is_open = true;
    self->starts++;
    TRY(run_make_out(run));
    close_kept(run->kept);
    run->out_is_empty = false;
    TRY(folder_remove(ctx, run->worker->pfs_fd, ".env")); /* of the datum before */
    self->base = env_base(ctx, &self->spec, run->user.home);
    run->env = self->base;
    self->process = run_process(run, run->spec->cmd, run->spec->stdin_lines);
    run_log(run, "beginning to run user code");
    TRY(run_start_process(run, &self->process));
    return wait_call(self, out_reason);
}

static Status stop(BatchRun *self)
{
    if (!self->is_open)
        return OK;
    SandboxEvent event;
    SandboxExit ended;
    sandbox_kill(self->run.sandbox);
    Status s = sandbox_wait(self->run.ctx, self->run.sandbox, -1, DEADLINE_NONE, &event, &ended);
    close_door(self);
    return s;
}

/* After an error that is not the datum's: the process must not live on. */
static Status abandon(BatchRun *self, Status why)
{
    if (self->is_open) {
        worker_drop_sandbox(self->run.worker, self->run.sandbox);
        close_door(self);
    }
    return why;
}

/* --- datums ----------------------------------------------------------------------------------- */

static Status hand_over(BatchRun *self, Attempt *attempt)
{
    Run *run = &self->run;
    const char *reason = NULL;
    int64_t start_ns = clock_mono_ns();
    if (run->io->started)
        run->io->started(run->io, run->datum);
    run->out_is_empty = false;
    while (!reason && !self->door->answer(self->door, run->env))
        TRY(wait_call(self, &reason)); /* for another */
    if (!reason)
        TRY(wait_call(self, &reason));
    attempt->stats.process_ns = clock_mono_ns() - start_ns;
    if (reason)
        attempt->reason = reason;
    else if (*self->said)
        attempt->reason = arena_strdup(run->ctx->arena, self->said);
    return OK;
}

static Status try_once(BatchRun *self, Attempt *attempt)
{
    Run *run = &self->run;
    *attempt = (Attempt){ 0 };
    if (!self->is_open)
        TRY(start(self, &attempt->reason));
    run->env = env_of_datum(run->ctx, self->base, run->datum);
    if (!attempt->reason) {
        CLEANUP(lazy_freep) Lazy *lazy = lazy_new(run->io);
        TRY(run_prepare(run, lazy, true, &attempt->stats));
        TRY(hand_over(self, attempt));
        TRY(lazy_stop(run->ctx, lazy, &attempt->stats.download_bytes));
    }
    TRY(run_upload(run, attempt));
    if (!attempt->reason)
        return OK;
    run_log(run, text_printf(run->ctx->arena, "errored running user code: %s", attempt->reason));
    TRY(stop(self));
    return run_handle_error(run, attempt);
}

static Status run_one(BatchRun *self, const WorkerDatum *datum, WorkerResult *result)
{
    bool was_recovered = false;
    Attempt attempt = { .reason = "" };
    *result = (WorkerResult){ .reason = "", .warning = "", .started_wall_ns = clock_wall_ns() };
    self->run.datum = datum;
    self->run.result = result;
    result->warning = sandbox_warnings(self->run.sandbox);
    while (attempt.reason && result->tries < MAX(self->run.spec->tries, 1)) {
        result->tries++;
        TRY(try_once(self, &attempt));
        was_recovered |= attempt.was_recovered;
    }
    run_conclude(&self->run, &attempt, was_recovered);
    return OK;
}

static Status open_sandboxes(Run *run)
{
    TRY(run_open_sandbox(run, 1, &run->resolver));
    TRY(run_open_sandbox(run, 0, &run->sandbox));
    if (sandbox_level(run->sandbox) == SANDBOX_NONE)
        return FAIL(run->ctx, FAILED_PRECONDITION,
                    "datum batching needs a sandbox, and this machine allows none");
    return OK;
}

static Status fail_all(Run *run, size_t n, WorkerDoneFn done, void *arg)
{
    run->result->started_wall_ns = run->result->finished_wall_ns = clock_wall_ns();
    for (size_t i = 0; i < n; i++)
        done(arg, i, run->result);
    return OK;
}

Status worker_run_batch(Ctx *ctx, Worker *worker, WorkerIo *io, const WorkerSpec *spec,
                        WorkerDoor *door, const WorkerDatum *datums, size_t n, WorkerDoneFn done,
                        void *arg)
{
    WorkerResult result = { .reason = "", .warning = "" };
    CLEANUP(close_kept) RunKept kept = { .env_fd = -1, .out_fd = -1 };
    BatchRun self = {
        .run = { .ctx = ctx, .worker = worker, .io = io, .result = &result, .kept = &kept },
        .door = door,
        .spec = *spec
    };
    self.run.spec = &self.spec;
    if (!n)
        return OK;
    self.run.datum = datums;
    if (!run_begin(&self.run)) {
        run_log_unable(&self.run);
        return fail_all(&self.run, n, done, arg);
    }
    TRY(open_sandboxes(&self.run));
    for (size_t i = 0; i < n; i++) {
        ArenaMark mark = arena_mark(ctx->arena);
        unsigned starts = self.starts;
        Status s = run_one(&self, &datums[i], &result);
        if (!status_ok(s))
            return abandon(&self, s);
        done(arg, i, &result);
        if (starts == self.starts) /* else what the process was started with is after the mark */
            arena_rewind(ctx->arena, mark);
    }
    return stop(&self);
}
