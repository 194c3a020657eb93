/* lineage.c - verbs of our own: where a file comes from, why a datum ran, and merging branches. */
#include "cmd/pcv/verbs_priv.h"
#include "procavia/v1/procavia.pb-c.h"

/* --- explain file ----------------------------------------------------------------------------- */

static char *hex_text(Ctx *ctx, ProtobufCBinaryData data)
{
    char *text = arena_must(ctx->arena, 2 * data.len + 1);
    hex_encode(data.data, data.len, text);
    return text;
}

static char *command_text(Ctx *ctx, const PpsV2__Transform *transform)
{
    if (transform->n_stdin)
        return text_printf(
            ctx->arena, "%s <<< %s",
            text_join(ctx->arena, (const char *const *)transform->cmd, transform->n_cmd, " "),
            text_join(ctx->arena, (const char *const *)transform->stdin, transform->n_stdin, "; "));
    return text_join(ctx->arena, (const char *const *)transform->cmd, transform->n_cmd, " ");
}

/* The command with the first line it is fed only: a row of a table. */
static char *command_head(Ctx *ctx, const PpsV2__Transform *transform)
{
    char *cmd = text_join(ctx->arena, (const char *const *)transform->cmd, transform->n_cmd, " ");
    if (!transform->n_stdin)
        return cmd;
    Str line = str(transform->stdin[0]);
    line = str_sub(line, 0, str_find(line, '\n'));
    bool more = transform->n_stdin > 1 || line.size < strlen(transform->stdin[0]);
    return text_printf(ctx->arena, "%s <<< " STR_FMT "%s", cmd, STR_ARG(line), more ? " …" : "");
}

static char *job_text(Ctx *ctx, const PpsV2__Job *job)
{
    return text_printf(ctx->arena, "%s@%s", job->pipeline ? job->pipeline->name : "", job->id);
}

static void print_origin(Cli *cli, const Procavia__V1__ExplainFileResponse *r)
{
    if (!r->job) {
        cli_print(cli, "Made by: a user\n");
        return;
    }
    cli_print(cli, "Made by: pipeline %s, version %llu\nJob: %s\nDatum: %s\n",
              r->job->pipeline ? r->job->pipeline->name : "",
              (unsigned long long)r->pipeline_version, job_text(cli->ctx, r->job), r->datum_id);
    if (r->reused && r->origin_job)
        cli_print(cli, "Reused: the work was done by job %s\n", job_text(cli->ctx, r->origin_job));
    if (r->transform)
        cli_print(cli, "Code: %s in %s\n", command_text(cli->ctx, r->transform),
                  *r->transform->image ? r->transform->image : "host");
    if (r->code_digest.len)
        cli_print(cli, "Code digest: %s\n", hex_text(cli->ctx, r->code_digest));
    if (*r->datum_key)
        cli_print(cli, "Datum key: %s\n", r->datum_key);
}

static void print_inputs(Cli *cli, const Procavia__V1__ExplainFileResponse *r)
{
    static const char *const header[] = { "INPUT", "REPO", "COMMIT", "PATH" };
    Table table;
    if (!r->n_inputs)
        return;
    cli_print(cli, "\nInputs:\n");
    table_init(&table, cli, header, ARRAY_LEN(header));
    for (size_t i = 0; i < r->n_inputs; i++) {
        const Procavia__V1__ExplainFileResponse__InputRecord *input = r->inputs[i];
        TABLE_ROW(&table, input->name, ref_repo_text(cli->ctx, input->commit->repo),
                  input->commit->id, input->path);
    }
    table_done(&table);
}

/* What made a commit: a user, or a pipeline with its version and code (one more call for each of
 * those). */
