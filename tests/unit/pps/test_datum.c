/* test_datum.c - what inputs are cut into, what a change touches, ids, and datum sets. */
#include "testing.h"
#include "unit/pps/fake_source.h"

/* Computed once, by hand, from the reference's layout. */
#define FROZEN_ID   "b6bdd6ac2e6f602cde2dc767b35082bc09ffbea8017fb07ee764f74626efdfde"
#define FROZEN_HASH "b833278651debcf87f8a73d41548dd0c2c8833259c80d70d130208aedc70b4e0"

typedef struct Fixture {
    Ctx ctx;
    FakeSource fake;
    Buf text, more;
} Fixture;

static int setup(void **state)
{
    Fixture *fx = test_calloc(1, sizeof(*fx));
    ctx_init(&fx->ctx);
    fake_source_init(&fx->fake);
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fx = *state;
    buf_done(&fx->text);
    buf_done(&fx->more);
    ctx_done(&fx->ctx);
    test_free(fx);
    return 0;
}

/* "repo/path" words; content is the path. */
static void put_files(Fixture *fx, FakeFiles *files, const char *words)
{
    Str rest = str(words);
    while (rest.size) {
        size_t size = str_find(rest, ' ');
        Str word = str_sub(rest, 0, size);
        size_t slash = str_find(word, '/');
        char *path = str_z(fx->ctx.arena, str_sub(word, slash, word.size));
        fake_files_set(files, str_z(fx->ctx.arena, str_sub(word, 0, slash)), path, path);
        rest = str_sub(rest, size + 1, rest.size);
    }
}

static const char *enumerate(Fixture *fx, const char *json)
{
    buf_clear(&fx->text);
    assert_ok(datum_each(&fx->ctx, &fx->fake.source, input_of(&fx->ctx, json), add_datum_text,
                         &fx->text));
    return text_printf(fx->ctx.arena, STR_FMT, STR_ARG(buf_str(&fx->text)));
}

#define PFS_ON(repo, glob, more)                                                                   \
    "{\"pfs\":{\"name\":\"" repo "\",\"repo\":\"" repo "\",\"glob\":\"" glob "\"" more "}}"
#define PFS(repo, glob) PFS_ON(repo, glob, "")
#define JOIN_ON(key)    ",\"joinOn\":\"" key "\""
#define OUTER_ON(key)   ",\"outerJoin\":true,\"joinOn\":\"" key "\""
#define GROUP_BY(key)   ",\"groupBy\":\"" key "\""

