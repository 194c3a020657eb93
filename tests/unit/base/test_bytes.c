/* test_bytes.c - views of text: parts of it, blanks off it, words out of it; numbers in it. */
#include "testing.h"

static void expect(Str s, const char *wanted)
{
    if (!str_eq_c(s, wanted))
        fail_msg("'%.*s' is not '%s'", (int)s.size, s.data ? s.data : "", wanted);
}

static void parts_are_clamped(void **state)
{
    (void)state;
    Str s = STR("hello");
    expect(str_sub(s, 1, 3), "el");
    expect(str_sub(s, 3, 100), "lo");
    expect(str_sub(s, 100, 200), "");
    expect(str_sub(s, 3, 1), "");
    expect(str_sub((Str){ 0 }, 0, 1), "");
}

static void places_are_found(void **state)
{
    (void)state;
    assert_int_equal(str_find(STR("a=b=c"), '='), 1);
    assert_int_equal(str_find(STR("abc"), '='), 3);
    assert_int_equal(str_find((Str){ 0 }, '='), 0);
    assert_int_equal(str_find_any(STR("ab;c,"), ",;"), 2);
    assert_int_equal(str_find_any(STR("a\0b"), ",;"), 3); /* NUL is a byte as any other */
    assert_true(str_starts(STR("abc"), STR("")) && str_starts(STR("abc"), STR("abc")));
    assert_false(str_starts(STR("ab"), STR("abc")));
    assert_true(str_ends(STR("abc"), STR("bc")));
    assert_false(str_ends(STR("bc"), STR("abc")));
}

static void ends_are_trimmed(void **state)
{
    (void)state;
    expect(str_trim(STR(" \ta b\t "), " \t"), "a b");
    expect(str_trim(STR("a"), " "), "a");
    expect(str_trim(STR("   "), " "), "");
    expect(str_trim((Str){ 0 }, " "), "");
    expect(str_trim(STR("//x//"), "/"), "x");
    assert_int_equal(str_trim(STR("\0a\0"), " ").size, 3); /* NUL is not of any set */
}

static void words_are_cut_off(void **state)
{
    (void)state;
    Str rest = STR("a,,b");
    expect(str_cut(&rest, ','), "a");
    expect(str_cut(&rest, ','), "");
    expect(str_cut(&rest, ','), "b");
    expect(rest, "");
    expect(str_cut(&rest, ','), "");
}

static void texts_have_an_order(void **state)
{
    (void)state;
    assert_true(str_cmp(STR("a"), STR("b")) < 0);
    assert_true(str_cmp(STR("a"), STR("aa")) < 0);
    assert_true(str_cmp(STR("\xff"), STR("a")) > 0); /* by bytes, which have no sign */
    assert_int_equal(str_cmp(STR("x"), STR("x")), 0);
}

static void numbers_are_read_whole(void **state)
{
    (void)state;
    int64_t n;
    assert_true(str_to_i64(STR("9223372036854775807"), &n) && n == INT64_MAX);
    assert_true(str_to_i64(STR("-9223372036854775808"), &n) && n == INT64_MIN);
    static const char *const bad[] = {
        "", "-", "1x", " 1", "9223372036854775808", "-9223372036854775809", "0x10"
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (str_to_i64(str(bad[i]), &n))
            fail_msg("'%s' is taken for a number", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_clamped),   cmocka_unit_test(places_are_found),
        cmocka_unit_test(ends_are_trimmed),    cmocka_unit_test(words_are_cut_off),
        cmocka_unit_test(texts_have_an_order), cmocka_unit_test(numbers_are_read_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
