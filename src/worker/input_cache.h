/* input_cache.h - the content of input files on this machine's disk, by hash, each written once.
 *
 * A datum gets a hard link, so a model that a million datums read takes its space once; what is
 * linked outlives its place in the cache. The least recently used goes when there is too much. One
 * thread.
 */
#pragma once

#include "base/ctx.h"

typedef struct InputCache InputCache;

/* dir must exist and be empty. */
InputCache *input_cache_new(const char *dir, uint64_t bytes_max);
InputCache *input_cache_free(InputCache *cache); /* leaves the files; NULL is fine */
uint64_t input_cache_bytes(const InputCache *cache);

bool input_cache_has(InputCache *cache, Bytes hash);
/* Makes the cached content appear as dir_fd's new entry `name`: a hard link, or with `copy` (and
 * where links are impossible) a copy. False when it is not cached. Errors: errno's. */
Status input_cache_place(Ctx *ctx, InputCache *cache, Bytes hash, int dir_fd, const char *name,
                         bool copy, bool *out_placed) NODISCARD;

/* Adds the regular file that is dir_fd's entry `name`, as a link to it (with `copy`: a copy of it).
 * It must not change any more. Content that cannot be linked is not cached. */
void input_cache_add(Ctx *ctx, InputCache *cache, Bytes hash, int dir_fd, const char *name,
                     bool copy);
