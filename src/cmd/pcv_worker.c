/* pcv_worker.c - the worker's program: joins its server, runs the datum sets it is handed, reports.
 * Started by an engine. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "cmd/worker_debug.h"
#include "cmd/worker_door.h"
#include "worker/work_spec.h"
#include "cmd/worker_io.h"
#include "codec/pb.h"
#include "codec/pbtime.h"

typedef struct WorkerArgs {
    const char *server, *id, *scratch, *hide, *sandbox;
    bool require_sandbox;
    char token[129];
} WorkerArgs;

/* --- arguments -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t offset;
} options[] = {
    { "--server", offsetof(WorkerArgs, server) },   { "--id", offsetof(WorkerArgs, id) },
    { "--scratch", offsetof(WorkerArgs, scratch) }, { "--hide", offsetof(WorkerArgs, hide) },
    { "--sandbox", offsetof(WorkerArgs, sandbox) },
};

static Status read_args(Ctx *ctx, int argc, char **argv, WorkerArgs *out)
{
    *out = (WorkerArgs){ .hide = "", .sandbox = "own" };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--require-sandbox") == 0) {
            out->require_sandbox = true;
            continue;
        }
        size_t o = 0;
        while (o < ARRAY_LEN(options) && strcmp(options[o].name, argv[i]) != 0)
            o++;
        if (o == ARRAY_LEN(options) || i + 1 == argc)
            return FAIL(ctx, INVALID_ARGUMENT, "unexpected argument '%s'", argv[i]);
        *(const char **)(void *)((char *)out + options[o].offset) = argv[++i];
    }
    if (!out->server || !out->id || !out->scratch)
        return FAIL(ctx, INVALID_ARGUMENT,
                    "needs --server, --id and --scratch: it is started by pcvd");
    return OK;
}

/* The token comes on standard input, which is then nobody's. */
static Status read_token(Ctx *ctx, WorkerArgs *args)
{
    ssize_t got = read(STDIN_FILENO, args->token, sizeof(args->token) - 1);
    if (got <= 0)
        return FAIL(ctx, INVALID_ARGUMENT, "no token on standard input: it is started by pcvd");
    close(STDIN_FILENO);
    return open("/dev/null", O_RDONLY) < 0 ? FAIL(ctx, INTERNAL, "could not open /dev/null") : OK;
}

/* --- running ---------------------------------------------------------------------------------- */

static Procavia__Work__WorkResult__State state_of(WorkerState state)
{
    static const Procavia__Work__WorkResult__State states[] = {
        [WORKER_PROCESSED] = PROCAVIA__WORK__WORK_RESULT__STATE__PROCESSED,
        [WORKER_FAILED] = PROCAVIA__WORK__WORK_RESULT__STATE__FAILED,
        [WORKER_RECOVERED] = PROCAVIA__WORK__WORK_RESULT__STATE__RECOVERED,
    };
    return states[state];
}

static PpsV2__ProcessStats *stats_of(Ctx *ctx, const WorkerStats *stats)
{
    PpsV2__ProcessStats *out = PB_NEW(ctx, pps_v2__process_stats, PpsV2__ProcessStats);
    out->download_time = pb_duration(ctx, stats->download_ns);
    out->process_time = pb_duration(ctx, stats->process_ns);
    out->upload_time = pb_duration(ctx, stats->upload_ns);
    out->download_bytes = (int64_t)stats->download_bytes;
    out->upload_bytes = (int64_t)stats->upload_bytes;
    return out;
}

static void report_result(Ctx *ctx, Link *link, ServerIo *io, uint64_t lease,
                          const Procavia__Work__WorkDatum *datum, const WorkerResult *result)
{
    Procavia__Work__WorkReport *report =
        PB_NEW(ctx, procavia__work__work_report, Procavia__Work__WorkReport);
    Procavia__Work__WorkResult *out =
        PB_NEW(ctx, procavia__work__work_result, Procavia__Work__WorkResult);
    report->body_case = PROCAVIA__WORK__WORK_REPORT__BODY_RESULT;
    report->result = out;
    out->lease = lease;
    out->datum_id = datum->id;
    out->index = datum->index;
    out->state = state_of(result->state);
    out->reason = arena_strdup(ctx->arena, result->reason);
    out->warning = arena_strdup(ctx->arena, result->warning);
    out->stats = stats_of(ctx, &result->stats);
    out->started = pb_timestamp(ctx, result->started_wall_ns);
    out->finished = pb_timestamp(ctx, result->finished_wall_ns);
    server_io_result(ctx, io, out);
    link_report(link, report);
}

static void report_done(Ctx *ctx, Link *link, uint64_t lease, Status s)
{
    Procavia__Work__WorkReport *report =
        PB_NEW(ctx, procavia__work__work_report, Procavia__Work__WorkReport);
    report->body_case = PROCAVIA__WORK__WORK_REPORT__BODY_DONE;
    report->done =
        PB_NEW(ctx, procavia__work__work_report__set_done, Procavia__Work__WorkReport__SetDone);
    report->done->lease = lease;
    if (!status_ok(s))
        report->done->error = arena_strdup(ctx->arena, status_message(s));
    link_report(link, report);
    link_flush(link);
}

