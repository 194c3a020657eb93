/* job.c - verbs of jobs and of sets of jobs. */
#include "cmd/pcv/verbs_priv.h"
#include "transaction/transaction.pb-c.h"

#define REASON_CHARS_MAX 25

/* --- one row ---------------------------------------------------------------------------------- */

static char *progress_text(Cli *cli, const PpsV2__JobInfo *info)
{
    if (info->data_recovered)
        return text_printf(cli->ctx->arena, "%lld + %lld + %lld / %lld",
                           (long long)info->data_processed, (long long)info->data_skipped,
                           (long long)info->data_recovered, (long long)info->data_total);
    return text_printf(cli->ctx->arena, "%lld + %lld / %lld", (long long)info->data_processed,
                       (long long)info->data_skipped, (long long)info->data_total);
}

static const char *state_and_reason(Cli *cli, const PpsV2__JobInfo *info)
{
    const char *state = job_state_text(cli, info->state);
    Str reason = str(info->reason);
    if (info->state == PPS_V2__JOB_STATE__JOB_SUCCESS && info->data_skipped == info->data_total)
        return text_printf(cli->ctx->arena, "%s: there were no datums to process", state);
    if (!reason.size)
        return state;
    bool cut = reason.size > REASON_CHARS_MAX;
    return text_printf(cli->ctx->arena, "%s: " STR_FMT "%s", state,
                       STR_ARG(str_sub(reason, 0, REASON_CHARS_MAX)), cut ? "..." : "");
}

static void job_row(Cli *cli, Table *table, const void *message)
{
    const PpsV2__JobInfo *info = message;
    const PpsV2__Pipeline *pipeline = info->job->pipeline;
    const PpsV2__ProcessStats *stats = info->stats;
    TABLE_ROW(table, pipeline->project ? pipeline->project->name : "", pipeline->name,
              info->job->id, cli_ago(cli, info->started),
              span_text(cli, info->started, info->finished),
              text_printf(cli->ctx->arena, "%llu", (unsigned long long)info->restart),
              progress_text(cli, info), cli_size(cli, stats ? stats->download_bytes : 0),
              cli_size(cli, stats ? stats->upload_bytes : 0), state_and_reason(cli, info));
}

static const char *const job_header[] = { "PROJECT", "PIPELINE", "ID", "STARTED", "DURATION",
                                          "RESTART", "PROGRESS", "DL", "UL",      "STATE" };
const Listing job_listing = { job_header, ARRAY_LEN(job_header), job_row };

static void set_row(Cli *cli, Table *table, const void *message)
{
    const PpsV2__JobSetInfo *info = message;
    const Google__Protobuf__Timestamp *first = NULL, *last = NULL;
    size_t good = 0, bad = 0;
    for (size_t i = 0; i < info->n_jobs; i++) {
        const PpsV2__JobInfo *job = info->jobs[i];
        good += job->state == PPS_V2__JOB_STATE__JOB_SUCCESS;
        bad += job->state == PPS_V2__JOB_STATE__JOB_FAILURE ||
               job->state == PPS_V2__JOB_STATE__JOB_KILLED ||
               job->state == PPS_V2__JOB_STATE__JOB_UNRUNNABLE;
        if (job->created && (!first || job->created->seconds < first->seconds))
            first = job->created;
        if (job->created && (!last || job->created->seconds > last->seconds))
            last = job->created;
    }
    TABLE_ROW(table, info->job_set->id, text_printf(cli->ctx->arena, "%zu", info->n_jobs),
              progress_bar(cli, good, info->n_jobs - good - bad, bad), cli_ago(cli, first),
              cli_ago(cli, last));
}

/* --- list ------------------------------------------------------------------------------------- */

static Status refuse_filters(Cli *cli, const char *when)
{
    static const OptionId filters[] = { OPT_STATE, OPT_INPUT_COMMITS, OPT_HISTORY };
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        if (cli->opt[filters[i]].set)
            return FAIL(cli->ctx, INVALID_ARGUMENT, "cannot specify '--%s' when listing %s",
                        pcv_options[filters[i]].name, when);
    }
    return OK;
}

