/* conn.c - one connection: bytes to an nghttp2 session and back. Everything here runs on the network thread. */
#include "wire/wire_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- what the session calls --------------------------------------------------------------------------------------- */

static WireCall *call_of(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    Conn *conn = arg;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    WireCall *call = call_new(conn, frame->hd.stream_id);
    conn->streams++;
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
                     const uint8_t *value, size_t value_size, uint8_t flags, void *arg)
{
    (void)flags;
    (void)arg;
    WireCall *call = call_of(session, frame->hd.stream_id);
    if (!call)
        return 0;
    if (call->started) /* a client's trailers say nothing */
        return 0;
    call->header_bytes += name_size + value_size + 32;
    if (call->header_bytes > HEADER_BYTES_MAX)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets this stream only */
    call_add_header(call, (const char *)name, name_size, (const char *)value, value_size);
    return 0;
}

static nghttp2_nv pair(const char *name, const char *value)
{
    union {
        const char *text;
        uint8_t *bytes; /* nghttp2 only reads them */
    } n = { .text = name }, v = { .text = value };
    return (nghttp2_nv){ n.bytes, v.bytes, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE };
}

/* A response that is all trailers: for what never reached a handler. */
static void refuse(Conn *conn, int32_t stream_id, const char *http, const char *grpc_status, const char *message)
{
    const nghttp2_nv headers[] = { pair(":status", http), pair("content-type", "application/grpc"),
                                   pair("grpc-status", grpc_status), pair("grpc-message", message) };
    nghttp2_submit_response(conn->session, stream_id, headers, ARRAY_LEN(headers), NULL);
}

static void request_complete(Conn *conn, WireCall *call)
{
    if (!call_start(call))
        refuse(conn, call->stream_id, "200", "8", "the server has as many calls as it can take");
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    bool is_headers = frame->hd.type == NGHTTP2_HEADERS;
    if (!is_headers && frame->hd.type != NGHTTP2_DATA)
        return 0;
    WireCall *call = call_of(session, frame->hd.stream_id);
    if (!call)
        return 0;
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        call_end_input(call);
    if (is_headers && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        request_complete(arg, call);
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data, size_t size,
                         void *arg)
{
    (void)flags;
    (void)arg;
    WireCall *call = call_of(session, stream_id);
    size_t consumed = call ? call_take(call, data, size) : size;
    return consumed ? nghttp2_session_consume(session, stream_id, consumed) : 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code, void *arg)
{
    (void)error_code;
    Conn *conn = arg;
    WireCall *call = call_of(session, stream_id);
    if (!call)
        return 0;
    conn->streams--;
    call_stream_gone(call);
    return 0;
}

/* All is sent but the client has not ended its side: tell it to stop, without an error. */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)arg;
    WireCall *call = call_of(session, frame->hd.stream_id);
    if (!call || frame->hd.type != NGHTTP2_HEADERS || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    bool open;
    {
        LOCKED(&call->lock);
        open = !call->in_end;
    }
    if (open)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    return 0;
}

/* --- responses ---------------------------------------------------------------------------------------------------------- */

static void submit_trailers(nghttp2_session *session, WireCall *call)
{
    enum { TRAILERS_MAX = 32 };
    nghttp2_nv trailers[TRAILERS_MAX];
    size_t n = 0;
    for (const Header *t = call->trailers; t && n < TRAILERS_MAX; t = t->next)
        trailers[n++] = pair(t->name, t->value);
    nghttp2_submit_trailer(session, call->stream_id, trailers, n);
}

static ssize_t read_response(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t size, uint32_t *flags,
                             nghttp2_data_source *source, void *arg)
{
    (void)stream_id;
    (void)arg;
    WireCall *call = source->ptr;
    LOCKED(&call->lock);
    size_t have = call->out.size - call->out_at;
    if (!have && !call->out_end)
        return NGHTTP2_ERR_DEFERRED;
    size_t n = MIN(have, size);
    if (n)
        memcpy(to, call->out.data + call->out_at, n);
    call->out_at += n;
    if (call->out_at == call->out.size) {
        buf_clear(&call->out);
        call->out_at = 0;
        if (call->out_end) {
            *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
            submit_trailers(session, call);
        }
    }
    pthread_cond_broadcast(&call->moved);
    return (ssize_t)n;
}

static void respond(Conn *conn, WireCall *call)
{
    const nghttp2_nv headers[] = { pair(":status", "200"), pair("content-type", "application/grpc"),
                                   pair("grpc-accept-encoding", "identity,gzip") };
    const nghttp2_data_provider body = { .source = { .ptr = call }, .read_callback = read_response };
    call->responded = true;
    nghttp2_submit_response(conn->session, call->stream_id, headers, ARRAY_LEN(headers), &body);
}

