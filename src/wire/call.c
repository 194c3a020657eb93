/* call.c - see call_priv.h. */
#include "wire/call_priv.h"

#include <stdlib.h>
#include <time.h>

/* Messages at least this large are cut into blocks outside the lock. */
#define WRITE_APART_BYTES (64 * KiB)

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attr);
    pthread_condattr_destroy(&attr);
}

WireCall *call_new(Calls *calls, struct Conn *conn, const char *peer)
{
    WireCall *call = calloc(1, sizeof(*call));
    if (!call)
        abort();
    call->calls = calls;
    call->conn = conn;
    ctx_init(&call->ctx);
    call->ctx.cancel = cancel_new();
    call->peer = arena_strdup(call->ctx.arena, peer);
    call->body_size = -1;
    pthread_mutex_init(&call->lock, NULL);
    init_condition(&call->changed);
    call->out = (OutStream){ .lock = &call->lock, .changed = &call->changed, .idle = true };
    return call;
}

void call_free(WireCall *call)
{
    in_queue_done(&call->in);
    in_block_free(call->current);
    message_reader_done(&call->reader);
    buf_done(&call->spare);
    out_queue_done(&call->out.queue);
    pthread_cond_destroy(&call->changed);
    pthread_mutex_destroy(&call->lock);
    cancel_unref(call->ctx.cancel);
    ctx_done(&call->ctx);
    free(call);
}

/* --- the network thread's side --------------------------------------------------------------- */

static InQueue read_data(WireCall *call, Bytes data)
{
    InQueue fresh = { 0 };
    if (call->kind == CALL_GRPC) {
        message_reader_feed(&call->reader, data, &fresh);
        return fresh;
    }
    InBlock *block = in_block_new(IN_BODY);
    buf_add_bytes(&block->bytes, data);
    block->credit = data.size;
    in_queue_push(&fresh, block);
    return fresh;
}

void call_deliver(WireCall *call, Bytes data)
{
    InQueue fresh = read_data(call, data);
    LOCKED(&call->lock);
    in_queue_join(&call->in, &fresh);
    call->received += data.size;
    call->in_fault = call->reader.fault;
    call->in_fault_size = call->reader.size;
    buf_keep_larger(&call->reader.spare, &call->spare);
}

void call_end_input(WireCall *call)
{
    message_reader_end(&call->reader);
    call->input_over = true;
    LOCKED(&call->lock);
    call->in_fault = call->reader.fault;
    call->in_ended = true;
}

void call_fail_input(WireCall *call, InFault fault)
{
    call->input_over = true;
    LOCKED(&call->lock);
    call->in_fault = fault;
}

size_t call_settle(WireCall *call)
{
    LOCKED(&call->lock);
    /* Who waits wants all that comes: the rest of a message may not fit into the window. */
    bool wants_all = call->receiving || call->ended || call->calls->config.turned;
    uint64_t until = wants_all ? call->received : MAX(call->taken, call->given);
    size_t give = (size_t)(until - call->given);
    call->given = until;
    if (call->receiving && (call->in.head || call->in_ended || call->in_fault))
        pthread_cond_broadcast(&call->changed);
    return give;
}

void call_detach(WireCall *call)
{
    call->conn = NULL;
    if (!call->started || call->ended) {
        call_free(call);
        return;
    }
    {
        LOCKED(&call->lock);
        call->closed = true;
        pthread_cond_broadcast(&call->changed);
    }
    cancel_set(call->ctx.cancel);
}

/* --- the handler's side ---------------------------------------------------------------------- */

static void wake(void *arg)
{
    WireCall *call = arg;
    LOCKED(&call->lock);
    pthread_cond_broadcast(&call->changed);
}

/* False when the deadline has passed. */
static bool sleep_once(WireCall *call, int64_t deadline_ns)
{
    if (deadline_ns == DEADLINE_NONE)
        return pthread_cond_wait(&call->changed, &call->lock) == 0;
    struct timespec until = { deadline_ns / NS_PER_SEC, deadline_ns % NS_PER_SEC };
    return pthread_cond_timedwait(&call->changed, &call->lock, &until) == 0;
}

typedef bool Condition(const WireCall *call);

/* Sleeps until the condition, cancellation or the deadline. A hook must not be set or removed under
 * the lock that it takes; the lock is held before and after. */
static Status sleep_until(Ctx *ctx, WireCall *call, Condition *met)
{
    CancelHook hook = { .fn = wake, .arg = call };
    if (ctx->cancel) {
        pthread_mutex_unlock(&call->lock);
        cancel_hook(ctx->cancel, &hook);
        pthread_mutex_lock(&call->lock);
    }
    bool in_time = true;
    while (in_time && !met(call) && !call->closed && !cancel_is_set(ctx->cancel))
        in_time = sleep_once(call, ctx->deadline_ns);
    if (ctx->cancel) {
        pthread_mutex_unlock(&call->lock);
        cancel_unhook(ctx->cancel, &hook);
        pthread_mutex_lock(&call->lock);
    }
    return in_time || met(call) ? OK : FAIL(ctx, DEADLINE_EXCEEDED, "context deadline exceeded");
}

