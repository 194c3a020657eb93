/* pipeline.c - verbs of pipelines. */
#include <stdlib.h>
#include <strings.h>

#include "base/file.h"
#include "cmd/pcv/spec.h"
#include "cmd/pcv/verbs_priv.h"
#include "codec/pbjson.h"
#include "codec/yaml.h"

/* --- create, update --------------------------------------------------------------------------- */

static Status print_effective(Cli *cli, const char *json)
{
    JsonValue *value;
    TRY(json_parse(cli->ctx, str(json), &value));
    if (strcmp(cli_text(cli, OPT_OUTPUT), "yaml") == 0)
        return yaml_write(cli->ctx, value, &cli->out);
    json_write(&cli->out, value, (JsonStyle){ .indent = 2 });
    cli_print(cli, "\n");
    return OK;
}

Status put_spec(Cli *cli, JsonValue *spec, bool update)
{
    PpsV2__CreatePipelineV2Request *request =
        PB_NEW(cli->ctx, pps_v2__create_pipeline_v2_request, PpsV2__CreatePipelineV2Request);
    PpsV2__CreatePipelineV2Response *answer;
    const JsonValue *own_update = json_get(spec, "update"),
                    *own_reprocess = json_get(spec, "reprocess");
    spec_warn_image(spec);
    Str text = json_print(cli->ctx->arena, spec, (JsonStyle){ 0 });
    request->create_pipeline_request_json = arena_strdup(cli->ctx->arena, text.data);
    request->update = json_is(own_update, JSON_BOOL) ? own_update->boolean : update;
    request->reprocess =
        json_is(own_reprocess, JSON_BOOL) ? own_reprocess->boolean : cli->opt[OPT_REPROCESS].flag;
    request->dry_run = cli->opt[OPT_DRY_RUN].flag;
    TRY_WRAP(cli->ctx, cli_call(cli, "/pps_v2.API/CreatePipelineV2", request, &answer),
             "could not create pipeline");
    return request->dry_run ? print_effective(cli, answer->effective_create_pipeline_request_json)
                            : OK;
}

static Status put_each(Cli *cli, void *arg, JsonValue *spec)
{
    return put_spec(cli, spec, *(const bool *)arg);
}

static Status read_template_args(Cli *cli, PpsV2__RenderTemplateRequest *request)
{
    const OptionValue *given = &cli->opt[OPT_TEMPLATE_ARG];
    request->args =
        ARENA_NEW(cli->ctx->arena, PpsV2__RenderTemplateRequest__ArgsEntry *, given->count + 1);
    if (!request->args)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < given->count; i++) {
        Str pair = str(given->list[i]);
        size_t equals = str_find(pair, '=');
        if (equals == pair.size)
            return FAIL(cli->ctx, INVALID_ARGUMENT,
                        "invalid template argument \"%s\": must have form \"key=value\"",
                        given->list[i]);
        PpsV2__RenderTemplateRequest__ArgsEntry *entry =
            PB_NEW(cli->ctx, pps_v2__render_template_request__args_entry,
                   PpsV2__RenderTemplateRequest__ArgsEntry);
        entry->key = str_z(cli->ctx->arena, str_sub(pair, 0, equals));
        entry->value = str_z(cli->ctx->arena, str_sub(pair, equals + 1, pair.size));
        request->args[request->n_args++] = entry;
    }
    return OK;
}

/* The text with the specs: from a file, or from the server's rendering of a template. */
static Status read_specs(Cli *cli, Buf *out, const char **out_name)
{
    const char *file = cli_text(cli, OPT_SPEC_FILE), *jsonnet = cli_text(cli, OPT_JSONNET);
    if (*file && *jsonnet)
        return FAIL(cli->ctx, INVALID_ARGUMENT,
                    "cannot set both --file and --jsonnet; exactly one must be set");
    *out_name = *jsonnet ? jsonnet : *file ? file : "-";
    TRY_WRAP(cli->ctx, read_source(cli, *out_name, out), "could not open path \"%s\"", *out_name);
    if (!*jsonnet)
        return OK;
    PpsV2__RenderTemplateRequest *request =
        PB_NEW(cli->ctx, pps_v2__render_template_request, PpsV2__RenderTemplateRequest);
    PpsV2__RenderTemplateResponse *answer;
    TRY(read_template_args(cli, request));
    request->template_ = str_z(cli->ctx->arena, buf_str(out));
    TRY(cli_call(cli, "/pps_v2.API/RenderTemplate", request, &answer));
    buf_clear(out);
    buf_add_str(out, str(answer->json));
    return OK;
}

