/* ref.h - what may follow the '@' of a commit's name: "master", an id, "master^2", "master.3"
 * (§5.2). Pure. */
#pragma once

#include "base/ctx.h"

typedef struct CommitRef {
    const char *base; /* a branch, or an id in lower case */
    bool is_id;
    bool from_root; /* the commit `steps` after the branch's root; else `steps` before base */
    uint64_t steps;
} CommitRef;

/* Text is in ctx's arena. Errors: UNKNOWN "invalid ancestry format" and others of §5.2. */
Status ref_parse(Ctx *ctx, Str ref, CommitRef *out) NODISCARD;
