/* logs.c - logs: what user code and workers wrote. */
#include "cmd/pcv/verbs_priv.h"
#include "codec/pbtime.h"

static bool is_wanted(const Cli *cli, const PpsV2__LogMessage *line, bool everything)
{
    if (everything)
        return true;
    if (cli->opt[OPT_LOG_MASTER].flag)
        return line->master;
    if (cli->opt[OPT_LOG_WORKER].flag)
        return !line->master && !line->user;
    return line->user;
}

typedef struct LogRun {
    bool everything; /* neither pipeline nor job: the server's own lines */
} LogRun;

static Status each_line(Cli *cli, void *arg, const void *message)
{
    const LogRun *run = arg;
    const PpsV2__LogMessage *line = message;
    if (cli->opt[OPT_RAW].flag)
        TRY(cli_print_raw(cli, line));
    else if (is_wanted(cli, line, run->everything))
        cli_print(cli, "%s\n", line->message);
    return cli->opt[OPT_FOLLOW].flag ? cli_flush(cli) : OK;
}

static Status read_request(Cli *cli, PpsV2__GetLogsRequest *request)
{
    const char *pipeline = cli_text(cli, OPT_PIPELINE), *job = cli_text(cli, OPT_JOB);
    if (*pipeline && *job)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "only one of pipeline or job should be specified");
    if (*pipeline)
        request->pipeline = ref_pipeline(cli->ctx, cli_project_name(cli), pipeline);
    if (*job)
        TRY(ref_job(cli->ctx, cli_project_name(cli), job, &request->job));
    if (*cli_text(cli, OPT_DATUM)) {
        request->datum = PB_NEW(cli->ctx, pps_v2__datum, PpsV2__Datum);
        request->datum->job = request->job;
        request->datum->id = cli_text(cli, OPT_DATUM);
    }
    request->data_filters = cli->opt[OPT_LOG_INPUTS].list;
    request->n_data_filters = cli->opt[OPT_LOG_INPUTS].count;
    request->master = cli->opt[OPT_LOG_MASTER].flag;
    request->follow = cli->opt[OPT_FOLLOW].flag;
    request->tail = cli->opt[OPT_TAIL].number;
    if (cli->opt[OPT_SINCE].set)
        request->since = pb_duration(cli->ctx, cli->opt[OPT_SINCE].number);
    return OK;
}

static Status logs(Cli *cli)
{
    PpsV2__GetLogsRequest *request =
        PB_NEW(cli->ctx, pps_v2__get_logs_request, PpsV2__GetLogsRequest);
    TRY(read_request(cli, request));
    LogRun run = { .everything = !request->pipeline && !request->job };
    return cli_each(cli, "/pps_v2.API/GetLogs", request, each_line, &run);
}

/* clang-format off */
static const Command rows[] = {
    { .words = "logs", .args = "", .run = logs,
      .summary = "print what the user code of a pipeline or job wrote",
      .options = { OPT_PIPELINE, OPT_JOB, OPT_DATUM, OPT_LOG_INPUTS, OPT_LOG_MASTER, OPT_LOG_WORKER,
                   OPT_RAW, OPT_FOLLOW, OPT_TAIL, OPT_SINCE, OPT_PROJECT } },
};
/* clang-format on */

const CommandTable log_commands = { rows, ARRAY_LEN(rows) };
