/* serve.c - runs that are one process, kept running: a service's job (§18) and a spout (§19).
 *
 * Each has a worker of its own, which is started with the run and ended with it, so that it takes
 * no place from those that run datums. The worker starts the process again when it ends, and tells
 * when it cannot start it; the engine starts the worker again when that ends, and the set goes out
 * once more. A service's run ends well when a newer job of the pipeline is ready. */
#include "control/control_priv.h"
#include "pps/spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/text.h"
#include "codec/json.h"

#define RETRY_NS (2 * NS_PER_SEC)

bool serve_is_wanted(const PpsV2__PipelineInfo *info)
{
    return info->details->service || info->details->spout;
}

static const PpsV2__Service *service_of(const PpsV2__PipelineInfo__Details *details)
{
    return details->spout ? details->spout->service : details->service;
}

/* --- the run ---------------------------------------------------------------------------------- */

static Status open_group(JobRun *run)
{
    Engine *engine = run->control->engine;
    if (!engine)
        return OK;
    run->group_is_open = true;
    return engine->ops->start(engine, &run->ctx, run->group, 1);
}

void serve_close(JobRun *run)
{
    Engine *engine = run->control->engine;
    if (!run->group_is_open)
        return;
    Status s = engine->ops->stop(engine, &run->ctx, run->group, true);
    if (!status_ok(s))
        LOG_WARN(&run->ctx, "could not end a worker", "group=%s reason=%s", run->group,
                 status_message(s));
    run->group_is_open = false;
}

/* One range that never counts as done but by the end of the run. */
static Status one_range(JobRun *run)
{
    run->ranges = calloc(1, sizeof(*run->ranges));
    if (!run->ranges)
        return STATUS(RESOURCE_EXHAUSTED);
    run->ranges[0] = (DatumRange){ 0, 1, 0 };
    run->range_count = 1;
    return OK;
}

/* What cannot be put into an order now (a secret that is gone) is tried again later. */
static void offer_again(JobRun *run)
{
    int64_t until_ns = clock_mono_ns() + RETRY_NS;
    const struct timespec until = { until_ns / NS_PER_SEC, until_ns % NS_PER_SEC };
    free(run->trouble);
    run->trouble = STEAL(run->broken);
    control_wake(run->control);
    while (!cancel_is_set(run->cancel) && !run->superseded &&
           pthread_cond_timedwait(&run->moved, &run->control->lock, &until) != ETIMEDOUT)
        continue;
    run->next_range = run->ranges_done = 0;
    run->returned_count = 0;
    queue_wake_sessions(run->control);
}

/* True: a newer job takes over. False: it was killed. */
static bool wait_for_end(JobRun *run)
{
    LOCKED(&run->control->lock);
    while (!cancel_is_set(run->cancel) && !run->superseded) {
        if (run->broken)
            offer_again(run);
        else
            pthread_cond_wait(&run->moved, &run->control->lock);
    }
    return !cancel_is_set(run->cancel);
}

static Status serve(JobRun *run, bool *out_superseded)
{
    TRY(one_range(run));
    TRY(open_group(run));
    job_run_offer(run);
    *out_superseded = wait_for_end(run);
    job_run_recall(run);
    serve_close(run);
    return OK;
}

Status serve_job(JobRun *run)
{
    if (run->plan.counts.total != 1)
        return job_run_finish(run, "services must have a single datum",
                              PPS_V2__JOB_STATE__JOB_FAILURE);
    run->counters = (JobCounters){ .total = 1 };
    TRY(job_run_write_running(run));
    bool superseded;
    TRY(serve(run, &superseded));
    if (!superseded)
        return OK;
    run->counters.processed = 1;
    return job_run_finish(run, "", PPS_V2__JOB_STATE__JOB_FAILURE);
}

static Status load_spout(JobRun *run)
{
    Ctx *ctx = &run->ctx;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps_pfs(run->control->pps), &tx));
    TRY(pps_pipeline_row(ctx, tx, run->pipeline, &run->spec));
    if (run->spec.version != run->version)
        return FAIL(ctx, CANCELLED, "the pipeline was updated");
    run->job.pipeline_id = run->pipeline;
    run->job.project = run->spec.project;
    run->job.pipeline = run->spec.name;
    run->job.version = run->version;
    run->parallelism = 1;
    return OK;
}

Status serve_spout(JobRun *run)
{
    bool ignored;
    TRY(load_spout(run));
    {
        Id token = id_new();
        LOCKED(&run->control->lock);
        snprintf(run->token, sizeof(run->token), "%s", token.text);
        run->user = pps_pipeline_user(&run->ctx, run->job.project, run->job.pipeline);
    }
    return serve(run, &ignored);
}

/* --- the order -------------------------------------------------------------------------------- */

#define CONFIG_PATH "/pachctl/config.json"

/* The configuration that clients look for in a spout: how to reach us, and as whom. */
static Str config_of(Ctx *ctx, const JobRun *run)
{
    const ControlAddress *address = &run->control->address;
    JsonValue *root = json_object(ctx->arena), *v2 = json_object(ctx->arena);
    JsonValue *contexts = json_object(ctx->arena), *context = json_object(ctx->arena);
    json_set(ctx->arena, context, STR("pachd_address"),
             json_string(ctx->arena, str(text_printf(ctx->arena, "grpc://%s:%u",
                                                     address->local_host, address->port))));
    json_set(ctx->arena, context, STR("session_token"), json_string(ctx->arena, str(run->token)));
    json_set(ctx->arena, context, STR("project"), json_string(ctx->arena, str(run->job.project)));
    json_set(ctx->arena, contexts, STR("spout"), context);
    json_set(ctx->arena, v2, STR("active_context"), json_string(ctx->arena, STR("spout")));
    json_set(ctx->arena, v2, STR("contexts"), contexts);
    json_set(ctx->arena, root, STR("v2"), v2);
    return json_print(ctx->arena, root, (JsonStyle){ 0 });
}

