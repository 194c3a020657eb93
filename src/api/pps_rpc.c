/* pps_rpc.c - pps_v2.API. */
#include "api/sieve.h"
#include "codec/pb.h"
#include "pps/log.h"

/* --- pipelines -------------------------------------------------------------------------------- */

static Status create_pipeline(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    const PpsV2__CreatePipelineRequest *r = request;
    PpsV2__CreatePipelineTransaction *prepared;
    TRY(pps_prepare_v1(call->ctx, tx, r, &prepared));
    return r->dry_run ? OK : pps_create_pipeline(call->ctx, tx, call->api->config.pps, prepared);
}

/* It changes nothing, so there is nothing to put off to the end of a transaction. */
static bool is_dry_run(const void *request)
{
    return ((const PpsV2__CreatePipelineRequest *)request)->dry_run;
}

/* A dry run answers with the merged spec and looks no further. */
static Status create_pipeline_v2(Call *call, PfsTx *tx, const void *request, void **response)
{
    const PpsV2__CreatePipelineV2Request *r = request;
    PpsV2__CreatePipelineTransaction *prepared;
    TRY(pps_prepare(call->ctx, tx, r, &prepared));
    PpsV2__CreatePipelineV2Response *answer =
        CALL_NEW(call, PpsV2__CreatePipelineV2Response, pps_v2__create_pipeline_v2_response__init);
    TRY(pps_prepared_json(call->ctx, prepared, &answer->effective_create_pipeline_request_json));
    *response = answer;
    return r->dry_run ? OK : pps_create_pipeline(call->ctx, tx, call->api->config.pps, prepared);
}

static bool is_dry_run_v2(const void *request)
{
    return ((const PpsV2__CreatePipelineV2Request *)request)->dry_run;
}

static Status inspect_pipeline(Call *call, PfsTx *tx, const void *request, void **response)
{
    PpsV2__PipelineInfo *info;
    TRY(pps_inspect_pipeline(call->ctx, tx, request, &info));
    const PpsV2__Pipeline *pipeline = info->pipeline;
    int64_t id;
    TRY(pps_find_pipeline(call->ctx, tx, pipeline->project->name, pipeline->name, &id));
    control_describe(call->ctx, call->api->config.control, id, info);
    *response = info;
    return OK;
}

static Status send_pipeline(void *sieve, Ctx *ctx, const PpsV2__PipelineInfo *info)
{
    Status s = sieve_send(ctx, sieve, &info->base);
    return s.code == STATUS_UNKNOWN ? status_wrap(ctx, s, "could not list pipeline info") : s;
}

/* Pages are of what the filter keeps. A number beyond all pages is one of the last. */
static Status begin_page(Call *call, const PpsV2__ListPipelineRequest *r, Sieve *out)
{
    const PpsV2__PipelinePage *page = r->page;
    int64_t size = page ? MAX(page->page_size, INT64_C(0)) : 0;
    TRY(sieve_begin(call, r->jqfilter, "pipeline", size, out));
    if (size && __builtin_mul_overflow(size, MAX(page->page_index, INT64_C(0)), &out->skip))
        out->skip = INT64_MAX;
    return OK;
}

static Status list_pipeline(Call *call, const void *request)
{
    const PpsV2__ListPipelineRequest *r = request;
    CLEANUP(sieve_done) Sieve sieve;
    TRY(begin_page(call, r, &sieve));
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(call->ctx, call->api->config.pfs, &tx));
    return sieve_result(pps_list_pipeline(call->ctx, tx, r, send_pipeline, &sieve));
}

static Status delete_pipeline(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    return pps_delete_pipeline(call->ctx, tx, request);
}

static Status delete_pipelines(Call *call, PfsTx *tx, const void *request, void **response)
{
    return pps_delete_pipelines(call->ctx, tx, request,
                                (PpsV2__DeletePipelinesResponse **)response);
}

static Status delete_all(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)request;
    (void)response;
    return pps_delete_all(call->ctx, tx);
}