typedef struct Program {
    WorkerArgs args;
    Worker *worker;
    Link *link;
    ServerIo *io;
    char *trouble;    /* why it can run nothing now, as told to the server; "": it can */
    Door *door;       /* open as long as the worker lives, for processes of single datums */
    Door *batch_door; /* open while a batch's process lives */
} Program;

typedef struct BatchReport {
    Ctx *ctx;
    Program *program;
    const Procavia__Work__WorkSet *set;
} BatchReport;

static void report_one(void *arg, size_t index, const WorkerResult *result)
{
    const BatchReport *report = arg;
    report_result(report->ctx, report->program->link, report->program->io, report->set->lease,
                  report->set->datums[index], result);
}

static Status run_batch(Ctx *ctx, Program *program, const Procavia__Work__WorkSet *set)
{
    CLEANUP(mask_set_freep) MaskSet *mask = work_mask(set);
    WorkerSpec spec = work_spec(ctx, program->args.id, set);
    spec.mask = mask;
    WorkerIo *io = server_io_for(program->io, set->lease);
    WorkerDatum *datums = ARENA_NEW(ctx->arena, WorkerDatum, set->n_datums + 1);
    if (!datums)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < set->n_datums; i++)
        datums[i] = work_datum(ctx, set->datums[i]);
    BatchReport report = { ctx, program, set };
    return worker_run_batch(ctx, program->worker, io, &spec, door_for_batch(program->batch_door),
                            datums, set->n_datums, report_one, &report);
}

static Status run_datums(Ctx *ctx, Program *program, const Procavia__Work__WorkSet *set)
{
    CLEANUP(mask_set_freep) MaskSet *mask = work_mask(set);
    WorkerSpec spec = work_spec(ctx, program->args.id, set);
    spec.mask = mask;
    spec.grpc_port = door_port(program->door);
    WorkerIo *io = server_io_for(program->io, set->lease);
    for (size_t i = 0; i < set->n_datums; i++) {
        ArenaMark mark = arena_mark(ctx->arena);
        const WorkerDatum datum = work_datum(ctx, set->datums[i]);
        WorkerResult result;
        TRY(worker_run_datum(ctx, program->worker, io, &spec, &datum, &result));
        report_result(ctx, program->link, program->io, set->lease, set->datums[i], &result);
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

typedef struct Teller {
    Program *program;
    uint64_t lease;
} Teller;

static void tell_serving(void *self, const char *error)
{
    const Teller *teller = self;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Procavia__Work__WorkReport *report =
        PB_NEW(&ctx, procavia__work__work_report, Procavia__Work__WorkReport);
    report->body_case = PROCAVIA__WORK__WORK_REPORT__BODY_SERVING;
    report->serving =
        PB_NEW(&ctx, procavia__work__work_report__serving, Procavia__Work__WorkReport__Serving);
    report->serving->lease = teller->lease;
    report->serving->error = arena_strdup(ctx.arena, error);
    link_report(teller->program->link, report);
}

static Status run_service(Ctx *ctx, Program *program, const Procavia__Work__WorkSet *set)
{
    const Procavia__Work__WorkSet__Serve *serve = set->serve;
    CLEANUP(mask_set_freep) MaskSet *mask = work_mask(set);
    WorkerSpec spec = work_spec(ctx, program->args.id, set);
    spec.mask = mask;
    spec.grpc_port = door_port(program->door);
    spec.timeout_ns = 0;
    Teller teller = { program, set->lease };
    const WorkerService service = { .internal_port = (uint16_t)serve->internal_port,
                                    .external_port = (uint16_t)serve->external_port,
                                    .listen_host = serve->listen_host,
                                    .tell = tell_serving,
                                    .self = &teller };
    WorkerDatum datum = { 0 };
    if (set->n_datums)
        datum = work_datum(ctx, set->datums[0]);
    return worker_serve(ctx, program->worker, server_io_for(program->io, set->lease), &spec,
                        set->n_datums ? &datum : NULL, &service);
}

static Status run_set(Ctx *ctx, Program *program, const Procavia__Work__WorkSet *set)
{
    if (set->serve)
        return run_service(ctx, program, set);
    return set->datum_batching ? run_batch(ctx, program, set) : run_datums(ctx, program, set);
}

static Status run_one_set(Program *program)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Procavia__Work__WorkSet *set;
    Cancel *cancel;
    TRY(link_take(&ctx, program->link, &set, &cancel));
    ctx.cancel = cancel;
    door_set(program->door, set);
    door_set(program->batch_door, set);
    Status s = run_set(&ctx, program, set);
    door_set(program->door, NULL);
    door_set(program->batch_door, NULL);
    report_done(&ctx, program->link, set->lease, s);
    return OK;
}

/* --- where there is no sandbox, or no /pfs ---------------------------------------------------- */

#define STAND_BY_NS (2 * NS_PER_SEC) /* how often a worker in trouble looks whether it is over */

static const char *trouble_of(Ctx *ctx, const WorkerArgs *args, Status s)
{
    const char *why = status_message(s);
    return args->require_sandbox
               ? text_printf(ctx->arena, "user code may only run in a sandbox, and %s", why)
               : arena_strdup(ctx->arena, why);
}

static void report_able(Ctx *ctx, const Program *program, SandboxLevel level)
{
    Procavia__Work__WorkReport *report =
        PB_NEW(ctx, procavia__work__work_report, Procavia__Work__WorkReport);
    report->body_case = PROCAVIA__WORK__WORK_REPORT__BODY_ABLE;
    report->able = PB_NEW(ctx, procavia__work__work_report__able, Procavia__Work__WorkReport__Able);
    report->able->sandbox = arena_strdup(ctx->arena, sandbox_level_name(level));
    report->able->trouble = arena_strdup(ctx->arena, program->trouble);
    link_report(program->link, report);
    link_flush(program->link);
}

/* Whether the worker can run anything; true when that is another answer than before. */
static bool look_for_trouble(Ctx *ctx, Program *program, SandboxLevel *out_level)
{
    *out_level = SANDBOX_NONE;
    Status s = worker_probe(ctx, program->worker, out_level);
    const char *trouble = status_ok(s) ? "" : trouble_of(ctx, &program->args, s);
    if (program->trouble && strcmp(trouble, program->trouble) == 0)
        return false;
    free(program->trouble);
    program->trouble = strdup(trouble);
    return true;
}

/* The host may be told otherwise while we wait, or the worker that has /pfs may end. */
static Status stand_by(Program *program)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Procavia__Work__WorkSet *set;
    Cancel *cancel;
    ctx.deadline_ns = clock_mono_ns() + STAND_BY_NS;
    Status s = link_take(&ctx, program->link, &set, &cancel);
    if (s.code != STATUS_DEADLINE_EXCEEDED)
        return status_ok(s) ? FAIL(&ctx, INTERNAL, "a lease for a worker that can run nothing") : s;
    ctx.deadline_ns = DEADLINE_NONE;
    SandboxLevel level;
    if (look_for_trouble(&ctx, program, &level))
        report_able(&ctx, program, level);
    return OK;
}

