/* client.c - a connection of the client: one thread at a time drives it, by poll. See
 * client_priv.h. */
#include "wire/client_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/file.h"
#include "wire/address_priv.h"

#define READ_BYTES (256 * KiB)

/* --- nghttp2's callbacks --------------------------------------------------------------------- */

static WireClient *client_of(void *link)
{
    return CONTAINER_OF((Link *)link, WireClient, link);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *self)
{
    (void)session, (void)flags;
    WireStream *stream = client_stream(client_of(self), frame->hd.stream_id);
    if (stream)
        stream_header(stream, bytes_str(bytes(name, name_size)),
                      bytes_str(bytes(value, value_size)));
    return 0;
}

/* The connection's window opens at once: each stream's own bounds what waits. */
static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t size, void *self)
{
    (void)flags;
    WireStream *stream = client_stream(client_of(self), stream_id);
    if (stream)
        stream_data(stream, bytes(data, size));
    else
        nghttp2_session_consume_stream(session, stream_id, size);
    return nghttp2_session_consume_connection(session, size);
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error, void *self)
{
    (void)session;
    WireStream *stream = client_stream(client_of(self), stream_id);
    if (stream)
        stream_closed(stream, error);
    return 0;
}

/* A request that could not be sent, as after GOAWAY, never becomes a stream that could close. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int reason, void *self)
{
    (void)reason;
    bool request = frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    return request ? on_stream_close(session, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM, self)
                   : 0;
}

static nghttp2_session *session_new(Link *link)
{
    nghttp2_session_callbacks *callbacks = link_callbacks_new();
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
    nghttp2_option *option;
    nghttp2_session *session;
    if (nghttp2_option_new(&option) != 0)
        abort();
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_peer_max_concurrent_streams(option, CLIENT_STREAMS_MAX);
    if (nghttp2_session_client_new2(&session, callbacks, link, option) != 0)
        abort();
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return session;
}

static const nghttp2_settings_entry settings[] = {
    { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
    { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, CLIENT_STREAM_WINDOW_BYTES },
    { NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_BYTES_MAX },
};

static void begin_session(Link *link)
{
    link->session = session_new(link);
    if (nghttp2_submit_settings(link->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings)) !=
            0 ||
        nghttp2_session_set_local_window_size(link->session, NGHTTP2_FLAG_NONE, 0,
                                              CLIENT_WINDOW_BYTES) != 0)
        abort(); /* only when memory is out */
}

/* --- open and close -------------------------------------------------------------------------- */

Status wire_client_open(Ctx *ctx, const char *address, WireClient **out)
{
    AUTO_FD fd = -1;
    TRY(address_connect(ctx, address, &fd));
    AUTO_FD wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (wake_fd < 0)
        return status_errno(ctx, errno, "could not make an eventfd");
    WireClient *client = calloc(1, sizeof(*client));
    if (!client || !(client->input = malloc(READ_BYTES)))
        abort();
    address_tune(fd);
    client->fd = fd_steal(&fd);
    client->wake_fd = fd_steal(&wake_fd);
    client->arena = arena_new(0);
    client->address = arena_strdup(client->arena, address);
    client->authority = arena_strdup(client->arena, address_authority(address));
    pthread_mutex_init(&client->lock, NULL);
    begin_session(&client->link);
    *out = client;
    return OK;
}

WireClient *wire_client_close(WireClient *client)
{
    if (!client)
        return NULL;
    if (!client->lost) {
        CLEANUP(ctx_done) Ctx ctx;
        ctx_init(&ctx);
        nghttp2_session_terminate_session(client->link.session, NGHTTP2_NO_ERROR);
        (void)!status_ok(client_write(&ctx, client)); /* a courtesy: the server may be gone */
    }
    link_done(&client->link);
    while (client->streams)
        stream_free(client->streams);
    close(client->fd);
    close(client->wake_fd);
    pthread_mutex_destroy(&client->lock);
    arena_free(client->arena);
    free(client->input);
    free(client);
    return NULL;
}

static void remove_field(Fields *fields, const char *name)
{
    Fields kept = { 0 };
    for (Field *field = fields->head, *next; field; field = next) {
        next = field->next;
        field->next = NULL;
        if (strcmp(field->name, name) != 0)
            fields_join(&kept, &(Fields){ field, field, 0 });
    }
    *fields = kept;
}

