/* content_write.c - one file's bytes, streamed: cut, stored, and made into a record. */
#include <stdlib.h>

#include "pfs/content_priv.h"

struct ContentWriter {
    Content *content;
    Buf pending; /* bytes from the last cut's chunk on; the first `at` of them are stored already */
    size_t at;
    size_t try_size; /* look for a cut only when so much is pending: see want_more */
    Buf list;        /* encoded list of the chunks stored, as far as it is not in blobs itself */
    Buf list_names;  /* hashes of the blobs with the list before that */
    Hasher *hasher;  /* over all of the list */
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
    *writer =
        (ContentWriter){ .content = content, .try_size = CHUNK_BYTES_MIN, .hasher = hasher_new() };
    return writer;
}

ContentWriter *content_writer_free(ContentWriter *writer)
{
    if (writer) {
        buf_done(&writer->pending);
        buf_done(&writer->list);
        buf_done(&writer->list_names);
        hasher_free(writer->hasher);
        free(writer);
    }
    return NULL;
}

bool content_writer_at_cut(const ContentWriter *writer)
{
    return writer->at == writer->pending.size;
}

static Bytes rest(const ContentWriter *writer)
{
    if (content_writer_at_cut(writer))
        return bytes(NULL, 0);
    return bytes(writer->pending.data + writer->at, writer->pending.size - writer->at);
}

/* Stores what is listed as a blob of its own. */
static Status store_list(Ctx *ctx, ContentWriter *writer)
{
    if (writer->list_names.size == TREE_LIST_BLOBS_MAX * HASH_SIZE)
        return FAIL(ctx, RESOURCE_EXHAUSTED, "the file is too large: it has over %zu chunks",
                    writer->chunks);
    Hash hash;
    TRY(store_put(ctx, writer->content->store, buf_bytes(&writer->list), NULL, &hash));
    buf_add(&writer->list_names, hash.bytes, HASH_SIZE);
    buf_clear(&writer->list);
    return OK;
}

/* A blob of the list is full when another chunk might not fit: the longest takes so many bytes. */
#define LISTED_BYTES_MAX (HASH_SIZE + 10)

static Status note_chunk(Ctx *ctx, ContentWriter *writer, const TreeChunk *chunk)
{
    if (writer->list.size > CHUNK_BYTES_MAX - LISTED_BYTES_MAX)
        TRY(store_list(ctx, writer));
    size_t before = writer->list.size;
    tree_list_add(&writer->list, chunk);
    hasher_add(writer->hasher, bytes(writer->list.data + before, writer->list.size - before));
    writer->last_hash = chunk->hash;
    writer->chunks++;
    return OK;
}

Status content_writer_add_chunk(Ctx *ctx, ContentWriter *writer, const TreeChunk *chunk)
{
    assert(content_writer_at_cut(writer));
    writer->size += chunk->size;
    return note_chunk(ctx, writer, chunk);
}

static Status store_chunk(Ctx *ctx, ContentWriter *writer, size_t size)
{
    TreeChunk chunk = { .size = size };
    Bytes data = bytes(writer->pending.data + writer->at, size);
    TRY(store_put(ctx, writer->content->store, data, NULL, &chunk.hash));
    writer->at += size;
    return note_chunk(ctx, writer, &chunk);
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

static Bytes keep(Ctx *ctx, const Buf *buf)
{
    return bytes(arena_memdup(ctx->arena, buf->data, buf->size), buf->size);
}

static Status make_list(Ctx *ctx, ContentWriter *writer, TreeRecord *out)
{
    out->hash = hasher_finish(writer->hasher);
    if (writer->chunks <= TREE_LIST_INLINE_MAX) {
        out->form = TREE_LIST;
        out->data = keep(ctx, &writer->list);
        return OK;
    }
    TRY(store_list(ctx, writer));
    out->form = TREE_LIST_BLOB;
    out->data = keep(ctx, &writer->list_names);
    return OK;
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
    buf_clear(&writer->list_names);
    if (writer->chunks > 0)
        hasher_finish(writer->hasher); /* what a file of one chunk put there */
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
