/* project.c - verbs of projects. */
#include "cmd/pcv/verbs_priv.h"

static Status put_project(Cli *cli, bool update)
{
    PfsV2__CreateProjectRequest *request =
        PB_NEW(cli->ctx, pfs_v2__create_project_request, PfsV2__CreateProjectRequest);
    request->project = ref_project(cli->ctx, cli->args[0]);
    request->description = cli_text(cli, OPT_DESCRIPTION);
    request->update = update;
    return cli_call(cli, "/pfs_v2.API/CreateProject", request, NULL);
}

static Status create_project(Cli *cli)
{
    return put_project(cli, false);
}

static Status update_project(Cli *cli)
{
    return put_project(cli, true);
}

/* "a", "a and b", "a, b and c". */
static char *and_list(Ctx *ctx, char *const *words, size_t count)
{
    char *text = arena_strdup(ctx->arena, "");
    for (size_t i = 0; i < count; i++)
        text = text_printf(ctx->arena, "%s%s%s", text,
                           i == 0           ? ""
                           : i + 1 == count ? " and "
                                            : ", ",
                           words[i]);
    return text;
}

static Status inspect_project(Cli *cli)
{
    PfsV2__InspectProjectV2Request *request =
        PB_NEW(cli->ctx, pfs_v2__inspect_project_v2_request, PfsV2__InspectProjectV2Request);
    request->project = ref_project(cli->ctx, cli->args[0]);
    PfsV2__InspectProjectV2Response *answer;
    TRY(cli_call(cli, "/pfs_v2.API/InspectProjectV2", request, &answer));
    const PfsV2__ProjectInfo *info = answer->info;
    if (cli->opt[OPT_RAW].flag)
        return cli_print_raw(cli, info);
    cli_print(cli, "Name: %s\n", info->project->name);
    if (*info->description)
        cli_print(cli, "Description: %s\n", info->description);
    if (info->created_at)
        cli_print(cli, "Created at: %s\n", cli_time(cli, info->created_at));
    if (info->auth_info)
        cli_print(cli, "Roles: %s\n",
                  and_list(cli->ctx, info->auth_info->roles, info->auth_info->n_roles));
    if (*answer->defaults_json)
        cli_print(cli, "Defaults: %s\n", answer->defaults_json);
    return OK;
}

static void project_row(Cli *cli, Table *table, const void *message)
{
    const PfsV2__ProjectInfo *info = message;
    const char *current = strcmp(info->project->name, cli_project_name(cli)) == 0 ? "*" : "";
    TABLE_ROW(table, current, info->project->name, cli_ago(cli, info->created_at),
              *info->description ? info->description : "-");
}

static Status list_project(Cli *cli)
{
    static const char *const header[] = { "ACTIVE", "PROJECT", "CREATED", "DESCRIPTION" };
    static const Listing listing = { header, ARRAY_LEN(header), project_row };
    PfsV2__ListProjectRequest *request =
        PB_NEW(cli->ctx, pfs_v2__list_project_request, PfsV2__ListProjectRequest);
    return cli_list(cli, "/pfs_v2.API/ListProject", request, &listing);
}

/* --- delete, with all that is in it ----------------------------------------------------------- */

static Status confirm_all(Cli *cli, const char *what, size_t count)
{
    bool yes;
    TRY(cli_confirm(cli, &yes));
    if (yes)
        return OK;
    return FAIL(cli->ctx, FAILED_PRECONDITION, "cannot delete project with %zu %s", count, what);
}