/* With the lock held, until the condition holds. Errors: CANCELLED, DEADLINE_EXCEEDED. */
static Status wait_for(Ctx *ctx, WireCall *call, Condition *met)
{
    if (!met(call) && !call->closed)
        TRY(sleep_until(ctx, call, met));
    if (call->closed || cancel_is_set(ctx->cancel))
        return FAIL(ctx, CANCELLED, "context canceled");
    return OK;
}

static bool has_input(const WireCall *call)
{
    return call->in.head || call->in_ended || call->in_fault;
}

/* Waits with the whole window open to the client. */
static Status wait_for_input(Ctx *ctx, WireCall *call)
{
    if (!has_input(call)) {
        call->receiving = true;
        if (call->received >= call->given + WINDOW_GIVE_BYTES || call->expects)
            call_post(call);
    }
    Status s = wait_for(ctx, call, has_input);
    call->receiving = false;
    return s;
}

Status call_next_block(Ctx *ctx, WireCall *call)
{
    LOCKED(&call->lock);
    TRY(wait_for_input(ctx, call));
    call->current = in_queue_pop(&call->in);
    if (!call->current)
        return message_fault_status(ctx, call->in_fault, call->in_fault_size);
    call->taken += call->current->credit;
    if (call->taken >= call->given + WINDOW_GIVE_BYTES)
        call_post(call);
    return OK;
}

void call_retire_block(WireCall *call)
{
    if (call->current->kind == IN_MESSAGE) {
        LOCKED(&call->lock);
        buf_keep_larger(&call->spare, &call->current->bytes);
    }
    call->current = in_block_free(call->current);
}

Status wire_recv(Ctx *ctx, WireCall *call, Buf *buf, bool *out_end)
{
    *out_end = false;
    if (!call->current)
        TRY(call_next_block(ctx, call));
    if (!call->current) {
        buf_clear(buf);
        *out_end = true;
        return OK;
    }
    bool empty;
    Status s = in_block_take(ctx, call->current, buf, &empty);
    if (empty)
        call_retire_block(call);
    return s;
}

/* Who turns the server cannot wait for itself. */
static bool has_room(const WireCall *call)
{
    return call->out.queue.size < OUT_HIGH_BYTES || call->calls->config.turned;
}

static Status wait_for_room(Ctx *ctx, WireCall *call)
{
    call->out.wants_room = !has_room(call);
    return wait_for(ctx, call, has_room);
}

static void tell_of_output(WireCall *call)
{
    if (call->out.idle) {
        call->out.idle = false;
        call_post(call);
    }
}

static Status write_together(Ctx *ctx, WireCall *call, Bytes head, Bytes body)
{
    LOCKED(&call->lock);
    TRY(wait_for_room(ctx, call));
    out_queue_add(&call->out.queue, head);
    out_queue_add(&call->out.queue, body);
    tell_of_output(call);
    return OK;
}

static OutBlock *next_block(Bytes *head, Bytes *body)
{
    OutBlock *block = out_block_new(MIN(head->size + body->size, OUT_BLOCK_BYTES_MAX));
    out_block_fill(block, head);
    out_block_fill(block, body);
    return block;
}

/* Copies outside the lock, so that the network thread is never held up by a copy. */
static Status write_blocks(Ctx *ctx, WireCall *call, Bytes head, Bytes body)
{
    while (head.size + body.size) {
        OutBlock *block = next_block(&head, &body);
        LOCKED(&call->lock);
        Status s = wait_for_room(ctx, call);
        if (!status_ok(s)) {
            free(block);
            return s;
        }
        out_queue_link(&call->out.queue, block);
        tell_of_output(call);
    }
    return OK;
}

Status call_write(Ctx *ctx, WireCall *call, Bytes head, Bytes body)
{
    return body.size < WRITE_APART_BYTES ? write_together(ctx, call, head, body)
                                         : write_blocks(ctx, call, head, body);
}

Status wire_send(Ctx *ctx, WireCall *call, Bytes message)
{
    if (message.size > WIRE_MESSAGE_BYTES_MAX)
        return FAIL(ctx, RESOURCE_EXHAUSTED, "trying to send message larger than max (%zu vs. %zu)",
                    message.size, WIRE_MESSAGE_BYTES_MAX);
    uint8_t head[MESSAGE_HEAD_BYTES];
    message_head(head, message.size);
    return call_write(ctx, call, bytes(head, sizeof(head)), message);
}

void wire_set_trailer(WireCall *call, const char *key, const char *value)
{
    fields_put_metadata(call->ctx.arena, &call->trailers, key, value);
}

const char *wire_call_path(const WireCall *call)
{
    return call->path;
}

const char *wire_call_metadata(const WireCall *call, const char *key, size_t nth)
{
    return fields_get(&call->headers, key, nth);
}

const char *wire_call_peer(const WireCall *call)
{
    return call->peer;
}
