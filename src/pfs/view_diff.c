/* view_diff.c - DiffFile (§15.6): the entries that differ come from comparing the trees; their
 * directories are made up around them. */
#include "base/text.h"
#include "codec/path.h"
#include "pfs/view_priv.h"

typedef enum Side { OLD = 0, NEW = 1 } Side;

/* What is kept of a file until both sides are known. */
typedef struct DiffFile {
    bool present;
    Buf tag;
    TreeRecord record; /* without data */
} DiffFile;

typedef struct Diff {
    PfsView views[2];
    Str dirs[2]; /* the directory that each side is about, with its '/' */
    Buf path;    /* of the files below */
    DiffFile files[2];
    Buf last; /* the path given last */
    PfsDiffFn fn;
    void *arg;
} Diff;

static void diff_done(Diff *diff)
{
    buf_done(&diff->path);
    buf_done(&diff->files[OLD].tag);
    buf_done(&diff->files[NEW].tag);
    buf_done(&diff->last);
}

static Status side_info(Ctx *ctx, const Diff *diff, Side side, const Item *item,
                        PfsV2__FileInfo **out)
{
    return view_info(ctx, &diff->views[side], item, STR(""), out);
}

/* The directory as a side has it; NULL when the side is not about it or has nothing in it. */
static Status dir_info(Ctx *ctx, const Diff *diff, Side side, Str dir, PfsV2__FileInfo **out)
{
    *out = NULL;
    if (!str_starts(dir, diff->dirs[side]))
        return OK;
    PfsV2__FileInfo *info;
    TRY(side_info(ctx, diff, side, &(Item){ .path = dir }, &info));
    if (!bytes_eq(bytes(info->hash.data, info->hash.len), bytes((Hash){ 0 }.bytes, HASH_SIZE)))
        *out = info;
    return OK;
}

static Status give_dir(Ctx *ctx, const Diff *diff, Str dir)
{
    ArenaMark mark = arena_mark(ctx->arena);
    PfsV2__FileInfo *infos[2];
    TRY(dir_info(ctx, diff, OLD, dir, &infos[OLD]));
    TRY(dir_info(ctx, diff, NEW, dir, &infos[NEW]));
    if (infos[OLD] || infos[NEW])
        TRY(diff->fn(diff->arg, ctx, infos[NEW], infos[OLD]));
    arena_rewind(ctx->arena, mark);
    return OK;
}

/* The directories of `path` that were not given with the path before it. */
static Status give_dirs(Ctx *ctx, const Diff *diff, Str path)
{
    for (size_t i = 0; i < path.size; i++) {
        Str dir = str_sub(path, 0, i + 1);
        if (path.data[i] == '/' && !str_starts(buf_str(&diff->last), dir))
            TRY(give_dir(ctx, diff, dir));
    }
    return OK;
}

static Status file_info(Ctx *ctx, const Diff *diff, Side side, PfsV2__FileInfo **out)
{
    const DiffFile *file = &diff->files[side];
    *out = NULL;
    if (!file->present)
        return OK;
    TreeEntry entry = { .path = buf_str(&diff->path),
                        .tag = buf_str(&file->tag),
                        .record = file->record };
    return side_info(ctx, diff, side, &(Item){ .path = entry.path, .entry = &entry }, out);
}

static Status give_file(Ctx *ctx, const Diff *diff)
{
    ArenaMark mark = arena_mark(ctx->arena);
    PfsV2__FileInfo *infos[2];
    TRY(file_info(ctx, diff, OLD, &infos[OLD]));
    TRY(file_info(ctx, diff, NEW, &infos[NEW]));
    TRY(diff->fn(diff->arg, ctx, infos[NEW], infos[OLD]));
    arena_rewind(ctx->arena, mark);
    return OK;
}

/* Gives what was gathered for one path. The same content under another datum's name is no
 * difference. */
static Status flush_path(Ctx *ctx, Diff *diff)
{
    const DiffFile *old_file = &diff->files[OLD], *new_file = &diff->files[NEW];
    bool same = old_file->present && new_file->present &&
                hash_eq(&old_file->record.hash, &new_file->record.hash);
    if (same || !(old_file->present || new_file->present))
        return OK;
    TRY(give_dirs(ctx, diff, buf_str(&diff->path)));
    TRY(give_file(ctx, diff));
    buf_clear(&diff->last);
    buf_add_bytes(&diff->last, buf_bytes(&diff->path));
    return OK;
}

static void keep_side(Diff *diff, Side side, const TreeEntry *entry)
{
    if (!entry)
        return;
    DiffFile *file = &diff->files[side];
    file->present = true;
    file->record = entry->record;
    file->record.data = bytes(NULL, 0);
    buf_clear(&file->tag);
    buf_add_str(&file->tag, entry->tag);
}