void conn_attend_call(Conn *conn, WireCall *call)
{
    size_t consumed;
    bool has_output;
    {
        LOCKED(&call->lock);
        consumed = call->consumed;
        call->consumed = 0;
        has_output = call->out.size > call->out_at || call->out_end;
    }
    if (consumed)
        nghttp2_session_consume(conn->session, call->stream_id, consumed);
    if (has_output && !call->responded)
        respond(conn, call);
    else if (has_output)
        nghttp2_session_resume_data(conn->session, call->stream_id);
}

/* --- the session ---------------------------------------------------------------------------------------------------------- */

static bool open_session(Conn *conn)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
        abort();
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_option_set_no_auto_window_update(option, 1);
    int error = nghttp2_session_server_new2(&conn->session, callbacks, conn, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    if (error)
        return false;
    const nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_PER_CONNECTION },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)STREAM_WINDOW_BYTES },
        { NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_BYTES_MAX },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_BYTES_MAX },
    };
    nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    nghttp2_session_set_local_window_size(conn->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW_BYTES);
    return true;
}

Conn *conn_new(WireServer *server, int fd, const char *peer)
{
    Conn *conn = calloc(1, sizeof(*conn));
    if (!conn)
        abort();
    conn->server = server;
    conn->fd = fd;
    snprintf(conn->peer, sizeof(conn->peer), "%s", peer);
    conn->next = server->conns;
    if (server->conns)
        server->conns->prev = conn;
    server->conns = conn;
    return conn;
}

/* Streams that are open when the connection goes are told by hand: nghttp2 does not when a session is deleted. */
static void lose_streams(Conn *conn)
{
    for (int32_t id = 1; conn->streams && id > 0; id += 2) {
        WireCall *call = call_of(conn->session, id);
        if (!call)
            continue;
        conn->streams--;
        nghttp2_session_set_stream_user_data(conn->session, id, NULL);
        call_stream_gone(call);
    }
}

void conn_free(Conn *conn)
{
    if (conn->session) {
        lose_streams(conn);
        nghttp2_session_del(conn->session);
    }
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        conn->server->conns = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    close(conn->fd);
    buf_done(&conn->first);
    buf_done(&conn->out);
    free(conn);
}

/* The first three bytes of HTTP/2's preface; no HTTP/1.1 method starts with them. */
static const char preface[] = "PRI";

static bool begin(Conn *conn, Bytes *data)
{
    buf_add_bytes(&conn->first, *data);
    size_t known = MIN(conn->first.size, sizeof(preface) - 1);
    if (memcmp(conn->first.data, preface, known) != 0) {
        buf_printf(&conn->out, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        conn->closing = true;
    }
    if (conn->closing || known < sizeof(preface) - 1) {
        *data = (Bytes){ 0 };
        return true;
    }
    *data = buf_bytes(&conn->first);
    return open_session(conn);
}

static bool feed(Conn *conn, Bytes data)
{
    if (conn->closing)
        return true;
    if (!conn->session && !begin(conn, &data))
        return false;
    while (data.size) {
        ssize_t used = nghttp2_session_mem_recv(conn->session, data.data, data.size);
        if (used < 0)
            return false;
        data.data += used;
        data.size -= (size_t)used;
    }
    if (conn->first.size)
        buf_done(&conn->first);
    return true;
}

bool conn_read(Conn *conn)
{
    uint8_t *buf = conn->server->read_buf;
    for (int turns = 0; turns < 4; turns++) { /* then the other connections have their turn */
        ssize_t got = recv(conn->fd, buf, READ_BYTES, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK;
        if (got == 0 || !feed(conn, bytes(buf, (size_t)got)))
            return false;
        if ((size_t)got < READ_BYTES)
            return true;
    }
    return true;
}

/* Gathers frames until there is a good write's worth. */
static bool gather(Conn *conn)
{
    while (conn->session && conn->out.size - conn->out_at < CONN_OUT_BYTES) {
        const uint8_t *data;
        ssize_t size = nghttp2_session_mem_send(conn->session, &data);
        if (size < 0)
            return false;
        if (size == 0)
            break;
        buf_add(&conn->out, data, (size_t)size);
    }
    return true;
}

static bool is_over(const Conn *conn)
{
    if (!conn->session)
        return conn->closing;
    return !nghttp2_session_want_read(conn->session) && !nghttp2_session_want_write(conn->session);
}

bool conn_write(Conn *conn)
{
    for (;;) {
        if (!gather(conn))
            return false;
        if (conn->out_at == conn->out.size) {
            buf_clear(&conn->out);
            conn->out_at = 0;
            conn->wants_write = false;
            return !is_over(conn);
        }
        ssize_t put = send(conn->fd, conn->out.data + conn->out_at, conn->out.size - conn->out_at, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            conn->wants_write = true;
            return errno == EAGAIN || errno == EWOULDBLOCK;
        }
        conn->out_at += (size_t)put;
        if (conn->out_at == conn->out.size) {
            buf_clear(&conn->out);
            conn->out_at = 0;
        }
    }
}

void conn_go_away(Conn *conn)
{
    if (conn->session)
        nghttp2_submit_goaway(conn->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(conn->session),
                              NGHTTP2_NO_ERROR, NULL, 0);
    else
        conn->closing = true;
}
