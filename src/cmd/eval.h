/* eval.h - what pcv-eval runs: one function a mode, from a question to an answer
 * (engine/eval.h). */
#pragma once

#include "base/ctx.h"
#include "engine/eval.h"

/* Appends the answer, its kind first. *state is the mode's own, NULL at first; it lives as long as
 * the process. */
typedef void (*EvalMode)(Ctx *ctx, void **state, Str question, Buf *answer);

void eval_jq(Ctx *ctx, void **state, Str question, Buf *answer);
void eval_jsonnet(Ctx *ctx, void **state, Str question, Buf *answer);

static inline void eval_answer(Buf *answer, EvalKind kind, Str text)
{
    buf_add_u8(answer, (uint8_t)kind);
    buf_add_str(answer, text);
}
