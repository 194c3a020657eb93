/* test_upload.c - what object stores ask of pfs: listings by prefix, strict writers, files in
 * parts. */
#include "files_fixture.h"

#include "pfs/upload.h"

/* --- prefixes --------------------------------------------------------------------------------- */

static const char *const paths[] = { "/a",     "/a-b",   "/a.d/x", "/b/c",   "/b/c0",
                                     "/b/d/e", "/b/d/f", "/b/d0",  "/c/d/e", "/z" };

typedef struct Found {
    Buf text;
    size_t max, n;
} Found;

static Status find_path(void *arg, Ctx *ctx, const PfsMatch *match, bool *out_done)
{
    Found *found = arg;
    (void)ctx;
    buf_printf(&found->text, STR_FMT " ", STR_ARG(match->path));
    assert_int_equal(match->is_dir, str_ends(match->path, STR("/")));
    *out_done = ++found->n == found->max;
    return OK;
}

/* The element of `path` that a listing shows: itself, or the directory below the prefix's last
 * '/'. */
static Str element_of(Str path, Str prefix, bool flat)
{
    size_t level = prefix.size;
    while (level > 0 && prefix.data[level - 1] != '/')
        level--;
    size_t slash = str_find(str_sub(path, level, path.size), '/');
    return flat && level + slash < path.size ? str_sub(path, 0, level + slash + 1) : path;
}

static void list_naively(Str prefix, Str after, bool flat, Buf *out)
{
    Str last = STR("");
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        Str path = str(paths[i]);
        if (!str_starts(path, prefix))
            continue;
        Str element = element_of(path, prefix, flat);
        if (str_eq(element, last) || (after.size && str_cmp(element, after) <= 0))
            continue;
        buf_printf(out, STR_FMT " ", STR_ARG(element));
        last = element;
    }
}

static void prefixes_list_as_a_sorted_array_does(void **state)
{
    static const char *const texts[] = { "/",    "/a",    "/a-",   "/a.d/", "/b",  "/b/",   "/b/c",
                                         "/b/d", "/b/d/", "/b/d0", "/c",    "/zz", "/b/d/e" };
    static const char *const marks[] = { "",     "/a",    "/a.d",   "/a.d/", "/b", "/b/c",
                                         "/b/d", "/b/d/", "/b/d/e", "/c/",   "/z" };
    Fixture *f = *state;
    PfsView view;
    create_repo(f, "prefix");
    WRITE(f, "prefix@master", "add /a x", "add /a-b x", "add /a.d/x x", "add /b/c x", "add /b/c0 x",
          "add /b/d/e x", "add /b/d/f x", "add /b/d0 x", "add /c/d/e x", "add /z x");
    assert_ok(pfs_view_open(&f->ctx, f->pfs, handle_of(&f->ctx, "prefix@master"), &view));
    for (size_t i = 0; i < ARRAY_LEN(texts) * ARRAY_LEN(marks) * 2; i++) {
        CLEANUP(buf_done) Buf wanted = { 0 };
        Found found = { 0 };
        const PfsPrefix prefix = { .prefix = str(texts[i / 2 % ARRAY_LEN(texts)]),
                                   .after = str(marks[i / 2 / ARRAY_LEN(texts)]),
                                   .flat = i % 2 };
        list_naively(prefix.prefix, prefix.after, prefix.flat, &wanted);
        assert_ok(pfs_view_prefix(&f->ctx, &view, &prefix, find_path, &found));
        if (!bytes_eq(buf_bytes(&wanted), buf_bytes(&found.text)))
            fail_msg("prefix '%s' after '%s' flat %d: '" STR_FMT "', not '" STR_FMT "'",
                     prefix.prefix.data, prefix.after.data, prefix.flat,
                     STR_ARG(buf_str(&found.text)), STR_ARG(buf_str(&wanted)));
        buf_done(&found.text);
    }
    Found two = { .max = 2 };
    assert_ok(
        pfs_view_prefix(&f->ctx, &view, &(PfsPrefix){ .prefix = STR("/b/") }, find_path, &two));
    assert_true(str_eq_c(buf_str(&two.text), "/b/c /b/c0 "));
    buf_done(&two.text);
}