static void inputs_are_cut_as_clients_know(void **state)
{
    Fixture *fx = *state;
    static const struct {
        const char *label, *files, *input, *datums;
        bool sorted; /* datums come in the order of their ids */
    } cases[] = {
        { "no files, no datums", "", PFS("a", "/"), "", false },
        { "the root", "a/x a/d/y", PFS("a", "/"), "a:/\n", false },
        { "top level", "a/x a/d/y a/d/z a/d-e", PFS("a", "*"), "a:/d-e\na:/d/\na:/x\n", false },
        { "all below", "a/x a/d/y", PFS("a", "/**"), "a:/d/\na:/d/y\na:/x\n", false },
        { "one folder, slash or not", "a/x a/d/y", PFS("a", "/d/"), "a:/d/\n", false },
        { "union, one child after the other", "a/x b/x b/y",
          "{\"union\":[" PFS("b", "/*") "," PFS("a", "/*") "]}", "a:/x\nb:/x\nb:/y\n", false },
        { "union, what both find comes twice", "a/xy",
          "{\"union\":[" PFS("a", "/x*") "," PFS("a", "/*y") "]}", "a:/xy\na:/xy\n", false },
        { "cross", "a/x a/y b/1 b/2", "{\"cross\":[" PFS("a", "/*") "," PFS("b", "/*") "]}",
          "a:/x b:/1\na:/x b:/2\na:/y b:/1\na:/y b:/2\n", true },
        { "cross with nothing", "a/x", "{\"cross\":[" PFS("a", "/*") "," PFS("b", "/*") "]}", "",
          false },
        { "cross of a union", "a/x b/y c/z",
          "{\"cross\":[{\"union\":[" PFS("a", "/*") "," PFS("b", "/*") "]}," PFS("c", "/*") "]}",
          "a:/x c:/z\nb:/y c:/z\n", true },
        { "join", "a/x.1 a/y.1 b/x.2 b/z.2",
          "{\"join\":[" PFS_ON("a", "/(*).1", JOIN_ON("$1")) "," PFS_ON("b", "/(*).2",
                                                                        JOIN_ON("$1")) "]}",
          "a:/x.1 b:/x.2\n", true },
        { "join of folders, keys without the slash", "a/k/1 b/k/2",
          "{\"join\":[" PFS_ON("a", "/(*)", JOIN_ON("$1")) "," PFS_ON("b", "/(*)",
                                                                      JOIN_ON("$1")) "]}",
          "a:/k/ b:/k/\n", true },
        { "no key joins all with all", "a/x a/y b/1",
          "{\"join\":[" PFS("a", "/*") "," PFS("b", "/*") "]}", "a:/x b:/1\na:/y b:/1\n", true },
        { "outer join keeps its own", "a/x a/y b/x b/z",
          "{\"join\":[" PFS_ON("a", "/(*)", JOIN_ON("$1")) "," PFS_ON("b", "/(*)",
                                                                      OUTER_ON("$1")) "]}",
          "a:/x b:/x\nb:/z\n", true },
        { "two outer of three", "a/k b/k c/q",
          "{\"join\":[" PFS_ON("a", "/(*)", OUTER_ON("$1")) "," PFS_ON(
              "b", "/(*)", OUTER_ON("$1")) "," PFS_ON("c", "/(*)", JOIN_ON("$1")) "]}",
          "a:/k b:/k\n", true },
        { "one outer, two lack", "a/k b/k c/q",
          "{\"join\":[" PFS_ON("a", "/(*)", OUTER_ON("$1")) "," PFS_ON(
              "b", "/(*)", JOIN_ON("$1")) "," PFS_ON("c", "/(*)", JOIN_ON("$1")) "]}",
          "a:/k\n", true },
        { "a joined cross is taken apart", "x1/k x2/k c/k",
          "{\"join\":[{\"cross\":[" PFS_ON("x1", "/(*)", JOIN_ON("$1")) "," PFS_ON(
              "x2", "/(*)", JOIN_ON("$1")) "]}," PFS_ON("c", "/(*)", JOIN_ON("$1")) "]}",
          "c:/k x1:/k\nc:/k x2:/k\n", true },
        { "group", "a/1.x b/1.y b/2.y",
          "{\"group\":[" PFS_ON("a", "/(*).x", GROUP_BY("$1")) "," PFS_ON("b", "/(*).y",
                                                                          GROUP_BY("$1")) "]}",
          "a:/1.x b:/1.y\nb:/2.y\n", true },
        { "group of a join goes by each input's own key", "a/k1 b/k1",
          "{\"group\":[{\"join\":[" PFS_ON(
              "a", "/(k)(*)", JOIN_ON("$1$2") GROUP_BY("$2")) "," PFS_ON("b", "/(k)(*)",
                                                                         JOIN_ON("$1$2")
                                                                             GROUP_BY("$2")) "]}]}",
          "a:/k1 b:/k1\n", true },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        fx->fake.now.n = 0;
        put_files(fx, &fx->fake.now, cases[i].files);
        const char *datums = enumerate(fx, cases[i].input);
        if (cases[i].sorted)
            datums = sorted_lines(&fx->ctx, str(datums));
        assert_string_equal(datums, cases[i].datums);
    }
}

static Status keep_expansion(void *arg, Ctx *ctx, const Datum *datum)
{
    const DatumInput *input = datum->inputs[0];
    *(char **)arg = text_printf(ctx->arena, STR_FMT "|" STR_FMT, STR_ARG(input->join_on),
                                STR_ARG(input->group_by));
    return OK;
}

static void keys_expand_what_the_glob_took(void **state)
{
    Fixture *fx = *state;
    put_files(fx, &fx->fake.now, "a/dir/file-7.txt");
    PpsV2__Input *input =
        input_of(&fx->ctx, PFS_ON("a", "/(*)/file-(?).txt", JOIN_ON("$2-$1") GROUP_BY("all")));
    char *expanded = NULL;
    assert_ok(datum_each(&fx->ctx, &fx->fake.source, input, keep_expansion, &expanded));
    assert_string_equal(expanded, "7-dir|all");
}

