/* spout.c - who may write to a pipeline's own output, and what becomes of commits that nobody will
 * (§19). */
#include "base/text.h"
#include "pps/pps_priv.h"

bool pps_is_spout(const PpsV2__PipelineInfo *info)
{
    return info->type == PPS_V2__PIPELINE_INFO__PIPELINE_TYPE__PIPELINE_TYPE_SPOUT;
}

char *pps_pipeline_user(Ctx *ctx, const char *project, const char *name)
{
    return text_printf(ctx->arena, "pipeline:%s/%s", project, name);
}

/* A spout's process writes to its output branch in its pipeline's name. */
Status pps_user_may_start(void *self, Ctx *ctx, PfsTx *tx, const PfsV2__Branch *branch, bool *out)
{
    (void)self;
    const char *project = pps_project_of(branch->repo->project);
    *out = false;
    if (strcmp(branch->repo->type, "user") != 0 ||
        strcmp(ctx->user, pps_pipeline_user(ctx, project, branch->repo->name)) != 0)
        return OK;
    bool found;
    int64_t id;
    PpsPipelineRow row;
    TRY(pps_has_pipeline(ctx, tx, project, branch->repo->name, &found, &id));
    if (!found)
        return OK;
    TRY(pps_pipeline_row(ctx, tx, id, &row));
    *out = pps_is_spout(row.info) && strcmp(row.info->details->output_branch, branch->name) == 0;
    return OK;
}
