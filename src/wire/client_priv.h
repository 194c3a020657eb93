/* client_priv.h - the client's insides: one connection, many streams, one thread. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "wire/grpc.h"
#include "wire/wire.h"

#define CLIENT_READ_BYTES (256 * KiB)

typedef struct ClientHeader {
    char *name, *value;
    struct ClientHeader *next;
} ClientHeader;

struct WireClient {
    int fd;
    char *authority;
    nghttp2_session *session;
    Buf out;
    size_t out_at;
    uint8_t *read_buf; /* CLIENT_READ_BYTES */
    bool lost;       /* the connection is over */
    char reason[160]; /* why */
    ClientHeader *metadata;
    WireStream *streams;
};

struct WireStream {
    WireClient *client;
    int32_t id;
    Buf in;
    size_t in_at;
    size_t let_in; /* bytes of the next message whose window was given back already */
    bool in_end; /* closed, or trailers came */
    Buf out;
    size_t out_at;
    bool out_end, deferred;
    int status; /* grpc-status; -1 while unknown */
    int http;   /* :status */
    Buf message, details;
    WireStream *next;
};

/* Writes what can be written and reads what there is. With `wait`, first blocks until either is possible, up to ctx's
 * deadline. Errors: UNAVAILABLE when the connection is lost, DEADLINE_EXCEEDED. */
Status client_pump(Ctx *ctx, WireClient *client, bool wait);