static Status list_sets(Cli *cli)
{
    static const char *const header[] = { "ID", "SUBJOBS", "PROGRESS", "CREATED", "MODIFIED" };
    static const Listing listing = { header, ARRAY_LEN(header), set_row };
    PpsV2__ListJobSetRequest *request =
        PB_NEW(cli->ctx, pps_v2__list_job_set_request, PpsV2__ListJobSetRequest);
    PfsV2__Project *project = cli_project(cli);
    TRY(refuse_filters(cli, "all jobs"));
    if (!cli->opt[OPT_ALL_PROJECTS].flag) {
        request->projects = &project;
        request->n_projects = 1;
    }
    return cli_list(cli, "/pps_v2.API/ListJobSet", request, &listing);
}

static Status list_of_set(Cli *cli, bool wait)
{
    PpsV2__InspectJobSetRequest *request =
        PB_NEW(cli->ctx, pps_v2__inspect_job_set_request, PpsV2__InspectJobSetRequest);
    PpsV2__JobSet *set = PB_NEW(cli->ctx, pps_v2__job_set, PpsV2__JobSet);
    set->id = cli->args[0];
    request->job_set = set;
    request->wait = wait;
    request->details = true;
    return cli_list(cli, "/pps_v2.API/InspectJobSet", request, &job_listing);
}

static Status read_input_commits(Cli *cli, PpsV2__ListJobRequest *request)
{
    const OptionValue *given = &cli->opt[OPT_INPUT_COMMITS];
    request->input_commit = ARENA_NEW(cli->ctx->arena, PfsV2__Commit *, given->count + 1);
    if (!request->input_commit)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < given->count; i++)
        TRY(ref_commit(cli->ctx, cli_project_name(cli), given->list[i], &request->input_commit[i]));
    request->n_input_commit = given->count;
    return OK;
}

static Status list_jobs(Cli *cli)
{
    PpsV2__ListJobRequest *request =
        PB_NEW(cli->ctx, pps_v2__list_job_request, PpsV2__ListJobRequest);
    PfsV2__Project *project = cli_project(cli);
    const char *pipeline = cli_text(cli, OPT_PIPELINE);
    TRY(read_input_commits(cli, request));
    TRY(state_filter(cli, "JOB_", &pps_v2__job_state__descriptor, &request->jqfilter));
    TRY(parse_history(cli, &request->history));
    request->details = true;
    if (*pipeline)
        request->pipeline = ref_pipeline(cli->ctx, cli_project_name(cli), pipeline);
    if (!cli->opt[OPT_ALL_PROJECTS].flag) {
        request->projects = &project;
        request->n_projects = 1;
    }
    return cli_list(cli, "/pps_v2.API/ListJob", request, &job_listing);
}

static Status list_job(Cli *cli)
{
    if (cli->arg_count) {
        TRY(refuse_filters(cli, "sub-jobs"));
        return list_of_set(cli, false);
    }
    return cli->opt[OPT_PIPELINE].set || cli->opt[OPT_EXPAND].flag ? list_jobs(cli)
                                                                   : list_sets(cli);
}

/* --- one job ---------------------------------------------------------------------------------- */

static void print_workers(Cli *cli, const PpsV2__JobInfo__Details *details)
{
    static const char *const header[] = { "WORKER", "JOB", "DATUM", "STARTED" };
    Table table;
    table_init(&table, cli, header, ARRAY_LEN(header));
    table.width_min = 17;
    table.gap = 3;
    for (size_t i = 0; i < details->n_worker_status; i++) {
        const PpsV2__WorkerStatus *worker = details->worker_status[i];
        const PpsV2__DatumStatus *datum = worker->datum_status;
        TABLE_ROW(&table, worker->worker_id, worker->job_id,
                  datum && datum->n_data ? datum->data[0]->path : "-",
                  cli_ago(cli, datum ? datum->started : NULL));
    }
    table_done(&table);
}

