/* view.c - opening a view, and the infos of its files and directories. */
#include "pfs/view_priv.h"

#include "base/text.h"
#include "codec/path.h"
#include "codec/pb.h"
#include "codec/pbtime.h"
#include "pfs/write.h"

Status view_check_commit(Ctx *ctx, const PfsV2__Commit *commit)
{
    if (!commit)
        return FAIL(ctx, UNKNOWN, "commit cannot be nil");
    if (!commit->repo && !(commit->branch && commit->branch->repo))
        return FAIL(ctx, UNKNOWN, "commit must have a repo");
    return OK;
}

Status view_check_file(Ctx *ctx, const PfsV2__File *file)
{
    if (!file)
        return FAIL(ctx, UNKNOWN, "file cannot be nil");
    return view_check_commit(ctx, file->commit);
}

static Status open_fileset(Ctx *ctx, Pfs *pfs, const PfsV2__Commit *commit, PfsView *out)
{
    Hash layer;
    *out = (PfsView){ .pfs = pfs,
                      .content = pfs_content(pfs),
                      .commit = PB_CLONE(ctx, PfsV2__Commit, commit) };
    return pfs_fileset_roots(ctx, pfs, commit->id, &layer, &out->root);
}

Status view_pick(Ctx *ctx, Pfs *pfs, const PfsV2__Commit *commit, PfsCommitRow *out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    return pfs_pick(ctx, tx, commit, out);
}

/* A commit of a meta repo shows what the record of its job says: nothing of it is stored. */
static Status compute(Ctx *ctx, const PfsCommitRow *row, PfsView *view)
{
    if (strcmp(row->repo_type, "meta") != 0)
        return OK;
    const TreeSource *source;
    TRY(pfs_compute(ctx, view->pfs, row, &source));
    if (!source)
        return OK;
    view->content = ARENA_ONE(ctx->arena, Content);
    content_init(view->content, pfs_store(view->pfs));
    view->content->io.source = source;
    return OK;
}

bool view_is_computed(const PfsView *view)
{
    return view->content->io.source != NULL;
}

Status view_open_row(Ctx *ctx, Pfs *pfs, const PfsCommitRow *row, PfsView *out)
{
    *out = (PfsView){
        .pfs = pfs,
        .content = pfs_content(pfs),
        .commit = pfs_commit_ref(ctx, row->project, row->repo, row->set_id),
        .committed_ns = row->finishing_ns,
        .commit_id = row->id,
    };
    out->commit->repo->type = arena_strdup(ctx->arena, row->repo_type);
    TRY(pfs_commit_view(ctx, pfs, row->id, &out->root));
    return compute(ctx, row, out);
}

Status pfs_view_open(Ctx *ctx, Pfs *pfs, const PfsV2__Commit *commit, PfsView *out)
{
    TRY(view_check_commit(ctx, commit));
    const PfsV2__Repo *repo = commit->repo ? commit->repo : commit->branch->repo;
    if (strcmp(repo->name, PFS_FILESETS_REPO) == 0)
        return open_fileset(ctx, pfs, commit, out);
    PfsCommitRow row;
    TRY(view_pick(ctx, pfs, commit, &row));
    return view_open_row(ctx, pfs, &row, out);
}

/* --- the part of a view that a datum filter or a path leaves ---------------------------------- */

/* What is computed may be inline however large it is; a tree's record may not. */
static Status add_entry(Ctx *ctx, const PfsView *view, const TreeEntry *entry, TreeBuilder *builder)
{
    if (entry->record.form != TREE_INLINE || entry->record.data.size <= TREE_INLINE_MAX)
        return tree_builder_add(ctx, builder, entry);
    TreeEntry copy = *entry;
    CLEANUP(content_writer_freep)
    ContentWriter *writer = content_writer_new(pfs_content(view->pfs));
    TRY(content_writer_add(ctx, writer, entry->record.data));
    TRY(content_writer_finish(ctx, writer, &copy.record));
    return tree_builder_add(ctx, builder, &copy);
}

static Status add_entries(Ctx *ctx, const PfsView *view, TreeCursor *cursor, Str from, bool below,
                          Str tag, TreeBuilder *builder)
{
    TRY(tree_cursor_seek(ctx, cursor, from, STR("")));
    for (const TreeEntry *entry; (entry = tree_cursor_entry(cursor));) {
        if (below ? !str_starts(entry->path, from) : !str_eq(entry->path, from))
            return OK;
        TRY(ctx_check(ctx));
        if (tag.size == 0 || str_eq(entry->tag, tag))
            TRY(add_entry(ctx, view, entry, builder));
        TRY(tree_cursor_next(ctx, cursor));
    }
    return OK;
}

