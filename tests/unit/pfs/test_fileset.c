/* test_fileset.c - file sets (§17): made, composed, attached, sharded, renewed, and gone when their
 * time is over. */
#include "base/clock.h"
#include "files_fixture.h"

static const char *make_set(Fixture *f, const char *const *ops, size_t n)
{
    const char *id;
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(f->pfs);
    for (size_t i = 0; i < n; i++)
        assert_ok(run_op(&f->ctx, writer, ops[i]));
    assert_ok(pfs_fileset_from_writer(&f->ctx, writer, &id));
    assert_int_equal(strlen(id), 32 + 1 + 64);
    return id;
}

#define MAKE_SET(f, ...)                                                                           \
    make_set(f, (const char *const[]){ __VA_ARGS__ },                                              \
             ARRAY_LEN(((const char *const[]){ __VA_ARGS__ })))

static char *show_set(Fixture *f, const char *id)
{
    return show(f, text_printf(f->ctx.arena, PFS_FILESETS_REPO "@%s", id));
}

static void a_set_is_read_like_a_commit(void **state)
{
    Fixture *f = *state;
    const char *id = MAKE_SET(f, "add /a x", "add /d/b y", "del /gone");
    assert_string_equal(show_set(f, id), "/a=x /d/b=y");
    PfsV2__FileInfo *info;
    char *file = text_printf(f->ctx.arena, PFS_FILESETS_REPO "@%s:/d", id);
    assert_ok(pfs_inspect_file(&f->ctx, f->pfs, file_of(&f->ctx, file), &info));
    assert_null(info->committed);
    assert_string_equal(info->file->commit->id, id);
}

static void ids_are_read_leniently(void **state)
{
    static const struct {
        const char *id, *error;
    } cases[] = {
        { "abc", "parsing fileset.Token: too short to be Token len=3" },
        { "", "parsing fileset.Token: too short to be Token len=0" },
        { "0123456789abcdef0123456789abcdef0",
          "parsing fileset.Token: too long to be Token len=33" },
        { "0123456789abcdef0123456789abcdeg",
          "parsing fileset.Token: encoding/hex: invalid byte: \"g\"" },
        { "0123456789abcdef0123456789abcdef", "path does not exist" },
    };
    Fixture *f = *state;
    Hash layer, root;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_fails(pfs_fileset_roots(&f->ctx, f->pfs, cases[i].id, &layer, &root), UNKNOWN,
                     cases[i].error);
    char *token = arena_strndup(f->ctx.arena, MAKE_SET(f, "add /a x"), 32);
    assert_string_equal(show_set(f, token), "/a=x");
    assert_string_equal(
        show_set(f, text_printf(f->ctx.arena, "%.8s-%s.whatever", token, token + 8)), "/a=x");
    for (char *c = token; *c; c++)
        *c = (char)(*c >= 'a' ? *c - 'a' + 'A' : *c);
    assert_string_equal(show_set(f, token), "/a=x");
}

static PfsV2__GetFileSetRequest *get_request(Fixture *f, const char *commit, bool diff)
{
    PfsV2__GetFileSetRequest *request =
        PB_NEW(&f->ctx, pfs_v2__get_file_set_request, PfsV2__GetFileSetRequest);
    request->commit = handle_of(&f->ctx, commit);
    request->type = diff ? PFS_V2__GET_FILE_SET_REQUEST__FILE_SET_TYPE__DIFF
                         : PFS_V2__GET_FILE_SET_REQUEST__FILE_SET_TYPE__TOTAL;
    return request;
}

static Status add_set(Fixture *f, const char *commit, const char *id)
{
    PfsV2__AddFileSetRequest *request =
        PB_NEW(&f->ctx, pfs_v2__add_file_set_request, PfsV2__AddFileSetRequest);
    request->commit = handle_of(&f->ctx, commit);
    request->file_set_id = arena_strdup(f->ctx.arena, id);
    return pfs_fileset_add(&f->ctx, f->pfs, request);
}

