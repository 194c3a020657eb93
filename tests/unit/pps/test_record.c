/* test_record.c - datum records survive their encoding and their trees; damaged ones are told. */
#include "pps/record.h"

#include "testing.h"
#include "unit/tree/tree_model.h"

static char project[] = "default", name[] = "in", repo[] = "images", type[] = "user", branch[] = "master",
            commit[] = "4f2a";

static PpsV2__PFSInput *source_new(Ctx *ctx, bool lazy)
{
    PpsV2__PFSInput *from = ARENA_ONE(ctx->arena, PpsV2__PFSInput);
    pps_v2__pfsinput__init(from);
    from->project = project;
    from->name = name;
    from->repo = repo;
    from->repo_type = type;
    from->branch = branch;
    from->commit = commit;
    from->lazy = lazy;
    return from;
}

/* A record with n inputs from two sources. */
static DatumRecord record_new(Ctx *ctx, size_t n)
{
    const PpsV2__PFSInput *sources[] = { source_new(ctx, false), source_new(ctx, true) };
    DatumInput *inputs = arena_must(ctx->arena, (n + 1) * sizeof(*inputs));
    const DatumInput **pointers = arena_must(ctx->arena, (n + 1) * sizeof(*pointers));
    for (size_t i = 0; i < n; i++) {
        Str path = str(text_printf(ctx->arena, "/dir/%zu%s", i, i % 3 ? "" : "/"));
        inputs[i] = (DatumInput){ .from = sources[i % 2], .path = path, .is_dir = i % 3 == 0, .size = i << 20,
                                  .hash = hash_of(str_bytes(path)), .join_on = STR("k"), .group_by = STR("") };
        pointers[i] = &inputs[i];
    }
    return (DatumRecord){
        .head = { .state = RECORD_RECOVERED, .reused = true, .datum_hash = hash_of(str_bytes(STR("h"))),
                  .key = hash_of(str_bytes(STR("k"))), .output_root = hash_of(str_bytes(STR("o"))) },
        .datum = { .id = hash_of(str_bytes(STR("id"))), .index = 300, .input_count = n, .inputs = pointers },
        .output_bytes = 1u << 31,
        .stats = { 1, 2, INT64_MAX, 4, UINT64_MAX },
        .run_job = "default/p@4f2a",
        .reason = "exit status 1",
        .image_id = "sha256:1",
    };
}

static void assert_same_input(const DatumInput *a, const DatumInput *b)
{
    assert_string_equal(a->from->name, b->from->name);
    assert_string_equal(a->from->project, b->from->project);
    assert_string_equal(a->from->repo_type, b->from->repo_type);
    assert_string_equal(a->from->branch, b->from->branch);
    assert_string_equal(a->from->commit, b->from->commit);
    assert_int_equal(a->from->lazy, b->from->lazy);
    assert_true(str_eq(a->path, b->path));
    assert_int_equal(a->is_dir, b->is_dir);
    assert_int_equal(a->size, b->size);
    assert_true(hash_eq(&a->hash, &b->hash));
    assert_true(str_eq(a->join_on, b->join_on));
    assert_true(str_eq(a->group_by, b->group_by));
}

static void assert_same_record(const DatumRecord *a, const DatumRecord *b)
{
    assert_int_equal(a->head.state, b->head.state);
    assert_int_equal(a->head.reused, b->head.reused);
    assert_true(hash_eq(&a->head.datum_hash, &b->head.datum_hash));
    assert_true(hash_eq(&a->head.key, &b->head.key));
    assert_true(hash_eq(&a->head.output_root, &b->head.output_root));
    assert_true(hash_eq(&a->datum.id, &b->datum.id));
    assert_int_equal(a->datum.index, b->datum.index);
    assert_int_equal(a->datum.input_count, b->datum.input_count);
    for (size_t i = 0; i < a->datum.input_count; i++)
        assert_same_input(a->datum.inputs[i], b->datum.inputs[i]);
    assert_int_equal(a->output_bytes, b->output_bytes);
    assert_memory_equal(&a->stats, &b->stats, sizeof(a->stats));
    assert_string_equal(a->run_job, b->run_job);
    assert_string_equal(a->reason, b->reason);
    assert_string_equal(a->image_id, b->image_id);
}

