/* transaction.c - verbs of transactions; the active one is kept in the context. */
#include "transaction/transaction.pb-c.h"
#include "cmd/pcv/verbs_priv.h"

#define ACTIVE "active_transaction"

static Status set_active(Cli *cli, const char *id)
{
    settings_put(cli->ctx, settings_active(cli->ctx, &cli->settings), ACTIVE, id);
    return settings_save(cli->ctx, &cli->settings);
}

/* The argument, or the active transaction. */
static Status named(Cli *cli, TransactionV2__Transaction **out)
{
    const char *id = cli->arg_count ? cli->args[0] : settings_text(&cli->settings, ACTIVE);
    if (!*id)
        return FAIL(cli->ctx, FAILED_PRECONDITION, "no active transaction");
    *out = PB_NEW(cli->ctx, transaction_v2__transaction, TransactionV2__Transaction);
    (*out)->id = arena_strdup(cli->ctx->arena, id);
    return OK;
}

static Status forget_if_active(Cli *cli, const char *id)
{
    return strcmp(settings_text(&cli->settings, ACTIVE), id) == 0 ? set_active(cli, "") : OK;
}

static Status start_transaction(Cli *cli)
{
    const char *active = settings_text(&cli->settings, ACTIVE);
    if (*active)
        return FAIL(
            cli->ctx, FAILED_PRECONDITION,
            "cannot start a new transaction, since transaction with ID \"%s\" already exists",
            active);
    TransactionV2__StartTransactionRequest *request =
        PB_NEW(cli->ctx, transaction_v2__start_transaction_request,
               TransactionV2__StartTransactionRequest);
    TransactionV2__Transaction *started;
    TRY(cli_call(cli, "/transaction_v2.API/StartTransaction", request, &started));
    TRY(set_active(cli, started->id));
    cli_print(cli, "started new transaction: \"%s\"\n", started->id);
    return OK;
}

static Status stop_transaction(Cli *cli)
{
    TransactionV2__Transaction *active;
    TRY(named(cli, &active));
    TRY(set_active(cli, ""));
    cli_print(cli, "Cleared active transaction: %s\n", active->id);
    return OK;
}

static Status resume_transaction(Cli *cli)
{
    TransactionV2__InspectTransactionRequest *request =
        PB_NEW(cli->ctx, transaction_v2__inspect_transaction_request,
               TransactionV2__InspectTransactionRequest);
    TransactionV2__TransactionInfo *info;
    TRY(named(cli, &request->transaction));
    TRY(cli_call(cli, "/transaction_v2.API/InspectTransaction", request, &info));
    TRY(set_active(cli, info->transaction->id));
    cli_print(cli, "Resuming existing transaction with %zu requests: %s\n", info->n_requests,
              info->transaction->id);
    return OK;
}

static Status finish_transaction(Cli *cli)
{
    TransactionV2__FinishTransactionRequest *request =
        PB_NEW(cli->ctx, transaction_v2__finish_transaction_request,
               TransactionV2__FinishTransactionRequest);
    TransactionV2__TransactionInfo *info;
    TRY(named(cli, &request->transaction));
    TRY(cli_call(cli, "/transaction_v2.API/FinishTransaction", request, &info));
    TRY(forget_if_active(cli, info->transaction->id));
    cli_print(cli, "Completed transaction with %zu requests: %s\n", info->n_requests,
              info->transaction->id);
    return OK;
}

static Status delete_transaction(Cli *cli)
{
    TransactionV2__DeleteTransactionRequest *request =
        PB_NEW(cli->ctx, transaction_v2__delete_transaction_request,
               TransactionV2__DeleteTransactionRequest);
    TRY(named(cli, &request->transaction));
    TRY(cli_call(cli, "/transaction_v2.API/DeleteTransaction", request, NULL));
    return forget_if_active(cli, request->transaction->id);
}

/* --- what is in one --------------------------------------------------------------------------- */

static char *repo_path(Ctx *ctx, const PfsV2__Repo *repo)
{
    const char *project = repo && repo->project && *repo->project->name ? repo->project->name
                                                                        : SETTINGS_PROJECT_PRESET;
    return text_printf(ctx->arena, "%s/%s", project, ref_repo_text(ctx, repo));
}

static char *branch_path(Ctx *ctx, const PfsV2__Branch *branch)
{
    return text_printf(ctx->arena, "%s@%s", repo_path(ctx, branch->repo), branch->name);
}

static char *commit_path(Ctx *ctx, const PfsV2__Commit *commit)
{
    if (!*commit->id && commit->branch)
        return branch_path(ctx, commit->branch);
    return text_printf(ctx->arena, "%s@%s", repo_path(ctx, commit->repo), commit->id);
}

