/* datum_each.c - enumerating the datums of an input tree (pps.md §10.1); see datum.h. */
#include "pps/datum_priv.h"

/* --- leaves ----------------------------------------------------------------------------------- */

typedef struct LeafWalk {
    DatumLeaf leaf;
    DatumFn fn;
    void *arg;
} LeafWalk;

static void leaf_walk_done(LeafWalk *walk)
{
    datum_leaf_done(&walk->leaf);
}

static Status on_match(void *arg, Ctx *ctx, const PfsMatch *match)
{
    LeafWalk *walk = arg;
    TRY(ctx_check(ctx));
    return datum_leaf_emit(ctx, &walk->leaf, match, walk->fn, walk->arg);
}

static Status each_of_leaf(Ctx *ctx, const InputSource *source, const PpsV2__Input *node,
                           DatumFn fn, void *arg)
{
    CLEANUP(leaf_walk_done) LeafWalk walk = { .fn = fn, .arg = arg };
    TRY(datum_leaf_open(ctx, node, &walk.leaf));
    return source->list(source->self, ctx, walk.leaf.from, on_match, &walk);
}

/* --- unions: one child after the other -------------------------------------------------------- */

typedef struct UnionWalk {
    uint64_t offset, next; /* indexes of this child start at offset; the next child's at next */
    DatumFn fn;
    void *arg;
} UnionWalk;

static Status on_union_datum(void *arg, Ctx *ctx, const Datum *datum)
{
    UnionWalk *walk = arg;
    Datum shifted = *datum;
    shifted.index += walk->offset;
    walk->next = MAX(walk->next, shifted.index + 1);
    return walk->fn(walk->arg, ctx, &shifted);
}

static Status each_of_union(Ctx *ctx, const InputSource *source, const PpsV2__Input *node,
                            DatumFn fn, void *arg)
{
    UnionWalk walk = { .fn = fn, .arg = arg };
    for (size_t i = 0; i < node->n_union_; i++) {
        walk.offset = walk.next;
        TRY(datum_each(ctx, source, node->union_[i], on_union_datum, &walk));
    }
    return OK;
}

/* --- the rest holds its children -------------------------------------------------------------- */

static Status cross_lists(Ctx *ctx, const DatumLists *lists, DatumFn fn, void *arg)
{
    const DatumList **pointers = ARENA_NEW(ctx->arena, const DatumList *, lists->n);
    if (!pointers)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < lists->n; i++)
        pointers[i] = &lists->items[i];
    return datum_cross(ctx, pointers, lists->n, fn, arg);
}

static Status each_of_composite(Ctx *ctx, const InputSource *source, const PpsV2__Input *node,
                                DatumFn fn, void *arg)
{
    InputChildren children = input_children(node);
    CLEANUP(datum_lists_done) DatumLists lists = { 0 };
    TRY(datum_lists_new(ctx, children.n, &lists));
    for (size_t i = 0; i < children.n; i++)
        TRY(datum_list_fill(ctx, source, children.items[i], &lists.items[i]));
    InputKind kind = input_kind(node);
    if (kind == INPUT_CROSS)
        return cross_lists(ctx, &lists, fn, arg);
    return datum_match(ctx, &lists, kind == INPUT_JOIN, fn, arg);
}

Status datum_each(Ctx *ctx, const InputSource *source, const PpsV2__Input *input, DatumFn fn,
                  void *arg)
{
    switch (input_kind(input)) {
    case INPUT_NONE:
        return OK;
    case INPUT_PFS:
    case INPUT_CRON:
        return each_of_leaf(ctx, source, input, fn, arg);
    case INPUT_UNION:
        return each_of_union(ctx, source, input, fn, arg);
    case INPUT_CROSS:
    case INPUT_JOIN:
    case INPUT_GROUP:
        break;
    }
    return each_of_composite(ctx, source, input, fn, arg);
}
