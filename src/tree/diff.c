/* diff.c - what differs between two trees. Two walkers go side by side; where both stand on the
 * same subtree, both skip it. After a difference they meet again at the next boundary that both
 * trees have. */
#include "tree/tree_priv.h"

typedef struct Diff {
    TreeWalker old, new;
    TreeDiffFn fn;
    void *arg;
} Diff;

static void diff_done(Diff *diff)
{
    walker_done(&diff->old);
    walker_done(&diff->new);
}

/* The higher of two subtrees first, so that they come to one level. */
static TreeWalker *diff_higher(Diff *diff)
{
    if (!walker_on_subtree(&diff->new))
        return &diff->old;
    if (!walker_on_subtree(&diff->old))
        return &diff->new;
    return walker_level(&diff->old) >= walker_level(&diff->new) ? &diff->old : &diff->new;
}

static Status diff_subtrees(Ctx *ctx, Diff *diff)
{
    bool is_same = walker_on_subtree(&diff->old) && walker_on_subtree(&diff->new) &&
                   bytes_eq(diff->old.item.value, diff->new.item.value);
    if (!is_same)
        return walker_descend(ctx, diff_higher(diff));
    walker_skip(&diff->old);
    walker_skip(&diff->new);
    return OK;
}

/* The lesser entry of the two, or both when their keys are equal. */
static Status diff_entries(Ctx *ctx, Diff *diff)
{
    int order = diff->old.at_end   ? 1
                : diff->new.at_end ? -1
                                   : item_cmp(&diff->old.item, &diff->new.item);
    bool has_old = order <= 0, has_new = order >= 0;
    if (!(has_old && has_new && bytes_eq(diff->old.item.value, diff->new.item.value))) {
        TreeEntry old_entry = has_old ? item_entry(&diff->old.item) : (TreeEntry){ 0 };
        TreeEntry new_entry = has_new ? item_entry(&diff->new.item) : (TreeEntry){ 0 };
        TRY(diff->fn(diff->arg, ctx, has_old ? &old_entry : NULL, has_new ? &new_entry : NULL));
    }
    if (has_old)
        walker_skip(&diff->old);
    if (has_new)
        walker_skip(&diff->new);
    return OK;
}

Status tree_diff(Ctx *ctx, const TreeIo *io, const Hash *old_root, const Hash *new_root, Str from,
                 Str to, TreeDiffFn fn, void *arg)
{
    if (hash_eq(old_root, new_root))
        return OK;
    CLEANUP(diff_done) Diff diff = { .fn = fn, .arg = arg };
    walker_init(&diff.old, io, old_root, to);
    walker_init(&diff.new, io, new_root, to);
    TRY(walker_start(ctx, &diff.old, from));
    TRY(walker_start(ctx, &diff.new, from));
    while (!diff.old.at_end || !diff.new.at_end) {
        if (walker_on_subtree(&diff.old) || walker_on_subtree(&diff.new))
            TRY(diff_subtrees(ctx, &diff));
        else
            TRY(diff_entries(ctx, &diff));
    }
    return OK;
}
