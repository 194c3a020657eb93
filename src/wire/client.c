/* client.c - the connection of a client: session callbacks, and the pump that moves bytes. */
#include "wire/client_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "wire/address.h"

#define WINDOW_BYTES ((int32_t)(8 * MiB))
#define WRITE_BYTES (256 * KiB)

static WireStream *stream_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
                     const uint8_t *value, size_t value_size, uint8_t flags, void *arg)
{
    (void)flags;
    (void)arg;
    WireStream *stream = stream_of(session, frame->hd.stream_id);
    if (!stream)
        return 0;
    Str key = { (const char *)name, name_size }, text = { (const char *)value, value_size };
    int64_t number;
    if (str_eq_c(key, "grpc-status") && str_to_i64(text, &number))
        stream->status = (int)number;
    else if (str_eq_c(key, ":status") && str_to_i64(text, &number))
        stream->http = (int)number;
    else if (str_eq_c(key, "grpc-message"))
        buf_add_str(&stream->message, text);
    else if (str_eq_c(key, "grpc-status-details-bin"))
        buf_add_str(&stream->details, text);
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t size,
                         void *arg)
{
    (void)flags;
    (void)arg;
    WireStream *stream = stream_of(session, id);
    if (!stream)
        return nghttp2_session_consume(session, id, size);
    if (stream->in_at > stream->in.size / 2) {
        buf_drop_front(&stream->in, stream->in_at);
        stream->in_at = 0;
    }
    buf_add(&stream->in, data, size);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error_code, void *arg)
{
    (void)error_code;
    (void)arg;
    WireStream *stream = stream_of(session, id);
    if (stream)
        stream->in_end = true;
    return 0;
}

static Status open_session(Ctx *ctx, WireClient *client)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
        abort();
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_option_set_no_auto_window_update(option, 1);
    int error = nghttp2_session_client_new2(&client->session, callbacks, client, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    if (error)
        return FAIL(ctx, INTERNAL, "could not open an HTTP/2 session: %s", nghttp2_strerror(error));
    const nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)WINDOW_BYTES },
        { NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 1 << 20 },
    };
    nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    nghttp2_session_set_local_window_size(client->session, NGHTTP2_FLAG_NONE, 0, WINDOW_BYTES);
    return OK;
}

Status wire_client_open(Ctx *ctx, const char *address, WireClient **out)
{
    CLEANUP(wire_client_closep) WireClient *client = calloc(1, sizeof(*client));
    if (!client)
        return STATUS(RESOURCE_EXHAUSTED);
    client->fd = -1;
    client->read_buf = malloc(CLIENT_READ_BYTES);
    if (!client->read_buf)
        return STATUS(RESOURCE_EXHAUSTED);
    client->authority = strdup(str_starts(str(address), STR("unix:")) ? "localhost" : address);
    TRY(address_connect(ctx, address, &client->fd));
    TRY(open_session(ctx, client));
    *out = STEAL(client);
    return OK;
}

WireClient *wire_client_close(WireClient *client)
{
    if (!client)
        return NULL;
    while (client->streams)
        wire_stream_close(client->streams);
    while (client->metadata) {
        ClientHeader *next = client->metadata->next;
        free(client->metadata->name);
        free(client->metadata->value);
        free(client->metadata);
        client->metadata = next;
    }
    nghttp2_session_del(client->session);
    fd_closep(&client->fd);
    buf_done(&client->out);
    free(client->authority);
    free(client->read_buf);
    free(client);
    return NULL;
}

static void remove_metadata(WireClient *client, const char *key)
{
    for (ClientHeader **at = &client->metadata; *at; at = &(*at)->next) {
        ClientHeader *header = *at;
        if (strcmp(header->name, key) != 0)
            continue;
        *at = header->next;
        free(header->name);
        free(header->value);
        free(header);
        return;
    }
}

void wire_client_metadata(WireClient *client, const char *key, const char *value)
{
    remove_metadata(client, key);
    if (!value)
        return;
    ClientHeader *header = calloc(1, sizeof(*header));
    if (!header)
        abort();
    header->name = strdup(key);
    header->value = strdup(value);
    header->next = client->metadata;
    client->metadata = header;
}

int wire_client_fd(const WireClient *client)
{
    return client->fd;
}

/* --- the pump -------------------------------------------------------------------------------------------------------- */

static void lose(WireClient *client, const char *reason)
{
    if (!client->lost)
        snprintf(client->reason, sizeof(client->reason), "connection to server lost: %s", reason);
    client->lost = true;
    for (WireStream *stream = client->streams; stream; stream = stream->next)
        stream->in_end = true;
}

static void gather(WireClient *client)
{
    while (client->out.size - client->out_at < WRITE_BYTES) {
        const uint8_t *data;
        ssize_t size = nghttp2_session_mem_send(client->session, &data);
        if (size < 0)
            lose(client, nghttp2_strerror((int)size));
        if (size <= 0)
            return;
        buf_add(&client->out, data, (size_t)size);
    }
}

static void write_some(WireClient *client)
{
    while (!client->lost) {
        gather(client);
        if (client->out_at == client->out.size)
            return;
        ssize_t put = send(client->fd, client->out.data + client->out_at, client->out.size - client->out_at,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno != EINTR) {
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                lose(client, strerror(errno));
            return;
        }
        client->out_at += put > 0 ? (size_t)put : 0;
        if (client->out_at == client->out.size) {
            buf_clear(&client->out);
            client->out_at = 0;
        }
    }
}

static void read_some(WireClient *client)
{
    uint8_t *buf = client->read_buf;
    while (!client->lost) {
        ssize_t got = recv(client->fd, buf, CLIENT_READ_BYTES, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                lose(client, strerror(errno));
            return;
        }
        if (got == 0) {
            lose(client, "the server closed it");
            return;
        }
        ssize_t used = nghttp2_session_mem_recv(client->session, buf, (size_t)got);
        if (used < 0)
            lose(client, nghttp2_strerror((int)used));
        if ((size_t)got < CLIENT_READ_BYTES)
            return;
    }
}

static Status wait_ready(Ctx *ctx, WireClient *client)
{
    bool writes = client->out.size > client->out_at || nghttp2_session_want_write(client->session);
    struct pollfd wait = { .fd = client->fd, .events = (short)(POLLIN | (writes ? POLLOUT : 0)) };
    int timeout_ms = -1;
    if (ctx->deadline_ns != DEADLINE_NONE) {
        int64_t left_ns = ctx->deadline_ns - clock_mono_ns();
        if (left_ns <= 0)
            return FAIL(ctx, DEADLINE_EXCEEDED, "context deadline exceeded");
        timeout_ms = (int)MIN(left_ns / NS_PER_MS + 1, INT64_C(1000000000));
    }
    if (poll(&wait, 1, timeout_ms) < 0 && errno != EINTR)
        return status_errno(ctx, errno, "could not wait for the server");
    return OK;
}

Status client_pump(Ctx *ctx, WireClient *client, bool wait)
{
    write_some(client);
    if (wait && !client->lost)
        TRY(wait_ready(ctx, client));
    read_some(client);
    write_some(client);
    return client->lost ? FAIL(ctx, UNAVAILABLE, "%s", client->reason) : OK;
}
