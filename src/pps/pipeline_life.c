/* pipeline_life.c - a pipeline after its creation: stopped, started, rerun, deleted, summed up
 * (§7). */
#include "base/clock.h"
#include "base/text.h"
#include "codec/moment.h"
#include "pps/log_priv.h"

static Status set_stopped(Ctx *ctx, PfsTx *tx, const PpsPipelineRow *row, bool stopped)
{
    TRY(db_exec(ctx, pfs_tx_db(tx), NULL, "UPDATE pps_pipeline SET stopped = ? WHERE id = ?", "ii",
                (int64_t)stopped, row->id));
    pps_note_pipeline(tx, row->id, row->project, row->name);
    return OK;
}

static const char *stop_reason(Ctx *ctx)
{
    return text_printf(ctx->arena, "all jobs killed because pipeline was stopped for user %s",
                       *ctx->user ? ctx->user : "unknown_username");
}

static Status stop_row(Ctx *ctx, PfsTx *tx, const PpsPipelineRow *row)
{
    TRY(pps_connect_branches(ctx, tx, row->info, false));
    TRY(set_stopped(ctx, tx, row, true));
    return pps_kill_jobs(ctx, tx, row->id, stop_reason(ctx));
}

Status pps_stop_pipeline(Ctx *ctx, PfsTx *tx, const PpsV2__StopPipelineRequest *request)
{
    if (!request->pipeline)
        return FAIL(ctx, UNKNOWN, "request.Pipeline cannot be nil");
    int64_t id;
    Status s = pps_find_inspected(ctx, tx, request->pipeline, &id);
    if (s.code == STATUS_NOT_FOUND && !request->must_exist)
        return OK;
    TRY(s);
    PpsPipelineRow row;
    TRY(pps_pipeline_row(ctx, tx, id, &row));
    return stop_row(ctx, tx, &row);
}

Status pps_start_pipeline(Ctx *ctx, PfsTx *tx, const PpsV2__StartPipelineRequest *request)
{
    if (!request->pipeline)
        return FAIL(ctx, UNKNOWN, "request.Pipeline cannot be nil");
    int64_t id;
    TRY(pps_find_inspected(ctx, tx, request->pipeline, &id));
    PpsPipelineRow row;
    TRY(pps_pipeline_row(ctx, tx, id, &row));
    TRY(pps_connect_branches(ctx, tx, row.info, true));
    return set_stopped(ctx, tx, &row, false);
}

Status pps_rerun_pipeline(Ctx *ctx, PfsTx *tx, Pps *pps, const PpsV2__RerunPipelineRequest *request)
{
    const char *project = pps_pipeline_project(request->pipeline);
    int64_t id;
    PpsPipelineRow row;
    TRY_WRAP(ctx, pps_find_pipeline(ctx, tx, project, request->pipeline->name, &id),
             "inspect pipeline \"%s/%s\"", project, request->pipeline->name);
    TRY(pps_pipeline_row(ctx, tx, id, &row));
    PpsV2__CreatePipelineTransaction *prepared;
    TRY(pps_prepare_again(ctx, &row, request->reprocess, &prepared));
    return pps_create_pipeline(ctx, tx, pps, prepared);
}

/* --- deleting (§7.5, §7.6) -------------------------------------------------------------------- */

static Status delete_rows(Ctx *ctx, PfsTx *tx, const PpsPipelineRow *row)
{
    DbTx *db = pfs_tx_db(tx);
    TRY(log_delete_pipeline(ctx, tx, row->id));
    TRY(db_exec(ctx, db, NULL, "DELETE FROM pps_job WHERE pipeline = ?", "i", row->id));
    TRY(db_exec(ctx, db, NULL, "DELETE FROM pps_pipeline_version WHERE pipeline = ?", "i",
                row->id));
    TRY(db_exec(ctx, db, NULL, "DELETE FROM pps_pipeline WHERE id = ?", "i", row->id));
    pps_note_pipeline(tx, row->id, row->project, row->name);
    return OK;
}

static Status delete_repo(Ctx *ctx, PfsTx *tx, PfsV2__Repo *repo, bool force)
{
    PfsV2__DeleteRepoRequest request;
    pfs_v2__delete_repo_request__init(&request);
    request.repo = repo;
    request.force = force;
    bool deleted;
    return pfs_delete_repo(ctx, tx, &request, &deleted);
}