static void sets_of_commits(void **state)
{
    Fixture *f = *state;
    create_repo(f, "of");
    WRITE(f, "of@master", "add /a x");
    WRITE(f, "of@master", "add /a y", "add /b z");
    const char *total, *diff, *id;
    assert_ok(pfs_fileset_get(&f->ctx, f->pfs, get_request(f, "of@master", false), &total));
    assert_ok(pfs_fileset_get(&f->ctx, f->pfs, get_request(f, "of@master", true), &diff));
    assert_string_equal(show_set(f, total), "/a=xy /b=z");
    assert_string_equal(show_set(f, diff), "/a=y /b=z");
    assert_fails(pfs_fileset_get(&f->ctx, f->pfs, get_request(f, "of@nope", false), &id), NOT_FOUND,
                 "get file set: ");
    char *set = text_printf(f->ctx.arena, PFS_FILESETS_REPO "@%s", total);
    assert_fails(pfs_fileset_get(&f->ctx, f->pfs, get_request(f, set, false), &id), UNKNOWN,
                 "get file set: the commit is forgotten");

    create_repo(f, "to");
    assert_fails(add_set(f, "of@master", diff), UNKNOWN, "has already finished");
    char *open = start_commit(f, "to@master");
    WRITE(f, open, "add /a 1");
    assert_ok(add_set(f, open, diff)); /* its append appends */
    assert_fails(add_set(f, open, "0123456789abcdef0123456789abcdef"), UNKNOWN,
                 "add file set: path does not exist");
    finish(f, open);
    assert_string_equal(show(f, "to@master"), "/a=1y /b=z");
}

static const char *compose(Fixture *f, const char *const *ids, size_t n)
{
    char *list[4];
    const char *id;
    for (size_t i = 0; i < n; i++)
        list[i] = arena_strdup(f->ctx.arena, ids[i]);
    assert_ok(pfs_fileset_compose(&f->ctx, f->pfs, list, n, 0, &id));
    return id;
}

static void composed_sets(void **state)
{
    Fixture *f = *state;
    const char *a = MAKE_SET(f, "add /a x", "add /b y"),
               *b = MAKE_SET(f, "put /a z", "del /b", "add /c w");
    assert_string_equal(show_set(f, compose(f, (const char *[]){ a, b }, 2)), "/a=z /c=w");
    assert_string_equal(show_set(f, compose(f, (const char *[]){ b, a }, 2)), "/a=zx /b=y /c=w");
    assert_string_equal(show_set(f, compose(f, NULL, 0)), "");
    char *missing = arena_strdup(f->ctx.arena, "0123456789abcdef0123456789abcdef");
    const char *id;
    assert_fails(pfs_fileset_compose(&f->ctx, f->pfs, &missing, 1, 0, &id), UNKNOWN,
                 "dangling reference");
}

static void time_passes(void **state)
{
    Fixture *f = *state;
    int64_t start_ns = 1000000 * NS_PER_SEC;
    clock_set_wall(start_ns);
    const char *id = MAKE_SET(f, "add /a x"), *token = text_printf(f->ctx.arena, "%.32s", id);
    const char *whole = compose(f, &id, 1);
    clock_set_wall(start_ns + 599 * NS_PER_SEC);
    assert_string_equal(show_set(f, id), "/a=x");
    assert_fails(pfs_fileset_renew(&f->ctx, f->pfs, id, 0), UNKNOWN,
                 "ttl (0) must be at least one second");
    assert_fails(pfs_fileset_renew(&f->ctx, f->pfs, id, 1801), UNKNOWN,
                 "ttl (1801000000000) exceeds max ttl (1800000000000)");
    assert_ok(pfs_fileset_renew(&f->ctx, f->pfs, whole, 1800));
    clock_set_wall(start_ns + 601 * NS_PER_SEC);
    assert_fails(pfs_fileset_renew(&f->ctx, f->pfs, id, 60), NOT_FOUND,
                 text_printf(f->ctx.arena, "tracker does not contain item: (fileset/%s)", token));
    assert_string_equal(show_set(f, whole), "/a=x");
    MAKE_SET(f, "add /b y"); /* sweeps */
    Hash layer, root;
    assert_fails(pfs_fileset_roots(&f->ctx, f->pfs, id, &layer, &root), UNKNOWN,
                 "path does not exist");
    clock_set_wall(0);
}

