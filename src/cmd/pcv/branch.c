/* branch.c - verbs of branches. */
#include "cmd/pcv/verbs_priv.h"

static Status read_trigger(Cli *cli, PfsV2__Trigger **out)
{
    PfsV2__Trigger *trigger = PB_NEW(cli->ctx, pfs_v2__trigger, PfsV2__Trigger);
    trigger->branch = cli_text(cli, OPT_TRIGGER);
    trigger->cron_spec = cli_text(cli, OPT_TRIGGER_CRON);
    trigger->size = cli_text(cli, OPT_TRIGGER_SIZE);
    trigger->commits = cli->opt[OPT_TRIGGER_COMMITS].number;
    trigger->all = cli->opt[OPT_TRIGGER_ALL].flag;
    bool conditions = *trigger->cron_spec || *trigger->size || trigger->commits || trigger->all;
    *out = *trigger->branch ? trigger : NULL;
    if (conditions && !*out)
        return FAIL(cli->ctx, INVALID_ARGUMENT,
                    "trigger condition specified without a branch to trigger on, specify a branch "
                    "with --trigger");
    if (*out && cli->opt[OPT_PROVENANCE].count)
        return FAIL(cli->ctx, INVALID_ARGUMENT,
                    "cannot use provenance and triggers on the same branch");
    return OK;
}

static Status read_provenance(Cli *cli, PfsV2__CreateBranchRequest *request)
{
    const OptionValue *given = &cli->opt[OPT_PROVENANCE];
    request->provenance = ARENA_NEW(cli->ctx->arena, PfsV2__Branch *, given->count + 1);
    if (!request->provenance)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < given->count; i++)
        TRY(ref_branch(cli->ctx, cli_project_name(cli), given->list[i], &request->provenance[i]));
    request->n_provenance = given->count;
    return OK;
}

/* A full commit when it holds '@', else an id, branch or ancestry of the same repo. */
static Status read_head(Cli *cli, const PfsV2__Branch *branch, PfsV2__Commit **out)
{
    char *head = cli_text(cli, OPT_HEAD);
    *out = NULL;
    if (!*head)
        return OK;
    if (strchr(head, '@'))
        return ref_commit(cli->ctx, cli_project_name(cli), head, out);
    *out = PB_NEW(cli->ctx, pfs_v2__commit, PfsV2__Commit);
    (*out)->repo = branch->repo;
    (*out)->id = head;
    return OK;
}

static Status create_branch(Cli *cli)
{
    PfsV2__CreateBranchRequest *request =
        PB_NEW(cli->ctx, pfs_v2__create_branch_request, PfsV2__CreateBranchRequest);
    TRY(ref_branch(cli->ctx, cli_project_name(cli), cli->args[0], &request->branch));
    TRY(read_trigger(cli, &request->trigger));
    TRY(read_provenance(cli, request));
    TRY(read_head(cli, request->branch, &request->head));
    return cli_call(cli, "/pfs_v2.API/CreateBranch", request, NULL);
}

static void print_branch(Cli *cli, const void *message)
{
    const PfsV2__BranchInfo *info = message;
    cli_print(cli, "Name: %s\n", ref_branch_text(cli->ctx, info->branch));
    if (info->head)
        cli_print(cli, "Head Commit: %s\n", ref_commit_text(cli->ctx, info->head));
    if (info->n_provenance)
        cli_print(cli, "Provenance:");
    for (size_t i = 0; i < info->n_provenance; i++)
        cli_print(cli, " %s", ref_branch_text(cli->ctx, info->provenance[i]));
    if (info->n_provenance)
        cli_print(cli, "\n");
    if (info->trigger)
        cli_print(cli, "Trigger: %s\n", trigger_text(cli->ctx, info->trigger));
    cli_print(cli, "Created by: %s\nCreated at: %s\n", info->created_by,
              cli_time(cli, info->created_at));
}

static Status inspect_branch(Cli *cli)
{
    PfsV2__InspectBranchRequest *request =
        PB_NEW(cli->ctx, pfs_v2__inspect_branch_request, PfsV2__InspectBranchRequest);
    TRY(ref_branch(cli->ctx, cli_project_name(cli), cli->args[0], &request->branch));
    return show_one(cli, "/pfs_v2.API/InspectBranch", request, print_branch);
}

static void branch_row(Cli *cli, Table *table, const void *message)
{
    const PfsV2__BranchInfo *info = message;
    TABLE_ROW(table, info->branch->name, info->head && *info->head->id ? info->head->id : "-",
              trigger_text(cli->ctx, info->trigger), *info->created_by ? info->created_by : "-",
              cli_time(cli, info->created_at));
}

static Status list_branch(Cli *cli)
{
    static const char *const header[] = { "BRANCH", "HEAD", "TRIGGER", "CREATOR", "CREATED" };
    static const Listing listing = { header, ARRAY_LEN(header), branch_row };
    PfsV2__ListBranchRequest *request =
        PB_NEW(cli->ctx, pfs_v2__list_branch_request, PfsV2__ListBranchRequest);
    TRY(ref_repo(cli->ctx, cli_project_name(cli), cli->args[0], &request->repo));
    return cli_list(cli, "/pfs_v2.API/ListBranch", request, &listing);
}

static Status delete_branch(Cli *cli)
{
    PfsV2__DeleteBranchRequest *request =
        PB_NEW(cli->ctx, pfs_v2__delete_branch_request, PfsV2__DeleteBranchRequest);
    TRY(ref_branch(cli->ctx, cli_project_name(cli), cli->args[0], &request->branch));
    request->force = cli->opt[OPT_FORCE].flag;
    return cli_call(cli, "/pfs_v2.API/DeleteBranch", request, NULL);
}

/* clang-format off */
static const Command rows[] = {
    { .words = "create branch", .args = "<repo>@<branch>", .args_min = 1, .args_max = 1, .run = create_branch,
      .in_transaction = true, .summary = "create a branch, or move the head of one that exists",
      .options = { OPT_PROVENANCE, OPT_HEAD, OPT_TRIGGER, OPT_TRIGGER_CRON, OPT_TRIGGER_SIZE, OPT_TRIGGER_COMMITS,
                   OPT_TRIGGER_ALL, OPT_PROJECT } },
    { .words = "inspect branch", .args = "<repo>@<branch>", .args_min = 1, .args_max = 1, .run = inspect_branch,
      .summary = "show a branch", .options = { OPTIONS_RAW, OPT_FULL_TIMESTAMPS, OPT_PROJECT } },
    { .words = "list branch", .args = "<repo>", .args_min = 1, .args_max = 1, .run = list_branch,
      .summary = "list the branches of a repo", .options = { OPTIONS_RAW, OPT_PROJECT } },
    { .words = "delete branch", .args = "<repo>@<branch>", .args_min = 1, .args_max = 1, .run = delete_branch,
      .in_transaction = true, .summary = "delete a branch; its commits stay", .options = { OPT_FORCE, OPT_PROJECT } },
};
/* clang-format on */

const CommandTable branch_commands = { rows, ARRAY_LEN(rows) };
