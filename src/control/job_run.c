/* job_run.c - one job from its inputs to its end, as a straight line on a thread of its own (§11).
 *
 * plan, write RUNNING, offer the sets, wait until all came back, lay the output over the base's,
 * finish. Killed or stopped, it waits for its leases and leaves the rest to whoever killed it, or
 * to the next start of the server. */
#include "control/control_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

/* An order is held in memory, here and by its worker. */
#define SET_DATUMS_MAX 1024
#define SET_INPUTS_MAX 65536 /* one datum may have more */

JobRun *job_run_find(Control *control, int64_t job)
{
    for (JobRun *run = control->runs; run; run = run->next) {
        if (run->id == job)
            return run;
    }
    return NULL;
}

JobRun *job_run_of_pipeline(Control *control, int64_t pipeline)
{
    for (JobRun *run = control->runs; run; run = run->next) {
        if (run->pipeline == pipeline)
            return run;
    }
    return NULL;
}

void job_run_break(JobRun *run, const char *reason)
{
    if (!run->broken)
        run->broken = strdup(reason);
    pthread_cond_broadcast(&run->moved);
}

/* --- planning --------------------------------------------------------------------------------- */

static Status load(JobRun *run)
{
    Ctx *ctx = &run->ctx;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps_pfs(run->control->pps), &tx));
    TRY(pps_job_row(ctx, tx, run->id, &run->job));
    TRY(pps_job_spec(ctx, tx, &run->job, &run->spec));
    run->parallelism = MAX(run->spec.info->parallelism, (uint64_t)1);
    return OK;
}

static Status add_to_hash(void *arg, Ctx *ctx, Str key, Bytes value)
{
    (void)ctx;
    Buf *all = arg;
    buf_add_varint(all, key.size);
    buf_add_str(all, key);
    buf_add_varint(all, value.size);
    buf_add_bytes(all, value);
    return OK;
}

/* A hash of each secret's values: what user code sees of it is part of a result's key. */
static Status hash_secrets(Ctx *ctx, PfsTx *tx, const PpsV2__Transform *transform, Hash **out)
{
    *out = ARENA_NEW(ctx->arena, Hash, transform->n_secrets + 1);
    if (!*out)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < transform->n_secrets; i++) {
        CLEANUP(buf_done) Buf all = { 0 };
        Status s = pps_secret_each(ctx, tx, transform->secrets[i]->name, add_to_hash, &all);
        if (!status_ok(s) && s.code != STATUS_NOT_FOUND)
            return s;
        (*out)[i] = hash_of(buf_bytes(&all));
    }
    return OK;
}

char *job_run_text(Ctx *ctx, const JobRun *run)
{
    return text_printf(ctx->arena, "%s/%s@%s", run->job.project, run->job.pipeline,
                       run->job.set_id);
}

static Status find_result(void *tx, Ctx *ctx, const Hash *key, PlanResultHit *out)
{
    return pps_cache_get(ctx, tx, key, out);
}

static Status enumerate(JobRun *run, PlanParams *params, const PpsJobRow *base,
                        PpsV2__Input *input)
{
    Ctx *ctx = &run->ctx;
    CLEANUP(pps_source_done)
    PpsSource source = { .pps = run->control->pps, .base_set = base->id ? base->set_id : "" };
    const InputSource files = pps_source(&source);
    if (params->delta)
        TRY(pps_source_has_base(ctx, &source, input, &params->delta));
    CLEANUP(planner_freep) Planner *planner = planner_new(params);
    if (params->delta)
        TRY(datum_each_change(ctx, &files, input, planner_put, planner_gone, planner));
    else if (input)
        TRY(datum_each(ctx, &files, input, planner_put, planner));
    return planner_finish(ctx, planner, &run->plan);
}

/* A run before this one, which the server's end cut short, may have left results that only the
 * job's own plan has: those whose rule does not ask the cache. What it has is then not run
 * again. */
