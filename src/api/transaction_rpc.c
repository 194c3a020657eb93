/* transaction_rpc.c - transaction_v2.API: requests gathered under an id, run together or not at
 * all.
 *
 * A transaction is the list of its requests and nothing else: each request that joins runs all of
 * them in a write transaction that is given up, so that an error shows at once; finishing runs them
 * once more, for good. Requests run by the same rows of the method table as calls do.
 */
#include "api/api_priv.h"

#include "base/text.h"
#include "codec/pb.h"
#include "codec/pbtime.h"
#include "transaction/transaction.pb-c.h"

typedef TransactionV2__TransactionInfo Info;
typedef TransactionV2__TransactionRequest Request;

/* Others may add to the transaction between our trial of it and our turn to write: then try
 * anew. */
#define APPEND_ATTEMPTS 10

/* The methods that may be in a transaction, and the members that hold their requests. */
typedef struct Step {
    const char *path;
    size_t offset;
} Step;

static const Step steps[] = {
    { "/pfs_v2.API/CreateRepo", offsetof(Request, create_repo) },
    { "/pfs_v2.API/DeleteRepo", offsetof(Request, delete_repo) },
    { "/pfs_v2.API/StartCommit", offsetof(Request, start_commit) },
    { "/pfs_v2.API/FinishCommit", offsetof(Request, finish_commit) },
    { "/pfs_v2.API/SquashCommitSet", offsetof(Request, squash_commit_set) },
    { "/pfs_v2.API/CreateBranch", offsetof(Request, create_branch) },
    { "/pfs_v2.API/DeleteBranch", offsetof(Request, delete_branch) },
    { "/pps_v2.API/UpdateJobState", offsetof(Request, update_job_state) },
    { "/pps_v2.API/StopJob", offsetof(Request, stop_job) },
};

static void **member(const Request *request, const Step *step)
{
    return (void **)((char *)(uintptr_t)request + step->offset);
}

/* --- running ---------------------------------------------------------------------------------- */

static Status run_step(Call *call, PfsTx *tx, const Request *request, void **response)
{
    if (request->create_pipeline_v2)
        return pps_create_pipeline(call->ctx, tx, call->api->config.pps,
                                   request->create_pipeline_v2);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        const void *inner = *member(request, &steps[i]);
        if (inner)
            return api_find(steps[i].path)->write(call, tx, inner, response);
    }
    return FAIL(call->ctx, UNKNOWN, "unrecognized transaction request type");
}

/* Here alone a commit says on which branch it was started: calls leave that out of theirs. */
static PfsV2__Commit *commit_on_branch(Call *call, const PfsV2__Commit *commit,
                                       const PfsV2__Branch *asked)
{
    PfsV2__Commit *told = CALL_NEW(call, PfsV2__Commit, pfs_v2__commit__init);
    *told = *commit;
    told->branch = CALL_NEW(call, PfsV2__Branch, pfs_v2__branch__init);
    told->branch->repo = commit->repo;
    told->branch->name = asked->name;
    return told;
}

static TransactionV2__TransactionResponse *step_response(Call *call, const Request *request,
                                                         void *response)
{
    TransactionV2__TransactionResponse *answer = CALL_NEW(
        call, TransactionV2__TransactionResponse, transaction_v2__transaction_response__init);
    if (request->start_commit)
        answer->commit = commit_on_branch(call, response, request->start_commit->branch);
    return answer;
}

/* Runs all requests in order and fills in the responses. *out_last is the answer of the last. */
static Status run_steps(Call *call, PfsTx *tx, Info *info, void **out_last)
{
    info->n_responses = 0;
    info->responses =
        ARENA_NEW(call->ctx->arena, TransactionV2__TransactionResponse *, info->n_requests);
    if (!info->responses)
        return STATUS(RESOURCE_EXHAUSTED);
    *out_last = NULL;
    for (size_t i = 0; i < info->n_requests; i++) {
        *out_last = NULL;
        TRY_WRAP(call->ctx, run_step(call, tx, info->requests[i], out_last),
                 "error running request %zu of %zu", i + 1, info->n_requests);
        info->responses[info->n_responses++] = step_response(call, info->requests[i], *out_last);
    }
    return OK;
}

/* --- rows ------------------------------------------------------------------------------------- */

