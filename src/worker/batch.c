/* batch.c - one process for many datums, each asked for by a call (worker_batch_next).
 *
 *   process            a thread of the door's        the worker's thread
 *   call 1  ---------> posts it, waits  ---------->  wakes: the process is ready
 *                                                    places datum 1
 *   works   <--------- answers          <----------  hands over its environment
 *   call 2  ---------> posts it, waits  ---------->  wakes: datum 1 is done; uploads it
 *
 * After the last datum the call is not answered: the process is killed. One that fails is killed
 * too, and the next try begins with a new process. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/event.h"
#include "base/file.h"
#include "base/text.h"
#include "base/thread.h"
#include "worker/env.h"
#include "worker/folder.h"
#include "worker/run_priv.h"

/* --- the handing over ------------------------------------------------------------------------- */

struct WorkerBatch {
    int posted_fd; /* readable while a call was posted and not yet seen */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool called;            /* a call is inside; others wait */
    char *error;            /* what it said, on the heap */
    const char *const *env; /* the answer, of the worker's thread; NULL: not yet */
};

static void wake_all(void *arg)
{
    WorkerBatch *batch = arg;
    LOCKED(&batch->lock);
    pthread_cond_broadcast(&batch->changed);
}

static const char *const *copy_env(Ctx *ctx, const char *const *env)
{
    size_t n = 0;
    while (env[n])
        n++;
    const char **copy = arena_must(ctx->arena, (n + 1) * sizeof(*copy));
    for (size_t i = 0; i < n; i++)
        copy[i] = arena_strdup(ctx->arena, env[i]);
    copy[n] = NULL;
    return copy;
}

/* With the lock held. */
static Status call_locked(Ctx *ctx, WorkerBatch *batch, const char *error,
                          const char *const **out_env)
{
    while (batch->called && !cancel_is_set(ctx->cancel))
        pthread_cond_wait(&batch->changed, &batch->lock);
    TRY(ctx_check(ctx));
    batch->called = true;
    batch->env = NULL;
    free(batch->error);
    batch->error = strdup(error);
    eventfd_write(batch->posted_fd, 1);
    while (!batch->env && !cancel_is_set(ctx->cancel))
        pthread_cond_wait(&batch->changed, &batch->lock);
    if (batch->env)
        *out_env = copy_env(ctx, batch->env);
    Status s = batch->env ? OK : STATUS(CANCELLED);
    batch->called = false;
    batch->env = NULL;
    pthread_cond_broadcast(&batch->changed);
    return s;
}

Status worker_batch_next(Ctx *ctx, WorkerBatch *batch, const char *error,
                         const char *const **out_env)
{
    CancelHook hook = { .fn = wake_all, .arg = batch };
    if (ctx->cancel)
        cancel_hook(ctx->cancel, &hook);
    Status s;
    {
        LOCKED(&batch->lock);
        s = call_locked(ctx, batch, error, out_env);
    }
    if (ctx->cancel)
        cancel_unhook(ctx->cancel, &hook);
    return s;
}

static WorkerBatch *batch_new(void)
{
    WorkerBatch *batch = calloc(1, sizeof(*batch));
    if (!batch)
        abort();
    batch->posted_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&batch->lock, NULL);
    pthread_cond_init(&batch->changed, NULL);
    return batch;
}

/* No call may be inside. */
static WorkerBatch *batch_free(WorkerBatch *batch)
{
    if (batch) {
        fd_closep(&batch->posted_fd);
        pthread_cond_destroy(&batch->changed);
        pthread_mutex_destroy(&batch->lock);
        free(batch->error);
        free(batch);
    }
    return NULL;
}

/* What the call that woke us said, in ctx's arena. */
static const char *take_error(Ctx *ctx, WorkerBatch *batch)
{
    eventfd_t count;
    LOCKED(&batch->lock);
    eventfd_read(batch->posted_fd, &count);
    return arena_strdup(ctx->arena, batch->error ? batch->error : "");
}

/* env must stay until the next call came or the process is gone. */
static void answer(WorkerBatch *batch, const char *const *env)
{
    LOCKED(&batch->lock);
    batch->env = env;
    pthread_cond_broadcast(&batch->changed);
}

