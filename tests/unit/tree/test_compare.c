/* test_compare.c - diff, three-way merge and visit, against the model. */
#include "unit/tree/tree_fixture.h"

#include "tree/tree_priv.h"

/* --- diff ------------------------------------------------------------------------------------ */

/* Checks a diff's calls against the two models while they come. */
typedef struct DiffCheck {
    const Model *old, *new;
    Str to;
    size_t old_at, new_at, count;
} DiffCheck;

static const TreeEntry *in_range(const DiffCheck *check, const Model *model, size_t at)
{
    if (at >= model->count || (check->to.size && str_cmp(model->entries[at].path, check->to) >= 0))
        return NULL;
    return &model->entries[at];
}

/* The next difference by the models; false at their end. */
static bool next_difference(DiffCheck *check, const TreeEntry **old, const TreeEntry **new)
{
    for (;;) {
        *old = in_range(check, check->old, check->old_at);
        *new = in_range(check, check->new, check->new_at);
        if (!*old && !*new)
            return false;
        TreeItem a =
            *old ? (TreeItem){ .path = (*old)->path, .tag = (*old)->tag } : (TreeItem){ 0 };
        TreeItem b =
            *new ? (TreeItem){ .path = (*new)->path, .tag = (*new)->tag } : (TreeItem){ 0 };
        int order = !*old ? 1 : !*new ? -1 : item_cmp(&a, &b);
        check->old_at += order <= 0;
        check->new_at += order >= 0;
        if (order == 0 && entries_equal(*old, *new))
            continue;
        if (order > 0)
            *old = NULL;
        if (order < 0)
            *new = NULL;
        return true;
    }
}

static Status check_difference(void *arg, Ctx *ctx, const TreeEntry *old_entry,
                               const TreeEntry *new_entry)
{
    (void)ctx;
    DiffCheck *check = arg;
    const TreeEntry *old, *new;
    assert_true(next_difference(check, &old, &new));
    assert_true(entries_equal(old, old_entry) && entries_equal(new, new_entry));
    check->count++;
    return OK;
}

static size_t check_diff(Fixture *fx, const Hash *old_root, const Hash *new_root, Str from, Str to)
{
    DiffCheck check = { .old = &fx->a, .new = &fx->b, .to = to };
    check.old_at = model_find(&fx->a, from, STR(""));
    check.new_at = model_find(&fx->b, from, STR(""));
    assert_ok(
        tree_diff(&fx->ctx, &fx->blobs.io, old_root, new_root, from, to, check_difference, &check));
    const TreeEntry *old, *new;
    assert_false(next_difference(&check, &old, &new));
    return check.count;
}

static void diff_like_the_model(void **state)
{
    Fixture *fx = *state;
    random_fill(fx, &fx->a, 20 * 1000, 40 * 1000, 60);
    model_copy(&fx->b, &fx->a);
    Hash old_root = build(fx, &fx->a);
    static const size_t changes[] = { 1, 2, 20, 500, 20000 };
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        random_layer(fx, &fx->c, changes[i], 40 * 1000, 60);
        model_overlay(&fx->b, &fx->c, false);
        Hash new_root = build(fx, &fx->b);
        check_diff(fx, &old_root, &new_root, STR(""), STR(""));
        for (int round = 0; round < 5; round++) {
            check_diff(fx, &old_root, &new_root, random_path(fx, 40 * 1000),
                       random_path(fx, 40 * 1000));
            check_diff(fx, &old_root, &new_root, STR("/data/part-3/"), STR("/data/part-30"));
        }
    }
}

static void diff_of_nothing(void **state)
{
    Fixture *fx = *state;
    Hash zero = { { 0 } };
    random_fill(fx, &fx->a, 3000, 40 * 1000, 60);
    Hash root = build(fx, &fx->a);
    fx->blobs.gets = 0;
    assert_ok(
        tree_diff(&fx->ctx, &fx->blobs.io, &root, &root, STR(""), STR(""), check_difference, NULL));
    assert_int_equal(fx->blobs.gets, 0);
    assert_int_equal(check_diff(fx, &root, &zero, STR(""), STR("")), fx->a.count);
    model_copy(&fx->b, &fx->a);
    fx->a.count = 0;
    assert_int_equal(check_diff(fx, &zero, &root, STR(""), STR("")), fx->b.count);
}

