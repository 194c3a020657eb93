/* edit.c - edit pipeline: the spec in an editor, and back as an update. */
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/admin.pb-c.h"
#include "base/file.h"
#include "cmd/pcv/spec.h"
#include "cmd/pcv/verbs_priv.h"
#include "codec/yaml.h"

static Status schema_url(Cli *cli, Str *out)
{
    AdminV2__InspectClusterRequest *request =
        PB_NEW(cli->ctx, admin_v2__inspect_cluster_request, AdminV2__InspectClusterRequest);
    AdminV2__ClusterInfo *info;
    TRY(cli_call(cli, "/admin_v2.API/InspectCluster", request, &info));
    *out = info->web_resources ? str(info->web_resources->create_pipeline_request_json_schema_url)
                               : STR("");
    return OK;
}

static Status write_spec(Cli *cli, const char *json, bool yaml, Buf *out)
{
    JsonValue *spec;
    Str schema;
    TRY(json_parse(cli->ctx, str(json), &spec));
    TRY(schema_url(cli, &schema));
    if (schema.size && json_is(spec, JSON_OBJECT))
        json_set(cli->ctx->arena, spec, STR("$schema"), json_string(cli->ctx->arena, schema));
    if (yaml)
        return yaml_write(cli->ctx, spec, out);
    json_write(out, spec, (JsonStyle){ .indent = 2 });
    buf_add_u8(out, '\n');
    return OK;
}

/* Runs the editor on the file and waits until it is closed. */
static Status run_editor(Cli *cli, const char *path)
{
    const char *given = cli_text(cli, OPT_EDITOR), *of_environment = getenv("EDITOR");
    const char *editor = *given                              ? given
                         : of_environment && *of_environment ? of_environment
                                                             : "vim";
    char *command = text_printf(cli->ctx->arena, "%s \"$1\"", editor);
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", command, editor, path, (char *)NULL);
        _exit(127);
    }
    if (child < 0)
        return status_errno(cli->ctx, errno, "could not start the editor '%s'", editor);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return FAIL(cli->ctx, ABORTED, "editor '%s' did not end well; the pipeline is unchanged",
                    editor);
    return OK;
}

/* The text as the editor left it. */
static Status edit_text(Cli *cli, const char *ending, Str text, Buf *out)
{
    const char *folder = getenv("TMPDIR");
    char *path = text_printf(cli->ctx->arena, "%s/%s-XXXXXX.pipeline.%s",
                             folder && *folder ? folder : "/tmp", cli->args[0], ending);
    AUTO_FD fd = mkstemps(path, (int)(strlen(".pipeline.") + strlen(ending)));
    if (fd < 0)
        return status_errno(cli->ctx, errno, "could not make a temporary file '%s'", path);
    Status s = file_write_all(cli->ctx, fd, text.data, text.size);
    if (status_ok(s))
        s = run_editor(cli, path);
    if (status_ok(s))
        s = file_read_path(cli->ctx, path, out);
    unlink(path);
    return s;
}

static Status check_name(Cli *cli, const JsonValue *spec)
{
    if (!str_eq_c(json_text(json_path(spec, "pipeline", "project", "name", NULL)),
                  cli_project_name(cli)))
        return FAIL(cli->ctx, INVALID_ARGUMENT, "may not change project name");
    if (!str_eq_c(json_text(json_path(spec, "pipeline", "name", NULL)), cli->args[0]))
        return FAIL(cli->ctx, INVALID_ARGUMENT, "may not change pipeline name");
    return OK;
}

static Status send_edited(Cli *cli, void *arg, JsonValue *spec)
{
    (void)arg;
    TRY(check_name(cli, spec));
    return put_spec(cli, spec, true);
}

static Status edit_spec(Cli *cli, const char *json, Buf *before, Buf *after)
{
    bool yaml = strcmp(cli_text(cli, OPT_EDIT_FORMAT), "yaml") == 0;
    TRY(write_spec(cli, json, yaml, before));
    TRY(edit_text(cli, yaml ? "yaml" : "json", buf_str(before), after));
    if (bytes_eq(buf_bytes(before), buf_bytes(after))) {
        cli_note("Pipeline unchanged, no update will be performed.");
        return OK;
    }
    return spec_each(cli, buf_str(after), "the edited spec", send_edited, NULL);
}

static Status edit_pipeline(Cli *cli)
{
    PpsV2__InspectPipelineRequest *request =
        PB_NEW(cli->ctx, pps_v2__inspect_pipeline_request, PpsV2__InspectPipelineRequest);
    PpsV2__PipelineInfo *info;
    request->pipeline = ref_pipeline(cli->ctx, cli_project_name(cli), cli->args[0]);
    request->details = true;
    TRY(cli_call(cli, "/pps_v2.API/InspectPipeline", request, &info));
    Buf before = { 0 }, after = { 0 };
    Status s = edit_spec(cli, info->user_spec_json, &before, &after);
    buf_done(&before);
    buf_done(&after);
    return s;
}

/* clang-format off */
static const Command rows[] = {
    { .words = "edit pipeline", .args = "<pipeline>", .args_min = 1, .args_max = 1, .run = edit_pipeline,
      .in_transaction = true, .summary = "change the spec of a pipeline in an editor",
      .options = { OPT_REPROCESS, OPT_EDITOR, OPT_EDIT_FORMAT, OPT_PROJECT } },
};
/* clang-format on */

const CommandTable edit_commands = { rows, ARRAY_LEN(rows) };