static Status start_pipeline(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    return pps_start_pipeline(call->ctx, tx, request);
}

static Status stop_pipeline(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    return pps_stop_pipeline(call->ctx, tx, request);
}

static Status rerun_pipeline(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    return pps_rerun_pipeline(call->ctx, tx, call->api->config.pps, request);
}

static Status run_pipeline(Call *call, const void *request, void **response)
{
    (void)request;
    (void)response;
    return FAIL(call->ctx, UNKNOWN, "unimplemented");
}

static Status run_cron(Call *call, const void *request, void **response)
{
    (void)response;
    const PpsV2__RunCronRequest *r = request;
    return pps_run_cron(call->ctx, call->api->config.pps, r->pipeline);
}

static Status send_check(void *call, Ctx *ctx, const PpsV2__CheckStatusResponse *answer)
{
    (void)ctx;
    return call_send(call, &answer->base);
}

static Status check_status(Call *call, const void *request)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(call->ctx, call->api->config.pfs, &tx));
    return pps_check_status(call->ctx, tx, request, send_check, call);
}

static Status summary(Call *call, PfsTx *tx, const void *request, void **response)
{
    return pps_summary(call->ctx, tx, request, (PpsV2__PipelinesSummaryResponse **)response);
}

/* --- jobs and datums -------------------------------------------------------------------------- */

/* What only the controller knows: who works on a running job. */
static Status add_workers(Call *call, PpsV2__JobInfo *info)
{
    if (!info->details || info->state != PPS_V2__JOB_STATE__JOB_RUNNING)
        return OK;
    PpsJobRow row;
    {
        CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
        TRY(pfs_begin_read(call->ctx, call->api->config.pfs, &tx));
        TRY(pps_find_job(call->ctx, tx, info->job, &row));
    }
    return control_worker_status(call->ctx, call->api->config.control, row.id,
                                 &info->details->worker_status, &info->details->n_worker_status);
}

static Status inspect_job(Call *call, const void *request, void **response)
{
    PpsV2__JobInfo *info;
    TRY(pps_inspect_job(call->ctx, call->api->config.pps, request, &info));
    TRY(add_workers(call, info));
    *response = info;
    return OK;
}

static Status send_job(void *call, Ctx *ctx, const PpsV2__JobInfo *info)
{
    (void)ctx;
    return call_send(call, &info->base);
}

static Status inspect_job_set(Call *call, const void *request)
{
    return pps_inspect_job_set(call->ctx, call->api->config.pps, request, send_job, call);
}

static Status list_kept_job(void *sieve, Ctx *ctx, const PpsV2__JobInfo *info)
{
    return sieve_send(ctx, sieve, &info->base);
}

/* Of what the filter keeps `number` are sent: so the sieve counts, not the walk. */
static Status list_job(Call *call, const void *request)
{
    PpsV2__ListJobRequest all = *(const PpsV2__ListJobRequest *)request;
    CLEANUP(sieve_done) Sieve sieve;
    TRY(sieve_begin(call, all.jqfilter, "job", all.number, &sieve));
    all.number = 0;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(call->ctx, call->api->config.pfs, &tx));
    return sieve_result(pps_list_job(call->ctx, tx, &all, list_kept_job, &sieve));
}

/* The filter judges jobs; a set that it leaves empty is none. */
static Status list_kept_set(void *sieve, Ctx *ctx, const PpsV2__JobSetInfo *info)
{
    PpsV2__JobSetInfo kept = *info;
    kept.jobs = ARENA_NEW(ctx->arena, PpsV2__JobInfo *, info->n_jobs);
    if (!kept.jobs)
        return STATUS(RESOURCE_EXHAUSTED);
    kept.n_jobs = 0;
    for (size_t i = 0; i < info->n_jobs; i++) {
        bool keep;
        TRY(sieve_keeps(ctx, sieve, &info->jobs[i]->base, &keep));
        if (keep)
            kept.jobs[kept.n_jobs++] = info->jobs[i];
    }
    return kept.n_jobs ? sieve_pass(sieve, &kept.base) : OK;
}