/* There is nothing to push from: what runs is what the server has in its own store. */
static Status refuse_push(Cli *cli)
{
    static const OptionId options[] = { OPT_PUSH_IMAGES, OPT_REGISTRY, OPT_REGISTRY_USER };
    static const char *const names[] = { "--push-images", "--registry", "--username" };
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (!cli->opt[options[i]].set)
            continue;
        Status s = FAIL(cli->ctx, UNIMPLEMENTED,
                        "%s: images are not pushed; pipelines run in images of the server's store",
                        names[i]);
        return status_with_hint(
            cli->ctx, s, "Bring the image there with 'pcv image import' or 'pcv image pull'.");
    }
    return OK;
}

static Status put_pipelines(Cli *cli, bool update)
{
    TRY(refuse_push(cli));
    Buf text = { 0 };
    const char *name;
    Status s = read_specs(cli, &text, &name);
    if (status_ok(s))
        s = spec_each(cli, buf_str(&text), name, put_each, &update);
    buf_done(&text);
    return s;
}

static Status create_pipeline(Cli *cli)
{
    return put_pipelines(cli, false);
}

static Status update_pipeline(Cli *cli)
{
    return put_pipelines(cli, true);
}

static Status accept_spec(Cli *cli, void *arg, JsonValue *spec)
{
    (void)cli;
    (void)arg;
    spec_warn_image(spec);
    return OK;
}

static Status validate_pipeline(Cli *cli)
{
    Buf text = { 0 };
    const char *name;
    Status s = read_specs(cli, &text, &name);
    if (status_ok(s))
        s = spec_each(cli, buf_str(&text), name, accept_spec, NULL);
    buf_done(&text);
    return s;
}

/* --- looking ---------------------------------------------------------------------------------- */

static void print_resources(Cli *cli, const char *label, const PpsV2__ResourceSpec *spec)
{
    if (!spec)
        return;
    cli_print(cli, "%s:\n  CPU: %g\n  Memory: %s\n", label, (double)spec->cpu, spec->memory);
    if (spec->gpu)
        cli_print(cli, "  GPU: %s: %lld\n", spec->gpu->type, (long long)spec->gpu->number);
}

static void print_details(Cli *cli, const PpsV2__PipelineInfo *info,
                          const PpsV2__PipelineInfo__Details *d)
{
    char *parallelism = d->parallelism_spec
                            ? text_printf(cli->ctx->arena, "constant:%llu",
                                          (unsigned long long)d->parallelism_spec->constant)
                            : NULL;
    cli_print(cli, "Workers Available: %lld/%lld\nStopped: %s\nParallelism Spec: %s\n",
              (long long)d->workers_available, (long long)d->workers_requested,
              info->stopped ? "true" : "false", parallelism ? parallelism : "<nil>");
    print_resources(cli, "ResourceRequests", d->resource_requests);
    print_resources(cli, "ResourceLimits", d->resource_limits);
    cli_print(cli, "Datum Timeout: %s\nJob Timeout: %s\n", duration_text(cli, d->datum_timeout),
              duration_text(cli, d->job_timeout));
    const PpsV2__Service *service = d->spout ? d->spout->service : d->service;
    if (service) /* where it is reached */
        cli_print(cli, "Service: %s:%d\n", service->ip,
                  service->external_port ? service->external_port : service->internal_port);
    cli_print(cli, "Input:\n%s\nOutput Branch: %s\nTransform:\n%s\n", json_line(cli, d->input),
              d->output_branch, json_line(cli, d->transform));
    if (d->egress)
        cli_print(cli, "Egress: %s\n", json_line(cli, d->egress));
    if (*d->recent_error)
        cli_print(cli, "Recent Error: %s\n", d->recent_error);
}

