/* Row lists: order is kept, each number is there once, also past the size where hashing begins. */
#include "pfs/ids.h"
#include "testing.h"

static void keeps_order_and_uniqueness(void **state)
{
    (void)state;
    Ids ids = { 0 };
    for (int64_t round = 0; round < 2; round++)
        for (int64_t id = 1; id <= 1000; id++)
            assert_int_equal(ids_add(&ids, id * 7), round == 0);
    assert_int_equal(ids.n, 1000);
    for (size_t i = 0; i < ids.n; i++)
        assert_int_equal(ids.items[i], (int64_t)(i + 1) * 7);
    assert_true(ids_has(&ids, 7));
    assert_false(ids_has(&ids, 8));
    ids_done(&ids);
}

static void clear_forgets_all(void **state)
{
    (void)state;
    Ids ids = { 0 };
    for (int64_t id = 1; id <= 20; id++)
        ids_add(&ids, id);
    ids_clear(&ids);
    assert_false(ids_has(&ids, 3));
    assert_true(ids_add(&ids, 3));
    assert_int_equal(ids.n, 1);
    ids_done(&ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_and_uniqueness),
        cmocka_unit_test(clear_forgets_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