/* Code that prints its configuration does not give its token to who reads logs. */
static Status mask_token(Ctx *ctx, const JobRun *run, Procavia__Work__WorkSet *set)
{
    ProtobufCBinaryData *masked = ARENA_NEW(ctx->arena, ProtobufCBinaryData, set->n_masked + 1);
    if (!masked)
        return STATUS(RESOURCE_EXHAUSTED);
    if (set->n_masked)
        memcpy(masked, set->masked, set->n_masked * sizeof(*masked));
    size_t size = strlen(run->token);
    masked[set->n_masked++] =
        (ProtobufCBinaryData){ size, arena_memdup(ctx->arena, run->token, size) };
    set->masked = masked;
    return OK;
}

static Status add_config(Ctx *ctx, const JobRun *run, Procavia__Work__WorkSet *set)
{
    Procavia__Work__WorkSet__SecretFile *file =
        PB_NEW(ctx, procavia__work__work_set__secret_file, Procavia__Work__WorkSet__SecretFile);
    Procavia__Work__WorkSet__SecretFile **files =
        ARENA_NEW(ctx->arena, Procavia__Work__WorkSet__SecretFile *, set->n_secret_files + 1);
    if (!files)
        return STATUS(RESOURCE_EXHAUSTED);
    if (set->n_secret_files)
        memcpy(files, set->secret_files, set->n_secret_files * sizeof(*files));
    Str config = config_of(ctx, run);
    file->path = arena_strdup(ctx->arena, CONFIG_PATH);
    file->content.data = arena_memdup(ctx->arena, config.data, config.size);
    file->content.len = config.size;
    files[set->n_secret_files++] = file;
    set->secret_files = files;
    return mask_token(ctx, run, set);
}

Status serve_order(Ctx *ctx, const JobRun *run, Procavia__Work__WorkSet *set)
{
    const Control *control = run->control;
    const PpsV2__Service *service = service_of(run->spec.info->details);
    set->serve = PB_NEW(ctx, procavia__work__work_set__serve, Procavia__Work__WorkSet__Serve);
    if (service) { /* pipeline_fatal has looked at them */
        set->serve->internal_port = (uint32_t)service->internal_port;
        set->serve->external_port = (uint32_t)service->external_port;
    }
    set->serve->listen_host =
        arena_strdup(ctx->arena, control->has_address ? control->address.listen_host : "127.0.0.1");
    if (run->token[0] && control->has_address && *control->address.local_host)
        return add_config(ctx, run, set);
    return OK;
}

/* --- how it goes ------------------------------------------------------------------------------ */

/* The ports of this machine that a run wants; one within a network of its own is none. */
typedef struct Ports {
    int32_t ports[2]; /* 0: none */
} Ports;

static Ports ports_of(const JobRun *run)
{
    const PpsV2__PipelineInfo__Details *details = run->spec.info->details;
    const PpsV2__Service *service = service_of(details);
    if (!service)
        return (Ports){ 0 };
    bool own_network = spec_has_no_network(details->transform);
    return (Ports){ { own_network ? 0 : service->internal_port, service->external_port } };
}

static bool have_common(const Ports *a, const Ports *b)
{
    for (size_t i = 0; i < 4; i++)
        if (a->ports[i / 2] && a->ports[i / 2] == b->ports[i % 2])
            return true;
    return false;
}

/* With the lock held: another run that serves and has one of this one's ports; NULL none. */
static const JobRun *find_rival(const Control *control, const JobRun *run)
{
    const Ports wanted = ports_of(run);
    for (const JobRun *other = control->runs; other; other = other->next) {
        if (other == run || !other->is_served)
            continue;
        const Ports has = ports_of(other);
        if (have_common(&wanted, &has))
            return other;
    }
    return NULL;
}

/* On the heap, as the reason is to be kept; NULL for "". */
static char *name_rival(const JobRun *run, const char *error)
{
    const JobRun *rival = *error ? find_rival(run->control, run) : NULL;
    if (!rival)
        return *error ? strdup(error) : NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new(0);
    return strdup(text_printf(arena,
                              "%s; pipeline '%s/%s' serves at one of these ports (with "
                              "transform.network none, internal ports are each one's own)",
                              error, rival->job.project, rival->job.pipeline));
}

void serve_report(ControlSession *session, const Procavia__Work__WorkReport__Serving *report)
{
    Control *control = session->control;
    bool moved;
    {
        LOCKED(&control->lock);
        Lease *lease = session->lease;
        if (!lease || lease->id != report->lease || !lease->run->serves)
            return;
        JobRun *run = lease->run;
        char *trouble = name_rival(run, report->error);
        moved = strcmp(run->trouble ? run->trouble : "", trouble ? trouble : "") != 0;
        run->is_served = !trouble;
        free(run->trouble);
        run->trouble = trouble;
    }
    if (moved)
        control_wake(control);
}

const char *serve_trouble(Ctx *ctx, Control *control, int64_t pipeline)
{
    LOCKED(&control->lock);
    const JobRun *run = job_run_of_pipeline(control, pipeline);
    const char *trouble = run ? run->trouble : NULL;
    if (run && !trouble)
        trouble = trouble_of_group(control, run->group, 1);
    return trouble ? arena_strdup(ctx->arena, trouble) : NULL;
}
