/* What reads cost: blobs fetched from a commit of 100,000 files. Pages forward and backward cost
 * their length, globs what they match, differences what changed, directories nothing beyond a path
 * down the tree. */
#include "files_fixture.h"

#define DIRS      100
#define DIR_FILES 1000
#define LEVEL_MAX 5 /* of a tree that big: a step down it reads so many blobs at most */

static struct {
    Status (*get)(void *self, Ctx *ctx, const Hash *hash, Buf *out);
    size_t gets;
} counter;

static Status counted_get(void *self, Ctx *ctx, const Hash *hash, Buf *out)
{
    counter.gets++;
    return counter.get(self, ctx, hash, out);
}

static void put_all(Fixture *f, PfsWriter *writer)
{
    char path[32];
    for (int d = 0; d < DIRS; d++)
        for (int i = 0; i < DIR_FILES; i++) {
            snprintf(path, sizeof(path), "/d%03d/f%04d", d, i);
            assert_ok(pfs_writer_put(&f->ctx, writer, str(path), STR(""), str_bytes(STR("x"))));
        }
}

static int setup(void **state)
{
    fixture_setup(state);
    Fixture *f = *state;
    create_repo(f, "r");
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(f->pfs);
    assert_ok(pfs_writer_target(&f->ctx, writer, handle_of(&f->ctx, "r@master")));
    put_all(f, writer);
    assert_ok(pfs_writer_commit(&f->ctx, writer));
    counter.get = pfs_content(f->pfs)->io.get;
    pfs_content(f->pfs)->io.get = counted_get;
    return 0;
}

/* Entries that a call tells, and the blobs it read. */
typedef struct Cost {
    size_t entries, gets;
} Cost;

static Status count_file(void *arg, Ctx *ctx, const PfsV2__FileInfo *info)
{
    (void)ctx;
    (void)info;
    ++*(size_t *)arg;
    return OK;
}

static Status count_diff(void *arg, Ctx *ctx, const PfsV2__FileInfo *new_file,
                         const PfsV2__FileInfo *old_file)
{
    (void)ctx;
    (void)new_file;
    (void)old_file;
    ++*(size_t *)arg;
    return OK;
}

static Cost page(Fixture *f, const char *file, const char *marker, int64_t number, bool reverse)
{
    Cost cost = { 0 };
    PfsV2__ListFileRequest *request =
        PB_NEW(&f->ctx, pfs_v2__list_file_request, PfsV2__ListFileRequest);
    request->file = file_of(&f->ctx, file);
    request->paginationmarker = PB_NEW(&f->ctx, pfs_v2__file, PfsV2__File);
    request->paginationmarker->path = arena_strdup(f->ctx.arena, marker);
    request->number = number;
    request->reverse = reverse;
    counter.gets = 0;
    assert_ok(pfs_list_file(&f->ctx, f->pfs, request, count_file, &cost.entries));
    cost.gets = counter.gets;
    return cost;
}

static Cost glob(Fixture *f, const char *pattern)
{
    Cost cost = { 0 };
    PfsV2__GlobFileRequest *request =
        PB_NEW(&f->ctx, pfs_v2__glob_file_request, PfsV2__GlobFileRequest);
    request->commit = handle_of(&f->ctx, "r@master");
    request->pattern = arena_strdup(f->ctx.arena, pattern);
    counter.gets = 0;
    assert_ok(pfs_glob_file(&f->ctx, f->pfs, request, count_file, &cost.entries));
    cost.gets = counter.gets;
    return cost;
}

static Cost diff(Fixture *f, const char *file)
{
    Cost cost = { 0 };
    PfsV2__DiffFileRequest *request =
        PB_NEW(&f->ctx, pfs_v2__diff_file_request, PfsV2__DiffFileRequest);
    request->new_file = file_of(&f->ctx, file);
    counter.gets = 0;
    assert_ok(pfs_diff_file(&f->ctx, f->pfs, request, count_diff, &cost.entries));
    cost.gets = counter.gets;
    return cost;
}

static void assert_cost(Cost cost, size_t entries, size_t gets_max)
{
    say_case("%zu entries, %zu blobs", cost.entries, cost.gets);
    assert_int_equal(cost.entries, entries);
    assert_in_range(cost.gets, 1, gets_max);
}

/* Wherever they begin, and whichever way they go. */
static void pages_cost_their_length(void **state)
{
    static const struct {
        const char *dir, *marker;
        bool reverse;
    } cases[] = {
        { "r@master:/d050", "", false },
        { "r@master:/d050", "/d050/f0500", false },
        { "r@master:/d050", "", true },
        { "r@master:/d050", "/d050/f0500", true },
        { "r@master:/d000", "/d000/f0989", false },
        { "r@master:/d099", "", true },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_cost(page(*state, cases[i].dir, cases[i].marker, 10, cases[i].reverse), 10,
                    4 * LEVEL_MAX);
}

/* A step over a directory and its size is a path or two down the tree, however much is in it. */
static void directories_cost_little(void **state)
{
    assert_cost(page(*state, "r@master:/", "", 10, false), 10, 10 * 4 * LEVEL_MAX);
    assert_cost(page(*state, "r@master:/", "", 10, true), 10, 10 * 4 * LEVEL_MAX);
}

static void globs_go_segment_by_segment(void **state)
{
    assert_cost(glob(*state, "/d050/f0500"), 1, 4 * LEVEL_MAX);
    assert_cost(glob(*state, "/d050/f000?"), 10, 4 * LEVEL_MAX);
    assert_cost(glob(*state, "/d0[5]0/f000?"), 10, 110 * LEVEL_MAX);
    /* one step for each directory, not one for each file */
    assert_cost(glob(*state, "/*/f0500"), DIRS, DIRS * 4 * LEVEL_MAX);
    assert_cost(glob(*state, "/none*"), 0, 4 * LEVEL_MAX);
}

static void differences_cost_the_changes(void **state)
{
    Fixture *f = *state;
    WRITE(f, "r@master", "put /d050/f0500 changed", "add /d051/new y", "del /d052/f0001");
    assert_cost(diff(f, "r@master:/"), 1 + 3 + 3, 20 * LEVEL_MAX);
    assert_cost(diff(f, "r@master:/d050"), 2, 8 * LEVEL_MAX);
    assert_cost(diff(f, "r@master:/d001"), 0, 4 * LEVEL_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_cost_their_length),
        cmocka_unit_test(directories_cost_little),
        cmocka_unit_test(globs_go_segment_by_segment),
        cmocka_unit_test(differences_cost_the_changes),
    };
    return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
