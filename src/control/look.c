/* look.c - one pass: each pipeline's state follows what is so (look_pipelines.c), and each
 * pipeline's oldest open job begins when its inputs are there (§8, §9.4). */
#include "base/clock.h"
#include "base/log.h"
#include "control/control_priv.h"

typedef enum Readiness { INPUTS_WAIT, INPUTS_READY, INPUTS_FAILED } Readiness;

typedef struct InputCheck {
    Control *control;
    PfsTx *tx;
    const char *set_id;
    Readiness readiness;
    const char *failed[INPUT_NODES_MAX];
    size_t failed_count;
} InputCheck;

static Status check_leaf(void *arg, Ctx *ctx, PpsV2__Input *node)
{
    InputCheck *check = arg;
    const PpsV2__PFSInput *leaf = input_leaf(ctx, node);
    if (!leaf)
        return OK;
    PfsV2__Commit commit;
    pfs_v2__commit__init(&commit);
    commit.repo = pfs_repo_ref(ctx, *leaf->project ? leaf->project : "default", leaf->repo, "user");
    commit.id = arena_strdup(ctx->arena, check->set_id);
    PfsCommitRow row;
    TRY(pfs_pick(ctx, check->tx, &commit, &row));
    if (row.state != PFS_FINISHED)
        check->readiness = INPUTS_WAIT;
    else if (*row.error && check->failed_count < INPUT_NODES_MAX)
        check->failed[check->failed_count++] = leaf->name;
    return OK;
}

static Status inputs_of(Ctx *ctx, Control *control, PfsTx *tx, const PpsJobRow *job, Readiness *out,
                        const char **out_reason)
{
    PpsPipelineRow spec;
    TRY(pps_job_spec(ctx, tx, job, &spec));
    InputCheck *check = ARENA_ONE(ctx->arena, InputCheck);
    *check = (InputCheck){
        .control = control, .tx = tx, .set_id = job->set_id, .readiness = INPUTS_READY
    };
    if (spec.info->details->input)
        TRY(input_visit(ctx, spec.info->details->input, check_leaf, check));
    *out = check->readiness;
    if (check->readiness == INPUTS_READY && check->failed_count) {
        *out = INPUTS_FAILED;
        *out_reason = job_unrunnable_reason(ctx, check->failed, check->failed_count);
    }
    return OK;
}

static Status end_job(Ctx *ctx, Control *control, const PpsJobRow *job, const char *reason,
                      PpsV2__JobState state)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pps_pfs(control->pps), NULL, &tx));
    PpsJobRow now;
    Status s = pps_job_row(ctx, tx, job->id, &now);
    if (s.code == STATUS_NOT_FOUND || (status_ok(s) && job_is_terminal(now.state)))
        return OK;
    TRY(s);
    TRY(pps_job_finish(ctx, tx, job->id, NULL, reason, state));
    return pfs_commit(ctx, STEAL(tx));
}

static Status accept_job(Ctx *ctx, Control *control, const PpsJobRow *job)
{
    if (job->state != PPS_V2__JOB_STATE__JOB_CREATED)
        return OK;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pps_pfs(control->pps), NULL, &tx));
    PpsJobRow now;
    Status s = pps_job_row(ctx, tx, job->id, &now);
    if (!status_ok(s) || now.state != PPS_V2__JOB_STATE__JOB_CREATED)
        return s.code == STATUS_NOT_FOUND ? OK : s;
    TRY(pps_job_to(ctx, tx, job->id, PPS_V2__JOB_STATE__JOB_STARTING, ""));
    return pfs_commit_lazily(ctx, STEAL(tx));
}

typedef enum RunOf { RUN_NONE, RUN_THIS, RUN_SERVES_THIS, RUN_SERVES_OLDER } RunOf;

/* What runs of a job, or of its pipeline before it: a process that is kept running must be gone
 * before the next one begins. */
static RunOf run_of(Control *control, int64_t job, int64_t pipeline)
{
    LOCKED(&control->lock);
    const JobRun *run = job_run_find(control, job);
    if (run)
        return run->serves ? RUN_SERVES_THIS : RUN_THIS;
    run = job_run_of_pipeline(control, pipeline);
    return run && run->serves ? RUN_SERVES_OLDER : RUN_NONE;
}