/* A cron repo goes with the pipeline unless it held data before the pipeline did: its description
 * tells. */
static Status delete_cron_repos(Ctx *ctx, PfsTx *tx, const PpsPipelineRow *row, bool force)
{
    InputBranch *inputs;
    size_t n;
    TRY(input_branches(ctx, row->info->details->input, &inputs, &n));
    for (size_t i = 0; i < n; i++) {
        PfsV2__RepoInfo *info;
        if (!inputs[i].is_cron ||
            !status_ok(pfs_inspect_repo(ctx, tx, inputs[i].branch->repo, &info)))
            continue;
        const char *ours =
            text_printf(ctx->arena, "Cron tick repo for pipeline %s/%s.", row->project, row->name);
        if (strcmp(info->description, ours) == 0)
            TRY(delete_repo(ctx, tx, inputs[i].branch->repo, force));
    }
    return OK;
}

static Status delete_row(Ctx *ctx, PfsTx *tx, const PpsPipelineRow *row, bool force, bool keep_repo)
{
    TRY(stop_row(ctx, tx, row));
    TRY(delete_rows(ctx, tx, row));
    if (keep_repo) {
        TRY(delete_repo(ctx, tx, pfs_repo_ref(ctx, row->project, row->name, "spec"), true));
        TRY(delete_repo(ctx, tx, pfs_repo_ref(ctx, row->project, row->name, "meta"), true));
    } else {
        TRY(delete_repo(ctx, tx, pfs_repo_ref(ctx, row->project, row->name, "user"), force));
    }
    return delete_cron_repos(ctx, tx, row, force);
}

static bool asks_for_all(const PpsV2__DeletePipelineRequest *request)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* clients of old send it */
    return request->all;
#pragma GCC diagnostic pop
}

/* `all` deletes nothing, nor what is named beside it: deleting everything is DeletePipelines'
 * business. */
Status pps_delete_pipeline(Ctx *ctx, PfsTx *tx, const PpsV2__DeletePipelineRequest *request)
{
    if (asks_for_all(request))
        return OK;
    int64_t id;
    Status s = pps_find_inspected(ctx, tx, request->pipeline, &id);
    if (s.code == STATUS_NOT_FOUND && !request->must_exist)
        return OK;
    TRY_WRAP(ctx, s, "error stopping pipeline %s/%s", pps_pipeline_project(request->pipeline),
             request->pipeline->name);
    PpsPipelineRow row;
    TRY(pps_pipeline_row(ctx, tx, id, &row));
    return delete_row(ctx, tx, &row, request->force, request->keep_repo);
}

/* Downstream first, so that the middle of a chain goes without force: newer pipelines read older
 * ones' repos, and a repo that something else still reads is refused below. */
static Status newest_first(Ctx *ctx, PfsTx *tx, int64_t **out_ids, size_t *out_n)
{
    int64_t count;
    TRY(db_query_int(ctx, pfs_tx_db(tx), &count, "SELECT COUNT(*) FROM pps_pipeline", ""));
    *out_ids = ARENA_NEW(ctx->arena, int64_t, (size_t)count + 1);
    if (!*out_ids)
        return STATUS(RESOURCE_EXHAUSTED);
    *out_n = 0;
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT p.id FROM pps_pipeline p JOIN pps_pipeline_version v ON v.pipeline = p.id "
                 "AND v.version = p.version "
                 "ORDER BY v.seq DESC",
                 ""));
    DB_EACH (ctx, &rows)
        (*out_ids)[(*out_n)++] = db_int(&rows, 0);
    return OK;
}

static bool is_asked(const PpsV2__DeletePipelinesRequest *request, const char *project)
{
    for (size_t i = 0; i < request->n_projects; i++) {
        if (strcmp(pps_project_of(request->projects[i]), project) == 0)
            return true;
    }
    return request->all;
}

/* Branches of what goes are cut off first, all of them, so that the order of the repos does not
 * matter. */
static Status cut_off(Ctx *ctx, PfsTx *tx, const PpsPipelineRow *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        TRY_WRAP(ctx, stop_row(ctx, tx, &rows[i]), "error stopping pipeline %s/%s", rows[i].project,
                 rows[i].name);
    return OK;
}

