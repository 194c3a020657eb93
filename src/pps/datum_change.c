/* datum_change.c - the datums that a change of files touches, without looking at the others; see
 * datum.h.
 *
 * A changed file touches the datum of its own path and those of the directories above it, where the
 * glob matches them. What is there now is put, what is not is gone.
 */
#include "pps/datum_priv.h"

/* --- when it can be told ---------------------------------------------------------------------- */

typedef struct Leaves {
    const PpsV2__PFSInput *items[INPUT_NODES_MAX];
    size_t n;
    bool matched; /* there is a join or group */
} Leaves;

static bool is_match(const PpsV2__Input *node)
{
    InputKind kind = input_kind(node);
    return kind == INPUT_JOIN || kind == INPUT_GROUP;
}

static bool has_same_ids(const PpsV2__PFSInput *a, const PpsV2__PFSInput *b)
{
    return !strcmp(a->name, b->name) && !strcmp(a->repo, b->repo) && !strcmp(a->branch, b->branch);
}

/* A datum id names input, repo and branch, but no project or repo type: two leaves that differ in
 * those only give equal ids for different files, and a file gone from one may still be in the
 * other. */
static bool is_twin(const PpsV2__PFSInput *a, const PpsV2__PFSInput *b)
{
    return has_same_ids(a, b) &&
           (strcmp(a->project, b->project) || strcmp(a->repo_type, b->repo_type));
}

static bool collect_leaves(Ctx *ctx, const PpsV2__Input *node, Leaves *leaves)
{
    const PpsV2__PFSInput *leaf = input_leaf(ctx, node);
    if (leaf && strcmp(leaf->repo_type, "meta") == 0) /* computed: there is no tree to compare */
        return false;
    for (size_t i = 0; leaf && i < leaves->n; i++)
        if (is_twin(leaves->items[i], leaf))
            return false;
    if (leaf)
        leaves->items[leaves->n++] = leaf;
    bool matches = is_match(node);
    leaves->matched |= matches;
    InputChildren children = input_children(node);
    for (size_t i = 0; i < children.n; i++)
        if ((matches && input_children(children.items[i]).n) ||
            !collect_leaves(ctx, children.items[i], leaves))
            return false;
    return true;
}

/* A datum of a join or group may be gone because others of its key came, though its own files are
 * there. So no other node may give the same: all leaves give ids of their own. */
static bool are_all_apart(const Leaves *leaves)
{
    for (size_t i = 0; i < leaves->n; i++)
        for (size_t k = 0; k < i; k++)
            if (has_same_ids(leaves->items[i], leaves->items[k]))
                return false;
    return true;
}

bool datum_has_delta(Ctx *ctx, const PpsV2__Input *input)
{
    Leaves *leaves = ARENA_NEW(ctx->arena, Leaves, 1);
    return leaves && collect_leaves(ctx, input, leaves) &&
           (!leaves->matched || are_all_apart(leaves));
}

/* --- leaves ----------------------------------------------------------------------------------- */

typedef struct ChangeWalk {
    const InputSource *source;
    DatumFn put, gone;
    void *arg;
    DatumLeaf leaf;
    Buf previous; /* the changed path before this one */
} ChangeWalk;

static void change_walk_done(ChangeWalk *walk)
{
    datum_leaf_done(&walk->leaf);
    buf_done(&walk->previous);
}

static Status tell(Ctx *ctx, ChangeWalk *walk, Str path, Status found, const PfsMatch *match)
{
    bool is_dir = str_ends(path, STR("/"));
    if (found.code == STATUS_NOT_FOUND || (status_ok(found) && match->is_dir != is_dir))
        return datum_leaf_emit_gone(ctx, &walk->leaf, path, walk->gone, walk->arg);
    TRY(status_copy(ctx, found));
    return datum_leaf_emit(ctx, &walk->leaf, match, walk->put, walk->arg);
}

/* path: of a file, or of a directory with its '/'. */
static Status look_at(Ctx *ctx, ChangeWalk *walk, Str path)
{
    if (!glob_match(walk->leaf.glob, path))
        return OK;
    Ctx *scratch = &walk->leaf.scratch;
    ArenaMark mark = arena_mark(scratch->arena);
    PfsMatch match;
    Status found = walk->source->stat(walk->source->self, scratch, walk->leaf.from, path, &match);
    Status told = tell(ctx, walk, path, found, &match);
    arena_rewind(scratch->arena, mark);
    return told;
}

static size_t common_size(Str a, Str b)
{
    size_t n = 0;
    while (n < a.size && n < b.size && a.data[n] == b.data[n])
        n++;
    return n;
}

/* Paths come in order, so all changes below one directory follow one another: a directory that the
 * previous path was in has been looked at. */
static Status on_change(void *arg, Ctx *ctx, Str path)
{
    ChangeWalk *walk = arg;
    TRY(ctx_check(ctx));
    size_t known = common_size(buf_str(&walk->previous), path);
    for (size_t i = known; i < path.size; i++)
        if (path.data[i] == '/')
            TRY(look_at(ctx, walk, str_sub(path, 0, i + 1)));
    TRY(look_at(ctx, walk, path));
    buf_clear(&walk->previous);
    buf_add_str(&walk->previous, path);
    return OK;
}

