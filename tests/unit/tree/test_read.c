/* test_read.c - cursors, single entries, sums and directory hashes, against the model. */
#include "unit/tree/tree_fixture.h"

static const TreeEntry *model_at(const Model *model, size_t index)
{
    return index < model->count ? &model->entries[index] : NULL; /* also before 0, as SIZE_MAX */
}

static void empty_tree(void **state)
{
    Fixture *fx = *state;
    Hash zero = { { 0 } };
    TreeCursor *cursor = tree_cursor_new(&fx->blobs.io, &zero);
    assert_ok(tree_cursor_seek(&fx->ctx, cursor, STR("/"), STR("")));
    assert_null(tree_cursor_entry(cursor));
    assert_ok(tree_cursor_seek_end(&fx->ctx, cursor));
    assert_null(tree_cursor_entry(cursor));
    assert_ok(tree_cursor_next(&fx->ctx, cursor));
    assert_null(tree_cursor_entry(cursor));
    assert_ok(tree_cursor_prev(&fx->ctx, cursor));
    assert_null(tree_cursor_entry(cursor));
    tree_cursor_free(cursor);
    TreeRecord record;
    assert_int_equal(tree_get(&fx->ctx, &fx->blobs.io, &zero, STR("/a"), STR(""), &record).code,
                     STATUS_NOT_FOUND);
    TreeSum sum;
    assert_ok(tree_sum(&fx->ctx, &fx->blobs.io, &zero, STR(""), STR(""), &sum));
    assert_int_equal(sum.files, 0);
    assert_int_equal(fx->blobs.gets, 0);
}

/* Random moves of one cursor. */
static void cursor_like_the_model(void **state)
{
    Fixture *fx = *state;
    random_fill(fx, &fx->a, 20 * 1000, 40 * 1000, 60);
    Hash root = build(fx, &fx->a);
    TreeCursor *cursor = tree_cursor_new(&fx->blobs.io, &root);
    size_t at = SIZE_MAX; /* before the first */
    for (int round = 0; round < 20 * 1000; round++) {
        ArenaMark mark = arena_mark(fx->ctx.arena);
        TreeEntry key = random_entry(fx, 41 * 1000, TREE_PUT, 0);
        switch (below(fx, 40)) {
        case 0:
            assert_ok(tree_cursor_seek(&fx->ctx, cursor, key.path, key.tag));
            at = model_find(&fx->a, key.path, key.tag);
            break;
        case 1:
            assert_ok(tree_cursor_seek_before(&fx->ctx, cursor, key.path, key.tag));
            at = model_find(&fx->a, key.path, key.tag) - 1;
            break;
        case 2:
            assert_ok(tree_cursor_seek_end(&fx->ctx, cursor));
            at = fx->a.count - 1;
            break;
        default:
            if (round / 1000 % 2) {
                assert_ok(tree_cursor_next(&fx->ctx, cursor));
                at += at != fx->a.count;
            } else {
                assert_ok(tree_cursor_prev(&fx->ctx, cursor));
                at -= at != SIZE_MAX;
            }
        }
        assert_true(entries_equal(tree_cursor_entry(cursor), model_at(&fx->a, at)));
        arena_rewind(fx->ctx.arena, mark);
    }
    tree_cursor_free(cursor);
}

/* All the way, both ways, from beyond both ends. */
static void cursor_end_to_end(void **state)
{
    Fixture *fx = *state;
    random_fill(fx, &fx->a, 5000, 40 * 1000, 60);
    Hash root = build(fx, &fx->a);
    TreeCursor *cursor = tree_cursor_new(&fx->blobs.io, &root);
    assert_ok(tree_cursor_prev(&fx->ctx, cursor));
    assert_null(tree_cursor_entry(cursor));
    for (size_t i = 0; i <= fx->a.count; i++) {
        assert_ok(tree_cursor_next(&fx->ctx, cursor));
        assert_true(entries_equal(tree_cursor_entry(cursor), model_at(&fx->a, i)));
    }
    assert_ok(tree_cursor_next(&fx->ctx, cursor));
    for (size_t i = fx->a.count; i-- > 0;) {
        assert_ok(tree_cursor_prev(&fx->ctx, cursor));
        assert_true(entries_equal(tree_cursor_entry(cursor), model_at(&fx->a, i)));
    }
    assert_ok(tree_cursor_prev(&fx->ctx, cursor));
    assert_null(tree_cursor_entry(cursor));
    tree_cursor_free(cursor);
}

