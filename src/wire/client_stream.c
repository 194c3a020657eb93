/* client_stream.c - one call of the client. See client_priv.h. */
#include "wire/client_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"

/* Queued bytes worth a system call: many small messages go out as one. */
#define WRITE_BATCH_BYTES (64 * KiB)
#define COPY_BYTES_MAX    OUT_BLOCK_BYTES_MAX
#define WINDOW_GIVE_BYTES (CLIENT_STREAM_WINDOW_BYTES / 8)
#define USER_AGENT        "procavia/" PCV_VERSION

/* --- what comes in --------------------------------------------------------------------------- */

WireStream *client_stream(WireClient *client, int32_t id)
{
    for (WireStream *stream = client->streams; stream; stream = stream->next) {
        if (stream->id == id)
            return stream;
    }
    return NULL;
}

void stream_header(WireStream *stream, Str name, Str value)
{
    int64_t status;
    if (stream->trailers.size + name.size + value.size > 64 * KiB)
        return;
    if (str_eq_c(name, ":status") && str_to_i64(value, &status))
        stream->http_status = (int)MIN(MAX(status, 0), 999);
    else if (str_starts(name, STR("grpc-")))
        fields_add(stream->ctx.arena, &stream->trailers, name, value);
    if (str_eq_c(name, "grpc-encoding"))
        stream->reader.gzip = str_eq_c(value, "gzip");
}

void stream_data(WireStream *stream, Bytes data)
{
    stream->received += data.size;
    if (!stream->abandoned)
        message_reader_feed(&stream->reader, data, &stream->in);
}

void stream_free(WireStream *stream)
{
    if (stream->prev)
        stream->prev->next = stream->next;
    else
        stream->client->streams = stream->next;
    if (stream->next)
        stream->next->prev = stream->prev;
    in_queue_done(&stream->in);
    in_block_free(stream->current);
    message_reader_done(&stream->reader);
    out_queue_done(&stream->out.queue);
    ctx_done(&stream->ctx);
    free(stream);
}

void stream_closed(WireStream *stream, uint32_t error)
{
    if (stream->abandoned) {
        stream_free(stream);
    } else if (!stream->closed) {
        stream->closed = true;
        stream->error = error;
        message_reader_end(&stream->reader);
    }
}

/* --- open and close -------------------------------------------------------------------------- */

static void add_head(Ctx *ctx, const WireClient *client, const char *path, Fields *head)
{
    char timeout[GRPC_TIMEOUT_SIZE];
    fields_add(ctx->arena, head, STR(":method"), STR("POST"));
    fields_add(ctx->arena, head, STR(":scheme"), STR("http"));
    fields_add(ctx->arena, head, STR(":path"), str(path));
    fields_add(ctx->arena, head, STR(":authority"), str(client->authority));
    fields_add(ctx->arena, head, STR("content-type"), STR("application/grpc"));
    fields_add(ctx->arena, head, STR("te"), STR("trailers"));
    fields_add(ctx->arena, head, STR("user-agent"), STR(USER_AGENT));
    fields_add(ctx->arena, head, STR("grpc-accept-encoding"), STR("identity,gzip"));
    if (ctx->deadline_ns != DEADLINE_NONE) {
        grpc_timeout_format(ctx->deadline_ns - clock_mono_ns(), timeout);
        fields_add(ctx->arena, head, STR("grpc-timeout"), str(timeout));
    }
    for (const Field *f = client->metadata.head; f; f = f->next)
        fields_add(ctx->arena, head, str(f->name), str(f->value));
}

static WireStream *stream_new(WireClient *client)
{
    WireStream *stream = calloc(1, sizeof(*stream));
    if (!stream)
        abort();
    stream->client = client;
    ctx_init(&stream->ctx);
    stream->out = (OutStream){ .lock = &client->lock };
    stream->write_at = WRITE_BATCH_BYTES;
    stream->next = client->streams;
    if (client->streams)
        client->streams->prev = stream;
    client->streams = stream;
    return stream;
}

