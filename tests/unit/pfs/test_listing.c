/* test_listing.c - the virtual listing: the reference's worked example, and random trees and spans
 * held against a list of all elements made naively. */
#include "content_fixture.h"
#include "pfs/listing.h"

#define ITEMS_MAX 64

typedef struct Listed {
    char *paths[ITEMS_MAX];
    size_t n;
} Listed;

static void listed_add(ContentFixture *f, Listed *list, Str path)
{
    assert_true(list->n < ITEMS_MAX);
    list->paths[list->n++] = str_z(f->ctx.arena, path);
}

/* What the listing gives, joined by spaces; at most `limit` (0: all). */
static char *list(ContentFixture *f, const Hash *root, const Span *span, unsigned mode,
                  size_t limit)
{
    Listed listed = { 0 };
    Listing listing;
    listing_init(&listing, &f->content.io, root, span, mode);
    while (limit == 0 || listed.n < limit) {
        Item item;
        assert_ok(listing_next(&f->ctx, &listing, &item));
        if (item.path.size == 0)
            break;
        assert_int_equal(item.entry == NULL, str_ends(item.path, STR("/")));
        listed_add(f, &listed, item.path);
    }
    listing_done(&listing);
    return text_join(f->ctx.arena, (const char *const *)listed.paths, listed.n, " ");
}

static Hash tree_of(ContentFixture *f, const char *const *paths, size_t n)
{
    const char *ops[ITEMS_MAX], *error;
    for (size_t i = 0; i < n; i++)
        ops[i] = text_printf(f->ctx.arena, "+%s", paths[i]);
    return apply_to(f, (Hash){ 0 }, layer_of(f, ops, n), &error);
}

static void the_worked_example(void **state)
{
    static const char *const paths[] = {
        "/dir/dir1/file1.1", "/dir/dir1/file1.2", "/dir/dir2/file2.1",
        "/dir/dir2/file2.2", "/dir/dir3/file3.1", "/dir/dir3/file3.2",
    };
    static const struct {
        const char *base, *marker;
        unsigned mode;
        size_t limit;
        const char *expected;
    } cases[] = {
        { "/", "", LISTING_DEEP, 0,
          "/ /dir/ /dir/dir1/ /dir/dir1/file1.1 /dir/dir1/file1.2 /dir/dir2/ /dir/dir2/file2.1 "
          "/dir/dir2/file2.2"
          " /dir/dir3/ /dir/dir3/file3.1 /dir/dir3/file3.2" },
        { "/dir/", "", LISTING_DEEP, 4, "/dir/ /dir/dir1/ /dir/dir1/file1.1 /dir/dir1/file1.2" },
        { "/dir/", "/dir/dir1/file1.2", LISTING_DEEP, 0,
          "/dir/dir2/ /dir/dir2/file2.1 /dir/dir2/file2.2 /dir/dir3/ /dir/dir3/file3.1 "
          "/dir/dir3/file3.2" },
        { "/dir/", "/dir/dir2", LISTING_DEEP, 2, "/dir/dir2/file2.1 /dir/dir2/file2.2" },
        { "/dir/", "", LISTING_DEEP | LISTING_REVERSE, 2, "/dir/dir3/file3.2 /dir/dir3/file3.1" },
        { "/dir/", "/dir/dir1/file1.2", LISTING_DEEP | LISTING_REVERSE, 3,
          "/dir/dir1/file1.1 /dir/dir1/ /dir/" },
        { "/dir/", "/dir/dir2/file2.1", LISTING_DEEP | LISTING_REVERSE, 2,
          "/dir/dir2/ /dir/dir1/file1.2" },
        { "/dir/dir1/", "/dir/dir1/file1.1", LISTING_FLAT | LISTING_REVERSE, 2, "" },
        { "/dir/", "", LISTING_FLAT, 0, "/dir/dir1/ /dir/dir2/ /dir/dir3/" },
        { "/dir/", "/dir/dir1/file1.1", LISTING_FLAT, 0, "/dir/dir2/ /dir/dir3/" },
        { "/dir/", "/dir/dir2", LISTING_FLAT, 0, "/dir/dir3/" },
        { "/dir/", "/dir/dir2/file2.1", LISTING_FLAT | LISTING_REVERSE, 0,
          "/dir/dir2/ /dir/dir1/" },
        { "/dir/", "", LISTING_FLAT | LISTING_REVERSE, 1, "/dir/dir3/" },
        { "/", "", LISTING_FLAT, 0, "/dir/" },
    };
    ContentFixture *f = *state;
    Hash root = tree_of(f, paths, ARRAY_LEN(paths));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s from '%s'", cases[i].base, cases[i].marker);
        Span span = { .base = str(cases[i].base) };
        *(cases[i].mode & LISTING_REVERSE ? &span.upper : &span.after) = str(cases[i].marker);
        assert_string_equal(list(f, &root, &span, cases[i].mode, cases[i].limit),
                            cases[i].expected);
    }
}

