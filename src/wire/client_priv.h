/* client_priv.h - what client.c (the connection) and client_stream.c (calls on it) share. */
#pragma once

#include "wire/in_priv.h"
#include "wire/link_priv.h"
#include "wire/wire.h"

/* What the server may send before we read: a stream, and all of them. */
#define CLIENT_STREAM_WINDOW_BYTES (4 * MiB)
#define CLIENT_WINDOW_BYTES        (32 * MiB)
/* Streams at once, until the server has said its own limit: what ours says. */
#define CLIENT_STREAMS_MAX 1000

struct WireClient {
    Link link;
    int fd;
    int wake_fd; /* an eventfd that a cancelled ctx writes to */
    char *address, *authority;
    Arena *arena;    /* what lives as long as the client */
    Fields metadata; /* sent with every call */
    uint8_t *input;
    WireStream *streams;
    const char *lost;     /* why the connection is gone, or NULL */
    pthread_mutex_t lock; /* OutStream wants one; nobody contends for it */
};

struct WireStream {
    WireClient *client;
    WireStream *prev, *next;
    int32_t id;
    OutStream out;
    size_t write_at; /* bytes queued at which writing is worth a system call */
    MessageReader reader;
    InQueue in;
    InBlock *current;
    uint64_t received, taken, given; /* as in a WireCall */
    Ctx ctx; /* only its arena: what the server's headers and trailers said */
    Fields trailers;
    int http_status;
    bool closed;    /* nothing more comes */
    bool abandoned; /* the caller closed it: freed when nghttp2 lets go of it */
    uint32_t error; /* why it closed (RFC 9113, 7) */
};

/* Both fail with UNAVAILABLE when the connection is lost; all its streams are then closed. */
/* Writes what the kernel takes at once. */
Status client_write(Ctx *ctx, WireClient *client);
/* Reads what is there, and writes. With block set first waits until one of them is possible: all
 * that can be written must have been, and the caller must still lack what it waits for. Errors:
 * CANCELLED, DEADLINE_EXCEEDED. */
Status client_turn(Ctx *ctx, WireClient *client, bool block);
Status client_lost(Ctx *ctx, const WireClient *client);

/* Callbacks of client.c into client_stream.c. */
WireStream *client_stream(WireClient *client, int32_t id); /* NULL when it is gone */
void stream_header(WireStream *stream, Str name, Str value);
void stream_data(WireStream *stream, Bytes data);
void stream_closed(WireStream *stream, uint32_t error); /* may free it */
void stream_free(WireStream *stream);
