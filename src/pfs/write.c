/* write.c - the operations of one stream: files coming in, deletes, records. */
#include <stdlib.h>

#include "base/text.h"
#include "codec/path.h"
#include "pfs/url.h"
#include "pfs/write_priv.h"

PfsWriter *pfs_writer_new(Pfs *pfs)
{
    PfsWriter *writer = calloc(1, sizeof(*writer));
    if (!writer)
        abort();
    writer->pfs = pfs;
    writer->content = pfs_content(pfs);
    writer->file = content_writer_new(writer->content);
    stage_init(&writer->stage, writer->content);
    return writer;
}

PfsWriter *pfs_writer_free(PfsWriter *writer)
{
    if (!writer)
        return NULL;
    stage_done(&writer->stage);
    remote_free(writer->remote);
    content_writer_free(writer->file);
    Buf *texts[] = { &writer->target.branch, &writer->path, &writer->tag, &writer->copied_handle };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        buf_done(texts[i]);
    free(writer);
    return NULL;
}

Str writer_tag(Str tag)
{
    return tag.size > 0 ? tag : STR("default");
}

/* --- files coming in -------------------------------------------------------------------------- */

static Status end_file(Ctx *ctx, PfsWriter *writer, TreeRecord *out)
{
    TRY(content_writer_finish(ctx, writer->file, out));
    out->op = writer->op;
    writer->writing = false;
    return stage_add(ctx, &writer->stage, buf_str(&writer->path), buf_str(&writer->tag), out);
}

Status writer_end_file(Ctx *ctx, PfsWriter *writer)
{
    TreeRecord record;
    return writer->writing ? end_file(ctx, writer, &record) : OK;
}

static Status begin_file(Ctx *ctx, PfsWriter *writer, Str path, Str tag, TreeOp op)
{
    TRY(writer_end_file(ctx, writer));
    buf_clear(&writer->path);
    buf_add_str(&writer->path, path);
    buf_clear(&writer->tag);
    buf_add_str(&writer->tag, tag);
    writer->op = stage_take_delete(&writer->stage, path, tag) ? TREE_PUT : op;
    writer->writing = true;
    return OK;
}

static bool is_writing(const PfsWriter *writer, Str path, Str tag)
{
    return writer->writing && str_eq(buf_str(&writer->path), path) &&
           str_eq(buf_str(&writer->tag), tag);
}

/* A path that may name a file, clean. */
static Status file_path(Ctx *ctx, Str path, Str *out)
{
    TRY(path_validate(ctx, path));
    TRY(path_validate_not_root(ctx, path));
    *out = path_clean(ctx, path);
    return OK;
}

static Status put(Ctx *ctx, PfsWriter *writer, Str raw_path, Str tag, Bytes data)
{
    Str path;
    TRY(file_path(ctx, raw_path, &path));
    TRY(begin_file(ctx, writer, path, writer_tag(tag), TREE_PUT));
    return content_writer_add(ctx, writer->file, data);
}

static Status append(Ctx *ctx, PfsWriter *writer, Str raw_path, Str tag, Bytes data)
{
    Str path;
    TRY(file_path(ctx, raw_path, &path));
    if (!is_writing(writer, path, writer_tag(tag)))
        TRY(begin_file(ctx, writer, path, writer_tag(tag), TREE_APPEND));
    return content_writer_add(ctx, writer->file, data);
}

static Status put_record(Ctx *ctx, PfsWriter *writer, Str raw_path, Str tag,
                         const TreeRecord *record)
{
    Str path;
    TRY(file_path(ctx, raw_path, &path));
    TRY(writer_end_file(ctx, writer));
    return stage_add(ctx, &writer->stage, path, writer_tag(tag), record);
}

/* --- deletes ---------------------------------------------------------------------------------- */

static Status delete_file(Ctx *ctx, PfsWriter *writer, Str path, Str tag)
{
    return stage_add(ctx, &writer->stage, path, tag, &(TreeRecord){ .op = TREE_DELETE });
}

/* Deletes what a tree has below dir. */
static Status delete_listed(Ctx *ctx, PfsWriter *writer, const Hash *root, Str dir, Str tag)
{
    CLEANUP(tree_cursor_freep) TreeCursor *cursor = tree_cursor_new(&writer->content->io, root);
    TRY(tree_cursor_seek(ctx, cursor, dir, STR("")));
    for (const TreeEntry *entry;
         (entry = tree_cursor_entry(cursor)) && str_starts(entry->path, dir);) {
        TRY(ctx_check(ctx));
        if (entry->record.op != TREE_DELETE && str_eq(entry->tag, tag))
            TRY(delete_file(ctx, writer, entry->path, tag));
        TRY(tree_cursor_next(ctx, cursor));
    }
    return OK;
}

/* Below dir: what the target has, and what this stream wrote. The deletes may spill, which changes
 * the stage's layers: so the layers to look through are noted first. */
