/* commit.c - verbs of commits and of sets of commits. */
#include <strings.h>

#include "base/id.h"
#include "cmd/pcv/verbs_priv.h"
#include "codec/pbjson.h"

static char *message_of(const Cli *cli)
{
    return cli->opt[OPT_MESSAGE].set ? cli_text(cli, OPT_MESSAGE) : cli_text(cli, OPT_MESSAGE_TOO);
}

static Status start_commit(Cli *cli)
{
    PfsV2__StartCommitRequest *request =
        PB_NEW(cli->ctx, pfs_v2__start_commit_request, PfsV2__StartCommitRequest);
    TRY(ref_branch(cli->ctx, cli_project_name(cli), cli->args[0], &request->branch));
    request->description = message_of(cli);
    char *parent = cli_text(cli, OPT_PARENT);
    if (*parent) {
        const char *full =
            strchr(parent, '@')
                ? parent
                : text_printf(cli->ctx->arena, "%s@%s",
                              ref_repo_text(cli->ctx, request->branch->repo), parent);
        TRY(ref_commit(cli->ctx, cli_project_name(cli), full, &request->parent));
    }
    PfsV2__Commit *commit;
    TRY(cli_call(cli, "/pfs_v2.API/StartCommit", request, &commit));
    cli_print(cli, "%s\n", commit->id);
    return OK;
}

static Status finish_commit(Cli *cli)
{
    PfsV2__FinishCommitRequest *request =
        PB_NEW(cli->ctx, pfs_v2__finish_commit_request, PfsV2__FinishCommitRequest);
    TRY(ref_commit(cli->ctx, cli_project_name(cli), cli->args[0], &request->commit));
    request->description = message_of(cli);
    request->force = cli->opt[OPT_FORCE].flag;
    return cli_call(cli, "/pfs_v2.API/FinishCommit", request, NULL);
}

/* --- looking at one --------------------------------------------------------------------------- */

static void print_commit(Cli *cli, const void *message)
{
    const PfsV2__CommitInfo *info = message;
    cli_print(cli, "Commit: %s\n", ref_commit_text(cli->ctx, info->commit));
    if (*info->description)
        cli_print(cli, "Description: %s\n", info->description);
    if (info->parent_commit)
        cli_print(cli, "Parent: %s\n", info->parent_commit->id);
    cli_print(cli, "Started: %s\n", cli_ago(cli, info->started));
    if (info->finished)
        cli_print(cli, "Finished: %s\n", cli_ago(cli, info->finished));
    if (*info->error)
        cli_print(cli, "Error: %s\n", info->error);
    if (info->details)
        cli_print(cli, "Size: %s\n", cli_size(cli, info->details->size_bytes));
}

static Status look_at_commit(Cli *cli, PfsV2__CommitState wait)
{
    PfsV2__InspectCommitRequest *request =
        PB_NEW(cli->ctx, pfs_v2__inspect_commit_request, PfsV2__InspectCommitRequest);
    TRY(ref_commit(cli->ctx, cli_project_name(cli), cli->args[0], &request->commit));
    request->wait = wait;
    return show_one(cli, "/pfs_v2.API/InspectCommit", request, print_commit);
}

static Status inspect_commit(Cli *cli)
{
    return look_at_commit(cli, PFS_V2__COMMIT_STATE__STARTED);
}

static Status wait_commit(Cli *cli)
{
    return look_at_commit(cli, PFS_V2__COMMIT_STATE__FINISHED);
}

/* --- lists ------------------------------------------------------------------------------------ */

static const char *origin_text(const PfsV2__CommitOrigin *origin)
{
    static const char *const names[] = { "-", "USER", "AUTO", "FSCK" };
    size_t kind = origin ? (size_t)origin->kind : 0;
    return kind < ARRAY_LEN(names) ? names[kind] : "-";
}

static void commit_row(Cli *cli, Table *table, const void *message)
{
    const PfsV2__CommitInfo *info = message;
    const PfsV2__Repo *repo = info->commit->repo;
    const char *size = info->details ? cli_size(cli, info->details->size_bytes)
                                     : text_printf(cli->ctx->arena, "≤ %s",
                                                   cli_size(cli, info->size_bytes_upper_bound));
    TABLE_ROW(table, repo->project ? repo->project->name : "", ref_repo_text(cli->ctx, repo),
              info->commit->id, cli_ago(cli, info->finished), size, origin_text(info->origin),
              *info->created_by ? info->created_by : "-", info->description);
}

