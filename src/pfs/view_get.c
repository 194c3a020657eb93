/* view_get.c - GetFile and GetFileTAR: content out (§15.4, §15.5). */
#include "codec/tar.h"
#include "pfs/url.h"
#include "pfs/view_priv.h"

/* --- GetFile ---------------------------------------------------------------------------------- */

typedef struct OneFile {
    size_t n;
    TreeRecord record;
} OneFile;

static Status take_one(void *arg, Ctx *ctx, const Item *item)
{
    OneFile *one = arg;
    if (++one->n > 1)
        return FAIL(ctx, UNKNOWN, "matched multiple files. Use GetFileTAR instead");
    if (!item->entry)
        return FAIL(ctx, UNKNOWN,
                    "cannot get directory or non-regular file. Use GetFileTAR instead");
    one->record = item->entry->record;
    Bytes data = one->record.data;
    one->record.data = bytes(arena_memdup(ctx->arena, data.data, data.size), data.size);
    return OK;
}

/* The view of a request's file, filtered by its datum. */
static Status open_pattern(Ctx *ctx, Pfs *pfs, const PfsV2__File *file, PfsView *out)
{
    return view_open_file(ctx, pfs, file, STR("/"), out);
}

Status pfs_get_file(Ctx *ctx, Pfs *pfs, const PfsV2__GetFileRequest *request, PfsBytesFn fn,
                    void *arg)
{
    const PfsV2__File *file = request->file;
    TRY(view_check_file(ctx, file));
    if (*request->url)
        return pfs_url_export(ctx, pfs, request);
    if (request->offset < 0)
        return FAIL(ctx, INVALID_ARGUMENT, "offset must not be negative, it is %lld",
                    (long long)request->offset);
    PfsView view;
    TRY_WRAP(ctx, open_pattern(ctx, pfs, file, &view), "get file");
    OneFile one = { 0 };
    ViewGlob glob = { .pattern = file->path, .range = request->path_range, .contents = true };
    TRY_WRAP(ctx, view_glob(ctx, &view, &glob, take_one, &one), "get file");
    if (one.n == 0)
        return view_file_not_found(ctx, file);
    return content_read(ctx, view.content, &one.record, (uint64_t)request->offset, UINT64_MAX, fn,
                        arg);
}

/* --- GetFileTAR ------------------------------------------------------------------------------- */

/* Small files leave together, in pieces of this size. */
#define TAR_PIECE_BYTES (1 * MiB)

typedef struct TarOut {
    Content *content;
    Buf piece;
    size_t n;
    PfsBytesFn fn;
    void *arg;
} TarOut;

static void tar_out_done(TarOut *out)
{
    buf_done(&out->piece);
}

static Status tar_flush(Ctx *ctx, TarOut *out, size_t at_least)
{
    if (out->piece.size < at_least || out->piece.size == 0)
        return OK;
    TRY(out->fn(out->arg, ctx, buf_bytes(&out->piece)));
    buf_clear(&out->piece);
    return OK;
}

static Status tar_add_data(void *arg, Ctx *ctx, Bytes data)
{
    TarOut *out = arg;
    if (data.size >= TAR_PIECE_BYTES) {
        TRY(tar_flush(ctx, out, 0));
        return out->fn(out->arg, ctx, data);
    }
    buf_add_bytes(&out->piece, data);
    return tar_flush(ctx, out, TAR_PIECE_BYTES);
}

static Status tar_add(void *arg, Ctx *ctx, const Item *item)
{
    TarOut *out = arg;
    ArenaMark mark = arena_mark(ctx->arena);
    TarEntry entry = { .name = item->path, .type = TAR_DIR };
    if (item->entry) {
        entry.type = TAR_FILE;
        entry.size = item->entry->record.size;
    }
    tar_write_header(&out->piece, &entry);
    if (item->entry)
        TRY(content_read(ctx, out->content, &item->entry->record, 0, entry.size, tar_add_data,
                         out));
    tar_write_padding(&out->piece, entry.size);
    TRY(tar_flush(ctx, out, TAR_PIECE_BYTES));
    arena_rewind(ctx->arena, mark);
    out->n++;
    return OK;
}

Status pfs_get_file_tar(Ctx *ctx, Pfs *pfs, const PfsV2__GetFileRequest *request, PfsBytesFn fn,
                        void *arg)
{
    const PfsV2__File *file = request->file;
    TRY(view_check_file(ctx, file));
    if (*request->url)
        return pfs_url_export(ctx, pfs, request);
    PfsView view;
    TRY(open_pattern(ctx, pfs, file, &view));
    CLEANUP(tar_out_done) TarOut out = { .content = view.content, .fn = fn, .arg = arg };
    ViewGlob glob = { .pattern = file->path, .range = request->path_range, .contents = true };
    TRY(view_glob(ctx, &view, &glob, tar_add, &out));
    if (out.n == 0)
        return view_file_not_found(ctx, file);
    tar_write_end(&out.piece);
    return tar_flush(ctx, &out, 0);
}
