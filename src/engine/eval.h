/* eval.h - users' programs that may never end (jq, Jsonnet), each in a process that can be killed.
 *
 * Neither library can be interrupted, and both read files: so pcv-eval runs them, with limits and
 * without the server's environment, and is asked over a socket. A question and an answer are each a
 * frame of four bytes of size (big-endian) and as many of content; an answer's first byte is its
 * kind. In mode "jq" the first question is the program and each later one a JSON text to judge; in
 * mode "jsonnet" a question is {"template": text, "args": {name: text}}.
 */
#pragma once

#include "base/ctx.h"

typedef enum EvalKind {
    EVAL_YES = 'y',  /* jq: compiled, or keep; jsonnet: the JSON text follows */
    EVAL_NO = 'n',   /* jq: drop */
    EVAL_FAIL = 'f', /* why the program is wrong follows */
} EvalKind;

#define EVAL_FRAME_BYTES_MAX (64 * MiB)
#define EVAL_HEAD_BYTES      4

/* A running pcv-eval. Belongs to one thread at a time. */
typedef struct Eval Eval;

/* program   path of pcv-eval
 * limit_ns  how long all its answers together may take */
Status eval_start(Ctx *ctx, const char *program, const char *mode, int64_t limit_ns,
                  Eval **out) NODISCARD;
Eval *eval_free(Eval *eval); /* kills it; NULL is fine */
static inline void eval_freep(Eval **eval)
{
    *eval = eval_free(*eval);
}

/* Asks and waits. The answer's text is in ctx's arena. Errors: DEADLINE_EXCEEDED when the limit is
 * reached; RESOURCE_EXHAUSTED when the program outgrew its memory or processor time. */
Status eval_ask(Ctx *ctx, Eval *eval, Str question, EvalKind *out_kind, Str *out_text);