static void resume(const JobRun *run, PlanParams *params)
{
    if (params->rule == PLAN_EXACT || run->serves || run->spec.info->details->s3_out ||
        hash_is_zero(&run->job.plan) || !hash_eq(&run->job.basis, &run->basis))
        return;
    params->base = run->job.plan;
    params->rule = PLAN_UNTIL_SUCCESS;
    params->delta = false;
}

static Status make_plan(JobRun *run)
{
    Ctx *ctx = &run->ctx;
    const PpsV2__PipelineInfo__Details *details = run->spec.info->details;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps_pfs(run->control->pps), &tx));
    PpsJobRow base;
    Hash *secrets;
    if (run->serves) /* its one datum runs again, whatever was before */
        base = (PpsJobRow){ 0 };
    else
        TRY(pps_job_base(ctx, tx, &run->job, &base));
    TRY(hash_secrets(ctx, tx, details->transform, &secrets));
    const KeyCode code = { run->spec.image_digest, secrets, details->s3_out };
    const KeyStep step = key_step(ctx, details->transform, &code);
    PlanParams params = { .io = &run->control->content.io,
                          .rule = run->serves ? PLAN_EVERY_JOB
                                              : plan_rule(details->reprocess_spec, details->s3_out),
                          .base = base.plan,
                          .salt = details->salt,
                          .step = &step,
                          .cache = { find_result, tx },
                          .job = job_run_text(ctx, run),
                          .spill_dir = run->control->spill_dir,
                          .results_not_before_ns = run->spec.results_not_before_ns };
    PpsV2__Input *input = input_with_commit(ctx, details->input, run->job.set_id);
    run->basis = plan_basis(ctx, &params, details->input);
    run->base_plan = base.plan;
    params.delta = params.rule != PLAN_EVERY_JOB && input && base.id &&
                   !hash_is_zero(&base.basis) && hash_eq(&base.basis, &run->basis) &&
                   base.version == run->job.version && datum_has_delta(ctx, input);
    resume(run, &params);
    return enumerate(run, &params, &base, input);
}

/* --- sets ------------------------------------------------------------------------------------- */

typedef struct RangeCutter {
    JobRun *run;
    DatumSets sets;
    uint64_t position;
    size_t capacity;
    size_t inputs; /* of the last range */
} RangeCutter;

static Status cut_range(void *arg, Ctx *ctx, const DatumRecord *record)
{
    (void)ctx;
    RangeCutter *cutter = arg;
    JobRun *run = cutter->run;
    bool starts = datum_sets_add(&cutter->sets, datum_size(&record->datum));
    DatumRange *last = run->range_count ? &run->ranges[run->range_count - 1] : NULL;
    cutter->inputs += record->datum.input_count;
    if (!last || starts || last->to - last->from >= SET_DATUMS_MAX ||
        cutter->inputs > SET_INPUTS_MAX) {
        cutter->inputs = record->datum.input_count;
        if (run->range_count == cutter->capacity) {
            cutter->capacity = MAX(cutter->capacity * 2, (size_t)16);
            DatumRange *ranges = realloc(run->ranges, cutter->capacity * sizeof(*ranges));
            if (!ranges)
                return STATUS(RESOURCE_EXHAUSTED);
            run->ranges = ranges;
        }
        last = &run->ranges[run->range_count++];
        *last = (DatumRange){ cutter->position, cutter->position, 0 };
    }
    last->to = ++cutter->position;
    return OK;
}

static Status cut_ranges(JobRun *run)
{
    RangeCutter cutter = { .run = run };
    cutter.sets = datum_sets_new(run->spec.info->details->datum_set_spec, run->plan.counts.to_run,
                                 run->parallelism);
    return plan_each_todo(&run->ctx, &run->control->content.io, &run->plan.todo, 0,
                          run->plan.counts.to_run, cut_range, &cutter);
}

/* --- the steps -------------------------------------------------------------------------------- */

/* Nothing waits for it to be durable: after a crash the job is planned again. But what it refers to
 * must be, as any commit may carry it along. */
