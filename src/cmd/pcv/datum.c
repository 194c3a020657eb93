/* datum.c - verbs of datums. */
#include <stdlib.h>

#include "cmd/pcv/spec.h"
#include "cmd/pcv/verbs_priv.h"
#include "codec/pbjson.h"
#include "codec/pbtime.h"
#include "codec/yaml.h"
#include "worker/worker.pb-c.h"

const char *datum_state_text(Cli *cli, PpsV2__DatumState state)
{
    static const struct {
        const char *text;
        Color color;
    } words[] = {
        [PPS_V2__DATUM_STATE__FAILED] = { "failed", COLOR_RED },
        [PPS_V2__DATUM_STATE__SUCCESS] = { "success", COLOR_GREEN },
        [PPS_V2__DATUM_STATE__SKIPPED] = { "skipped", COLOR_YELLOW },
        [PPS_V2__DATUM_STATE__STARTING] = { "starting", COLOR_YELLOW },
        [PPS_V2__DATUM_STATE__RECOVERED] = { "recovered", COLOR_YELLOW },
    };
    size_t at = (size_t)state;
    return at < ARRAY_LEN(words) && words[at].text ? cli_paint(cli, words[at].color, words[at].text)
                                                   : "-";
}

static char *file_text(Ctx *ctx, const PfsV2__File *file)
{
    const PfsV2__Repo *repo = file->commit->repo;
    return text_printf(ctx->arena, "%s%s%s:%s", repo->project ? repo->project->name : "",
                       repo->project ? "/" : "", ref_commit_text(ctx, file->commit), file->path);
}

static char *files_text(Ctx *ctx, const PpsV2__DatumInfo *info)
{
    char *text = arena_strdup(ctx->arena, "");
    for (size_t i = 0; i < info->n_data; i++)
        text = text_printf(ctx->arena, "%s%s%s", text, i ? ", " : "",
                           file_text(ctx, info->data[i]->file));
    return text;
}

static int64_t total_ns(const PpsV2__ProcessStats *stats)
{
    if (!stats)
        return 0;
    return pb_duration_ns(stats->download_time) + pb_duration_ns(stats->process_time) +
           pb_duration_ns(stats->upload_time);
}

static char *total_text(Cli *cli, const PpsV2__ProcessStats *stats)
{
    return total_ns(stats) ? duration_text(cli, pb_duration(cli->ctx, total_ns(stats)))
                           : arena_strdup(cli->ctx->arena, "-");
}

static void datum_row(Cli *cli, Table *table, const void *message)
{
    const PpsV2__DatumInfo *info = message;
    TABLE_ROW(table, info->datum && *info->datum->id ? info->datum->id : "-",
              files_text(cli->ctx, info), datum_state_text(cli, info->state),
              total_text(cli, info->stats));
}

/* The input of a spec, its projects filled in. */
static void fill_projects(Cli *cli, PpsV2__Input *input)
{
    if (!input)
        return;
    if (input->pfs && !*input->pfs->project)
        input->pfs->project = arena_strdup(cli->ctx->arena, cli_project_name(cli));
    if (input->cron && !*input->cron->project)
        input->cron->project = arena_strdup(cli->ctx->arena, cli_project_name(cli));
    struct {
        PpsV2__Input **items;
        size_t count;
    } groups[] = {
        { input->cross, input->n_cross },
        { input->join, input->n_join },
        { input->group, input->n_group },
        { input->union_, input->n_union_ },
    };
    for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
        for (size_t i = 0; i < groups[g].count; i++)
            fill_projects(cli, groups[g].items[i]);
    }
}

static Status take_input(Cli *cli, void *arg, JsonValue *spec)
{
    PpsV2__ListDatumRequest *request = arg;
    ProtobufCMessage *message;
    TRY(pbjson_from_value(cli->ctx, &pps_v2__create_pipeline_request__descriptor, spec, NULL,
                          &message));
    request->input = ((PpsV2__CreatePipelineRequest *)(void *)message)->input;
    fill_projects(cli, request->input);
    return OK;
}

static Status list_datum(Cli *cli)
{
    static const char *const header[] = { "ID", "FILES", "STATUS", "TIME" };
    static const Listing listing = { header, ARRAY_LEN(header), datum_row };
    const char *file = cli_text(cli, OPT_SPEC_FILE);
    PpsV2__ListDatumRequest *request =
        PB_NEW(cli->ctx, pps_v2__list_datum_request, PpsV2__ListDatumRequest);
    if (*file && cli->arg_count)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "can't specify both a job and a pipeline spec");
    if (!*file && !cli->arg_count)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "must specify either a job or a pipeline spec");
    if (*file) {
        Buf text = { 0 };
        Status s = read_source(cli, file, &text);
        if (status_ok(s))
            s = spec_each(cli, buf_str(&text), file, take_input, request);
        buf_done(&text);
        TRY(s);
    } else {
        TRY(ref_job(cli->ctx, cli_project_name(cli), cli->args[0], &request->job));
    }
    return cli_list(cli, "/pps_v2.API/ListDatum", request, &listing);
}

