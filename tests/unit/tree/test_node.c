/* test_node.c - the format: what is refused on the way in, what is damaged on the way out, and that
 * it never changes. */
#include "unit/tree/tree_fixture.h"

#include "tree/tree_priv.h"

static const uint8_t zeros[TREE_PATH_MAX + TREE_INLINE_MAX];

static Status add(Fixture *fx, TreeBuilder *builder, Str path, Str tag, TreeRecord record)
{
    TreeEntry entry = { path, tag, record };
    return tree_builder_add(&fx->ctx, builder, &entry);
}

static void builder_refuses_bad_keys(void **state)
{
    Fixture *fx = *state;
    char long_path[TREE_PATH_MAX + 2], long_tag[TREE_TAG_MAX + 2];
    memset(long_path, 'p', sizeof(long_path));
    memset(long_tag, 't', sizeof(long_tag));
    long_path[0] = '/';
    const struct {
        Str path, tag;
        bool is_valid;
    } cases[] = {
        { STR(""), STR(""), false },
        { STR("/"), STR(""), false },
        { STR("a"), STR("default"), false },
        { STR("/a/"), STR("default"), false },
        { { long_path, TREE_PATH_MAX + 1 }, STR("default"), false },
        { STR("/a"), { long_tag, TREE_TAG_MAX + 1 }, false },
        { STR("/a"), { long_tag, TREE_TAG_MAX }, true },
        { { long_path, TREE_PATH_MAX }, STR("default"), true },
        { STR("/q"), STR(""), true },
        { STR("/q"), STR("default"), true },
        { STR("/r\0s"), STR("a tag"), true },
    };
    TreeBuilder *builder = tree_builder_new(&fx->blobs.io);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Status s = add(fx, builder, cases[i].path, cases[i].tag, model_record(TREE_PUT, STR("x")));
        say_case("%zu: %s", i, status_message(s));
        assert_int_equal(s.code, cases[i].is_valid ? STATUS_OK : STATUS_INVALID_ARGUMENT);
    }
    TreeRecord record = model_record(TREE_PUT, STR("x"));
    assert_fails(add(fx, builder, STR("/q"), STR("b"), record), INVALID_ARGUMENT,
                 "\"/q\" is out of order");
    assert_fails(add(fx, builder, STR("/r\0s"), STR("a tag"), record), INVALID_ARGUMENT,
                 "out of order");
    Hash root;
    assert_ok(tree_builder_finish(&fx->ctx, builder, &root));
    TreeSum sum;
    assert_ok(tree_sum(&fx->ctx, &fx->blobs.io, &root, STR(""), STR(""), &sum));
    assert_int_equal(sum.files, 5);
    assert_ok(add(fx, builder, STR("/a"), STR(""), record)); /* a finished builder starts anew */
    tree_builder_free(builder);
}

static void builder_refuses_bad_records(void **state)
{
    Fixture *fx = *state;
    static const struct {
        const char *problem; /* NULL: none */
        TreeRecord record;
    } cases[] = {
        { "unknown operation", { .op = (TreeOp)3 } },
        { "unknown form", { .form = (TreeForm)4 } },
        { "too large to be inline",
         { .size = TREE_INLINE_MAX + 1, .data = { zeros, TREE_INLINE_MAX + 1 } } },
        { "not of the content's size", { .size = 3, .data = { zeros, 2 } } },
        { "has no data of its own", { .form = TREE_BLOB, .size = 3, .data = { zeros, 1 } } },
        { "list is empty", { .form = TREE_LIST, .size = 3 } },
        { "too many chunks",
         { .form = TREE_LIST, .size = 3, .data = { zeros, TREE_LIST_INLINE_MAX * 42 + 1 } } },
        { NULL, { .form = TREE_LIST, .size = 3, .data = { zeros, TREE_LIST_INLINE_MAX * 42 } } },
        { NULL, { .size = TREE_INLINE_MAX, .data = { zeros, TREE_INLINE_MAX } } },
        { NULL, { .form = TREE_LIST_BLOB, .size = UINT64_MAX, .data = { zeros, HASH_SIZE } } },
        { "hash is cut short", { .form = TREE_LIST_BLOB, .data = { zeros, HASH_SIZE + 1 } } },
        { "too many blobs", { .form = TREE_LIST_BLOB, .data = { zeros, 65 * HASH_SIZE } } },
        { NULL, { .op = TREE_DELETE, .form = (TreeForm)9, .size = 5 } },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        TreeBuilder *builder = tree_builder_new(&fx->blobs.io);
        Status s = add(fx, builder, STR("/f"), STR("default"), cases[i].record);
        tree_builder_free(builder);
        if (cases[i].problem)
            assert_fails(s, INVALID_ARGUMENT, cases[i].problem);
        else
            assert_ok(s);
    }
}

