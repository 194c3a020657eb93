/* link.c - see link_priv.h. */
#include "wire/link_priv.h"

#include <stdlib.h>

#include "base/thread.h"
enum { FRAME_HEAD_BYTES = 9 };

static ssize_t send_control(nghttp2_session *session, const uint8_t *data, size_t size, int flags,
                            void *self)
{
    (void)session, (void)flags;
    Link *link = self;
    if (out_chain_full(&link->out))
        return NGHTTP2_ERR_WOULDBLOCK;
    out_chain_copy(&link->out, bytes(data, size));
    return (ssize_t)size;
}

void out_stream_tell_room(OutStream *out)
{
    if (out->wants_room && out->queue.size <= OUT_LOW_BYTES) {
        out->wants_room = false;
        pthread_cond_broadcast(out->changed);
    }
}

static int send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                     size_t size, nghttp2_data_source *source, void *self)
{
    (void)session, (void)frame;
    Link *link = self;
    OutStream *out = source->ptr;
    if (out_chain_full(&link->out))
        return NGHTTP2_ERR_WOULDBLOCK;
    out_chain_copy(&link->out, bytes(head, FRAME_HEAD_BYTES));
    LOCKED(out->lock);
    out_chain_move(&link->out, &out->queue, size);
    out_stream_tell_room(out);
    return 0;
}

static int end_with_trailers(nghttp2_session *session, int32_t stream_id, const Fields *trailers)
{
    CLEANUP(arena_freep) Arena *arena = arena_new(0);
    size_t count;
    nghttp2_nv *nvs = link_nvs(arena, trailers, &count);
    return nghttp2_submit_trailer(session, stream_id, nvs, count);
}

/* How much of a stream goes into the next DATA frame. The bytes themselves follow in send_data. */
static ssize_t read_data(nghttp2_session *session, int32_t stream_id, uint8_t *buf, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *self)
{
    (void)buf, (void)self;
    OutStream *out = source->ptr;
    LOCKED(out->lock);
    size = MIN(size, out_queue_ready(&out->queue));
    bool last = out->ended && size == out->queue.size;
    if (!size && !last) {
        out->idle = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (last)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (last && out->trailers) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (end_with_trailers(session, stream_id, out->trailers) != 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return (ssize_t)size;
}

static ssize_t frame_length(nghttp2_session *session, uint8_t type, int32_t stream_id,
                            int32_t session_window, int32_t stream_window, uint32_t frame_max,
                            void *self)
{
    (void)session, (void)type, (void)stream_id, (void)session_window, (void)stream_window,
        (void)self;
    return (ssize_t)MIN(frame_max, FRAME_SEND_BYTES_MAX);
}

nghttp2_session_callbacks *link_callbacks_new(void)
{
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        abort();
    nghttp2_session_callbacks_set_send_callback(callbacks, send_control);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, frame_length);
    return callbacks;
}

nghttp2_data_provider link_provider(OutStream *out)
{
    return (nghttp2_data_provider){ .source.ptr = out, .read_callback = read_data };
}

bool link_fill(Link *link)
{
    return out_chain_full(&link->out) || nghttp2_session_send(link->session) == 0;
}

void link_done(Link *link)
{
    nghttp2_session_del(link->session);
    link->session = NULL;
    out_chain_done(&link->out);
}

nghttp2_nv link_nv(const char *name, const char *value)
{
    nghttp2_nv nv = { .namelen = strlen(name), .valuelen = strlen(value) };
    memcpy(&nv.name, &name, sizeof(name)); /* nghttp2 does not write to them */
    memcpy(&nv.value, &value, sizeof(value));
    return nv;
}

nghttp2_nv *link_nvs(Arena *arena, const Fields *fields, size_t *out_count)
{
    size_t count = 0;
    for (const Field *f = fields->head; f; f = f->next)
        count++;
    nghttp2_nv *nvs = arena_must(arena, (count + 1) * sizeof(*nvs));
    count = 0;
    for (const Field *f = fields->head; f; f = f->next)
        nvs[count++] = link_nv(f->name, f->value);
    *out_count = count;
    return nvs;
}
