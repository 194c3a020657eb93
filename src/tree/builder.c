/* builder.c - makes nodes of all levels at once from entries in order, and from whole subtrees of
 * other trees.
 *
 * A level holds the items of its unfinished node. When one ends, it becomes an item of the level
 * above. The root is the one node of the lowest level that has only one: a tree's height, too,
 * follows from its entries alone.
 */
#include "tree/tree_priv.h"

#include <stdlib.h>

#include "base/text.h"

typedef struct Level {
    TreeNodeWriter writer;
    uint64_t nodes;  /* finished; two stands for any more */
    Hash first;      /* the first of them */
    bool is_spliced; /* first came from another tree */
} Level;

struct TreeBuilder {
    TreeIo io;
    Buf last_path, last_tag; /* of the last entry, also below spliced subtrees */
    bool is_begun;
    Buf node, value; /* being encoded */
    Level levels[TREE_LEVELS_MAX];
};

TreeBuilder *tree_builder_new(const TreeIo *io)
{
    TreeBuilder *builder = calloc(1, sizeof(*builder));
    if (!builder)
        abort();
    builder->io = *io;
    return builder;
}

TreeBuilder *tree_builder_free(TreeBuilder *builder)
{
    if (!builder)
        return NULL;
    for (size_t i = 0; i < TREE_LEVELS_MAX; i++)
        node_writer_done(&builder->levels[i].writer);
    buf_done(&builder->last_path);
    buf_done(&builder->last_tag);
    buf_done(&builder->node);
    buf_done(&builder->value);
    free(builder);
    return NULL;
}

static void level_count(Level *level, const Hash *node, bool is_spliced)
{
    if (level->nodes == 0) {
        level->first = *node;
        level->is_spliced = is_spliced;
    }
    level->nodes++;
}

/* Is the key after all that was added? Then it is the last from now on. */
static bool builder_advance(TreeBuilder *builder, Str path, Str tag)
{
    TreeItem last = { .path = buf_str(&builder->last_path), .tag = buf_str(&builder->last_tag) };
    TreeItem next = { .path = path, .tag = tag };
    if (builder->is_begun && item_cmp(&last, &next) >= 0)
        return false;
    builder->is_begun = true;
    buf_clear(&builder->last_path);
    buf_add_str(&builder->last_path, path);
    buf_clear(&builder->last_tag);
    buf_add_str(&builder->last_tag, tag);
    return true;
}

/* Encodes and stores the level's node. *out is the item for the level above: the last key is the
 * builder's own, as nothing was added since. */
static Status level_close(Ctx *ctx, TreeBuilder *builder, unsigned level, TreeItem *out)
{
    TreeNodeWriter *writer = &builder->levels[level].writer;
    buf_clear(&builder->node);
    node_writer_encode(writer, level, &builder->node);
    Bytes node = buf_bytes(&builder->node);
    TreeChild child = { .sum = writer->sum, .is_plain = !writer->is_mixed };
    if (builder->io.put)
        TRY_WRAP(ctx, builder->io.put(builder->io.self, ctx, node, &child.hash),
                 "could not write tree node");
    else
        child.hash = hash_of(node);
    node_writer_clear(writer);
    level_count(&builder->levels[level], &child.hash, false);
    buf_clear(&builder->value);
    child_encode(&child, &builder->value);
    *out = (TreeItem){ buf_str(&builder->last_path), buf_str(&builder->last_tag),
                       buf_bytes(&builder->value) };
    return OK;
}

/* Adds an item, and at each level where it ends a node, that node to the level above. */
static Status level_add(Ctx *ctx, TreeBuilder *builder, unsigned level, const TreeItem *added)
{
    TreeItem item = *added;
    for (; level < TREE_LEVELS_MAX; level++) {
        TreeNodeWriter *writer = &builder->levels[level].writer;
        node_writer_add(writer, level, &item);
        if (!node_ends_after(level, &item, writer->count, writer->weight))
            return OK;
        TRY(level_close(ctx, builder, level, &item));
    }
    return FAIL(ctx, RESOURCE_EXHAUSTED, "tree has more than %d levels", TREE_LEVELS_MAX);
}