static void print_pipeline(Cli *cli, const void *message)
{
    const PpsV2__PipelineInfo *info = message;
    const PpsV2__PipelineInfo__Details *d = info->details;
    cli_print(cli, "Name: %s\n", info->pipeline->name);
    if (d && *d->description)
        cli_print(cli, "Description: %s\n", d->description);
    cli_print(cli, "Created: %s\nState: %s\nReason: %s\n", cli_ago(cli, d ? d->created_at : NULL),
              pipeline_state_text(cli, info->state), info->reason);
    if (d)
        print_details(cli, info, d);
    if (*info->user_spec_json)
        cli_print(cli, "User Spec:\n%s\n", info->user_spec_json);
    if (*info->effective_spec_json)
        cli_print(cli, "Effective Spec:\n%s\n", info->effective_spec_json);
}

static Status inspect_pipeline(Cli *cli)
{
    PpsV2__InspectPipelineRequest *request =
        PB_NEW(cli->ctx, pps_v2__inspect_pipeline_request, PpsV2__InspectPipelineRequest);
    request->pipeline = ref_pipeline(cli->ctx, cli_project_name(cli), cli->args[0]);
    request->details = true;
    return show_one(cli, "/pps_v2.API/InspectPipeline", request, print_pipeline);
}

static void pipeline_row(Cli *cli, Table *table, const void *message)
{
    const PpsV2__PipelineInfo *info = message;
    const PpsV2__PipelineInfo__Details *d = info->details;
    const char *last_job = info->last_job_state ? job_state_text(cli, info->last_job_state) : "-";
    const char *alert = d && *d->recent_error ? "*" : "";
    TABLE_ROW(
        table, info->pipeline->project ? info->pipeline->project->name : "", info->pipeline->name,
        text_printf(cli->ctx->arena, "%llu", (unsigned long long)info->version),
        d ? input_text(cli->ctx, d->input) : "-", cli_ago(cli, d ? d->created_at : NULL),
        text_printf(cli->ctx->arena, "%s / %s", pipeline_state_text(cli, info->state), last_job),
        alert, d ? d->description : "pipeline details unavailable");
}

/* The spec that would create the pipeline again. */
static Status print_spec(Cli *cli, const PpsV2__PipelineInfo *info)
{
    const char *json = *info->user_spec_json ? info->user_spec_json : info->effective_spec_json;
    if (cli->opt[OPT_OUTPUT].set && cli->raw_begun &&
        strcmp(cli_text(cli, OPT_OUTPUT), "yaml") == 0)
        cli_print(cli, "---\n");
    cli->raw_begun = true;
    return print_effective(cli, json);
}

static Status refuse_raw_spec(Cli *cli)
{
    if (cli->opt[OPT_SPEC].flag && cli->opt[OPT_RAW].flag)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "cannot set both --raw and --spec");
    return OK;
}

static Status list_request(Cli *cli, PpsV2__ListPipelineRequest *request, PfsV2__CommitSet *set)
{
    TRY(state_filter(cli, "PIPELINE_", &pps_v2__pipeline_state__descriptor, &request->jqfilter));
    TRY(parse_history(cli, &request->history));
    set->id = cli_text(cli, OPT_COMMIT_SET);
    request->commit_set = set;
    if (cli->arg_count)
        request->pipeline = ref_pipeline(cli->ctx, cli_project_name(cli), cli->args[0]);
    return OK;
}

static Status list_pipeline(Cli *cli)
{
    static const char *const header[] = { "PROJECT", "NAME",       "VERSION",
                                          "INPUT",   "CREATED",    "STATE / LAST JOB",
                                          "ALERTS",  "DESCRIPTION" };
    static const Listing listing = { header, ARRAY_LEN(header), pipeline_row };
    PpsV2__ListPipelineRequest *request =
        PB_NEW(cli->ctx, pps_v2__list_pipeline_request, PpsV2__ListPipelineRequest);
    PfsV2__CommitSet *set = PB_NEW(cli->ctx, pfs_v2__commit_set, PfsV2__CommitSet);
    PfsV2__Project *project = cli_project(cli);
    CliMessages found;
    bool broken = false;
    TRY(refuse_raw_spec(cli));
    TRY(list_request(cli, request, set));
    if (!cli->opt[OPT_ALL_PROJECTS].flag) {
        request->projects = &project;
        request->n_projects = 1;
    }
    TRY(cli_collect(cli, "/pps_v2.API/ListPipeline", request, &found));
    for (size_t i = 0; i < found.count; i++) {
        const PpsV2__PipelineInfo *info = found.items[i];
        broken |= info->state == PPS_V2__PIPELINE_STATE__PIPELINE_FAILURE ||
                  info->state == PPS_V2__PIPELINE_STATE__PIPELINE_CRASHING;
        if (cli->opt[OPT_SPEC].flag)
            TRY(print_spec(cli, info));
    }
    if (!cli->opt[OPT_SPEC].flag)
        TRY(cli_list_messages(cli, found.items, found.count, &listing));
    if (broken && !cli->opt[OPT_RAW].flag)
        cli_note("One or more pipelines have encountered errors, use inspect pipeline to get more "
                 "info.");
    return OK;
}