static void cron_ticks_are_datums_of_the_top_level(void **state)
{
    Fixture *fx = *state;
    put_files(fx, &fx->fake.now, "p_tick/2025-01-02T03:04:00Z p_tick/sub/x");
    assert_string_equal(enumerate(fx, "{\"cron\":{\"name\":\"tick\",\"spec\":\"@daily\"}}"),
                        "tick:/2025-01-02T03:04:00Z\ntick:/sub/\n");
}

static void bad_globs_are_named_at_enumeration(void **state)
{
    Fixture *fx = *state;
    PpsV2__Input *input = input_of(&fx->ctx, PFS("a", "/[x"));
    assert_fails(datum_each(&fx->ctx, &fx->fake.source, input, add_datum_text, &fx->text), UNKNOWN,
                 "unexpected end of input");
}

static void no_input_has_no_datums(void **state)
{
    Fixture *fx = *state;
    assert_ok(datum_each(&fx->ctx, &fx->fake.source, NULL, add_datum_text, &fx->text));
    assert_int_equal(fx->text.size, 0);
}

/* --- order and ids ---------------------------------------------------------------------------- */

typedef struct Kept {
    Hash ids[64];
    uint64_t indexes[64];
    size_t n;
} Kept;

static Status keep_id(void *arg, Ctx *ctx UNUSED, const Datum *datum)
{
    Kept *kept = arg;
    assert_true(kept->n < ARRAY_LEN(kept->ids));
    kept->indexes[kept->n] = datum->index;
    kept->ids[kept->n++] = datum->id;
    return OK;
}

static void crosses_run_their_children_in_order_of_id(void **state)
{
    Fixture *fx = *state;
    put_files(fx, &fx->fake.now, "a/1 a/2 a/3 a/4 b/1 b/2 b/3");
    Kept a = { 0 }, both = { 0 };
    assert_ok(
        datum_each(&fx->ctx, &fx->fake.source, input_of(&fx->ctx, PFS("a", "/*")), keep_id, &a));
    PpsV2__Input *cross = input_of(&fx->ctx, "{\"cross\":[" PFS("a", "/*") "," PFS("b", "/*") "]}");
    assert_ok(datum_each(&fx->ctx, &fx->fake.source, cross, keep_id, &both));
    assert_int_equal(both.n, 12);
    for (size_t i = 0; i < both.n; i++)
        assert_int_equal(both.indexes[i], i);
}

static Status keep_group_order(void *arg, Ctx *ctx UNUSED, const Datum *datum)
{
    Kept *kept = arg;
    for (size_t i = 0; i < datum->input_count; i++)
        kept->ids[kept->n++] = datum_id(&datum->inputs[i], 1);
    return OK;
}

static void groups_hold_their_files_in_order_of_id(void **state)
{
    Fixture *fx = *state;
    put_files(fx, &fx->fake.now, "a/1 a/2 a/3 a/4 a/5 a/6 a/7");
    PpsV2__Input *group = input_of(&fx->ctx, "{\"group\":[" PFS("a", "/*") "]}");
    Kept kept = { 0 };
    assert_ok(datum_each(&fx->ctx, &fx->fake.source, group, keep_group_order, &kept));
    assert_int_equal(kept.n, 7);
    for (size_t i = 1; i < kept.n; i++)
        assert_true(hash_cmp(&kept.ids[i - 1], &kept.ids[i]) < 0);
}

/* Pachyderm's order for these four, so ids are its ids. */
static void groups_are_in_the_order_that_others_give(void **state)
{
    Fixture *fx = *state;
    put_files(fx, &fx->fake.now, "A/a1 A/a2 A/b1 A/dir/x");
    const char *groups = enumerate(fx, "{\"group\":[" PFS("A", "/*") "]}");
    assert_string_equal(groups, "A:/dir/ A:/a1 A:/b1 A:/a2\n");
}

static void unions_count_on(void **state)
{
    Fixture *fx = *state;
    put_files(fx, &fx->fake.now, "a/1 a/2 b/1 b/2");
    Kept kept = { 0 };
    PpsV2__Input *input = input_of(&fx->ctx, "{\"union\":[" PFS("a", "/*") "," PFS("b", "/*") "]}");
    assert_ok(datum_each(&fx->ctx, &fx->fake.source, input, keep_id, &kept));
    for (size_t i = 0; i < kept.n; i++)
        assert_int_equal(kept.indexes[i], i);
}

