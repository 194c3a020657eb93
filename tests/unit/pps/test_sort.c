/* test_sort.c - sorting gives every path once, in order, the first of it; in memory and beyond. */
#include "pps/plan_priv.h"

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
        print_message("# %s\n", cases[i].label);
        CLEANUP(ctx_done) Ctx ctx;
        ctx_init(&ctx);
        MemBlobs blobs;
        Model model;
        mem_blobs_init(&blobs);
        model_init(&model);
        CLEANUP(sorter_freep) Sorter *sorter = sorter_new(&blobs.io, cases[i].memory_bytes);
        uint64_t seed = 3;
        for (size_t k = 0; k < cases[i].entries; k++) {
            Str path = str(text_printf(ctx.arena, "/%03u", (unsigned)(next_rand(&seed) % 1000)));
            TreeEntry entry = { path, STR(""), model_record(TREE_PUT, str(text_printf(ctx.arena, "%zu", k))) };
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
        mem_blobs_done(&blobs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(entries_come_in_order_each_once) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
