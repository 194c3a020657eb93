/* seccomp_filter.h - the system calls user code may not make. */
#pragma once

#include "base/ctx.h"

/* The filter as the kernel takes it (struct sock_filter[]), in ctx's arena. as_root: the process is
 * uid 0 inside. Errors: INTERNAL. */
Status seccomp_filter_build(Ctx *ctx, bool as_root, Bytes *out) NODISCARD;