static Info *info_new(Call *call, const char *id)
{
    Info *info = CALL_NEW(call, Info, transaction_v2__transaction_info__init);
    info->transaction =
        CALL_NEW(call, TransactionV2__Transaction, transaction_v2__transaction__init);
    info->transaction->id = arena_strdup(call->ctx->arena, id);
    return info;
}

static Status row_load(Ctx *ctx, PfsTx *tx, const char *id, Info **out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows, "SELECT info FROM api_transaction WHERE id = ?", "s",
                 id));
    bool found;
    TRY(db_next(ctx, &rows, &found));
    if (!found)
        return FAIL(ctx, NOT_FOUND, "transactions %s not found", id);
    return PB_UNPACK(ctx, transaction_v2__transaction_info, db_bytes(ctx, &rows, 0), out);
}

static Status row_delete(Ctx *ctx, PfsTx *tx, const char *id)
{
    int64_t deleted;
    TRY(db_exec(ctx, pfs_tx_db(tx), &deleted, "DELETE FROM api_transaction WHERE id = ?", "s", id));
    return deleted ? OK : FAIL(ctx, NOT_FOUND, "transactions %s not found", id);
}

/* Stores info in place of its version before; *out_stored is false when that is not there any
 * more. */
static Status row_replace(Call *call, const Info *info, bool *out_stored)
{
    Ctx *ctx = call->ctx;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, call->api->config.pfs, NULL, &tx));
    int64_t changes;
    TRY(db_exec(ctx, pfs_tx_db(tx), &changes,
                "UPDATE api_transaction SET info = ?, version = ? WHERE id = ? AND version = ?",
                "bisi", pb_pack_bytes(ctx, &info->base), (int64_t)info->version,
                info->transaction->id, (int64_t)info->version - 1));
    *out_stored = changes == 1;
    return pfs_commit(ctx, STEAL(tx));
}

/* --- joining ---------------------------------------------------------------------------------- */

/* A pipeline's spec is settled when its request joins: prepared out of the defaults of that
 * moment. */
static Status pipeline_request(Call *call, PfsTx *tx, const void *inner, Request *out,
                               void **response)
{
    Ctx *ctx = call->ctx;
    if (strcmp(call->method->path, "/pps_v2.API/CreatePipeline") == 0)
        return pps_prepare_v1(ctx, tx, inner, &out->create_pipeline_v2);
    TRY(pps_prepare(ctx, tx, inner, &out->create_pipeline_v2));
    PpsV2__CreatePipelineV2Response *answer =
        CALL_NEW(call, PpsV2__CreatePipelineV2Response, pps_v2__create_pipeline_v2_response__init);
    *response = answer;
    return pps_prepared_json(ctx, out->create_pipeline_v2,
                             &answer->effective_create_pipeline_request_json);
}

/* The call's request as a step. *response is set where it is not the step's own. */
static Status as_step(Call *call, PfsTx *tx, const void *inner, Request *out, void **response)
{
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        if (strcmp(steps[i].path, call->method->path) == 0)
            *member(out, &steps[i]) = (void *)(uintptr_t)inner;
    }
    if (out->delete_repo && !out->delete_repo->repo)
        return FAIL(call->ctx, INVALID_ARGUMENT, "no repo specified");
    if (str_starts(str(call->method->path), STR("/pps_v2.API/CreatePipeline")))
        return pipeline_request(call, tx, inner, out, response);
    return OK;
}

/* The transaction with the call's request at its end, tried out and given up. */
static Status try_append(Call *call, const char *id, const void *inner, Info **out, void **response)
{
    Ctx *ctx = call->ctx;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, call->api->config.pfs, id, &tx));
    Info *info;
    TRY(row_load(ctx, tx, id, &info));
    Request *request = CALL_NEW(call, Request, transaction_v2__transaction_request__init);
    void *answer = NULL, *last;
    TRY(as_step(call, tx, inner, request, &answer));
    Request **requests = ARENA_NEW(ctx->arena, Request *, info->n_requests + 1);
    if (!requests)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < info->n_requests; i++)
        requests[i] = info->requests[i];
    requests[info->n_requests++] = request;
    info->requests = requests;
    TRY(run_steps(call, tx, info, &last));
    TRY(pfs_settle(ctx, tx));
    info->version++;
    *response = answer ? answer : last;
    *out = info;
    return OK;
}

