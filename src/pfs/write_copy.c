/* write_copy.c - copy_file (§14.5): records move, bytes stay. */
#include "base/text.h"
#include "codec/path.h"
#include "codec/pb.h"
#include "pfs/view_priv.h"
#include "pfs/write_priv.h"

static Status copy_entry(Ctx *ctx, PfsWriter *writer, Str dst, Str tag, const TreeEntry *entry,
                         bool append)
{
    TreeRecord record = entry->record;
    record.op = append ? TREE_APPEND : TREE_PUT;
    return stage_add(ctx, &writer->stage, dst, tag, &record);
}

/* All files below the directory `src` (with its slash) to the same place below `dst` (without, but
 * for the root). */
static Status copy_dir(Ctx *ctx, PfsWriter *writer, Str dst, Str tag, const PfsView *view, Str src,
                       bool append)
{
    Span span = { .base = src };
    CLEANUP(listing_done) Listing listing;
    listing_init(&listing, &view->content->io, &view->root, &span, LISTING_DEEP);
    Str to = str_eq(dst, STR("/")) ? STR("") : dst;
    for (;;) {
        Item item;
        TRY(listing_next(ctx, &listing, &item));
        if (item.path.size == 0)
            return OK;
        if (!item.entry)
            continue;
        ArenaMark mark = arena_mark(ctx->arena);
        Str below = str_sub(item.path, src.size - 1, item.path.size);
        Str path = str(text_printf(ctx->arena, STR_FMT STR_FMT, STR_ARG(to), STR_ARG(below)));
        TRY(copy_entry(ctx, writer, path, tag, item.entry, append));
        arena_rewind(ctx->arena, mark);
    }
}

static Status copy(Ctx *ctx, PfsWriter *writer, Str raw_dst, Str tag, const PfsView *view, Str src,
                   bool append)
{
    Str dst = path_clean(ctx, raw_dst);
    TRY(writer_end_file(ctx, writer));
    bool found;
    Item item;
    TRY(listing_lookup(ctx, &view->content->io, &view->root, src, &found, &item));
    if (!found)
        return OK;
    if (!item.entry)
        return copy_dir(ctx, writer, dst, tag, view, item.path, append);
    TRY(path_validate_not_root(ctx, raw_dst));
    return copy_entry(ctx, writer, dst, tag, item.entry, append);
}

/* Empty and "/" are fine as the target of a directory. */
static Status check_dst(Ctx *ctx, Str dst)
{
    return dst.size > 0 ? path_validate(ctx, dst) : OK;
}

Status pfs_writer_copy(Ctx *ctx, PfsWriter *writer, Str dst, Str tag, const PfsView *view, Str src,
                       bool append)
{
    ArenaMark mark = arena_mark(ctx->arena);
    TRY(check_dst(ctx, dst));
    TRY(copy(ctx, writer, dst, writer_tag(tag), view, src, append));
    arena_rewind(ctx->arena, mark);
    return OK;
}

/* The view of a source commit. That of the last one is kept for the stream: copying many files one
 * by one from a commit picks it once, and all from one state of it. */
static Status open_source(Ctx *ctx, PfsWriter *writer, const PfsV2__Commit *commit, PfsView *out)
{
    TRY(view_check_commit(ctx, commit));
    Bytes handle = pb_pack_bytes(ctx, &commit->base);
    if (writer->copied_handle.size > 0 && bytes_eq(handle, buf_bytes(&writer->copied_handle))) {
        *out = (PfsView){ .pfs = writer->pfs,
                          .content = writer->content,
                          .root = writer->copied_root };
        return OK;
    }
    TRY(pfs_view_open(ctx, writer->pfs, commit, out));
    buf_clear(&writer->copied_handle);
    if (view_is_computed(out))
        return OK;
    buf_add_bytes(&writer->copied_handle, handle);
    writer->copied_root = out->root;
    return OK;
}

Status writer_copy_file(Ctx *ctx, PfsWriter *writer, const PfsV2__CopyFile *request)
{
    if (!request->src)
        return FAIL(ctx, INVALID_ARGUMENT, "invalid CopyFile.Src: value is required");
    TRY(check_dst(ctx, str(request->dst)));
    PfsView view;
    TRY(open_source(ctx, writer, request->src->commit, &view));
    Str src = path_clean(ctx, str(request->src->path));
    if (*request->src->datum || view_is_computed(&view))
        TRY(view_restrict(ctx, &view, src, str(request->src->datum), &view));
    return copy(ctx, writer, str(request->dst), writer_tag(str(request->datum)), &view, src,
                request->append);
}