static Status next_open_job(Ctx *ctx, PfsTx *tx, const PpsJobRow *job, PpsJobRow *out)
{
    int64_t id;
    TRY(db_query_int(ctx, pfs_tx_db(tx), &id,
                     "SELECT id FROM pps_job WHERE pipeline = ? AND id > ? AND " JOB_IS_KILLABLE_SQL
                     " ORDER BY id LIMIT 1",
                     "ii", job->pipeline_id, job->id));
    return pps_job_row(ctx, tx, id, out);
}

static void supersede(Control *control, int64_t job)
{
    LOCKED(&control->lock);
    JobRun *run = job_run_find(control, job);
    if (!run)
        return;
    run->superseded = true;
    pthread_cond_broadcast(&run->moved);
}

/* A service's job lasts until the next one is ready; one whose inputs failed does not count. */
static Status look_for_newer(Ctx *ctx, Control *control, const PpsJobRow *served)
{
    PpsJobRow job = *served;
    for (;;) {
        Readiness readiness;
        const char *reason = "";
        {
            CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
            TRY(pfs_begin_read(ctx, pps_pfs(control->pps), &tx));
            Status s = next_open_job(ctx, tx, &job, &job);
            if (s.code == STATUS_NOT_FOUND)
                return OK;
            TRY(s);
            TRY(inputs_of(ctx, control, tx, &job, &readiness, &reason));
        }
        if (readiness == INPUTS_WAIT)
            return accept_job(ctx, control, &job);
        if (readiness == INPUTS_READY) {
            supersede(control, served->id);
            return OK;
        }
        TRY(end_job(ctx, control, &job, reason, PPS_V2__JOB_STATE__JOB_UNRUNNABLE));
    }
}

/* The oldest open job of a pipeline: begun, told that it cannot run, or left to wait. */
static Status step_job(Ctx *ctx, Control *control, int64_t id)
{
    PpsJobRow job;
    PpsPipelineRow pipeline;
    Readiness readiness;
    const char *reason = "";
    bool serves_this;
    {
        CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
        TRY(pfs_begin_read(ctx, pps_pfs(control->pps), &tx));
        Status s = pps_job_row(ctx, tx, id, &job);
        if (s.code == STATUS_NOT_FOUND)
            return OK;
        TRY(s);
        RunOf run = run_of(control, id, job.pipeline_id);
        if (job.state == PPS_V2__JOB_STATE__JOB_FINISHING || run == RUN_THIS ||
            run == RUN_SERVES_OLDER)
            return OK;
        serves_this = run == RUN_SERVES_THIS;
        TRY(pps_pipeline_row(ctx, tx, job.pipeline_id, &pipeline));
        TRY(inputs_of(ctx, control, tx, &job, &readiness, &reason));
    }
    if (pipeline.state == PPS_V2__PIPELINE_STATE__PIPELINE_FAILURE)
        return end_job(ctx, control, &job, JOB_REASON_STOPPED, PPS_V2__JOB_STATE__JOB_KILLED);
    if (serves_this)
        return look_for_newer(ctx, control, &job);
    if (readiness == INPUTS_FAILED)
        return end_job(ctx, control, &job, reason, PPS_V2__JOB_STATE__JOB_UNRUNNABLE);
    if (!look_is_live(pipeline.state))
        return OK;
    if (readiness == INPUTS_WAIT)
        return accept_job(ctx, control, &job);
    return job_run_start(ctx, control, &job, serve_is_wanted(pipeline.info));
}

static size_t add_runs(Control *control, int64_t *pipelines, size_t room)
{
    size_t n = 0;
    LOCKED(&control->lock);
    for (JobRun *run = control->runs; run && n < room; run = run->next)
        pipelines[n++] = run->pipeline;
    return n;
}

/* Also those that only have a run, as their job was ended from outside. */
static Status all_pipelines_at_work(Ctx *ctx, Control *control, PpsStirred *out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps_pfs(control->pps), &tx));
    int64_t count;
    TRY(db_query_int(ctx, pfs_tx_db(tx), &count,
                     "SELECT COUNT(DISTINCT pipeline) FROM pps_job WHERE " JOB_IS_OPEN_SQL, ""));
    size_t room = (size_t)count + RUNS_MAX;
    *out = (PpsStirred){ .pipelines = ARENA_NEW(ctx->arena, int64_t, room) };
    if (!out->pipelines)
        return STATUS(RESOURCE_EXHAUSTED);
    out->n = add_runs(control, out->pipelines, RUNS_MAX);
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT pipeline FROM pps_job WHERE " JOB_IS_OPEN_SQL
                 " GROUP BY pipeline ORDER BY MIN(id)",
                 ""));
    DB_EACH (ctx, &rows) {
        if (out->n == room)
            break;
        out->pipelines[out->n++] = db_int(&rows, 0);
    }
    return OK;
}

