/* chunks.h - "aws-chunked" bodies taken apart. Pure: bytes in, runs of data and events out.
 *
 *   <hex size>[;chunk-signature=<64 hex>]\r\n <data>\r\n … 0[;…]\r\n [name:value\r\n …] \r\n
 */
#pragma once

#include "base/bytes.h"

typedef enum ChunksEvent {
    CHUNKS_MORE,  /* all input was taken: give more */
    CHUNKS_DATA,  /* a run of data */
    CHUNKS_CHUNK, /* a chunk has ended, the last one (of size 0) too: its signature is known */
    CHUNKS_OVER,  /* the trailers are whole */
    CHUNKS_BAD,   /* malformed; stays so */
} ChunksEvent;

#define CHUNKS_LINE_BYTES_MAX     (4 * KiB)
#define CHUNKS_TRAILERS_BYTES_MAX (16 * KiB)

typedef struct Chunks {
    enum { CHUNKS_HEADER, CHUNKS_IN_DATA, CHUNKS_DATA_END, CHUNKS_TRAILER, CHUNKS_AFTER } phase;
    bool bad;
    uint64_t left;      /* of the chunk */
    char signature[65]; /* of the chunk; "" when it has none */
    Buf line;
    Buf trailers;               /* "name:value\n" of each, names in lower case; */
    char trailer_signature[65]; /* without this one */
} Chunks;

void chunks_done(Chunks *chunks); /* zero-initialised is ready to use */

/* Takes input off *in up to the next event. */
ChunksEvent chunks_next(Chunks *chunks, Bytes *in, Bytes *out_data);
/* A trailer's value, in the arena; NULL when there is none. */
const char *chunks_trailer(const Chunks *chunks, Arena *arena, const char *name);