/* Every record comes back as it was put. */
static void records_round_trip(void **state)
{
    Fixture *fx = *state;
    for (unsigned op = TREE_PUT; op <= TREE_APPEND; op++) {
        for (unsigned form = TREE_INLINE; form <= TREE_LIST_BLOB; form++) {
            size_t size = form == TREE_BLOB ? 0 : HASH_SIZE;
            TreeRecord record = { (TreeOp)op, (TreeForm)form, form ? UINT64_MAX : size,
                                  hash_of(bytes(&form, 1)), bytes(zeros, size) };
            TreeEntry entry = { STR("/f"), STR("default"), record };
            fx->a.count = 0;
            model_set(&fx->a, &entry);
            Hash root = build(fx, &fx->a);
            assert_ok(tree_get(&fx->ctx, &fx->blobs.io, &root, entry.path, entry.tag, &record));
            assert_true(record_eq(&record, &entry.record));
        }
    }
}

static void chunk_lists(void **state)
{
    Fixture *fx = *state;
    CLEANUP(buf_done) Buf list = { 0 };
    for (size_t i = 0; i < 100; i++)
        tree_list_add(&list,
                      &(TreeChunk){ hash_of(bytes(&i, sizeof(i))), (uint64_t)1 << (i % 64) });
    TreeChunk *chunks;
    size_t n;
    assert_ok(tree_list_parse(&fx->ctx, buf_bytes(&list), &chunks, &n));
    assert_int_equal(n, 100);
    for (size_t i = 0; i < n; i++) {
        Hash expected = hash_of(bytes(&i, sizeof(i)));
        assert_same_hash(&chunks[i].hash, &expected);
        assert_int_equal(chunks[i].size, (uint64_t)1 << (i % 64));
    }
    assert_ok(tree_list_parse(&fx->ctx, bytes("", 0), &chunks, &n));
    assert_int_equal(n, 0);
    assert_fails(tree_list_parse(&fx->ctx, bytes(list.data, list.size - 1), &chunks, &n), DATA_LOSS,
                 "malformed");
}

/* --- damage ---------------------------------------------------------------------------------- */

/* A leaf of "/a/x" deleted and "/a/y" (tag u) put, encoded by hand as README.md says. */
static void hand_made_leaf(uint8_t *out, size_t *out_size)
{
    static const uint8_t head[] = {
        1,      0,   2,                                       /* version, level, count */
        3,      '/', 'a',         '/',                        /* prefix */
        1,      't',                                          /* tag */
        3,      0,   0,           0,          41,  0, 0,   0, /* ends */
        1 << 1, 'x', TREE_DELETE, 1 << 1 | 1, 'y', 1, 'u', TREE_PUT | TREE_BLOB << 2,
        5, /* and 32 bytes of hash */
    };
    memset(out, 0, sizeof(head) + HASH_SIZE);
    memcpy(out, head, sizeof(head));
    *out_size = sizeof(head) + HASH_SIZE;
}

static const char *parse(const uint8_t *data, size_t size)
{
    CLEANUP(node_done) TreeNode node = { 0 };
    buf_add(&node.data, data, size);
    return node_parse(&node);
}

static void damaged_nodes(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t byte;
        const char *problem;
    } cases[] = {
        { 0, 2, "its version is unknown" },
        { 1, TREE_LEVELS_MAX, "its level is too high" },
        { 1, 1, "an item is damaged" },
        { 2, 0, "its count is out of range" },
        { 2, 100, "its count is out of range" },
        { 3, 200, "its head is cut short" },
        { 4, 'a', "an item is damaged" },
        { 9, 0, "an item's end is out of place" },
        { 9, 2, "an item is damaged" },
        { 13, 3, "an item's end is out of place" },
        { 13, 200, "an item's end is out of place" },
        { 18, 'z', "items are out of order" },
        { 18, '/', "an item is damaged" },
        { 19, 3, "an item is damaged" },
        { 24, 16, "an item is damaged" },
        { 24, TREE_BLOB << 2 | 3, "an item is damaged" },
    };
    uint8_t data[128], changed[128];
    size_t size;
    hand_made_leaf(data, &size);
    assert_null(parse(data, size));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        memcpy(changed, data, size);
        changed[cases[i].at] = cases[i].byte;
        const char *problem = parse(changed, size);
        say_case("byte %zu is %u: %s", cases[i].at, cases[i].byte, problem ? problem : "fine");
        assert_non_null(problem);
        assert_string_equal(problem, cases[i].problem);
    }
    for (size_t n = 0; n < size; n++)
        assert_non_null(parse(data, n));
    data[size] = 0;
    assert_string_equal(parse(data, size + 1), "bytes follow the last item");
}

