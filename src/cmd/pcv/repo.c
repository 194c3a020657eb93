/* repo.c - verbs of repos. */
#include "cmd/pcv/verbs_priv.h"

static Status put_repo(Cli *cli, bool update)
{
    PfsV2__CreateRepoRequest *request =
        PB_NEW(cli->ctx, pfs_v2__create_repo_request, PfsV2__CreateRepoRequest);
    TRY(ref_repo(cli->ctx, cli_project_name(cli), cli->args[0], &request->repo));
    request->description = cli_text(cli, OPT_DESCRIPTION);
    request->update = update;
    return cli_call(cli, "/pfs_v2.API/CreateRepo", request, NULL);
}

static Status create_repo(Cli *cli)
{
    return put_repo(cli, false);
}

static Status update_repo(Cli *cli)
{
    return put_repo(cli, true);
}

static char *repo_size(Cli *cli, const PfsV2__RepoInfo *info)
{
    if (info->details)
        return cli_size(cli, info->details->size_bytes);
    return text_printf(cli->ctx->arena, "≤ %s", cli_size(cli, info->size_bytes_upper_bound));
}

static void print_repo(Cli *cli, const void *message)
{
    const PfsV2__RepoInfo *info = message;
    cli_print(cli, "Name: %s\n", ref_repo_text(cli->ctx, info->repo));
    if (*info->description)
        cli_print(cli, "Description: %s\n", info->description);
    cli_print(cli, "Created: %s\n", cli_ago(cli, info->created));
    if (info->details)
        cli_print(cli, "Size of HEAD on master: %s\n", cli_size(cli, info->details->size_bytes));
    if (info->auth_info && info->auth_info->n_roles)
        cli_print(cli, "Roles: %s\n",
                  text_join(cli->ctx->arena, (const char *const *)info->auth_info->roles,
                            info->auth_info->n_roles, ", "));
}

static Status inspect_repo(Cli *cli)
{
    PfsV2__InspectRepoRequest *request =
        PB_NEW(cli->ctx, pfs_v2__inspect_repo_request, PfsV2__InspectRepoRequest);
    TRY(ref_repo(cli->ctx, cli_project_name(cli), cli->args[0], &request->repo));
    return show_one(cli, "/pfs_v2.API/InspectRepo", request, print_repo);
}

static void repo_row(Cli *cli, Table *table, const void *message)
{
    const PfsV2__RepoInfo *info = message;
    TABLE_ROW(table, info->repo->project ? info->repo->project->name : "",
              ref_repo_text(cli->ctx, info->repo), cli_ago(cli, info->created),
              repo_size(cli, info), info->description);
}

static Status list_repo(Cli *cli)
{
    static const char *const header[] = { "PROJECT", "NAME", "CREATED", "SIZE (MASTER)",
                                          "DESCRIPTION" };
    static const Listing listing = { header, ARRAY_LEN(header), repo_row };
    PfsV2__ListRepoRequest *request =
        PB_NEW(cli->ctx, pfs_v2__list_repo_request, PfsV2__ListRepoRequest);
    PfsV2__Project *project = cli_project(cli);
    if (!cli->opt[OPT_ALL_KINDS].flag)
        request->type = cli_text(cli, OPT_REPO_TYPE);
    if (!cli->opt[OPT_ALL_PROJECTS].flag) {
        request->projects = &project;
        request->n_projects = 1;
    }
    return cli_list(cli, "/pfs_v2.API/ListRepo", request, &listing);
}

static Status delete_all_repos(Cli *cli)
{
    PfsV2__DeleteReposRequest *request =
        PB_NEW(cli->ctx, pfs_v2__delete_repos_request, PfsV2__DeleteReposRequest);
    PfsV2__Project *project = cli_project(cli);
    request->force = cli->opt[OPT_FORCE].flag;
    request->all = cli->opt[OPT_ALL_PROJECTS].flag;
    if (!request->all) {
        request->projects = &project;
        request->n_projects = 1;
    }
    return cli_call(cli, "/pfs_v2.API/DeleteRepos", request, NULL);
}

static Status delete_repo(Cli *cli)
{
    if (cli->arg_count && cli->opt[OPT_ALL].flag)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "cannot use the --all flag with an argument");
    if (cli->arg_count && cli->opt[OPT_ALL_PROJECTS].flag)
        return FAIL(cli->ctx, INVALID_ARGUMENT,
                    "cannot use the --all-projects flag with an argument");
    if (!cli->arg_count && !cli->opt[OPT_ALL].flag)
        return FAIL(cli->ctx, INVALID_ARGUMENT,
                    "either a repo name or the --all flag needs to be provided");
    if (!cli->arg_count)
        return delete_all_repos(cli);
    PfsV2__DeleteRepoRequest *request =
        PB_NEW(cli->ctx, pfs_v2__delete_repo_request, PfsV2__DeleteRepoRequest);
    PfsV2__DeleteRepoResponse *answer;
    TRY(ref_repo(cli->ctx, cli_project_name(cli), cli->args[0], &request->repo));
    request->force = cli->opt[OPT_FORCE].flag;
    TRY(cli_call(cli, "/pfs_v2.API/DeleteRepo", request, &answer));
    if (!answer->deleted && !*settings_text(&cli->settings, "active_transaction"))
        return FAIL(cli->ctx, NOT_FOUND, "No repo deleted.");
    cli_note("Repo deleted.");
    return OK;
}

/* clang-format off */
static const Command rows[] = {
    { .words = "create repo", .args = "<repo>", .args_min = 1, .args_max = 1, .run = create_repo,
      .in_transaction = true, .summary = "create a repo: a place for versions of files",
      .options = { OPT_DESCRIPTION, OPT_PROJECT } },
    { .words = "update repo", .args = "<repo>", .args_min = 1, .args_max = 1, .run = update_repo,
      .in_transaction = true, .summary = "change the description of a repo; create it when it is missing",
      .options = { OPT_DESCRIPTION, OPT_PROJECT } },
    { .words = "inspect repo", .args = "<repo>", .args_min = 1, .args_max = 1, .run = inspect_repo,
      .summary = "show a repo", .options = { OPTIONS_RAW, OPT_FULL_TIMESTAMPS, OPT_PROJECT } },
    { .words = "list repo", .run = list_repo, .summary = "list repos",
      .options = { OPTIONS_RAW, OPT_FULL_TIMESTAMPS, OPT_PROJECT, OPT_ALL_KINDS, OPT_REPO_TYPE, OPT_ALL_PROJECTS } },
    { .words = "delete repo", .args = "[<repo>]", .args_max = 1, .run = delete_repo, .in_transaction = true,
      .summary = "delete a repo with all its commits",
      .options = { OPT_FORCE, OPT_ALL, OPT_ALL_PROJECTS, OPT_PROJECT } },
};
/* clang-format on */

const CommandTable repo_commands = { rows, ARRAY_LEN(rows) };
