/* test_sort.c - sorting gives every path once, in order, the first of it; in memory and beyond. */
#include "pps/plan_priv.h"

#include "base/fault.h"
#include "testing.h"
#include "unit/tree/tree_model.h"

static const struct {
    const char *label;
    size_t memory_bytes, entries;
} cases[] = {
    { "nothing", MiB, 0 },
    { "all in memory", MiB, 500 },
    { "one run and a rest", 40 * KiB, 500 },
    { "a run for each", 1, 70 },
    { "many runs", 4 * KiB, 3000 },
};

static void entries_come_in_order_each_once(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        CLEANUP(ctx_done) Ctx ctx;
        ctx_init(&ctx);
        Model model;
        model_init(&model);
        CLEANUP(sorter_freep) Sorter *sorter = sorter_new(NULL, cases[i].memory_bytes);
        uint64_t seed = 3;
        for (size_t k = 0; k < cases[i].entries; k++) {
            Str path = str(text_printf(ctx.arena, "/%03u", (unsigned)(next_rand(&seed) % 1000)));
            TreeEntry entry = { path, STR(""),
                                model_record(TREE_PUT, str(text_printf(ctx.arena, "%zu", k))) };
            assert_ok(sorter_add(&ctx, sorter, path, &entry.record));
            if (!model_get(&model, path, STR("")))
                model_set(&model, &entry);
        }
        assert_ok(sorter_start(&ctx, sorter));
        for (size_t k = 0; k < model.count; k++) {
            assert_true(entries_equal(sorter_entry(sorter), &model.entries[k]));
            assert_ok(sorter_next(&ctx, sorter));
        }
        assert_null(sorter_entry(sorter));
        model_done(&model);
    }
}

/* A large record among small ones: more than a window of the file. */
static void entries_of_any_size_come_back_whole(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    CLEANUP(sorter_freep) Sorter *sorter = sorter_new(NULL, 1);
    for (int i = 9; i >= 0; i--) {
        size_t size = i % 3 ? (size_t)i : 100 * KiB + (size_t)i;
        char *text = arena_must(ctx.arena, size + 1);
        memset(text, 'a' + i, size);
        TreeRecord record = model_record(TREE_PUT, (Str){ text, size });
        assert_ok(sorter_add(&ctx, sorter, str(text_printf(ctx.arena, "/%d", i)), &record));
    }
    assert_ok(sorter_start(&ctx, sorter));
    for (int i = 0; i < 10; i++) {
        const TreeEntry *entry = sorter_entry(sorter);
        assert_true(str_eq_c(entry->path, text_printf(ctx.arena, "/%d", i)));
        assert_int_equal(entry->record.data.size, entry->record.size);
        for (size_t k = 0; k < entry->record.data.size; k++)
            assert_int_equal(entry->record.data.data[k], 'a' + i);
        assert_ok(sorter_next(&ctx, sorter));
    }
    assert_null(sorter_entry(sorter));
}

static Status sort_some(Ctx *ctx, const char *dir, size_t *out_n)
{
    CLEANUP(sorter_freep) Sorter *sorter = sorter_new(dir, 600);
    for (unsigned i = 0; i < 30; i++) {
        char path[8];
        int size = snprintf(path, sizeof(path), "/%02u", i * 7 % 30);
        TreeRecord record = { .form = TREE_INLINE };
        TRY(sorter_add(ctx, sorter, (Str){ path, (size_t)size }, &record));
    }
    TRY(sorter_start(ctx, sorter));
    for (*out_n = 0; sorter_entry(sorter); ++*out_n)
        TRY(sorter_next(ctx, sorter));
    return OK;
}

static void faults_of_the_file_are_told(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    size_t n;
    assert_fails(sort_some(&ctx, "/nowhere/at/all", &n), NOT_FOUND,
                 "temporary file in '/nowhere/at/all'");
    FAULT_SWEEP (fs, FAULT_IO) {
        Status status = sort_some(&ctx, NULL, &n);
        assert_true(status_ok(status) ? n == 30 : fs.fired > 0 || fault_sweep_stop(&fs) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_in_order_each_once),
        cmocka_unit_test(entries_of_any_size_come_back_whole),
        cmocka_unit_test(faults_of_the_file_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