static void print_stats(Cli *cli, const PpsV2__ProcessStats *stats)
{
    cli_print(cli, "Data Downloaded: %s\nData Uploaded: %s\n",
              cli_size(cli, stats ? stats->download_bytes : 0),
              cli_size(cli, stats ? stats->upload_bytes : 0));
    cli_print(cli, "Download Time: %s\nProcess Time: %s\nUpload Time: %s\n",
              duration_text(cli, stats ? stats->download_time : NULL),
              duration_text(cli, stats ? stats->process_time : NULL),
              duration_text(cli, stats ? stats->upload_time : NULL));
}

static void print_job_details(Cli *cli, const PpsV2__JobInfo__Details *d)
{
    cli_print(cli, "Datum Timeout: %s\nJob Timeout: %s\nWorker Status:\n",
              duration_text(cli, d->datum_timeout), duration_text(cli, d->job_timeout));
    print_workers(cli, d);
}

static void print_job(Cli *cli, const void *message)
{
    const PpsV2__JobInfo *info = message;
    const PpsV2__JobInfo__Details *d = info->details;
    const PpsV2__Pipeline *pipeline = info->job->pipeline;
    cli_print(cli, "ID: %s\nPipeline: %s\nProject: %s\nStarted: %s\n", info->job->id,
              pipeline->name, pipeline->project ? pipeline->project->name : "",
              cli_ago(cli, info->started));
    if (info->finished)
        cli_print(cli, "Duration: %s\n", span_text(cli, info->started, info->finished));
    cli_print(cli, "State: %s\nReason: %s\n", job_state_text(cli, info->state), info->reason);
    cli_print(cli, "Processed: %lld\nFailed: %lld\nSkipped: %lld\nRecovered: %lld\nTotal: %lld\n",
              (long long)info->data_processed, (long long)info->data_failed,
              (long long)info->data_skipped, (long long)info->data_recovered,
              (long long)info->data_total);
    print_stats(cli, info->stats);
    if (d)
        print_job_details(cli, d);
    cli_print(cli, "Restarts: %llu\n", (unsigned long long)info->restart);
    if (d && d->parallelism_spec)
        cli_print(cli, "ParallelismSpec: constant:%llu\n",
                  (unsigned long long)d->parallelism_spec->constant);
    if (d && d->service)
        cli_print(cli, "Service:\n  InternalPort: %d\n  ExternalPort: %d\n",
                  d->service->internal_port, d->service->external_port);
    if (d)
        cli_print(cli, "Input:\n%s\nTransform:\n%s\n", json_line(cli, d->input),
                  json_line(cli, d->transform));
    if (info->output_commit)
        cli_print(cli, "Output Commit: %s\n", info->output_commit->id);
    if (d && d->egress)
        cli_print(cli, "Egress: %s\n", json_line(cli, d->egress));
}

static Status needs_pipeline(Cli *cli)
{
    if (strchr(cli->args[0], '@'))
        return OK;
    Status s = FAIL(cli->ctx, INVALID_ARGUMENT, "invalid format \"%s\": expected pipeline@job-id",
                    cli->args[0]);
    return status_with_hint(
        cli->ctx, s,
        text_printf(cli->ctx->arena,
                    "Use \"list job %s\" to see jobs with a given ID across different pipelines",
                    cli->args[0]));
}

static Status inspect_job(Cli *cli)
{
    PpsV2__InspectJobRequest *request =
        PB_NEW(cli->ctx, pps_v2__inspect_job_request, PpsV2__InspectJobRequest);
    TRY(needs_pipeline(cli));
    TRY(ref_job(cli->ctx, cli_project_name(cli), cli->args[0], &request->job));
    request->details = true;
    return show_one(cli, "/pps_v2.API/InspectJob", request, print_job);
}

static Status wait_job(Cli *cli)
{
    if (!strchr(cli->args[0], '@'))
        return list_of_set(cli, true);
    PpsV2__InspectJobRequest *request =
        PB_NEW(cli->ctx, pps_v2__inspect_job_request, PpsV2__InspectJobRequest);
    TRY(ref_job(cli->ctx, cli_project_name(cli), cli->args[0], &request->job));
    request->wait = true;
    request->details = true;
    void *info;
    TRY(cli_call(cli, "/pps_v2.API/InspectJob", request, &info));
    return cli_list_messages(cli, &info, 1, &job_listing);
}

