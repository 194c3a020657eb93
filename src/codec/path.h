/* path.h - paths of versioned files: cleaning (always) and validation (writes only).
 *
 * A clean path starts with '/', has no empty, '.' or '..' element and no slash at its end; the root
 * is "/". Directories are stored and reported with a trailing '/', which cleaning removes.
 */
#pragma once

#include "base/ctx.h"

/* Resolves "//", "." and ".." lexically; ".." never leaves the root. "", "." and "/" give "/".
 * The result ends in NUL and lives in ctx's arena. */
Str path_clean(Ctx *ctx, Str path);

/* May `path`, as the user gave it, be written? Errors: UNKNOWN "path (<p>) invalid: …", as clients
 * know it. */
Status path_validate(Ctx *ctx, Str path) NODISCARD;

/* May `path` name a file? A path that cleans to "/" may not. Errors: INVALID_ARGUMENT; UNKNOWN as above. */
Status path_validate_not_root(Ctx *ctx, Str path) NODISCARD;