static void get_reads_one_node_a_level(void **state)
{
    Fixture *fx = *state;
    random_fill(fx, &fx->a, 20 * 1000, 40 * 1000, 60);
    Hash root = build(fx, &fx->a);
    for (int round = 0; round < 2000; round++) {
        ArenaMark mark = arena_mark(fx->ctx.arena);
        TreeEntry key = random_entry(fx, 40 * 1000, TREE_PUT, 0);
        const TreeEntry *expected = model_get(&fx->a, key.path, key.tag);
        fx->blobs.gets = 0;
        Status s = tree_get(&fx->ctx, &fx->blobs.io, &root, key.path, key.tag, &key.record);
        assert_int_equal(s.code, expected ? STATUS_OK : STATUS_NOT_FOUND);
        assert_true(!expected || entries_equal(&key, expected));
        assert_in_range(fx->blobs.gets, 1, 3);
        arena_rewind(fx->ctx.arena, mark);
    }
}

static void sums_like_the_model(void **state)
{
    Fixture *fx = *state;
    random_fill(fx, &fx->a, 20 * 1000, 40 * 1000, 60);
    Hash root = build(fx, &fx->a);
    for (int round = 0; round < 300; round++) {
        Str from = below(fx, 8) ? random_path(fx, 40 * 1000) : STR("");
        Str to = below(fx, 8) ? random_path(fx, 40 * 1000) : STR("");
        TreeSum expected = { 0 }, sum;
        for (size_t i = model_find(&fx->a, from, STR("")); i < fx->a.count; i++) {
            if (to.size && str_cmp(fx->a.entries[i].path, to) >= 0)
                break;
            expected.files++;
            expected.bytes += fx->a.entries[i].record.size;
        }
        fx->blobs.gets = 0;
        assert_ok(tree_sum(&fx->ctx, &fx->blobs.io, &root, from, to, &sum));
        assert_int_equal(sum.files, expected.files);
        assert_int_equal(sum.bytes, expected.bytes);
        assert_in_range(fx->blobs.gets, 1, 6);
    }
}

/* A directory's hash is that of a tree of its entries alone, wherever they are. */
static void dir_hash_is_the_range_s(void **state)
{
    Fixture *fx = *state;
    random_fill(fx, &fx->a, 20 * 1000, 40 * 1000, 60);
    Hash root = build(fx, &fx->a);
    static const char *const dirs[] = { "/",           "/data/", "/data/part-7/", "/data/part-7.d/",
                                        "/3/deep/er/", "/none/" };
    for (size_t d = 0; d < ARRAY_LEN(dirs); d++) {
        say_case("%s", dirs[d]);
        fx->b.count = 0;
        for (size_t i = 0; i < fx->a.count; i++) {
            if (str_starts(fx->a.entries[i].path, str(dirs[d])))
                model_set(&fx->b, &fx->a.entries[i]);
        }
        Hash expected = build(fx, &fx->b), hash;
        TreeSum expected_sum, sum;
        assert_ok(tree_sum(&fx->ctx, &fx->blobs.io, &expected, STR(""), STR(""), &expected_sum));
        size_t puts = fx->blobs.puts;
        fx->blobs.gets = 0;
        assert_ok(tree_dir(&fx->ctx, &fx->blobs.io, &root, str(dirs[d]), &hash, &sum));
        assert_same_hash(&hash, &expected);
        assert_int_equal(sum.files, expected_sum.files);
        assert_int_equal(sum.bytes, expected_sum.bytes);
        assert_true(fx->blobs.gets <= 7);
        assert_int_equal(fx->blobs.puts, puts);
    }
    assert_true(str_eq(tree_dir_end(&fx->ctx, STR("/a/")), STR("/a0")));
    assert_true(str_eq(tree_dir_end(&fx->ctx, STR("/")), STR("0")));
}

static void dir_hash_ignores_the_rest(void **state)
{
    Fixture *fx = *state;
    random_fill(fx, &fx->a, 20 * 1000, 40 * 1000, 60);
    Hash root = build(fx, &fx->a), before, after;
    TreeSum sum;
    Str dir = STR("/data/part-50/");
    assert_ok(tree_dir(&fx->ctx, &fx->blobs.io, &root, dir, &before, &sum));
    for (int round = 0; round < 200; round++) {
        TreeEntry entry = random_entry(fx, 40 * 1000, TREE_PUT, 60);
        bool is_inside = str_starts(entry.path, dir);
        fx->b.count = 0;
        model_set(&fx->b, &entry);
        Hash layer = build(fx, &fx->b);
        assert_ok(tree_apply(&fx->ctx, &fx->blobs.io, &model_append, &root, &layer, &root));
        assert_ok(tree_dir(&fx->ctx, &fx->blobs.io, &root, dir, &after, &sum));
        assert_int_equal(hash_eq(&before, &after), !is_inside);
        before = after;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(empty_tree),
        TREE_TEST(cursor_like_the_model),
        TREE_TEST(cursor_end_to_end),
        TREE_TEST(get_reads_one_node_a_level),
        TREE_TEST(sums_like_the_model),
        TREE_TEST(dir_hash_is_the_range_s),
        TREE_TEST(dir_hash_ignores_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