Status job_run_write_running(JobRun *run)
{
    Ctx *ctx = &run->ctx;
    if (!hash_is_zero(&run->plan.done) && !hash_eq(&run->plan.done, &run->base_plan))
        TRY(store_sync(ctx, pfs_store(pps_pfs(run->control->pps))));
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pps_pfs(run->control->pps), NULL, &tx));
    TRY(pps_job_to(ctx, tx, run->id, PPS_V2__JOB_STATE__JOB_RUNNING, ""));
    TRY(pps_pipeline_busy(ctx, tx, run->job.pipeline_id));
    JobCounters counters;
    Hash done;
    { /* results may come in already; within the transaction, so that none goes back behind them */
        LOCKED(&run->control->lock);
        counters = run->counters;
        done = run->plan.done;
    }
    TRY(pps_job_progress(ctx, tx, run->id, &counters, &done, &run->basis));
    return pfs_commit_lazily(ctx, STEAL(tx));
}

void job_run_offer(JobRun *run)
{
    LOCKED(&run->control->lock);
    run->offered = true;
    queue_wake_sessions(run->control);
}

/* CLOCK_MONOTONIC when the job times out; INT64_MAX for never. A job that was begun before the
 * server ended has had its time since then. */
static int64_t timeout_of(const JobRun *run)
{
    int64_t limit_ns = pb_duration_ns(run->spec.info->details->job_timeout);
    if (limit_ns <= 0)
        return DEADLINE_NONE;
    int64_t began_ns = run->job.started_ns;
    int64_t spent_ns = began_ns ? MAX(clock_wall_ns() - began_ns, INT64_C(0)) : 0;
    return clock_deadline_ns(MAX(limit_ns - spent_ns, INT64_C(0)));
}

/* What was processed before the server ended is found again as skipped. */
static JobCounters first_counters(const JobRun *run)
{
    const JobCounters *before = &run->job.counters;
    JobCounters now = *before;
    int64_t carried = (int64_t)(run->plan.counts.skipped + run->plan.counts.cached);
    now.processed = MIN(before->processed, carried);
    now.skipped = carried - now.processed;
    now.failed = now.recovered = 0;
    now.total = (int64_t)run->plan.counts.total;
    return now;
}

typedef enum Outcome { ALL_DONE, KILLED, BROKEN, TIMED_OUT } Outcome;

static Outcome wait_for_sets(JobRun *run, int64_t deadline_ns)
{
    const struct timespec until = { deadline_ns / NS_PER_SEC, deadline_ns % NS_PER_SEC };
    LOCKED(&run->control->lock);
    for (;;) {
        if (cancel_is_set(run->cancel))
            return KILLED;
        if (run->broken)
            return BROKEN;
        if (run->ranges_done == run->range_count)
            return ALL_DONE;
        int error = 0;
        if (deadline_ns == DEADLINE_NONE)
            pthread_cond_wait(&run->moved, &run->control->lock);
        else
            error = pthread_cond_timedwait(&run->moved, &run->control->lock, &until);
        if (error == ETIMEDOUT)
            return TIMED_OUT;
    }
}

void job_run_recall(JobRun *run)
{
    LOCKED(&run->control->lock);
    run->offered = false;
    for (Lease *lease = run->control->leases; lease; lease = lease->next)
        lease->cancelled = lease->cancelled || lease->run == run;
    queue_wake_sessions(run->control);
    while (run->leases)
        pthread_cond_wait(&run->moved, &run->control->lock);
}

