/* h1.c - HTTP/1.1 on a connection of the server: one request at a time. See conn_priv.h.
 *
 *   HEAD -> BODY -> ANSWER -> HEAD (kept alive) or OVER
 *
 * A handler starts when the head is whole, and may answer while the body still comes. Bytes that
 * come after a body (a request sent ahead) wait until it is answered; reading pauses meanwhile, and
 * while a handler is behind.
 */
#include "wire/conn_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "wire/http1_priv.h"

/* A body that is not read holds at most about this much, and one read of the socket. */
#define BODY_UNREAD_BYTES_MAX (1 * MiB)
#define HEAD_BYTES_MAX        (WIRE_HTTP_TARGET_BYTES_MAX + WIRE_HTTP_HEADER_BYTES_MAX)
/* How long a client may take: to send a head whole or begin one, and to send more of a body. */
#define HEAD_PATIENCE_NS (75 * NS_PER_SEC)
#define BODY_PATIENCE_NS (120 * NS_PER_SEC)

typedef enum H1State { H1_HEAD, H1_BODY, H1_ANSWER, H1_OVER } H1State;

struct H1 {
    H1State state;
    Buf head;  /* of the request that comes */
    Buf ahead; /* bytes after the request that is being answered */
    Http1Body body;
    WireCall *call; /* being answered; NULL between requests */
    size_t unread;  /* bytes of its body that its handler did not take */
    bool keep_alive;
    bool head_sent; /* of the answer */
    bool chunked;   /* the answer's body */
};

static void add_text(Conn *conn, const char *text)
{
    out_chain_copy(&conn->link.out, str_bytes(str(text)));
}

/* Says why, and takes nothing more. */
static void reject(Conn *conn, Http1Error error)
{
    char text[256];
    snprintf(text, sizeof(text),
             "HTTP/1.1 %d %s\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %zu\r\n"
             "connection: close\r\n\r\n%s\n",
             error.status, http1_reason(error.status), strlen(error.message) + 1, error.message);
    add_text(conn, text);
    conn->h1->state = H1_OVER;
    conn->linger = true;
}

/* --- requests -------------------------------------------------------------------------------- */

static WireCall *begin_call(Conn *conn, const Http1Head *head)
{
    WireCall *call = call_new(conn->calls, conn, conn->peer);
    Arena *arena = call->ctx.arena;
    call->kind = CALL_HTTP;
    call->method = arena_strdup(arena, head->method);
    call->path = arena_strdup(arena, head->target);
    call->authority = arena_strdup(arena, head->host);
    for (const Field *f = head->headers.head; f; f = f->next)
        fields_add(arena, &call->headers, str(f->name), str(f->value));
    call->body_size = head->body == BODY_CHUNKED ? -1 : head->body_size;
    call->expects = head->expects && head->body != BODY_NONE;
    call->ready = true;
    conn_add_stream(conn, call);
    return call;
}

static void start_call(H1 *h1, WireCall *call)
{
    Status s = call_start(call);
    if (status_ok(s))
        return;
    http_refuse(call, FAIL(&call->ctx, UNAVAILABLE, "too many calls are running, try again later"));
    call->ended = true;
    h1->keep_alive = false;
}

static void end_body(H1 *h1)
{
    call_end_input(h1->call);
    h1->state = H1_ANSWER;
}

static void begin_request(Conn *conn, size_t head_size)
{
    H1 *h1 = conn->h1;
    Http1Head head;
    CLEANUP(arena_freep) Arena *arena = arena_new(0);
    Http1Error error =
        http1_parse_head(arena, (Str){ (const char *)h1->head.data, head_size }, &head);
    buf_clear(&h1->head);
    if (error.status) {
        reject(conn, error);
        return;
    }
    h1->call = begin_call(conn, &head);
    h1->keep_alive = !head.close;
    h1->head_sent = false;
    http1_body_begin(&h1->body, &head);
    h1->state = H1_BODY;
    if (h1->body.over)
        end_body(h1);
    start_call(h1, h1->call);
}

