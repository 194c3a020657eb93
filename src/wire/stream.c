/* stream.c - calls of a client: messages out, messages in, the final status. */
#include "wire/client_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"

/* --- opening ------------------------------------------------------------------------------------------------------------ */

static nghttp2_nv pair(const char *name, const char *value)
{
    union {
        const char *text;
        uint8_t *bytes; /* nghttp2 only reads them */
    } n = { .text = name }, v = { .text = value };
    return (nghttp2_nv){ n.bytes, v.bytes, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE };
}

static ssize_t read_request(nghttp2_session *session, int32_t id, uint8_t *to, size_t size, uint32_t *flags,
                            nghttp2_data_source *source, void *arg)
{
    (void)session;
    (void)id;
    (void)arg;
    WireStream *stream = source->ptr;
    size_t n = MIN(stream->out.size - stream->out_at, size);
    if (!n && !stream->out_end) {
        stream->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (n)
        memcpy(to, stream->out.data + stream->out_at, n);
    stream->out_at += n;
    if (stream->out_at == stream->out.size) {
        buf_clear(&stream->out);
        stream->out_at = 0;
        if (stream->out_end)
            *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)n;
}

#define HEADERS_MAX 24

static size_t request_headers(Ctx *ctx, const WireClient *client, const char *path, nghttp2_nv *out)
{
    size_t n = 0;
    out[n++] = pair(":method", "POST");
    out[n++] = pair(":scheme", "http");
    out[n++] = pair(":path", path);
    out[n++] = pair(":authority", client->authority);
    out[n++] = pair("te", "trailers");
    out[n++] = pair("content-type", "application/grpc");
    out[n++] = pair("user-agent", "procavia/" PCV_VERSION);
    if (ctx->deadline_ns != DEADLINE_NONE) {
        int64_t left_ms = MAX((ctx->deadline_ns - clock_mono_ns()) / NS_PER_MS, INT64_C(1));
        out[n++] = pair("grpc-timeout", text_printf(ctx->arena, "%lldm", (long long)MIN(left_ms, INT64_C(99999999))));
    }
    for (const ClientHeader *header = client->metadata; header && n < HEADERS_MAX; header = header->next)
        out[n++] = pair(header->name, header->value);
    return n;
}

Status wire_stream_open(Ctx *ctx, WireClient *client, const char *path, WireStream **out)
{
    if (client->lost)
        return FAIL(ctx, UNAVAILABLE, "%s", client->reason);
    CLEANUP(wire_stream_closep) WireStream *stream = calloc(1, sizeof(*stream));
    if (!stream)
        return STATUS(RESOURCE_EXHAUSTED);
    stream->client = client;
    stream->status = -1;
    stream->next = client->streams;
    client->streams = stream;
    nghttp2_nv headers[HEADERS_MAX];
    size_t n = request_headers(ctx, client, path, headers);
    const nghttp2_data_provider body = { .source = { .ptr = stream }, .read_callback = read_request };
    stream->id = nghttp2_submit_request(client->session, NULL, headers, n, &body, stream);
    if (stream->id < 0)
        return FAIL(ctx, UNAVAILABLE, "could not open a call: %s", nghttp2_strerror(stream->id));
    *out = STEAL(stream);
    return OK;
}

WireStream *wire_stream_close(WireStream *stream)
{
    if (!stream)
        return NULL;
    WireClient *client = stream->client;
    for (WireStream **at = &client->streams; *at; at = &(*at)->next) {
        if (*at == stream) {
            *at = stream->next;
            break;
        }
    }
    if (stream->id > 0 && !stream->in_end && !client->lost) {
        nghttp2_session_set_stream_user_data(client->session, stream->id, NULL);
        nghttp2_submit_rst_stream(client->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
        CLEANUP(ctx_done) Ctx ctx;
        ctx_init(&ctx);
        Status ignored = client_pump(&ctx, client, false);
        (void)ignored;
    } else if (stream->id > 0 && !client->lost) {
        nghttp2_session_set_stream_user_data(client->session, stream->id, NULL);
    }
    buf_done(&stream->in);
    buf_done(&stream->out);
    buf_done(&stream->message);
    buf_done(&stream->details);
    free(stream);
    return NULL;
}

/* --- sending --------------------------------------------------------------------------------------------------------------- */

static void resume(WireStream *stream)
{
    if (stream->deferred) {
        stream->deferred = false;
        nghttp2_session_resume_data(stream->client->session, stream->id);
    }
}

Status wire_stream_send(Ctx *ctx, WireStream *stream, Bytes message)
{
    if (message.size > WIRE_MESSAGE_BYTES_MAX)
        return FAIL(ctx, RESOURCE_EXHAUSTED, "message of %zu bytes is larger than %zu", message.size,
                    WIRE_MESSAGE_BYTES_MAX);
    if (stream->in_end) /* the server has its answer already: what it is comes from recv */
        return OK;
    grpc_add_frame(&stream->out, message);
    resume(stream);
    while (stream->out.size - stream->out_at > WIRE_CLIENT_BUFFER && !stream->in_end) {
        bool wait = false;
        size_t before = stream->out.size - stream->out_at;
        TRY(client_pump(ctx, stream->client, wait));
        if (stream->out.size - stream->out_at >= before && stream->out.size - stream->out_at > WIRE_CLIENT_BUFFER)
            TRY(client_pump(ctx, stream->client, true));
    }
    return OK;
}

Status wire_stream_flush(Ctx *ctx, WireStream *stream)
{
    WireClient *client = stream->client;
    TRY(client_pump(ctx, client, false));
    while (!stream->in_end && (stream->out.size > stream->out_at || client->out.size > client->out_at))
        TRY(client_pump(ctx, client, true));
    return OK;
}

Status wire_stream_close_send(Ctx *ctx, WireStream *stream)
{
    stream->out_end = true;
    resume(stream);
    return wire_stream_flush(ctx, stream);
}

/* --- receiving --------------------------------------------------------------------------------------------------------------- */

static Status final_status(Ctx *ctx, const WireStream *stream)
{
    if (stream->status >= 0) {
        char *message = grpc_percent_decode(ctx->arena, buf_str(&stream->message));
        Bytes details = { 0 };
        if (stream->details.size)
            grpc_from_base64(ctx->arena, buf_str(&stream->details), &details);
        return grpc_unpack_status(ctx, stream->status, str(message), details);
    }
    if (stream->client->lost)
        return FAIL(ctx, UNAVAILABLE, "%s", stream->client->reason);
    if (stream->http && stream->http != 200)
        return FAIL(ctx, UNAVAILABLE, "the server answered HTTP status %d", stream->http);
    return FAIL(ctx, UNAVAILABLE, "the server ended the call without a status");
}

/* A whole message from what came; false when there is none yet. */
static Status take_message(Ctx *ctx, WireStream *stream, Buf *buf, bool *out_taken)
{
    size_t have = stream->in.size - stream->in_at;
    *out_taken = false;
    if (have < GRPC_PREFIX_SIZE)
        return OK;
    const uint8_t *frame = stream->in.data + stream->in_at;
    size_t size = load_be32(frame + 1);
    if (size > WIRE_MESSAGE_BYTES_MAX)
        return FAIL(ctx, RESOURCE_EXHAUSTED, "the server sent a message of %zu bytes", size);
    if (have - GRPC_PREFIX_SIZE < size)
        return OK;
    if (frame[0] & 1)
        TRY(grpc_gunzip(ctx, bytes(frame + GRPC_PREFIX_SIZE, size), WIRE_MESSAGE_BYTES_MAX, buf));
    else
        buf_add(buf, frame + GRPC_PREFIX_SIZE, size);
    size_t whole = GRPC_PREFIX_SIZE + size, given_back = MIN(stream->let_in, whole);
    stream->in_at += whole;
    stream->let_in -= given_back;
    if (!stream->client->lost && whole > given_back)
        nghttp2_session_consume(stream->client->session, stream->id, whole - given_back);
    if (stream->in_at == stream->in.size) {
        buf_clear(&stream->in);
        stream->in_at = 0;
    }
    *out_taken = true;
    return OK;
}

Status wire_stream_poll(Ctx *ctx, WireStream *stream, Buf *buf, bool *out_ready, bool *out_end)
{
    buf_clear(buf);
    *out_end = false;
    TRY(take_message(ctx, stream, buf, out_ready));
    if (*out_ready)
        return OK;
    Status pumped = client_pump(ctx, stream->client, false);
    TRY(take_message(ctx, stream, buf, out_ready));
    if (*out_ready || !stream->in_end)
        return *out_ready ? OK : pumped;
    *out_ready = *out_end = true;
    return final_status(ctx, stream);
}

/* A message larger than the window is let in piece by piece: its bytes are consumed as they gather. */
static void let_in(WireStream *stream)
{
    size_t waiting = stream->in.size - stream->in_at;
    if (waiting > stream->let_in && !stream->client->lost) {
        nghttp2_session_consume(stream->client->session, stream->id, waiting - stream->let_in);
        stream->let_in = waiting;
    }
}

Status wire_stream_recv(Ctx *ctx, WireStream *stream, Buf *buf, bool *out_end)
{
    buf_clear(buf);
    *out_end = false;
    for (;;) {
        bool taken;
        TRY(take_message(ctx, stream, buf, &taken));
        if (taken)
            return OK;
        if (stream->in_end) {
            *out_end = true;
            return final_status(ctx, stream);
        }
        if (stream->in.size - stream->in_at > 4 * MiB)
            let_in(stream);
        Status s = client_pump(ctx, stream->client, true);
        if (!status_ok(s) && !stream->in_end)
            return s;
    }
}

Status wire_call_unary(Ctx *ctx, WireClient *client, const char *path, Bytes request, Buf *response)
{
    CLEANUP(wire_stream_closep) WireStream *stream = NULL;
    TRY(wire_stream_open(ctx, client, path, &stream));
    TRY(wire_stream_send(ctx, stream, request));
    TRY(wire_stream_close_send(ctx, stream));
    bool end;
    Buf rest = { 0 };
    Status s = wire_stream_recv(ctx, stream, response, &end);
    if (status_ok(s) && end)
        s = FAIL(ctx, INTERNAL, "the server answered %s without a message", path);
    if (status_ok(s))
        s = wire_stream_recv(ctx, stream, &rest, &end);
    if (status_ok(s) && !end)
        s = FAIL(ctx, INTERNAL, "the server answered %s with more than one message", path);
    buf_done(&rest);
    return s;
}