static char *maker_text(Cli *cli, const PfsV2__CommitInfo *info)
{
    Ctx *ctx = cli->ctx;
    const PfsV2__Repo *repo = info->commit->repo;
    if (strcmp(repo->type, "spec") == 0)
        return text_printf(ctx->arena, "spec of pipeline %s", repo->name);
    if (!info->origin || info->origin->kind != PFS_V2__ORIGIN_KIND__AUTO)
        return arena_strdup(ctx->arena, *info->created_by ? info->created_by : "user");
    PpsV2__InspectJobRequest *request =
        PB_NEW(ctx, pps_v2__inspect_job_request, PpsV2__InspectJobRequest);
    PpsV2__JobInfo *job;
    request->job = PB_NEW(ctx, pps_v2__job, PpsV2__Job);
    request->job->pipeline = ref_pipeline(ctx, repo->project->name, repo->name);
    request->job->id = info->commit->id;
    request->details = true;
    if (!status_ok(cli_call(cli, "/pps_v2.API/InspectJob", request, &job)))
        return arena_strdup(ctx->arena, "system");
    const char *command =
        job->details && job->details->transform ? command_head(ctx, job->details->transform) : "";
    return text_printf(ctx->arena, "version %llu: %s", (unsigned long long)job->pipeline_version,
                       command);
}

static void print_provenance(Cli *cli, const Procavia__V1__ExplainFileResponse *r)
{
    static const char *const header[] = { "REPO", "COMMIT", "CREATED", "MADE BY", "DESCRIPTION" };
    Table table;
    if (!r->n_provenance)
        return;
    cli_print(cli, "\nProvenance:\n");
    table_init(&table, cli, header, ARRAY_LEN(header));
    for (size_t i = 0; i < r->n_provenance; i++) {
        const PfsV2__CommitInfo *info = r->provenance[i];
        TABLE_ROW(&table, ref_repo_text(cli->ctx, info->commit->repo), info->commit->id,
                  cli_ago(cli, info->started), maker_text(cli, info), info->description);
    }
    table_done(&table);
}

static void print_explained(Cli *cli, const void *message)
{
    const Procavia__V1__ExplainFileResponse *r = message;
    cli_print(cli, "File: %s:%s\n", ref_commit_text(cli->ctx, r->file->commit), r->file->path);
    cli_print(cli, "Size: %s\nHash: %s\n", cli_size(cli, r->size), hex_text(cli->ctx, r->hash));
    print_origin(cli, r);
    print_inputs(cli, r);
    print_provenance(cli, r);
}

static Status explain_file(Cli *cli)
{
    Procavia__V1__ExplainFileRequest *request =
        PB_NEW(cli->ctx, procavia__v1__explain_file_request, Procavia__V1__ExplainFileRequest);
    TRY(ref_file(cli->ctx, cli_project_name(cli), cli->args[0], &request->file));
    return show_one(cli, "/procavia.v1.API/ExplainFile", request, print_explained);
}

/* --- why -------------------------------------------------------------------------------------- */

static void why_row(Cli *cli, Table *table, const void *message)
{
    const Procavia__V1__WhyDatumResponse *r = message;
    char *changed = arena_strdup(cli->ctx->arena, "");
    for (size_t i = 0; i < r->n_changed; i++)
        changed =
            text_printf(cli->ctx->arena, "%s%s%s: %s → %s", changed, i ? "; " : "",
                        r->changed[i]->name, *r->changed[i]->before ? r->changed[i]->before : "-",
                        *r->changed[i]->after ? r->changed[i]->after : "-");
    TABLE_ROW(table, r->datum_id, datum_state_text(cli, r->state), r->executed ? "ran" : "reused",
              r->reason, changed);
}

static Status why(Cli *cli)
{
    static const char *const header[] = { "DATUM", "STATE", "WORK", "REASON", "CHANGED" };
    static const Listing listing = { header, ARRAY_LEN(header), why_row };
    Procavia__V1__WhyDatumRequest *request =
        PB_NEW(cli->ctx, procavia__v1__why_datum_request, Procavia__V1__WhyDatumRequest);
    TRY(ref_job(cli->ctx, cli_project_name(cli), cli->args[0], &request->job));
    if (cli->arg_count > 1)
        request->datum_id = cli->args[1];
    return cli_list(cli, "/procavia.v1.API/WhyDatum", request, &listing);
}

