/* test_content.c - records depend on the bytes alone; collisions are found wherever a layer makes
 * them. */
#include "content_fixture.h"
#include "pfs/content_priv.h"

static Bytes noise(ContentFixture *f, size_t size, uint64_t seed)
{
    uint8_t *data = ARENA_NEW(f->ctx.arena, uint8_t, size + 8);
    for (size_t i = 0; i < size; i += 8)
        store_le64(data + i, next_rand(&seed));
    return bytes(data, size);
}

static void form_follows_size(void **state)
{
    static const struct {
        size_t size;
        TreeForm form;
    } cases[] = {
        { 0, TREE_INLINE },
        { 1, TREE_INLINE },
        { TREE_INLINE_MAX, TREE_INLINE },
        { TREE_INLINE_MAX + 1, TREE_BLOB },
        { CHUNK_BYTES_MIN, TREE_BLOB },
        { 9 * MiB, TREE_LIST },
        { 120 * MiB, TREE_LIST_BLOB },
    };
    ContentFixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%zu bytes", cases[i].size);
        ArenaMark mark = arena_mark(f->ctx.arena);
        Bytes data = noise(f, cases[i].size, 7);
        TreeRecord record = record_of(f, data);
        assert_int_equal(record.form, cases[i].form);
        assert_int_equal(record.size, data.size);
        if (record.form == TREE_INLINE || record.form == TREE_BLOB) {
            Hash hash = hash_of(data);
            assert_true(hash_eq(&record.hash, &hash));
        }
        Buf back = { 0 };
        assert_ok(content_read_all(&f->ctx, &f->content, &record, &back));
        assert_true(bytes_eq(buf_bytes(&back), data));
        buf_done(&back);
        arena_rewind(f->ctx.arena, mark);
    }
}

static void pieces_do_not_matter(void **state)
{
    ContentFixture *f = *state;
    uint64_t seed = 11;
    Bytes data = noise(f, 7 * MiB + 123, 3);
    TreeRecord whole = record_of(f, data);
    static const size_t piece_max[] = { 64 * KiB, 3 * MiB, 20 * MiB };
    ContentWriter *writer = content_writer_new(&f->content);
    for (size_t i = 0; i < ARRAY_LEN(piece_max); i++) {
        for (size_t at = 0; at < data.size;) {
            size_t size = MIN(1 + next_rand(&seed) % piece_max[i], data.size - at);
            assert_ok(content_writer_add(&f->ctx, writer, bytes(data.data + at, size)));
            at += size;
        }
        TreeRecord record;
        assert_ok(content_writer_finish(&f->ctx, writer, &record));
        assert_same_record(&record, &whole);
    }
    content_writer_free(writer);
}

static void join_is_canonical(void **state)
{
    ContentFixture *f = *state;
    static const struct {
        size_t size, split;
    } cases[] = {
        { 0, 0 },
        { 10, 0 },
        { 10, 10 },
        { 10, 3 },
        { 2048, 2000 },
        { 2049, 1 },
        { 2049, 2048 },
        { 5000, 2500 },
        { 3 * MiB, 1000 },
        { 3 * MiB, MiB },
        { 9 * MiB, 4 * MiB + 17 },
        { 9 * MiB, 9 * MiB - 1 },
        { 12 * MiB, 12 },
        { 12 * MiB, 6 * MiB },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%zu bytes, the first %zu before", cases[i].size, cases[i].split);
        ArenaMark mark = arena_mark(f->ctx.arena);
        Bytes data = noise(f, cases[i].size, 5);
        TreeRecord whole = record_of(f, data);
        TreeRecord old = record_of(f, bytes(data.data, cases[i].split));
        TreeRecord more =
            record_of(f, bytes(data.data + cases[i].split, data.size - cases[i].split));
        TreeRecord joined;
        assert_ok(f->content.append.join(f->content.append.self, &f->ctx, &old, &more, &joined));
        assert_same_record(&joined, &whole);
        arena_rewind(f->ctx.arena, mark);
    }
}

static Status take_piece(void *arg, Ctx *ctx, Bytes piece)
{
    (void)ctx;
    assert_in_range(piece.size, 1, CHUNK_BYTES_MAX);
    buf_add_bytes(arg, piece);
    return OK;
}

