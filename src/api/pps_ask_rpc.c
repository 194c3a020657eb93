/* pps_ask_rpc.c - pps_v2.API, what asks and changes nothing: datums of an input that has no
 * pipeline yet, tasks, and what only a cluster on Kubernetes could tell. */
#include "api/api_priv.h"
#include "task/task.pb-c.h"

/* --- CreateDatum (§26.10)
 * ------------------------------------------------------------------------------------------- */

#define CREATE_DATUM_NUMBER 100 /* datums an answer when the request names none */

typedef struct DatumPager {
    Call *call;
    int64_t left; /* datums that may be sent before the client asks again */
    bool hung_up;
} DatumPager;

static int64_t page_size(int64_t number)
{
    return number ? number : CREATE_DATUM_NUMBER;
}

/* The next request, its errors as clients know them from here. */
static Status next_request(Call *call, const PpsV2__CreateDatumRequest **out)
{
    void *message;
    Status s = call_recv(call, &message);
    *out = message;
    if (s.code == STATUS_INVALID_ARGUMENT)
        return FAIL(call->ctx, INVALID_ARGUMENT,
                    "server receive: rpc error: code = InvalidArgument desc = %s",
                    status_message(s));
    return s;
}

/* Waits for the client to ask for more; hung_up when it will not. */
static Status wait_for_more(DatumPager *pager)
{
    Call *call = pager->call;
    ArenaMark mark = arena_mark(call->ctx->arena);
    const PpsV2__CreateDatumRequest *request;
    TRY(next_request(call, &request));
    pager->hung_up = !request;
    if (request && request->body_case != PPS_V2__CREATE_DATUM_REQUEST__BODY_CONTINUE)
        return FAIL(call->ctx, UNKNOWN,
                    "subsequent messages must be a ContinueCreateDatumRequest message");
    if (request)
        pager->left = page_size(request->continue_->number);
    arena_rewind(call->ctx->arena, mark);
    return OK;
}

static Status send_datum(void *arg, Ctx *ctx, const PpsV2__DatumInfo *info)
{
    DatumPager *pager = arg;
    if (!pager->left)
        TRY(wait_for_more(pager));
    if (pager->hung_up)
        return FAIL(ctx, CANCELLED, "the client wants no more datums");
    pager->left--;
    return call_send(pager->call, &info->base);
}

static Status create_datum(Call *call)
{
    const PpsV2__CreateDatumRequest *first;
    TRY(next_request(call, &first));
    if (!first)
        return FAIL(call->ctx, UNKNOWN, "server receive: EOF");
    if (first->body_case != PPS_V2__CREATE_DATUM_REQUEST__BODY_START)
        return FAIL(call->ctx, UNKNOWN, "first message must be a StartCreateDatumRequest message");
    DatumPager pager = { .call = call, .left = page_size(first->start->number) };
    Status s =
        pps_create_datum(call->ctx, call->api->config.pps, first->start->input, send_datum, &pager);
    return pager.hung_up ? OK : s;
}

/* --- tasks
 * ----------------------------------------------------------------------------------------------------------
 */

/* Datum sets are leases of workers here, not tasks that a queue outside would hold: none is ever
 * outstanding. What workers do is in JobInfo.details.worker_status. */
static Status list_task(Call *call, const void *request)
{
    (void)call;
    (void)request;
    return OK;
}

/* --- what this server has not
 * --------------------------------------------------------------------------------------- */

static Status no_loki(Call *call, const void *request)
{
    (void)request;
    return FAIL(call->ctx, UNKNOWN,
                "loki not configured, is it running in the same namespace as pachd?");
}

static Status activate_auth(Call *call, const void *request, void **response)
{
    (void)request;
    (void)response;
    return FAIL(call->ctx, UNIMPLEMENTED, "the auth service is not activated");
}

/* Load tests answer with their error in the response. */
static Status run_load_test(Call *call, const void *request, void **response)
{
    (void)request;
    PpsV2__RunLoadTestResponse *answer =
        CALL_NEW(call, PpsV2__RunLoadTestResponse, pps_v2__run_load_test_response__init);
    answer->error = arena_strdup(call->ctx->arena, "this server does not run load tests");
    *response = answer;
    return OK;
}

static const ApiMethod methods[] = {
    { .path = "/pps_v2.API/CreateDatum", .bidi = create_datum },
    { .path = "/pps_v2.API/ListTask", .stream = list_task },
    { .path = "/pps_v2.API/QueryLoki", .stream = no_loki },
    { .path = "/pps_v2.API/GetKubeEvents", .stream = no_loki },
    { .path = "/pps_v2.API/ActivateAuth", .unary = activate_auth },
    { .path = "/pps_v2.API/RunLoadTest", .unary = run_load_test },
    { .path = "/pps_v2.API/RunLoadTestDefault", .unary = run_load_test },
};

const ApiTable api_pps_ask_table = { methods, ARRAY_LEN(methods) };