static const char *const commit_header[] = { "PROJECT", "REPO",   "COMMIT",  "FINISHED",
                                             "SIZE",    "ORIGIN", "CREATOR", "DESCRIPTION" };
const Listing commit_listing = { commit_header, ARRAY_LEN(commit_header), commit_row };

/* First and last start, and how far the commits are. */
static void set_row(Cli *cli, Table *table, const void *message)
{
    const PfsV2__CommitSetInfo *info = message;
    const Google__Protobuf__Timestamp *first = NULL, *last = NULL;
    size_t good = 0, bad = 0;
    for (size_t i = 0; i < info->n_commits; i++) {
        const PfsV2__CommitInfo *commit = info->commits[i];
        bad += *commit->error != '\0';
        good += commit->finished && !*commit->error;
        if (commit->started && (!first || commit->started->seconds < first->seconds))
            first = commit->started;
        if (commit->started && (!last || commit->started->seconds > last->seconds))
            last = commit->started;
    }
    TABLE_ROW(table, info->commit_set->id, text_printf(cli->ctx->arena, "%zu", info->n_commits),
              progress_bar(cli, good, info->n_commits - good - bad, bad), cli_ago(cli, first),
              cli_ago(cli, last));
}

typedef struct SetRun {
    Table sets, commits;
    int64_t left; /* sets still to print; negative: all */
} SetRun;

static Status each_set(Cli *cli, void *arg, const void *message)
{
    SetRun *run = arg;
    const PfsV2__CommitSetInfo *info = message;
    if (run->left == 0)
        return STATUS(CANCELLED);
    run->left--;
    if (!cli->opt[OPT_EXPAND].flag) {
        if (cli->opt[OPT_RAW].flag)
            return cli_print_raw(cli, info);
        set_row(cli, &run->sets, info);
        return OK;
    }
    for (size_t i = 0; i < info->n_commits; i++) {
        if (cli->opt[OPT_RAW].flag)
            TRY(cli_print_raw(cli, info->commits[i]));
        else
            commit_row(cli, &run->commits, info->commits[i]);
    }
    return OK;
}

static Status list_sets(Cli *cli)
{
    static const char *const header[] = { "ID", "SUBCOMMITS", "PROGRESS", "CREATED", "MODIFIED" };
    PfsV2__ListCommitSetRequest *request =
        PB_NEW(cli->ctx, pfs_v2__list_commit_set_request, PfsV2__ListCommitSetRequest);
    request->project = cli_project(cli);
    SetRun run = { .left = cli->opt[OPT_NUMBER].number > 0 ? cli->opt[OPT_NUMBER].number : -1 };
    table_init(&run.sets, cli, header, ARRAY_LEN(header));
    table_init(&run.commits, cli, commit_header, ARRAY_LEN(commit_header));
    Status s = cli_each(cli, "/pfs_v2.API/ListCommitSet", request, each_set, &run);
    if (s.code == STATUS_CANCELLED && run.left == 0)
        s = OK;
    if (!cli->opt[OPT_RAW].flag)
        table_done(cli->opt[OPT_EXPAND].flag ? &run.commits : &run.sets);
    return s;
}

static Status read_origin(Cli *cli, PfsV2__OriginKind *out)
{
    static const struct {
        const char *name;
        PfsV2__OriginKind kind;
    } kinds[] = {
        { "user", PFS_V2__ORIGIN_KIND__USER },
        { "auto", PFS_V2__ORIGIN_KIND__AUTO },
        { "fsck", PFS_V2__ORIGIN_KIND__FSCK },
    };
    const char *name = cli_text(cli, OPT_ORIGIN);
    *out = PFS_V2__ORIGIN_KIND__ORIGIN_KIND_UNKNOWN;
    if (!*name)
        return OK;
    if (cli->opt[OPT_ALL_KINDS].flag)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "cannot specify both --all and --origin");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcasecmp(name, kinds[i].name) == 0) {
            *out = kinds[i].kind;
            return OK;
        }
    }
    return FAIL(cli->ctx, INVALID_ARGUMENT,
                "unknown commit origin type '%s', must be one of: AUTO, FSCK, USER", name);
}