static void reads_any_range(void **state)
{
    ContentFixture *f = *state;
    static const size_t sizes[] = { 0, 100, 5000, 6 * MiB };
    uint64_t seed = 21;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        Bytes data = noise(f, sizes[i], 9);
        TreeRecord record = record_of(f, data);
        for (int turn = 0; turn < 20; turn++) {
            uint64_t from = next_rand(&seed) % (data.size + 3),
                     size = next_rand(&seed) % (data.size + 3);
            if (turn == 0)
                size = UINT64_MAX;
            Buf got = { 0 };
            assert_ok(content_read(&f->ctx, &f->content, &record, from, size, take_piece, &got));
            size_t begin = MIN(from, data.size), end = begin + MIN(size, data.size - begin);
            assert_true(bytes_eq(buf_bytes(&got), bytes(data.data + begin, end - begin)));
            buf_done(&got);
        }
    }
}

static void a_missing_chunk_is_data_loss(void **state)
{
    ContentFixture *f = *state;
    TreeRecord record = { .form = TREE_BLOB,
                          .size = 5000,
                          .hash = hash_of(str_bytes(STR("never stored"))) };
    Buf out = { 0 };
    assert_fails(content_read_all(&f->ctx, &f->content, &record, &out), DATA_LOSS,
                 "is missing from the store");
    buf_done(&out);
}

static void collisions_are_found(void **state)
{
    static const struct {
        const char *label;
        const char *base[4], *layer[4];
        const char *error;
    } cases[] = {
        { "nothing wrong", { "+/a", "+/b/c" }, { "+/a.txt", "+/b/d", "-/a" }, "" },
        { "empty layer", { "+/a" }, { 0 }, "" },
        { "two datums, one layer",
          { 0 },
          { "+/f=d1", "+/f=d2" },
          "duplicate path output by different datums (/f from d1 and /f from d2)" },
        { "two datums, one below",
          { "+/f=d1", "+/e" },
          { "+/f=d2" },
          "duplicate path output by different datums (/f from d1 and /f from d2)" },
        { "a datum after another", { "+/f=d1" }, { "-/f=d1", "+/f=d2" }, "" },
        { "file above, adjacent",
          { "+/dir" },
          { "+/dir/f" },
          "file / directory path collision (/dir/f)" },
        { "file above, not adjacent",
          { "+/dir", "+/dir-x" },
          { "+/dir/f" },
          "file / directory path collision (/dir/f)" },
        { "file above, far away",
          { "+/a", "+/a-1", "+/a-2" },
          { "+/a/b/c/d" },
          "file / directory path collision (/a/b/c/d)" },
        { "file below, adjacent",
          { "+/dir/f" },
          { "+/dir" },
          "file / directory path collision (/dir/f)" },
        { "file below, not adjacent",
          { "+/dir/f", "+/dir-x", "+/dir.y" },
          { "+/dir" },
          "file / directory path collision (/dir/f)" },
        { "the file above goes", { "+/dir" }, { "-/dir", "+/dir/f" }, "" },
        { "the directory goes", { "+/dir/f", "+/dir/g" }, { "-/dir/f", "-/dir/g", "+/dir" }, "" },
        { "a part of the directory goes",
          { "+/dir/f", "+/dir/g" },
          { "-/dir/f", "+/dir" },
          "file / directory path collision (/dir/g)" },
        { "the first of two in path order",
          { "+/b", "+/a/x" },
          { "+/b/y", "+/a" },
          "file / directory path collision (/a/x)" },
        { "a name that only begins alike", { "+/ab/c" }, { "+/a" }, "" },
        { "appending makes a file too",
          { "+/dir/f" },
          { ">/dir" },
          "file / directory path collision (/dir/f)" },
    };
    ContentFixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        const char *error;
        Hash base = apply_to(f, (Hash){ 0 }, layer_of(f, cases[i].base, 4), &error);
        assert_string_equal(error, "");
        apply_to(f, base, layer_of(f, cases[i].layer, 4), &error);
        assert_string_equal(error, cases[i].error);
    }
}

/* Every pair among paths that are alike, among many others or few: found exactly when one is above
 * the other. */