/* All jobs of a set, in one transaction. */
static Status stop_set(Cli *cli)
{
    PpsV2__InspectJobSetRequest *inspect =
        PB_NEW(cli->ctx, pps_v2__inspect_job_set_request, PpsV2__InspectJobSetRequest);
    PpsV2__JobSet *set = PB_NEW(cli->ctx, pps_v2__job_set, PpsV2__JobSet);
    CliMessages jobs;
    set->id = cli->args[0];
    inspect->job_set = set;
    TRY(cli_collect(cli, "/pps_v2.API/InspectJobSet", inspect, &jobs));
    TransactionV2__BatchTransactionRequest *batch =
        PB_NEW(cli->ctx, transaction_v2__batch_transaction_request,
               TransactionV2__BatchTransactionRequest);
    batch->requests =
        ARENA_NEW(cli->ctx->arena, TransactionV2__TransactionRequest *, jobs.count + 1);
    if (!batch->requests)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < jobs.count; i++) {
        TransactionV2__TransactionRequest *step = PB_NEW(
            cli->ctx, transaction_v2__transaction_request, TransactionV2__TransactionRequest);
        step->stop_job = PB_NEW(cli->ctx, pps_v2__stop_job_request, PpsV2__StopJobRequest);
        step->stop_job->job = ((PpsV2__JobInfo *)jobs.items[i])->job;
        batch->requests[batch->n_requests++] = step;
    }
    return cli_call(cli, "/transaction_v2.API/BatchTransaction", batch, NULL);
}

static Status stop_job(Cli *cli)
{
    if (!strchr(cli->args[0], '@'))
        return stop_set(cli);
    PpsV2__StopJobRequest *request =
        PB_NEW(cli->ctx, pps_v2__stop_job_request, PpsV2__StopJobRequest);
    TRY(ref_job(cli->ctx, cli_project_name(cli), cli->args[0], &request->job));
    return cli_call(cli, "/pps_v2.API/StopJob", request, NULL);
}

static Status delete_job(Cli *cli)
{
    PpsV2__DeleteJobRequest *request =
        PB_NEW(cli->ctx, pps_v2__delete_job_request, PpsV2__DeleteJobRequest);
    TRY(ref_job(cli->ctx, cli_project_name(cli), cli->args[0], &request->job));
    return cli_call(cli, "/pps_v2.API/DeleteJob", request, NULL);
}

#define OPTIONS_LOOK OPTIONS_RAW, OPT_FULL_TIMESTAMPS, OPT_PROJECT

/* clang-format off */
static const Command rows[] = {
    { .words = "inspect job", .args = "<pipeline>@<job>", .args_min = 1, .args_max = 1, .run = inspect_job,
      .summary = "show a job", .options = { OPTIONS_LOOK } },
    { .words = "list job", .paged = true, .args = "[<job-id>]", .args_max = 1, .run = list_job,
      .summary = "list sets of jobs, the jobs of a set, or with -p those of a pipeline, newest first",
      .options = { OPT_PIPELINE, OPT_ALL_PROJECTS, OPT_INPUT_COMMITS, OPT_EXPAND, OPT_HISTORY, OPT_STATE, OPT_NO_PAGER,
                   OPTIONS_LOOK } },
    { .words = "wait job", .args = "<job-id> or <pipeline>@<job>", .args_min = 1, .args_max = 1, .run = wait_job,
      .summary = "wait until a job, or all jobs of a set, are done", .options = { OPTIONS_LOOK } },
    { .words = "stop job", .args = "<job-id> or <pipeline>@<job>", .args_min = 1, .args_max = 1, .run = stop_job,
      .summary = "stop a job, or all jobs of a set", .options = { OPT_PROJECT } },
    { .words = "delete job", .args = "<pipeline>@<job>", .args_min = 1, .args_max = 1, .run = delete_job,
      .summary = "delete the record of a job", .options = { OPT_PROJECT } },
};
/* clang-format on */

const CommandTable job_commands = { rows, ARRAY_LEN(rows) };
