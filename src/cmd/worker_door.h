/* worker_door.h - the worker's own gRPC service (pachyderm.worker.Worker) for the user code that it
 * runs: on a free port of 127.0.0.1, which user code reaches as it shares the host's network. */
#pragma once

#include "cmd/worker_link.h"
#include "worker/worker.h"

typedef struct Door Door;

/* Both must outlive it. */
Door *door_new(const char *worker_id, Link *link);
Door *door_free(Door *door); /* closes it; NULL is fine */

/* Opens it without a batch: NextDatum is refused. */
Status door_open(Ctx *ctx, Door *door) NODISCARD;
const char *door_port(const Door *door); /* "" while it is closed */

/* As worker_run_batch opens and closes it. */
WorkerDoor *door_for_batch(Door *door);

/* What is worked on, for Status and Cancel; NULL nothing. Must stay until the next call. Any
 * thread. */
void door_set(Door *door, const Procavia__Work__WorkSet *set);