/* --- against all elements, made naively ------------------------------------------------------- */

static const char *const universe[] = {
    "/a-b",     "/a.txt", "/a/x",     "/a/y-z", "/a/y/z",  "/a/y/z0", "/a0",      "/b/c-d",
    "/b/c.txt", "/b/c/e", "/b/c/f/g", "/file1", "/file10", "/file2",  "/x/y/z/w", "/x/y/z/w.0",
};

static int text_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool listed_has(const Listed *list, Str path)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(path, str(list->paths[i])))
            return true;
    return false;
}

static Listed all_elements(ContentFixture *f, const char *const *paths, size_t n)
{
    Listed all = { 0 };
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; paths[i][k]; k++)
            if (paths[i][k] == '/' && !listed_has(&all, (Str){ paths[i], k + 1 }))
                listed_add(f, &all, (Str){ paths[i], k + 1 });
        listed_add(f, &all, str(paths[i]));
    }
    qsort(all.paths, all.n, sizeof(char *), text_order);
    return all;
}

static bool wanted(const Span *span, unsigned mode, const char *path)
{
    Str element = str(path), name = str_sub(element, 0, element.size - str_ends(element, STR("/")));
    if (!str_starts(element, span->base) || str_cmp(element, span->lower) < 0)
        return false;
    if (span->upper.size > 0 && str_cmp(element, span->upper) >= 0)
        return false;
    if (span->after.size > 0 && (str_cmp(element, span->after) <= 0 || str_eq(name, span->after)))
        return false;
    if (!(mode & LISTING_FLAT))
        return true;
    return element.size > span->base.size &&
           str_find(str_sub(name, span->base.size, name.size), '/') + span->base.size == name.size;
}

static char *list_naively(ContentFixture *f, const Listed *all, const Span *span, unsigned mode)
{
    Listed listed = { 0 };
    for (size_t i = 0; i < all->n; i++) {
        char *path = all->paths[mode & LISTING_REVERSE ? all->n - 1 - i : i];
        if (wanted(span, mode, path))
            listed.paths[listed.n++] = path;
    }
    return text_join(f->ctx.arena, (const char *const *)listed.paths, listed.n, " ");
}

/* Any element's text, sometimes a little changed, or "". */
static Str some_text(ContentFixture *f, const Listed *all, uint64_t *seed)
{
    if (all->n == 0 || next_rand(seed) % 3 == 0)
        return STR("");
    char *text = arena_strdup(f->ctx.arena, all->paths[next_rand(seed) % all->n]);
    size_t size = strlen(text);
    uint64_t change = next_rand(seed) % 4;
    if (change == 0)
        text[size - 1]++;
    if (change == 1 && size > 1)
        size--;
    return (Str){ text, size };
}

static Str some_dir(const Listed *all, uint64_t *seed)
{
    for (int turn = 0; all->n > 0 && turn < 10; turn++) {
        Str path = str(all->paths[next_rand(seed) % all->n]);
        if (str_ends(path, STR("/")))
            return path;
    }
    return STR("/");
}

static void listings_equal_the_naive_ones(void **state)
{
    ContentFixture *f = *state;
    uint64_t seed = 77;
    for (int turn = 0; turn < 3000; turn++) {
        ArenaMark mark = arena_mark(f->ctx.arena);
        const char *paths[ARRAY_LEN(universe)];
        size_t n = 0;
        uint64_t odds = 1 + next_rand(&seed) % 4;
        for (size_t i = 0; i < ARRAY_LEN(universe); i++)
            if (next_rand(&seed) % odds == 0)
                paths[n++] = universe[i];
        Hash root = tree_of(f, paths, n);
        Listed all = all_elements(f, paths, n);
        Span span = { .base = some_dir(&all, &seed), .upper = some_text(f, &all, &seed) };
        unsigned mode = (unsigned)(next_rand(&seed) % 4);
        span.lower = mode == LISTING_DEEP ? some_text(f, &all, &seed) : STR("");
        span.after = mode & LISTING_REVERSE ? STR("") : some_text(f, &all, &seed);
        char *got = list(f, &root, &span, mode, 0), *expected = list_naively(f, &all, &span, mode);
        if (strcmp(got, expected))
            fail_msg("turn %d, mode %u, base %s, lower '%.*s', upper '%.*s', after '%.*s':\n got "
                     "%s\n not %s",
                     turn, mode, span.base.data, STR_ARG(span.lower), STR_ARG(span.upper),
                     STR_ARG(span.after), got, expected);
        arena_rewind(f->ctx.arena, mark);
    }
}

