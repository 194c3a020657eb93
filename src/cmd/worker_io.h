/* worker_io.h - how a datum reaches the server (WorkerIo): inputs as worker_inputs.h brings
 * them, outputs as files in the result when they are small, as a file set (CreateFileSet) when they
 * are not. */
#pragma once

#include "cmd/worker_link.h"
#include "worker/worker.h"

typedef struct ServerIo ServerIo;

/* link is not owned; NULL: nobody hears of logs. Connects when first needed. */
ServerIo *server_io_new(const char *address, Link *link);
ServerIo *server_io_free(ServerIo *io);

/* The table for worker_run_datum, for datums of this lease. */
WorkerIo *server_io_for(ServerIo *io, uint64_t lease);

/* What the datum's output became: moves it into the result. Call after worker_run_datum. */
void server_io_result(Ctx *ctx, ServerIo *io, Procavia__Work__WorkResult *result);