static void a_part_of_a_file_is_read(void **state)
{
    Fixture *f = *state;
    PfsView view;
    CLEANUP(buf_done) Buf text = { 0 };
    create_repo(f, "ranges");
    WRITE(f, "ranges@master", "add /d/f 0123456789");
    assert_ok(pfs_view_open(&f->ctx, f->pfs, handle_of(&f->ctx, "ranges@master"), &view));
    assert_ok(pfs_view_read(&f->ctx, &view, STR("/d/f"), 3, 4, add_bytes, &text));
    assert_true(str_eq_c(buf_str(&text), "3456"));
    assert_ok(pfs_view_read(&f->ctx, &view, STR("/d/f"), 8, 99, add_bytes, &text));
    assert_true(str_eq_c(buf_str(&text), "345689"));
    assert_fails(pfs_view_read(&f->ctx, &view, STR("/d"), 0, 1, add_bytes, &text), NOT_FOUND, "");
    assert_fails(pfs_view_read(&f->ctx, &view, STR("/x"), 0, 1, add_bytes, &text), NOT_FOUND, "");
}

/* --- strict writers --------------------------------------------------------------------------- */

static Status put_strictly(Fixture *f, const char *commit, const char *path, const char **out_id)
{
    Hash hash;
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(f->pfs);
    TRY(pfs_writer_target(&f->ctx, writer, handle_of(&f->ctx, commit)));
    pfs_writer_be_strict(writer);
    TRY(pfs_writer_put(&f->ctx, writer, str(path), STR(""), str_bytes(STR("x"))));
    TRY(pfs_writer_end_put(&f->ctx, writer, &hash));
    Hash wanted = hash_of(str_bytes(STR("x")));
    assert_true(hash_eq(&hash, &wanted));
    TRY(pfs_writer_commit(&f->ctx, writer));
    *out_id = arena_strdup(f->ctx.arena, pfs_writer_commit_id(writer));
    return OK;
}

static void strict_writers_break_no_rule(void **state)
{
    Fixture *f = *state;
    const char *id;
    create_repo(f, "strict");
    assert_ok(put_strictly(f, "strict@master", "/a/b", &id));
    assert_string_equal(id, row_of(f, "strict@master").set_id);
    assert_fails(put_strictly(f, "strict@master", "/a/b/c", &id), FAILED_PRECONDITION, "/a/b");
    assert_fails(put_strictly(f, "strict@master", "/a", &id), FAILED_PRECONDITION, "/a");
    assert_string_equal(row_of(f, "strict@master").set_id, id);
    assert_string_equal(show(f, "strict@master"), "/a/b=x");
    char *open = start_commit(f, "strict@master");
    assert_ok(put_strictly(f, open, "/c", &id));
    assert_string_equal(id, row_of(f, open).set_id);
    assert_fails(put_strictly(f, open, "/c/d", &id), FAILED_PRECONDITION, "/c");
    assert_fails(put_strictly(f, open, "/a/b/c", &id), FAILED_PRECONDITION, "/a/b");
    assert_string_equal(show(f, open), "/a/b=x /c=x");
}

/* --- parts ------------------------------------------------------------------------------------ */

static Status add_part(Fixture *f, const char *id, int64_t number, Bytes data, PfsUploadPart *out)
{
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(f->pfs);
    TRY(pfs_writer_put(&f->ctx, writer, PFS_UPLOAD_PATH, STR(""), data));
    return pfs_upload_part(&f->ctx, f->pfs, id, number, writer, out);
}

static Hash put_whole(Fixture *f, const char *path, const PfsUploadPart *parts, size_t n)
{
    Hash hash;
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(f->pfs);
    assert_ok(pfs_writer_target(&f->ctx, writer, handle_of(&f->ctx, "parts@master")));
    assert_ok(pfs_upload_put(&f->ctx, f->pfs, writer, str(path), parts, n, &hash));
    assert_ok(pfs_writer_commit(&f->ctx, writer));
    return hash;
}

