/* look_pipelines.c - the pipelines' half of a look: their states follow what is so (§8). Decisions
 * are pps's (state.h); this carries them out. */
#include "base/clock.h"
#include "base/text.h"
#include "control/control_priv.h"

#define IMAGE_RETRY_NS (2 * NS_PER_SEC)

typedef struct Look {
    Control *control;
    int64_t *pipelines; /* rows that want a closer look */
    size_t pipeline_count, pipeline_capacity;
    int64_t due_ns;
} Look;

bool look_is_live(PpsV2__PipelineState state)
{
    return state == PPS_V2__PIPELINE_STATE__PIPELINE_RUNNING ||
           state == PPS_V2__PIPELINE_STATE__PIPELINE_STANDBY;
}

static Status pull_logins(Ctx *ctx, Control *control, const PpsV2__Transform *transform,
                          const char **out, const char **out_trouble)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps_pfs(control->pps), &tx));
    return pps_pull_logins(ctx, tx, transform->image_pull_secrets, transform->n_image_pull_secrets,
                           out, out_trouble);
}

/* That the image is not here, and what is done about it. */
static const char *missing_image(Ctx *ctx, Control *control, const PpsPipelineRow *row)
{
    const PpsV2__Transform *transform = row->info->details->transform;
    const char *logins = "", *trouble = "";
    if (transform->n_image_pull_secrets) {
        Status s = pull_logins(ctx, control, transform, &logins, &trouble);
        trouble = status_ok(s) ? trouble : status_message(s);
    }
    const char *note =
        control->images ? image_want(ctx, control->images, transform->image, logins) : "";
    return text_printf(ctx->arena, "image \"%s\" was not found%s%s%s%s", transform->image,
                       *note ? ": " : "", note, *trouble ? "; " : "", trouble);
}

/* Why workers of the pipeline cannot run now; NULL when they can. */
static const char *crash_reason(Ctx *ctx, Control *control, const PpsPipelineRow *row)
{
    const PpsV2__PipelineInfo__Details *details = row->info->details;
    if (!*row->image_digest)
        return missing_image(ctx, control, row);
    const char *misfit = machine_misfit(ctx, &control->machine, details);
    if (misfit)
        return misfit;
    return serve_is_wanted(row->info) ? serve_trouble(ctx, control, row->id)
                                      : workers_trouble(ctx, control);
}

static bool is_preparing(PpsV2__PipelineState state)
{
    return state == PPS_V2__PIPELINE_STATE__PIPELINE_STARTING ||
           state == PPS_V2__PIPELINE_STATE__PIPELINE_RESTARTING;
}

/* The event that a pipeline's row calls for, or PIPELINE_EVENT_COUNT when all is as it should
 * be. */
static PipelineEvent wanted_event(Ctx *ctx, Control *control, const PpsPipelineRow *row,
                                  const char **out_reason)
{
    bool paused = row->state == PPS_V2__PIPELINE_STATE__PIPELINE_PAUSED;
    *out_reason = "";
    if (row->state == PPS_V2__PIPELINE_STATE__PIPELINE_FAILURE)
        return PIPELINE_EVENT_COUNT;
    if (row->stopped && is_preparing(row->state))
        return PIPELINE_EV_WORKERS_READY; /* none is wanted: it pauses from there */
    if (row->stopped)
        return paused ? PIPELINE_EVENT_COUNT : PIPELINE_EV_STOPPED;
    *out_reason = pipeline_fatal(row->info);
    if (*out_reason)
        return PIPELINE_EV_FAIL;
    bool crashing = row->state == PPS_V2__PIPELINE_STATE__PIPELINE_CRASHING;
    *out_reason = crash_reason(ctx, control, row);
    if (*out_reason)
        return crashing && strcmp(*out_reason, row->reason) == 0 ? PIPELINE_EVENT_COUNT
                                                                 : PIPELINE_EV_CRASH;
    *out_reason = "";
    if (crashing)
        return PIPELINE_EV_CRASH_OVER;
    if (paused)
        return PIPELINE_EV_STARTED;
    return look_is_live(row->state) ? PIPELINE_EVENT_COUNT : PIPELINE_EV_WORKERS_READY;
}

static Status kill_jobs_of(Ctx *ctx, PfsTx *tx, const PpsPipelineRow *row, const char *reason)
{
    for (;;) {
        int64_t id;
        Status s = db_query_int(ctx, pfs_tx_db(tx), &id,
                                "SELECT id FROM pps_job WHERE pipeline = ? AND " JOB_IS_KILLABLE_SQL
                                " LIMIT 1",
                                "i", row->id);
        if (s.code == STATUS_NOT_FOUND)
            return OK;
        TRY(s);
        TRY(pps_job_finish(ctx, tx, id, NULL, reason, PPS_V2__JOB_STATE__JOB_KILLED));
    }
}