/* A child of the wrong level, with another last key than its parent says, or before its neighbour. */
static void misfit_children(void **state)
{
    Fixture *fx = *state;
    random_fill(fx, &fx->a, 10, 100, 10);
    Hash hash = build(fx, &fx->a), root;
    const TreeEntry *entries = fx->a.entries, *last = &entries[fx->a.count - 1];
    const struct {
        const char *label;
        unsigned level;
        Str before, key; /* of the child before it, and its own */
        bool fits;
    } cases[] = {
        { "fits", 1, STR("/!"), last->path, true },
        { "level", 2, STR("/!"), last->path, false },
        { "key", 1, STR("/!"), STR("/zzz"), false },
        { "neighbour", 1, entries[4].path, last->path, false },
    };
    TreeChild child = { .hash = hash, .sum = { 10, 10 }, .is_plain = true };
    Buf value = { 0 }, node = { 0 };
    child_encode(&child, &value);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        TreeNodeWriter writer = { 0 };
        TreeItem before = { cases[i].before, last->tag, buf_bytes(&value) };
        TreeItem item = { cases[i].key, last->tag, buf_bytes(&value) };
        node_writer_add(&writer, 1, &before);
        node_writer_add(&writer, 1, &item);
        buf_clear(&node);
        node_writer_encode(&writer, cases[i].level, &node);
        node_writer_done(&writer);
        assert_ok(fx->blobs.io.put(&fx->blobs, &fx->ctx, buf_bytes(&node), &root));
        TreeCursor *cursor = tree_cursor_new(&fx->blobs.io, &root);
        Status s = tree_cursor_seek_end(&fx->ctx, cursor);
        tree_cursor_free(cursor);
        assert_int_equal(s.code, cases[i].fits ? STATUS_OK : STATUS_DATA_LOSS);
    }
    buf_done(&value);
    buf_done(&node);
}

static void missing_nodes(void **state)
{
    Fixture *fx = *state;
    Hash root = hash_of(bytes("", 0));
    TreeRecord record;
    assert_fails(tree_get(&fx->ctx, &fx->blobs.io, &root, STR("/a"), STR(""), &record), DATA_LOSS,
                 "could not read tree node 'e3b0c442");
}

/* --- frozen ---------------------------------------------------------------------------------- */

/* Trees of today, forever: of one file, of one leaf, and of three levels. */
static void golden_roots(void **state)
{
    Fixture *fx = *state;
    static const struct {
        size_t files;
        const char *root;
    } cases[] = {
        { 1, "be6fc2155489ff794c2e721bff1dff31092c90fe5c404e0e1fa9e25998ae7208" },
        { 100, "cdc7e3d02c6f306fe049b782927c39b041f985cb64cdfc1888eb130b09ea9b7f" },
        { 20000, "4f800487a9d02c2d70d8410f171e75d0db7e183e5616ff5de3e35db2ef2414ed" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fx->a.count = 0;
        for (size_t k = 0; k < cases[i].files; k++) {
            TreeEntry entry = {
                str(text_printf(fx->ctx.arena, "/golden/%zu/%06zu", k / 1000, k)), STR("default"),
                model_record(TREE_PUT, str(text_printf(fx->ctx.arena, "content %zu", k)))
            };
            model_set(&fx->a, &entry);
        }
        Hash root = build(fx, &fx->a);
        char hex[HASH_HEX_SIZE];
        assert_string_equal(hash_hex(&root, hex), cases[i].root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(builder_refuses_bad_keys),
        TREE_TEST(builder_refuses_bad_records),
        TREE_TEST(records_round_trip),
        TREE_TEST(chunk_lists),
        TREE_TEST(damaged_nodes),
        TREE_TEST(misfit_children),
        TREE_TEST(missing_nodes),
        TREE_TEST(golden_roots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