static void records_survive_their_encoding(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    static const size_t input_counts[] = { 0, 1, 2, 7 };
    for (size_t i = 0; i < ARRAY_LEN(input_counts); i++) {
        DatumRecord record = record_new(&ctx, input_counts[i]), back;
        CLEANUP(buf_done) Buf encoded = { 0 };
        record_pack(&record, &encoded);
        assert_ok(record_unpack(&ctx, buf_bytes(&encoded), &back));
        assert_same_record(&record, &back);
        RecordHead head;
        assert_ok(record_unpack_head(&ctx, buf_bytes(&encoded), &head));
        assert_true(hash_eq(&head.key, &record.head.key));
    }
}

static void cut_and_changed_records_are_told(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    DatumRecord record = record_new(&ctx, 3), back;
    CLEANUP(buf_done) Buf encoded = { 0 };
    record_pack(&record, &encoded);
    for (size_t size = 0; size < encoded.size; size++)
        assert_fails(record_unpack(&ctx, bytes(encoded.data, size), &back), DATA_LOSS, "malformed");
    buf_add_u8(&encoded, 0);
    assert_fails(record_unpack(&ctx, buf_bytes(&encoded), &back), DATA_LOSS, "malformed");
    encoded.size--;
    encoded.data[0] = 2;
    assert_fails(record_unpack(&ctx, buf_bytes(&encoded), &back), DATA_LOSS, "malformed");
    encoded.data[0] = 1;
    encoded.data[1] = 4;
    assert_fails(record_unpack(&ctx, buf_bytes(&encoded), &back), DATA_LOSS, "malformed");
}

/* A group of very many files does not fit into a tree's entry, nor into one blob. */
static void large_records_go_to_blobs(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    static const struct {
        size_t inputs;
        TreeForm form;
    } cases[] = { { 1, TREE_INLINE }, { 100, TREE_BLOB }, { 90000, TREE_LIST } };
    MemBlobs blobs;
    mem_blobs_init(&blobs);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        DatumRecord record = record_new(&ctx, cases[i].inputs), back;
        TreeRecord stored;
        assert_ok(record_store(&ctx, &blobs.io, &record, &stored));
        assert_int_equal(stored.form, cases[i].form);
        assert_ok(record_load(&ctx, &blobs.io, &stored, &back));
        assert_same_record(&record, &back);
        RecordHead head;
        assert_ok(record_load_head(&ctx, &blobs.io, &stored, &head));
        assert_int_equal(head.state, RECORD_RECOVERED);
    }
    mem_blobs_done(&blobs);
}

static void paths_name_ids(void **state UNUSED)
{
    Hash id = hash_of(str_bytes(STR("x"))), back;
    char path[RECORD_PATH_SIZE], mark[RECORD_PATH_SIZE];
    assert_true(record_path_id(record_path(&id, path), &back));
    assert_true(hash_eq(&id, &back));
    assert_true(record_path_id(record_mark_path(&id, mark), &back));
    assert_true(hash_eq(&id, &back));
    assert_true(str_cmp(str(path), RECORD_MARKS) < 0);
    assert_true(str_cmp(str(mark), RECORD_MARKS) > 0);
    static const char *const bad[] = { "", "/", "/~", "/12", "x", "/~zz" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(record_path_id(str(bad[i]), &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_survive_their_encoding),
        cmocka_unit_test(cut_and_changed_records_are_told),
        cmocka_unit_test(large_records_go_to_blobs),
        cmocka_unit_test(paths_name_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
