/* eval_jq.c - a jq filter: does its first output say to keep the JSON text that it is given? */
#include <jq.h>
#include <stdlib.h>

#include "base/text.h"
#include "cmd/eval.h"

/* libjq's report of a program that does not compile: lines "jq: error: <what> at <place>". */
static void keep_first(void *arg, jv message)
{
    Buf *first = arg;
    if (!first->size && jv_get_kind(message) == JV_KIND_STRING)
        buf_add_str(first, str(jv_string_value(message)));
    jv_free(message);
}

/* What is not defined is told apart from what cannot be read, in the words that clients know. */
static void explain(Ctx *ctx, Str report, Buf *answer)
{
    static const char lead[] = "jq: error: ", undefined[] = " is not defined";
    Str line = str_sub(report, 0, str_find(report, '\n'));
    if (str_starts(line, STR("jq: error: ")))
        line = str_sub(line, sizeof(lead) - 1, line.size);
    const char *text = str_z(ctx->arena, line);
    const char *end = strstr(text, undefined);
    if (end)
        text = text_printf(ctx->arena, "error compiling jq filter: %s not defined: %.*s",
                           *text == '$' ? "variable" : "function", (int)(end - text), text);
    else
        text = text_printf(ctx->arena, "error parsing jq filter: %s", text);
    eval_answer(answer, EVAL_FAIL, str(text));
}

static jq_state *compile(Ctx *ctx, Str program, Buf *answer)
{
    jq_state *jq = jq_init();
    if (!jq)
        abort();
    Buf report = { 0 };
    jq_set_error_cb(jq, keep_first, &report);
    if (jq_compile(jq, str_z(ctx->arena, program)))
        eval_answer(answer, EVAL_YES, STR(""));
    else
        explain(ctx, buf_str(&report), answer);
    jq_set_error_cb(jq, NULL, NULL);
    buf_done(&report);
    return jq;
}

static void answer_error(jv error, Buf *answer)
{
    jv text = jv_get_kind(error) == JV_KIND_STRING ? error : jv_dump_string(error, 0);
    eval_answer(answer, EVAL_FAIL, str(jv_string_value(text)));
    jv_free(text);
}

static void judge(jq_state *jq, Str json, Buf *answer)
{
    jq_start(jq, jv_parse_sized(json.data, (int)json.size), 0);
    jv first = jq_next(jq);
    jv_kind kind = jv_get_kind(first);
    if (kind == JV_KIND_INVALID && jv_invalid_has_msg(jv_copy(first))) {
        answer_error(jv_invalid_get_msg(first), answer);
        return;
    }
    bool keep = kind != JV_KIND_INVALID && kind != JV_KIND_NULL && kind != JV_KIND_FALSE;
    eval_answer(answer, keep ? EVAL_YES : EVAL_NO, STR(""));
    jv_free(first);
}

void eval_jq(Ctx *ctx, void **state, Str question, Buf *answer)
{
    if (*state)
        judge(*state, question, answer);
    else
        *state = compile(ctx, question, answer);
}