static Status join(Ctx *ctx, Program *program)
{
    const WorkerArgs *args = &program->args;
    SandboxLevel level;
    look_for_trouble(ctx, program, &level);
    const LinkConfig link = { args->server, args->id, args->token, sandbox_level_name(level),
                              program->trouble };
    return link_open(ctx, &link, &program->link);
}

static Status open_program(Ctx *ctx, Program *program)
{
    bool own = strcmp(program->args.sandbox, "own") == 0;
    const char *hidden[] = { program->args.hide, program->args.scratch };
    const WorkerConfig config = { .dir = program->args.scratch,
                                  .hidden = *hidden[0] ? hidden : hidden + 1,
                                  .hidden_count = *hidden[0] ? 2 : 1,
                                  .runtime = own ? NULL : program->args.sandbox,
                                  .runtime_init = process_sibling(ctx, "pcv-init"),
                                  .require_sandbox = program->args.require_sandbox,
                                  .tool = process_sibling(ctx, "pcv"),
                                  .level_max = SANDBOX_ROOT };
    TRY_WRAP(ctx, worker_open(ctx, &config, &program->worker),
             "could not open the worker's folder");
    TRY(join(ctx, program));
    program->io = server_io_new(program->args.server, program->link);
    program->batch_door = door_new(program->args.id, program->link);
    program->door = door_new(program->args.id, program->link);
    return door_open(ctx, program->door);
}

int main(int argc, char **argv)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    signal(SIGPIPE, SIG_IGN);
    umask(022); /* modes of what user code makes do not depend on who started the server */
    if (argc > 1 && strcmp(argv[1], "--debug") == 0)
        return worker_debug_main(&ctx, argv + 2);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* the server's end is ours */
    prctl(PR_SET_DUMPABLE, 0);        /* nobody reads the token out of our memory */
    Program program = { 0 };
    Status s = read_args(&ctx, argc, argv, &program.args);
    if (status_ok(s))
        s = read_token(&ctx, &program.args);
    if (status_ok(s))
        s = open_program(&ctx, &program);
    while (status_ok(s))
        s = *program.trouble ? stand_by(&program) : run_one_set(&program);
    if (s.code != STATUS_CANCELLED && s.code != STATUS_UNAVAILABLE)
        fprintf(stderr, "pcv-worker: %s\n", status_message(s));
    link_close(program.link);
    door_free(program.door);
    door_free(program.batch_door);
    server_io_free(program.io);
    worker_close(program.worker);
    free(program.trouble);
    return s.code == STATUS_CANCELLED || s.code == STATUS_UNAVAILABLE ? 0 : 1;
}