static void collisions_are_found_among_many(void **state)
{
    static const char *const paths[] = { "/a",     "/a-b",     "/a.b", "/a/b", "/a/b-c",
                                         "/a/b/c", "/a/b/c/d", "/a0",  "/b" };
    ContentFixture *f = *state;
    for (size_t others = 0; others <= 200; others += 100) {
        for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
            for (size_t j = 0; j < ARRAY_LEN(paths); j++) {
                ArenaMark mark = arena_mark(f->ctx.arena);
                const char *ops[201];
                size_t n = 0;
                for (size_t k = 0; k < others; k++)
                    ops[n++] = text_printf(f->ctx.arena, "+/%s%zu", k % 2 ? "a,/" : "b/", k);
                ops[n++] = text_printf(f->ctx.arena, "+%s", paths[i]);
                const char *upper = text_printf(f->ctx.arena, "+%s", paths[j]), *error;
                Hash base = apply_to(f, (Hash){ 0 }, layer_of(f, ops, n), &error);
                bool base_wrong = others > 0 && !strcmp(paths[i], "/b");
                assert_int_equal(*error != '\0', base_wrong);
                apply_to(f, base, layer_of(f, &upper, 1), &error);
                size_t size = MIN(strlen(paths[i]), strlen(paths[j]));
                const char *longer = strlen(paths[i]) > strlen(paths[j]) ? paths[i] : paths[j];
                bool above = !strncmp(paths[i], paths[j], size) && longer[size] == '/';
                if (others > 0 && !strcmp(paths[j], "/b"))
                    above = true;
                if (!base_wrong && above != (*error != '\0'))
                    fail_msg("%s under %s among %zu: '%s'", paths[i], paths[j], others, error);
                arena_rewind(f->ctx.arena, mark);
            }
        }
    }
}

static Status count_run(void *arg, Ctx *ctx, const ContentRun *run, bool *out_done)
{
    (void)ctx;
    *(size_t *)arg += run->n;
    *out_done = false;
    return OK;
}

/* A file whose list of chunks takes more than one blob; all chunks but the last are only names. */
static void long_lists_take_several_blobs(void **state)
{
    ContentFixture *f = *state;
    static const size_t n = 2 * CHUNK_BYTES_MAX / (HASH_SIZE + 3);
    Bytes data = noise(f, CHUNK_BYTES_MIN, 3);
    TreeRecord last = record_of(f, data), record, joined, tail = record_of(f, bytes("x", 1));
    TreeChunk chunk = { .size = CHUNK_BYTES_AVG }, end = { .hash = last.hash, .size = last.size };
    ContentWriter *writer = content_writer_new(&f->content);
    for (size_t i = 0; i < n; i++) {
        store_le64(chunk.hash.bytes, i + 1);
        assert_ok(content_writer_add_chunk(&f->ctx, writer, &chunk));
    }
    assert_ok(content_writer_add_chunk(&f->ctx, writer, &end));
    assert_ok(content_writer_finish(&f->ctx, writer, &record));
    content_writer_free(writer);
    assert_int_equal(record.form, TREE_LIST_BLOB);
    assert_int_equal(record.data.size, 3 * HASH_SIZE);
    assert_int_equal(record.size, n * CHUNK_BYTES_AVG + data.size);
    size_t counted = 0;
    assert_ok(content_runs(&f->ctx, &f->content, &record, count_run, &counted));
    assert_int_equal(counted, n + 1);

    Buf got = { 0 };
    assert_ok(content_join(&f->content, &f->ctx, &record, &tail, &joined));
    assert_int_equal(joined.size, record.size + 1);
    assert_ok(content_read(&f->ctx, &f->content, &joined, n * CHUNK_BYTES_AVG, UINT64_MAX,
                           take_piece, &got));
    assert_int_equal(got.size, data.size + 1);
    assert_memory_equal(got.data, data.data, data.size);
    buf_done(&got);
}

/* Results are remembered by what they were made of, also when the caller puts them where the base
 * was. */
static void applying_in_place(void **state)
{
    static const char *const op = ">/f";
    ContentFixture *f = *state;
    Hash root = { 0 }, layer = layer_of(f, &op, 1);
    const char *error;
    for (uint64_t i = 1; i <= 2 * CONTENT_MEMO_SIZE; i++) {
        assert_ok(content_apply(&f->ctx, &f->content, &root, &layer, &root, &error));
        TreeRecord record;
        assert_ok(tree_get(&f->ctx, &f->content.io, &root, STR("/f"), STR("default"), &record));
        assert_int_equal(record.size, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(form_follows_size),
        cmocka_unit_test(pieces_do_not_matter),
        cmocka_unit_test(join_is_canonical),
        cmocka_unit_test(reads_any_range),
        cmocka_unit_test(long_lists_take_several_blobs),
        cmocka_unit_test(a_missing_chunk_is_data_loss),
        cmocka_unit_test(applying_in_place),
        cmocka_unit_test(collisions_are_found),
        cmocka_unit_test(collisions_are_found_among_many),
    };
    return cmocka_run_group_tests(tests, content_setup, content_teardown);
}
