/* ctx.c - see ctx.h. */
#include "base/ctx.h"

#include "base/clock.h"
#include "base/event.h"

void ctx_init(Ctx *ctx)
{
    *ctx = (Ctx){ .arena = arena_new(0), .deadline_ns = DEADLINE_NONE, .user = "" };
}

void ctx_scratch(Ctx *ctx, const Ctx *of)
{
    *ctx = *of;
    ctx->arena = arena_new(0);
}

void ctx_done(Ctx *ctx)
{
    ctx->arena = arena_free(ctx->arena);
}

Status ctx_check(Ctx *ctx)
{
    if (cancel_is_set(ctx->cancel))
        return FAIL(ctx, CANCELLED, "context canceled");
    if (ctx->deadline_ns != DEADLINE_NONE && clock_mono_ns() >= ctx->deadline_ns)
        return FAIL(ctx, DEADLINE_EXCEEDED, "context deadline exceeded");
    return OK;
}