static void skipping_a_directory_goes_on_behind_it(void **state)
{
    ContentFixture *f = *state;
    static const char *const paths[] = { "/a/x", "/a/y/z", "/a0", "/b/c/d" };
    Hash root = tree_of(f, paths, ARRAY_LEN(paths));
    Span span = { .base = STR("/") };
    Listing listing;
    listing_init(&listing, &f->content.io, &root, &span, LISTING_DEEP);
    static const char *const expected[] = { "/", "/a/", "/a0", "/b/", "/b/c/", "" };
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        Item item;
        assert_ok(listing_next(&f->ctx, &listing, &item));
        assert_true(str_eq_c(item.path, expected[i]));
        if (str_eq_c(item.path, "/a/") || str_eq_c(item.path, "/b/c/"))
            listing_skip(&listing);
    }
    listing_done(&listing);
}

static void assert_listing_fails(ContentFixture *f, const Hash *root, unsigned mode,
                                 const char *error)
{
    Span span = { .base = STR("/") };
    Listing listing;
    listing_init(&listing, &f->content.io, root, &span, mode);
    Item item = { .path = STR("/") };
    Status status = OK;
    while (status_ok(status) && item.path.size > 0)
        status = listing_next(&f->ctx, &listing, &item);
    assert_fails(status, UNKNOWN, error);
    listing_done(&listing);
}

static void collisions_end_a_listing(void **state)
{
    ContentFixture *f = *state;
    static const char *const ops[] = { "+/dir", "+/dir-x", "+/dir/f", "+/e=d1", "+/e=d2" };
    static const struct {
        const char *path, *error;
    } lookups[] = {
        { "/dir", "file / directory path collision (/dir/f)" },
        { "/dir/f", NULL },
        { "/dir-x", NULL },
        { "/e", "duplicate path output by different datums (/e from d1 and /e from d2)" },
    };
    const char *error;
    Hash root = apply_to(f, (Hash){ 0 }, layer_of(f, ops, ARRAY_LEN(ops)), &error);
    for (size_t i = 0; i < ARRAY_LEN(lookups); i++) {
        bool found;
        Item item;
        Status status =
            listing_lookup(&f->ctx, &f->content.io, &root, str(lookups[i].path), &found, &item);
        if (lookups[i].error) {
            assert_fails(status, UNKNOWN, lookups[i].error);
        } else {
            assert_ok(status);
            assert_true(found && str_eq_c(item.path, lookups[i].path));
        }
    }
    assert_listing_fails(f, &root, LISTING_DEEP, lookups[0].error);
    assert_listing_fails(f, &root, LISTING_FLAT, lookups[0].error);
    assert_listing_fails(f, &root, LISTING_DEEP | LISTING_REVERSE, lookups[3].error);
    assert_listing_fails(f, &root, LISTING_FLAT | LISTING_REVERSE, lookups[3].error);
    root = apply_to(f, (Hash){ 0 }, layer_of(f, ops, 3), &error);
    assert_listing_fails(f, &root, LISTING_DEEP | LISTING_REVERSE, lookups[0].error);
    assert_listing_fails(f, &root, LISTING_FLAT | LISTING_REVERSE, lookups[0].error);
}

static void nothing_is_found_where_nothing_is(void **state)
{
    ContentFixture *f = *state;
    static const char *const paths[] = { "/foo", "/dir/x" };
    static const struct {
        const char *path, *found;
    } cases[] = {
        { "/", "/" },        { "/foo", "/foo" }, { "/fo", "" },  { "/foo/x", "" },
        { "/dir", "/dir/" }, { "/di", "" },      { "/zzz", "" },
    };
    Hash root = tree_of(f, paths, ARRAY_LEN(paths));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool found;
        Item item;
        assert_ok(
            listing_lookup(&f->ctx, &f->content.io, &root, str(cases[i].path), &found, &item));
        assert_int_equal(found, *cases[i].found != '\0');
        if (found)
            assert_true(str_eq_c(item.path, cases[i].found));
    }
    bool found;
    Item item;
    assert_ok(listing_lookup(&f->ctx, &f->content.io, &(Hash){ 0 }, STR("/"), &found, &item));
    assert_false(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worked_example),
        cmocka_unit_test(listings_equal_the_naive_ones),
        cmocka_unit_test(skipping_a_directory_goes_on_behind_it),
        cmocka_unit_test(collisions_end_a_listing),
        cmocka_unit_test(nothing_is_found_where_nothing_is),
    };
    return cmocka_run_group_tests(tests, content_setup, content_teardown);
}