/* --- the process ------------------------------------------------------------------------------ */

typedef struct BatchRun {
    Run run;
    WorkerDoor *door;
    WorkerBatch *batch;      /* NULL: no process */
    WorkerSpec spec;         /* with the door's port */
    const char *const *base; /* the environment without a datum */
    SandboxRun process;
    unsigned starts;
} BatchRun;

/* Waits for a call; *out_reason tells why there is none and the process is gone. */
static Status wait_call(BatchRun *self, const char **out_error, const char **out_reason)
{
    Run *run = &self->run;
    int64_t timeout_ns = run->spec->timeout_ns;
    int64_t deadline_ns = timeout_ns > 0 ? clock_mono_ns() + timeout_ns : DEADLINE_NONE;
    SandboxEvent event;
    SandboxExit ended;
    const char *cause;
    *out_reason = NULL;
    TRY(run_wait(run, self->batch->posted_fd, deadline_ns, &event, &ended, &cause));
    if (event == SANDBOX_WOKEN) {
        *out_error = take_error(run->ctx, self->batch);
        return OK;
    }
    self->door->close(self->door);
    self->batch = batch_free(self->batch);
    const char *reason = run_judge(run, &ended, cause);
    *out_reason = text_printf(run->ctx->arena, "error running user code: %s",
                              reason ? reason : "user code exited prematurely");
    return OK;
}

/* Starts the process, and waits until it asks for its first datum. */
static Status start(BatchRun *self, const char **out_reason)
{
    Run *run = &self->run;
    Ctx *ctx = run->ctx;
    const char *ignored;
    WorkerBatch *batch = batch_new();
    Status s = self->door->open(self->door, ctx, batch, &self->spec.grpc_port);
    if (!status_ok(s)) {
        batch_free(batch);
        return s;
    }
    self->batch = batch;
    self->starts++;
    TRY(run_make_out(run));
    fd_closep(run->env_fd);
    run->out_is_empty = false;
    TRY(folder_remove(ctx, run->worker->pfs_fd, ".env")); /* of the datum before */
    self->base = env_build(ctx, &self->spec, NULL, run->user.home);
    run->env = self->base;
    self->process = run_process(run, run->spec->cmd, run->spec->stdin_lines);
    run_log(run, "beginning to run user code");
    TRY(run_start_process(run, &self->process));
    return wait_call(self, &ignored, out_reason);
}

static Status stop(BatchRun *self)
{
    if (!self->batch)
        return OK;
    SandboxEvent event;
    SandboxExit ended;
    sandbox_kill(self->run.sandbox);
    Status s = sandbox_wait(self->run.ctx, self->run.sandbox, -1, DEADLINE_NONE, &event, &ended);
    self->door->close(self->door);
    self->batch = batch_free(self->batch);
    return s;
}

/* After an error that is not the datum's: the process must not live on. */
static Status abandon(BatchRun *self, Status why)
{
    if (self->batch) {
        worker_drop_sandbox(self->run.worker, self->run.sandbox);
        self->door->close(self->door);
        self->batch = batch_free(self->batch);
    }
    return why;
}

/* --- datums ----------------------------------------------------------------------------------- */

static Status hand_over(BatchRun *self, Attempt *attempt)
{
    Run *run = &self->run;
    const char *error = "", *reason;
    int64_t start_ns = clock_mono_ns();
    if (run->io->started)
        run->io->started(run->io, run->datum);
    run->out_is_empty = false;
    answer(self->batch, run->env);
    TRY(wait_call(self, &error, &reason));
    attempt->stats.process_ns = clock_mono_ns() - start_ns;
    attempt->reason = reason ? reason : *error ? error : NULL;
    return OK;
}

static Status try_once(BatchRun *self, Attempt *attempt)
{
    Run *run = &self->run;
    *attempt = (Attempt){ 0 };
    if (!self->batch)
        TRY(start(self, &attempt->reason));
    run->env = env_build(run->ctx, &self->spec, run->datum, run->user.home);
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
    AUTO_FD env_fd = -1;
    BatchRun self = {
        .run = { .ctx = ctx, .worker = worker, .io = io, .result = &result, .env_fd = &env_fd },
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
