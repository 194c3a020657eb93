/* cron_tick.c - ticks of cron inputs: commits with an empty file named after the time (§20). When a
 * tick is due is the controller's business. */
#include "base/clock.h"
#include "codec/moment.h"
#include "pfs/write.h"
#include "pps/pps_priv.h"

static PfsV2__Commit *tick_target(Ctx *ctx, const PpsV2__CronInput *cron)
{
    const char *project = *cron->project ? cron->project : "default";
    PfsV2__Commit *commit = PB_NEW(ctx, pfs_v2__commit, PfsV2__Commit);
    commit->repo = pfs_repo_ref(ctx, project, cron->repo, "user");
    commit->branch = pfs_branch_ref(ctx, project, cron->repo, "master");
    return commit;
}

Status pps_cron_tick(Ctx *ctx, Pps *pps, const PpsV2__CronInput *cron, int64_t at_ns)
{
    char name[MOMENT_TEXT_SIZE + 1] = "/";
    moment_format_seconds(at_ns, name + 1);
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(pps->pfs);
    TRY(pfs_writer_target(ctx, writer, tick_target(ctx, cron)));
    if (cron->overwrite)
        TRY(pfs_writer_delete(ctx, writer, STR("/"), STR("")));
    TRY(pfs_writer_put(ctx, writer, str(name), STR(""), bytes(NULL, 0)));
    return pfs_writer_commit(ctx, writer);
}

static Status keep_newest(void *arg, Ctx *ctx, const PfsV2__FileInfo *info)
{
    (void)ctx;
    int64_t *newest = arg, at;
    if (moment_parse_ns(str(info->file->path + 1), &at) && at > *newest)
        *newest = at;
    return OK;
}

Status pps_cron_last(Ctx *ctx, Pps *pps, const PpsV2__CronInput *cron, int64_t *out_ns)
{
    int64_t newest = 0, start = pb_timestamp_ns(cron->start);
    PfsV2__File file;
    pfs_v2__file__init(&file);
    file.commit = tick_target(ctx, cron);
    PfsV2__ListFileRequest request;
    pfs_v2__list_file_request__init(&request);
    request.file = &file;
    request.number = 1;
    request.reverse = true;
    Status s = pfs_list_file(ctx, pps->pfs, &request, keep_newest, &newest);
    if (!status_ok(s) && s.code != STATUS_NOT_FOUND)
        return s;
    *out_ns = MAX(newest, start);
    return OK;
}

typedef struct CronList {
    const PpsV2__CronInput **items;
    size_t n;
} CronList;

static Status count_cron(void *arg, Ctx *ctx, PpsV2__Input *node)
{
    (void)ctx;
    CronList *list = arg;
    if (input_kind(node) == INPUT_CRON) {
        if (list->items)
            list->items[list->n] = node->cron;
        list->n++;
    }
    return OK;
}

static Status cron_inputs(Ctx *ctx, Pps *pps, const PpsV2__Pipeline *pipeline, CronList *out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps->pfs, &tx));
    PpsV2__InspectPipelineRequest inspect;
    pps_v2__inspect_pipeline_request__init(&inspect);
    inspect.pipeline = PB_CLONE(ctx, PpsV2__Pipeline, pipeline);
    inspect.details = true;
    PpsV2__PipelineInfo *info;
    TRY(pps_inspect_pipeline(ctx, tx, &inspect, &info));
    *out = (CronList){ 0 };
    if (!info->details->input)
        return OK;
    TRY(input_visit(ctx, info->details->input, count_cron, out));
    out->items = ARENA_NEW(ctx->arena, const PpsV2__CronInput *, out->n + 1);
    if (!out->items)
        return STATUS(RESOURCE_EXHAUSTED);
    out->n = 0;
    return input_visit(ctx, info->details->input, count_cron, out);
}

Status pps_run_cron(Ctx *ctx, Pps *pps, const PpsV2__Pipeline *pipeline)
{
    CronList crons;
    TRY(cron_inputs(ctx, pps, pipeline, &crons));
    if (!crons.n)
        return FAIL(ctx, UNKNOWN, "pipeline doesn't have a cron input");
    for (size_t i = 0; i < crons.n; i++)
        TRY(pps_cron_tick(ctx, pps, crons.items[i], clock_wall_ns()));
    return OK;
}
