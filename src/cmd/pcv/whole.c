/* whole.c - verbs that go over everything: delete all, list task. */
#include "auth/auth.pb-c.h"
#include "cmd/pcv/verbs_priv.h"
#include "identity/identity.pb-c.h"
#include "task/task.pb-c.h"
#include "transaction/transaction.pb-c.h"

/* --- delete all ------------------------------------------------------------------------------- */

static Status repo_names(Cli *cli, char **out)
{
    PfsV2__ListRepoRequest *request =
        PB_NEW(cli->ctx, pfs_v2__list_repo_request, PfsV2__ListRepoRequest);
    request->type = arena_strdup(cli->ctx->arena, "user");
    CliMessages found;
    TRY(cli_collect(cli, "/pfs_v2.API/ListRepo", request, &found));
    const char **names = ARENA_NEW(cli->ctx->arena, const char *, found.count + 1);
    if (!names)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < found.count; i++)
        names[i] = ((PfsV2__RepoInfo *)found.items[i])->repo->name;
    *out = text_join(cli->ctx->arena, names, found.count, ", ");
    return OK;
}

static Status pipeline_names(Cli *cli, char **out)
{
    PpsV2__ListPipelineRequest *request =
        PB_NEW(cli->ctx, pps_v2__list_pipeline_request, PpsV2__ListPipelineRequest);
    CliMessages found;
    TRY(cli_collect(cli, "/pps_v2.API/ListPipeline", request, &found));
    const char **names = ARENA_NEW(cli->ctx->arena, const char *, found.count + 1);
    if (!names)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < found.count; i++) {
        const PpsV2__Pipeline *pipeline = ((PpsV2__PipelineInfo *)found.items[i])->pipeline;
        names[i] =
            text_printf(cli->ctx->arena, "%s/%s", pipeline->project->name, pipeline->name);
    }
    *out = text_join(cli->ctx->arena, names, found.count, ", ");
    return OK;
}

/* What only a server with users has: it is fine that this one has none. */
static Status call_if_active(Cli *cli, const char *path, const void *request)
{
    Status s = cli_call(cli, path, request, NULL);
    return s.code == STATUS_UNIMPLEMENTED ? OK : s;
}

static Status delete_everything(Cli *cli)
{
    Ctx *ctx = cli->ctx;
    TRY(call_if_active(cli, "/identity_v2.API/DeleteAll",
                       PB_NEW(ctx, identity_v2__delete_all_request, IdentityV2__DeleteAllRequest)));
    TRY(call_if_active(cli, "/auth_v2.API/Deactivate",
                       PB_NEW(ctx, auth_v2__deactivate_request, AuthV2__DeactivateRequest)));
    const void *empty = PB_NEW(ctx, google__protobuf__empty, Google__Protobuf__Empty);
    TRY(cli_call(cli, "/pps_v2.API/DeleteAll", empty, NULL));
    TRY(cli_call(cli, "/pfs_v2.API/DeleteAll", empty, NULL));
    return cli_call(
        cli, "/transaction_v2.API/DeleteAll",
        PB_NEW(ctx, transaction_v2__delete_all_request, TransactionV2__DeleteAllRequest), NULL);
}

static Status delete_all(Cli *cli)
{
    char *repos, *pipelines;
    bool yes;
    TRY(repo_names(cli, &repos));
    TRY(pipeline_names(cli, &pipelines));
    cli_print(cli, "All ACLs, repos, commits, files, pipelines and jobs will be deleted.\n");
    cli_print(cli, "Repos to delete: %s\n", cli_paint(cli, COLOR_RED, repos));
    cli_print(cli, "Pipelines to delete: %s\n", cli_paint(cli, COLOR_RED, pipelines));
    TRY(cli_confirm(cli, &yes));
    if (!yes)
        return OK;
    TRY(delete_everything(cli));
    settings_put(cli->ctx, settings_active(cli->ctx, &cli->settings), "active_transaction", "");
    return settings_save(cli->ctx, &cli->settings);
}

/* --- list task -------------------------------------------------------------------------------- */

static Status print_task(Cli *cli, void *arg, const void *message)
{
    (void)arg;
    return cli_print_raw(cli, message);
}

static Status list_task(Cli *cli)
{
    const char *service = cli->args[0];
    if (strcmp(service, "pfs") != 0 && strcmp(service, "pps") != 0)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "%s is not a valid task service", service);
    Taskapi__ListTaskRequest *request =
        PB_NEW(cli->ctx, taskapi__list_task_request, Taskapi__ListTaskRequest);
    request->group = PB_NEW(cli->ctx, taskapi__group, Taskapi__Group);
    request->group->namespace_ = cli_text(cli, OPT_TASK_NAMESPACE);
    request->group->group = cli_text(cli, OPT_TASK_GROUP);
    const char *path = text_printf(cli->ctx->arena, "/%s_v2.API/ListTask", service);
    return cli_each(cli, path, request, print_task, NULL);
}

/* clang-format off */
static const Command rows[] = {
    { .words = "delete all", .args = "", .run = delete_all,
      .summary = "delete everything on the server, after asking" },
    { .words = "list task", .args = "<service>", .args_min = 1, .args_max = 1, .run = list_task, .hidden = true,
      .summary = "list the pieces of work in progress of pfs or pps",
      .options = { OPT_TASK_NAMESPACE, OPT_TASK_GROUP, OPTIONS_RAW } },
};
/* clang-format on */

const CommandTable whole_commands = { rows, ARRAY_LEN(rows) };