/* However a file is cut into parts, and over a restart, it is the file that it would have been. */
static void parts_make_the_same_file(void **state)
{
    enum { SIZE = 3000000, PARTS_MAX = 9 };
    Fixture *f = *state;
    uint64_t seed = 42;
    uint8_t *data = malloc(SIZE);
    PfsUploadPart whole, *parts;
    const char *id;
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (uint8_t)next_rand(&seed);
    create_repo(f, "parts");
    assert_ok(pfs_upload_create(&f->ctx, f->pfs, "here", "k", &id));
    assert_ok(add_part(f, id, 1, bytes(data, SIZE), &whole));
    for (size_t n = 1; n <= PARTS_MAX; n++) {
        size_t at = 0, found;
        assert_ok(pfs_upload_create(&f->ctx, f->pfs, "here", "k", &id));
        for (size_t i = 0; i < n; i++) {
            PfsUploadPart part;
            size_t size = i + 1 == n ? SIZE - at : (size_t)(next_rand(&seed) % (SIZE / n + 1));
            assert_ok(add_part(f, id, (int64_t)(10 * i), bytes(data + at, size), &part));
            assert_int_equal(part.size_bytes, size);
            at += size;
        }
        if (n == 3)
            fixture_reopen(f);
        assert_ok(pfs_upload_parts(&f->ctx, f->pfs, id, -1, 100, &parts, &found));
        assert_int_equal(found, n);
        Hash hash = put_whole(f, text_printf(f->ctx.arena, "/%zu", n), parts, n);
        assert_true(hash_eq(&hash, &whole.hash));
    }
    free(data);
}

static size_t count_uploads(Fixture *f, const char *place, const char *prefix, const char *key,
                            const char *id)
{
    PfsUpload *uploads;
    size_t n;
    assert_ok(pfs_upload_list(&f->ctx, f->pfs, place, prefix, key, id, 100, &uploads, &n));
    return n;
}

static void uploads_are_found_where_they_belong(void **state)
{
    Fixture *f = *state;
    const char *ids[3];
    PfsUpload upload;
    PfsUploadPart part;
    static const char *const keys[] = { "a", "a/b", "b" };
    for (size_t i = 0; i < 3; i++)
        assert_ok(pfs_upload_create(&f->ctx, f->pfs, "place", keys[i], &ids[i]));
    assert_ok(pfs_upload_find(&f->ctx, f->pfs, "place", "a/b", ids[1], &upload));
    assert_string_equal(upload.id, ids[1]);
    assert_fails(pfs_upload_find(&f->ctx, f->pfs, "place", "a", ids[1], &upload), NOT_FOUND, "");
    assert_fails(pfs_upload_find(&f->ctx, f->pfs, "other", "a/b", ids[1], &upload), NOT_FOUND, "");
    assert_int_equal(count_uploads(f, "place", "", "", ""), 3);
    assert_int_equal(count_uploads(f, "place", "a", "", ""), 2);
    assert_int_equal(count_uploads(f, "place", "", "a", ""), 2);
    assert_int_equal(count_uploads(f, "place", "", "a", "0"), 3);
    assert_int_equal(count_uploads(f, "elsewhere", "", "", ""), 0);
    assert_ok(add_part(f, ids[0], 1, str_bytes(STR("x")), &part));
    assert_ok(pfs_upload_delete(&f->ctx, f->pfs, "place", "a", ids[0]));
    assert_fails(pfs_upload_delete(&f->ctx, f->pfs, "place", "a", ids[0]), NOT_FOUND, "");
    assert_fails(add_part(f, ids[0], 1, str_bytes(STR("x")), &part), NOT_FOUND, "");
    assert_ok(pfs_upload_drop(&f->ctx, f->pfs, "place"));
    assert_int_equal(count_uploads(f, "place", "", "", ""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_list_as_a_sorted_array_does),
        cmocka_unit_test(a_part_of_a_file_is_read),
        cmocka_unit_test(strict_writers_break_no_rule),
        cmocka_unit_test(parts_make_the_same_file),
        cmocka_unit_test(uploads_are_found_where_they_belong),
    };
    return cmocka_run_group_tests(tests, fixture_setup_on_disk, fixture_teardown);
}
