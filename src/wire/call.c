/* call.c - one RPC between the network thread and its handler's thread. */
#include "wire/wire_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"

WireCall *call_new(Conn *conn, int32_t stream_id)
{
    WireCall *call = calloc(1, sizeof(*call));
    if (!call)
        abort();
    call->server = conn->server;
    call->conn = conn;
    call->stream_id = stream_id;
    call->deadline_ns = DEADLINE_NONE;
    call->arena = arena_new(1 * MiB);
    call->path = arena_strdup(call->arena, "");
    call->headers_end = &call->headers;
    call->trailers_end = &call->trailers;
    call->cancel = cancel_new();
    snprintf(call->peer, sizeof(call->peer), "%s", conn->peer);
    pthread_mutex_init(&call->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&call->moved, &attr);
    pthread_condattr_destroy(&attr);
    atomic_store(&call->refs, 1);
    return call;
}

void call_unref(WireCall *call)
{
    if (atomic_fetch_sub(&call->refs, 1) != 1)
        return;
    buf_done(&call->in);
    buf_done(&call->out);
    cancel_unref(call->cancel);
    arena_free(call->arena);
    pthread_cond_destroy(&call->moved);
    pthread_mutex_destroy(&call->lock);
    free(call);
}

static void add_header(Arena *arena, Header ***end, const char *name, size_t name_size, const char *value,
                       size_t value_size)
{
    Header *header = ARENA_ONE(arena, Header);
    header->name = arena_strndup(arena, name, name_size);
    header->value = arena_strndup(arena, value, value_size);
    **end = header;
    *end = &header->next;
}

void call_add_header(WireCall *call, const char *name, size_t name_size, const char *value, size_t value_size)
{
    add_header(call->arena, &call->headers_end, name, name_size, value, value_size);
}

static const char *find_header(const WireCall *call, const char *name, size_t nth)
{
    for (const Header *header = call->headers; header; header = header->next) {
        if (strcmp(header->name, name) == 0 && nth-- == 0)
            return header->value;
    }
    return NULL;
}

const char *wire_call_path(const WireCall *call)
{
    return call->path;
}

const char *wire_call_peer(const WireCall *call)
{
    return call->peer;
}

const char *wire_call_metadata(const WireCall *call, const char *key, size_t nth)
{
    const char *value = find_header(call, key, nth);
    if (!value || !str_ends(str(key), STR("-bin")))
        return value;
    Bytes plain;
    return grpc_from_base64(call->arena, str(value), &plain) ? str_z(call->arena, bytes_str(plain)) : NULL;
}

/* --- the handler's thread ------------------------------------------------------------------------------------------ */

static void set_trailer(WireCall *call, const char *key, const char *value)
{
    add_header(call->arena, &call->trailers_end, key, strlen(key), value, strlen(value));
}

void wire_set_trailer(WireCall *call, const char *key, const char *value)
{
    LOCKED(&call->lock);
    set_trailer(call, key, value);
}

static void finish_call(WireCall *call, Status s)
{
    {
        LOCKED(&call->lock);
        snprintf(call->status_text, sizeof(call->status_text), "%d", (int)s.code);
        set_trailer(call, "grpc-status", call->status_text);
        if (!status_ok(s))
            set_trailer(call, "grpc-message", grpc_percent_encode(call->arena, str(status_message(s))));
        Bytes details = grpc_pack_details(call->arena, s);
        if (details.size)
            set_trailer(call, "grpc-status-details-bin", grpc_base64(call->arena, details));
        call->out_end = true;
        call->discarding = true;
        call->consumed += call->in.size - call->in_at;
        buf_done(&call->in);
        call->in_at = 0;
    }
    call_attend(call);
}

static Status check_request(Ctx *ctx, const WireCall *call)
{
    if (call->bad_encoding)
        return FAIL(ctx, UNIMPLEMENTED, "grpc: Decompressor is not installed for grpc-encoding \"%s\"",
                    find_header(call, "grpc-encoding", 0));
    return OK;
}

