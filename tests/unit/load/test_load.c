/* What a load test is made of: its spec, its files, its DAG. */
#include "load/load_priv.h"
#include "one_ctx.h"

/* --- spec ------------------------------------------------------------------------------------- */

#define SIZES(sizes) "fileSources: [{name: s, random: {sizes: [" sizes "]}}]\n"
#define PUT          "modifications: [{putFile: {source: s}}]\n"
#define ONE_SIZE     SIZES("{min: 1, max: 2}")

static void specs(void **state)
{
    static const struct {
        const char *text, *error; /* "": it is fine */
    } cases[] = {
        { load_spec_preset, "" },
        { "count: 1\n" PUT ONE_SIZE, "" },
        { "{\"count\": 1, \"file_sources\": [{\"name\": \"s\", \"random\": {\"increment_path\": "
          "true, \"sizes\": [{\"max\": 5}]}}], \"modifications\": [{\"put_file\": {\"source\": "
          "\"s\"}}]}",
          "" },
        { "count: 0\n" PUT ONE_SIZE, "count must be from 1" },
        { "count: 1\n" ONE_SIZE, "it needs modifications" },
        { "count: 1\nmodifications: [{}]\n" ONE_SIZE, "modification 1 must have a putFile" },
        { "count: 1\nmodifications: [{count: -1, putFile: {source: s}}]\n" ONE_SIZE,
          "modification 1: count must not be negative" },
        { "count: 1\nmodifications: [{putFile: {source: t}}]\n" ONE_SIZE,
          "modification 1: there is no file source 't'" },
        { "count: 1\n" PUT SIZES(""), "file source 's': it needs sizes" },
        { "count: 1\n" PUT SIZES("{min: 3, max: 2}"), "sizes must go from 0" },
        { "count: 1\n" PUT SIZES("{min: -1, max: 2}"), "sizes must go from 0" },
        { "count: 1\n" PUT SIZES("{max: 2}, {max: 3}"), "sizes that are probable" },
        { "count: 1\n" PUT SIZES("{max: 2, prob: -1}"), "prob must not be negative" },
        { "count: 1\n" PUT "fileSources: [{name: s}]", "it must be random" },
        { "count: 1\n" PUT
          "fileSources: [{name: s, random: {directory: {depth: {max: 65}}, sizes: [{max: 1}]}}]",
          "depth must go from 0 or more up to at most 64" },
        { "count: 1\nvalidator: {frequency: {prob: 101}}\n" PUT ONE_SIZE, "a prob of at most 100" },
        { "count: 1\nwhat: 2", "unknown field \"what\"" },
        { "count: 1\n---\ncount: 2", "it must be one document, not 2" },
        { "[", "could not read the spec of the load test: " },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        LoadSpec *spec;
        say_case("case %zu", i);
        if (!*cases[i].error) {
            assert_ok(load_spec_read(&ctx, cases[i].text, &spec));
            continue;
        }
        assert_fails(load_spec_read(&ctx, cases[i].text, &spec), INVALID_ARGUMENT, cases[i].error);
    }
}

/* --- files ------------------------------------------------------------------------------------ */

static LoadFiles files_of(const char *random)
{
    LoadSpec *spec;
    const char *text =
        text_printf(ctx.arena, "count: 1\n" PUT "fileSources: [{name: s, random: %s}]", random);
    assert_ok(load_spec_read(&ctx, text, &spec));
    return (LoadFiles){ .spec = spec->file_sources[0]->random };
}

/* As many paths and sizes as bytes of text. */
static char *many(const char *random, uint64_t seed, int n)
{
    LoadFiles files = files_of(random);
    Buf path = { 0 };
    Buf all = { 0 };
    for (int i = 0; i < n; i++) {
        int64_t size = load_next_file(&files, &seed, i, &path);
        buf_printf(&all, STR_FMT "=%lld\n", STR_ARG(buf_str(&path)), (long long)size);
    }
    char *text = str_z(ctx.arena, buf_str(&all));
    buf_done(&path);
    buf_done(&all);
    buf_done(&files.folder);
    return text;
}

#define DEEP "{directory: {depth: {min: 1, max: 3}, run: 2}, sizes: [{min: 5, max: 9}]}"

static void the_same_seed_gives_the_same_files(void **state)
{
    (void)state;
    assert_string_equal(many(DEEP, 7, 100), many(DEEP, 7, 100));
    assert_string_not_equal(many(DEEP, 7, 100), many(DEEP, 8, 100));
    assert_string_equal(many("{incrementPath: true, sizes: [{max: 0}]}", 1, 2),
                        "/file-000000000000=0\n/file-000000000001=0\n");
}

