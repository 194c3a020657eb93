/* h2.c - HTTP/2 on a connection of the server: nghttp2's callbacks, and calls as streams. See
 * conn_priv.h. */
#include "wire/conn_priv.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"

static Conn *conn_of(void *link)
{
    return CONTAINER_OF((Link *)link, Conn, link);
}

static WireCall *call_of(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

static bool is_request(const nghttp2_frame *frame)
{
    return frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
}

/* --- windows --------------------------------------------------------------------------------- */

/* The stream's window opens by size; so does what its bytes held back of the connection's. */
static void give_back(Conn *conn, int32_t stream_id, size_t size)
{
    if (!size)
        return;
    if (stream_id)
        nghttp2_session_consume_stream(conn->link.session, stream_id, size);
    conn->unread -= size;
    size_t pay = MIN(conn->owed, size);
    conn->owed -= pay;
    nghttp2_session_consume_connection(conn->link.session, pay);
}

static void hold(Conn *conn, size_t size)
{
    conn->unread += size;
    if (conn->unread > CONN_UNREAD_BYTES_MAX)
        conn->owed += size;
    else
        nghttp2_session_consume_connection(conn->link.session, size);
}

/* --- answers --------------------------------------------------------------------------------- */

/* The call's arena is its handler's while that runs: what is made here lives in one of its own.
 * nghttp2 copies. */
static void submit(Conn *conn, WireCall *call, const Fields *fields, bool with_body)
{
    CLEANUP(arena_freep) Arena *arena = arena_new(0);
    size_t count;
    nghttp2_nv *nvs = link_nvs(arena, fields, &count);
    nghttp2_data_provider provider = link_provider(&call->out);
    call->responded = true;
    if (nghttp2_submit_response(conn->link.session, call->stream_id, nvs, count,
                                with_body ? &provider : NULL) != 0)
        conn->broken = true;
}

/* The head of a gRPC answer; headers and trailers are one when no message was sent. */
static void submit_grpc(Conn *conn, WireCall *call, bool with_body)
{
    Field type = { .name = "content-type", .value = "application/grpc" };
    Field status = { .name = ":status", .value = "200", .next = &type };
    type.next = with_body ? NULL : call->closing.head;
    submit(conn, call, &(Fields){ .head = &status }, with_body);
}

/* What ends the call: the status, then what the handler set. */
static void make_closing(Conn *conn, WireCall *call)
{
    if (conn->shut && call->result.code == STATUS_CANCELLED)
        call->result = FAIL(&call->ctx, UNAVAILABLE, "the server is shutting down");
    grpc_trailers_add(call->ctx.arena, &call->closing, call->result);
    fields_join(&call->closing, &call->trailers);
}

/* Says to the stream's output whether more can come; true when bytes wait there. */
static bool settle_output(WireCall *call, const Fields *trailers)
{
    LOCKED(&call->lock);
    call->out.ended = call->ended;
    call->out.trailers = trailers;
    return call->out.queue.size > 0;
}

static void serve_grpc(Conn *conn, WireCall *call)
{
    if (call->ended && !call->closing.head)
        make_closing(conn, call);
    bool output = settle_output(call, &call->closing);
    if (call->responded) {
        nghttp2_session_resume_data(conn->link.session, call->stream_id);
    } else if (output || call->ended) {
        submit_grpc(conn, call, output);
    }
}

static void serve_http(Conn *conn, WireCall *call)
{
    bool output = settle_output(call, NULL);
    if (call->ended && !status_ok(call->result))
        nghttp2_submit_rst_stream(conn->link.session, NGHTTP2_FLAG_NONE, call->stream_id,
                                  NGHTTP2_INTERNAL_ERROR);
    else if (call->responded)
        nghttp2_session_resume_data(conn->link.session, call->stream_id);
    else if (call_has_answer(call))
        submit(conn, call, &call->answer, output || !call->ended);
}

static void h2_serve(Conn *conn, WireCall *call)
{
    give_back(conn, call->stream_id, call_settle(call));
    if (call->kind == CALL_GRPC)
        serve_grpc(conn, call);
    else
        serve_http(conn, call);
}

/* --- requests -------------------------------------------------------------------------------- */

static bool is_grpc(Str content_type)
{
    Str grpc = STR("application/grpc");
    if (!str_starts(content_type, grpc))
        return false;
    return content_type.size == grpc.size || strchr("+;", content_type.data[grpc.size]);
}

static Status check_encoding(WireCall *call)
{
    const char *encoding = fields_get(&call->headers, "grpc-encoding", 0);
    call->reader.gzip = encoding && strcmp(encoding, "gzip") == 0;
    if (!encoding || call->reader.gzip || strcmp(encoding, "identity") == 0)
        return OK;
    fields_add(call->ctx.arena, &call->trailers, STR("grpc-accept-encoding"), STR("identity,gzip"));
    return FAIL(&call->ctx, UNIMPLEMENTED, "unknown grpc-encoding %s",
                text_quote(call->ctx.arena, str(encoding)));
}

static Status check_timeout(WireCall *call)
{
    const char *timeout = fields_get(&call->headers, "grpc-timeout", 0);
    int64_t ns;
    if (!timeout)
        return OK;
    if (!grpc_timeout_parse(str(timeout), &ns))
        return FAIL(&call->ctx, INVALID_ARGUMENT, "malformed grpc-timeout %s",
                    text_quote(call->ctx.arena, str(timeout)));
    if (__builtin_add_overflow(clock_mono_ns(), ns, &call->ctx.deadline_ns))
        call->ctx.deadline_ns = DEADLINE_NONE;
    return OK;
}

static Status check_grpc(WireCall *call)
{
    const char *type = fields_get(&call->headers, "content-type", 0);
    if (strcmp(call->method, "POST") != 0)
        return FAIL(&call->ctx, UNIMPLEMENTED, "gRPC calls use POST, not %s", call->method);
    if (type[strlen("application/grpc")] == '+' &&
        !str_starts(str(type), STR("application/grpc+proto")))
        return FAIL(&call->ctx, UNIMPLEMENTED, "unknown content-type %s",
                    text_quote(call->ctx.arena, str(type)));
    TRY(check_encoding(call));
    return check_timeout(call);
}

static void check_http(WireCall *call)
{
    const char *size = fields_get(&call->headers, "content-length", 0);
    if (!size || !str_to_i64(str(size), &call->body_size))
        call->body_size = call->input_over ? 0 : -1;
    if (!*call->authority && fields_get(&call->headers, "host", 0))
        call->authority = fields_get(&call->headers, "host", 0);
    else if (!fields_get(&call->headers, "host", 0))
        fields_add(call->ctx.arena, &call->headers, STR("host"),
                   str(call->authority)); /* signatures cover it */
}

/* The request's head is whole: it can be judged, and started when all that came with it is read. */
static void complete(Conn *conn, WireCall *call)
{
    static const char *const unsaid = "";
    call->method = call->method ? call->method : unsaid;
    call->path = call->path ? call->path : unsaid;
    call->authority = call->authority ? call->authority : unsaid;
    call->kind =
        is_grpc(str(fields_get(&call->headers, "content-type", 0))) ? CALL_GRPC : CALL_HTTP;
    if (call->kind == CALL_HTTP)
        check_http(call);
    else if (status_ok(call->refusal))
        call->refusal = check_grpc(call);
    call->ready = true;
    conn_touch(conn, call);
}

static void refuse(Conn *conn, WireCall *call, Status why)
{
    call->ended = true;
    call->result = why;
    if (call->kind == CALL_HTTP) {
        http_refuse(call, why);
        call->result = OK;
    }
    h2_serve(conn, call);
}

static void start(Conn *conn, WireCall *call)
{
    if (!status_ok(call->refusal)) {
        refuse(conn, call, call->refusal);
        return;
    }
    Status s = call_start(call);
    if (!status_ok(s))
        refuse(conn, call,
               FAIL(&call->ctx, RESOURCE_EXHAUSTED, "too many calls are running, try again later"));
}

/* After a read: what came for one call in many frames wakes its handler once. */
static void settle_touched(Conn *conn)
{
    for (WireCall *call; (call = conn->touched);) {
        conn->touched = call->next_touched;
        call->touched = false;
        if (call_may_start(call))
            start(conn, call);
        give_back(conn, call->stream_id, call_settle(call));
    }
}

/* --- nghttp2's callbacks --------------------------------------------------------------------- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *self)
{
    if (!is_request(frame))
        return 0;
    Conn *conn = conn_of(self);
    WireCall *call = call_new(conn->calls, conn, conn->peer);
    call->stream_id = frame->hd.stream_id;
    conn_add_stream(conn, call);
    return nghttp2_session_set_stream_user_data(session, call->stream_id, call);
}

/* Where a pseudo-header is kept; NULL for one that is not. */
static const char **pseudo(WireCall *call, Str name)
{
    const struct {
        const char *name;
        const char **value;
    } known[] = { { ":method", &call->method },
                  { ":path", &call->path },
                  { ":authority", &call->authority } };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (str_eq_c(name, known[i].name))
            return known[i].value;
    }
    return NULL;
}

