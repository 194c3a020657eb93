/* out.c - see out_priv.h. */
#include "wire/out_priv.h"

#include <stdlib.h>

OutBlock *out_block_new(size_t capacity)
{
    OutBlock *block = malloc(sizeof(*block) + capacity);
    if (!block)
        abort();
    *block = (OutBlock){ .capacity = capacity };
    return block;
}

void out_block_fill(OutBlock *block, Bytes *from)
{
    size_t size = MIN(from->size, block->capacity - block->filled);
    if (!size)
        return;
    memcpy(block->data + block->filled, from->data, size);
    block->filled += size;
    *from = (Bytes){ from->data + size, from->size - size };
}

void out_queue_link(OutQueue *queue, OutBlock *block)
{
    if (queue->tail)
        queue->tail->next = block;
    else
        queue->head = block;
    queue->tail = block;
    queue->size += block->filled;
}

void out_queue_add(OutQueue *queue, Bytes bytes)
{
    if (queue->tail) {
        size_t before = bytes.size;
        out_block_fill(queue->tail, &bytes);
        queue->size += before - bytes.size;
    }
    while (bytes.size) {
        OutBlock *block =
            out_block_new(MIN(MAX(bytes.size, OUT_BLOCK_BYTES_MIN), OUT_BLOCK_BYTES_MAX));
        out_block_fill(block, &bytes);
        out_queue_link(queue, block);
    }
}

static void block_free_if_unused(OutBlock *block)
{
    if (block->unlinked && block->views == 0)
        free(block);
}

static void unlink_head(OutQueue *queue)
{
    OutBlock *block = queue->head;
    queue->head = block->next;
    if (!queue->head)
        queue->tail = NULL;
    block->unlinked = true;
    block_free_if_unused(block);
}

void out_queue_done(OutQueue *queue)
{
    while (queue->head)
        unlink_head(queue);
    queue->size = 0;
}

size_t out_queue_ready(const OutQueue *queue)
{
    size_t size = 0, blocks = 0;
    for (const OutBlock *b = queue->head; b && blocks < OUT_MOVE_BLOCKS_MAX; b = b->next, blocks++)
        size += b->filled - b->taken;
    return size;
}

bool out_chain_full(const OutChain *chain)
{
    /* Room for the largest move: its blocks, and copied bytes before it that begin a new
     * scratch. */
    return chain->count > OUT_PIECES_MAX - OUT_MOVE_BLOCKS_MAX - 2 ||
           chain->size >= OUT_CHAIN_BYTES_MAX;
}

static void push_view(OutChain *chain, OutBlock *block, const uint8_t *data, size_t size)
{
    OutPiece *last = &chain->pieces[(chain->first + chain->count - 1) % OUT_PIECES_MAX];
    chain->size += size;
    if (chain->count && last->block == block && last->data + last->size == data) {
        last->size += size;
        return;
    }
    assert(chain->count < OUT_PIECES_MAX);
    chain->pieces[(chain->first + chain->count++) % OUT_PIECES_MAX] =
        (OutPiece){ block, data, size };
    block->views++;
}

static void scratch_drop(OutChain *chain)
{
    if (chain->scratch) {
        chain->scratch->unlinked = true;
        block_free_if_unused(chain->scratch);
        chain->scratch = NULL;
    }
}

void out_chain_copy(OutChain *chain, Bytes bytes)
{
    OutBlock *scratch = chain->scratch;
    if (!scratch || scratch->capacity - scratch->filled < bytes.size) {
        scratch_drop(chain);
        scratch = chain->scratch = out_block_new(MAX(bytes.size, OUT_BLOCK_BYTES_MIN));
    }
    const uint8_t *at = scratch->data + scratch->filled;
    size_t size = bytes.size;
    out_block_fill(scratch, &bytes);
    push_view(chain, scratch, at, size);
}

void out_chain_move(OutChain *chain, OutQueue *queue, size_t size)
{
    assert(size <= queue->size);
    while (size) {
        OutBlock *block = queue->head;
        size_t n = MIN(size, block->filled - block->taken);
        const uint8_t *data = block->data + block->taken;
        if (n <= OUT_COPY_BYTES_MAX)
            out_chain_copy(chain, bytes(data, n));
        else
            push_view(chain, block, data, n);
        block->taken += n;
        queue->size -= n;
        size -= n;
        if (block->taken == block->filled)
            unlink_head(queue);
    }
}

size_t out_chain_view(const OutChain *chain, struct iovec views[OUT_PIECES_MAX])
{
    for (size_t i = 0; i < chain->count; i++) {
        OutPiece piece = chain->pieces[(chain->first + i) % OUT_PIECES_MAX];
        views[i].iov_len = piece.size;
        memcpy(&views[i].iov_base, &piece.data, sizeof(piece.data)); /* sendmsg only reads */
    }
    return chain->count;
}

static void pop_piece(OutChain *chain)
{
    OutBlock *block = chain->pieces[chain->first].block;
    chain->first = (chain->first + 1) % OUT_PIECES_MAX;
    chain->count--;
    block->views--;
    block_free_if_unused(block);
}

void out_chain_sent(OutChain *chain, size_t size)
{
    assert(size <= chain->size);
    chain->size -= size;
    while (size) {
        OutPiece *piece = &chain->pieces[chain->first];
        size_t n = MIN(size, piece->size);
        piece->data += n;
        piece->size -= n;
        size -= n;
        if (!piece->size)
            pop_piece(chain);
    }
    if (!chain->count)
        scratch_drop(chain); /* an idle connection holds no memory for output */
}

void out_chain_done(OutChain *chain)
{
    out_chain_sent(chain, chain->size);
    scratch_drop(chain);
}
