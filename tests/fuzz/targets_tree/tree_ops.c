/* tree_ops.c - a sequence of layers laid over a tree does what the model does, gives the root that
 * building the result anew gives, and so do the same layers composed first, the difference laid
 * over the old tree, and a merge.
 *
 * The input is read by four bytes: operation, two bytes of key, size.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>

#include "unit/tree/tree_model.h"

typedef struct State {
    Ctx ctx;
    MemBlobs blobs;
    Model base, layer;
    Hash root, old_root; /* with all layers, and without the last */
    Hash layer_root;     /* the last layer */
} State;

static void must(Status s)
{
    PROP(status_ok(s));
}

static TreeRecord make_record(TreeOp op, unsigned seed, unsigned size, char *text)
{
    size_t n = op == TREE_APPEND ? size % 8 : size * 8;
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + (seed + i) % 26);
    return model_record(op, (Str){ text, n });
}

/* Keys collide often, and are on both sides of '/' in order. */
static void add(State *state, const uint8_t step[4])
{
    static const char separators[] = "/-.0";
    char path[32], text[TREE_INLINE_MAX];
    int size = snprintf(path, sizeof(path), "/d%u%c%u", step[1] % 16u, separators[step[1] / 16 % 4],
                        step[2] % 64u);
    TreeRecord record = make_record((TreeOp)(step[0] % 4), step[1] + step[2], step[3], text);
    Str tag = step[2] & 0x80 ? STR("other") : STR("default");
    TreeEntry entry = { .path = { path, (size_t)size }, .tag = tag, .record = record };
    model_set(&state->layer, &entry);
}

/* Turns a difference into the layer that makes it. */
static Status collect(void *arg, Ctx *ctx, const TreeEntry *old_entry, const TreeEntry *new_entry)
{
    PROP(!entries_equal(old_entry, new_entry));
    TreeEntry entry = new_entry ? *new_entry : *old_entry;
    if (!new_entry)
        entry.record = (TreeRecord){ .op = TREE_DELETE };
    return tree_builder_add(ctx, arg, &entry);
}

static void check_diff(State *state)
{
    Ctx *ctx = &state->ctx;
    const TreeIo *io = &state->blobs.io;
    CLEANUP(tree_builder_freep) TreeBuilder *builder = tree_builder_new(io);
    Hash layer, root;
    must(tree_diff(ctx, io, &state->old_root, &state->root, STR(""), STR(""), collect, builder));
    must(tree_builder_finish(ctx, builder, &layer));
    must(tree_apply(ctx, io, &model_append, &state->old_root, &layer, &root));
    PROP(hash_eq(&root, &state->root));
}

static Status no_conflict(void *arg, Ctx *ctx, const TreeEntry *base, const TreeEntry *ours,
                          const TreeEntry *theirs, TreeTake *out_take)
{
    (void)arg;
    (void)ctx;
    (void)base;
    (void)ours;
    (void)theirs;
    (void)out_take;
    abort();
}

static void check_merge(State *state)
{
    Hash root;
    uint64_t changes;
    must(tree_merge3(&state->ctx, &state->blobs.io, &state->old_root, &state->old_root,
                     &state->root, no_conflict, NULL, &root, &changes));
    PROP(hash_eq(&root, &state->root));
}

/* Both of the last two layers at once over the tree before them. */
static void check_compose(State *state, const Hash *before, const Hash *lower)
{
    Hash composed, root;
    must(tree_compose(&state->ctx, &state->blobs.io, &model_append, lower, &state->layer_root,
                      &composed));
    must(tree_apply(&state->ctx, &state->blobs.io, &model_append, before, &composed, &root));
    PROP(hash_eq(&root, &state->root));
}

static void flush(State *state)
{
    Ctx *ctx = &state->ctx;
    const TreeIo *io = &state->blobs.io;
    Hash before = state->old_root, lower = state->layer_root, built;
    state->old_root = state->root;
    must(model_build(ctx, io, &state->layer, &state->layer_root));
    must(tree_apply(ctx, io, &model_append, &state->old_root, &state->layer_root, &state->root));

    model_overlay(&state->base, &state->layer, false);
    state->layer.count = 0;
    must(model_build(ctx, io, &state->base, &built));
    PROP(hash_eq(&built, &state->root));
    bool matches;
    must(model_matches(ctx, io, &state->base, &state->root, &matches));
    PROP(matches);
    check_compose(state, &before, &lower);
    check_diff(state);
    check_merge(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    State state = { 0 };
    ctx_init(&state.ctx);
    mem_blobs_init(&state.blobs);
    model_init(&state.base);
    model_init(&state.layer);
    for (size_t at = 0; at + 4 <= size; at += 4) {
        if (data[at] % 4 == 3 && data[at] > 192)
            flush(&state);
        else if (data[at] % 4 < 3)
            add(&state, data + at);
    }
    flush(&state);
    model_done(&state.layer);
    model_done(&state.base);
    mem_blobs_done(&state.blobs);
    ctx_done(&state.ctx);
    return 0;
}
