/* range.c - what a part of a tree amounts to: its sum, and a hash that depends on nothing else. */
#include "tree/tree_priv.h"

/* Is all of the subtree within the walker's bound? */
static bool is_within(const TreeWalker *walker)
{
    return walker->to.size == 0 || str_cmp(walker->item.path, walker->to) < 0;
}

static Status source_sum(Ctx *ctx, const TreeIo *io, Str from, Str to, TreeSum *out)
{
    const Hash none = { 0 };
    CLEANUP(tree_cursor_freep) TreeCursor *cursor = tree_cursor_new(io, &none);
    *out = (TreeSum){ 0 };
    TRY(tree_cursor_seek(ctx, cursor, from, STR("")));
    for (const TreeEntry *entry; (entry = tree_cursor_entry(cursor));) {
        if (to.size && str_cmp(entry->path, to) >= 0)
            return OK;
        TRY(ctx_check(ctx));
        out->files++;
        out->bytes += entry->record.size;
        TRY(tree_cursor_next(ctx, cursor));
    }
    return OK;
}

Status tree_sum(Ctx *ctx, const TreeIo *io, const Hash *root, Str from, Str to, TreeSum *out)
{
    if (io->source)
        return source_sum(ctx, io, from, to, out);
    CLEANUP(walker_done) TreeWalker walker;
    walker_init(&walker, io, root, to);
    TreeSum sum = { 0 };
    TRY(walker_start(ctx, &walker, from));
    while (!walker.at_end) {
        bool is_entry = walker_on_entry(&walker);
        if (is_entry || is_within(&walker)) {
            sum_add(&sum, value_sum(is_entry ? 0 : walker_level(&walker) + 1, walker.item.value));
            walker_skip(&walker);
        } else {
            TRY(walker_descend(ctx, &walker));
        }
    }
    *out = sum;
    return OK;
}

/* Builds the tree of the range without keeping it: only nodes at the range's two edges are made
 * anew. */
static Status range_hash(Ctx *ctx, TreeWalker *walker, Str from, TreeBuilder *builder, Hash *out,
                         TreeSum *sum)
{
    TRY(walker_start(ctx, walker, from));
    while (!walker->at_end) {
        if (walker_on_entry(walker)) {
            TRY(builder_copy(ctx, builder, &walker->item));
            sum_add(sum, value_sum(0, walker->item.value));
        } else if (is_within(walker) && builder_is_aligned(builder, walker_level(walker))) {
            TRY(builder_splice(ctx, builder, walker_level(walker), &walker->item));
            sum_add(sum, value_sum(walker_level(walker) + 1, walker->item.value));
        } else {
            TRY(walker_descend(ctx, walker));
            continue;
        }
        walker_skip(walker);
    }
    return tree_builder_finish(ctx, builder, out);
}

Status tree_dir(Ctx *ctx, const TreeIo *io, const Hash *root, Str dir, Hash *out_hash,
                TreeSum *out_sum)
{
    assert(str_ends(dir, STR("/")));
    *out_sum = (TreeSum){ 0 };
    if (io->source)
        return io->source->dir(io->source->self, ctx, dir, out_hash, out_sum);
    if (dir.size == 1) {
        *out_hash = *root;
        return tree_sum(ctx, io, root, STR(""), STR(""), out_sum);
    }
    TreeIo reader = { .get = io->get, .self = io->self };
    CLEANUP(tree_builder_freep) TreeBuilder *builder = tree_builder_new(&reader);
    CLEANUP(walker_done) TreeWalker walker;
    walker_init(&walker, io, root, tree_dir_end(ctx, dir));
    return range_hash(ctx, &walker, dir, builder, out_hash, out_sum);
}

Str tree_dir_end(Ctx *ctx, Str dir)
{
    assert(str_ends(dir, STR("/")));
    char *end = arena_strndup(ctx->arena, dir.data, dir.size);
    end[dir.size - 1] = '/' + 1;
    return (Str){ end, dir.size };
}