/* What a run is for is over: its job has ended, or its spout is not to run, or not this version. */
static bool is_over(Ctx *ctx, PfsTx *tx, int64_t id, uint64_t version)
{
    PpsJobRow job;
    PpsPipelineRow row;
    Status s = id < 0 ? pps_pipeline_row(ctx, tx, -id, &row) : pps_job_row(ctx, tx, id, &job);
    if (!status_ok(s))
        return s.code == STATUS_NOT_FOUND;
    if (id > 0)
        return job_is_terminal(job.state);
    return row.stopped || row.version != version ||
           row.state == PPS_V2__PIPELINE_STATE__PIPELINE_FAILURE;
}

/* A pipeline's run whose job is over from outside (stopped, updated, deleted) ends. A pipeline may
 * have a second run for a moment, while the first gives up its leases. */
static void end_killed_runs(Ctx *ctx, Control *control, PfsTx *tx, int64_t pipeline)
{
    int64_t ids[8];
    uint64_t versions[ARRAY_LEN(ids)];
    size_t n = 0;
    {
        LOCKED(&control->lock);
        for (JobRun *run = control->runs; run && n < ARRAY_LEN(ids); run = run->next) {
            if (run->pipeline != pipeline || cancel_is_set(run->cancel))
                continue;
            ids[n] = run->id;
            versions[n++] = run->version;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_over(ctx, tx, ids[i], versions[i]))
            continue;
        LOCKED(&control->lock);
        JobRun *run = job_run_find(control, ids[i]);
        if (run) {
            cancel_set(run->cancel);
            pthread_cond_broadcast(&run->moved);
        }
    }
}

static Status look_at_jobs_of(Ctx *ctx, Control *control, int64_t pipeline)
{
    int64_t oldest;
    Status s;
    {
        CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
        TRY(pfs_begin_read(ctx, pps_pfs(control->pps), &tx));
        end_killed_runs(ctx, control, tx, pipeline);
        s = pps_oldest_open_job(ctx, tx, pipeline, &oldest);
    }
    return s.code == STATUS_NOT_FOUND ? OK : status_ok(s) ? step_job(ctx, control, oldest) : s;
}

static Status look_at_jobs(Ctx *ctx, Control *control, bool *out_failed)
{
    PpsStirred stirred;
    TRY(pps_take_stirred(ctx, control->pps, &stirred));
    if (stirred.all)
        TRY(all_pipelines_at_work(ctx, control, &stirred));
    for (size_t i = 0; i < stirred.n; i++) {
        ArenaMark mark = arena_mark(ctx->arena);
        Status s = look_at_jobs_of(ctx, control, stirred.pipelines[i]);
        if (!status_ok(s)) {
            LOG_WARN(ctx, "could not move a job", "pipeline=%lld reason=%s",
                     (long long)stirred.pipelines[i], status_message(s));
            *out_failed = true;
            pps_stir_quietly(control->pps, stirred.pipelines[i]);
        }
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

/* Workers stand ready while any pipeline lives. */
static Status scale_workers(Ctx *ctx, Control *control, bool any_live)
{
    if (!control->engine || !any_live || control->workers_started)
        return OK;
    TRY_WRAP(ctx, control->engine->ops->start(control->engine, ctx, ENGINE_GROUP_LOCAL, 0),
             "could not start workers");
    control->workers_started = 1;
    return OK;
}

Status control_look(Ctx *ctx, Control *control, int64_t *out_due_ns)
{
    bool any_live, failed = false;
    *out_due_ns = INT64_MAX;
    TRY(look_at_pipelines(ctx, control, &any_live, out_due_ns));
    TRY(scale_workers(ctx, control, any_live));
    TRY(spouts_look(ctx, control));
    TRY(look_at_jobs(ctx, control, &failed));
    if (failed) /* a job could not be moved: again in a second */
        *out_due_ns = MIN(*out_due_ns, clock_wall_ns() + NS_PER_SEC);
    return OK;
}