Status pps_delete_pipelines(Ctx *ctx, PfsTx *tx, const PpsV2__DeletePipelinesRequest *request,
                            PpsV2__DeletePipelinesResponse **out)
{
    int64_t *ids;
    size_t n, going = 0;
    TRY(newest_first(ctx, tx, &ids, &n));
    PpsPipelineRow *rows = ARENA_NEW(ctx->arena, PpsPipelineRow, n + 1);
    PpsV2__DeletePipelinesResponse *answer =
        PB_NEW(ctx, pps_v2__delete_pipelines_response, PpsV2__DeletePipelinesResponse);
    answer->pipelines = ARENA_NEW(ctx->arena, PpsV2__Pipeline *, n + 1);
    if (!rows || !answer->pipelines)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < n; i++) {
        TRY(pps_pipeline_row(ctx, tx, ids[i], &rows[going]));
        going += is_asked(request, rows[going].project);
    }
    TRY(cut_off(ctx, tx, rows, going));
    for (size_t i = 0; i < going; i++) {
        TRY(delete_row(ctx, tx, &rows[i], request->force, request->keep_repo));
        answer->pipelines[answer->n_pipelines++] =
            pps_pipeline_ref(ctx, rows[i].project, rows[i].name);
    }
    *out = answer;
    return OK;
}

Status pps_delete_all(Ctx *ctx, PfsTx *tx)
{
    PpsV2__DeletePipelinesRequest request;
    pps_v2__delete_pipelines_request__init(&request);
    request.all = request.force = true;
    PpsV2__DeletePipelinesResponse *ignored;
    TRY(pps_delete_pipelines(ctx, tx, &request, &ignored));
    return db_exec(ctx, pfs_tx_db(tx), NULL, "DELETE FROM pps_secret", "");
}

/* --- sums (§26.33, §26.22) -------------------------------------------------------------------- */

static Status summary_of(Ctx *ctx, PfsTx *tx, const char *project, PpsV2__PipelinesSummary **out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT COUNT(*), SUM(CASE WHEN state NOT IN (4, 5, 7) THEN 1 ELSE 0 END),"
                 " SUM(CASE WHEN state = 5 THEN 1 ELSE 0 END), SUM(CASE WHEN state IN (4, 7) THEN "
                 "1 ELSE 0 END),"
                 " SUM(CASE WHEN (SELECT j.state FROM pps_job j WHERE j.pipeline = p.id ORDER BY "
                 "j.id DESC LIMIT 1)"
                 "  IN (4, 6, 9) THEN 1 ELSE 0 END) FROM pps_pipeline p WHERE project = ?",
                 "s", project));
    bool more;
    TRY(db_next(ctx, &rows, &more));
    *out = NULL;
    if (!more || db_int(&rows, 0) == 0)
        return OK;
    PpsV2__PipelinesSummary *summary =
        PB_NEW(ctx, pps_v2__pipelines_summary, PpsV2__PipelinesSummary);
    summary->project = PB_NEW(ctx, pfs_v2__project, PfsV2__Project);
    summary->project->name = arena_strdup(ctx->arena, project);
    summary->active_pipelines = db_int(&rows, 1);
    summary->paused_pipelines = db_int(&rows, 2);
    summary->failed_pipelines = db_int(&rows, 3);
    summary->unhealthy_pipelines = db_int(&rows, 4);
    *out = summary;
    return OK;
}

typedef struct ProjectNames {
    Ctx *ctx; /* where they are kept: the listing rewinds its own */
    const char **names;
    size_t n, capacity;
} ProjectNames;

static Status add_project_name(void *arg, Ctx *scratch, const PfsV2__ProjectInfo *info)
{
    (void)scratch;
    ProjectNames *list = arg;
    Ctx *ctx = list->ctx;
    if (list->n == list->capacity) {
        list->capacity = MAX(list->capacity * 2, (size_t)16);
        const char **names = ARENA_NEW(ctx->arena, const char *, list->capacity);
        if (!names)
            return STATUS(RESOURCE_EXHAUSTED);
        if (list->n)
            memcpy(names, list->names, list->n * sizeof(*names));
        list->names = names;
    }
    list->names[list->n++] = arena_strdup(ctx->arena, info->project->name);
    return OK;
}

