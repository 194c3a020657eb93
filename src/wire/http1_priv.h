/* http1_priv.h - the grammar of HTTP/1.1 requests (RFC 9112), strictly: what could be read in two
 * ways is refused, since another reader on the way (a proxy) may have read it in the other.
 * Pure. */
#pragma once

#include "wire/grpc_priv.h"

typedef enum BodyKind { BODY_NONE, BODY_SIZED, BODY_CHUNKED } BodyKind;

typedef struct Http1Head {
    char *method, *target, *host;
    Fields headers; /* names in lower case */
    BodyKind body;
    int64_t body_size; /* BODY_SIZED: its bytes */
    bool close;        /* "Connection: close" */
    bool expects;      /* "Expect: 100-continue" */
} Http1Head;

typedef struct Http1Error {
    int status; /* 0: none */
    const char *message;
} Http1Error;

/* Where the head at the start of text ends, its empty line included; 0 when that has not come.
 * `searched` bytes were looked at before. */
size_t http1_head_end(Str text, size_t searched);
/* text is a whole head as http1_head_end found it. What *out points to is in arena. */
Http1Error http1_parse_head(Arena *arena, Str text, Http1Head *out);

/* chunk: size [; extension] CRLF data CRLF. After the chunk of size 0: trailer lines, and an empty
 * line. */
typedef enum ChunkPhase {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    TRAILER_START,
    TRAILER_LINE,
    TRAILER_LF,
    END_LF,
} ChunkPhase;

/* Takes the framing off a body, piece by piece. */
typedef struct Http1Body {
    BodyKind kind;
    uint64_t left; /* bytes of the body or of the chunk that are still to come */
    ChunkPhase phase;
    size_t line_bytes; /* of the line being read that is no data */
    bool over;         /* all of it was read */
} Http1Body;

void http1_body_begin(Http1Body *body, const Http1Head *head);
/* Moves over the front of *in: returns the next run of data (empty when *in has no more, or the
 * body is over), or fails by returning false. Call until *in is empty or body->over. */
bool http1_body_next(Http1Body *body, Bytes *in, Bytes *out_data);

const char *http1_reason(int status); /* "Not Found" */