static Status delete_pipelines_of(Cli *cli, PfsV2__Project *project)
{
    PpsV2__ListPipelineRequest *list =
        PB_NEW(cli->ctx, pps_v2__list_pipeline_request, PpsV2__ListPipelineRequest);
    list->projects = &project;
    list->n_projects = 1;
    CliMessages found;
    TRY(cli_collect(cli, "/pps_v2.API/ListPipeline", list, &found));
    for (size_t i = 0; i < found.count; i++) {
        const PpsV2__PipelineInfo *info = found.items[i];
        cli_print(cli, "This will delete pipeline %s/%s\n?", project->name, info->pipeline->name);
    }
    if (found.count)
        TRY(confirm_all(cli, "pipelines", found.count));
    for (size_t i = 0; i < found.count; i++) {
        PpsV2__DeletePipelineRequest *request =
            PB_NEW(cli->ctx, pps_v2__delete_pipeline_request, PpsV2__DeletePipelineRequest);
        request->pipeline = ((PpsV2__PipelineInfo *)found.items[i])->pipeline;
        request->force = cli->opt[OPT_FORCE].flag;
        TRY(cli_call(cli, "/pps_v2.API/DeletePipeline", request, NULL));
    }
    return OK;
}

static Status delete_repos_of(Cli *cli, PfsV2__Project *project)
{
    PfsV2__ListRepoRequest *list =
        PB_NEW(cli->ctx, pfs_v2__list_repo_request, PfsV2__ListRepoRequest);
    list->type = arena_strdup(cli->ctx->arena, "user");
    list->projects = &project;
    list->n_projects = 1;
    CliMessages found;
    TRY(cli_collect(cli, "/pfs_v2.API/ListRepo", list, &found));
    for (size_t i = 0; i < found.count; i++)
        cli_print(cli, "This will delete repo %s/%s\n", project->name,
                  ((PfsV2__RepoInfo *)found.items[i])->repo->name);
    if (found.count)
        TRY(confirm_all(cli, "repos", found.count));
    for (size_t i = 0; i < found.count; i++) {
        PfsV2__DeleteRepoRequest *request =
            PB_NEW(cli->ctx, pfs_v2__delete_repo_request, PfsV2__DeleteRepoRequest);
        request->repo = ((PfsV2__RepoInfo *)found.items[i])->repo;
        request->force = cli->opt[OPT_FORCE].flag;
        TRY(cli_call(cli, "/pfs_v2.API/DeleteRepo", request, NULL));
    }
    return OK;
}

static Status delete_project(Cli *cli)
{
    PfsV2__DeleteProjectRequest *request =
        PB_NEW(cli->ctx, pfs_v2__delete_project_request, PfsV2__DeleteProjectRequest);
    request->project = ref_project(cli->ctx, cli->args[0]);
    request->force = cli->opt[OPT_FORCE].flag;
    TRY(delete_pipelines_of(cli, request->project));
    TRY(delete_repos_of(cli, request->project));
    TRY(cli_call(cli, "/pfs_v2.API/DeleteProject", request, NULL));
    if (strcmp(settings_text(&cli->settings, "project"), cli->args[0]) == 0)
        cli_note("warning: %s was the project of the current context; update it by: %s config "
                 "update context --project "
                 "NAME",
                 cli->args[0], cli->program);
    return OK;
}

/* clang-format off */
static const Command rows[] = {
    { .words = "create project", .args = "<project>", .args_min = 1, .args_max = 1, .run = create_project,
      .summary = "create a project", .options = { OPT_DESCRIPTION } },
    { .words = "update project", .args = "<project>", .args_min = 1, .args_max = 1, .run = update_project,
      .summary = "change the description of a project", .options = { OPT_DESCRIPTION } },
    { .words = "inspect project", .args = "<project>", .args_min = 1, .args_max = 1, .run = inspect_project,
      .summary = "show a project and its defaults", .options = { OPTIONS_RAW } },
    { .words = "list project", .run = list_project,
      .summary = "list all projects; * marks that of the context", .options = { OPTIONS_RAW } },
    { .words = "delete project", .args = "<project>", .args_min = 1, .args_max = 1, .run = delete_project,
      .summary = "delete a project, after asking also its pipelines and repos", .options = { OPT_FORCE } },
};
/* clang-format on */

const CommandTable project_commands = { rows, ARRAY_LEN(rows) };