/* --- merge branch ----------------------------------------------------------------------------- */

static Status read_policy(Cli *cli, Procavia__V1__MergeBranchRequest__ConflictPolicy *out)
{
    static const char *const names[] = { "fail", "ours", "theirs" };
    const char *typed = cli_text(cli, OPT_POLICY);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(typed, names[i]) == 0) {
            *out = (Procavia__V1__MergeBranchRequest__ConflictPolicy)i;
            return OK;
        }
    }
    return FAIL(cli->ctx, INVALID_ARGUMENT, "unknown policy \"%s\": must be fail, ours or theirs",
                typed);
}

static Status report_merge(Cli *cli, const Procavia__V1__MergeBranchResponse *r, bool failed)
{
    for (size_t i = 0; i < r->n_conflicts; i++)
        cli_print(cli, "conflict: %s: %s\n", r->conflicts[i]->path, r->conflicts[i]->reason);
    if (failed)
        return status_with_hint(cli->ctx,
                                FAIL(cli->ctx, ABORTED,
                                     "nothing was merged: both branches changed %zu %s",
                                     r->n_conflicts, r->n_conflicts == 1 ? "path" : "paths"),
                                "Decide for one side with --policy ours or --policy theirs.");
    if (r->commit)
        cli_print(cli, "%s\n", r->commit->id);
    cli_note("%llu files changed%s", (unsigned long long)r->files_changed,
             r->fast_forward ? ", fast-forward" : "");
    return OK;
}

static Status merge_branch(Cli *cli)
{
    Procavia__V1__MergeBranchRequest *request =
        PB_NEW(cli->ctx, procavia__v1__merge_branch_request, Procavia__V1__MergeBranchRequest);
    Procavia__V1__MergeBranchResponse *answer;
    TRY(ref_branch(cli->ctx, cli_project_name(cli), cli->args[0], &request->from));
    const char *into = cli->args[1];
    if (!strchr(into, '@'))
        into = text_printf(cli->ctx->arena, "%s@%s", ref_repo_text(cli->ctx, request->from->repo),
                           into);
    TRY(ref_branch(cli->ctx, cli_project_name(cli), into, &request->into));
    TRY(read_policy(cli, &request->policy));
    request->message = cli_text(cli, OPT_MESSAGE);
    request->dry_run = cli->opt[OPT_DRY_RUN].flag;
    TRY(cli_call(cli, "/procavia.v1.API/MergeBranch", request, &answer));
    bool failed = answer->n_conflicts &&
                  request->policy == PROCAVIA__V1__MERGE_BRANCH_REQUEST__CONFLICT_POLICY__FAIL;
    if (cli->opt[OPT_RAW].flag)
        return cli_print_raw(cli, answer);
    return report_merge(cli, answer, failed);
}

/* clang-format off */
static const Command rows[] = {
    { .words = "explain file", .args = "<repo>@<branch-or-commit>:<path>", .args_min = 1, .args_max = 1,
      .run = explain_file, .summary = "tell what made a file: code, inputs, and all commits they come from",
      .options = { OPTIONS_RAW, OPT_FULL_TIMESTAMPS, OPT_PROJECT } },
    { .words = "why", .args = "<pipeline>@<job> [<datum>]", .args_min = 1, .args_max = 2, .run = why,
      .summary = "tell why the datums of a job ran, or why earlier results were taken",
      .options = { OPTIONS_RAW, OPT_PROJECT } },
    { .words = "merge branch", .args = "<repo>@<from> <into>", .args_min = 2, .args_max = 2, .run = merge_branch,
      .summary = "bring the changes of a branch into another one of the same repo",
      .options = { OPT_MESSAGE, OPT_POLICY, OPT_DRY_RUN, OPTIONS_RAW, OPT_PROJECT } },
};
/* clang-format on */

const CommandTable lineage_commands = { rows, ARRAY_LEN(rows) };
