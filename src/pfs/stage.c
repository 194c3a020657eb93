/* stage.c - see stage.h. */
#include "pfs/stage.h"

#include <stdlib.h>

/* Above what gathers before a spill, with room for the largest operation. */
#define ARENA_BYTES_MAX (2 * STAGE_BYTES_MAX)

void stage_init(Stage *stage, Content *content)
{
    *stage = (Stage){ .content = content, .arena = arena_new(ARENA_BYTES_MAX), .sorted = true };
}

void stage_done(Stage *stage)
{
    arena_free(stage->arena);
    free(stage->ops);
}

static int op_order(const StageOp *a, const StageOp *b)
{
    int order = str_cmp(a->path, b->path);
    return order ? order : str_cmp(a->tag, b->tag);
}

static StageOp *last_op(Stage *stage)
{
    return stage->n > 0 ? &stage->ops[stage->n - 1] : NULL;
}

static StageOp *new_op(Stage *stage)
{
    if (stage->n == stage->capacity) {
        stage->capacity = MAX(2 * stage->capacity, 64);
        stage->ops = realloc(stage->ops, stage->capacity * sizeof(StageOp));
        if (!stage->ops)
            abort();
    }
    return &stage->ops[stage->n++];
}

static Str keep(Stage *stage, Str text)
{
    return (Str){ arena_strndup(stage->arena, text.data, text.size), text.size };
}

Status stage_add(Ctx *ctx, Stage *stage, Str path, Str tag, const TreeRecord *record)
{
    if (path.size > TREE_PATH_MAX)
        return FAIL(ctx, INVALID_ARGUMENT, "path of %zu bytes is longer than the %d allowed",
                    path.size, TREE_PATH_MAX);
    if (tag.size > TREE_TAG_MAX)
        return FAIL(ctx, INVALID_ARGUMENT, "datum tag of %zu bytes is longer than the %d allowed",
                    tag.size, TREE_TAG_MAX);
    if (arena_used_bytes(stage->arena) + stage->n * sizeof(StageOp) >= STAGE_BYTES_MAX)
        TRY(stage_spill(ctx, stage));
    const StageOp *last = last_op(stage);
    bool same_tag = last && str_eq(last->tag, tag);
    StageOp op = { .path = keep(stage, path),
                   .tag = same_tag ? last->tag : keep(stage, tag),
                   .record = *record };
    op.record.data.data = arena_memdup(stage->arena, record->data.data, record->data.size);
    stage->sorted = stage->sorted && (!last || op_order(last, &op) < 0);
    *new_op(stage) = op;
    return OK;
}

bool stage_take_delete(Stage *stage, Str path, Str tag)
{
    const StageOp *last = last_op(stage);
    if (!last || last->record.op != TREE_DELETE || !str_eq(last->path, path) ||
        !str_eq(last->tag, tag))
        return false;
    stage->n--;
    return true;
}

/* By (path, tag), then in the order they came, which is that of their addresses. */
static int op_pointer_order(const void *a, const void *b)
{
    const StageOp *x = *(const StageOp *const *)a, *y = *(const StageOp *const *)b;
    int order = op_order(x, y);
    return order ? order : (x > y) - (x < y);
}

static const StageOp **sorted_ops(const Stage *stage)
{
    const StageOp **ops = malloc(stage->n * sizeof(*ops));
    if (!ops)
        abort();
    for (size_t i = 0; i < stage->n; i++)
        ops[i] = &stage->ops[i];
    if (!stage->sorted)
        qsort(ops, stage->n, sizeof(*ops), op_pointer_order);
    return ops;
}

/* `record` then `next` on the same (path, tag), as one operation. */
static Status fold(Ctx *ctx, const Content *content, TreeRecord *record, const TreeRecord *next)
{
    if (next->op != TREE_APPEND) {
        *record = *next;
        return OK;
    }
    TreeOp op = record->op;
    if (op == TREE_DELETE) {
        *record = *next;
        record->op = TREE_PUT;
        return OK;
    }
    TreeRecord joined;
    TRY(content->append.join(content->append.self, ctx, record, next, &joined));
    *record = joined;
    record->op = op;
    return OK;
}

static Status build(Ctx *ctx, const Stage *stage, const StageOp **ops, TreeBuilder *builder,
                    Hash *out_root)
{
    for (size_t i = 0; i < stage->n;) {
        ArenaMark mark = arena_mark(ctx->arena);
        TRY(ctx_check(ctx));
        TreeEntry entry = { .path = ops[i]->path, .tag = ops[i]->tag, .record = ops[i]->record };
        size_t first = i++;
        for (; i < stage->n && op_order(ops[first], ops[i]) == 0; i++)
            TRY(fold(ctx, stage->content, &entry.record, &ops[i]->record));
        TRY(tree_builder_add(ctx, builder, &entry));
        arena_rewind(ctx->arena, mark);
    }
    return tree_builder_finish(ctx, builder, out_root);
}

static void clear_ops(Stage *stage)
{
    stage->arena = arena_free(stage->arena);
    stage->arena = arena_new(ARENA_BYTES_MAX);
    stage->n = 0;
    stage->sorted = true;
}

static Status compose_top_two(Ctx *ctx, Stage *stage)
{
    StageLayer *lower = &stage->layers[stage->layer_count - 2], *upper = lower + 1;
    Hash root;
    TRY(tree_compose(ctx, &stage->content->io, &stage->content->append, &lower->root, &upper->root,
                     &root));
    *lower = (StageLayer){ .root = root, .rank = lower->rank + 1 };
    stage->layer_count--;
    return OK;
}

static Status push_layer(Ctx *ctx, Stage *stage, const Hash *root)
{
    assert(stage->layer_count < STAGE_LAYERS_MAX);
    stage->layers[stage->layer_count++] = (StageLayer){ .root = *root };
    while (stage->layer_count > 1 &&
           stage->layers[stage->layer_count - 2].rank == stage->layers[stage->layer_count - 1].rank)
        TRY(compose_top_two(ctx, stage));
    return OK;
}

static void free_ops(const StageOp ***ops)
{
    free(*ops);
}

Status stage_spill(Ctx *ctx, Stage *stage)
{
    if (stage->n == 0)
        return OK;
    CLEANUP(free_ops) const StageOp **ops = sorted_ops(stage);
    CLEANUP(tree_builder_freep) TreeBuilder *builder = tree_builder_new(&stage->content->io);
    Hash root;
    TRY(build(ctx, stage, ops, builder, &root));
    clear_ops(stage);
    return push_layer(ctx, stage, &root);
}

Status stage_finish(Ctx *ctx, Stage *stage, Hash *out_layer)
{
    TRY(stage_spill(ctx, stage));
    while (stage->layer_count > 1)
        TRY(compose_top_two(ctx, stage));
    *out_layer = stage->layer_count ? stage->layers[0].root : (Hash){ 0 };
    stage->layer_count = 0;
    return OK;
}