void wire_client_metadata(WireClient *client, const char *key, const char *value)
{
    remove_field(&client->metadata, key);
    if (value)
        fields_put_metadata(client->arena, &client->metadata, key, value);
}

int wire_client_fd(const WireClient *client)
{
    return client->fd;
}

/* --- turns ----------------------------------------------------------------------------------- */

Status client_lost(Ctx *ctx, const WireClient *client)
{
    return FAIL(ctx, UNAVAILABLE, "lost the connection to '%s': %s", client->address, client->lost);
}

static Status lose(Ctx *ctx, WireClient *client, const char *reason)
{
    client->lost = arena_strdup(client->arena, reason);
    for (WireStream *stream = client->streams, *next; stream; stream = next) {
        next = stream->next;
        stream_closed(stream, NGHTTP2_REFUSED_STREAM);
    }
    return client_lost(ctx, client);
}

static Status lose_by_errno(Ctx *ctx, WireClient *client, int error)
{
    char reason[128];
    return lose(ctx, client, strerror_r(error, reason, sizeof(reason)));
}

Status client_write(Ctx *ctx, WireClient *client)
{
    OutChain *chain = &client->link.out;
    if (client->lost)
        return client_lost(ctx, client);
    for (;;) {
        if (!link_fill(&client->link))
            return lose(ctx, client, "HTTP/2 session failed");
        if (!chain->size)
            return OK;
        struct iovec views[OUT_PIECES_MAX];
        struct msghdr message = { .msg_iov = views, .msg_iovlen = out_chain_view(chain, views) };
        ssize_t size = sendmsg(client->fd, &message, MSG_NOSIGNAL);
        if (size < 0 && errno != EINTR)
            return errno == EAGAIN ? OK : lose_by_errno(ctx, client, errno);
        out_chain_sent(chain, (size_t)MAX(size, 0));
    }
}

/* What a server that does not speak HTTP/2 answers makes no session, and neither does one that ends
 * it. */
static Status client_read(Ctx *ctx, WireClient *client)
{
    if (client->lost)
        return client_lost(ctx, client);
    for (ssize_t size = READ_BYTES; size == READ_BYTES || size < 0;) {
        size = recv(client->fd, client->input, READ_BYTES, 0);
        if (size < 0 && errno != EINTR)
            return errno == EAGAIN ? OK : lose_by_errno(ctx, client, errno);
        if (size == 0)
            return lose(ctx, client, "closed by the server");
        if (size > 0 &&
            nghttp2_session_mem_recv(client->link.session, client->input, (size_t)size) < 0)
            return lose(ctx, client, "the answer is not HTTP/2");
    }
    return OK;
}

static void wake(void *arg)
{
    WireClient *client = arg;
    eventfd_write(client->wake_fd, 1);
}

static void sleep_until_ready(Ctx *ctx, WireClient *client)
{
    struct pollfd fds[2] = {
        { .fd = client->fd, .events = (short)(POLLIN | (client->link.out.size ? POLLOUT : 0)) },
        { .fd = client->wake_fd, .events = POLLIN },
    };
    int64_t left_ms = -1;
    if (ctx->deadline_ns != DEADLINE_NONE) {
        int64_t left_ns = ctx->deadline_ns - clock_mono_ns();
        left_ms = MAX(left_ns, 0) / NS_PER_MS + 1;
    }
    CancelHook hook = { .fn = wake, .arg = client };
    if (ctx->cancel)
        cancel_hook(ctx->cancel, &hook);
    poll(fds, ARRAY_LEN(fds), (int)MIN(left_ms, INT32_MAX));
    if (ctx->cancel)
        cancel_unhook(ctx->cancel, &hook);
    eventfd_t woken;
    if (fds[1].revents)
        eventfd_read(client->wake_fd, &woken);
}

Status client_turn(Ctx *ctx, WireClient *client, bool block)
{
    if (block) {
        TRY(ctx_check(ctx));
        sleep_until_ready(ctx, client);
    }
    TRY(client_read(ctx, client));
    return client_write(ctx, client);
}
