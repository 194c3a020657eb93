/* link_priv.h - what a server's and a client's end of an HTTP/2 connection have in common: output.
 *
 * nghttp2 says what to send next; control frames are copied into the chain, DATA payloads are not:
 * they stay in the blocks that wire_send filled until the kernel takes them.
 */
#pragma once

#include <nghttp2/nghttp2.h>
#include <pthread.h>

#include "wire/grpc_priv.h"
#include "wire/out_priv.h"

/* We announce the first; frames we send are no larger than the second, so that streams share a
 * connection. */
#define FRAME_BYTES_MAX      (1 * MiB)
#define FRAME_SEND_BYTES_MAX (128 * KiB)

/* Who adds to a stream waits above the first and goes on below the second. */
#define OUT_HIGH_BYTES (1 * MiB)
#define OUT_LOW_BYTES  (OUT_HIGH_BYTES / 2)

typedef struct Link {
    nghttp2_session *session;
    OutChain out;
} Link;

/* Output of one stream. All but `trailers` is guarded by *lock. */
typedef struct OutStream {
    OutQueue queue;
    pthread_mutex_t *lock;
    pthread_cond_t *changed; /* signalled when there is room for wants_room; may be NULL */
    bool wants_room;
    bool idle;  /* the network thread ran out of bytes (or has not begun): tell it of more */
    bool ended; /* no more will come */
    const Fields *trailers; /* sent at the end; NULL: none */
} OutStream;

/* Callbacks that send; user_data of the session must be the Link. The caller adds its own. */
nghttp2_session_callbacks *link_callbacks_new(void);
/* With the lock held, after bytes were taken: wakes who waits for room, if there is enough. */
void out_stream_tell_room(OutStream *out);
nghttp2_data_provider link_provider(OutStream *out);
/* Moves what the session has to say into link->out until that is full. False: the session is beyond
 * use. */
bool link_fill(Link *link);
void link_done(Link *link);

nghttp2_nv link_nv(const char *name, const char *value); /* nghttp2 copies both */
/* The fields as nghttp2 wants them, in arena; *out_count of them. */
nghttp2_nv *link_nvs(Arena *arena, const Fields *fields, size_t *out_count);
