/* in.c - see in_priv.h. */
#include "wire/in_priv.h"

#include <stdlib.h>
#include <zlib.h>

#include "wire/wire.h"

enum { FLAG_COMPRESSED = 1 };

InBlock *in_block_new(InKind kind)
{
    InBlock *block = calloc(1, sizeof(*block));
    if (!block)
        abort();
    block->kind = kind;
    return block;
}

InBlock *in_block_free(InBlock *block)
{
    if (block) {
        buf_done(&block->bytes);
        free(block);
    }
    return NULL;
}

void in_queue_push(InQueue *queue, InBlock *block)
{
    if (queue->tail)
        queue->tail->next = block;
    else
        queue->head = block;
    queue->tail = block;
}

InBlock *in_queue_pop(InQueue *queue)
{
    InBlock *block = queue->head;
    if (block) {
        queue->head = block->next;
        block->next = NULL;
        if (!queue->head)
            queue->tail = NULL;
    }
    return block;
}

void in_queue_join(InQueue *queue, InQueue *more)
{
    if (!more->head)
        return;
    in_queue_push(queue, more->head);
    queue->tail = more->tail;
    *more = (InQueue){ 0 };
}

void in_queue_done(InQueue *queue)
{
    for (InBlock *block; (block = in_queue_pop(queue));)
        in_block_free(block);
}

/* True when chunk starts with a small, whole, plain frame: its length in *out. */
static bool whole_small_frame(Bytes chunk, size_t *out)
{
    if (chunk.size < MESSAGE_HEAD_BYTES || chunk.data[0] != 0)
        return false;
    size_t size = load_be32(chunk.data + 1);
    *out = MESSAGE_HEAD_BYTES + size;
    return size <= MESSAGE_SMALL_BYTES && *out <= chunk.size;
}

/* Takes all whole small frames at the front of chunk into one block. */
static void take_frames(Bytes *chunk, InQueue *out)
{
    size_t total = 0, n;
    while (whole_small_frame((Bytes){ chunk->data + total, chunk->size - total }, &n))
        total += n;
    InBlock *block = in_block_new(IN_FRAMES);
    buf_add(&block->bytes, chunk->data, total);
    block->credit = total;
    in_queue_push(out, block);
    *chunk = (Bytes){ chunk->data + total, chunk->size - total };
}

static InFault head_fault(const MessageReader *reader, uint8_t flags, size_t size)
{
    if (flags > FLAG_COMPRESSED)
        return IN_FAULT_BAD_FLAGS;
    if (flags && !reader->gzip)
        return IN_FAULT_BAD_ENCODING;
    return size > WIRE_MESSAGE_BYTES_MAX ? IN_FAULT_TOO_LARGE : IN_FAULT_NONE;
}

static void finish_partial(MessageReader *reader, InQueue *out)
{
    in_queue_push(out, reader->partial);
    reader->partial = NULL;
}

/* A head is complete: begins its message. Memory that is not written costs nothing, so all is
 * reserved at once. */
static void begin_message(MessageReader *reader, InQueue *out)
{
    size_t size = load_be32(reader->head + 1);
    reader->head_size = 0;
    reader->fault = head_fault(reader, reader->head[0], size);
    reader->size = size;
    if (reader->fault)
        return;
    reader->partial = in_block_new(reader->head[0] ? IN_GZIP : IN_MESSAGE);
    if (size > MESSAGE_SMALL_BYTES) {
        reader->partial->bytes = reader->spare;
        reader->partial->bytes.size = 0;
        reader->spare = (Buf){ 0 };
    }
    buf_reserve(&reader->partial->bytes, size);
    reader->partial->credit = MESSAGE_HEAD_BYTES + size;
    reader->missing = size;
    if (!size)
        finish_partial(reader, out);
}

static void take_head(MessageReader *reader, Bytes *chunk, InQueue *out)
{
    size_t n = MIN(chunk->size, MESSAGE_HEAD_BYTES - reader->head_size);
    memcpy(reader->head + reader->head_size, chunk->data, n);
    reader->head_size += n;
    *chunk = (Bytes){ chunk->data + n, chunk->size - n };
    if (reader->head_size == MESSAGE_HEAD_BYTES)
        begin_message(reader, out);
}

static void take_payload(MessageReader *reader, Bytes *chunk, InQueue *out)
{
    size_t n = MIN(chunk->size, reader->missing);
    buf_add(&reader->partial->bytes, chunk->data, n);
    reader->missing -= n;
    *chunk = (Bytes){ chunk->data + n, chunk->size - n };
    if (!reader->missing)
        finish_partial(reader, out);
}

