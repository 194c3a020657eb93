/* lazy.h - inputs that are fetched only when user code opens them: each is a FIFO that a thread
 * fills once.
 *
 * This side holds every FIFO open, so that a reader never waits for a writer to come; the kernel
 * tells (inotify) when somebody opened one, and only then its content is asked for.
 */
#pragma once

#include "worker/worker.h"

typedef struct Lazy Lazy;

/* For one attempt of a datum. io->fetch is called from threads of its own. */
Lazy *lazy_new(WorkerIo *io);

/* Makes dir_fd's new entry `name` such a FIFO; `path` is where the content is in the input's
 * commit. The input must stay. Errors: RESOURCE_EXHAUSTED (too many open descriptors), errno's. */
Status lazy_add(Ctx *ctx, Lazy *lazy, const WorkerInput *input, const char *path,
                uint64_t size_bytes, int dir_fd, const char *name) NODISCARD;

/* From here on FIFOs that are opened get filled. Does nothing when there is none. */
Status lazy_start(Ctx *ctx, Lazy *lazy) NODISCARD;

/* Ends all that is under way; nobody may have a FIFO open any more. *out_bytes: of the files that
 * were opened. Errors: those of a fetch that failed, which user code saw as a file cut short. */
Status lazy_stop(Ctx *ctx, Lazy *lazy, uint64_t *out_bytes) NODISCARD;
Lazy *lazy_free(Lazy *lazy); /* after lazy_stop, or instead of it; NULL is fine */
static inline void lazy_freep(Lazy **lazy)
{
    *lazy = lazy_free(*lazy);
}