static void add_header(WireCall *call, Str name, Str value)
{
    if (call->head_size > CONN_HEADER_BYTES_MAX) {
        if (status_ok(call->refusal))
            call->refusal =
                FAIL(&call->ctx, RESOURCE_EXHAUSTED, "request headers are larger than %zu bytes",
                     CONN_HEADER_BYTES_MAX);
        return;
    }
    const char **place = pseudo(call, name);
    if (place)
        *place = str_z(call->ctx.arena, value);
    else if (name.data[0] != ':' && !fields_add_metadata(&call->ctx, &call->headers, name, value))
        call->refusal = FAIL(&call->ctx, INVALID_ARGUMENT, "metadata '" STR_FMT "' is not base64",
                             STR_ARG(name));
}

/* Headers that are only too large are read to their end, as the next call's depend on their table;
 * those that do not end are not (CVE-2024-28182, which not every nghttp2 out there is without). */
#define HEADERS_WITHOUT_END_BYTES (16 * CONN_HEADER_BYTES_MAX)

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *self)
{
    (void)flags, (void)self;
    WireCall *call = call_of(session, frame->hd.stream_id);
    if (!call)
        return 0;
    call->head_size += name_size + value_size + FIELD_OVERHEAD_BYTES;
    if (call->head_size > HEADERS_WITHOUT_END_BYTES)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (is_request(frame))
        add_header(call, bytes_str(bytes(name, name_size)), bytes_str(bytes(value, value_size)));
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *self)
{
    Conn *conn = conn_of(self);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    WireCall *call = call_of(session, frame->hd.stream_id);
    if (!call)
        return 0;
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        call_end_input(call);
        conn_touch(conn, call);
    }
    if (is_request(frame))
        complete(conn, call);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t size, void *self)
{
    (void)flags;
    Conn *conn = conn_of(self);
    WireCall *call = call_of(session, stream_id);
    if (!call || call->ended)
        return nghttp2_session_consume(session, stream_id, size);
    call_deliver(call, bytes(data, size));
    hold(conn, size);
    conn_touch(conn, call);
    return 0;
}

