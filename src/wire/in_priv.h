/* in_priv.h - whole gRPC messages out of a stream's DATA bytes, each byte copied once on its way.
 *
 * A gRPC message is a five-byte frame and its payload:
 *
 *   0         1                   5
 *   +---------+-------------------+---------
 *   | flags   | size, big-endian  | payload     flags 1: compressed as grpc-encoding says
 *   +---------+-------------------+---------
 *
 * The reader belongs to the thread that owns the socket. It gathers a message in a block of its
 * own, or, while messages are small and whole, many of them in one block. Blocks pass to the other
 * thread through an InQueue, under the stream's lock, and a block's bytes then become the caller's
 * Buf by a swap. */
#pragma once

#include "base/ctx.h"

#define MESSAGE_HEAD_BYTES 5
/* Whole messages up to this size share a block: copying them costs less than a block each. */
#define MESSAGE_SMALL_BYTES (8 * KiB)

typedef enum InKind {
    IN_FRAMES,  /* any number of whole frames */
    IN_MESSAGE, /* one payload */
    IN_GZIP,    /* one payload, compressed */
    IN_BODY,    /* part of an HTTP body */
} InKind;

typedef struct InBlock {
    struct InBlock *next;
    Buf bytes;
    size_t at;     /* in IN_FRAMES and IN_BODY: what is read so far */
    size_t credit; /* of the stream's window, given back when it is taken */
    InKind kind;
} InBlock;

typedef struct InQueue {
    InBlock *head, *tail;
} InQueue;

InBlock *in_block_new(InKind kind);
InBlock *in_block_free(InBlock *block); /* NULL is fine; always returns NULL */
void in_queue_push(InQueue *queue, InBlock *block);
InBlock *in_queue_pop(InQueue *queue);             /* NULL when empty */
void in_queue_join(InQueue *queue, InQueue *more); /* more becomes empty */
void in_queue_done(InQueue *queue);

/* Why no more messages can be read. */
typedef enum InFault {
    IN_FAULT_NONE,
    IN_FAULT_TOO_LARGE,
    IN_FAULT_BAD_FLAGS,
    IN_FAULT_BAD_ENCODING, /* compressed, but no grpc-encoding said how */
    IN_FAULT_CUT_SHORT,    /* the stream ended inside a message */
    IN_FAULT_BAD_CHUNK,    /* the framing of an HTTP/1.1 body */
} InFault;

typedef struct MessageReader {
    uint8_t head[MESSAGE_HEAD_BYTES];
    size_t head_size;
    InBlock *partial; /* being gathered, missing > 0 */
    size_t missing;
    size_t size; /* of the message that is too large */
    Buf spare;   /* memory for the next large message */
    InFault fault;
    bool gzip; /* grpc-encoding: gzip was said */
} MessageReader;

/* Adds the messages that chunk completes to out. After a fault it takes no more. */
void message_reader_feed(MessageReader *reader, Bytes chunk, InQueue *out);
void message_reader_end(MessageReader *reader); /* no more bytes come: a cut message is a fault */
void message_reader_done(MessageReader *reader);
Status message_fault_status(Ctx *ctx, InFault fault, size_t size); /* OK for none */

/* The next message of block in buf (what buf held may end up in the block, for reuse). *out_empty:
 * the block has no more. Errors: as message_fault_status, and INTERNAL, RESOURCE_EXHAUSTED for a
 * payload that does not inflate. */
Status in_block_take(Ctx *ctx, InBlock *block, Buf *buf, bool *out_empty);

/* The larger of two buffers' memory goes to `to`. */
void buf_keep_larger(Buf *to, Buf *from);

/* Writes the five bytes before a payload. */
void message_head(uint8_t head[MESSAGE_HEAD_BYTES], size_t size);