static Status list_job_set(Call *call, const void *request)
{
    PpsV2__ListJobSetRequest all = *(const PpsV2__ListJobSetRequest *)request;
    CLEANUP(sieve_done) Sieve sieve;
    TRY(sieve_begin(call, all.jqfilter, "job", all.number, &sieve));
    all.number = MIN(all.number, INT64_C(0)); /* a negative one is refused below */
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(call->ctx, call->api->config.pfs, &tx));
    return sieve_result(pps_list_job_set(call->ctx, tx, &all, list_kept_set, &sieve));
}

static Status subscribe_job(Call *call, const void *request)
{
    return pps_subscribe_job(call->ctx, call->api->config.pps, request, send_job, call);
}

static Status stop_job(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    return pps_stop_job(call->ctx, tx, request);
}

static Status delete_job(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    return pps_delete_job(call->ctx, tx, ((const PpsV2__DeleteJobRequest *)request)->job);
}

static Status update_job_state(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    return pps_update_job_state(call->ctx, tx, request);
}

static Status inspect_datum(Call *call, const void *request, void **response)
{
    return pps_inspect_datum(call->ctx, call->api->config.pps,
                             ((const PpsV2__InspectDatumRequest *)request)->datum,
                             (PpsV2__DatumInfo **)response);
}

static Status send_datum(void *call, Ctx *ctx, const PpsV2__DatumInfo *info)
{
    (void)ctx;
    return call_send(call, &info->base);
}

static Status list_datum(Call *call, const void *request)
{
    return pps_list_datum(call->ctx, call->api->config.pps, request, send_datum, call);
}

static Status restart_datum(Call *call, const void *request, void **response)
{
    (void)response;
    return control_restart_datum(call->ctx, call->api->config.control, request);
}

static Status send_log(void *call, Ctx *ctx, const PpsV2__LogMessage *line)
{
    (void)ctx;
    return call_send(call, &line->base);
}

static Status get_logs(Call *call, const void *request)
{
    const PpsV2__GetLogsRequest *r = request;
    if (!r->pipeline && !r->job)
        return server_log(call, r);
    const PpsPending pending = { control_pending_datum, call->api->config.control };
    return pps_get_logs(call->ctx, call->api->config.pps, request, &pending, send_log, call);
}

/* --- secrets and defaults --------------------------------------------------------------------- */

static Status create_secret(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    const PpsV2__CreateSecretRequest *r = request;
    return pps_create_secret(call->ctx, tx, bytes(r->file.data, r->file.len));
}

static Status delete_secret(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    return pps_delete_secret(call->ctx, tx,
                             ((const PpsV2__DeleteSecretRequest *)request)->secret->name);
}

static Status inspect_secret(Call *call, PfsTx *tx, const void *request, void **response)
{
    return pps_inspect_secret(call->ctx, tx,
                              ((const PpsV2__InspectSecretRequest *)request)->secret->name,
                              (PpsV2__SecretInfo **)response);
}

static Status list_secret(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)request;
    return pps_list_secret(call->ctx, tx, (PpsV2__SecretInfos **)response);
}

static Status get_cluster_defaults(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)request;
    const char *json;
    TRY(pps_get_cluster_defaults(call->ctx, tx, &json));
    PpsV2__GetClusterDefaultsResponse *answer = CALL_NEW(
        call, PpsV2__GetClusterDefaultsResponse, pps_v2__get_cluster_defaults_response__init);
    answer->cluster_defaults_json = arena_strdup(call->ctx->arena, json);
    *response = answer;
    return OK;
}

/* A dry run's transaction is given up: so these begin their own. */
static Status set_cluster_defaults(Call *call, const void *request, void **response)
{
    const PpsV2__SetClusterDefaultsRequest *r = request;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(call->ctx, call->api->config.pfs, NULL, &tx));
    TRY(pps_set_cluster_defaults(call->ctx, tx, call->api->config.pps, r,
                                 (PpsV2__SetClusterDefaultsResponse **)response));
    return r->dry_run ? OK : pfs_commit(call->ctx, STEAL(tx));
}

