/* defaults.c - verbs of defaults: what every pipeline spec of the cluster or of a project starts
 * from. */
#include "cmd/pcv/verbs_priv.h"
#include "codec/pbjson.h"
#include "codec/yaml.h"

static Status selected(Cli *cli)
{
    if (cli->opt[OPT_CLUSTER].flag || cli->opt[OPT_PROJECT].set)
        return OK;
    return FAIL(cli->ctx, INVALID_ARGUMENT, "must pass either --cluster or --project PROJECT");
}

static Status inspect_defaults(Cli *cli)
{
    TRY(selected(cli));
    if (cli->opt[OPT_CLUSTER].flag) {
        PpsV2__GetClusterDefaultsRequest *request = PB_NEW(
            cli->ctx, pps_v2__get_cluster_defaults_request, PpsV2__GetClusterDefaultsRequest);
        PpsV2__GetClusterDefaultsResponse *answer;
        TRY(cli_call(cli, "/pps_v2.API/GetClusterDefaults", request, &answer));
        if (cli->opt[OPT_RAW].flag)
            return cli_print_raw(cli, answer);
        cli_print(cli, "%s\n", answer->cluster_defaults_json);
        return OK;
    }
    PpsV2__GetProjectDefaultsRequest *request =
        PB_NEW(cli->ctx, pps_v2__get_project_defaults_request, PpsV2__GetProjectDefaultsRequest);
    PpsV2__GetProjectDefaultsResponse *answer;
    request->project = cli_project(cli);
    TRY(cli_call(cli, "/pps_v2.API/GetProjectDefaults", request, &answer));
    if (cli->opt[OPT_RAW].flag)
        return cli_print_raw(cli, answer);
    cli_print(cli, "%s\n", answer->project_defaults_json);
    return OK;
}

/* --- changing --------------------------------------------------------------------------------- */

static void print_affected(Cli *cli, bool regenerate, PpsV2__Pipeline *const *pipelines,
                           size_t count)
{
    if (!regenerate)
        return;
    cli_print(cli, count ? "affected pipelines:\n" : "no affected pipelines\n");
    for (size_t i = 0; i < count; i++)
        cli_print(cli, "\t %s/%s\n", pipelines[i]->project ? pipelines[i]->project->name : "",
                  pipelines[i]->name);
}

static Status set_cluster(Cli *cli, char *json)
{
    PpsV2__SetClusterDefaultsRequest *request =
        PB_NEW(cli->ctx, pps_v2__set_cluster_defaults_request, PpsV2__SetClusterDefaultsRequest);
    PpsV2__SetClusterDefaultsResponse *answer;
    request->cluster_defaults_json = json;
    request->reprocess = cli->opt[OPT_REPROCESS].flag;
    request->regenerate = request->reprocess || cli->opt[OPT_REGENERATE].flag;
    request->dry_run = cli->opt[OPT_DRY_RUN].flag;
    TRY(cli_call(cli, "/pps_v2.API/SetClusterDefaults", request, &answer));
    print_affected(cli, request->regenerate, answer->affected_pipelines,
                   answer->n_affected_pipelines);
    return OK;
}

static Status set_project(Cli *cli, char *json)
{
    PpsV2__SetProjectDefaultsRequest *request =
        PB_NEW(cli->ctx, pps_v2__set_project_defaults_request, PpsV2__SetProjectDefaultsRequest);
    PpsV2__SetProjectDefaultsResponse *answer;
    request->project = cli_project(cli);
    request->project_defaults_json = json;
    request->reprocess = cli->opt[OPT_REPROCESS].flag;
    request->regenerate = request->reprocess || cli->opt[OPT_REGENERATE].flag;
    request->dry_run = cli->opt[OPT_DRY_RUN].flag;
    TRY(cli_call(cli, "/pps_v2.API/SetProjectDefaults", request, &answer));
    print_affected(cli, request->regenerate, answer->affected_pipelines,
                   answer->n_affected_pipelines);
    return OK;
}

static Status read_defaults(Cli *cli, Str text, const char *file, bool cluster, char **out)
{
    JsonValue **documents;
    size_t count;
    ProtobufCMessage *ignored;
    const char *what = cluster ? "invalid cluster defaults" : "invalid project defaults";
    TRY_WRAP(cli->ctx, yaml_parse_all(cli->ctx, text, file, &documents, &count), "%s", what);
    if (count != 1)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "%s: %zu documents instead of one", what, count);
    const ProtobufCMessageDescriptor *type =
        cluster ? &pps_v2__cluster_defaults__descriptor : &pps_v2__project_defaults__descriptor;
    TRY_WRAP(cli->ctx, pbjson_from_value(cli->ctx, type, documents[0], NULL, &ignored), "%s", what);
    *out = str_z(cli->ctx->arena, json_print(cli->ctx->arena, documents[0], (JsonStyle){ 0 }));
    return OK;
}

static Status put_defaults(Cli *cli)
{
    TRY(selected(cli));
    bool cluster = cli->opt[OPT_CLUSTER].flag;
    const char *file = cli_text(cli, OPT_DEFAULTS_FILE);
    char *json = NULL;
    Buf text = { 0 };
    Status s = read_source(cli, file, &text);
    if (status_ok(s))
        s = read_defaults(cli, buf_str(&text), file, cluster, &json);
    buf_done(&text);
    TRY(s);
    return cluster ? set_cluster(cli, json) : set_project(cli, json);
}

static Status delete_defaults(Cli *cli)
{
    TRY(selected(cli));
    char *json = arena_strdup(cli->ctx->arena, "{}");
    return cli->opt[OPT_CLUSTER].flag ? set_cluster(cli, json) : set_project(cli, json);
}

#define OPTIONS_SET OPT_CLUSTER, OPT_PROJECT, OPT_REGENERATE, OPT_REPROCESS, OPT_DRY_RUN

/* clang-format off */
static const Command rows[] = {
    { .words = "inspect defaults", .args = "", .run = inspect_defaults,
      .summary = "print the defaults of pipeline specs", .options = { OPT_CLUSTER, OPT_PROJECT, OPT_RAW } },
    { .words = "create defaults", .args = "", .run = put_defaults, .summary = "set the defaults of pipeline specs",
      .options = { OPTIONS_SET, OPT_DEFAULTS_FILE } },
    { .words = "update defaults", .args = "", .run = put_defaults, .summary = "set the defaults of pipeline specs",
      .options = { OPTIONS_SET, OPT_DEFAULTS_FILE } },
    { .words = "delete defaults", .args = "", .run = delete_defaults, .summary = "clear the defaults of pipeline specs",
      .options = { OPTIONS_SET } },
};
/* clang-format on */

const CommandTable defaults_commands = { rows, ARRAY_LEN(rows) };
