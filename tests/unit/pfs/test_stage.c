/* test_stage.c - streams of operations: layers do what the operations would one by one, however
 * they are spilled, and the same files have the same root whatever way they came. */
#include "content_fixture.h"

static const char *const paths[] = { "/a-b", "/a/x", "/a/y", "/b", "/c/d/e", "/c/d/f" };
static const char *const tags[] = { "d1", "default" };

/* The content of every (path, tag); present or not. */
typedef struct Model {
    struct {
        bool present;
        Buf content;
    } files[ARRAY_LEN(paths)][ARRAY_LEN(tags)];
} Model;

static void model_done(Model *model)
{
    for (size_t p = 0; p < ARRAY_LEN(paths); p++)
        for (size_t t = 0; t < ARRAY_LEN(tags); t++)
            buf_done(&model->files[p][t].content);
}

static void model_do(Model *model, size_t p, size_t t, TreeOp op, Bytes data)
{
    if (op != TREE_APPEND)
        buf_clear(&model->files[p][t].content);
    model->files[p][t].present = op != TREE_DELETE;
    buf_add_bytes(&model->files[p][t].content, data);
}

static void assert_tree_is(ContentFixture *f, const Hash *root, const Model *model)
{
    TreeCursor *cursor = tree_cursor_new(&f->content.io, root);
    assert_ok(tree_cursor_seek(&f->ctx, cursor, STR(""), STR("")));
    for (size_t p = 0; p < ARRAY_LEN(paths); p++) {
        for (size_t t = 0; t < ARRAY_LEN(tags); t++) {
            if (!model->files[p][t].present)
                continue;
            const TreeEntry *entry = tree_cursor_entry(cursor);
            assert_non_null(entry);
            assert_true(str_eq_c(entry->path, paths[p]) && str_eq_c(entry->tag, tags[t]));
            TreeRecord expected = record_of(f, buf_bytes(&model->files[p][t].content));
            assert_same_record(&entry->record, &expected);
            assert_ok(tree_cursor_next(&f->ctx, cursor));
        }
    }
    assert_null(tree_cursor_entry(cursor));
    tree_cursor_free(cursor);
}

/* A tree built straight from the model. */
static Hash build_tree(ContentFixture *f, const Model *model)
{
    TreeBuilder *builder = tree_builder_new(&f->content.io);
    for (size_t p = 0; p < ARRAY_LEN(paths); p++) {
        for (size_t t = 0; t < ARRAY_LEN(tags); t++) {
            if (!model->files[p][t].present)
                continue;
            TreeEntry entry = { .path = str(paths[p]), .tag = str(tags[t]) };
            entry.record = record_of(f, buf_bytes(&model->files[p][t].content));
            assert_ok(tree_builder_add(&f->ctx, builder, &entry));
        }
    }
    Hash root;
    assert_ok(tree_builder_finish(&f->ctx, builder, &root));
    tree_builder_free(builder);
    return root;
}

static void random_op(ContentFixture *f, Stage *stage, Model *model, uint64_t *seed)
{
    static const size_t sizes[] = { 0, 1, 5, 700, 1500, 3000 };
    size_t p = next_rand(seed) % ARRAY_LEN(paths), t = next_rand(seed) % ARRAY_LEN(tags);
    TreeOp op = (TreeOp)(next_rand(seed) % 3);
    uint8_t *data = ARENA_NEW(f->ctx.arena, uint8_t, 3000);
    size_t size = op == TREE_DELETE ? 0 : sizes[next_rand(seed) % ARRAY_LEN(sizes)];
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)next_rand(seed);
    TreeRecord record = { .op = op };
    if (op != TREE_DELETE)
        record = record_of(f, bytes(data, size));
    record.op = op;
    if (op == TREE_PUT && next_rand(seed) % 2) { /* as clients say it */
        assert_ok(stage_add(&f->ctx, stage, str(paths[p]), str(tags[t]),
                            &(TreeRecord){ .op = TREE_DELETE }));
        assert_true(stage_take_delete(stage, str(paths[p]), str(tags[t])));
    }
    assert_ok(stage_add(&f->ctx, stage, str(paths[p]), str(tags[t]), &record));
    model_do(model, p, t, op, bytes(data, size));
}

static void layers_do_what_the_operations_say(void **state)
{
    ContentFixture *f = *state;
    uint64_t seed = 4;
    for (int turn = 0; turn < 300; turn++) {
        ArenaMark mark = arena_mark(f->ctx.arena);
        Model model = { 0 };
        Hash root = { 0 };
        for (uint64_t commits = 1 + next_rand(&seed) % 3; commits > 0; commits--) {
            Stage stage;
            stage_init(&stage, &f->content);
            for (uint64_t n = next_rand(&seed) % 30; n > 0; n--) {
                random_op(f, &stage, &model, &seed);
                if (next_rand(&seed) % 5 == 0)
                    assert_ok(stage_spill(&f->ctx, &stage));
            }
            Hash layer;
            const char *error;
            assert_ok(stage_finish(&f->ctx, &stage, &layer));
            stage_done(&stage);
            root = apply_to(f, root, layer, &error);
        }
        assert_tree_is(f, &root, &model);
        Hash same = build_tree(f, &model);
        assert_true(hash_eq(&root, &same));
        model_done(&model);
        arena_rewind(f->ctx.arena, mark);
    }
}

static void a_take_back_needs_the_same_file(void **state)
{
    ContentFixture *f = *state;
    Stage stage;
    stage_init(&stage, &f->content);
    assert_false(stage_take_delete(&stage, STR("/a"), STR("default")));
    stage_text(f, &stage, "-/a");
    assert_false(stage_take_delete(&stage, STR("/a"), STR("d1")));
    assert_false(stage_take_delete(&stage, STR("/b"), STR("default")));
    assert_true(stage_take_delete(&stage, STR("/a"), STR("default")));
    stage_text(f, &stage, "+/a");
    assert_false(stage_take_delete(&stage, STR("/a"), STR("default")));
    stage_done(&stage);
}

static void limits_are_told(void **state)
{
    ContentFixture *f = *state;
    Stage stage;
    stage_init(&stage, &f->content);
    char *text = ARENA_NEW(f->ctx.arena, char, TREE_PATH_MAX + 2);
    memset(text, 'x', TREE_PATH_MAX + 1);
    text[0] = '/';
    TreeRecord record = { .op = TREE_DELETE };
    assert_fails(stage_add(&f->ctx, &stage, str(text), STR("t"), &record), INVALID_ARGUMENT,
                 "longer than the 4096");
    assert_fails(stage_add(&f->ctx, &stage, STR("/a"), str_sub(str(text), 0, 129), &record),
                 INVALID_ARGUMENT, "datum tag of 129 bytes");
    stage_done(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_do_what_the_operations_say),
        cmocka_unit_test(a_take_back_needs_the_same_file),
        cmocka_unit_test(limits_are_told),
    };
    return cmocka_run_group_tests(tests, content_setup, content_teardown);
}
