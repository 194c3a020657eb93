/* sieve.c - see sieve.h. */
#include "api/sieve.h"

#include "codec/pbjson.h"

#define FILTER_NS (10 * NS_PER_SEC) /* all of one sieve's judging together */

Status sieve_begin(Call *call, const char *filter, const char *what, int64_t number, Sieve *out)
{
    *out = (Sieve){ .call = call, .what = what, .left = number };
    if (!*filter)
        return OK;
    EvalKind kind;
    Str text;
    TRY(eval_start(call->ctx, call->api->config.eval_program, "jq", FILTER_NS, &out->filter));
    TRY_WRAP(call->ctx, eval_ask(call->ctx, out->filter, str(filter), &kind, &text),
             "error creating message filter function");
    if (kind != EVAL_YES)
        return FAIL(call->ctx, UNKNOWN, "error creating message filter function: " STR_FMT,
                    STR_ARG(text));
    return OK;
}

static Status judge(Ctx *ctx, Sieve *sieve, const ProtobufCMessage *message, bool *out_keep)
{
    static const PbJsonOptions options = { .proto_names = true };
    buf_clear(&sieve->json);
    TRY(pbjson_print(ctx, message, &options, &sieve->json));
    EvalKind kind;
    Str text;
    TRY(eval_ask(ctx, sieve->filter, buf_str(&sieve->json), &kind, &text));
    *out_keep = kind == EVAL_YES;
    return kind == EVAL_FAIL ? FAIL(ctx, UNKNOWN, STR_FMT, STR_ARG(text)) : OK;
}

Status sieve_keeps(Ctx *ctx, Sieve *sieve, const ProtobufCMessage *message, bool *out)
{
    *out = true;
    if (sieve->filter)
        TRY_WRAP(ctx, judge(ctx, sieve, message, out),
                 "apply function to list row element: error filtering %s: error applying jq "
                 "filter on proto message",
                 sieve->what);
    return OK;
}

Status sieve_pass(Sieve *sieve, const ProtobufCMessage *message)
{
    if (sieve->skip > 0) {
        sieve->skip--;
        return OK;
    }
    TRY(call_send(sieve->call, message));
    return sieve->left > 0 && --sieve->left == 0 ? SIEVE_ENOUGH : OK;
}

Status sieve_send(Ctx *ctx, Sieve *sieve, const ProtobufCMessage *message)
{
    bool keep;
    TRY(sieve_keeps(ctx, sieve, message, &keep));
    return keep ? sieve_pass(sieve, message) : OK;
}

void sieve_done(Sieve *sieve)
{
    sieve->filter = eval_free(sieve->filter);
    buf_done(&sieve->json);
}