/* An empty line before a request is allowed, and sent by some. */
static Bytes skip_empty_lines(const H1 *h1, Bytes data)
{
    while (!h1->head.size && data.size && (data.data[0] == '\r' || data.data[0] == '\n'))
        data = (Bytes){ data.data + 1, data.size - 1 };
    return data;
}

static Bytes take_head(Conn *conn, Bytes data)
{
    H1 *h1 = conn->h1;
    data = skip_empty_lines(h1, data);
    size_t before = h1->head.size;
    buf_add_bytes(&h1->head, data);
    size_t size = http1_head_end(buf_str(&h1->head), before);
    if ((size ? size : h1->head.size) > HEAD_BYTES_MAX) {
        reject(conn, (Http1Error){ 431, "request headers are too large" });
        return (Bytes){ 0 };
    }
    if (!size)
        return (Bytes){ 0 };
    conn->progress = true;
    begin_request(conn, size);
    size_t used = size - before;
    return (Bytes){ data.data + used, data.size - used };
}

static Bytes take_body(Conn *conn, Bytes data)
{
    H1 *h1 = conn->h1;
    Bytes run;
    conn->progress = true;
    if (!http1_body_next(&h1->body, &data, &run)) {
        call_fail_input(h1->call, IN_FAULT_BAD_CHUNK);
        h1->state = H1_ANSWER;
        h1->keep_alive = false;
        conn->linger = true;
        return (Bytes){ 0 };
    }
    if (run.size && !h1->call->ended) {
        call_deliver(h1->call, run);
        h1->unread += run.size;
    }
    if (h1->body.over)
        end_body(h1);
    return data;
}

static void pause_reading(Conn *conn)
{
    const H1 *h1 = conn->h1;
    conn->paused =
        h1->ahead.size > 0 || (h1->state == H1_BODY && h1->unread >= BODY_UNREAD_BYTES_MAX);
}

static void settle(Conn *conn)
{
    H1 *h1 = conn->h1;
    if (h1->call)
        h1->unread -= call_settle(h1->call);
    pause_reading(conn);
}

static bool h1_feed(Conn *conn, Bytes data)
{
    H1 *h1 = conn->h1;
    while (data.size && h1->state != H1_OVER) {
        if (h1->state == H1_HEAD) {
            data = take_head(conn, data);
        } else if (h1->state == H1_BODY) {
            data = take_body(conn, data);
        } else {
            buf_add_bytes(&h1->ahead, data);
            data = (Bytes){ 0 };
        }
    }
    settle(conn);
    return true;
}

/* --- answers --------------------------------------------------------------------------------- */

/* Is this an answer that does not wait for the body? A client that was not told to go on may send
 * the body or the next request, and we could not tell which; of any other the rest is not read. An
 * answer that streams may still take the body in as it goes. */
static bool is_early(const H1 *h1)
{
    return h1->call->expects || !h1->chunked;
}

/* A status line, then what http.c made; framing where that did not say the length. */
static void send_head(Conn *conn, H1 *h1)
{
    CLEANUP(buf_done) Buf text = { 0 };
    const char *length = fields_get(&h1->call->answer, "content-length", 0);
    int status = atoi(h1->call->answer.head->value);
    buf_printf(&text, "HTTP/1.1 %d %s\r\n", status, http1_reason(status));
    for (const Field *f = h1->call->answer.head->next; f; f = f->next)
        buf_printf(&text, "%s: %s\r\n", f->name, f->value);
    h1->chunked = !length && !h1->call->no_body;
    if (h1->chunked)
        buf_add_str(&text, STR("transfer-encoding: chunked\r\n"));
    if (conn->shut || (h1->state == H1_BODY && is_early(h1)))
        h1->keep_alive = false;
    if (!h1->keep_alive)
        buf_add_str(&text, STR("connection: close\r\n"));
    buf_add_str(&text, STR("\r\n"));
    out_chain_copy(&conn->link.out, buf_bytes(&text));
    h1->head_sent = true;
}

