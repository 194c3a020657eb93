/* walker.c - a lazy position in a tree: see tree_priv.h. */
#include "tree/tree_priv.h"

#include "base/text.h"

void walker_init(TreeWalker *walker, const TreeIo *io, const Hash *root, Str to)
{
    memset(walker, 0, sizeof(*walker));
    walker->io = *io;
    walker->root = *root;
    walker->to = to;
    walker->at_end = true;
}

void walker_done(TreeWalker *walker)
{
    for (size_t i = 0; i < TREE_LEVELS_MAX; i++)
        node_done(&walker->frames[i].node);
    buf_done(&walker->path);
}

static TreeFrame *frame(TreeWalker *walker)
{
    return &walker->frames[walker->depth];
}

static const TreeFrame *frame_c(const TreeWalker *walker)
{
    return &walker->frames[walker->depth];
}

bool walker_on_entry(const TreeWalker *walker)
{
    return !walker->at_end && frame_c(walker)->node.level == 0;
}

bool walker_on_subtree(const TreeWalker *walker)
{
    return !walker->at_end && frame_c(walker)->node.level > 0;
}

unsigned walker_level(const TreeWalker *walker)
{
    assert(walker_on_subtree(walker));
    return frame_c(walker)->node.level - 1;
}

bool walker_on_last(const TreeWalker *walker)
{
    for (size_t i = 0; i <= walker->depth; i++) {
        if (walker->frames[i].index + 1 < walker->frames[i].node.count)
            return false;
    }
    return true;
}

/* Is a path at or after the walker's bound? */
static bool is_beyond(const TreeWalker *walker, Str path)
{
    return walker->to.size > 0 && str_cmp(path, walker->to) >= 0;
}

/* Takes up the item at the frame's index. A subtree may reach over the bound; an entry may not. */
static void walker_settle(TreeWalker *walker)
{
    const TreeFrame *at = frame(walker);
    walker->item = node_item(&at->node, at->index, &walker->path);
    walker->at_end = at->node.level == 0 && is_beyond(walker, walker->item.path);
}

/* Loads the root as the only frame; at_end when there is none. */
static Status load_root(Ctx *ctx, TreeWalker *walker)
{
    walker->depth = 0;
    walker->at_end = hash_is_zero(&walker->root);
    return walker->at_end ? OK
                          : node_load(ctx, &walker->io, &walker->root, &walker->frames[0].node);
}

/* Does the child begin after all that its parents have before it? Then a walk is in order. */
static bool child_is_after(const TreeWalker *walker, const TreeNode *child)
{
    size_t depth = walker->depth;
    while (depth > 0 && walker->frames[depth].index == 0)
        depth--;
    const TreeFrame *above = &walker->frames[depth];
    if (above->index == 0)
        return true;
    CLEANUP(buf_done) Buf first_path = { 0 };
    CLEANUP(buf_done) Buf before_path = { 0 };
    TreeItem first = node_item(child, 0, &first_path);
    TreeItem before = node_item(&above->node, above->index - 1, &before_path);
    return item_cmp(&before, &first) < 0;
}

/* Is the child what its parent says: of the next level, between its neighbours, with this last key?
 */
static Status check_child(Ctx *ctx, const TreeWalker *walker, const TreeNode *child,
                          const TreeItem *expected)
{
    CLEANUP(buf_done) Buf path = { 0 };
    TreeItem last = node_item(child, child->count - 1, &path);
    if (child->level + 1 == frame_c(walker)->node.level && item_cmp(&last, expected) == 0 &&
        child_is_after(walker, child))
        return OK;
    return FAIL(ctx, DATA_LOSS, "tree node before %s does not fit its parent",
                text_quote(ctx->arena, expected->path));
}

/* Loads the child at the frame's index as the next frame. */
static Status load_child(Ctx *ctx, TreeWalker *walker)
{
    const TreeFrame *parent = frame(walker);
    TreeNode *child = &walker->frames[walker->depth + 1].node;
    TreeItem item = node_item(&parent->node, parent->index, &walker->path);
    Hash hash = child_decode(item.value).hash;
    TRY(node_load(ctx, &walker->io, &hash, child));
    TRY(check_child(ctx, walker, child, &item));
    walker->depth++;
    return OK;
}

Status walker_start(Ctx *ctx, TreeWalker *walker, Str from)
{
    if (from.size)
        return walker_seek(ctx, walker, from, STR(""));
    TRY(load_root(ctx, walker));
    if (walker->at_end)
        return OK;
    frame(walker)->index = 0;
    walker_settle(walker);
    return OK;
}

Status walker_seek(Ctx *ctx, TreeWalker *walker, Str path, Str tag)
{
    TRY(load_root(ctx, walker));
    while (!walker->at_end) {
        TreeFrame *at = frame(walker);
        at->index = node_find(&at->node, path, tag);
        if (at->index == at->node.count) {
            walker->at_end = true;
        } else if (at->node.level == 0) {
            walker_settle(walker);
            break;
        } else {
            TRY(load_child(ctx, walker));
        }
    }
    return OK;
}

/* From the frame's index down along the last children. */
static Status descend_last(Ctx *ctx, TreeWalker *walker)
{
    while (frame(walker)->node.level > 0) {
        TRY(load_child(ctx, walker));
        frame(walker)->index = frame(walker)->node.count - 1;
    }
    walker_settle(walker);
    return OK;
}

Status walker_seek_last(Ctx *ctx, TreeWalker *walker)
{
    TRY(load_root(ctx, walker));
    if (walker->at_end)
        return OK;
    frame(walker)->index = frame(walker)->node.count - 1;
    return descend_last(ctx, walker);
}

Status walker_descend(Ctx *ctx, TreeWalker *walker)
{
    assert(walker_on_subtree(walker));
    TRY(load_child(ctx, walker));
    frame(walker)->index = 0;
    walker_settle(walker);
    return OK;
}

void walker_skip(TreeWalker *walker)
{
    assert(!walker->at_end);
    if (is_beyond(walker, walker->item.path)) {
        walker->at_end =
            true; /* a subtree that reached over the bound: all that follows is beyond */
        return;
    }
    while (++frame(walker)->index == frame(walker)->node.count) {
        if (walker->depth == 0) {
            walker->at_end = true;
            return;
        }
        walker->depth--;
    }
    walker_settle(walker);
}

void walker_skip_run(TreeWalker *walker, size_t n)
{
    assert(walker_on_entry(walker) && !walker->to.size);
    frame(walker)->index += n;
    assert(frame(walker)->index < frame(walker)->node.count);
    walker_settle(walker);
}

Status walker_prev(Ctx *ctx, TreeWalker *walker)
{
    assert(walker_on_entry(walker));
    size_t depth = walker->depth;
    while (depth > 0 && walker->frames[depth].index == 0)
        depth--;
    if (walker->frames[depth].index == 0) {
        walker->at_end = true;
        return OK;
    }
    walker->depth = depth;
    frame(walker)->index--;
    return descend_last(ctx, walker);
}