static Status delete_dir(Ctx *ctx, PfsWriter *writer, Str dir, Str tag)
{
    TRY(stage_spill(ctx, &writer->stage));
    Hash roots[STAGE_LAYERS_MAX + 1];
    size_t n = 0;
    TRY(writer_base(ctx, writer, &roots[n++]));
    for (size_t i = 0; i < writer->stage.layer_count; i++)
        roots[n++] = writer->stage.layers[i].root;
    for (size_t i = 0; i < n; i++)
        TRY(delete_listed(ctx, writer, &roots[i], dir, tag));
    return OK;
}

static Status delete_path(Ctx *ctx, PfsWriter *writer, Str raw_path, Str tag)
{
    TRY(path_validate(ctx, raw_path));
    TRY(writer_end_file(ctx, writer));
    Str path = path_clean(ctx, raw_path);
    if (!str_ends(raw_path, STR("/")))
        return delete_file(ctx, writer, path, writer_tag(tag));
    if (str_eq(path, STR("/")))
        return delete_dir(ctx, writer, path, writer_tag(tag));
    Str dir = str(text_printf(ctx->arena, STR_FMT "/", STR_ARG(path)));
    return delete_dir(ctx, writer, dir, writer_tag(tag));
}

/* --- messages --------------------------------------------------------------------------------- */

static Status add_file(Ctx *ctx, PfsWriter *writer, const PfsV2__AddFile *add)
{
    Bytes data = bytes(NULL, 0);
    if (add->source_case == PFS_V2__ADD_FILE__SOURCE_URL)
        return pfs_url_fetch(ctx, writer, add);
    if (add->source_case == PFS_V2__ADD_FILE__SOURCE_RAW)
        data = bytes(add->raw->value.data, add->raw->value.len);
    return append(ctx, writer, str(add->path), str(add->datum), data);
}

static Status modify(Ctx *ctx, PfsWriter *writer, const PfsV2__ModifyFileRequest *request)
{
    switch ((int)request->body_case) {
    case PFS_V2__MODIFY_FILE_REQUEST__BODY_SET_COMMIT:
        return FAIL(ctx, UNKNOWN, "cannot set commit");
    case PFS_V2__MODIFY_FILE_REQUEST__BODY_ADD_FILE:
        return add_file(ctx, writer, request->add_file);
    case PFS_V2__MODIFY_FILE_REQUEST__BODY_DELETE_FILE:
        return delete_path(ctx, writer, str(request->delete_file->path),
                           str(request->delete_file->datum));
    case PFS_V2__MODIFY_FILE_REQUEST__BODY_COPY_FILE:
        return writer_copy_file(ctx, writer, request->copy_file);
    default:
        return FAIL(ctx, UNKNOWN, "unrecognized message type");
    }
}

/* A stream is long: nothing of a call that went well stays in the arena. */
#define REWOUND(ctx, call)                                                                         \
    do {                                                                                           \
        ArenaMark mark_ = arena_mark((ctx)->arena);                                                \
        TRY(call);                                                                                 \
        arena_rewind((ctx)->arena, mark_);                                                         \
        return OK;                                                                                 \
    } while (0)

Status pfs_writer_modify(Ctx *ctx, PfsWriter *writer, const PfsV2__ModifyFileRequest *request)
{
    REWOUND(ctx, modify(ctx, writer, request));
}

Status pfs_writer_put(Ctx *ctx, PfsWriter *writer, Str path, Str tag, Bytes data)
{
    REWOUND(ctx, put(ctx, writer, path, tag, data));
}

Status pfs_writer_append(Ctx *ctx, PfsWriter *writer, Str path, Str tag, Bytes data)
{
    REWOUND(ctx, append(ctx, writer, path, tag, data));
}

Status pfs_writer_put_record(Ctx *ctx, PfsWriter *writer, Str path, Str tag,
                             const TreeRecord *record)
{
    REWOUND(ctx, put_record(ctx, writer, path, tag, record));
}

Status pfs_writer_delete(Ctx *ctx, PfsWriter *writer, Str path, Str tag)
{
    REWOUND(ctx, delete_path(ctx, writer, path, tag));
}

Status pfs_writer_end_put(Ctx *ctx, PfsWriter *writer, Hash *out_hash)
{
    assert(writer->writing && writer->op == TREE_PUT);
    ArenaMark mark = arena_mark(ctx->arena);
    TreeRecord record;
    TRY(end_file(ctx, writer, &record));
    *out_hash = record.hash;
    arena_rewind(ctx->arena, mark);
    return OK;
}

/* --- the end ---------------------------------------------------------------------------------- */

Status writer_finish(Ctx *ctx, PfsWriter *writer, Hash *out_layer)
{
    TRY(writer_end_file(ctx, writer));
    return stage_finish(ctx, &writer->stage, out_layer);
}

Status pfs_writer_layer(Ctx *ctx, PfsWriter *writer, Hash *out_layer)
{
    TRY(writer_finish(ctx, writer, out_layer));
    return store_sync(ctx, writer->content->store);
}