static Status write_finish(JobRun *run, ResultBatch *batch, const char *error,
                           PpsV2__JobState failed)
{
    Ctx *ctx = &run->ctx;
    Pfs *pfs = pps_pfs(run->control->pps);
    if (*error)
        job_note(run, "failing job with reason: %s", error);
    else
        job_note(run, "job successful, closing commits");
    Hash layer;
    TRY(result_lay(ctx, run, batch, LAY_NOW));
    TRY(control_output_layer(ctx, run->control, &run->base_plan, &batch->done, &layer));
    TRY(store_sync(ctx, pfs_store(pfs)));
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pfs, NULL, &tx));
    PpsJobRow now;
    TRY(pps_job_row(ctx, tx, run->id, &now));
    if (job_is_terminal(now.state))
        return OK;
    TRY(result_write(ctx, tx, run, batch));
    TRY(pps_job_finish(ctx, tx, run->id, &layer, error, failed));
    return pfs_commit(ctx, STEAL(tx));
}

/* The last results and the end of the job are one transaction. */
Status job_run_finish(JobRun *run, const char *error, PpsV2__JobState failed)
{
    ResultBatch batch;
    result_take(run, &batch);
    Status s = write_finish(run, &batch, error, failed);
    result_end(run, &batch, s);
    return s;
}

static Status kill_timed_out(JobRun *run)
{
    Ctx *ctx = &run->ctx;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pps_pfs(run->control->pps), NULL, &tx));
    PpsV2__StopJobRequest request;
    pps_v2__stop_job_request__init(&request);
    request.reason = arena_strdup(ctx->arena, JOB_REASON_TIMED_OUT);
    request.job = PB_NEW(ctx, pps_v2__job, PpsV2__Job);
    request.job->pipeline = run->spec.info->pipeline;
    request.job->id = run->job.set_id;
    TRY(pps_stop_job(ctx, tx, &request));
    return pfs_commit(ctx, STEAL(tx));
}

/* All datums are done. */
static Status succeed(JobRun *run, int64_t deadline_ns)
{
    bool timed_out = false;
    if (run->spec.info->details->egress) {
        TRY(result_flush(&run->ctx, run));
        TRY(egress_run(run, deadline_ns, &timed_out));
    }
    if (timed_out)
        return kill_timed_out(run);
    if (cancel_is_set(run->cancel))
        return OK;
    return job_run_finish(run, "", PPS_V2__JOB_STATE__JOB_FAILURE);
}

static Status run_job(JobRun *run)
{
    if (run->id < 0)
        return serve_spout(run);
    TRY(load(run));
    if (job_is_terminal(run->job.state) || run->job.state == PPS_V2__JOB_STATE__JOB_FINISHING)
        return OK;
    TRY(make_plan(run));
    TRY(gate_open(run));
    if (run->serves)
        return serve_job(run);
    TRY(cut_ranges(run));
    run->counters = first_counters(run);
    int64_t deadline_ns = timeout_of(run);
    job_note(run, "planned datums: %llu in all, %llu to run",
             (unsigned long long)run->plan.counts.total,
             (unsigned long long)run->plan.counts.to_run);
    job_run_offer(run);
    TRY(job_run_write_running(run));
    job_note(run, "updating job info, state: JOB_RUNNING");
    Outcome outcome = wait_for_sets(run, deadline_ns);
    job_run_recall(run);
    gate_close(run);
    if (outcome == TIMED_OUT)
        return kill_timed_out(run);
    if (outcome == KILLED)
        return OK;
    if (outcome == BROKEN)
        return job_run_finish(run, run->broken, PPS_V2__JOB_STATE__JOB_FAILURE);
    const char *error =
        *run->failed_datum ? job_datum_failed_reason(&run->ctx, run->failed_datum) : "";
    return *error ? job_run_finish(run, error, PPS_V2__JOB_STATE__JOB_FAILURE)
                  : succeed(run, deadline_ns);
}

/* --- the thread ------------------------------------------------------------------------------- */

/* What stopped the run is the job's own fault as far as anyone can tell: it fails with the reason,
 * visibly. Only when not even that can be written is it left for the control thread to try
 * again. */
