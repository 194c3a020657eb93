/* content_join.c - appending: the record of one content followed by another.
 *
 * Cuts depend only on the bytes from the chunk's start on. So of the old content all chunks but the
 * last stay, and the last one is cut again together with what follows. As soon as a cut falls on a
 * boundary of the new content's own chunks, its remaining chunks are what cutting would give, and
 * are taken without reading them. */
#include "pfs/content_priv.h"

static Status add_blob(Ctx *ctx, Content *content, ContentWriter *writer, const TreeChunk *chunk)
{
    CLEANUP(buf_done) Buf blob = { 0 };
    TRY(content_get_blob(ctx, content, &chunk->hash, &blob));
    return content_writer_add(ctx, writer, buf_bytes(&blob));
}

static Status add_old(Ctx *ctx, Content *content, ContentWriter *writer, const TreeRecord *old)
{
    if (old->form == TREE_INLINE)
        return content_writer_add(ctx, writer, old->data);
    TreeChunk *chunks;
    size_t n;
    TRY(content_chunks(ctx, content, old, &chunks, &n));
    for (size_t i = 0; i + 1 < n; i++)
        content_writer_add_chunk(writer, &chunks[i]);
    return n == 0 ? OK : add_blob(ctx, content, writer, &chunks[n - 1]);
}

static Status add_more(Ctx *ctx, Content *content, ContentWriter *writer, const TreeRecord *more)
{
    if (more->form == TREE_INLINE)
        return content_writer_add(ctx, writer, more->data);
    TreeChunk *chunks;
    size_t n;
    TRY(content_chunks(ctx, content, more, &chunks, &n));
    for (size_t i = 0; i < n; i++) {
        if (content_writer_at_cut(writer))
            content_writer_add_chunk(writer, &chunks[i]);
        else
            TRY(add_blob(ctx, content, writer, &chunks[i]));
    }
    return OK;
}

Status content_join(void *self, Ctx *ctx, const TreeRecord *old, const TreeRecord *more,
                    TreeRecord *out)
{
    Content *content = self;
    CLEANUP(content_writer_freep) ContentWriter *writer = content_writer_new(content);
    TRY(add_old(ctx, content, writer, old));
    TRY(add_more(ctx, content, writer, more));
    return content_writer_finish(ctx, writer, out);
}
