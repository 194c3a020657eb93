/* wire_conn.c - any bytes on a connection of the server: whichever protocol they begin, nothing
 * crashes or leaks, and what is held stays bounded. Handlers run inline and never wait, as their
 * deadline is past. */
#include "fuzz/fuzz.h"

#include "wire/conn_priv.h"

/* Reads what came, sends some of it back; ends by an error when it would have to wait. */
static Status echo(void *self, Ctx *ctx, WireCall *call)
{
    (void)self;
    CLEANUP(buf_done) Buf buf = { 0 };
    ctx->deadline_ns = 0;
    for (bool end = false;;) {
        TRY(wire_recv(ctx, call, &buf, &end));
        if (end)
            return OK;
        TRY(wire_send(ctx, call, bytes(buf.data, MIN(buf.size, 1000))));
    }
}

static Status echo_http(void *self, Ctx *ctx, WireHttp *http)
{
    (void)self;
    uint8_t piece[100];
    size_t size;
    ctx->deadline_ns = 0;
    if (*wire_http_method(http) == 'P')
        TRY(wire_http_read(ctx, http, piece, sizeof(piece), &size));
    return wire_http_answer(ctx, http, 200, "text/plain", str_bytes(str(wire_http_target(http))));
}

static void serve_posted(Calls *calls)
{
    WireCall *call = calls_take_posted(calls);
    for (WireCall *next; call; call = next) {
        next = call->next_taken;
        if (call->conn)
            conn_serve(call->conn, call);
        else if (call->ended)
            call_free(call);
    }
}

/* What the socket's owner does; the peer takes all output. */
static bool turn(Calls *calls, Conn *conn)
{
    serve_posted(calls);
    bool open = true;
    for (int i = 0; i < 100 && open; i++) {
        open = conn_fill(conn);
        if (!conn->link.out.size)
            break;
        out_chain_sent(&conn->link.out, conn->link.out.size);
    }
    serve_posted(calls);
    return open && !conn->broken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const WireHttpHandler http = { .handle = echo_http };
    const WireConfig config = { .handle = echo, .http = &http };
    Calls calls;
    calls_init(&calls, &config, -1, false);
    Conn *conn = conn_new(&calls, "fuzz");
    /* The first byte says in which pieces the rest comes. */
    size_t piece = size ? 1 + data[0] * 8u : 1;
    bool open = true;
    for (size_t at = 1; at < size && open; at += piece) {
        conn_feed(conn, bytes(data + at, MIN(piece, size - at)));
        open = turn(&calls, conn);
    }
    conn_free(conn);
    serve_posted(&calls);
    PROP(calls.running == 0);
    calls_done(&calls);
    return 0;
}
