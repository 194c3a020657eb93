/* spouts.c - which spouts are to run. The list is read once from the rows of pipelines and kept by
 * the moves of their states from there on, so that a turn of the control thread costs what there
 * are of them, not of pipelines. The control thread's own. */
#include "control/control_priv.h"

#include <stdlib.h>

void spouts_want(Control *control, int64_t pipeline)
{
    for (const WantedSpout *spout = control->spouts; spout; spout = spout->next) {
        if (spout->pipeline == pipeline)
            return;
    }
    WantedSpout *spout = calloc(1, sizeof(*spout));
    if (!spout)
        abort();
    *spout = (WantedSpout){ pipeline, control->spouts };
    control->spouts = spout;
}

void spouts_forget(Control *control)
{
    while (control->spouts) {
        WantedSpout *spout = control->spouts;
        control->spouts = spout->next;
        free(spout);
    }
}

static Status see_pipeline(void *arg, Ctx *ctx, const PpsPipelineRow *row)
{
    (void)ctx;
    if (pps_is_spout(row->info) && pipeline_has_workers(row->state))
        spouts_want(arg, row->id);
    return OK;
}

static Status read_all(Ctx *ctx, Control *control)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps_pfs(control->pps), &tx));
    TRY(pps_each_pipeline(ctx, tx, see_pipeline, control));
    control->spouts_known = true;
    return OK;
}

static bool has_run(Control *control, int64_t pipeline)
{
    LOCKED(&control->lock);
    return job_run_of_pipeline(control, pipeline) != NULL;
}

/* *out_up: it stays in the list. A crashing one that has no run waits until it may run. */
static Status look_at_one(Ctx *ctx, Control *control, int64_t pipeline, bool *out_up)
{
    PpsPipelineRow row;
    {
        CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
        TRY(pfs_begin_read(ctx, pps_pfs(control->pps), &tx));
        Status s = pps_pipeline_row(ctx, tx, pipeline, &row);
        *out_up = status_ok(s) && pps_is_spout(row.info) && pipeline_has_workers(row.state) &&
                  !row.stopped;
        if (!*out_up)
            return s.code == STATUS_NOT_FOUND ? OK : s;
    }
    if (row.state != PPS_V2__PIPELINE_STATE__PIPELINE_RUNNING || has_run(control, pipeline))
        return OK;
    const PpsJobRow job = { .id = -pipeline, .pipeline_id = pipeline, .version = row.version };
    return job_run_start(ctx, control, &job, true);
}

Status spouts_look(Ctx *ctx, Control *control)
{
    if (!control->spouts_known)
        TRY(read_all(ctx, control));
    for (WantedSpout **at = &control->spouts; *at;) {
        ArenaMark mark = arena_mark(ctx->arena);
        WantedSpout *spout = *at;
        bool up;
        TRY(look_at_one(ctx, control, spout->pipeline, &up));
        arena_rewind(ctx->arena, mark);
        if (up) {
            at = &spout->next;
            continue;
        }
        *at = spout->next;
        free(spout);
    }
    return OK;
}