static void run_call(void *arg)
{
    WireCall *call = arg;
    WireServer *server = call->server;
    Ctx ctx;
    ctx_init(&ctx);
    ctx.deadline_ns = call->deadline_ns;
    ctx.cancel = call->cancel;
    Status s = check_request(&ctx, call);
    if (status_ok(s))
        s = server->config.handle(server->config.self, &ctx, call);
    finish_call(call, s);
    ctx_done(&ctx);
    call_unref(call);
    server_call_ended(server);
}

static void understand_headers(WireCall *call)
{
    const char *path = find_header(call, ":path", 0), *type = find_header(call, "content-type", 0);
    const char *timeout = find_header(call, "grpc-timeout", 0), *encoding = find_header(call, "grpc-encoding", 0);
    call->path = arena_strdup(call->arena, path ? path : "");
    call->is_grpc = type && str_starts(str(type), STR("application/grpc"));
    call->is_gzip = encoding && strcmp(encoding, "gzip") == 0;
    call->bad_encoding = encoding && !call->is_gzip && strcmp(encoding, "identity") != 0;
    int64_t timeout_ns;
    if (timeout && grpc_parse_timeout(str(timeout), &timeout_ns) &&
        __builtin_add_overflow(clock_mono_ns(), timeout_ns, &call->deadline_ns))
        call->deadline_ns = DEADLINE_NONE;
}

bool call_start(WireCall *call)
{
    understand_headers(call);
    call->started = true;
    atomic_fetch_add(&call->refs, 1);
    server_call_began(call->server);
    if (status_ok(pool_run(call->server->pool, run_call, call)))
        return true;
    call_unref(call);
    server_call_ended(call->server);
    return false;
}

/* Waits for the call to move on; the lock is held. Errors: CANCELLED, DEADLINE_EXCEEDED. */
static Status wait_for_move(Ctx *ctx, WireCall *call)
{
    if (call->ended || cancel_is_set(ctx->cancel))
        return FAIL(ctx, CANCELLED, "context canceled");
    if (ctx->deadline_ns == DEADLINE_NONE) {
        pthread_cond_wait(&call->moved, &call->lock);
        return OK;
    }
    struct timespec until = { ctx->deadline_ns / NS_PER_SEC, ctx->deadline_ns % NS_PER_SEC };
    if (pthread_cond_timedwait(&call->moved, &call->lock, &until) != 0)
        return FAIL(ctx, DEADLINE_EXCEEDED, "context deadline exceeded");
    return OK;
}

/* With the lock held: the size of the next whole message, or SIZE_MAX when more bytes must come. */
static Status next_message_size(Ctx *ctx, const WireCall *call, size_t *out)
{
    size_t have = call->in.size - call->in_at;
    *out = SIZE_MAX;
    if (have < GRPC_PREFIX_SIZE)
        return OK;
    size_t size = load_be32(call->in.data + call->in_at + 1);
    if (size > WIRE_MESSAGE_BYTES_MAX)
        return FAIL(ctx, RESOURCE_EXHAUSTED, "grpc: received message larger than max (%zu vs. %zu)", size,
                    WIRE_MESSAGE_BYTES_MAX);
    if (have - GRPC_PREFIX_SIZE >= size)
        *out = size;
    return OK;
}

static void drop_read(WireCall *call, size_t size)
{
    call->in_at += size;
    call->consumed += size;
    if (call->in_at == call->in.size) {
        buf_clear(&call->in);
        call->in_at = 0;
    }
}

/* A reader that must wait for the rest of a message larger than the window gives the window back as it goes. */
static bool should_report(const WireCall *call, bool waiting)
{
    return call->consumed >= CONSUME_STEP_BYTES || (waiting && call->consumed);
}

/* The window counts bytes that wait here, so a message larger than it could never arrive whole: bytes of the message
 * that is being gathered are reported as consumed while its reader waits. */
