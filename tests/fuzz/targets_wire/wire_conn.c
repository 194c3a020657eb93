/* wire_conn.c - any bytes on a connection of the server: whichever protocol they begin, nothing
 * crashes or leaks, and what is held stays bounded. Handlers run inline and never wait, as their
 * deadline is past. A server that is turned by its owner holds every other call for a while. */
#include "fuzz/fuzz.h"

#include "wire/conn_priv.h"

#define HELD_MAX 8
#define TURNED   0x80 /* in the first byte */

/* Calls that a turned server holds; the oldest is ended when another one comes. */
typedef struct Held {
    bool holds; /* the next one */
    WireCall *calls[HELD_MAX];
    size_t count;
} Held;

static void end_oldest(Held *held)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Status sent = wire_send(&ctx, held->calls[0], str_bytes(STR("held")));
    wire_call_end(held->calls[0], status_ok(sent) ? OK : STATUS(CANCELLED));
    memmove(held->calls, held->calls + 1, --held->count * sizeof(*held->calls));
}

static void hold(Held *held, WireCall *call)
{
    if (held->count == HELD_MAX)
        end_oldest(held);
    held->calls[held->count++] = call;
    wire_call_hold(call);
}

/* Reads what came, sends some of it back; ends by an error when it would have to wait. */
static Status echo(void *self, Ctx *ctx, WireCall *call)
{
    Held *held = self;
    if (held && (held->holds = !held->holds))
        hold(held, call);
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
    Held held = { 0 };
    bool is_turned = size && data[0] & TURNED;
    const WireConfig config = {
        .handle = echo, .http = &http, .turned = is_turned, .self = is_turned ? &held : NULL
    };
    Calls calls;
    calls_init(&calls, &config, -1, false);
    Conn *conn = conn_new(&calls, "fuzz");
    /* The first byte says in which pieces the rest comes. */
    size_t piece = size ? 1 + (data[0] & (TURNED - 1u)) * 8u : 1;
    bool open = true;
    for (size_t at = 1; at < size && open; at += piece) {
        conn_feed(conn, bytes(data + at, MIN(piece, size - at)));
        open = turn(&calls, conn);
    }
    if (held.count)
        end_oldest(&held);
    turn(&calls, conn);
    conn_free(conn);
    while (held.count)
        end_oldest(&held);
    serve_posted(&calls);
    PROP(calls.running == 0);
    calls_done(&calls);
    return 0;
}