Status view_restrict(Ctx *ctx, const PfsView *view, Str path, Str tag, PfsView *out)
{
    CLEANUP(tree_cursor_freep)
    TreeCursor *cursor = tree_cursor_new(&view->content->io, &view->root);
    CLEANUP(tree_builder_freep)
    TreeBuilder *builder = tree_builder_new(&pfs_content(view->pfs)->io);
    Str dir = path;
    if (!str_eq(path, STR("/"))) {
        dir = str(text_printf(ctx->arena, STR_FMT "/", STR_ARG(path)));
        TRY(add_entries(ctx, view, cursor, path, false, tag, builder));
    }
    TRY(add_entries(ctx, view, cursor, dir, true, tag, builder));
    *out = *view;
    out->content = pfs_content(view->pfs); /* what was computed is a tree now */
    return tree_builder_finish(ctx, builder, &out->root);
}

Status view_open_file(Ctx *ctx, Pfs *pfs, const PfsV2__File *file, Str path, PfsView *out)
{
    TRY(pfs_view_open(ctx, pfs, file->commit, out));
    if (*file->datum)
        TRY(view_restrict(ctx, out, path, str(file->datum), out));
    return OK;
}

/* --- infos ------------------------------------------------------------------------------------ */

Status view_file_not_found(Ctx *ctx, const PfsV2__File *file)
{
    const PfsV2__Commit *commit = file->commit;
    PfsV2__Repo *repo = pfs_repo_fill(ctx, commit->repo ? commit->repo : commit->branch->repo);
    return FAIL(ctx, NOT_FOUND, "file %s not found in repo %s at commit %s", file->path,
                pfs_repo_text(ctx, repo), commit->id);
}

static Status dir_sum(Ctx *ctx, const PfsView *view, Str dir, Str lower, TreeSum *sum, Hash *hash)
{
    const TreeIo *io = &view->content->io;
    TRY(tree_dir(ctx, io, &view->root, dir, hash, sum));
    if (str_cmp(lower, dir) <= 0)
        return OK;
    return tree_sum(ctx, io, &view->root, lower, tree_dir_end(ctx, dir), sum);
}

/* One allocation for the messages, as listings make many. */
typedef struct InfoBlock {
    PfsV2__FileInfo info;
    PfsV2__File file;
    uint8_t hash[HASH_SIZE];
} InfoBlock;

Status view_info(Ctx *ctx, const PfsView *view, const Item *item, Str lower, PfsV2__FileInfo **out)
{
    InfoBlock *block = ARENA_ONE(ctx->arena, InfoBlock);
    Hash hash;
    TreeSum sum;
    if (item->entry) {
        sum.bytes = item->entry->record.size;
        hash = item->entry->record.hash;
    } else {
        TRY(dir_sum(ctx, view, item->path, lower, &sum, &hash));
    }
    memcpy(block->hash, hash.bytes, HASH_SIZE);
    pfs_v2__file__init(&block->file);
    block->file.commit = view->commit;
    block->file.path = str_z(ctx->arena, item->path);
    block->file.datum = item->entry ? str_z(ctx->arena, item->entry->tag) : block->file.datum;
    pfs_v2__file_info__init(&block->info);
    block->info.file = &block->file;
    block->info.file_type = item->entry ? PFS_V2__FILE_TYPE__FILE : PFS_V2__FILE_TYPE__DIR;
    block->info.committed = pb_timestamp(ctx, view->committed_ns);
    block->info.size_bytes = (int64_t)sum.bytes;
    block->info.hash = (ProtobufCBinaryData){ .len = HASH_SIZE, .data = block->hash };
    *out = &block->info;
    return OK;
}

Status view_give(Ctx *ctx, const PfsView *view, const Item *item, Str lower, PfsFileFn fn,
                 void *arg)
{
    ArenaMark mark = arena_mark(ctx->arena);
    PfsV2__FileInfo *info;
    TRY(view_info(ctx, view, item, lower, &info));
    TRY(fn(arg, ctx, info));
    arena_rewind(ctx->arena, mark);
    return OK;
}

/* --- one path --------------------------------------------------------------------------------- */

Status pfs_inspect_file(Ctx *ctx, Pfs *pfs, const PfsV2__File *file, PfsV2__FileInfo **out)
{
    TRY(view_check_file(ctx, file));
    Str path = path_clean(ctx, str(file->path));
    PfsView view;
    TRY(view_open_file(ctx, pfs, file, path, &view));
    bool found;
    Item item;
    TRY(listing_lookup(ctx, &view.content->io, &view.root, path, &found, &item));
    if (!found)
        return view_file_not_found(ctx, file);
    return view_info(ctx, &view, &item, STR(""), out);
}

Status view_match(Ctx *ctx, const PfsView *view, const Item *item, PfsMatch *out)
{
    *out = (PfsMatch){ .path = item->path, .is_dir = !item->entry };
    if (item->entry) {
        out->size = item->entry->record.size;
        out->hash = item->entry->record.hash;
        return OK;
    }
    TreeSum sum;
    TRY(dir_sum(ctx, view, item->path, STR(""), &sum, &out->hash));
    out->size = sum.bytes;
    return OK;
}

Status pfs_view_stat(Ctx *ctx, const PfsView *view, Str path, PfsMatch *out)
{
    bool found;
    Item item;
    TRY(listing_lookup(ctx, &view->content->io, &view->root, path_clean(ctx, path), &found, &item));
    return found ? view_match(ctx, view, &item, out) : STATUS(NOT_FOUND);
}
