/* plan_layer.c - laying changed records over a plan; see plan_priv.h. */
#include "pps/plan_priv.h"

/* --- scratch ---------------------------------------------------------------------------------- */

void scratch_open(Scratch *scratch, const Ctx *ctx)
{
    scratch->ctx = *ctx;
    scratch->ctx.arena = arena_new(0);
    scratch->start = arena_mark(scratch->ctx.arena);
}

void scratch_done(Scratch *scratch)
{
    scratch->ctx.arena = arena_free(scratch->ctx.arena);
}

Ctx *scratch_turn(Scratch *scratch)
{
    arena_rewind(scratch->ctx.arena, scratch->start);
    return &scratch->ctx;
}

/* --- layers ----------------------------------------------------------------------------------- */

typedef struct LayerMark {
    Hash id;
    TreeOp op;
} LayerMark;

void plan_layer_open(PlanLayer *layer, const TreeIo *io)
{
    *layer = (PlanLayer){ .io = io, .builder = tree_builder_new(io) };
}

void plan_layer_done(PlanLayer *layer)
{
    layer->builder = tree_builder_free(layer->builder);
    buf_done(&layer->marks);
}

/* A mark that is not there may be deleted: that costs less than looking. */
static void note_mark(PlanLayer *layer, const Hash *id, TreeOp op)
{
    LayerMark mark = { *id, op };
    buf_add(&layer->marks, &mark, sizeof(mark));
}

Status plan_layer_put_stored(Ctx *ctx, PlanLayer *layer, const PlanRecord *record,
                             RecordState state)
{
    char path[RECORD_PATH_SIZE];
    TreeEntry entry = { .path = record_path(&record->id, path),
                        .tag = STR(""),
                        .record = record->stored };
    note_mark(layer, &record->id, state == RECORD_PROCESSED ? TREE_DELETE : TREE_PUT);
    layer->entries++;
    return tree_builder_add(ctx, layer->builder, &entry);
}

Status plan_layer_put(Ctx *ctx, PlanLayer *layer, const DatumRecord *record)
{
    PlanRecord encoded;
    TRY(plan_encode(ctx, layer->io, record, &encoded));
    return plan_layer_put_stored(ctx, layer, &encoded, record->head.state);
}

Status plan_layer_delete(Ctx *ctx, PlanLayer *layer, const Hash *id)
{
    char path[RECORD_PATH_SIZE];
    TreeEntry entry = { .path = record_path(id, path), .tag = STR(""), .record.op = TREE_DELETE };
    note_mark(layer, id, TREE_DELETE);
    layer->entries++;
    return tree_builder_add(ctx, layer->builder, &entry);
}

static Status add_marks(Ctx *ctx, PlanLayer *layer)
{
    const Hash empty = hash_of((Bytes){ NULL, 0 });
    for (size_t at = 0; at < layer->marks.size; at += sizeof(LayerMark)) {
        LayerMark mark;
        memcpy(&mark, layer->marks.data + at, sizeof(mark));
        char path[RECORD_PATH_SIZE];
        TreeEntry entry = { .path = record_mark_path(&mark.id, path), .tag = STR("") };
        entry.record = (TreeRecord){ .op = mark.op, .form = TREE_INLINE };
        if (mark.op == TREE_PUT)
            entry.record.hash = empty;
        TRY(tree_builder_add(ctx, layer->builder, &entry));
    }
    return OK;
}

Status plan_layer_apply(Ctx *ctx, PlanLayer *layer, const Hash *plan, Hash *out)
{
    if (!layer->entries) {
        *out = *plan;
        return OK;
    }
    TRY(add_marks(ctx, layer));
    Hash root;
    TRY(tree_builder_finish(ctx, layer->builder, &root));
    return tree_apply(ctx, layer->io, NULL, plan, &root, out);
}