static void fail_job(JobRun *run, Status why)
{
    Ctx *ctx = &run->ctx;
    LOG_WARN(ctx, "job failed", "job=%lld reason=%s", (long long)run->id, status_message(why));
    const char *reason = status_message(why);
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    PpsJobRow now;
    Status s = pfs_begin_write(ctx, pps_pfs(run->control->pps), NULL, &tx);
    if (status_ok(s))
        s = pps_job_row(ctx, tx, run->id, &now);
    if (status_ok(s) && job_is_terminal(now.state))
        return;
    if (status_ok(s))
        s = pps_job_finish(ctx, tx, run->id, NULL, reason, PPS_V2__JOB_STATE__JOB_FAILURE);
    if (status_ok(s))
        s = pfs_commit(ctx, STEAL(tx));
    if (!status_ok(s) && s.code != STATUS_NOT_FOUND)
        LOG_ERROR(ctx, "could not write a job's failure", "job=%lld reason=%s", (long long)run->id,
                  status_message(s));
}

static void job_run_free(JobRun *run)
{
    pthread_cond_destroy(&run->moved);
    cancel_unref(run->cancel);
    arena_free(run->results_arena);
    plan_results_free(run->unlaid);
    free(run->ranges);
    free(run->returned);
    free(run->broken);
    free(run->trouble);
    ctx_done(&run->ctx);
    free(run);
}

static void unlink_run(JobRun *run)
{
    LOCKED(&run->control->lock);
    JobRun **at = &run->control->runs;
    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    pthread_cond_broadcast(&run->control->run_gone);
}

/* Its last lines; readers see them already. A run that was killed has them too. */
static void flush_log(const JobRun *run)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Status s = pps_log_flush(&ctx, run->control->pps, run->pipeline, MAX(run->id, INT64_C(0)));
    if (!status_ok(s))
        LOG_WARN(&ctx, "could not store log lines", "job=%lld reason=%s", (long long)run->id,
                 status_message(s));
}

static void job_thread(void *arg)
{
    JobRun *run = arg;
    Control *control = run->control;
    Status s = run_job(run);
    if (!status_ok(s)) {
        job_run_recall(run); /* sets are offered before RUNNING is written: some may be out */
        serve_close(run);
        if (!cancel_is_set(run->cancel) && run->id > 0)
            fail_job(run, s);
    }
    gate_close(run);
    flush_log(run);
    int64_t pipeline = run->pipeline;
    unlink_run(run);
    job_run_free(run);
    pps_stir(control->pps, pipeline); /* its next job may begin, or this one again */
}

static JobRun *job_run_new(Control *control, const PpsJobRow *job, bool serves)
{
    JobRun *run = calloc(1, sizeof(*run));
    if (!run)
        return NULL;
    run->control = control;
    run->id = job->id;
    run->pipeline = job->pipeline_id;
    run->version = job->version;
    run->serves = serves;
    if (serves)
        snprintf(run->group, sizeof(run->group), "serve-%lld.%lld", (long long)job->pipeline_id,
                 (long long)MAX(job->id, INT64_C(0)));
    else
        snprintf(run->group, sizeof(run->group), ENGINE_GROUP_LOCAL);
    run->cancel = cancel_new();
    run->results_arena = arena_new(0);
    run->unlaid = plan_results_new(&control->content.io, control->spill_dir);
    ctx_init(&run->ctx);
    run->ctx.cancel = run->cancel;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&run->moved, &attr);
    pthread_condattr_destroy(&attr);
    return run;
}

Status job_run_start(Ctx *ctx, Control *control, const PpsJobRow *job, bool serves)
{
    JobRun *run = job_run_new(control, job, serves);
    if (!run)
        return STATUS(RESOURCE_EXHAUSTED);
    {
        LOCKED(&control->lock);
        JobRun **at = &control->runs;
        while (*at)
            at = &(*at)->next;
        *at = run;
    }
    Status s = pool_run(control->pool, job_thread, run);
    if (!status_ok(s)) {
        LOG_DEBUG(ctx, "job waits for a thread", "job=%lld", (long long)job->id);
        pps_stir_quietly(control->pps, run->pipeline); /* the end of any run is the next look */
        unlink_run(run);
        job_run_free(run);
    }
    return OK;
}
