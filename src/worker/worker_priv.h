/* worker_priv.h - what worker.c (the folder and its sandboxes) and datum.c (running a datum)
 * share. */
#pragma once

#include "worker/inputs.h"

#define BOXES_MAX                                                                                  \
    4 /* sandboxes kept: a worker goes back and forth between the pipelines of a chain */

typedef struct Box {
    Buf key;
    Sandbox *sandbox; /* NULL: free */
    uint64_t used_at;
} Box;

struct Worker {
    Arena *arena;
    WorkerConfig config;
    const char *dir, *slot_dir, *pfs_dir;
    int pfs_fd;
    int pfs_claim; /* on the host's /pfs, once a plain process ran: kept, so that no other worker of
                      the machine comes in between two sandboxes; else -1 */
    InputCache *cache;
    Spares *spares;
    Inputs *inputs;
    Box boxes[BOXES_MAX];
    char warned_job[64]; /* whose log has the sandbox's warnings */
    uint64_t uses;
};

/* A sandbox for this config, whose slot, hidden paths and levels are filled in; kept for the next
 * time. nth tells sandboxes of one config apart. */
Status worker_sandbox(Ctx *ctx, Worker *worker, SandboxConfig *config, unsigned nth, Sandbox **out) NODISCARD;
/* One that died is not to be used again. */
void worker_drop_sandbox(Worker *worker, const Sandbox *sandbox);
uint64_t worker_tmp_bytes(void);