void message_reader_feed(MessageReader *reader, Bytes chunk, InQueue *out)
{
    size_t frame;
    while (chunk.size && !reader->fault) {
        if (reader->partial)
            take_payload(reader, &chunk, out);
        else if (!reader->head_size && whole_small_frame(chunk, &frame))
            take_frames(&chunk, out);
        else
            take_head(reader, &chunk, out);
    }
}

void message_reader_end(MessageReader *reader)
{
    if (!reader->fault && (reader->partial || reader->head_size))
        reader->fault = IN_FAULT_CUT_SHORT;
}

void message_reader_done(MessageReader *reader)
{
    reader->partial = in_block_free(reader->partial);
    buf_done(&reader->spare);
}

Status message_fault_status(Ctx *ctx, InFault fault, size_t size)
{
    switch (fault) {
    case IN_FAULT_NONE:
        return OK;
    case IN_FAULT_TOO_LARGE:
        return FAIL(ctx, RESOURCE_EXHAUSTED, "received message larger than max (%zu vs. %zu)", size,
                    WIRE_MESSAGE_BYTES_MAX);
    case IN_FAULT_BAD_FLAGS:
        return FAIL(ctx, INTERNAL, "received message with unknown flags in its frame");
    case IN_FAULT_BAD_ENCODING:
        return FAIL(ctx, INTERNAL, "received compressed message without grpc-encoding");
    case IN_FAULT_CUT_SHORT:
        return FAIL(ctx, INTERNAL, "stream ended inside a message");
    case IN_FAULT_BAD_CHUNK:
        return FAIL(ctx, INVALID_ARGUMENT, "malformed chunk in the request's body");
    default:
        return STATUS(INTERNAL);
    }
}

/* Inflates into buf until the end of the gzip stream; false when it is damaged, cut short or grows
 * past the limit. */
static bool inflate_all(z_stream *z, Buf *buf)
{
    int result = Z_OK;
    while (result == Z_OK && buf->size <= WIRE_MESSAGE_BYTES_MAX) {
        buf_reserve(buf, 64 * KiB);
        z->next_out = buf->data + buf->size;
        z->avail_out = (uInt)(buf->capacity - buf->size);
        result = inflate(z, Z_NO_FLUSH);
        buf->size = buf->capacity - z->avail_out;
    }
    return result == Z_STREAM_END;
}

static Status gunzip(Ctx *ctx, Buf *compressed, Buf *buf)
{
    z_stream z = { .next_in = compressed->data, .avail_in = (uInt)compressed->size };
    if (inflateInit2(&z, 15 + 16) != Z_OK) /* 16: a gzip header, not zlib's */
        return STATUS(RESOURCE_EXHAUSTED);
    buf_clear(buf);
    bool good = inflate_all(&z, buf);
    inflateEnd(&z);
    if (buf->size > WIRE_MESSAGE_BYTES_MAX)
        return FAIL(ctx, RESOURCE_EXHAUSTED,
                    "received message larger than max after decompression (%zu)",
                    WIRE_MESSAGE_BYTES_MAX);
    return good ? OK : FAIL(ctx, INTERNAL, "could not decompress received message: not valid gzip");
}

static void take_frame(InBlock *block, Buf *buf)
{
    const uint8_t *frame = block->bytes.data + block->at;
    size_t size = load_be32(frame + 1);
    buf_clear(buf);
    buf_add(buf, frame + MESSAGE_HEAD_BYTES, size);
    block->at += MESSAGE_HEAD_BYTES + size;
}

Status in_block_take(Ctx *ctx, InBlock *block, Buf *buf, bool *out_empty)
{
    assert(block->kind != IN_BODY);
    if (block->kind == IN_FRAMES) {
        take_frame(block, buf);
        *out_empty = block->at == block->bytes.size;
        return OK;
    }
    *out_empty = true;
    if (block->kind == IN_GZIP)
        return gunzip(ctx, &block->bytes, buf);
    Buf swapped = *buf;
    *buf = block->bytes;
    block->bytes = swapped;
    return OK;
}

void buf_keep_larger(Buf *to, Buf *from)
{
    if (from->capacity > to->capacity) {
        Buf swapped = *to;
        *to = *from;
        *from = swapped;
    }
}

void message_head(uint8_t head[MESSAGE_HEAD_BYTES], size_t size)
{
    head[0] = 0;
    store_be32(head + 1, (uint32_t)size);
}
