/* worker_fetch.h - files of the server, many asked for before the first has come
 * (procavia.work.Work/Fetch): small ones cost no round trip each. One thread. */
#pragma once

#include "pfs/pfs.pb-c.h"
#include "wire/wire.h"
#include "worker/worker.h"

/* More are not asked for before the first has come, nor more bytes than these. */
#define FETCH_AHEAD_FILES 256
#define FETCH_AHEAD_BYTES (4 * MiB)

typedef struct Fetch {
    WireClient *client; /* the owner's; constant while a stream is open */
    WireStream *stream; /* NULL: none is open */
    Buf buf;
    size_t files; /* asked for and not taken */
    uint64_t bytes;
} Fetch;

/* Zero-initialised but for the client. Forgets what was asked for; after any error, too. */
void fetch_drop(Fetch *fetch);
void fetch_done(Fetch *fetch); /* and frees; before the client is closed */

/* May another one be asked for? Always when none is. */
bool fetch_has_room(const Fetch *fetch);
/* The file, of that size, is to come after those asked for before; its path is taken literally. */
Status fetch_ask(Ctx *ctx, Fetch *fetch, PfsV2__File *file, uint64_t size_bytes) NODISCARD;
/* What was asked for longest ago comes: into sink, or NULL nowhere. Errors: the server's, as
 * NOT_FOUND; the sink's. */
Status fetch_take(Ctx *ctx, Fetch *fetch, uint64_t size_bytes, WorkerSink *sink) NODISCARD;
