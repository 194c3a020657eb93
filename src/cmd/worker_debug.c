/* worker_debug.c - see worker_debug.h. */
#include "cmd/worker_debug.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/event.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "base/thread.h"
#include "cmd/terminal.h"
#include "cmd/worker_io.h"
#include "codec/pb.h"
#include "worker/debug.h"
#include "worker/work_spec.h"

#define COULD_NOT_RUN 125 /* as env, nice and docker have it */

typedef struct DebugArgs {
    const char *set_fd, *server, *scratch, *hide, *sandbox, *keep;
    char **command; /* ends in NULL */
} DebugArgs;

/* --- arguments -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t offset;
} options[] = {
    { "--server", offsetof(DebugArgs, server) },   { "--scratch", offsetof(DebugArgs, scratch) },
    { "--hide", offsetof(DebugArgs, hide) },       { "--keep", offsetof(DebugArgs, keep) },
    { "--sandbox", offsetof(DebugArgs, sandbox) },
};

static Status read_args(Ctx *ctx, char **argv, DebugArgs *out)
{
    *out = (DebugArgs){ .set_fd = *argv, .hide = "", .keep = "", .sandbox = "own" };
    for (char **arg = argv + (*argv != NULL); *arg; arg += 2) {
        if (strcmp(*arg, "--") == 0) {
            out->command = arg + 1;
            break;
        }
        size_t o = 0;
        while (o < ARRAY_LEN(options) && strcmp(options[o].name, *arg) != 0)
            o++;
        if (o == ARRAY_LEN(options) || !arg[1])
            return FAIL(ctx, INVALID_ARGUMENT, "unexpected argument '%s'", *arg);
        *(const char **)(void *)((char *)out + options[o].offset) = arg[1];
    }
    if (!out->set_fd || !out->server || !out->scratch || !out->command || !*out->command)
        return FAIL(ctx, INVALID_ARGUMENT, "--debug is for 'pcv debug datum'");
    return OK;
}

static Status read_set(Ctx *ctx, const DebugArgs *args, Procavia__Work__WorkSet **out)
{
    const char *path = text_printf(ctx->arena, "/proc/self/fd/%s", args->set_fd);
    CLEANUP(buf_done) Buf packed = { 0 };
    TRY(file_read_path(ctx, path, &packed));
    const void *kept = arena_memdup(ctx->arena, packed.data, packed.size);
    TRY(PB_UNPACK(ctx, procavia__work__work_set, bytes(kept, packed.size), out));
    return (*out)->n_datums == 1 ? OK : FAIL(ctx, INVALID_ARGUMENT, "not one datum to debug");
}

/* --- ending early ----------------------------------------------------------------------------- */

/* Signals that end us end the process first, so that nothing stays behind. */
typedef struct Ender {
    sigset_t signals;
    Cancel *cancel;
} Ender;

static void *wait_for_signal(void *arg)
{
    const Ender *ender = arg;
    int got;
    while (sigwait(&ender->signals, &got) != 0)
        continue;
    cancel_set(ender->cancel);
    return NULL;
}

static Status start_ender(Ctx *ctx, Ender *ender, pthread_t *out)
{
    sigemptyset(&ender->signals);
    sigaddset(&ender->signals, SIGINT);
    sigaddset(&ender->signals, SIGTERM);
    sigaddset(&ender->signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &ender->signals, NULL);
    ender->cancel = cancel_new();
    ctx->cancel = ender->cancel;
    return thread_start(ctx, "ender", wait_for_signal, ender, out);
}

static void stop_ender(Ctx *ctx, Ender *ender, pthread_t thread)
{
    if (thread) {
        pthread_kill(thread, SIGHUP);
        pthread_join(thread, NULL);
    }
    ctx->cancel = NULL;
    cancel_unref(ender->cancel);
}

/* --- running ---------------------------------------------------------------------------------- */

static Status run_command(Ctx *ctx, const DebugArgs *args, Worker *worker, WorkerIo *io,
                          const Procavia__Work__WorkSet *set, SandboxExit *out)
{
    const WorkerSpec spec = work_spec(ctx, "debug", set);
    const WorkerDatum datum = work_datum(ctx, set->datums[0]);
    CLEANUP(terminal_closep) Terminal *terminal = NULL;
    int stdio[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
    WorkerDebug debug = { .argv = (const char *const *)args->command, .stdio = stdio };
    if (isatty(STDIN_FILENO)) {
        TRY(terminal_open(ctx, &terminal));
        for (size_t i = 0; i < ARRAY_LEN(stdio); i++)
            stdio[i] = terminal_inner(terminal);
        debug.terminal = true;
    }
    return worker_debug(ctx, worker, io, &spec, &datum, &debug, out);
}

static Status keep_out(Ctx *ctx, const DebugArgs *args, const Worker *worker)
{
    if (!*args->keep)
        return OK;
    const char *out = worker_out_dir(ctx, worker);
    if (rename(out, args->keep) < 0)
        return status_errno(ctx, errno, "could not keep /pfs/out as '%s'", args->keep);
    return OK;
}

static Status run(Ctx *ctx, const DebugArgs *args, SandboxExit *out)
{
    Procavia__Work__WorkSet *set;
    TRY(read_set(ctx, args, &set));
    const char *hidden[] = { args->hide };
    const WorkerConfig config = { .dir = args->scratch,
                                  .hidden = hidden,
                                  .hidden_count = *args->hide != '\0',
                                  .runtime = strcmp(args->sandbox, "own") == 0 ? NULL
                                                                               : args->sandbox,
                                  .runtime_init = process_sibling(ctx, "pcv-init"),
                                  .tool = process_sibling(ctx, "pcv"),
                                  .level_max = SANDBOX_ROOT };
    CLEANUP(worker_closep) Worker *worker = NULL;
    TRY_WRAP(ctx, worker_open(ctx, &config, &worker), "could not open the worker's folder");
    ServerIo *io = server_io_new(args->server, NULL);
    Status s = run_command(ctx, args, worker, server_io_for(io, 0), set, out);
    server_io_free(io);
    TRY(s);
    return keep_out(ctx, args, worker);
}

static int exit_status_of(const SandboxExit *ended)
{
    if (ended->end == SANDBOX_EXITED)
        return ended->value;
    if (ended->end == SANDBOX_SIGNALED)
        return 128 + ended->value;
    fprintf(stderr, "pcv debug: %s\n", ended->text);
    return COULD_NOT_RUN;
}

int worker_debug_main(Ctx *ctx, char **argv)
{
    DebugArgs args;
    Ender ender = { .cancel = NULL };
    pthread_t thread = 0;
    SandboxExit ended = { .end = SANDBOX_NOT_STARTED, .text = "" };
    Status s = read_args(ctx, argv, &args);
    if (status_ok(s))
        s = start_ender(ctx, &ender, &thread);
    if (status_ok(s))
        s = run(ctx, &args, &ended);
    stop_ender(ctx, &ender, thread);
    if (status_ok(s))
        return exit_status_of(&ended);
    fprintf(stderr, "pcv debug: %s\n", status_message(s));
    return COULD_NOT_RUN;
}
