/* datum_leaf.c - one file, one datum; see datum_priv.h. */
#include "pps/datum_priv.h"

Status datum_leaf_open(Ctx *ctx, const PpsV2__Input *node, DatumLeaf *out)
{
    *out = (DatumLeaf){ .from = input_leaf(ctx, node), .scratch = *ctx };
    out->scratch.arena = arena_new(0);
    return glob_compile(ctx, str(out->from->glob), &out->glob);
}

void datum_leaf_done(DatumLeaf *leaf)
{
    leaf->scratch.arena = arena_free(leaf->scratch.arena);
}

/* The whole path is matched without a directory's final slash, and so are its groups. */
static Str expand(DatumLeaf *leaf, Str path, const char *template)
{
    return *template ? glob_replace(&leaf->scratch, leaf->glob, path, str(template)) : STR("");
}

Status datum_leaf_emit(Ctx *ctx, DatumLeaf *leaf, const PfsMatch *match, DatumFn fn, void *arg)
{
    ArenaMark mark = arena_mark(leaf->scratch.arena);
    DatumInput input = {
        .from = leaf->from,
        .path = match->path,
        .is_dir = match->is_dir,
        .size = match->size,
        .hash = match->hash,
        .join_on = expand(leaf, match->path, leaf->from->join_on),
        .group_by = expand(leaf, match->path, leaf->from->group_by),
    };
    const DatumInput *inputs[] = { &input };
    Datum datum = {
        .id = datum_id(inputs, 1),
        .index = leaf->next_index++,
        .input_count = 1,
        .inputs = inputs,
    };
    Status status = fn(arg, ctx, &datum);
    arena_rewind(leaf->scratch.arena, mark);
    return status;
}

Status datum_leaf_emit_gone(Ctx *ctx, DatumLeaf *leaf, Str path, DatumFn fn, void *arg)
{
    DatumInput input = {
        .from = leaf->from, .path = path, .join_on = STR(""), .group_by = STR("")
    };
    const DatumInput *inputs[] = { &input };
    Datum datum = { .id = datum_id(inputs, 1), .input_count = 1, .inputs = inputs };
    return fn(arg, ctx, &datum);
}
