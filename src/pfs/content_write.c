/* content_write.c - one file's bytes, streamed: cut, stored, and made into a record. */
#include <stdlib.h>

#include "pfs/content_priv.h"

struct ContentWriter {
    Content *content;
    Buf pending; /* bytes from the last cut's chunk on; the first `at` of them are stored already */
    size_t at;
    size_t try_size; /* look for a cut only when so much is pending: see want_more */
    Buf list;        /* encoded chunk list of what was stored */
    Hash last_hash;  /* of the newest chunk */
    size_t chunks;
    uint64_t size;
};

/* Input is taken in slices, so that a huge message does not make `pending` huge. */
#define SLICE_BYTES CHUNK_BYTES_MAX

ContentWriter *content_writer_new(Content *content)
{
    ContentWriter *writer = calloc(1, sizeof(*writer));
    if (!writer)
        abort();
    *writer = (ContentWriter){ .content = content, .try_size = CHUNK_BYTES_MIN };
    return writer;
}

ContentWriter *content_writer_free(ContentWriter *writer)
{
    if (writer) {
        buf_done(&writer->pending);
        buf_done(&writer->list);
        free(writer);
    }
    return NULL;
}

static Bytes rest(const ContentWriter *writer)
{
    return bytes(writer->pending.data + writer->at, writer->pending.size - writer->at);
}

bool content_writer_at_cut(const ContentWriter *writer)
{
    return writer->at == writer->pending.size;
}

static void note_chunk(ContentWriter *writer, const TreeChunk *chunk)
{
    tree_list_add(&writer->list, chunk);
    writer->last_hash = chunk->hash;
    writer->chunks++;
}

void content_writer_add_chunk(ContentWriter *writer, const TreeChunk *chunk)
{
    assert(content_writer_at_cut(writer));
    note_chunk(writer, chunk);
    writer->size += chunk->size;
}

static Status store_chunk(Ctx *ctx, ContentWriter *writer, size_t size)
{
    TreeChunk chunk = { .size = size };
    Bytes data = bytes(writer->pending.data + writer->at, size);
    TRY(store_put(ctx, writer->content->store, data, NULL, &chunk.hash));
    note_chunk(writer, &chunk);
    writer->at += size;
    return OK;
}

/* No cut in what is pending: the next look, which starts again at the chunk's front, comes when
 * there is twice as much, so that small pieces do not make the search quadratic. */
static void want_more(ContentWriter *writer, size_t pending_size)
{
    writer->try_size = MIN(MAX(2 * pending_size, CHUNK_BYTES_MIN), CHUNK_BYTES_MAX);
}

static Status store_cuts(Ctx *ctx, ContentWriter *writer)
{
    for (Bytes data = rest(writer); data.size >= writer->try_size; data = rest(writer)) {
        size_t size = chunk_cut(&cut_params_default, data, false);
        if (size == 0) {
            want_more(writer, data.size);
            return OK;
        }
        TRY(store_chunk(ctx, writer, size));
        writer->try_size = CHUNK_BYTES_MIN;
    }
    return OK;
}

/* Moves the rest to the front once that is less work than what was stored since. */
static void drop_stored(ContentWriter *writer)
{
    if (writer->at < writer->pending.size - writer->at)
        return;
    buf_drop_front(&writer->pending, writer->at);
    writer->at = 0;
}

Status content_writer_add(Ctx *ctx, ContentWriter *writer, Bytes data)
{
    writer->size += data.size;
    while (data.size > 0) {
        size_t size = MIN(data.size, SLICE_BYTES);
        drop_stored(writer);
        buf_add(&writer->pending, data.data, size);
        TRY(store_cuts(ctx, writer));
        data = bytes(data.data + size, data.size - size);
    }
    return OK;
}

static void make_inline(Ctx *ctx, const ContentWriter *writer, TreeRecord *out)
{
    Bytes data = rest(writer);
    out->form = TREE_INLINE;
    out->hash = hash_of(data);
    out->data = bytes(arena_memdup(ctx->arena, data.data, data.size), data.size);
}

static Status make_list(Ctx *ctx, ContentWriter *writer, TreeRecord *out)
{
    Bytes list = buf_bytes(&writer->list);
    out->hash = hash_of(list);
    if (writer->chunks <= TREE_LIST_INLINE_MAX) {
        out->form = TREE_LIST;
        out->data = bytes(arena_memdup(ctx->arena, list.data, list.size), list.size);
        return OK;
    }
    if (list.size > CHUNK_BYTES_MAX)
        return FAIL(ctx, RESOURCE_EXHAUSTED,
                    "a file of %llu bytes is too large: its list of chunks takes %zu bytes",
                    (unsigned long long)writer->size, list.size);
    out->form = TREE_LIST_BLOB;
    out->data = bytes(arena_memdup(ctx->arena, out->hash.bytes, HASH_SIZE), HASH_SIZE);
    return store_put(ctx, writer->content->store, list, &out->hash, &out->hash);
}

static Status make_chunked(Ctx *ctx, ContentWriter *writer, TreeRecord *out)
{
    while (!content_writer_at_cut(writer))
        TRY(store_chunk(ctx, writer, chunk_cut(&cut_params_default, rest(writer), true)));
    if (writer->chunks > 1)
        return make_list(ctx, writer, out);
    out->form = TREE_BLOB;
    out->hash = writer->last_hash;
    return OK;
}

static void start_anew(ContentWriter *writer)
{
    buf_clear(&writer->pending);
    buf_clear(&writer->list);
    writer->at = 0;
    writer->try_size = CHUNK_BYTES_MIN;
    writer->chunks = 0;
    writer->size = 0;
}

Status content_writer_finish(Ctx *ctx, ContentWriter *writer, TreeRecord *out)
{
    *out = (TreeRecord){ .op = TREE_PUT, .size = writer->size };
    if (writer->size <= TREE_INLINE_MAX)
        make_inline(ctx, writer, out);
    else
        TRY(make_chunked(ctx, writer, out));
    start_anew(writer);
    return OK;
}