static Status take_entry(void *arg, Ctx *ctx, const TreeEntry *old_entry,
                         const TreeEntry *new_entry)
{
    Diff *diff = arg;
    Str path = old_entry ? old_entry->path : new_entry->path;
    if (!str_eq(path, buf_str(&diff->path))) {
        TRY(flush_path(ctx, diff));
        buf_clear(&diff->path);
        buf_add_str(&diff->path, path);
        diff->files[OLD].present = diff->files[NEW].present = false;
    }
    keep_side(diff, OLD, old_entry);
    keep_side(diff, NEW, new_entry);
    return OK;
}

static Status diff_range(Ctx *ctx, Diff *diff, Str from, Str to)
{
    return tree_diff(ctx, &diff->views[NEW].content->io, &diff->views[OLD].root,
                     &diff->views[NEW].root, from, to, take_entry, diff);
}

static Str dir_of(Ctx *ctx, Str path)
{
    if (str_eq(path, STR("/")))
        return path;
    return str(text_printf(ctx->arena, STR_FMT "/", STR_ARG(path)));
}

/* Both sides are about `path`: the file, then the directory of that name. */
static Status diff_same_path(Ctx *ctx, Diff *diff, Str path)
{
    Str dir = diff->dirs[NEW];
    if (!str_eq(path, dir)) {
        Str behind = { str_z(ctx->arena, path),
                       path.size + 1 }; /* with its NUL: the least text after path */
        TRY(diff_range(ctx, diff, path, behind));
    }
    return diff_range(ctx, diff, dir, tree_dir_end(ctx, dir));
}

static Status diff_views(Ctx *ctx, Diff *diff, Str old_path, Str new_path)
{
    diff->dirs[OLD] = dir_of(ctx, old_path);
    diff->dirs[NEW] = dir_of(ctx, new_path);
    bool computed = view_is_computed(&diff->views[OLD]) || view_is_computed(&diff->views[NEW]);
    if (str_eq(old_path, new_path) && !computed) {
        TRY(diff_same_path(ctx, diff, new_path));
    } else {
        TRY(view_restrict(ctx, &diff->views[OLD], old_path, STR(""), &diff->views[OLD]));
        TRY(view_restrict(ctx, &diff->views[NEW], new_path, STR(""), &diff->views[NEW]));
        TRY(diff_range(ctx, diff, STR(""), STR("")));
    }
    return flush_path(ctx, diff);
}

/* The side that a request does not name: the new side's path in its commit's parent, or nothing. */
static Status open_parent(Ctx *ctx, Pfs *pfs, const PfsView *view, PfsView *out)
{
    *out = *view;
    out->content = pfs_content(pfs);
    out->root = (Hash){ 0 };
    if (view->commit_id == 0)
        return OK;
    PfsCommitRow row;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    TRY(pfs_commit_row(ctx, tx, view->commit_id, &row));
    if (row.parent_id == 0)
        return OK;
    TRY(pfs_commit_row(ctx, tx, row.parent_id, &row));
    tx = pfs_rollback(tx);
    return view_open_row(ctx, pfs, &row, out);
}

static Status filter_by_datum(Ctx *ctx, PfsView *view, Str path, const char *datum)
{
    return *datum ? view_restrict(ctx, view, path, str(datum), view) : OK;
}

Status pfs_diff_file(Ctx *ctx, Pfs *pfs, const PfsV2__DiffFileRequest *request, PfsDiffFn fn,
                     void *arg)
{
    const PfsV2__File *new_file = request->new_file;
    const PfsV2__File *old_file = request->old_file ? request->old_file : new_file;
    if (!new_file)
        return FAIL(ctx, UNKNOWN, "file cannot be nil");
    TRY_WRAP(ctx, view_check_commit(ctx, new_file->commit), "check new file commit");
    TRY_WRAP(ctx, view_check_commit(ctx, old_file->commit), "check old file commit");

    CLEANUP(diff_done) Diff diff = { .fn = fn, .arg = arg };
    Str new_path = path_clean(ctx, str(new_file->path)),
        old_path = path_clean(ctx, str(old_file->path));
    TRY(pfs_view_open(ctx, pfs, new_file->commit, &diff.views[NEW]));
    if (request->old_file)
        TRY(pfs_view_open(ctx, pfs, old_file->commit, &diff.views[OLD]));
    else
        TRY(open_parent(ctx, pfs, &diff.views[NEW], &diff.views[OLD]));
    TRY(filter_by_datum(ctx, &diff.views[NEW], new_path, new_file->datum));
    TRY(filter_by_datum(ctx, &diff.views[OLD], old_path, old_file->datum));
    return diff_views(ctx, &diff, old_path, new_path);
}