/* --- life ------------------------------------------------------------------------------------- */

static Status delete_all_pipelines(Cli *cli)
{
    PpsV2__DeletePipelinesRequest *request =
        PB_NEW(cli->ctx, pps_v2__delete_pipelines_request, PpsV2__DeletePipelinesRequest);
    PfsV2__Project *project = cli_project(cli);
    request->force = cli->opt[OPT_FORCE].flag;
    request->keep_repo = cli->opt[OPT_KEEP_REPO].flag;
    request->all = cli->opt[OPT_ALL_PROJECTS].flag;
    if (!request->all) {
        request->projects = &project;
        request->n_projects = 1;
    }
    return cli_call(cli, "/pps_v2.API/DeletePipelines", request, NULL);
}

static Status delete_pipeline(Cli *cli)
{
    bool all = cli->opt[OPT_ALL].flag;
    if (cli->arg_count && all)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "cannot use the --all flag with an argument");
    if (!cli->arg_count && !all)
        return FAIL(cli->ctx, INVALID_ARGUMENT,
                    "either a pipeline name or the --all flag needs to be provided");
    if (cli->opt[OPT_ALL_PROJECTS].flag && !all)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "--allProjects only valid with --all");
    if (all)
        return delete_all_pipelines(cli);
    PpsV2__DeletePipelineRequest *request =
        PB_NEW(cli->ctx, pps_v2__delete_pipeline_request, PpsV2__DeletePipelineRequest);
    request->pipeline = ref_pipeline(cli->ctx, cli_project_name(cli), cli->args[0]);
    request->force = cli->opt[OPT_FORCE].flag;
    request->keep_repo = cli->opt[OPT_KEEP_REPO].flag;
    request->must_exist = true;
    return cli_call(cli, "/pps_v2.API/DeletePipeline", request, NULL);
}

static Status start_pipeline(Cli *cli)
{
    PpsV2__StartPipelineRequest *request =
        PB_NEW(cli->ctx, pps_v2__start_pipeline_request, PpsV2__StartPipelineRequest);
    request->pipeline = ref_pipeline(cli->ctx, cli_project_name(cli), cli->args[0]);
    return cli_call(cli, "/pps_v2.API/StartPipeline", request, NULL);
}

static Status stop_pipeline(Cli *cli)
{
    PpsV2__StopPipelineRequest *request =
        PB_NEW(cli->ctx, pps_v2__stop_pipeline_request, PpsV2__StopPipelineRequest);
    request->pipeline = ref_pipeline(cli->ctx, cli_project_name(cli), cli->args[0]);
    request->must_exist = true;
    return cli_call(cli, "/pps_v2.API/StopPipeline", request, NULL);
}

static Status rerun_pipeline(Cli *cli)
{
    PpsV2__RerunPipelineRequest *request =
        PB_NEW(cli->ctx, pps_v2__rerun_pipeline_request, PpsV2__RerunPipelineRequest);
    request->pipeline = ref_pipeline(cli->ctx, cli_project_name(cli), cli->args[0]);
    request->reprocess = cli->opt[OPT_REPROCESS].flag;
    return cli_call(cli, "/pps_v2.API/RerunPipeline", request, NULL);
}

static Status run_cron(Cli *cli)
{
    PpsV2__RunCronRequest *request =
        PB_NEW(cli->ctx, pps_v2__run_cron_request, PpsV2__RunCronRequest);
    request->pipeline = ref_pipeline(cli->ctx, cli_project_name(cli), cli->args[0]);
    return cli_call(cli, "/pps_v2.API/RunCron", request, NULL);
}

/* --- alerts ----------------------------------------------------------------------------------- */

