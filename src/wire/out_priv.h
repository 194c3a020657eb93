/* out_priv.h - bytes on their way out: from the thread that makes them to the socket, copied once.
 *
 *   wire_send -> OutQueue of a stream (blocks) -> OutChain of a connection (pieces: views into
 * blocks) -> sendmsg
 *
 * An OutQueue is guarded by its stream's lock: one thread adds at the tail, the network thread
 * takes from the head. Bytes once added never move, so a piece may look into a block whose tail is
 * still being written. An OutChain, and the counts of views, belong to the network thread alone.
 */
#pragma once

#include <sys/uio.h>

#include "base/bytes.h"

/* Small messages of a stream share a block; large ones are cut so that sending starts while copying
 * goes on. */
#define OUT_BLOCK_BYTES_MIN (16 * KiB)
#define OUT_BLOCK_BYTES_MAX (256 * KiB)

typedef struct OutBlock {
    struct OutBlock *next; /* in an OutQueue */
    size_t capacity;
    size_t filled;
    size_t taken;  /* by an OutChain */
    size_t views;  /* pieces that point into it */
    bool unlinked; /* no queue holds it: the last view frees it */
    uint8_t data[];
} OutBlock;

OutBlock *out_block_new(size_t capacity);          /* never NULL: aborts when memory is out */
void out_block_fill(OutBlock *block, Bytes *from); /* moves what fits */

typedef struct OutQueue {
    OutBlock *head, *tail;
    size_t size; /* bytes added and not yet taken */
} OutQueue;

void out_queue_add(OutQueue *queue, Bytes bytes);
void out_queue_link(OutQueue *queue,
                    OutBlock *block); /* takes over a block that was filled apart */
void out_queue_done(OutQueue *queue); /* frees what was never taken */
/* How many bytes one out_chain_move can take now: what is there, but in few enough blocks. */
size_t out_queue_ready(const OutQueue *queue);

#define OUT_MOVE_BLOCKS_MAX 16
#define OUT_PIECES_MAX      64
/* A chain takes no more while this much waits for the socket. */
#define OUT_CHAIN_BYTES_MAX (512 * KiB)
/* Bytes that cost less to copy than to send apart. */
#define OUT_COPY_BYTES_MAX 512

typedef struct OutPiece {
    OutBlock *block;
    const uint8_t *data;
    size_t size;
} OutPiece;

typedef struct OutChain {
    OutPiece pieces[OUT_PIECES_MAX]; /* a ring */
    size_t first, count;
    size_t size;       /* bytes in all pieces */
    OutBlock *scratch; /* where copied bytes go */
} OutChain;

bool out_chain_full(const OutChain *chain);
void out_chain_copy(OutChain *chain, Bytes bytes);
/* Moves the first size (at most out_queue_ready) bytes of queue. The chain must not be full. */
void out_chain_move(OutChain *chain, OutQueue *queue, size_t size);
size_t out_chain_view(const OutChain *chain,
                      struct iovec views[OUT_PIECES_MAX]); /* how many it set */
void out_chain_sent(OutChain *chain, size_t size);         /* drops the first size bytes */
void out_chain_done(OutChain *chain);