/* Frozen: an id is text that users see and keep. */
static void ids_and_hashes_are_frozen(void **state)
{
    Fixture *fx = *state;
    PpsV2__Input *leaf = input_of(&fx->ctx, PFS("in", "/*"));
    DatumInput input = { .from = leaf->pfs, .path = STR("/dir/"), .is_dir = true };
    input.hash = hash_of(str_bytes(STR("content")));
    const DatumInput *inputs[] = { &input };
    CLEANUP(hasher_freep) Hasher *hasher = hasher_new();
    Datum datum = { .id = datum_id(inputs, 1), .input_count = 1, .inputs = inputs };
    char hex[HASH_HEX_SIZE];
    assert_string_equal(hash_hex(&datum.id, hex), FROZEN_ID);
    Hash hash = datum_hash(hasher, &datum, "salt");
    assert_string_equal(hash_hex(&hash, hex), FROZEN_HASH);
    leaf->pfs->reference = true;
    Hash without = datum_hash(hasher, &datum, "salt");
    input.hash = hash_of(str_bytes(STR("other")));
    Hash without_too = datum_hash(hasher, &datum, "salt");
    assert_true(hash_eq(&without, &without_too));
    assert_false(hash_eq(&without, &hash));
}

/* --- changes ---------------------------------------------------------------------------------- */

typedef struct Change {
    Buf *put, *gone;
} Change;

static Status on_put(void *arg, Ctx *ctx, const Datum *datum)
{
    return add_datum_text(((Change *)arg)->put, ctx, datum);
}

static Status on_gone(void *arg, Ctx *ctx, const Datum *datum)
{
    return add_datum_text(((Change *)arg)->gone, ctx, datum);
}

#define JOINED                                                                                     \
    "{\"join\":[" PFS_ON("a", "/(*).*", JOIN_ON("$1")) "," PFS_ON("b", "/(*).*",                   \
                                                                  OUTER_ON("$1")) "]}"
#define GROUPED                                                                                    \
    "{\"group\":[" PFS_ON("a", "/(*).*", GROUP_BY("$1")) "," PFS_ON("b", "/(*).*",                 \
                                                                    GROUP_BY("$1")) "]}"

