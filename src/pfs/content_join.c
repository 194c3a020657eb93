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

typedef struct Join {
    Content *content;
    ContentWriter *writer;
} Join;

/* The old content's last chunk is taken apart, as it may have ended where no cut is. */
static Status add_old_run(void *arg, Ctx *ctx, const ContentRun *run, bool *out_done)
{
    const Join *join = arg;
    (void)out_done;
    for (size_t i = 0; i < run->n; i++) {
        if (run->is_last && i + 1 == run->n)
            TRY(add_blob(ctx, join->content, join->writer, &run->chunks[i]));
        else
            TRY(content_writer_add_chunk(ctx, join->writer, &run->chunks[i]));
    }
    return OK;
}

static Status add_new_run(void *arg, Ctx *ctx, const ContentRun *run, bool *out_done)
{
    const Join *join = arg;
    (void)out_done;
    for (size_t i = 0; i < run->n; i++) {
        if (content_writer_at_cut(join->writer))
            TRY(content_writer_add_chunk(ctx, join->writer, &run->chunks[i]));
        else
            TRY(add_blob(ctx, join->content, join->writer, &run->chunks[i]));
    }
    return OK;
}

static Status add_content(Ctx *ctx, Join *join, const TreeRecord *record, ContentRunFn add_run)
{
    if (record->form == TREE_INLINE)
        return content_writer_add(ctx, join->writer, record->data);
    return content_runs(ctx, join->content, record, add_run, join);
}

Status content_join(void *self, Ctx *ctx, const TreeRecord *old, const TreeRecord *more,
                    TreeRecord *out)
{
    CLEANUP(content_writer_freep) ContentWriter *writer = content_writer_new(self);
    Join join = { .content = self, .writer = writer };
    TRY(add_content(ctx, &join, old, add_old_run));
    TRY(add_content(ctx, &join, more, add_new_run));
    return content_writer_finish(ctx, writer, out);
}