/* A handler that answers before it has read all: the client need not send the rest. */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *self)
{
    (void)self;
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM &&
                (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA);
    WireCall *call = ends ? call_of(session, frame->hd.stream_id) : NULL;
    if (call && !call->input_over)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_NO_ERROR);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error, void *self)
{
    (void)error;
    Conn *conn = conn_of(self);
    WireCall *call = call_of(session, stream_id);
    if (call) {
        nghttp2_session_set_stream_user_data(session, stream_id, NULL);
        give_back(conn, 0, (size_t)(call->received - call->given));
        conn_drop_stream(conn, call);
    }
    return 0;
}

/* --- the session ----------------------------------------------------------------------------- */

static nghttp2_session *session_new(Link *link)
{
    nghttp2_session_callbacks *callbacks = link_callbacks_new();
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_option *option;
    nghttp2_session *session;
    if (nghttp2_option_new(&option) != 0)
        abort();
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_stream_reset_rate_limit(option, CONN_STREAMS_MAX, CONN_STREAMS_MAX / 10);
    if (nghttp2_session_server_new2(&session, callbacks, link, option) != 0)
        abort();
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return session;
}

static const nghttp2_settings_entry settings[] = {
    { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, CONN_STREAMS_MAX },
    { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES },
    { NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_BYTES_MAX },
    { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, CONN_HEADER_BYTES_MAX },
};

static bool h2_feed(Conn *conn, Bytes data)
{
    bool understood = nghttp2_session_mem_recv(conn->link.session, data.data, data.size) >= 0;
    settle_touched(conn);
    return understood;
}

static bool h2_fill(Conn *conn)
{
    return link_fill(&conn->link) &&
           nghttp2_session_get_outbound_queue_size(conn->link.session) < CONN_FRAMES_WAITING_MAX;
}

static bool h2_finished(const Conn *conn)
{
    return !nghttp2_session_want_read(conn->link.session) &&
           !nghttp2_session_want_write(conn->link.session);
}

static void h2_shut(Conn *conn, bool last)
{
    if (last)
        nghttp2_session_terminate_session(conn->link.session, NGHTTP2_NO_ERROR);
    else
        nghttp2_submit_shutdown_notice(conn->link.session);
}

/* Clients keep connections open for the next call. */
static int64_t h2_patience_ns(const Conn *conn)
{
    (void)conn;
    return INT64_MAX;
}

static void h2_done(Conn *conn)
{
    link_done(&conn->link);
}

static const ConnOps h2_ops = {
    .feed = h2_feed,
    .serve = h2_serve,
    .fill = h2_fill,
    .finished = h2_finished,
    .shut = h2_shut,
    .patience_ns = h2_patience_ns,
    .done = h2_done,
};

void h2_begin(Conn *conn)
{
    conn->ops = &h2_ops;
    conn->link.session = session_new(&conn->link);
    if (nghttp2_submit_settings(conn->link.session, NGHTTP2_FLAG_NONE, settings,
                                ARRAY_LEN(settings)) != 0 ||
        nghttp2_session_set_local_window_size(conn->link.session, NGHTTP2_FLAG_NONE, 0,
                                              CONN_WINDOW_BYTES) != 0)
        abort(); /* only when memory is out */
    if (conn->shut)
        conn_shut(conn);
}