static Status step_pipeline(Ctx *ctx, Control *control, const PpsPipelineRow *row)
{
    const char *reason;
    PipelineEvent event = wanted_event(ctx, control, row, &reason);
    if (event == PIPELINE_EVENT_COUNT)
        return OK;
    const PipelineFacts facts = { row->state, row->stopped, row->info->details->autoscaling };
    PipelineStep step = pipeline_step(&facts, event);
    if (!step.changed)
        return OK;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pps_pfs(control->pps), NULL, &tx));
    PpsPipelineRow now;
    TRY(pps_pipeline_row(ctx, tx, row->id, &now));
    if (now.version != row->version || now.state != row->state || now.stopped != row->stopped)
        return OK; /* it moved meanwhile: the next pass sees it */
    TRY(pps_set_pipeline_state(ctx, tx, row->id, step.state, reason));
    TRY(pps_pipeline_settle(ctx, tx, row->id));
    if (step.effects & PIPELINE_DO_STOP_JOBS)
        TRY(kill_jobs_of(ctx, tx, row, JOB_REASON_STOPPED));
    if (pps_is_spout(row->info) && look_is_live(step.state))
        spouts_want(control, row->id);
    return pfs_commit(ctx, STEAL(tx));
}

static Status retry_image(Ctx *ctx, Control *control, const PpsPipelineRow *row)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pps_pfs(control->pps), NULL, &tx));
    bool found;
    TRY(pps_retry_image(ctx, tx, control->pps, row->id, &found));
    if (!found) {
        const char *reason = missing_image(ctx, control, row);
        if (strcmp(reason, row->reason) == 0)
            return OK;
        TRY(pps_set_pipeline_state(ctx, tx, row->id, row->state, reason));
        return pfs_commit(ctx, STEAL(tx));
    }
    TRY(pfs_commit(ctx, STEAL(tx)));
    control_wake(control);
    return OK;
}

static Status note_pipeline(Ctx *ctx, Look *look, int64_t id)
{
    for (size_t i = 0; i < look->pipeline_count; i++) {
        if (look->pipelines[i] == id)
            return OK;
    }
    if (look->pipeline_count == look->pipeline_capacity) {
        size_t capacity = MAX(look->pipeline_capacity * 2, (size_t)64);
        int64_t *ids = ARENA_NEW(ctx->arena, int64_t, capacity);
        if (!ids)
            return STATUS(RESOURCE_EXHAUSTED);
        if (look->pipeline_count)
            memcpy(ids, look->pipelines, look->pipeline_count * sizeof(*ids));
        look->pipelines = ids;
        look->pipeline_capacity = capacity;
    }
    look->pipelines[look->pipeline_count++] = id;
    return OK;
}

static Status see_pipeline(void *arg, Ctx *ctx, const PpsPipelineRow *row)
{
    Look *look = arg;
    const char *reason;
    bool crashing = row->state == PPS_V2__PIPELINE_STATE__PIPELINE_CRASHING;
    if (crashing)
        look->due_ns = MIN(look->due_ns, clock_wall_ns() + IMAGE_RETRY_NS);
    if (wanted_event(ctx, look->control, row, &reason) == PIPELINE_EVENT_COUNT && !crashing)
        return OK;
    return note_pipeline(ctx, look, row->id);
}

/* All that run, as no worker can run any of them. Who crashed for that is not seen here again. */
static Status see_running(Ctx *ctx, PfsTx *tx, Look *look)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows, "SELECT id FROM pps_pipeline WHERE state = 2", ""));
    for (;;) {
        bool more;
        TRY(db_next(ctx, &rows, &more));
        if (!more)
            return OK;
        TRY(note_pipeline(ctx, look, db_int(&rows, 0)));
    }
}

/* Pipelines whose process cannot run although their rows say that it does. */
static Status see_troubled(Ctx *ctx, PfsTx *tx, Look *look)
{
    if (workers_trouble(ctx, look->control))
        TRY(see_running(ctx, tx, look));
    LOCKED(&look->control->lock);
    for (const JobRun *run = look->control->runs; run; run = run->next) {
        if (run->trouble || (run->serves && trouble_of_group(look->control, run->group, 1)))
            TRY(note_pipeline(ctx, look, run->pipeline));
    }
    return OK;
}

static Status step_all(Ctx *ctx, Look *look)
{
    Pfs *pfs = pps_pfs(look->control->pps);
    for (size_t i = 0; i < look->pipeline_count; i++) {
        PpsPipelineRow row;
        {
            CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
            TRY(pfs_begin_read(ctx, pfs, &tx));
            Status s = pps_pipeline_row(ctx, tx, look->pipelines[i], &row);
            if (s.code == STATUS_NOT_FOUND)
                continue;
            TRY(s);
        }
        if (row.state == PPS_V2__PIPELINE_STATE__PIPELINE_CRASHING && !*row.image_digest)
            TRY(retry_image(ctx, look->control, &row));
        else
            TRY(step_pipeline(ctx, look->control, &row));
    }
    return OK;
}

Status look_at_pipelines(Ctx *ctx, Control *control, bool *out_any_live, int64_t *due_ns)
{
    Look look = { .control = control, .due_ns = *due_ns };
    {
        CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
        TRY(pfs_begin_read(ctx, pps_pfs(control->pps), &tx));
        TRY(pps_any_live(ctx, tx, out_any_live));
        TRY(pps_each_moving_pipeline(ctx, tx, see_pipeline, &look));
        TRY(see_troubled(ctx, tx, &look));
    }
    *due_ns = look.due_ns;
    return step_all(ctx, &look);
}
