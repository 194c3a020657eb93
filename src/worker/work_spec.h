/* work_spec.h - the server's words for a set of datums as the worker's. */
#pragma once

#include "procavia/work/work.pb-c.h"
#include "worker/worker.h"

/* What is the same for all datums of a set, but for grpc_port and mask. Points into set; lists in
 * ctx's arena. */
WorkerSpec work_spec(Ctx *ctx, const char *worker_id, const Procavia__Work__WorkSet *set);

/* One datum. Likewise. */
WorkerDatum work_datum(Ctx *ctx, const Procavia__Work__WorkDatum *datum);

/* What must not show in logs; NULL when there is nothing. Points into set. The caller's, for
 * mask_set_free. */
MaskSet *work_mask(const Procavia__Work__WorkSet *set);