static Status refuse_filters(Cli *cli, const char *when)
{
    static const OptionId filters[] = { OPT_ORIGIN, OPT_FROM };
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        if (cli->opt[filters[i]].set)
            return FAIL(cli->ctx, INVALID_ARGUMENT, "cannot specify --%s when listing %s",
                        pcv_options[filters[i]].name, when);
    }
    return OK;
}

static bool names_nothing(const PfsV2__Commit *commit)
{
    return !*commit->id && !*commit->branch->name;
}

/* --from of a list: a full commit, or a reference of the same repo. */
static Status read_from(Cli *cli, OptionId id, const PfsV2__Repo *repo, PfsV2__Commit **out)
{
    const char *text = cli_text(cli, id);
    if (!*text)
        return OK;
    if (!strchr(text, '@'))
        text = text_printf(cli->ctx->arena, "%s@%s", ref_repo_text(cli->ctx, repo), text);
    return ref_commit(cli->ctx, cli_project_name(cli), text, out);
}

static Status list_commits(Cli *cli)
{
    PfsV2__ListCommitRequest *request =
        PB_NEW(cli->ctx, pfs_v2__list_commit_request, PfsV2__ListCommitRequest);
    TRY(read_origin(cli, &request->origin_kind));
    TRY(ref_commit(cli->ctx, cli_project_name(cli), cli->args[0], &request->to));
    request->repo = request->to->repo;
    if (names_nothing(request->to))
        request->to = NULL;
    TRY(read_from(cli, OPT_FROM, request->repo, &request->from));
    request->number = cli->opt[OPT_NUMBER].number;
    request->all = cli->opt[OPT_ALL_KINDS].flag;
    return cli_list(cli, "/pfs_v2.API/ListCommit", request, &commit_listing);
}

static Status list_commit(Cli *cli)
{
    if (cli->opt[OPT_ALL_KINDS].flag && cli->opt[OPT_ORIGIN].set)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "cannot specify both --all and --origin");
    if (!cli->arg_count) {
        TRY(refuse_filters(cli, "all commits"));
        return list_sets(cli);
    }
    if (!id_is_v4(str(cli->args[0])))
        return list_commits(cli);
    TRY(refuse_filters(cli, "subcommits"));
    PfsV2__InspectCommitSetRequest *request =
        PB_NEW(cli->ctx, pfs_v2__inspect_commit_set_request, PfsV2__InspectCommitSetRequest);
    PfsV2__CommitSet *set = PB_NEW(cli->ctx, pfs_v2__commit_set, PfsV2__CommitSet);
    set->id = cli->args[0];
    request->commit_set = set;
    return cli_list(cli, "/pfs_v2.API/InspectCommitSet", request, &commit_listing);
}

static Status each_subscribed(Cli *cli, void *arg, const void *message)
{
    if (cli->opt[OPT_RAW].flag)
        TRY(cli_print_raw(cli, message));
    else
        commit_row(cli, arg, message);
    return cli_flush(cli);
}

static Status subscribe_commit(Cli *cli)
{
    PfsV2__SubscribeCommitRequest *request =
        PB_NEW(cli->ctx, pfs_v2__subscribe_commit_request, PfsV2__SubscribeCommitRequest);
    PfsV2__Commit *commit;
    TRY(ref_commit(cli->ctx, cli_project_name(cli), cli->args[0], &commit));
    TRY(read_origin(cli, &request->origin_kind));
    if (cli->opt[OPT_NEW].flag && cli->opt[OPT_FROM_LONG].set)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "--new and --from cannot be used together");
    request->repo = commit->repo;
    request->branch = commit->branch->name;
    request->state = PFS_V2__COMMIT_STATE__STARTED;
    request->all = cli->opt[OPT_ALL_KINDS].flag;
    TRY(read_from(cli, OPT_FROM_LONG, commit->repo, &request->from));
    if (cli->opt[OPT_NEW].flag)
        request->from = commit;
    Table table;
    table_init(&table, cli, commit_header, ARRAY_LEN(commit_header));
    table.live = true;
    Status s = cli_each(cli, "/pfs_v2.API/SubscribeCommit", request, each_subscribed, &table);
    if (!cli->opt[OPT_RAW].flag)
        table_done(&table);
    return s;
}

/* --- taking away ------------------------------------------------------------------------------ */