static Status asked_projects(Ctx *ctx, PfsTx *tx, const PpsV2__PipelinesSummaryRequest *request,
                             ProjectNames *out)
{
    *out = (ProjectNames){ .ctx = ctx };
    if (request->n_projects == 0) {
        CLEANUP(ctx_done) Ctx scratch;
        ctx_scratch(&scratch, ctx);
        return status_copy(ctx, pfs_list_project(&scratch, tx, add_project_name, out));
    }
    for (size_t i = 0; i < request->n_projects; i++) {
        if (request->projects[i]->picker_case != PFS_V2__PROJECT_PICKER__PICKER_NAME)
            return FAIL(ctx, UNKNOWN, "project picker is of an unknown type: <nil>");
        PfsV2__Project project;
        pfs_v2__project__init(&project);
        project.name = request->projects[i]->name;
        const PfsV2__ProjectInfo info = { .project = &project };
        TRY(add_project_name(out, ctx, &info));
    }
    return OK;
}

Status pps_summary(Ctx *ctx, PfsTx *tx, const PpsV2__PipelinesSummaryRequest *request,
                   PpsV2__PipelinesSummaryResponse **out)
{
    ProjectNames projects;
    TRY(asked_projects(ctx, tx, request, &projects));
    PpsV2__PipelinesSummaryResponse *answer =
        PB_NEW(ctx, pps_v2__pipelines_summary_response, PpsV2__PipelinesSummaryResponse);
    answer->summaries = ARENA_NEW(ctx->arena, PpsV2__PipelinesSummary *, projects.n + 1);
    if (!answer->summaries)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < projects.n; i++) {
        PpsV2__PipelinesSummary *summary;
        TRY(summary_of(ctx, tx, projects.names[i], &summary));
        if (summary)
            answer->summaries[answer->n_summaries++] = summary;
    }
    *out = answer;
    return OK;
}

typedef struct StatusWalk {
    const PpsV2__CheckStatusRequest *request;
    const char *project; /* "" for all */
    Status (*fn)(void *arg, Ctx *ctx, const PpsV2__CheckStatusResponse *response);
    void *arg;
} StatusWalk;

static Status check_one(void *arg, Ctx *ctx, const PpsPipelineRow *row)
{
    const StatusWalk *walk = arg;
    const PpsV2__PipelineInfo__Details *details = row->info->details;
    int64_t limit_ns = pb_duration_ns(details->maximum_expected_uptime);
    int64_t since_ns = pb_timestamp_ns(details->workers_started_at);
    int64_t up_ns = clock_wall_ns() - since_ns;
    if ((*walk->project && strcmp(walk->project, row->project) != 0) || !since_ns ||
        limit_ns <= 0 || up_ns <= limit_ns)
        return OK;
    char since[MOMENT_TEXT_SIZE], over[DURATION_TEXT_SIZE];
    moment_format_go(since_ns, since);
    duration_format(up_ns - limit_ns, over);
    char *alert =
        text_printf(ctx->arena, "%s/%s: Started running at %s, exceeded maximum uptime by %s",
                    row->project, row->name, since, over);
    PpsV2__CheckStatusResponse response;
    pps_v2__check_status_response__init(&response);
    if (walk->request->context_case == PPS_V2__CHECK_STATUS_REQUEST__CONTEXT_PROJECT)
        response.project = walk->request->project;
    response.pipeline = row->info->pipeline;
    response.alerts = &alert;
    response.n_alerts = 1;
    return walk->fn(walk->arg, ctx, &response);
}

Status pps_check_status(Ctx *ctx, PfsTx *tx, const PpsV2__CheckStatusRequest *request,
                        Status (*fn)(void *arg, Ctx *ctx,
                                     const PpsV2__CheckStatusResponse *response),
                        void *arg)
{
    bool by_project =
        request->context_case == PPS_V2__CHECK_STATUS_REQUEST__CONTEXT_PROJECT && request->project;
    StatusWalk walk = { request, by_project ? request->project->name : "", fn, arg };
    return pps_each_pipeline(ctx, tx, check_one, &walk);
}
