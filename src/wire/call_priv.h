/* call_priv.h - one call: what its handler's thread and the network thread share.
 *
 * The handler's thread blocks, the network thread never does. Bytes cross in the two queues under
 * call->lock; the network thread is told by posting the call, which wakes it at most once until it
 * has looked.
 *
 *   network thread                         handler's thread
 *   call_deliver -> in ------------------> wire_recv    (posts when much of the window can be given
 * back) link_read    <- out <----------------- wire_send    (posts when the network thread had run
 * out of bytes) call_detach  -> closed, ctx.cancel --> any wait ends
 *                <- finished ------------- the handler returned (posts)
 *
 * A call is freed by the network thread, once its stream is gone and its handler has returned.
 * Lock order: call->lock, then calls->lock.
 */
#pragma once

#include "base/event.h"
#include "base/thread.h"
#include "wire/grpc_priv.h"
#include "wire/http.h"
#include "wire/in_priv.h"
#include "wire/link_priv.h"
#include "wire/wire.h"

struct Conn;

/* What a client may send to one stream before its handler reads: enough for a 10 Gbit/s path of 3
 * ms. */
#define STREAM_WINDOW_BYTES (4 * MiB)
/* The handler's thread gives window back in pieces of this size, not per message. */
#define WINDOW_GIVE_BYTES (STREAM_WINDOW_BYTES / 8)

/* Runs calls, and keeps the list of those that want the network thread's eye. */
typedef struct Calls {
    WireConfig config;
    Pool *pool;     /* NULL: a handler runs on the thread that starts it (turned; fuzzing) */
    size_t running; /* handlers that have not returned; network thread only */

    pthread_mutex_t lock; /* guards the rest, and `posted` and `finished` of every call */
    WireCall *first_posted, *last_posted;
    bool asleep; /* the network thread waits in epoll: who posts next wakes it */
    int wake_fd; /* an eventfd, or -1 */
} Calls;

void calls_init(Calls *calls, const WireConfig *config, int wake_fd, bool threads);
void calls_done(Calls *calls);
/* The calls posted since, linked by next_taken; their `ended` is up to date. */
WireCall *calls_take_posted(Calls *calls);
/* False when a call was posted meanwhile: do not sleep. */
bool calls_may_sleep(Calls *calls);

typedef enum CallKind { CALL_GRPC, CALL_HTTP } CallKind;

struct WireCall {
    Calls *calls;
    Ctx ctx; /* the handler's; until it starts, the network thread's */

    /* The request: constant once the handler runs. */
    CallKind kind;
    const char *method, *path, *authority;
    const char *peer;
    Fields headers;
    int64_t body_size; /* of an HTTP request; -1: not said */

    pthread_mutex_t lock; /* guards from here to `closed` */
    pthread_cond_t changed;
    InQueue in;
    InFault in_fault;
    size_t in_fault_size;
    bool in_ended;
    bool expects;   /* HTTP/1.1: the client waits for "100 Continue" before it sends a body */
    bool receiving; /* the handler waits for input: the window may open for all that came */
    uint64_t received, taken,
        given; /* bytes of the stream: came, taken by the handler, window given back for */
    Buf spare; /* memory of a large message, for the next one */
    OutStream out;
    bool answered; /* `answer` is complete: an HTTP answer's head may go */
    bool closed;   /* the stream is gone */

    bool posted, finished; /* guarded by calls->lock, with next_posted */
    WireCall *next_posted;

    /* The handler's thread only. */
    InBlock *current;
    Fields trailers;     /* set by wire_set_trailer */
    Fields answer;       /* HTTP: ":status" and header fields */
    int64_t answer_left; /* HTTP: bytes of its body not written yet; -1: not known */
    bool no_body;        /* HTTP: a HEAD request, 204 or 304: what is written is dropped */
    Status result;

    /* The network thread only. */
    struct Conn *conn;     /* NULL: the stream is gone */
    WireCall *prev, *next; /* of the same connection */
    WireCall *next_taken;  /* of the list being served: a call may be posted again meanwhile */
    WireCall *next_touched;
    bool touched;
    bool ready;     /* the request's head is whole */
    bool started;   /* the handler runs, or ran */
    bool held;      /* turned: it returned, and somebody ends the call later */
    bool ended;     /* it has returned */
    bool responded; /* headers are submitted */
    bool input_over;
    int32_t stream_id;
    size_t head_size;
    MessageReader reader;
    Fields closing; /* the trailers as sent */
    Status refusal; /* why it must not start */
};

/* For the network thread. */
WireCall *call_new(Calls *calls, struct Conn *conn, const char *peer);
void call_free(WireCall *call); /* its handler is not running */
void call_deliver(WireCall *call, Bytes data);
void call_end_input(WireCall *call);
void call_fail_input(WireCall *call, InFault fault);
/* Has enough of the request come for the handler? */
bool call_may_start(const WireCall *call);
/* Starts the handler. RESOURCE_EXHAUSTED when too many run. */
Status call_start(WireCall *call);
/* Wakes the handler if it waits for what came; returns how much of the window it gives back. */
size_t call_settle(WireCall *call);
/* The stream is gone: the handler's waits end, and the call is freed now or when its handler
 * returns. */
void call_detach(WireCall *call);

void call_post(WireCall *call); /* any thread: the network thread shall look at it */

/* For handlers: adds head and body to what goes out, blocking while there is no room. */
Status call_write(Ctx *ctx, WireCall *call, Bytes head, Bytes body);
/* Waits until input is there and makes it `current`; leaves that NULL at the end of input. */
Status call_next_block(Ctx *ctx, WireCall *call);
void call_retire_block(WireCall *call); /* `current` is read */
/* Runs the handler of an HTTP request (NULL: 404) and turns its error into an answer if there is
 * none yet. */
Status http_run(Ctx *ctx, WireHttp *http, const WireHttpHandler *handler);
/* For the network thread: answers a request whose handler never ran. */
void http_refuse(WireHttp *http, Status why);
bool call_has_answer(WireCall *call); /* is `answered` set? */