static Status squash_set(Cli *cli)
{
    PfsV2__CommitSet *set = PB_NEW(cli->ctx, pfs_v2__commit_set, PfsV2__CommitSet);
    PfsV2__SquashCommitSetRequest *request =
        PB_NEW(cli->ctx, pfs_v2__squash_commit_set_request, PfsV2__SquashCommitSetRequest);
    set->id = cli->args[0];
    request->commit_set = set;
    return cli_call(cli, "/pfs_v2.API/SquashCommitSet", request, NULL);
}

static Status drop_set(Cli *cli)
{
    PfsV2__CommitSet *set = PB_NEW(cli->ctx, pfs_v2__commit_set, PfsV2__CommitSet);
    PfsV2__DropCommitSetRequest *request =
        PB_NEW(cli->ctx, pfs_v2__drop_commit_set_request, PfsV2__DropCommitSetRequest);
    set->id = cli->args[0];
    request->commit_set = set;
    return cli_call(cli, "/pfs_v2.API/DropCommitSet", request, NULL);
}

static Status squash_one(Cli *cli)
{
    PfsV2__SquashCommitRequest *request =
        PB_NEW(cli->ctx, pfs_v2__squash_commit_request, PfsV2__SquashCommitRequest);
    TRY(ref_commit(cli->ctx, cli_project_name(cli), cli->args[0], &request->commit));
    request->recursive = cli->opt[OPT_RECURSIVE].flag;
    return cli_call(cli, "/pfs_v2.API/SquashCommit", request, NULL);
}

static Status drop_one(Cli *cli)
{
    PfsV2__DropCommitRequest *request =
        PB_NEW(cli->ctx, pfs_v2__drop_commit_request, PfsV2__DropCommitRequest);
    TRY(ref_commit(cli->ctx, cli_project_name(cli), cli->args[0], &request->commit));
    request->recursive = cli->opt[OPT_RECURSIVE].flag;
    return cli_call(cli, "/pfs_v2.API/DropCommit", request, NULL);
}

/* --- find ------------------------------------------------------------------------------------- */

static void print_found(Cli *cli, const CliMessages *found)
{
    bool any = false;
    cli_print(cli, "FOUND IN COMMITS\n");
    for (size_t i = 0; i < found->count; i++) {
        const PfsV2__FindCommitsResponse *r = found->items[i];
        if (r->result_case == PFS_V2__FIND_COMMITS_RESPONSE__RESULT_FOUND_COMMIT) {
            cli_print(cli, "%s\n", r->found_commit->id);
            any = true;
        }
    }
    if (!any)
        cli_print(cli, "no commits found.\n");
    for (size_t i = 0; i < found->count; i++) {
        const PfsV2__FindCommitsResponse *r = found->items[i];
        if (r->result_case == PFS_V2__FIND_COMMITS_RESPONSE__RESULT_LAST_SEARCHED_COMMIT)
            cli_print(cli, "LAST SEARCHED COMMIT\n%s\n", r->last_searched_commit->id);
    }
}

static Status print_found_json(Cli *cli, const CliMessages *found)
{
    Arena *arena = cli->ctx->arena;
    JsonValue *all = json_object(arena), *commits = json_array(arena);
    const PbJsonOptions options = { .proto_names = true };
    int64_t searched = 0;
    json_set(arena, all, STR("FoundCommits"), commits);
    json_set(arena, all, STR("LastSearchedCommit"), json_null(arena));
    for (size_t i = 0; i < found->count; i++) {
        const PfsV2__FindCommitsResponse *r = found->items[i];
        JsonValue *commit;
        searched = MAX(searched, (int64_t)r->commits_searched);
        if (r->result_case == PFS_V2__FIND_COMMITS_RESPONSE__RESULT_FOUND_COMMIT) {
            TRY(pbjson_to_value(cli->ctx, &r->found_commit->base, &options, &commit));
            json_append(arena, commits, commit);
        } else if (r->result_case == PFS_V2__FIND_COMMITS_RESPONSE__RESULT_LAST_SEARCHED_COMMIT) {
            TRY(pbjson_to_value(cli->ctx, &r->last_searched_commit->base, &options, &commit));
            json_set(arena, all, STR("LastSearchedCommit"), commit);
        }
    }
    json_set(arena, all, STR("CommitsSearched"), json_i64(arena, searched));
    json_write(&cli->out, all, (JsonStyle){ 0 });
    cli_print(cli, "\n");
    return OK;
}