static void print_files(Cli *cli, const PpsV2__DatumInfo *info)
{
    static const char *const header[] = { "REPO", "COMMIT", "PATH" };
    Table table;
    if (info->pfs_state) {
        cli_print(cli, "PFS State:\n");
        table_init(&table, cli, header, ARRAY_LEN(header));
        table.width_min = 7;
        table.gap = 3;
        TABLE_ROW(&table, ref_repo_text(cli->ctx, info->pfs_state->commit->repo),
                  info->pfs_state->commit->id, info->pfs_state->path);
        table_done(&table);
    }
    cli_print(cli, "Inputs:\n");
    table_init(&table, cli, header, ARRAY_LEN(header));
    table.width_min = 7;
    table.gap = 3;
    for (size_t i = 0; i < info->n_data; i++) {
        const PfsV2__File *file = info->data[i]->file;
        TABLE_ROW(&table, ref_repo_text(cli->ctx, file->commit->repo), file->commit->id,
                  file->path);
    }
    table_done(&table);
}

static void print_datum(Cli *cli, const void *message)
{
    const PpsV2__DatumInfo *info = message;
    const PpsV2__ProcessStats *stats = info->stats;
    cli_print(cli, "ID\t%s\nJob ID\t%s\nImage ID\t%s\nState\t%s\n", info->datum->id,
              info->datum->job ? info->datum->job->id : "-", info->image_id,
              datum_state_text(cli, info->state));
    cli_print(cli, "Data Downloaded\t%s\nData Uploaded\t%s\n",
              cli_size(cli, stats ? stats->download_bytes : 0),
              cli_size(cli, stats ? stats->upload_bytes : 0));
    cli_print(cli, "Total Time\t%s\nDownload Time\t%s\nProcess Time\t%s\nUpload Time\t%s\n",
              total_text(cli, stats), duration_text(cli, stats ? stats->download_time : NULL),
              duration_text(cli, stats ? stats->process_time : NULL),
              duration_text(cli, stats ? stats->upload_time : NULL));
    print_files(cli, info);
}

static Status inspect_datum(Cli *cli)
{
    PpsV2__InspectDatumRequest *request =
        PB_NEW(cli->ctx, pps_v2__inspect_datum_request, PpsV2__InspectDatumRequest);
    PpsV2__Datum *datum = PB_NEW(cli->ctx, pps_v2__datum, PpsV2__Datum);
    TRY(ref_job(cli->ctx, cli_project_name(cli), cli->args[0], &datum->job));
    datum->id = cli->args[1];
    request->datum = datum;
    return show_one(cli, "/pps_v2.API/InspectDatum", request, print_datum);
}

static Status restart_datum(Cli *cli)
{
    PpsV2__RestartDatumRequest *request =
        PB_NEW(cli->ctx, pps_v2__restart_datum_request, PpsV2__RestartDatumRequest);
    TRY(ref_job(cli->ctx, cli_project_name(cli), cli->args[0], &request->job));
    char **filters = ARENA_NEW(cli->ctx->arena, char *, strlen(cli->args[1]) + 1);
    if (!filters)
        return STATUS(RESOURCE_EXHAUSTED);
    for (Str rest = str(cli->args[1]); rest.size;) {
        size_t end = str_find(rest, ',');
        if (end)
            filters[request->n_data_filters++] = str_z(cli->ctx->arena, str_sub(rest, 0, end));
        rest = str_sub(rest, end + 1, rest.size);
    }
    request->data_filters = filters;
    return cli_call(cli, "/pps_v2.API/RestartDatum", request, NULL);
}

/* Called by user code, which the worker told its port. */
static Status next_datum(Cli *cli)
{
    const char *port = getenv("PPS_WORKER_GRPC_PORT");
    if (!port || !*port)
        return FAIL(cli->ctx, FAILED_PRECONDITION,
                    "PPS_WORKER_GRPC_PORT is not set: 'next datum' is for the code of a pipeline");
    cli->opt[OPT_ADDRESS].text = text_printf(cli->ctx->arena, "127.0.0.1:%s", port);
    Pachyderm__Worker__NextDatumRequest *request = PB_NEW(
        cli->ctx, pachyderm__worker__next_datum_request, Pachyderm__Worker__NextDatumRequest);
    request->error = cli_text(cli, OPT_DATUM_ERROR);
    return cli_call(cli, "/pachyderm.worker.Worker/NextDatum", request, NULL);
}

/* clang-format off */
static const Command rows[] = {
    { .words = "next datum", .args = "", .run = next_datum, .hidden = true,
      .summary = "say how the datum at work went, and wait for the next one (in a pipeline that batches)",
      .options = { OPT_DATUM_ERROR } },
    { .words = "list datum", .args = "(<pipeline>@<job> or -f <spec>)", .args_max = 1, .run = list_datum,
      .summary = "list the datums of a job, or those a spec would have",
      .options = { OPT_SPEC_FILE, OPTIONS_RAW, OPT_PROJECT } },
    { .words = "inspect datum", .args = "<pipeline>@<job> <datum>", .args_min = 2, .args_max = 2, .run = inspect_datum,
      .summary = "show a datum", .options = { OPTIONS_RAW, OPT_PROJECT } },
    { .words = "restart datum", .args = "<pipeline>@<job> <path>,...", .args_min = 2, .args_max = 2,
      .run = restart_datum, .summary = "run the datums with these files again, in a job that runs",
      .options = { OPT_PROJECT } },
};
/* clang-format on */

const CommandTable datum_commands = { rows, ARRAY_LEN(rows) };