static Status check_status(Cli *cli)
{
    static const char *const header[] = { "PROJECT", "PIPELINE", "ALERT" };
    PpsV2__CheckStatusRequest *request =
        PB_NEW(cli->ctx, pps_v2__check_status_request, PpsV2__CheckStatusRequest);
    CliMessages found;
    bool all = cli->opt[OPT_ALL_PROJECTS].flag;
    request->context_case = all ? PPS_V2__CHECK_STATUS_REQUEST__CONTEXT_ALL
                                : PPS_V2__CHECK_STATUS_REQUEST__CONTEXT_PROJECT;
    if (all)
        request->all = true;
    else
        request->project = cli_project(cli);
    TRY(cli_collect(cli, "/pps_v2.API/CheckStatus", request, &found));
    Table table;
    table_init(&table, cli, header, ARRAY_LEN(header));
    for (size_t i = 0; i < found.count; i++) {
        const PpsV2__CheckStatusResponse *r = found.items[i];
        if (cli->opt[OPT_RAW].flag)
            TRY(cli_print_raw(cli, r));
        for (size_t k = 0; k < r->n_alerts && !cli->opt[OPT_RAW].flag; k++)
            TABLE_ROW(&table, r->project->name, r->pipeline->name, r->alerts[k]);
    }
    if (table.rows || table.begun)
        table_done(&table);
    return OK;
}

#define OPTIONS_PUT                                                                                \
    OPT_SPEC_FILE, OPT_JSONNET, OPT_TEMPLATE_ARG, OPT_DRY_RUN, OPT_PUSH_IMAGES, OPT_REGISTRY,      \
        OPT_REGISTRY_USER, OPTIONS_RAW, OPT_PROJECT

/* clang-format off */
static const Command rows[] = {
    { .words = "create pipeline", .args = "", .run = create_pipeline, .in_transaction = true,
      .summary = "create pipelines from specs", .options = { OPTIONS_PUT } },
    { .words = "update pipeline", .args = "", .run = update_pipeline, .in_transaction = true,
      .summary = "give pipelines new specs; create those that are missing", .options = { OPT_REPROCESS, OPTIONS_PUT } },
    { .words = "validate pipeline", .args = "", .run = validate_pipeline,
      .summary = "check specs without sending them", .options = { OPT_SPEC_FILE, OPT_PROJECT } },
    { .words = "rerun pipeline", .args = "<pipeline>", .args_min = 1, .args_max = 1, .run = rerun_pipeline,
      .summary = "run a pipeline again on the inputs it has", .options = { OPT_REPROCESS, OPT_PROJECT } },
    { .words = "inspect pipeline", .args = "<pipeline>", .args_min = 1, .args_max = 1, .run = inspect_pipeline,
      .summary = "show a pipeline and its spec", .options = { OPTIONS_RAW, OPT_FULL_TIMESTAMPS, OPT_PROJECT } },
    { .words = "list pipeline", .args = "[<pipeline>]", .args_max = 1, .run = list_pipeline,
      .summary = "list pipelines",
      .options = { OPT_SPEC, OPTIONS_RAW, OPT_FULL_TIMESTAMPS, OPT_HISTORY, OPT_COMMIT_SET, OPT_STATE, OPT_PROJECT,
                   OPT_ALL_PROJECTS } },
    { .words = "delete pipeline", .args = "(<pipeline> or --all)", .args_max = 1, .run = delete_pipeline,
      .summary = "delete a pipeline and its output repo",
      .options = { OPT_ALL, OPT_FORCE, OPT_KEEP_REPO, OPT_PROJECT, OPT_ALL_PROJECTS } },
    { .words = "start pipeline", .args = "<pipeline>", .args_min = 1, .args_max = 1, .run = start_pipeline,
      .summary = "let a stopped pipeline run again", .options = { OPT_PROJECT } },
    { .words = "stop pipeline", .args = "<pipeline>", .args_min = 1, .args_max = 1, .run = stop_pipeline,
      .summary = "stop a pipeline: new input starts no jobs", .options = { OPT_PROJECT } },
    { .words = "run cron", .args = "<pipeline>", .args_min = 1, .args_max = 1, .run = run_cron,
      .summary = "let the cron inputs of a pipeline tick now", .options = { OPT_PROJECT } },
    { .words = "check status", .args = "", .run = check_status, .summary = "list what is wrong with pipelines",
      .options = { OPT_RAW, OPT_PROJECT, OPT_ALL_PROJECTS } },
};
/* clang-format on */

const CommandTable pipeline_commands = { rows, ARRAY_LEN(rows) };
