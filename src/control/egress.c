/* egress.c - a job's output, pushed to a place outside before its commit finishes (§23).
 *
 * A place that refuses is tried again for as long as the job lives, ever more rarely: the job stays
 * EGRESSING, and what waits for its output waits on. */
#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/control_priv.h"
#include "pfs/url.h"

#define PAUSE_NS_MIN NS_PER_SEC
#define PAUSE_NS_MAX (60 * NS_PER_SEC)

/* What the output commit will hold: what it inherits, with this job's layer over it. */
static Status output_root(JobRun *run, Hash *out)
{
    Ctx *ctx = &run->ctx;
    Control *control = run->control;
    Hash layer;
    PfsView view;
    const char *error;
    TRY(control_output_layer(ctx, control, &run->base_plan, &run->plan.done, &layer));
    TRY(pfs_view_open(ctx, pps_pfs(control->pps),
                      pfs_commit_ref(ctx, run->job.project, run->job.pipeline, run->job.set_id),
                      &view));
    TRY(content_apply(ctx, &control->content, &view.root, &layer, out, &error));
    return *error ? FAIL(ctx, UNKNOWN, "%s", error) : OK;
}

static Status ignore_rows(void *arg, Ctx *ctx, Str table, int64_t rows)
{
    (void)arg, (void)ctx, (void)table, (void)rows; /* a job has no place for them */
    return OK;
}

static Status load(JobRun *run, const Hash *root, const PfsV2__SQLDatabaseEgress *target)
{
    const char *password;
    TRY(pps_egress_password(&run->ctx, run->control->pps, target, &password));
    return pfs_url_load_tree(&run->ctx, pps_pfs(run->control->pps), root, target, password,
                             ignore_rows, NULL);
}

static Status push(JobRun *run, const Hash *root)
{
    const PpsV2__Egress *egress = run->spec.info->details->egress;
    if (egress->target_case == PPS_V2__EGRESS__TARGET_SQL_DATABASE && !*egress->url)
        return load(run, root, egress->sql_database);
    bool newer = egress->target_case == PPS_V2__EGRESS__TARGET_OBJECT_STORAGE;
    const char *url = newer && !*egress->url ? egress->object_storage->url : egress->url;
    int64_t written;
    return pfs_url_export_tree(&run->ctx, pps_pfs(run->control->pps), root, url, &written);
}

static Status write_egressing(JobRun *run)
{
    Ctx *ctx = &run->ctx;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pps_pfs(run->control->pps), NULL, &tx));
    TRY(pps_job_to(ctx, tx, run->id, PPS_V2__JOB_STATE__JOB_EGRESSING, ""));
    return pfs_commit(ctx, STEAL(tx));
}

/* Sleeps until then, or until the job is killed. */
static void pause_until(JobRun *run, int64_t until_ns)
{
    const struct timespec until = { until_ns / NS_PER_SEC, until_ns % NS_PER_SEC };
    LOCKED(&run->control->lock);
    while (!cancel_is_set(run->cancel) &&
           pthread_cond_timedwait(&run->moved, &run->control->lock, &until) != ETIMEDOUT)
        continue;
}

Status egress_run(JobRun *run, int64_t deadline_ns, bool *out_timed_out)
{
    Hash root;
    *out_timed_out = false;
    TRY(output_root(run, &root));
    TRY(write_egressing(run));
    for (int64_t pause_ns = PAUSE_NS_MIN;; pause_ns = MIN(2 * pause_ns, PAUSE_NS_MAX)) {
        ArenaMark mark = arena_mark(run->ctx.arena);
        run->ctx.deadline_ns = deadline_ns; /* of the transfer alone */
        Status s = push(run, &root);
        run->ctx.deadline_ns = DEADLINE_NONE;
        if (status_ok(s) || cancel_is_set(run->cancel))
            return OK;
        LOG_WARN(&run->ctx, "egress failed, it is tried again", "job=%lld reason=%s",
                 (long long)run->id, status_message(s));
        arena_rewind(run->ctx.arena, mark);
        pause_until(run, MIN(clock_mono_ns() + pause_ns, deadline_ns));
        *out_timed_out = clock_mono_ns() >= deadline_ns;
        if (*out_timed_out || cancel_is_set(run->cancel))
            return OK;
    }
}