Status wire_stream_open(Ctx *ctx, WireClient *client, const char *path, WireStream **out)
{
    if (client->lost)
        return client_lost(ctx, client);
    if (!nghttp2_session_check_request_allowed(client->link.session))
        return FAIL(ctx, UNAVAILABLE, "the server at '%s' takes no more calls on this connection",
                    client->address);
    Fields head = { 0 };
    size_t count;
    add_head(ctx, client, path, &head);
    nghttp2_nv *nvs = link_nvs(ctx->arena, &head, &count);
    WireStream *stream = stream_new(client);
    nghttp2_data_provider provider = link_provider(&stream->out);
    stream->id = nghttp2_submit_request(client->link.session, NULL, nvs, count, &provider, NULL);
    if (stream->id < 0) {
        Status s =
            FAIL(ctx, UNAVAILABLE, "could not call %s: %s", path, nghttp2_strerror(stream->id));
        stream_free(stream);
        return s;
    }
    *out = stream;
    return OK;
}

WireStream *wire_stream_close(WireStream *stream)
{
    if (!stream)
        return NULL;
    WireClient *client = stream->client;
    if (stream->closed || client->lost) {
        stream_free(stream);
        return NULL;
    }
    stream->abandoned = true; /* until nghttp2 has sent the reset, it may look at the stream */
    nghttp2_submit_rst_stream(client->link.session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    (void)!status_ok(client_write(&ctx, client)); /* who uses the client next hears of a loss */
    return NULL;
}

/* --- sending --------------------------------------------------------------------------------- */

static Status final_status(Ctx *ctx, const WireStream *stream);

/* The server ended the call: nobody reads what we would send. */
static Status send_after_end(Ctx *ctx, const WireStream *stream)
{
    TRY(final_status(ctx, stream));
    return FAIL(ctx, ABORTED, "the server ended the call before all was sent");
}

static void resume(WireStream *stream)
{
    if (stream->out.idle) {
        stream->out.idle = false;
        nghttp2_session_resume_data(stream->client->link.session, stream->id);
    }
}

/* Blocks while the queue is over the limit. */
static Status wait_for_room(Ctx *ctx, WireStream *stream)
{
    OutQueue *queue = &stream->out.queue;
    if (queue->size >= WIRE_CLIENT_BUFFER)
        TRY(client_write(ctx, stream->client));
    while (queue->size >= WIRE_CLIENT_BUFFER && !stream->closed)
        TRY(client_turn(ctx, stream->client, true));
    return stream->closed ? send_after_end(ctx, stream) : OK;
}

/* Adds to the queue, and writes when enough is there. */
static Status add_bytes(Ctx *ctx, WireStream *stream, Bytes data)
{
    OutQueue *queue = &stream->out.queue;
    out_queue_add(queue, data);
    resume(stream);
    if (queue->size < stream->write_at)
        return OK;
    TRY(client_write(ctx, stream->client));
    stream->write_at = queue->size + WRITE_BATCH_BYTES;
    return OK;
}

/* Once a message is begun nothing but a lost connection stops it: the stream never holds half of
 * one. */
Status wire_stream_send(Ctx *ctx, WireStream *stream, Bytes message)
{
    if (message.size > WIRE_MESSAGE_BYTES_MAX)
        return FAIL(ctx, RESOURCE_EXHAUSTED, "trying to send message larger than max (%zu vs. %zu)",
                    message.size, WIRE_MESSAGE_BYTES_MAX);
    assert(!stream->out.ended);
    TRY(wait_for_room(ctx, stream));
    uint8_t head[MESSAGE_HEAD_BYTES];
    message_head(head, message.size);
    TRY(add_bytes(ctx, stream, bytes(head, sizeof(head))));
    for (size_t at = 0; at < message.size; at += COPY_BYTES_MAX)
        TRY(add_bytes(ctx, stream,
                      bytes(message.data + at, MIN(message.size - at, COPY_BYTES_MAX))));
    return OK;
}

Status wire_stream_flush(Ctx *ctx, WireStream *stream)
{
    TRY(client_turn(ctx, stream->client, false));
    while ((stream->out.queue.size || stream->client->link.out.size) && !stream->closed)
        TRY(client_turn(ctx, stream->client, true));
    stream->write_at = WRITE_BATCH_BYTES;
    return OK;
}

Status wire_stream_close_send(Ctx *ctx, WireStream *stream)
{
    stream->out.ended = true;
    resume(stream);
    return wire_stream_flush(ctx, stream);
}

/* --- receiving ------------------------------------------------------------------------------- */

static Status status_of_reset(Ctx *ctx, const WireStream *stream)
{
    static const struct {
        uint32_t error;
        StatusCode code;
    } codes[] = {
        { NGHTTP2_REFUSED_STREAM, STATUS_UNAVAILABLE },
        { NGHTTP2_CANCEL, STATUS_CANCELLED },
        { NGHTTP2_ENHANCE_YOUR_CALM, STATUS_RESOURCE_EXHAUSTED },
        { NGHTTP2_INADEQUATE_SECURITY, STATUS_PERMISSION_DENIED },
    };
    StatusCode code = STATUS_INTERNAL;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (codes[i].error == stream->error)
            code = codes[i].code;
    }
    return status_new(ctx, code, "the server reset the call (%s)",
                      nghttp2_http2_strerror(stream->error));
}