Status transaction_append(Call *call, const char *id, const void *request, void **response)
{
    for (int attempt = 0; attempt < APPEND_ATTEMPTS; attempt++) {
        Info *info;
        bool stored;
        TRY(try_append(call, id, request, &info, response));
        TRY(row_replace(call, info, &stored));
        if (stored)
            return OK;
    }
    return FAIL(call->ctx, UNKNOWN,
                "transaction could not be modified due to concurrent modifications");
}

/* --- the service ------------------------------------------------------------------------------ */

static Status start_transaction(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)request;
    Info *info = info_new(call, pfs_tx_set_id(tx));
    info->started = pb_timestamp(call->ctx, pfs_tx_time_ns(tx));
    *response = info->transaction;
    return db_exec(call->ctx, pfs_tx_db(tx), NULL,
                   "INSERT INTO api_transaction (id, started_ns, version, info) "
                   "VALUES (?, ?, 0, ?)",
                   "sib", info->transaction->id, pfs_tx_time_ns(tx),
                   pb_pack_bytes(call->ctx, &info->base));
}

static Status inspect_transaction(Call *call, PfsTx *tx, const void *request, void **response)
{
    const TransactionV2__InspectTransactionRequest *r = request;
    return row_load(call->ctx, tx, r->transaction->id, (Info **)response);
}

static Status delete_transaction(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    const TransactionV2__DeleteTransactionRequest *r = request;
    return row_delete(call->ctx, tx, r->transaction->id);
}

static Status delete_all(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)request;
    (void)response;
    return db_exec(call->ctx, pfs_tx_db(tx), NULL, "DELETE FROM api_transaction", "");
}

static Status read_infos(Ctx *ctx, DbRows *rows, size_t room, TransactionV2__TransactionInfos *out)
{
    DB_EACH (ctx, rows) {
        if (out->n_transaction_info == room)
            break;
        TRY(PB_UNPACK(ctx, transaction_v2__transaction_info, db_bytes(ctx, rows, 0),
                      &out->transaction_info[out->n_transaction_info]));
        out->n_transaction_info++;
    }
    return OK;
}

static Status list_transaction(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)request;
    Ctx *ctx = call->ctx;
    int64_t n;
    TRY(db_query_int(ctx, pfs_tx_db(tx), &n, "SELECT count(*) FROM api_transaction", ""));
    TransactionV2__TransactionInfos *infos =
        CALL_NEW(call, TransactionV2__TransactionInfos, transaction_v2__transaction_infos__init);
    infos->transaction_info = ARENA_NEW(ctx->arena, Info *, (size_t)n);
    if (!infos->transaction_info)
        return STATUS(RESOURCE_EXHAUSTED);
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT info FROM api_transaction ORDER BY started_ns, id", ""));
    *response = infos;
    return read_infos(ctx, &rows, (size_t)n, infos);
}

/* The list may have changed since this call came: it is read in the transaction that runs it. */
static Status finish_transaction(Call *call, const void *request, void **response)
{
    const TransactionV2__FinishTransactionRequest *r = request;
    const char *id = r->transaction->id;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(call->ctx, call->api->config.pfs, *id ? id : NULL, &tx));
    Info *info;
    void *last;
    TRY(row_load(call->ctx, tx, id, &info));
    TRY(run_steps(call, tx, info, &last));
    TRY(row_delete(call->ctx, tx, id));
    *response = info;
    return pfs_commit(call->ctx, STEAL(tx));
}

static Status batch_transaction(Call *call, PfsTx *tx, const void *request, void **response)
{
    const TransactionV2__BatchTransactionRequest *r = request;
    Info *info = info_new(call, pfs_tx_set_id(tx));
    info->started = pb_timestamp(call->ctx, pfs_tx_time_ns(tx));
    info->requests = r->requests;
    info->n_requests = r->n_requests;
    *response = info;
    void *last;
    return run_steps(call, tx, info, &last);
}

static const ApiMethod methods[] = {
    { .path = "/transaction_v2.API/StartTransaction", .write = start_transaction },
    { .path = "/transaction_v2.API/InspectTransaction", .read = inspect_transaction },
    { .path = "/transaction_v2.API/DeleteTransaction", .write = delete_transaction },
    { .path = "/transaction_v2.API/ListTransaction", .read = list_transaction },
    { .path = "/transaction_v2.API/FinishTransaction", .unary = finish_transaction },
    { .path = "/transaction_v2.API/BatchTransaction", .write = batch_transaction },
    { .path = "/transaction_v2.API/DeleteAll", .write = delete_all },
};

const ApiTable api_transaction_table = { methods, ARRAY_LEN(methods) };