Status tree_builder_add(Ctx *ctx, TreeBuilder *builder, const TreeEntry *entry)
{
    if (!key_is_valid(entry->path, entry->tag))
        return FAIL(ctx, INVALID_ARGUMENT, "invalid path or datum tag of file %s",
                    text_quote(ctx->arena, entry->path));
    const char *problem = record_problem(&entry->record);
    if (problem)
        return FAIL(ctx, INVALID_ARGUMENT, "invalid record of file %s: %s",
                    text_quote(ctx->arena, entry->path), problem);
    buf_clear(&builder->value);
    record_encode(&entry->record, &builder->value);
    TreeItem item = { entry->path, entry->tag, buf_bytes(&builder->value) };
    if (!builder_advance(builder, item.path, item.tag))
        return FAIL(ctx, INVALID_ARGUMENT, "file %s is out of order in its tree",
                    text_quote(ctx->arena, entry->path));
    return level_add(ctx, builder, 0, &item);
}

/* Trees were found to be in order when they were read. */
static void builder_advance_from_tree(TreeBuilder *builder, const TreeItem *item)
{
    bool is_in_order = builder_advance(builder, item->path, item->tag);
    assert(is_in_order);
    (void)is_in_order;
}

Status builder_copy(Ctx *ctx, TreeBuilder *builder, const TreeItem *entry)
{
    builder_advance_from_tree(builder, entry);
    return level_add(ctx, builder, 0, entry);
}

Status builder_copy_run(Ctx *ctx, TreeBuilder *builder, const TreeNode *leaf, size_t from,
                        size_t to)
{
    assert(to < leaf->count);
    TreeNodeWriter *writer = &builder->levels[0].writer;
    CLEANUP(buf_done) Buf path = { 0 };
    while (from < to) {
        from = node_writer_add_run(writer, leaf, from, to);
        TreeItem last = node_item(leaf, from - 1, &path);
        builder_advance_from_tree(builder, &last);
        if (!node_is_full(0, writer->weight))
            continue;
        TRY(level_close(ctx, builder, 0, &last));
        TRY(level_add(ctx, builder, 1, &last));
    }
    return OK;
}

bool builder_is_aligned(const TreeBuilder *builder, unsigned level)
{
    for (unsigned i = 0; i <= level; i++) {
        if (builder->levels[i].writer.count)
            return false;
    }
    return true;
}

/* The levels below are counted as many, so that none of them is taken for the root: which of them
 * may be is found out by root_collapse, should nothing else come. */
Status builder_splice(Ctx *ctx, TreeBuilder *builder, unsigned level, const TreeItem *child)
{
    assert(builder_is_aligned(builder, level));
    builder_advance_from_tree(builder, child);
    for (unsigned i = 0; i < level; i++)
        builder->levels[i].nodes += 2;
    Hash hash = child_decode(child->value).hash;
    level_count(&builder->levels[level], &hash, true);
    if (level + 1 == TREE_LEVELS_MAX)
        return FAIL(ctx, RESOURCE_EXHAUSTED, "tree has more than %d levels", TREE_LEVELS_MAX);
    return level_add(ctx, builder, level + 1, child);
}

/* A spliced node that is left alone and has one child is not the root: its child is. */
static Status root_collapse(Ctx *ctx, const TreeIo *io, Hash *root)
{
    CLEANUP(node_done) TreeNode node = { 0 };
    CLEANUP(buf_done) Buf path = { 0 };
    for (;;) {
        TRY(node_load(ctx, io, root, &node));
        if (node.level == 0 || node.count > 1)
            return OK;
        *root = child_decode(node_item(&node, 0, &path).value).hash;
    }
}

static void builder_reset(TreeBuilder *builder)
{
    builder->is_begun = false;
    for (size_t i = 0; i < TREE_LEVELS_MAX; i++) {
        node_writer_clear(&builder->levels[i].writer);
        builder->levels[i].nodes = 0;
    }
}

Status tree_builder_finish(Ctx *ctx, TreeBuilder *builder, Hash *out_root)
{
    Hash root = { { 0 } };
    bool is_spliced = false;
    for (unsigned i = 0; builder->is_begun; i++) {
        Level *level = &builder->levels[i];
        TreeItem node;
        if (level->writer.count) {
            TRY(level_close(ctx, builder, i, &node));
            if (level->nodes > 1)
                TRY(level_add(ctx, builder, i + 1, &node));
        }
        if (level->nodes == 1) {
            root = level->first;
            is_spliced = level->is_spliced;
            break;
        }
    }
    if (is_spliced)
        TRY(root_collapse(ctx, &builder->io, &root));
    builder_reset(builder);
    *out_root = root;
    return OK;
}