static Status final_status(Ctx *ctx, const WireStream *stream)
{
    if (fields_get(&stream->trailers, "grpc-status", 0) ||
        (stream->error == NGHTTP2_NO_ERROR && stream->http_status))
        return grpc_trailers_status(ctx, &stream->trailers, stream->http_status);
    return stream->client->lost ? client_lost(ctx, stream->client) : status_of_reset(ctx, stream);
}

static void give_window(WireStream *stream, uint64_t until)
{
    if (until <= stream->given || stream->closed)
        return;
    nghttp2_session_consume_stream(stream->client->link.session, stream->id,
                                   (size_t)(until - stream->given));
    stream->given = until;
}

static void next_block(WireStream *stream)
{
    stream->current = in_queue_pop(&stream->in);
    if (stream->current)
        stream->taken += stream->current->credit;
    if (stream->taken >= stream->given + WINDOW_GIVE_BYTES)
        give_window(stream, stream->taken);
}

static void retire_block(WireStream *stream)
{
    if (stream->current->kind == IN_MESSAGE)
        buf_keep_larger(&stream->reader.spare, &stream->current->bytes);
    stream->current = in_block_free(stream->current);
}

/* Opens the window for the rest of a message, which may not fit into it, and does a turn. A loss of
 * the connection is told as the end of the stream. */
static Status turn(Ctx *ctx, WireStream *stream, bool block)
{
    give_window(stream, stream->received);
    Status s = client_write(ctx, stream->client);
    if (status_ok(s))
        s = client_turn(ctx, stream->client, block);
    return stream->closed ? OK : s;
}

/* What is already here: a message (*out_ready), the end (*out_end), or neither. */
static Status take(Ctx *ctx, WireStream *stream, Buf *buf, bool *out_ready, bool *out_end)
{
    if (!stream->current)
        next_block(stream);
    *out_ready = stream->current;
    if (stream->current) {
        bool empty;
        Status s = in_block_take(ctx, stream->current, buf, &empty);
        if (empty)
            retire_block(stream);
        return s;
    }
    buf_clear(buf);
    *out_end = stream->closed;
    if (stream->closed)
        TRY(final_status(ctx, stream)); /* says more than that a message was cut short */
    return message_fault_status(ctx, stream->reader.fault, stream->reader.size);
}

Status wire_stream_recv(Ctx *ctx, WireStream *stream, Buf *buf, bool *out_end)
{
    bool ready = false;
    *out_end = false;
    TRY(take(ctx, stream, buf, &ready, out_end));
    while (!ready && !*out_end) {
        TRY(turn(ctx, stream, true));
        TRY(take(ctx, stream, buf, &ready, out_end));
    }
    return OK;
}

Status wire_stream_poll(Ctx *ctx, WireStream *stream, Buf *buf, bool *out_ready, bool *out_end)
{
    *out_end = false;
    Status s = take(ctx, stream, buf, out_ready, out_end);
    if (status_ok(s) && !*out_ready && !*out_end) {
        TRY(turn(ctx, stream, false));
        s = take(ctx, stream, buf, out_ready, out_end);
    }
    *out_ready |= *out_end;
    return s;
}

Status wire_call_unary(Ctx *ctx, WireClient *client, const char *path, Bytes request, Buf *response)
{
    CLEANUP(wire_stream_closep) WireStream *stream = NULL;
    CLEANUP(buf_done) Buf more = { 0 };
    bool end;
    TRY(wire_stream_open(ctx, client, path, &stream));
    Status sent = wire_stream_send(ctx, stream, request);
    if (status_ok(sent))
        sent = wire_stream_close_send(ctx, stream);
    if (!status_ok(sent) && !stream->closed)
        return sent; /* if it is closed, what the server said counts */
    TRY(wire_stream_recv(ctx, stream, response, &end));
    if (end)
        return FAIL(ctx, INTERNAL, "the server sent no response to %s", path);
    TRY(wire_stream_recv(ctx, stream, &more, &end));
    return end ? OK : FAIL(ctx, INTERNAL, "the server sent more than one response to %s", path);
}