static Status find_commit(Cli *cli)
{
    PfsV2__FindCommitsRequest *request =
        PB_NEW(cli->ctx, pfs_v2__find_commits_request, PfsV2__FindCommitsRequest);
    PfsV2__File *file;
    TRY(ref_file(cli->ctx, cli_project_name(cli), cli->args[0], &file));
    request->start = file->commit;
    request->file_path = file->path;
    request->limit = (uint32_t)cli->opt[OPT_LIMIT].number;
    CliMessages found;
    TRY(cli_collect(cli, "/pfs_v2.API/FindCommits", request, &found));
    if (cli->opt[OPT_PRINT_JSON].flag)
        return print_found_json(cli, &found);
    print_found(cli, &found);
    return OK;
}

#define OPTIONS_LOOK OPTIONS_RAW, OPT_FULL_TIMESTAMPS, OPT_PROJECT

/* clang-format off */
static const Command rows[] = {
    { .words = "start commit", .args = "<repo>@<branch>", .args_min = 1, .args_max = 1, .run = start_commit,
      .in_transaction = true, .summary = "open a commit and print its id",
      .options = { OPT_PARENT, OPT_MESSAGE, OPT_MESSAGE_TOO, OPT_PROJECT } },
    { .words = "finish commit", .args = "<repo>@<branch-or-commit>", .args_min = 1, .args_max = 1, .run = finish_commit,
      .in_transaction = true, .summary = "close a commit: it never changes again",
      .options = { OPT_MESSAGE, OPT_MESSAGE_TOO, OPT_FORCE, OPT_PROJECT } },
    { .words = "inspect commit", .args = "<repo>@<branch-or-commit>", .args_min = 1, .args_max = 1,
      .run = inspect_commit, .summary = "show a commit", .options = { OPTIONS_LOOK } },
    { .words = "wait commit", .args = "<repo>@<branch-or-commit>", .args_min = 1, .args_max = 1, .run = wait_commit,
      .summary = "wait until a commit is finished, and show it", .options = { OPTIONS_LOOK } },
    { .words = "list commit", .paged = true, .args = "[<commit-id> or <repo>[@<branch-or-commit>]]", .args_max = 1,
      .run = list_commit,
      .summary = "list sets of commits, the commits of a set, or those of a repo, newest first",
      .options = { OPT_FROM, OPT_NUMBER, OPT_ALL_KINDS, OPT_EXPAND, OPT_ORIGIN, OPT_NO_PAGER, OPTIONS_LOOK } },
    { .words = "subscribe commit", .args = "<repo>[@<branch>]", .args_min = 1, .args_max = 1, .run = subscribe_commit,
      .summary = "print commits as they are made, until interrupted",
      .options = { OPT_FROM_LONG, OPT_NEW, OPT_ALL_KINDS, OPT_ORIGIN, OPTIONS_LOOK } },
    { .words = "squash commit", .args = "<commit-id>", .args_min = 1, .args_max = 1, .run = squash_set,
      .in_transaction = true, .summary = "remove the commits of a set, keeping their changes in those after them" },
    { .words = "squash commitV2", .args = "<repo>@<branch-or-commit>", .args_min = 1, .args_max = 1,
      .run = squash_one,
      .summary = "remove one commit, keeping its changes in those after it",
      .options = { OPT_RECURSIVE, OPT_PROJECT } },
    { .words = "delete commit", .args = "<commit-id>", .args_min = 1, .args_max = 1, .run = drop_set,
      .in_transaction = true, .summary = "remove the commits of a set with their changes" },
    { .words = "delete commitV2", .args = "<repo>@<branch-or-commit>", .args_min = 1, .args_max = 1, .run = drop_one,
      .summary = "remove one commit with its changes", .options = { OPT_RECURSIVE, OPT_PROJECT } },
    { .words = "find commit", .args = "<repo>@<branch-or-commit>:<path>", .args_min = 1, .args_max = 1,
      .run = find_commit, .summary = "find the commits that changed a path",
      .options = { OPT_PRINT_JSON, OPT_LIMIT, OPT_TIMEOUT, OPT_PROJECT } },
};
/* clang-format on */

const CommandTable commit_commands = { rows, ARRAY_LEN(rows) };