static void report_gathered(WireCall *call, size_t *reported)
{
    size_t waiting = call->in.size - call->in_at;
    if (waiting > *reported) {
        call->consumed += waiting - *reported;
        *reported = waiting;
    }
}

static Status take_message(Ctx *ctx, WireCall *call, Buf *buf, bool *out_end, bool *out_gzip)
{
    size_t gathered = 0; /* of the next message, already reported */
    LOCKED(&call->lock);
    for (;;) {
        size_t size;
        TRY(next_message_size(ctx, call, &size));
        if (size != SIZE_MAX) {
            const uint8_t *frame = call->in.data + call->in_at;
            *out_gzip = frame[0] & 1;
            buf_add(buf, frame + GRPC_PREFIX_SIZE, size);
            drop_read(call, GRPC_PREFIX_SIZE + size);
            call->consumed -= MIN(gathered, GRPC_PREFIX_SIZE + size);
            return OK;
        }
        if (call->in_end && !call->ended) {
            *out_end = true;
            return call->in.size == call->in_at ? OK : FAIL(ctx, INTERNAL, "grpc: the last message is cut short");
        }
        report_gathered(call, &gathered);
        if (should_report(call, true)) {
            pthread_mutex_unlock(&call->lock);
            call_attend(call);
            pthread_mutex_lock(&call->lock);
            size_t have = call->in.size - call->in_at;
            if (have > gathered || call->in_end || call->ended)
                continue;
        }
        TRY(wait_for_move(ctx, call));
    }
}

Status wire_recv(Ctx *ctx, WireCall *call, Buf *buf, bool *out_end)
{
    bool is_packed = false;
    *out_end = false;
    buf_clear(buf);
    TRY(take_message(ctx, call, buf, out_end, &is_packed));
    bool report;
    {
        LOCKED(&call->lock);
        report = should_report(call, false);
    }
    if (report)
        call_attend(call);
    if (!is_packed)
        return OK;
    if (!call->is_gzip)
        return FAIL(ctx, INTERNAL, "grpc: compressed flag set with identity or empty encoding");
    Buf plain = { 0 };
    Status s = grpc_gunzip(ctx, buf_bytes(buf), WIRE_MESSAGE_BYTES_MAX, &plain);
    buf_done(buf);
    *buf = plain;
    return s;
}

Status wire_send(Ctx *ctx, WireCall *call, Bytes message)
{
    if (message.size > WIRE_MESSAGE_BYTES_MAX)
        return FAIL(ctx, RESOURCE_EXHAUSTED, "grpc: trying to send message larger than max (%zu vs. %zu)", message.size,
                    WIRE_MESSAGE_BYTES_MAX);
    {
        LOCKED(&call->lock);
        while (call->out.size - call->out_at > SEND_HIGH_WATER_BYTES && !call->ended)
            TRY(wait_for_move(ctx, call));
        if (call->ended)
            return FAIL(ctx, CANCELLED, "context canceled");
        grpc_add_frame(&call->out, message);
    }
    call_attend(call);
    return OK;
}

/* --- the network thread ----------------------------------------------------------------------------------------------- */

size_t call_take(WireCall *call, const uint8_t *data, size_t size)
{
    LOCKED(&call->lock);
    if (call->discarding)
        return size;
    if (call->in_at > call->in.size / 2) {
        buf_drop_front(&call->in, call->in_at);
        call->in_at = 0;
    }
    buf_add(&call->in, data, size);
    pthread_cond_broadcast(&call->moved);
    return 0;
}

void call_end_input(WireCall *call)
{
    LOCKED(&call->lock);
    call->in_end = true;
    pthread_cond_broadcast(&call->moved);
}

void call_stream_gone(WireCall *call)
{
    bool unfinished;
    {
        LOCKED(&call->lock);
        call->ended = true;
        unfinished = !call->out_end;
        pthread_cond_broadcast(&call->moved);
    }
    if (unfinished)
        cancel_set(call->cancel);
    call->conn = NULL;
    call_unref(call);
}