static void changes_touch_what_holds_them(void **state)
{
    Fixture *fx = *state;
    static const struct {
        const char *label, *before, *now, *input, *put, *gone;
    } cases[] = {
        { "nothing changed", "a/x", "a/x", PFS("a", "/*"), "", "" },
        { "a file came", "a/x", "a/x a/y", PFS("a", "/*"), "a:/y\n", "" },
        { "a file went", "a/x a/y", "a/x", PFS("a", "/*"), "", "a:/y\n" },
        { "within a folder", "a/d/1 a/e/1", "a/d/1 a/d/2 a/e/1", PFS("a", "/*"), "a:/d/\n", "" },
        { "a folder went", "a/d/1 a/e/1", "a/e/1", PFS("a", "/*"), "", "a:/d/\n" },
        { "the root", "a/d/1", "a/d/2", PFS("a", "/"), "a:/\n", "" },
        { "the root emptied", "a/d/1", "", PFS("a", "/"), "", "a:/\n" },
        { "file became folder", "a/d", "a/d/1", PFS("a", "/*"), "a:/d/\n", "a:/d\n" },
        { "every level", "a/d/e/1", "a/d/e/1 a/d/e/2", PFS("a", "/**"),
          "a:/d/\na:/d/e/\na:/d/e/2\n", "" },
        { "other repos do not matter", "b/1", "b/2", PFS("a", "/*"), "", "" },
        { "union", "a/x b/x", "a/x b/y", "{\"union\":[" PFS("a", "/*") "," PFS("b", "/*") "]}",
          "b:/y\n", "b:/x\n" },
        { "one side of a cross", "a/1 a/2 b/x", "a/1 a/3 b/x",
          "{\"cross\":[" PFS("a", "/*") "," PFS("b", "/*") "]}", "a:/3 b:/x\n", "a:/2 b:/x\n" },
        { "a pair came", "a/1.x b/2.x", "a/1.x b/1.x b/2.x", JOINED, "a:/1.x b:/1.x\n", "" },
        { "a pair went", "a/1.x b/1.x", "a/1.x", JOINED, "", "a:/1.x b:/1.x\n" },
        { "an outer file lost its other", "a/1.x b/1.x", "b/1.x", JOINED, "b:/1.x\n",
          "a:/1.x b:/1.x\n" },
        { "other keys do not matter", "a/1.x b/1.x b/2.x", "a/1.x b/1.x b/3.x", JOINED, "b:/3.x\n",
          "b:/2.x\n" },
        { "a group grew", "a/1.x b/1.x", "a/1.x a/1.y b/1.x b/2.x", GROUPED,
          "a:/1.x a:/1.y b:/1.x\nb:/2.x\n", "a:/1.x b:/1.x\n" },
        { "both sides of a cross", "a/1 b/x", "a/2 b/y",
          "{\"cross\":[" PFS("a", "/*") "," PFS("b", "/*") "]}", "a:/2 b:/y\na:/2 b:/y\n",
          "a:/1 b:/x\na:/1 b:/y\na:/2 b:/x\n" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        fx->fake.before.n = fx->fake.now.n = 0;
        put_files(fx, &fx->fake.before, cases[i].before);
        put_files(fx, &fx->fake.now, cases[i].now);
        buf_clear(&fx->text);
        buf_clear(&fx->more);
        PpsV2__Input *input = input_of(&fx->ctx, cases[i].input);
        assert_true(datum_has_delta(&fx->ctx, input));
        Change change = { &fx->text, &fx->more };
        assert_ok(datum_each_change(&fx->ctx, &fx->fake.source, input, on_put, on_gone, &change));
        assert_string_equal(sorted_lines(&fx->ctx, buf_str(&fx->text)), cases[i].put);
        assert_string_equal(sorted_lines(&fx->ctx, buf_str(&fx->more)), cases[i].gone);
    }
}

static void deltas_are_for_trees_that_have_them(void **state)
{
    Fixture *fx = *state;
    static const struct {
        const char *input;
        bool has;
    } cases[] = {
        { "{\"union\":[" PFS("a", "/a*") "," PFS("a", "/*b") "]}", true },
        { "{\"union\":[" PFS_ON("a", "/*", ",\"project\":\"x\"") "," PFS("a", "/*") "]}", false },
        { "{\"join\":[" PFS("a", "/*") "," PFS("b", "/*") "]}", true },
        { "{\"cross\":[" PFS("b", "/*") ",{\"group\":[" PFS("a", "/*") "]}]}", true },
        { "{\"union\":[" PFS("a", "/*") ",{\"group\":[" PFS("a", "/*") "]}]}", false },
        { "{\"join\":[" PFS("a", "/*") "," PFS("a", "/x") "]}", false },
        { "{\"join\":[" PFS("a", "/*") ",{\"union\":[" PFS("b", "/*") "]}]}", false },
        { "{\"group\":[{\"join\":[" PFS("a", "/*") "," PFS("b", "/*") "]}]}", false },
        { "{\"cron\":{\"name\":\"t\",\"spec\":\"@daily\"}}", true },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(datum_has_delta(&fx->ctx, input_of(&fx->ctx, cases[i].input)),
                         cases[i].has);
    assert_true(datum_has_delta(&fx->ctx, NULL));
}

static void an_unchanged_cross_lists_nothing(void **state)
{
    Fixture *fx = *state;
    put_files(fx, &fx->fake.before, "a/1 b/x");
    put_files(fx, &fx->fake.now, "a/1 b/x");
    PpsV2__Input *input = input_of(&fx->ctx, "{\"cross\":[" PFS("a", "/*") "," PFS("b", "/*") "]}");
    Change change = { &fx->text, &fx->more };
    assert_ok(datum_each_change(&fx->ctx, &fx->fake.source, input, on_put, on_gone, &change));
    assert_int_equal(fx->fake.lists, 0);
}

static void a_change_under_a_join_looks_at_its_key_only(void **state)
{
    Fixture *fx = *state;
    for (int i = 0; i < 100; i++) {
        fake_files_set(&fx->fake.before, "a", text_printf(fx->ctx.arena, "/%02d.x", i), "1");
        fake_files_set(&fx->fake.before, "b", text_printf(fx->ctx.arena, "/%02d.y", i), "1");
    }
    fx->fake.now = fx->fake.before;
    fake_files_set(&fx->fake.now, "a", "/42.x", "2");
    static const char *const inputs[] = { JOINED, GROUPED };
    for (size_t i = 0; i < ARRAY_LEN(inputs); i++) {
        buf_clear(&fx->text);
        buf_clear(&fx->more);
        fx->fake.lists = fx->fake.matches = 0;
        Change change = { &fx->text, &fx->more };
        assert_ok(datum_each_change(&fx->ctx, &fx->fake.source, input_of(&fx->ctx, inputs[i]),
                                    on_put, on_gone, &change));
        assert_string_equal(sorted_lines(&fx->ctx, buf_str(&fx->text)), "a:/42.x b:/42.y\n");
        assert_int_equal(fx->fake.lists, 2);
        assert_int_equal(fx->fake.matches, 2);
    }
}

/* --- ids with content, as a set --------------------------------------------------------------- */

typedef struct IdSet {
    struct {
        Hash id, content;
    } items[256];
    size_t n;
} IdSet;

static size_t id_set_find(const IdSet *set, const Hash *id)
{
    size_t at = 0;
    while (at < set->n && hash_cmp(&set->items[at].id, id) < 0)
        at++;
    return at;
}

static bool id_set_has(const IdSet *set, size_t at, const Hash *id)
{
    return at < set->n && hash_eq(&set->items[at].id, id);
}

static Status id_set_put(void *arg, Ctx *ctx UNUSED, const Datum *datum)
{
    IdSet *set = arg;
    size_t at = id_set_find(set, &datum->id);
    if (!id_set_has(set, at, &datum->id)) {
        assert_true(set->n < ARRAY_LEN(set->items));
        memmove(&set->items[at + 1], &set->items[at], (set->n++ - at) * sizeof(set->items[0]));
    }
    CLEANUP(hasher_freep) Hasher *hasher = hasher_new();
    set->items[at].id = datum->id;
    set->items[at].content = datum_hash(hasher, datum, "");
    return OK;
}

static void id_set_remove(IdSet *set, const Hash *id)
{
    size_t at = id_set_find(set, id);
    if (id_set_has(set, at, id))
        memmove(&set->items[at], &set->items[at + 1], (--set->n - at) * sizeof(set->items[0]));
}

typedef struct SetChange {
    IdSet put, gone;
} SetChange;

static Status change_put(void *arg, Ctx *ctx, const Datum *datum)
{
    return id_set_put(&((SetChange *)arg)->put, ctx, datum);
}

static Status change_gone(void *arg, Ctx *ctx, const Datum *datum)
{
    return id_set_put(&((SetChange *)arg)->gone, ctx, datum);
}

static void random_files(FakeSource *fake, uint64_t *seed)
{
    static const char *const paths[] = { "/d", "/d/x", "/d/y/z", "/e", "/e/x", "/de", "/f/g" };
    static const char *const repos[] = { "a", "b", "c" };
    fake->before.n = 0;
    for (int i = 0; i < 10; i++)
        fake_files_set(&fake->before, repos[next_rand(seed) % 3], paths[next_rand(seed) % 7], "1");
    fake->now = fake->before;
    for (int i = 0; i < 3; i++)
        fake_files_set(&fake->now, repos[next_rand(seed) % 3], paths[next_rand(seed) % 7],
                       next_rand(seed) % 2 ? "2" : NULL);
}

static void enumerate_into(Fixture *fx, const FakeFiles *files, PpsV2__Input *input, IdSet *out)
{
    FakeSource state_of_then = { .now = *files };
    state_of_then.source = fx->fake.source;
    state_of_then.source.self = &state_of_then;
    assert_ok(datum_each(&fx->ctx, &state_of_then.source, input, id_set_put, out));
}

/* Files of two elements and two keys each, so that many share one. */
static void random_keyed_files(FakeSource *fake, uint64_t *seed)
{
    static const char *const paths[] = { "/k1-p",    "/k1-q",    "/k2-p",  "/k2-q",
                                         "/k1-p/k2", "/k2-p/k1", "/k1/k1", "/k1/k2-p",
                                         "/-",       "/x",       "/x/k1",  "/k1*-p" };
    static const char *const repos[] = { "a", "b", "c" };
    fake->before.n = 0;
    for (int i = 0; i < 14; i++)
        fake_files_set(&fake->before, repos[next_rand(seed) % 3],
                       paths[next_rand(seed) % ARRAY_LEN(paths)], "1");
    fake->now = fake->before;
    for (uint64_t i = next_rand(seed) % 5; i--;)
        fake_files_set(&fake->now, repos[next_rand(seed) % 3],
                       paths[next_rand(seed) % ARRAY_LEN(paths)], next_rand(seed) % 2 ? "2" : NULL);
}

static char *random_keyed_leaf(Ctx *ctx, uint64_t *seed, const char *repo)
{
    static const char *const globs[] = {
        "/(*)-(*)",   "/*-(*)",       "/(**)", "/(*)", "/(*)/(*)",
        "/(*)/(*)-*", "/(k1|k2)-(*)", "/*",    "/",    "/(*)?(-*)"
    };
    static const char *const keys[] = { "$1", "$2", "$1$2", "$2-$1", "", "all", "$1$1", "k$2" };
    return text_printf(ctx->arena,
                       "{\"pfs\":{\"name\":\"%s\",\"repo\":\"%s\",\"glob\":\"%s\",\"joinOn\":\"%"
                       "s\",\"groupBy\":\"%s\","
                       "\"outerJoin\":%s}}",
                       repo, repo, globs[next_rand(seed) % ARRAY_LEN(globs)],
                       keys[next_rand(seed) % ARRAY_LEN(keys)],
                       keys[next_rand(seed) % ARRAY_LEN(keys)],
                       next_rand(seed) % 2 ? "true" : "false");
}

/* Joins and groups of two or three, by themselves, in a cross, and in a union. */
static const char *random_match(Ctx *ctx, uint64_t *seed)
{
    const char *kind = next_rand(seed) % 2 ? "join" : "group";
    char *a = random_keyed_leaf(ctx, seed, "a"), *b = random_keyed_leaf(ctx, seed, "b");
    char *c = random_keyed_leaf(ctx, seed, "c");
    switch (next_rand(seed) % 4) {
    case 0:
        return text_printf(ctx->arena, "{\"%s\":[%s,%s]}", kind, a, b);
    case 1:
        return text_printf(ctx->arena, "{\"%s\":[%s,%s,%s]}", kind, a, b, c);
    case 2:
        return text_printf(ctx->arena, "{\"cross\":[{\"%s\":[%s,%s]},%s]}", kind, a, b, c);
    default:
        return text_printf(ctx->arena, "{\"union\":[{\"%s\":[%s,%s]},%s]}", kind, a, b, c);
    }
}

/* What is there now = what was there, without what is gone, with what is put: for random files and
 * changes. */
static void check_changes(Fixture *fx, PpsV2__Input *input)
{
    IdSet set = { 0 }, expected = { 0 };
    enumerate_into(fx, &fx->fake.before, input, &set);
    enumerate_into(fx, &fx->fake.now, input, &expected);
    SetChange change = { 0 };
    assert_ok(
        datum_each_change(&fx->ctx, &fx->fake.source, input, change_put, change_gone, &change));
    for (size_t i = 0; i < change.gone.n; i++)
        id_set_remove(&set, &change.gone.items[i].id);
    for (size_t i = 0; i < change.put.n; i++) {
        id_set_remove(&set, &change.put.items[i].id);
        size_t at = id_set_find(&set, &change.put.items[i].id);
        memmove(&set.items[at + 1], &set.items[at], (set.n++ - at) * sizeof(set.items[0]));
        set.items[at] = change.put.items[i];
    }
    assert_int_equal(set.n, expected.n);
    assert_memory_equal(set.items, expected.items, set.n * sizeof(set.items[0]));
}

static void changes_of_joins_and_groups_lead_from_before_to_now(void **state)
{
    Fixture *fx = *state;
    uint64_t seed = 5;
    for (int round = 0; round < 3000; round++) {
        ArenaMark mark = arena_mark(fx->ctx.arena);
        random_keyed_files(&fx->fake, &seed);
        PpsV2__Input *input = input_of(&fx->ctx, random_match(&fx->ctx, &seed));
        assert_true(datum_has_delta(&fx->ctx, input));
        check_changes(fx, input);
        arena_rewind(fx->ctx.arena, mark);
    }
}

static void changes_lead_from_before_to_now(void **state)
{
    Fixture *fx = *state;
    static const char *const inputs[] = {
        PFS("a", "/"),
        PFS("a", "/*"),
        PFS("a", "/**"),
        PFS("a", "/*/*"),
        "{\"union\":[" PFS("a", "/d*") "," PFS("a", "/*e") "," PFS("b", "/*") "]}",
        "{\"cross\":[" PFS("a", "/*") "," PFS("b", "/*") "]}",
        "{\"cross\":[{\"union\":[" PFS("a", "/*") "," PFS("b", "/*") "]}," PFS("c", "/*") "]}",
    };
    uint64_t seed = 7;
    for (int round = 0; round < 700; round++) {
        random_files(&fx->fake, &seed);
        ArenaMark mark = arena_mark(fx->ctx.arena);
        PpsV2__Input *input = input_of(&fx->ctx, inputs[next_rand(&seed) % ARRAY_LEN(inputs)]);
        check_changes(fx, input);
        arena_rewind(fx->ctx.arena, mark);
    }
}

/* --- datum sets ------------------------------------------------------------------------------- */

static void sets_close_by_number_or_size(void **state UNUSED)
{
    static const struct {
        const char *label;
        int64_t number, size_bytes, per_worker;
        bool absent;
        uint64_t datums, parallelism;
        const char *starts; /* 'x' where a set starts; datums of 10 bytes */
    } cases[] = {
        { "number", 2, 0, 0, false, 5, 1, "x.x.x" },
        { "size overshoots", 0, 15, 0, false, 5, 1, "x.x.x" },
        { "size wins", 1, 15, 0, false, 4, 1, "x.x." },
        { "default: four a worker", 0, 0, 0, true, 8, 1, "x.x.x.x." },
        { "default with few datums", 0, 0, 0, true, 3, 10, "xxx" },
        { "all zero is the default", 0, 0, 0, false, 8, 2, "xxxxxxxx" },
        { "per worker", 0, 0, 1, false, 4, 2, "x.x." },
        { "negative is unset", -1, -1, -1, false, 8, 1, "x.x.x.x." },
        { "what does not divide makes one more", 0, 0, 1, false, 5, 2, "x.x.x" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        PpsV2__DatumSetSpec spec;
        pps_v2__datum_set_spec__init(&spec);
        spec.number = cases[i].number;
        spec.size_bytes = cases[i].size_bytes;
        spec.per_worker = cases[i].per_worker;
        DatumSets sets =
            datum_sets_new(cases[i].absent ? NULL : &spec, cases[i].datums, cases[i].parallelism);
        for (size_t k = 0; cases[i].starts[k]; k++)
            assert_int_equal(datum_sets_add(&sets, 10), cases[i].starts[k] == 'x');
    }
}

#define DATUM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DATUM_TEST(inputs_are_cut_as_clients_know),
        DATUM_TEST(keys_expand_what_the_glob_took),
        DATUM_TEST(cron_ticks_are_datums_of_the_top_level),
        DATUM_TEST(bad_globs_are_named_at_enumeration),
        DATUM_TEST(no_input_has_no_datums),
        DATUM_TEST(crosses_run_their_children_in_order_of_id),
        DATUM_TEST(groups_hold_their_files_in_order_of_id),
        DATUM_TEST(groups_are_in_the_order_that_others_give),
        DATUM_TEST(unions_count_on),
        DATUM_TEST(ids_and_hashes_are_frozen),
        DATUM_TEST(changes_touch_what_holds_them),
        DATUM_TEST(deltas_are_for_trees_that_have_them),
        DATUM_TEST(an_unchanged_cross_lists_nothing),
        DATUM_TEST(a_change_under_a_join_looks_at_its_key_only),
        DATUM_TEST(changes_lead_from_before_to_now),
        DATUM_TEST(changes_of_joins_and_groups_lead_from_before_to_now),
        cmocka_unit_test(sets_close_by_number_or_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
