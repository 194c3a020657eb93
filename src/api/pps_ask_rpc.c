/* pps_ask_rpc.c - pps_v2.API, what asks and changes nothing: datums of an input that has no
 * pipeline yet, tasks, and what only a cluster on Kubernetes could tell. */
#include "api/api_priv.h"
#include "codec/pbjson.h"
#include "engine/eval.h"

/* --- CreateDatum (§26.10) --------------------------------------------------------------------- */

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

/* --- tasks (§26.30) --------------------------------------------------------------------------- */

static Status send_task(void *call, Ctx *ctx, const Taskapi__TaskInfo *task)
{
    (void)ctx;
    return call_send(call, &task->base);
}

/* The datum sets of jobs that run. */
static Status list_task(Call *call, const void *request)
{
    const Taskapi__ListTaskRequest *r = request;
    return control_list_tasks(call->ctx, call->api->config.control, r->group, send_task, call);
}

/* --- RenderTemplate (§26.29) ------------------------------------------------------------------ */

#define TEMPLATE_NS (20 * NS_PER_SEC) /* with its imports */

static Str template_question(Ctx *ctx, const PpsV2__RenderTemplateRequest *request)
{
    JsonValue *question = json_object(ctx->arena), *args = json_object(ctx->arena);
    for (size_t i = 0; i < request->n_args; i++)
        json_set(ctx->arena, args, str(request->args[i]->key),
                 json_string(ctx->arena, str(request->args[i]->value)));
    json_set(ctx->arena, question, STR("template"),
             json_string(ctx->arena, str(request->template_)));
    json_set(ctx->arena, question, STR("args"), args);
    return json_print(ctx->arena, question, (JsonStyle){ 0 });
}

static Status render(Call *call, const PpsV2__RenderTemplateRequest *request, Str *out_json)
{
    CLEANUP(eval_freep) Eval *eval = NULL;
    EvalKind kind;
    TRY(eval_start(call->ctx, call->api->config.eval_program, "jsonnet", TEMPLATE_NS, &eval));
    TRY_WRAP(call->ctx,
             eval_ask(call->ctx, eval, template_question(call->ctx, request), &kind, out_json),
             "template err");
    if (kind != EVAL_YES)
        return FAIL(call->ctx, UNKNOWN, "template err: " STR_FMT, STR_ARG(*out_json));
    return OK;
}

/* An array's specs are read leniently, a lone object strictly, as clients know it. */
static Status read_spec(Ctx *ctx, const JsonValue *value, bool lenient,
                        PpsV2__CreatePipelineRequest **out)
{
    const PbJsonOptions options = { .ignore_unknown = lenient };
    ProtobufCMessage *message;
    Status s = pbjson_from_value(ctx, &pps_v2__create_pipeline_request__descriptor, value, &options,
                                 &message);
    if (!status_ok(s))
        return FAIL(ctx, UNKNOWN, "%s", status_message(s));
    *out = (PpsV2__CreatePipelineRequest *)message;
    return OK;
}

static Status read_specs(Ctx *ctx, Str json, PpsV2__RenderTemplateResponse *answer)
{
    JsonValue *value;
    TRY(json_parse(ctx, json, &value));
    bool many = json_is(value, JSON_ARRAY);
    if (!many && !json_is(value, JSON_OBJECT))
        return FAIL(ctx, UNKNOWN, "not a json object or list: " STR_FMT, STR_ARG(json));
    size_t n = many ? value->count : 1;
    answer->specs = ARENA_NEW(ctx->arena, PpsV2__CreatePipelineRequest *, n);
    if (!answer->specs)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < n; i++)
        TRY(read_spec(ctx, many ? value->items[i] : value, many, &answer->specs[i]));
    answer->n_specs = n;
    return OK;
}

static Status render_template(Call *call, const void *request, void **response)
{
    Str json;
    TRY(render(call, request, &json));
    PpsV2__RenderTemplateResponse *answer =
        CALL_NEW(call, PpsV2__RenderTemplateResponse, pps_v2__render_template_response__init);
    answer->json = str_z(call->ctx->arena, json);
    *response = answer;
    return read_specs(call->ctx, json, answer);
}

/* --- what this server has not ----------------------------------------------------------------- */

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

static const ApiMethod methods[] = {
    { .path = "/pps_v2.API/CreateDatum", .bidi = create_datum },
    { .path = "/pps_v2.API/RenderTemplate", .unary = render_template },
    { .path = "/pps_v2.API/ListTask", .stream = list_task },
    { .path = "/pps_v2.API/QueryLoki", .stream = no_loki },
    { .path = "/pps_v2.API/GetKubeEvents", .stream = no_loki },
    { .path = "/pps_v2.API/ActivateAuth", .unary = activate_auth },
};

const ApiTable api_pps_ask_table = { methods, ARRAY_LEN(methods) };