static Status get_project_defaults(Call *call, PfsTx *tx, const void *request, void **response)
{
    return pps_get_project_defaults(call->ctx, tx,
                                    ((const PpsV2__GetProjectDefaultsRequest *)request)->project,
                                    (PpsV2__GetProjectDefaultsResponse **)response);
}

static Status set_project_defaults(Call *call, const void *request, void **response)
{
    const PpsV2__SetProjectDefaultsRequest *r = request;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(call->ctx, call->api->config.pfs, NULL, &tx));
    TRY(pps_set_project_defaults(call->ctx, tx, call->api->config.pps, r,
                                 (PpsV2__SetProjectDefaultsResponse **)response));
    return r->dry_run ? OK : pfs_commit(call->ctx, STEAL(tx));
}

static const ApiMethod methods[] = {
    { .path = "/pps_v2.API/CreatePipeline",
      .write = create_pipeline,
      .batched = true,
      .alone = is_dry_run },
    { .path = "/pps_v2.API/CreatePipelineV2",
      .write = create_pipeline_v2,
      .batched = true,
      .alone = is_dry_run_v2 },
    { .path = "/pps_v2.API/InspectPipeline", .read = inspect_pipeline },
    { .path = "/pps_v2.API/ListPipeline", .stream = list_pipeline },
    { .path = "/pps_v2.API/DeletePipeline", .write = delete_pipeline },
    { .path = "/pps_v2.API/DeletePipelines", .write = delete_pipelines },
    { .path = "/pps_v2.API/DeleteAll", .write = delete_all },
    { .path = "/pps_v2.API/StartPipeline", .write = start_pipeline },
    { .path = "/pps_v2.API/StopPipeline", .write = stop_pipeline },
    { .path = "/pps_v2.API/RerunPipeline", .write = rerun_pipeline },
    { .path = "/pps_v2.API/RunPipeline", .unary = run_pipeline },
    { .path = "/pps_v2.API/RunCron", .unary = run_cron },
    { .path = "/pps_v2.API/CheckStatus", .stream = check_status },
    { .path = "/pps_v2.API/PipelinesSummary", .read = summary },
    { .path = "/pps_v2.API/InspectJob", .unary = inspect_job },
    { .path = "/pps_v2.API/InspectJobSet", .stream = inspect_job_set },
    { .path = "/pps_v2.API/ListJob", .stream = list_job },
    { .path = "/pps_v2.API/ListJobSet", .stream = list_job_set },
    { .path = "/pps_v2.API/SubscribeJob", .stream = subscribe_job },
    { .path = "/pps_v2.API/StopJob", .write = stop_job, .batched = true },
    { .path = "/pps_v2.API/DeleteJob", .write = delete_job },
    { .path = "/pps_v2.API/UpdateJobState", .write = update_job_state, .batched = true },
    { .path = "/pps_v2.API/InspectDatum", .unary = inspect_datum },
    { .path = "/pps_v2.API/ListDatum", .stream = list_datum },
    { .path = "/pps_v2.API/RestartDatum", .unary = restart_datum },
    { .path = "/pps_v2.API/GetLogs", .stream = get_logs },
    { .path = "/pps_v2.API/CreateSecret", .write = create_secret },
    { .path = "/pps_v2.API/DeleteSecret", .write = delete_secret },
    { .path = "/pps_v2.API/InspectSecret", .read = inspect_secret },
    { .path = "/pps_v2.API/ListSecret", .read = list_secret },
    { .path = "/pps_v2.API/GetClusterDefaults", .read = get_cluster_defaults },
    { .path = "/pps_v2.API/SetClusterDefaults", .unary = set_cluster_defaults },
    { .path = "/pps_v2.API/GetProjectDefaults", .read = get_project_defaults },
    { .path = "/pps_v2.API/SetProjectDefaults", .unary = set_project_defaults },
};

const ApiTable api_pps_table = { methods, ARRAY_LEN(methods) };
