/* conn_priv.h - one connection of the server, as bytes in and bytes out: no socket, no clock, no
 * waiting.
 *
 * Whoever owns the socket feeds what it reads, asks for what to write, and closes when told so. The
 * first bytes decide the protocol: HTTP/2's preface, or else HTTP/1.1. All functions: the network
 * thread.
 */
#pragma once

#include "wire/call_priv.h"
#include "wire/link_priv.h"

/* Streams a client may have open at once, and request headers of one. */
#define CONN_STREAMS_MAX      1000
#define CONN_HEADER_BYTES_MAX (64 * KiB)
/* The connection's window is given back as bytes come, so that slow streams do not stop the others;
 * only above this much unread do they. */
#define CONN_WINDOW_BYTES     (16 * MiB)
#define CONN_UNREAD_BYTES_MAX (48 * MiB)
/* Frames waiting to be sent to a client that does not read its answers, before it is dropped. */
#define CONN_FRAMES_WAITING_MAX 10000

typedef struct Conn Conn;
typedef struct H1 H1;

/* How long a client may take to show its protocol. */
#define CONN_FIRST_PATIENCE_NS (30 * NS_PER_SEC)

/* What a protocol does with a connection. */
typedef struct ConnOps {
    bool (*feed)(Conn *conn, Bytes data);      /* false: nothing more is understood */
    void (*serve)(Conn *conn, WireCall *call); /* its handler took, sent, or returned */
    bool (*fill)(Conn *conn);                  /* moves output into link.out; false: beyond use */
    bool (*finished)(const Conn *conn);        /* nothing more comes or goes */
    void (*shut)(Conn *conn,
                 bool last); /* say: no new requests; last: none runs any more. Repeatable */
    int64_t (*patience_ns)(
        const Conn *conn);    /* how long it may make no progress; INT64_MAX: for ever */
    void (*done)(Conn *conn); /* frees what the protocol holds; its calls are detached */
} ConnOps;

#define PREFACE_BYTES 24

struct Conn {
    Link link;
    const ConnOps *ops; /* NULL until the protocol is known */
    Calls *calls;
    char peer[64];
    uint8_t first[PREFACE_BYTES]; /* while the protocol is not known */
    size_t first_size;
    WireCall *streams; /* calls whose stream is open */
    WireCall *touched; /* got something since the last settle */
    size_t unread;     /* bytes of calls that were not given back */
    size_t owed;       /* of the connection's window, because of them */
    H1 *h1;            /* HTTP/1.1's state */
    bool broken;       /* close without another word */
    bool shut;         /* takes no new requests */

    /* For the owner of the socket: */
    bool paused;   /* do not read */
    bool progress; /* something was achieved since this was last reset */
    bool linger;   /* when finished, let the client read its answer before it learns that we read no
                      more */

    /* Its own: */
    int fd;
    bool dirty, waits_for_room, reads, lingers;
    int64_t since_ns; /* of the last progress */
    Conn *prev, *next, *next_dirty;
};

Conn *conn_new(Calls *calls, const char *peer);
Conn *conn_free(Conn *conn);
void conn_feed(Conn *conn, Bytes data);
void conn_serve(Conn *conn, WireCall *call); /* one of its calls was posted */
/* Brings link.out up to date. False: close, once link.out is written or at once when
 * conn->broken. */
bool conn_fill(Conn *conn);
/* Takes no new requests; finished when those that run are answered. */
void conn_shut(Conn *conn);
int64_t conn_patience_ns(const Conn *conn);
void conn_add_stream(Conn *conn, WireCall *call);
void conn_drop_stream(Conn *conn, WireCall *call); /* detaches it */
void conn_touch(Conn *conn, WireCall *call);

/* The protocol is known; no byte was fed yet. */
void h1_begin(Conn *conn);
void h2_begin(Conn *conn);