/* Moves body bytes; false when the chain has no more room. */
static bool send_body(Conn *conn, H1 *h1)
{
    OutStream *out = &h1->call->out;
    char line[24];
    while (!out_chain_full(&conn->link.out)) {
        LOCKED(out->lock);
        size_t size = out_queue_ready(&out->queue);
        if (!size) {
            out->idle = true;
            return true;
        }
        snprintf(line, sizeof(line), "%zx\r\n", size);
        if (h1->chunked)
            add_text(conn, line);
        out_chain_move(&conn->link.out, &out->queue, size);
        if (h1->chunked)
            add_text(conn, "\r\n");
        out_stream_tell_room(out);
    }
    return false;
}

static void forget_call(Conn *conn, H1 *h1)
{
    WireCall *call = h1->call;
    h1->call = NULL;
    h1->unread = 0;
    conn_drop_stream(conn, call);
}

/* The handler has returned and all it wrote is on its way. */
static void finish_answer(Conn *conn, H1 *h1)
{
    bool whole = status_ok(h1->call->result);
    bool body_came = h1->state == H1_ANSWER;
    if (h1->chunked && whole)
        add_text(conn, "0\r\n\r\n");
    forget_call(conn, h1);
    conn->progress = true;
    conn->linger |= !body_came;
    h1->state = whole && body_came && h1->keep_alive && !conn->shut ? H1_HEAD : H1_OVER;
}

static bool is_answered(const H1 *h1)
{
    return h1->call && call_has_answer(h1->call);
}

/* The client waits for a word before it sends the body, and the handler waits for the body. */
static void send_continue(Conn *conn, H1 *h1)
{
    LOCKED(&h1->call->lock);
    if (h1->call->expects && h1->call->receiving && !h1->head_sent) {
        h1->call->expects = false;
        add_text(conn, "HTTP/1.1 100 Continue\r\n\r\n");
    }
}

/* Requests that were sent ahead are read now. */
static void take_ahead(Conn *conn, H1 *h1)
{
    if (h1->state != H1_HEAD || !h1->ahead.size)
        return;
    Buf ahead = h1->ahead;
    h1->ahead = (Buf){ 0 };
    h1_feed(conn, buf_bytes(&ahead));
    buf_done(&ahead);
}

static bool h1_fill(Conn *conn)
{
    H1 *h1 = conn->h1;
    while (h1->call && !out_chain_full(&conn->link.out)) {
        send_continue(conn, h1);
        if (!is_answered(h1))
            break;
        if (!h1->head_sent)
            send_head(conn, h1);
        if (!send_body(conn, h1) || !h1->call->ended)
            break;
        finish_answer(conn, h1);
        take_ahead(conn, h1);
        pause_reading(conn);
    }
    return true;
}

static void h1_serve(Conn *conn, WireCall *call)
{
    (void)call;
    settle(conn);
}

static bool h1_finished(const Conn *conn)
{
    return conn->h1->state == H1_OVER && !conn->h1->call;
}

static void h1_shut(Conn *conn, bool last)
{
    if (last && conn->h1->state == H1_HEAD)
        conn->h1->state = H1_OVER;
}

static int64_t h1_patience_ns(const Conn *conn)
{
    const H1 *h1 = conn->h1;
    if (h1->state == H1_HEAD)
        return HEAD_PATIENCE_NS;
    return h1->state == H1_BODY && !conn->paused ? BODY_PATIENCE_NS : INT64_MAX;
}

static void h1_done(Conn *conn)
{
    buf_done(&conn->h1->head);
    buf_done(&conn->h1->ahead);
    free(conn->h1);
    conn->h1 = NULL;
}

static const ConnOps h1_ops = {
    .feed = h1_feed,
    .serve = h1_serve,
    .fill = h1_fill,
    .finished = h1_finished,
    .shut = h1_shut,
    .patience_ns = h1_patience_ns,
    .done = h1_done,
};

void h1_begin(Conn *conn)
{
    conn->ops = &h1_ops;
    conn->h1 = calloc(1, sizeof(*conn->h1));
    if (!conn->h1)
        abort();
    conn->progress = true;
}
