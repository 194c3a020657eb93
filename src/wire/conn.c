/* conn.c - see conn_priv.h. */
#include "wire/conn_priv.h"

#include <stdlib.h>

Conn *conn_new(Calls *calls, const char *peer)
{
    Conn *conn = calloc(1, sizeof(*conn));
    if (!conn)
        abort();
    conn->calls = calls;
    conn->fd = -1;
    memcpy(conn->peer, peer, MIN(strlen(peer), sizeof(conn->peer) - 1));
    return conn;
}

Conn *conn_free(Conn *conn)
{
    if (!conn)
        return NULL;
    while (conn->streams)
        conn_drop_stream(conn, conn->streams);
    if (conn->ops)
        conn->ops->done(conn);
    out_chain_done(&conn->link.out);
    free(conn);
    return NULL;
}

void conn_add_stream(Conn *conn, WireCall *call)
{
    call->next = conn->streams;
    if (conn->streams)
        conn->streams->prev = call;
    conn->streams = call;
}

static void untouch(Conn *conn, WireCall *call)
{
    for (WireCall **at = &conn->touched; call->touched && *at; at = &(*at)->next_touched) {
        if (*at == call) {
            *at = call->next_touched;
            call->touched = false;
            break;
        }
    }
}

void conn_drop_stream(Conn *conn, WireCall *call)
{
    untouch(conn, call);
    if (call->prev)
        call->prev->next = call->next;
    else
        conn->streams = call->next;
    if (call->next)
        call->next->prev = call->prev;
    call_detach(call);
}

void conn_touch(Conn *conn, WireCall *call)
{
    if (!call->touched) {
        call->touched = true;
        call->next_touched = conn->touched;
        conn->touched = call;
    }
}

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
static_assert(sizeof(preface) - 1 == PREFACE_BYTES, "RFC 9113, 3.4");

/* Gathers bytes until they tell the protocol, then passes them on. */
static void detect(Conn *conn, Bytes data)
{
    size_t n = MIN(data.size, PREFACE_BYTES - conn->first_size);
    memcpy(conn->first + conn->first_size, data.data, n);
    conn->first_size += n;
    bool is_h2 = memcmp(conn->first, preface, conn->first_size) == 0;
    if (is_h2 && conn->first_size < PREFACE_BYTES)
        return;
    if (is_h2)
        h2_begin(conn);
    else
        h1_begin(conn);
    conn_feed(conn, bytes(conn->first, conn->first_size));
    conn_feed(conn, (Bytes){ data.data + n, data.size - n });
}

void conn_feed(Conn *conn, Bytes data)
{
    if (conn->broken || !data.size)
        return;
    if (!conn->ops)
        detect(conn, data);
    else if (!conn->ops->feed(conn, data))
        conn->broken = true;
}

void conn_serve(Conn *conn, WireCall *call)
{
    if (!conn->broken)
        conn->ops->serve(conn, call);
}

static bool fill(Conn *conn)
{
    bool usable = conn->ops->fill(conn);
    if (!usable || !conn->shut || conn->streams)
        return usable;
    conn->ops->shut(conn, true);
    return conn->ops->fill(conn);
}

bool conn_fill(Conn *conn)
{
    if (conn->broken)
        return false;
    if (!conn->ops)
        return !conn->shut;
    conn->broken = !fill(conn);
    return !conn->broken && !conn->ops->finished(conn);
}

void conn_shut(Conn *conn)
{
    conn->shut = true;
    if (conn->ops)
        conn->ops->shut(conn, false);
}

int64_t conn_patience_ns(const Conn *conn)
{
    return conn->ops ? conn->ops->patience_ns(conn) : CONN_FIRST_PATIENCE_NS;
}