/* Depths and sizes stay in their ranges and reach their ends; a folder has `run` files. */
static void files_are_what_the_spec_says(void **state)
{
    (void)state;
    LoadFiles files = files_of(DEEP);
    CLEANUP(buf_done) Buf path = { 0 };
    uint64_t seed = 1;
    unsigned depths = 0, sizes = 0;
    char *folder = NULL;
    for (int i = 0; i < 1000; i++) {
        int64_t size = load_next_file(&files, &seed, i, &path);
        const char *text = str_z(ctx.arena, buf_str(&path));
        int depth = -1;
        for (const char *c = text; *c; c++)
            depth += *c == '/';
        assert_in_range(depth, 1, 3);
        assert_in_range(size, 5, 9);
        depths |= 1u << depth;
        sizes |= 1u << size;
        char *now = arena_strndup(ctx.arena, text, (size_t)(strrchr(text, '/') - text));
        assert_true(!folder || (strcmp(folder, now) == 0) == (i % 2 == 1));
        folder = now;
    }
    assert_int_equal(depths, 0xe);
    assert_int_equal(sizes, 0x3e0);
    buf_done(&files.folder);
}

static void sizes_come_by_their_weight(void **state)
{
    (void)state;
    LoadFiles files = files_of(
        "{sizes: [{min: 1, max: 1, prob: 90}, {min: 2, max: 2}, {min: 3, max: 3, prob: 10}]}");
    CLEANUP(buf_done) Buf path = { 0 };
    uint64_t seed = 3;
    int n[4] = { 0 };
    for (int i = 0; i < 10000; i++)
        n[load_next_file(&files, &seed, i, &path)]++;
    assert_int_equal(n[2], 0);
    assert_in_range(n[3], 800, 1200);
    buf_done(&files.folder);
}

/* --- digests ---------------------------------------------------------------------------------- */

static void what_came_and_went_leaves_nothing(void **state)
{
    (void)state;
    const Hash one = hash_of(str_bytes(STR("1"))), two = hash_of(str_bytes(STR("2")));
    LoadDigest a = { 0 }, b = { 0 };
    load_digest_add(&a, STR("/x"), &one, 1);
    load_digest_add(&a, STR("/y"), &two, 1);
    load_digest_add(&b, STR("/y"), &two, 1);
    assert_false(load_digest_eq(&a, &b));
    load_digest_take(&a, STR("/x"), &one, 1);
    assert_true(load_digest_eq(&a, &b));
    load_digest_take(&b, STR("/y"), &two, 1);
    load_digest_add(&b, STR("/y"), &one, 1); /* the same files, other content */
    assert_false(load_digest_eq(&a, &b));
}

/* --- DAG -------------------------------------------------------------------------------------- */

static const char *dag(const char *text)
{
    LoadNodes nodes;
    Status s = load_dag_read(&ctx, text, "0a1b2", &nodes);
    if (!status_ok(s))
        return status_message(s);
    Buf all = { 0 };
    for (size_t i = 0; i < nodes.n; i++) {
        buf_printf(&all, "%s%s(", i ? " " : "", nodes.items[i].name);
        for (size_t k = 0; k < nodes.items[i].n; k++)
            buf_printf(&all, "%s%s", k ? " " : "", nodes.items[i].inputs[k]);
        buf_add_u8(&all, ')');
    }
    const char *copy = str_z(ctx.arena, buf_str(&all));
    buf_done(&all);
    return copy;
}

static void dags(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "", "default-load-test-source-0a1b2() "
              "default-load-test-pipeline-0a1b2(default-load-test-source-0a1b2)" },
        { "a:", "a-0a1b2()" },
        { "# two\na:\n b :  # other\r\n\nc: a,b", "a-0a1b2() b-0a1b2() c-0a1b2(a-0a1b2 b-0a1b2)" },
        { "a: b\nb:", "line 1 of the DAG: input 'b' is not defined above it" },
        { "a:\nb: a,", "a-0a1b2() b-0a1b2(a-0a1b2)" },
        { "a:\nb: a,,", "line 2 of the DAG: input '' is not defined above it" },
        { "a:\na:", "line 2 of the DAG: 'a' is defined twice" },
        { "a", "line 1 of the DAG: it is no 'name:' or 'name: input, input'" },
        { "\n# nothing", "the DAG is empty" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("case %zu", i);
        assert_string_equal(dag(cases[i].text), cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specs),
        cmocka_unit_test(the_same_seed_gives_the_same_files),
        cmocka_unit_test(files_are_what_the_spec_says),
        cmocka_unit_test(sizes_come_by_their_weight),
        cmocka_unit_test(what_came_and_went_leaves_nothing),
        cmocka_unit_test(dags),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
