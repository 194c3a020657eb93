/* one_ctx.h - for tests that need a ctx and nothing else: `ctx`, made by setup and gone with
 * teardown. */
#pragma once

#include "testing.h"

static Ctx ctx;

static inline int setup(void **state)
{
    (void)state;
    ctx_init(&ctx);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    ctx_done(&ctx);
    return 0;
}