static void diff_reads_what_changed(void **state)
{
    Fixture *fx = *state;
    random_fill(fx, &fx->a, 50 * 1000, 1000 * 1000, 100);
    model_copy(&fx->b, &fx->a);
    Hash old_root = build(fx, &fx->a);
    TreeEntry entry = random_entry(fx, 1000 * 1000, TREE_PUT, 60);
    model_set(&fx->b, &entry);
    Hash new_root = build(fx, &fx->b);
    fx->blobs.gets = 0;
    assert_int_equal(check_diff(fx, &old_root, &new_root, STR(""), STR("")), 1);
    assert_in_range(fx->blobs.gets, 2, 10);
}

static Status stop_at_once(void *arg, Ctx *ctx, const TreeEntry *old_entry,
                           const TreeEntry *new_entry)
{
    (void)arg;
    (void)old_entry;
    (void)new_entry;
    return FAIL(ctx, CANCELLED, "enough");
}

static void diff_stops_when_told(void **state)
{
    Fixture *fx = *state;
    Hash zero = { { 0 } };
    random_fill(fx, &fx->a, 30, 1000, 10);
    Hash root = build(fx, &fx->a);
    Status s =
        tree_diff(&fx->ctx, &fx->blobs.io, &zero, &root, STR(""), STR(""), stop_at_once, NULL);
    assert_int_equal(s.code, STATUS_CANCELLED);
}

/* --- merge ----------------------------------------------------------------------------------- */

/* Takes theirs when the path's size is even; counts. */
static Status decide(void *arg, Ctx *ctx, const TreeEntry *base, const TreeEntry *ours,
                     const TreeEntry *theirs, TreeTake *out_take)
{
    (void)ctx;
    assert_false(entries_equal(base, ours) || entries_equal(base, theirs) ||
                 entries_equal(ours, theirs));
    const TreeEntry *any = ours ? ours : theirs;
    *out_take = any->path.size % 2 ? TREE_TAKE_OURS : TREE_TAKE_THEIRS;
    ++*(size_t *)arg;
    return OK;
}

/* The same by the models: a is the base, b ours and the result, c theirs. */
static size_t merge_key(Fixture *fx, Str path, Str tag)
{
    const TreeEntry *base = model_get(&fx->a, path, tag), *ours = model_get(&fx->b, path, tag);
    const TreeEntry *theirs = model_get(&fx->c, path, tag);
    bool is_conflict =
        !entries_equal(base, ours) && !entries_equal(base, theirs) && !entries_equal(ours, theirs);
    bool take_theirs = is_conflict ? path.size % 2 == 0 : entries_equal(base, ours);
    if (take_theirs && theirs)
        model_set(&fx->b, theirs);
    else if (take_theirs)
        model_remove(&fx->b, path, tag);
    return is_conflict;
}

static size_t merge_models(Fixture *fx)
{
    size_t conflicts = 0;
    for (size_t i = 0; i < fx->a.count; i++)
        conflicts += merge_key(fx, fx->a.entries[i].path, fx->a.entries[i].tag);
    for (size_t i = 0; i < fx->c.count; i++) {
        if (!model_get(&fx->a, fx->c.entries[i].path, fx->c.entries[i].tag))
            conflicts += merge_key(fx, fx->c.entries[i].path, fx->c.entries[i].tag);
    }
    return conflicts;
}

static void change(Fixture *fx, Model *model, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        TreeEntry entry = random_entry(fx, 3000, TREE_PUT, 40);
        if (below(fx, 3))
            model_set(model, &entry);
        else
            model_remove(model, entry.path, entry.tag);
    }
}

static void merge_like_the_model(void **state)
{
    Fixture *fx = *state;
    size_t all_conflicts = 0;
    for (int round = 0; round < 30; round++) {
        fx->a.count = 0;
        random_fill(fx, &fx->a, 2500, 3000, 40);
        model_copy(&fx->b, &fx->a);
        model_copy(&fx->c, &fx->a);
        change(fx, &fx->b, 1 + below(fx, 300));
        change(fx, &fx->c, 1 + below(fx, 300));
        Hash base = build(fx, &fx->a), ours = build(fx, &fx->b), theirs = build(fx, &fx->c), merged;
        size_t conflicts = 0;
        uint64_t changes;
        assert_ok(tree_merge3(&fx->ctx, &fx->blobs.io, &base, &ours, &theirs, decide, &conflicts,
                              &merged, &changes));
        assert_int_equal(conflicts, merge_models(fx));
        assert_tree_is(fx, &merged, &fx->b);
        all_conflicts += conflicts;
    }
    assert_true(all_conflicts > 30);
}

