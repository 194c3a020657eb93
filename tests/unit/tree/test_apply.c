/* test_apply.c - the same set of entries has the same root, however it was made; and making it
 * reads little. */
#include "unit/tree/tree_fixture.h"

#include "tree/tree_priv.h"

static Hash apply(Fixture *fx, const Hash *base, const Hash *layer)
{
    Hash root;
    assert_ok(tree_apply(&fx->ctx, &fx->blobs.io, &model_append, base, layer, &root));
    return root;
}

static Hash compose(Fixture *fx, const Hash *lower, const Hash *upper)
{
    Hash root;
    assert_ok(tree_compose(&fx->ctx, &fx->blobs.io, &model_append, lower, upper, &root));
    return root;
}

static void nothing(void **state)
{
    Fixture *fx = *state;
    Hash zero = { { 0 } }, root = apply(fx, &zero, &zero);
    assert_true(hash_is_zero(&root));
    random_fill(fx, &fx->a, 10, 100, 20);
    Hash some = build(fx, &fx->a);
    root = apply(fx, &some, &zero);
    assert_same_hash(&root, &some);
    root = apply(fx, &zero, &some);
    assert_same_hash(&root, &some);
    for (size_t i = 0; i < fx->a.count; i++) /* deleting everything leaves nothing */
        fx->a.entries[i].record = model_record(TREE_DELETE, STR(""));
    Hash layer = build(fx, &fx->a);
    root = apply(fx, &some, &layer);
    assert_true(hash_is_zero(&root));
}

