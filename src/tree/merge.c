/* merge.c - laying changes over a tree: apply, compose, and the three-way merge.
 *
 * All are made of one thing, the patch: a base tree that is copied up to the next change. What lies
 * between changes is taken over as whole subtrees, unread, wherever the new tree's nodes begin at
 * the same entries as the old one's; the boundaries being content's, that is so again soon after
 * each change.
 */
#include "tree/tree_priv.h"

/* So many entries are copied one by one before the end of a run of them is looked for. */
#define STEPS_MAX 4

typedef struct Patch {
    TreeWalker base;
    TreeBuilder *out;
} Patch;

static void patch_done(Patch *patch)
{
    walker_done(&patch->base);
    tree_builder_free(patch->out);
}

static Status patch_begin(Ctx *ctx, const TreeIo *io, const Hash *base, Patch *patch)
{
    walker_init(&patch->base, io, base, STR(""));
    patch->out = tree_builder_new(io);
    return walker_start(ctx, &patch->base, STR(""));
}

/* Takes over the entry or subtree that a walker stands on. */
static Status patch_take(Ctx *ctx, Patch *patch, TreeWalker *from)
{
    if (walker_on_entry(from))
        TRY(builder_copy(ctx, patch->out, &from->item));
    else
        TRY(builder_splice(ctx, patch->out, walker_level(from), &from->item));
    walker_skip(from);
    return OK;
}

/* May the subtree a walker stands on be taken over whole? The last of its tree only if nothing
 * follows it. */
static bool patch_may_splice(const Patch *patch, const TreeWalker *from, bool is_followed)
{
    return builder_is_aligned(patch->out, walker_level(from)) &&
           !(is_followed && walker_on_last(from));
}

/* Takes over the leaf's entries from the base's place up to the key. */
static Status patch_take_entries(Ctx *ctx, Patch *patch, const TreeItem *key)
{
    TreeWalker *base = &patch->base;
    const TreeFrame *at = &base->frames[base->depth];
    size_t from = at->index, last = at->node.count - 1;
    size_t to = key ? MIN(node_find(&at->node, key->path, key->tag), last) : last;
    if (from == last) /* which may end a node */
        return patch_take(ctx, patch, base);
    TRY(builder_copy_run(ctx, patch->out, &at->node, from, to));
    walker_skip_run(base, to - from);
    return OK;
}

/* Copies the base up to the key (NULL: to its end). Then the base is at its end, or on an entry at
 * or after it. */
static Status patch_to(Ctx *ctx, Patch *patch, const TreeItem *key)
{
    TreeWalker *base = &patch->base;
    for (size_t steps = 0; !base->at_end; steps++) {
        bool is_before = !key || item_cmp(&base->item, key) < 0;
        if (walker_on_entry(base) && !is_before)
            break;
        if (walker_on_entry(base) && steps >= STEPS_MAX)
            TRY(patch_take_entries(ctx, patch, key));
        else if (is_before && (walker_on_entry(base) || patch_may_splice(patch, base, key != NULL)))
            TRY(patch_take(ctx, patch, base));
        else
            TRY(walker_descend(ctx, base));
    }
    return OK;
}

/* After patch_to: the base's entry with this key, or NULL. */
static const TreeItem *patch_old(const Patch *patch, const TreeItem *key)
{
    bool is_same = walker_on_entry(&patch->base) && item_cmp(&patch->base.item, key) == 0;
    return is_same ? &patch->base.item : NULL;
}

static Status patch_finish(Ctx *ctx, Patch *patch, Hash *out_root)
{
    TRY(patch_to(ctx, patch, NULL));
    return tree_builder_finish(ctx, patch->out, out_root);
}

/* --- apply and compose ----------------------------------------------------------------------- */

typedef struct Overlay {
    Patch patch;      /* of the lower tree */
    TreeWalker upper; /* the layer */
    const TreeAppend *append;
    bool is_layer; /* the result is a layer, too: deletions and appends to nothing stay */
} Overlay;

static void overlay_done(Overlay *overlay)
{
    patch_done(&overlay->patch);
    walker_done(&overlay->upper);
}

/* What the entry amounts to over what is below it (NULL: nothing). */
static Status overlay_combine(Ctx *ctx, const Overlay *overlay, const TreeItem *old,
                              const TreeRecord *more, TreeRecord *out)
{
    TreeRecord below = old ? record_decode(old->value) : (TreeRecord){ .op = TREE_DELETE };
    *out = *more;
    if (more->op != TREE_APPEND)
        return OK;
    if (below.op != TREE_DELETE)
        TRY(overlay->append->join(overlay->append->self, ctx, &below, more, out));
    bool is_open = overlay->is_layer && (!old || below.op == TREE_APPEND);
    out->op = is_open ? TREE_APPEND : TREE_PUT;
    return OK;
}

/* Lays the upper walker's entry over the lower tree. */
static Status overlay_entry(Ctx *ctx, Overlay *overlay)
{
    const TreeItem *item = &overlay->upper.item;
    TRY(patch_to(ctx, &overlay->patch, item));
    const TreeItem *old = patch_old(&overlay->patch, item);

    ArenaMark mark = arena_mark(ctx->arena);
    TreeEntry entry = item_entry(item);
    TRY(overlay_combine(ctx, overlay, old, &entry.record, &entry.record));
    if (overlay->is_layer || entry.record.op != TREE_DELETE)
        TRY(tree_builder_add(ctx, overlay->patch.out, &entry));
    arena_rewind(ctx->arena, mark);

    if (old)
        walker_skip(&overlay->patch.base);
    walker_skip(&overlay->upper);
    return OK;
}