static Status changes_of_leaf(Ctx *ctx, const InputSource *source, const PpsV2__Input *node,
                              DatumFn put, DatumFn gone, void *arg)
{
    CLEANUP(change_walk_done)
    ChangeWalk walk = { .source = source, .put = put, .gone = gone, .arg = arg };
    TRY(datum_leaf_open(ctx, node, &walk.leaf));
    return source->changes(source->self, ctx, walk.leaf.from, on_change, &walk);
}

/* --- crosses ---------------------------------------------------------------------------------- */

/* Per child: what is there now, what of it changed, what is gone, and what is or was there. */
typedef struct CrossChange {
    size_t n;
    DatumLists now, put, gone, ever;
    const DatumList **term; /* [n] */
} CrossChange;

static void cross_change_done(CrossChange *cross)
{
    datum_lists_done(&cross->now);
    datum_lists_done(&cross->put);
    datum_lists_done(&cross->gone);
    datum_lists_done(&cross->ever);
}

static Status cross_change_new(Ctx *ctx, size_t n, CrossChange *out)
{
    out->n = n;
    TRY(datum_lists_new(ctx, n, &out->now));
    TRY(datum_lists_new(ctx, n, &out->put));
    TRY(datum_lists_new(ctx, n, &out->gone));
    TRY(datum_lists_new(ctx, n, &out->ever));
    out->term = ARENA_NEW(ctx->arena, const DatumList *, n);
    return out->term ? OK : STATUS(RESOURCE_EXHAUSTED);
}

typedef struct ChildChange {
    DatumList *put, *gone;
} ChildChange;

static Status keep_put(void *arg, Ctx *ctx, const Datum *datum)
{
    return datum_list_add(((ChildChange *)arg)->put, ctx, datum);
}

static Status keep_gone(void *arg, Ctx *ctx, const Datum *datum)
{
    return datum_list_add(((ChildChange *)arg)->gone, ctx, datum);
}

static bool child_changed(const CrossChange *cross, size_t i)
{
    return cross->put.items[i].n || cross->gone.items[i].n;
}

/* A child is listed whole only when another one changed. */
static Status cross_load(Ctx *ctx, const InputSource *source, const PpsV2__Input *node,
                         CrossChange *cross)
{
    size_t changed = 0;
    for (size_t i = 0; i < cross->n; i++) {
        ChildChange child = { &cross->put.items[i], &cross->gone.items[i] };
        TRY(datum_each_change(ctx, source, node->cross[i], keep_put, keep_gone, &child));
        changed += child_changed(cross, i);
    }
    for (size_t i = 0; i < cross->n; i++) {
        if (changed == (child_changed(cross, i) ? 1 : 0))
            continue;
        TRY(datum_list_fill(ctx, source, node->cross[i], &cross->now.items[i]));
        TRY(datum_list_concat(&cross->now.items[i], &cross->gone.items[i], &cross->ever.items[i]));
    }
    return OK;
}

/* Changed: a changed datum of one child with all that the others have now. Gone: one that is gone,
 * with what is there of the children before it and what is or was there of those after it. */
static Status changes_of_cross(Ctx *ctx, const InputSource *source, const PpsV2__Input *node,
                               DatumFn put, DatumFn gone, void *arg)
{
    CLEANUP(cross_change_done) CrossChange cross = { 0 };
    TRY(cross_change_new(ctx, node->n_cross, &cross));
    TRY(cross_load(ctx, source, node, &cross));
    for (size_t i = 0; i < cross.n; i++) {
        for (size_t k = 0; k < cross.n; k++)
            cross.term[k] = k == i ? &cross.put.items[i] : &cross.now.items[k];
        TRY(datum_cross(ctx, cross.term, cross.n, put, arg));
        for (size_t k = 0; k < cross.n; k++)
            cross.term[k] = k == i  ? &cross.gone.items[i]
                            : k < i ? &cross.now.items[k]
                                    : &cross.ever.items[k];
        TRY(datum_cross(ctx, cross.term, cross.n, gone, arg));
    }
    return OK;
}

Status datum_each_change(Ctx *ctx, const InputSource *source, const PpsV2__Input *input,
                         DatumFn put, DatumFn gone, void *arg)
{
    InputKind kind = input_kind(input);
    if (kind == INPUT_PFS || kind == INPUT_CRON)
        return changes_of_leaf(ctx, source, input, put, gone, arg);
    if (kind == INPUT_CROSS)
        return changes_of_cross(ctx, source, input, put, gone, arg);
    if (is_match(input))
        return datum_regroup(ctx, source, input, put, gone, arg);
    InputChildren children = input_children(input);
    for (size_t i = 0; i < children.n; i++)
        TRY(datum_each_change(ctx, source, children.items[i], put, gone, arg));
    return OK;
}
