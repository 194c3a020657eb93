/* outputs.h - hands what user code left in /pfs/out to the server. User code made the folder and
 * may wish us ill: no link is followed but inside the sandbox, as its user. */
#pragma once

#include "worker/worker.h"

typedef struct Outputs {
    WorkerIo *io;
    Sandbox *sandbox;    /* nothing runs in it */
    int pfs_fd;          /* the folder that is /pfs, with out in it */
    const char *pfs_dir; /* its path, where links lead without a root of their own */
    const WorkerDatum *datum;
    uint64_t bytes_max; /* of all files together */
} Outputs;

/* Hands all of it over, from output_begin to output_finish. What is wrong with the output itself is
 * *out_reason (else NULL), and nothing of it stays. *out_bytes: of regular files, without what
 * links bring. Errors: those of io, and of this machine. */
Status outputs_collect(Ctx *ctx, const Outputs *outputs, const char **out_reason,
                       uint64_t *out_bytes) NODISCARD;