/* Without a time of its own a composite has the usual one; no time is longer than the longest. */
static void composites_end(void **state)
{
    static const struct {
        int64_t ttl_s, lives_s;
    } cases[] = { { 0, 600 }, { -1, 600 }, { 1, 1 }, { 99999, 1800 } };
    Fixture *f = *state;
    int64_t start_ns = 3000000 * NS_PER_SEC;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        clock_set_wall(start_ns);
        char *part = arena_strdup(f->ctx.arena, MAKE_SET(f, "add /a x"));
        const char *id;
        assert_ok(pfs_fileset_compose(&f->ctx, f->pfs, &part, 1, cases[i].ttl_s, &id));
        clock_set_wall(start_ns + cases[i].lives_s * NS_PER_SEC - 1);
        assert_string_equal(show_set(f, id), "/a=x");
        clock_set_wall(start_ns + cases[i].lives_s * NS_PER_SEC);
        Hash layer, root;
        assert_fails(pfs_fileset_roots(&f->ctx, f->pfs, id, &layer, &root), UNKNOWN,
                     "path does not exist");
    }
    clock_set_wall(0);
}

static void with_tx(Fixture *f, Status (*change)(Ctx *ctx, PfsTx *tx, const char *id),
                    const char *id)
{
    PfsTx *tx;
    assert_ok(pfs_begin_write(&f->ctx, f->pfs, NULL, &tx));
    assert_ok(change(&f->ctx, tx, id));
    assert_ok(pfs_commit(&f->ctx, tx));
}

/* A set that is pinned twice outlives its time until it is unpinned twice. */
static void pinned_sets_stay(void **state)
{
    Fixture *f = *state;
    int64_t start_ns = 2000000 * NS_PER_SEC;
    clock_set_wall(start_ns);
    const char *id = MAKE_SET(f, "add /a x");
    with_tx(f, pfs_fileset_pin, id);
    with_tx(f, pfs_fileset_pin, id);
    clock_set_wall(start_ns + 3600 * NS_PER_SEC);
    MAKE_SET(f, "add /b y"); /* sweeps */
    assert_string_equal(show_set(f, id), "/a=x");
    with_tx(f, pfs_fileset_unpin, id);
    MAKE_SET(f, "add /b y");
    assert_string_equal(show_set(f, compose(f, &id, 1)), "/a=x");
    with_tx(f, pfs_fileset_unpin, id);
    Hash layer, root;
    assert_fails(pfs_fileset_roots(&f->ctx, f->pfs, id, &layer, &root), UNKNOWN,
                 "path does not exist");
    MAKE_SET(f, "add /b y");
    with_tx(f, pfs_fileset_unpin, id);    /* gone by now */
    with_tx(f, pfs_fileset_unpin, "odd"); /* never was */
    PfsTx *tx;
    assert_ok(pfs_begin_write(&f->ctx, f->pfs, NULL, &tx));
    assert_fails(pfs_fileset_pin(&f->ctx, tx, id), UNKNOWN, "dangling reference");
    pfs_rollback(tx);
    clock_set_wall(0);
}

static void shards(void **state)
{
    static const struct {
        int64_t files, bytes;
        const char *expected;
    } cases[] = {
        { 0, 0, "[,)" },
        { 2, 0, "[,/c) [/c,/e) [/e,)" },
        { 0, 3, "[,/c) [/c,/d/x) [/d/x,)" },
        { 1, 0, "[,/b) [/b,/c) [/c,/d/x) [/d/x,/e) [/e,)" },
        { 5, 0, "[,)" },
    };
    Fixture *f = *state;
    const char *id = MAKE_SET(f, "add /a 12", "add /b 3", "add /c 456", "add /d/x 7", "add /e 8");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        PfsV2__ShardFileSetRequest *request =
            PB_NEW(&f->ctx, pfs_v2__shard_file_set_request, PfsV2__ShardFileSetRequest);
        PfsV2__ShardFileSetResponse *response;
        request->file_set_id = arena_strdup(f->ctx.arena, id);
        request->num_files = cases[i].files;
        request->size_bytes = cases[i].bytes;
        assert_ok(pfs_fileset_shard(&f->ctx, f->pfs, request, &response));
        char *got = arena_strdup(f->ctx.arena, "");
        for (size_t s = 0; s < response->n_shards; s++)
            got = text_printf(f->ctx.arena, "%s%s[%s,%s)", got, s ? " " : "",
                              response->shards[s]->lower, response->shards[s]->upper);
        assert_string_equal(got, cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_is_read_like_a_commit),
        cmocka_unit_test(ids_are_read_leniently),
        cmocka_unit_test(sets_of_commits),
        cmocka_unit_test(composed_sets),
        cmocka_unit_test(time_passes),
        cmocka_unit_test(composites_end),
        cmocka_unit_test(pinned_sets_stay),
        cmocka_unit_test(shards),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
