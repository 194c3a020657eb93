/* wire.h - one listener: HTTP/2 with gRPC (nghttp2), HTTP/1.1 beside it on the same port; and a
 * gRPC client.
 *
 * Server. One thread owns all sockets and sessions and never blocks on anything but epoll. Each
 * call runs its handler on a thread of a pool, in straight-line blocking code: wire_recv waits for
 * a message, wire_send waits until the peer has room. Bytes in flight are bounded: the HTTP/2
 * window of a stream opens only as its handler reads, so a slow disk slows the client and nothing
 * piles up in memory.
 */
#pragma once

#include "base/ctx.h"
#include "base/event.h"

/* The largest gRPC message either way (what existing clients set). */
#define WIRE_MESSAGE_BYTES_MAX (20 * MiB)

typedef struct WireServer WireServer;
typedef struct WireCall WireCall;

typedef struct WireConfig {
    const char *listen; /* "ADDR:PORT", "[v6]:PORT", "unix:PATH"; port 0 picks one */
    size_t calls_max;   /* calls at once; 0: WIRE_CALLS_MAX */
    /* Runs one gRPC call on a pool thread; what it returns becomes grpc-status. ctx has the call's
     * arena, deadline (grpc-timeout) and cancel (reset or lost connection). Messages not read are
     * discarded. */
    Status (*handle)(void *self, Ctx *ctx, WireCall *call);
    /* Runs one HTTP request (wire/http.h), on a pool thread; must outlive the server. NULL: 404. */
    const struct WireHttpHandler *http;
    void *self;
    /* No threads: whoever starts the server is its network thread, by wire_server_turn. A gRPC
     * handler runs in a turn, once its request is whole, and must not wait; one that cannot answer
     * yet holds its call. Not for HTTP requests with a body. */
    bool turned;
} WireConfig;
#define WIRE_CALLS_MAX 4096

Status wire_server_start(Ctx *ctx, const WireConfig *config, WireServer **out) NODISCARD;
const char *wire_server_address(const WireServer *server); /* "127.0.0.1:30650", as bound */
/* Stops accepting, sends GOAWAY, waits for running calls up to drain_ms, then cancels them (their
 * clients get UNAVAILABLE) and waits for their handlers to return; frees. NULL is fine; always
 * returns NULL. */
WireServer *wire_server_stop(WireServer *server, int64_t drain_ms);

/* --- a server without threads (WireConfig.turned); all from the one thread --- */

int wire_server_fd(const WireServer *server); /* readable when a turn has something to do */
/* Does what there is to do, without waiting: what came is handled, what is ready is sent. */
void wire_server_turn(WireServer *server);
/* In a handler: the call stays open when it returns, whatever it returns, until wire_call_end. */
void wire_call_hold(WireCall *call);
/* Ends a call that was held, before the server is stopped; the next turn sends it. The status must
 * stay until then. */
void wire_call_end(WireCall *call, Status status);

/* --- in a handler --- */

const char *wire_call_path(const WireCall *call); /* "/pfs_v2.API/CreateRepo" */
/* Request metadata: the nth value of `key` (lower case; "-bin" values are decoded), or NULL. */
const char *wire_call_metadata(const WireCall *call, const char *key, size_t nth);
const char *wire_call_peer(const WireCall *call); /* "127.0.0.1:51234", or "unix" */

/* The next message, in buf (overwritten; owned by the caller, reusable). *out_end instead, and buf
 * empty, when the client is done. Errors: CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED (over
 * WIRE_MESSAGE_BYTES_MAX), INTERNAL (bad frame), UNIMPLEMENTED (unknown compression; gzip and
 * identity are understood). */
Status wire_recv(Ctx *ctx, WireCall *call, Buf *buf, bool *out_end);
/* One message to the client. Blocks while more than a window of bytes waits to be sent. */
Status wire_send(Ctx *ctx, WireCall *call, Bytes message);
/* Adds to the trailers. */
void wire_set_trailer(WireCall *call, const char *key, const char *value);

/* --- client ---------------------------------------------------------------------------------- */

/* One connection, used from one thread at a time, no threads of its own. */
typedef struct WireClient WireClient;
typedef struct WireStream WireStream;

/* address: "HOST:PORT", "grpc://HOST:PORT", "http://HOST:PORT" or "unix:PATH". Connects at once;
 * UNAVAILABLE (naming the address) when nobody answers. */
Status wire_client_open(Ctx *ctx, const char *address, WireClient **out) NODISCARD;
WireClient *wire_client_close(WireClient *client);
static inline void wire_client_closep(WireClient **client)
{
    *client = wire_client_close(*client);
}
/* Sent with every call: "authn-token", "pach-transaction". Copied. NULL value removes. */
void wire_client_metadata(WireClient *client, const char *key, const char *value);
int wire_client_fd(
    const WireClient *client); /* to poll for input between calls to wire_stream_poll */

/* Several streams may be open at once on one client. */
Status wire_stream_open(Ctx *ctx, WireClient *client, const char *path, WireStream **out) NODISCARD;
/* Queues a message; blocks only while the send window is full and WIRE_CLIENT_BUFFER bytes wait.
 * When it fails by cancellation or deadline, nothing of the message was queued. When the server has
 * ended the call: its status, or ABORTED if that was OK. */
Status wire_stream_send(Ctx *ctx, WireStream *stream, Bytes message);
Status wire_stream_flush(Ctx *ctx, WireStream *stream); /* hands all queued bytes to the kernel */
Status wire_stream_close_send(Ctx *ctx, WireStream *stream); /* half-close; flushes */
/* The next message. On the end of the stream *out_end, and the call's final status is returned (OK
 * or the server's, message and details kept). */
Status wire_stream_recv(Ctx *ctx, WireStream *stream, Buf *buf, bool *out_end);
/* Like recv but does not block: *out_ready says whether buf or out_end was set. */
Status wire_stream_poll(Ctx *ctx, WireStream *stream, Buf *buf, bool *out_ready, bool *out_end);
WireStream *wire_stream_close(WireStream *stream); /* resets it when unfinished; NULL is fine */
static inline void wire_stream_closep(WireStream **stream)
{
    *stream = wire_stream_close(*stream);
}

/* A unary call. */
Status wire_call_unary(Ctx *ctx, WireClient *client, const char *path, Bytes request,
                       Buf *response);
#define WIRE_CLIENT_BUFFER (1 * MiB)