/* Both stand on the same subtree, and it only puts. */
static bool overlay_is_same(const Overlay *overlay)
{
    const TreeWalker *lower = &overlay->patch.base, *upper = &overlay->upper;
    return walker_on_subtree(lower) && walker_level(lower) == walker_level(upper) &&
           bytes_eq(lower->item.value, upper->item.value) && value_is_plain(upper->item.value) &&
           patch_may_splice(&overlay->patch, upper, true);
}

/* The upper subtree lies wholly before what is left of the lower tree, and says the same without
 * it. */
static bool overlay_is_free(const Overlay *overlay)
{
    const TreeWalker *lower = &overlay->patch.base, *upper = &overlay->upper;
    if (walker_on_subtree(lower) || !(overlay->is_layer || value_is_plain(upper->item.value)))
        return false;
    return (lower->at_end || item_cmp(&upper->item, &lower->item) < 0) &&
           patch_may_splice(&overlay->patch, upper, !lower->at_end);
}

static Status overlay_subtree(Ctx *ctx, Overlay *overlay)
{
    TreeWalker *lower = &overlay->patch.base, *upper = &overlay->upper;
    if (overlay_is_same(overlay)) {
        walker_skip(lower);
        return patch_take(ctx, &overlay->patch, upper);
    }
    if (overlay_is_free(overlay))
        return patch_take(ctx, &overlay->patch, upper);
    bool lower_is_higher = walker_on_subtree(lower) && walker_level(lower) > walker_level(upper);
    return walker_descend(ctx, lower_is_higher ? lower : upper);
}

static Status overlay(Ctx *ctx, const TreeIo *io, const TreeAppend *append, const Hash *lower,
                      const Hash *upper, bool is_layer, Hash *out)
{
    if (hash_is_zero(upper)) {
        *out = *lower;
        return OK;
    }
    CLEANUP(overlay_done) Overlay overlay = { .append = append, .is_layer = is_layer };
    walker_init(&overlay.upper, io, upper, STR(""));
    TRY(patch_begin(ctx, io, lower, &overlay.patch));
    TRY(walker_start(ctx, &overlay.upper, STR("")));
    while (!overlay.upper.at_end) {
        if (walker_on_entry(&overlay.upper))
            TRY(overlay_entry(ctx, &overlay));
        else
            TRY(overlay_subtree(ctx, &overlay));
    }
    return patch_finish(ctx, &overlay.patch, out);
}

Status tree_apply(Ctx *ctx, const TreeIo *io, const TreeAppend *append, const Hash *base,
                  const Hash *layer, Hash *out_root)
{
    return overlay(ctx, io, append, base, layer, false, out_root);
}

Status tree_compose(Ctx *ctx, const TreeIo *io, const TreeAppend *append, const Hash *lower,
                    const Hash *upper, Hash *out_layer)
{
    return overlay(ctx, io, append, lower, upper, true, out_layer);
}

/* --- three-way merge ------------------------------------------------------------------------- */

typedef struct Merge {
    Patch ours;
    TreeConflictFn fn;
    void *arg;
    uint64_t changes;
} Merge;

static void merge_done(Merge *merge)
{
    patch_done(&merge->ours);
}

static bool entry_eq(const TreeEntry *a, const TreeEntry *b)
{
    return a && b ? record_eq(&a->record, &b->record) : a == b;
}

static Status merge_choose(Ctx *ctx, const Merge *merge, const TreeEntry *base,
                           const TreeEntry *ours, const TreeEntry *theirs, TreeTake *out)
{
    *out = entry_eq(ours, base) ? TREE_TAKE_THEIRS : TREE_TAKE_OURS;
    if (*out == TREE_TAKE_THEIRS || entry_eq(ours, theirs))
        return OK;
    return merge->fn(merge->arg, ctx, base, ours, theirs, out);
}

/* One entry that they changed since the base. */
static Status merge_change(void *arg, Ctx *ctx, const TreeEntry *base, const TreeEntry *theirs)
{
    Merge *merge = arg;
    const TreeEntry *either = theirs ? theirs : base;
    TreeItem key = { .path = either->path, .tag = either->tag };
    TRY(patch_to(ctx, &merge->ours, &key));

    const TreeItem *old = patch_old(&merge->ours, &key);
    TreeEntry ours = old ? item_entry(old) : (TreeEntry){ 0 };
    TreeTake take;
    TRY(merge_choose(ctx, merge, base, old ? &ours : NULL, theirs, &take));
    if (take == TREE_TAKE_OURS)
        return OK;
    merge->changes++;
    if (theirs)
        TRY(tree_builder_add(ctx, merge->ours.out, theirs));
    if (old)
        walker_skip(&merge->ours.base);
    return OK;
}

Status tree_merge3(Ctx *ctx, const TreeIo *io, const Hash *base, const Hash *ours,
                   const Hash *theirs, TreeConflictFn fn, void *arg, Hash *out_root,
                   uint64_t *out_changes)
{
    CLEANUP(merge_done) Merge merge = { .fn = fn, .arg = arg };
    TRY(patch_begin(ctx, io, ours, &merge.ours));
    TRY(tree_diff(ctx, io, base, theirs, STR(""), STR(""), merge_change, &merge));
    TRY(patch_finish(ctx, &merge.ours, out_root));
    *out_changes = merge.changes;
    return OK;
}
