/* inputs.h - puts a datum's inputs where user code finds them, changing only what differs from the
 * datum before. */
#pragma once

#include "worker/input_cache.h"
#include "worker/lazy.h"
#include "worker/spares.h"

typedef struct Inputs Inputs;

/* pfs_fd: the folder that is /pfs, kept by the caller, as cache and spares are. */
Inputs *inputs_new(int pfs_fd, InputCache *cache, Spares *spares);
Inputs *inputs_free(Inputs *inputs); /* leaves the files; NULL is fine */

/* After this the folder holds the datum's inputs and no others. What fails leaves it unfinished;
 * placing again starts over.
 *
 * private_copies  user code can write to its inputs: nothing is shared with the cache, or kept
 * out_bytes       of all files, wherever they came from; lazy ones count when they are opened
 * Errors          fetch's; DATA_LOSS (a file of another size than announced); errno's */
Status inputs_place(Ctx *ctx, Inputs *inputs, WorkerIo *io, const WorkerDatum *datum,
                    bool private_copies, Lazy *lazy, uint64_t *out_bytes) NODISCARD;