/* What each operation does over each, applied and composed. */
static void operations(void **state)
{
    Fixture *fx = *state;
    static const struct {
        const char *below, *above, *applied,
            *composed; /* first letter: Put, Append, Delete; "" is none */
    } cases[] = {
        { "", "Px", "Px", "Px" },   { "", "Ax", "Px", "Ax" },     { "", "D", "", "D" },
        { "Pa", "Px", "Px", "Px" }, { "Pa", "Ax", "Pax", "Pax" }, { "Pa", "D", "", "D" },
        { "Aa", "Px", NULL, "Px" }, { "Aa", "Ax", NULL, "Aax" },  { "Aa", "D", NULL, "D" },
        { "D", "Px", NULL, "Px" },  { "D", "Ax", NULL, "Px" },    { "D", "D", NULL, "D" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s over %s", cases[i].above, cases[i].below);
        const char *texts[] = { cases[i].below, cases[i].above, cases[i].applied,
                                cases[i].composed };
        Hash roots[4] = { { { 0 } } };
        for (size_t k = 0; k < 4; k++) {
            fx->a.count = 0;
            if (texts[k] && texts[k][0]) {
                TreeOp op = texts[k][0] == 'P'   ? TREE_PUT
                            : texts[k][0] == 'A' ? TREE_APPEND
                                                 : TREE_DELETE;
                TreeEntry entry = { STR("/f"), STR("default"),
                                    model_record(op, str(texts[k] + 1)) };
                model_set(&fx->a, &entry);
            }
            roots[k] = build(fx, &fx->a);
        }
        if (cases[i].applied) {
            Hash applied = apply(fx, &roots[0], &roots[1]);
            assert_same_hash(&applied, &roots[2]);
        }
        Hash composed = compose(fx, &roots[0], &roots[1]);
        assert_same_hash(&composed, &roots[3]);
    }
}

/* Random layers one after the other, against the model. */
static void layers_like_the_model(void **state)
{
    Fixture *fx = *state;
    Hash root = { { 0 } };
    for (int round = 0; round < 50; round++) {
        size_t count = round % 10 == 0 ? 3000 : 1 + below(fx, 30);
        random_layer(fx, &fx->b, count, 20000, 40);
        Hash layer = build(fx, &fx->b);
        root = apply(fx, &root, &layer);
        model_overlay(&fx->a, &fx->b, false);
        assert_tree_is(fx, &root, &fx->a);
    }
}

/* 100,000 paths, split at random into layers that are applied in any grouping. */
static void any_grouping(void **state)
{
    Fixture *fx = *state;
    enum { LAYERS = 9 };
    Hash layers[LAYERS];
    for (size_t i = 0; i < LAYERS; i++) {
        fx->b.count = 0;
        random_fill(fx, &fx->b, i % 3 ? 100 : 1500 * i, 1000 * 1000, 60);
        layers[i] = build(fx, &fx->b);
        model_overlay(&fx->a, &fx->b, false);
    }
    Hash expected = build(fx, &fx->a);
    for (int round = 0; round < 6; round++) {
        Hash left[LAYERS];
        size_t n = LAYERS;
        memcpy(left, layers, sizeof(left));
        while (n > 1) { /* compose two neighbours, any two */
            size_t at = below(fx, n - 1);
            left[at] = compose(fx, &left[at], &left[at + 1]);
            memmove(&left[at + 1], &left[at + 2], (n - at - 2) * sizeof(*left));
            n--;
        }
        Hash zero = { { 0 } }, root = apply(fx, &zero, &left[0]);
        assert_same_hash(&root, &expected);
    }
}

static void a_hundred_thousand_paths(void **state)
{
    Fixture *fx = *state;
    for (size_t i = 0; i < 100 * 1000; i++) {
        ArenaMark mark = arena_mark(fx->ctx.arena);
        TreeEntry entry = { str(text_printf(fx->ctx.arena, "/data/%03zu/%06zu.txt", i / 500, i)),
                            STR("default"),
                            model_record(TREE_PUT, str(text_printf(fx->ctx.arena, "%zu", i))) };
        model_set(&fx->a, &entry);
        arena_rewind(fx->ctx.arena, mark);
    }
    Hash expected = build(fx, &fx->a), root = { { 0 } };
    for (size_t part = 0; part < 7; part++) { /* every seventh, then the next ones */
        CLEANUP(tree_builder_freep) TreeBuilder *builder = tree_builder_new(&fx->blobs.io);
        for (size_t i = part; i < fx->a.count; i += 7)
            assert_ok(tree_builder_add(&fx->ctx, builder, &fx->a.entries[i]));
        Hash layer;
        assert_ok(tree_builder_finish(&fx->ctx, builder, &layer));
        root = apply(fx, &root, &layer);
    }
    assert_same_hash(&root, &expected);
}

/* Deleting and adding back leads back to the same root, at every size on the way. */
static void shrinking_and_growing(void **state)
{
    Fixture *fx = *state;
    random_fill(fx, &fx->a, 6000, 100 * 1000, 30);
    Hash full = build(fx, &fx->a), root = full;
    model_copy(&fx->b, &fx->a);
    while (fx->b.count) {
        size_t from = below(fx, fx->b.count),
               n = MIN(fx->b.count - from, (size_t)1 + fx->b.count / 4);
        fx->c.count = 0;
        for (size_t i = from; i < from + n; i++) {
            TreeEntry entry = fx->b.entries[i];
            entry.record = model_record(TREE_DELETE, STR(""));
            model_set(&fx->c, &entry);
        }
        Hash layer = build(fx, &fx->c);
        root = apply(fx, &root, &layer);
        model_overlay(&fx->b, &fx->c, false);
        assert_tree_is(fx, &root, &fx->b);
    }
    root = apply(fx, &root, &full);
    assert_same_hash(&root, &full);
}

/* --- crafted names --------------------------------------------------------------------------- */

/* Fills the model with `count` entries whose keys all end their nodes, or none of which does. */
static void fill_crafted(Fixture *fx, Model *model, size_t count, bool ends, unsigned level)
{
    for (size_t i = 0; model->count < count; i++) {
        ArenaMark mark = arena_mark(fx->ctx.arena);
        TreeEntry entry = { str(text_printf(fx->ctx.arena, "/crafted/%08zu", i)), STR("default"),
                            model_record(TREE_PUT, STR("x")) };
        CLEANUP(buf_done) Buf value = { 0 };
        record_encode(&entry.record, &value);
        TreeItem item = { entry.path, entry.tag, buf_bytes(&value) };
        if (node_ends_after(level, &item, 10, 0) == ends)
            model_set(model, &entry);
        arena_rewind(fx->ctx.arena, mark);
    }
}

/* Changes in and around crafted entries give the tree that building them anew gives. */
static void check_crafted(Fixture *fx)
{
    Hash root = build(fx, &fx->a);
    for (int round = 0; round < 20; round++) {
        fx->b.count = 0;
        for (size_t i = 1 + below(fx, 5); i; i--) {
            TreeEntry entry = fx->a.entries[below(fx, fx->a.count)];
            entry.record = model_record((TreeOp)below(fx, 3), STR("changed"));
            model_set(&fx->b, &entry);
        }
        Hash layer = build(fx, &fx->b);
        root = apply(fx, &root, &layer);
        model_overlay(&fx->a, &fx->b, false);
        assert_tree_is(fx, &root, &fx->a);
    }
}

static size_t largest_blob(Fixture *fx, const Hash *root)
{
    CLEANUP(node_done) TreeNode node = { 0 };
    CLEANUP(buf_done) Buf path = { 0 };
    assert_ok(node_load(&fx->ctx, &fx->blobs.io, root, &node));
    size_t largest = node.data.size;
    for (size_t i = 0; node.level > 0 && i < node.count; i++) {
        Hash child = child_decode(node_item(&node, i, &path).value).hash;
        size_t size = largest_blob(fx, &child);
        largest = MAX(largest, size);
    }
    return largest;
}

static void names_without_boundaries(void **state)
{
    Fixture *fx = *state;
    fill_crafted(fx, &fx->a, 30 * 1000, false, 0);
    Hash root = build(fx, &fx->a);
    assert_true(largest_blob(fx, &root) < 1 * MiB);
    check_crafted(fx);
}

static void names_that_are_all_boundaries(void **state)
{
    Fixture *fx = *state;
    fill_crafted(fx, &fx->a, 700, true, 0);
    check_crafted(fx);
}

/* --- cost ------------------------------------------------------------------------------------ */

/* One change in 100,000 entries reads one node a level, and again along the right edge at most. */
static void few_changes_read_few_nodes(void **state)
{
    Fixture *fx = *state;
    random_fill(fx, &fx->a, 50 * 1000, 1000 * 1000, 100);
    Hash root = build(fx, &fx->a);
    for (int round = 0; round < 50; round++) {
        fx->b.count = 0;
        TreeEntry entry = fx->a.entries[below(fx, fx->a.count)];
        entry.record = model_record(TREE_PUT, STR("changed"));
        model_set(&fx->b, &entry);
        Hash layer = build(fx, &fx->b);
        fx->blobs.gets = fx->blobs.puts = 0;
        root = apply(fx, &root, &layer);
        assert_in_range(fx->blobs.gets, 3, 9);
        assert_in_range(fx->blobs.puts, 2, 9);
    }
}

/* A whole folder of new files is taken over as subtrees: the layer's inside is not read. */
static void a_new_folder_is_taken_over_unread(void **state)
{
    Fixture *fx = *state;
    random_fill(fx, &fx->a, 20 * 1000, 1000 * 1000, 100);
    for (size_t i = 0; i < 20 * 1000; i++) {
        ArenaMark mark = arena_mark(fx->ctx.arena);
        TreeEntry entry = { str(text_printf(fx->ctx.arena, "/data/new/%05zu", i)), STR("default"),
                            model_record(TREE_PUT, random_text(fx, 100)) };
        model_set(&fx->b, &entry);
        arena_rewind(fx->ctx.arena, mark);
    }
    Hash base = build(fx, &fx->a), layer = build(fx, &fx->b);
    fx->blobs.gets = 0;
    Hash root = apply(fx, &base, &layer);
    assert_in_range(fx->blobs.gets, 3, 14);
    model_overlay(&fx->a, &fx->b, false);
    assert_tree_is(fx, &root, &fx->a);
    fx->blobs.gets = 0;
    Hash again = apply(fx, &root, &layer); /* and putting the same again reads little, too */
    assert_same_hash(&again, &root);
    assert_in_range(fx->blobs.gets, 3, 20);
}

/* --- faults ---------------------------------------------------------------------------------- */

/* The nth read or write fails: the error comes out, and with the next try nothing is different. */
static void failing_blobs(void **state)
{
    Fixture *fx = *state;
    random_fill(fx, &fx->a, 20 * 1000, 100 * 1000, 50);
    random_layer(fx, &fx->b, 50, 100 * 1000, 50);
    Hash base = build(fx, &fx->a), layer = build(fx, &fx->b), root;
    Status s = STATUS(UNKNOWN);
    size_t calls = 0;
    for (; !status_ok(s); calls++) {
        fx->blobs.fail_after = calls;
        s = tree_apply(&fx->ctx, &fx->blobs.io, &model_append, &base, &layer, &root);
        assert_true(status_ok(s) || s.code == STATUS_UNAVAILABLE);
    }
    assert_true(calls > 10);
    fx->blobs.fail_after = SIZE_MAX;
    model_overlay(&fx->a, &fx->b, false);
    assert_tree_is(fx, &root, &fx->a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(nothing),
        TREE_TEST(operations),
        TREE_TEST(layers_like_the_model),
        TREE_TEST(any_grouping),
        TREE_TEST(a_hundred_thousand_paths),
        TREE_TEST(shrinking_and_growing),
        TREE_TEST(names_without_boundaries),
        TREE_TEST(names_that_are_all_boundaries),
        TREE_TEST(few_changes_read_few_nodes),
        TREE_TEST(a_new_folder_is_taken_over_unread),
        TREE_TEST(failing_blobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