/* When one side has not changed, the other is the result. */
static void merge_fast_forward(void **state)
{
    Fixture *fx = *state;
    random_fill(fx, &fx->a, 2500, 3000, 40);
    model_copy(&fx->b, &fx->a);
    change(fx, &fx->b, 20);
    Hash base = build(fx, &fx->a), changed = build(fx, &fx->b), merged;
    size_t conflicts = 0;
    uint64_t changes;
    assert_ok(tree_merge3(&fx->ctx, &fx->blobs.io, &base, &base, &changed, decide, &conflicts,
                          &merged, &changes));
    assert_same_hash(&merged, &changed);
    assert_true(changes > 0);
    assert_ok(tree_merge3(&fx->ctx, &fx->blobs.io, &base, &changed, &base, decide, &conflicts,
                          &merged, &changes));
    assert_same_hash(&merged, &changed);
    assert_int_equal(changes, 0);
    assert_ok(tree_merge3(&fx->ctx, &fx->blobs.io, &base, &changed, &changed, decide, &conflicts,
                          &merged, &changes));
    assert_same_hash(&merged, &changed);
    assert_int_equal(changes, 0);
    assert_int_equal(conflicts, 0);
}

/* --- visit ----------------------------------------------------------------------------------- */

typedef struct Visited {
    size_t nodes, blobs;
    Hash last;
    bool descend;
} Visited;

static Status count_visit(void *arg, Ctx *ctx, const Hash *blob, bool is_node, bool *out_descend)
{
    (void)ctx;
    Visited *visited = arg;
    assert_true(*out_descend);
    *out_descend = visited->descend;
    visited->nodes += is_node;
    visited->blobs += !is_node;
    visited->last = *blob;
    return OK;
}

static void add_file(Fixture *fx, const char *path, TreeForm form, Bytes data)
{
    TreeEntry entry = {
        str(path), STR("default"), {TREE_PUT, form, 100, hash_of(str_bytes(str(path))), data}
    };
    model_set(&fx->a, &entry);
}

static void visit_names_every_blob(void **state)
{
    Fixture *fx = *state;
    CLEANUP(buf_done) Buf list = { 0 };
    TreeChunk chunks[3] = {
        { hash_of(str_bytes(STR("1"))), 10 },
        { hash_of(str_bytes(STR("2"))), 20 },
        { hash_of(str_bytes(STR("3"))), 30 }
    };
    for (size_t i = 0; i < ARRAY_LEN(chunks); i++)
        tree_list_add(&list, &chunks[i]);
    Hash list_blob;
    assert_ok(fx->blobs.io.put(&fx->blobs, &fx->ctx, buf_bytes(&list), &list_blob));
    add_file(fx, "/blob", TREE_BLOB, bytes("", 0));
    add_file(fx, "/list", TREE_LIST, buf_bytes(&list));
    add_file(fx, "/list-blob", TREE_LIST_BLOB, bytes(list_blob.bytes, HASH_SIZE));
    Hash list_blobs[2] = { list_blob, list_blob };
    add_file(fx, "/list-blobs", TREE_LIST_BLOB, bytes(list_blobs, sizeof(list_blobs)));
    Hash root = build(fx, &fx->a);

    Visited visited = { .descend = true };
    assert_ok(tree_visit(&fx->ctx, &fx->blobs.io, &root, count_visit, &visited));
    assert_int_equal(visited.nodes, 1);
    assert_int_equal(visited.blobs, 1 + 3 + (1 + 3) + 2 * (1 + 3));
    assert_same_hash(&visited.last, &chunks[2].hash);

    visited = (Visited){ .descend = false };
    assert_ok(tree_visit(&fx->ctx, &fx->blobs.io, &root, count_visit, &visited));
    assert_int_equal(visited.nodes, 1);
    assert_int_equal(visited.blobs, 0);

    Hash zero = { { 0 } };
    visited = (Visited){ .descend = true };
    assert_ok(tree_visit(&fx->ctx, &fx->blobs.io, &zero, count_visit, &visited));
    assert_int_equal(visited.nodes, 0);
}

static void visit_names_every_node(void **state)
{
    Fixture *fx = *state;
    random_fill(fx, &fx->a, 20 * 1000, 1000 * 1000, 100);
    Hash root = build(fx, &fx->a);
    Visited visited = { .descend = true };
    assert_ok(tree_visit(&fx->ctx, &fx->blobs.io, &root, count_visit, &visited));
    assert_int_equal(visited.nodes, fx->blobs.count); /* nothing else was put */
    assert_true(visited.nodes > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(diff_like_the_model),     TREE_TEST(diff_of_nothing),
        TREE_TEST(diff_reads_what_changed), TREE_TEST(diff_stops_when_told),
        TREE_TEST(merge_like_the_model),    TREE_TEST(merge_fast_forward),
        TREE_TEST(visit_names_every_blob),  TREE_TEST(visit_names_every_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