static char *pfs_step_text(Ctx *ctx, const TransactionV2__TransactionRequest *r)
{
    if (r->create_repo)
        return text_printf(ctx->arena, "%s repo %s", r->create_repo->update ? "update" : "create",
                           repo_path(ctx, r->create_repo->repo));
    if (r->delete_repo)
        return text_printf(ctx->arena, "delete repo %s%s", repo_path(ctx, r->delete_repo->repo),
                           r->delete_repo->force ? " --force" : "");
    if (r->finish_commit)
        return text_printf(ctx->arena, "finish commit %s",
                           commit_path(ctx, r->finish_commit->commit));
    if (r->squash_commit_set)
        return text_printf(ctx->arena, "squash commitset %s", r->squash_commit_set->commit_set->id);
    if (r->create_branch)
        return text_printf(ctx->arena, "create branch %s",
                           branch_path(ctx, r->create_branch->branch));
    if (r->delete_branch)
        return text_printf(ctx->arena, "delete branch %s",
                           branch_path(ctx, r->delete_branch->branch));
    return NULL;
}

static char *pps_step_text(Ctx *ctx, const TransactionV2__TransactionRequest *r)
{
    if (r->update_job_state)
        return text_printf(ctx->arena, "update job %s", r->update_job_state->job->id);
    if (r->stop_job)
        return text_printf(ctx->arena, "stop job %s", r->stop_job->job->id);
    if (r->create_pipeline_v2 && r->create_pipeline_v2->create_pipeline_request) {
        const PpsV2__CreatePipelineRequest *request =
            r->create_pipeline_v2->create_pipeline_request;
        return text_printf(ctx->arena, "%s pipeline %s", request->update ? "update" : "create",
                           request->pipeline->name);
    }
    return arena_strdup(ctx->arena, "unknown");
}

static char *step_text(Ctx *ctx, const TransactionV2__TransactionInfo *info, size_t at)
{
    const TransactionV2__TransactionRequest *r = info->requests[at];
    if (r->start_commit) {
        const PfsV2__Commit *made = at < info->n_responses ? info->responses[at]->commit : NULL;
        return text_printf(ctx->arena, "start commit %s (%s)",
                           branch_path(ctx, r->start_commit->branch), made ? made->id : "");
    }
    char *text = pfs_step_text(ctx, r);
    return text ? text : pps_step_text(ctx, r);
}

static void print_transaction(Cli *cli, const void *message)
{
    const TransactionV2__TransactionInfo *info = message;
    cli_print(cli, "ID: %s\nStarted: %s\nRequests:\n", info->transaction->id,
              cli_ago(cli, info->started));
    for (size_t i = 0; i < info->n_requests; i++)
        cli_print(cli, "  %s\n", step_text(cli->ctx, info, i));
    if (!info->n_requests)
        cli_print(cli, "  -\n");
}

static Status inspect_transaction(Cli *cli)
{
    TransactionV2__InspectTransactionRequest *request =
        PB_NEW(cli->ctx, transaction_v2__inspect_transaction_request,
               TransactionV2__InspectTransactionRequest);
    TRY(named(cli, &request->transaction));
    return show_one(cli, "/transaction_v2.API/InspectTransaction", request, print_transaction);
}

static void transaction_row(Cli *cli, Table *table, const void *message)
{
    const TransactionV2__TransactionInfo *info = message;
    TABLE_ROW(table, info->transaction->id, cli_ago(cli, info->started),
              text_printf(cli->ctx->arena, "%zu", info->n_requests));
}

static Status list_transaction(Cli *cli)
{
    static const char *const header[] = { "TRANSACTION", "STARTED", "OPS" };
    static const Listing listing = { header, ARRAY_LEN(header), transaction_row };
    TransactionV2__ListTransactionRequest *request = PB_NEW(
        cli->ctx, transaction_v2__list_transaction_request, TransactionV2__ListTransactionRequest);
    TransactionV2__TransactionInfos *infos;
    TRY(cli_call(cli, "/transaction_v2.API/ListTransaction", request, &infos));
    return cli_list_messages(cli, (void *const *)infos->transaction_info, infos->n_transaction_info,
                             &listing);
}

/* clang-format off */
static const Command rows[] = {
    { .words = "start transaction", .args = "", .run = start_transaction,
      .summary = "begin to gather changes that happen together or not at all",
      .detail = "Until it is finished or stopped, create, update and delete repo, start, finish and squash commit,\n"
                "create and delete branch, and create and update pipeline add to the transaction instead of\n"
                "acting at once." },
    { .words = "stop transaction", .args = "", .run = stop_transaction,
      .summary = "let the active transaction rest; resume takes it up again" },
    { .words = "resume transaction", .args = "<id>", .args_min = 1, .args_max = 1, .run = resume_transaction,
      .summary = "make a transaction the active one" },
    { .words = "finish transaction", .args = "[<id>]", .args_max = 1, .run = finish_transaction,
      .summary = "carry out a transaction" },
    { .words = "delete transaction", .args = "[<id>]", .args_max = 1, .run = delete_transaction,
      .summary = "drop a transaction and what it gathered" },
    { .words = "inspect transaction", .args = "[<id>]", .args_max = 1, .run = inspect_transaction,
      .summary = "show what a transaction will do", .options = { OPTIONS_RAW, OPT_FULL_TIMESTAMPS } },
    { .words = "list transaction", .args = "", .run = list_transaction, .summary = "list transactions",
      .options = { OPTIONS_RAW, OPT_FULL_TIMESTAMPS } },
};
/* clang-format on */

const CommandTable transaction_commands = { rows, ARRAY_LEN(rows) };
