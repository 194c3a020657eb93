/* wire_priv.h - the server's insides: one thread owns connections and sessions, calls bridge to handler threads.
 *
 *   socket → session (nghttp2) → call->in  → wire_recv → handler
 *   socket ← conn->out ← session ← call->out ← wire_send ←┘
 *
 * call->lock guards a call's buffers and flags. server->lock guards the list of calls that want the network thread's
 * attention (bytes to send, bytes consumed, or an end). Lock order: never both. A call lives while the stream or its
 * handler holds a reference.
 */
#pragma once

#include <nghttp2/nghttp2.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/thread.h"
#include "wire/grpc.h"
#include "wire/wire.h"

#define STREAM_WINDOW_BYTES ((int32_t)(4 * MiB))
#define CONNECTION_WINDOW_BYTES ((int32_t)(32 * MiB))
#define SEND_HIGH_WATER_BYTES (1 * MiB) /* wire_send blocks above this */
#define CONSUME_STEP_BYTES (512 * KiB)  /* consumed bytes are reported in steps of this, or when a reader waits */
#define CONN_OUT_BYTES (256 * KiB)      /* gathered for one write */
#define READ_BYTES (256 * KiB)          /* taken from a socket at once */
#define STREAMS_PER_CONNECTION 1000
#define HEADER_BYTES_MAX (64 * KiB)
#define FRAME_BYTES_MAX (1 * MiB)

typedef struct Conn Conn;

typedef struct Header {
    char *name, *value;
    struct Header *next;
} Header;

struct WireCall {
    WireServer *server;
    Conn *conn; /* the network thread's own; NULL once the stream is gone */
    int32_t stream_id;
    _Atomic int refs;
    Arena *arena; /* headers and trailers */
    char *path;
    Header *headers, **headers_end;
    size_t header_bytes;
    bool started, is_grpc, is_gzip, bad_encoding;
    int64_t deadline_ns;
    Cancel *cancel;
    char peer[64];

    pthread_mutex_t lock;
    pthread_cond_t moved; /* bytes came, bytes went, or the stream ended */
    Buf in;
    size_t in_at;     /* read so far */
    size_t consumed;  /* read, not yet reported to the session */
    bool in_end;      /* the client is done */
    bool ended;       /* the stream is gone: nothing more comes or goes */
    bool discarding;  /* the handler returned: input is dropped */
    Buf out;
    size_t out_at;
    bool out_end;     /* the handler returned; trailers follow what is in out */
    bool responded;   /* the network thread submitted response headers */
    Header *trailers, **trailers_end;
    char status_text[8];

    bool attention; /* under server->lock: in the list */
    struct WireCall *next_attention;
};

struct Conn {
    WireServer *server;
    int fd;
    nghttp2_session *session; /* NULL until the first bytes tell HTTP/2 */
    Buf first; /* bytes before that is known */
    Buf out;
    size_t out_at;
    bool wants_write; /* EPOLLOUT is asked for */
    bool closing;     /* close once out is written */
    char peer[64];
    size_t streams;
    struct Conn *prev, *next;
};

struct WireServer {
    WireConfig config;
    char *address;
    int listen_fd, epoll_fd, wake_fd;
    pthread_t thread;
    Pool *pool;
    Conn *conns; /* the network thread's own */
    uint8_t *read_buf; /* READ_BYTES, likewise */
    _Atomic size_t calls;
    pthread_mutex_t lock;
    pthread_cond_t idle; /* the last call ended */
    WireCall *attention;
    bool draining, stopping;
};

/* call.c */
WireCall *call_new(Conn *conn, int32_t stream_id);
void call_unref(WireCall *call);
void call_add_header(WireCall *call, const char *name, size_t name_size, const char *value, size_t value_size);
/* Headers are complete: understands them and starts the handler. False when no thread can be had. */
bool call_start(WireCall *call);
/* Bytes of the request; returns how many to report as consumed at once (all of them when nobody reads). */
size_t call_take(WireCall *call, const uint8_t *data, size_t size);
void call_end_input(WireCall *call);
void call_stream_gone(WireCall *call); /* reset, or connection lost, or all sent */
void call_attend(WireCall *call);      /* asks the network thread to look at it */

/* conn.c, on the network thread */
Conn *conn_new(WireServer *server, int fd, const char *peer);
void conn_free(Conn *conn);
/* Reads what there is; false when the connection is over. */
bool conn_read(Conn *conn);
/* Writes what there is, from the session too; false when the connection is over. */
bool conn_write(Conn *conn);
void conn_attend_call(Conn *conn, WireCall *call);
void conn_go_away(Conn *conn);

/* server.c */
void server_call_began(WireServer *server);
void server_call_ended(WireServer *server);
