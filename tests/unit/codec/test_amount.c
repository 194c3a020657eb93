/* Sizes as text: triggers', Kubernetes', and those of tables. */
#include "one_ctx.h"

#include "codec/amount.h"

static void sizes_of_triggers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } cases[] = {
        { "0", 0 },
        { "1", 1 },
        { "1.5", 1 },
        { ".5k", 500 },
        { "1e3", 1000 },
        { "+1", 1 },
        { "1b", 1 },
        { "1B", 1 },
        { "1K", 1000 },
        { "1kb", 1000 },
        { "1KiB", 1000 },
        { "2 MB", 2000000 },
        { "1.5G", 1500000000 },
        { "1t", 1000000000000 },
        { "1P", 1000000000000000 },
        { "1 ", 1 },
        { "9e30", INT64_MAX },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t bytes;
        say_case("%s", cases[i].text);
        assert_ok(size_parse(&ctx, str(cases[i].text), &bytes));
        assert_int_equal(bytes, cases[i].bytes);
    }
    static const struct {
        const char *text, *message;
    } bad[] = {
        { "", "invalid size: ''" },
        { "xx", "invalid size: 'xx'" },
        { "-1", "invalid size: '-1'" },
        { "1Ki", "invalid suffix: 'ki'" },
        { "1i", "invalid suffix: 'i'" },
        { "1E", "invalid suffix: 'e'" },
        { "1kbs", "invalid suffix: 'kbs'" },
        { "1bb", "invalid suffix: 'bb'" },
        { "1KiBs", "invalid suffix: 'KiBs'" },
        { "1e400k", "strconv.ParseFloat: parsing \"1e400\": value out of range" },
        { " 1", "strconv.ParseFloat: parsing \" 1\": invalid syntax" },
        { "1  k", "strconv.ParseFloat: parsing \"1 \": invalid syntax" },
        { "a1", "strconv.ParseFloat: parsing \"a1\": invalid syntax" },
        { "1.2.3", "strconv.ParseFloat: parsing \"1.2.3\": invalid syntax" },
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t bytes;
        say_case("%s", bad[i].text);
        Status s = size_parse(&ctx, str(bad[i].text), &bytes);
        assert_int_equal(s.code, STATUS_UNKNOWN);
        assert_string_equal(status_message(s), bad[i].message);
    }
}

static void quantities_of_kubernetes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t whole, milli;
    } cases[] = {
        { "1", 1, 1000 },
        { "500m", 1, 500 },
        { "0.5", 1, 500 },
        { "1k", 1000, 1000000 },
        { "100M", 100000000, 100000000000 },
        { "1Gi", 1073741824, 1073741824000 },
        { "0.5Ki", 512, 512000 },
        { "1e3", 1000, 1000000 },
        { "1E", 1000000000000000000, INT64_MAX },
        { "16Ei", INT64_MAX, INT64_MAX },
        { "-1", -1, -1000 },
        { "1n", 1, 1 },
        { "0", 0, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t value;
        say_case("%s", cases[i].text);
        assert_ok(quantity_parse(&ctx, str(cases[i].text), &value));
        assert_int_equal(value, cases[i].whole);
        assert_ok(quantity_parse_milli(&ctx, str(cases[i].text), &value));
        assert_int_equal(value, cases[i].milli);
    }
    static const char *const bad[] = { "", "Gi", "1KB", "1 Gi", "x", "1gi", "1.2.3", "1Zi" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t value;
        assert_fails(quantity_parse(&ctx, str(bad[i]), &value), INVALID_ARGUMENT,
                     "invalid quantity '");
    }
}

static void sizes_of_tables(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        { 0, "0B" },
        { 1023, "1023B" },
        { 1024, "1KiB" },
        { 1536, "1.5KiB" },
        { 1572864, "1.5MiB" },
        { UINT64_C(13260711608), "12.35GiB" },
        { UINT64_MAX, "16EiB" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[AMOUNT_TEXT_SIZE];
        size_format(cases[i].bytes, text);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_of_triggers),
        cmocka_unit_test(quantities_of_kubernetes),
        cmocka_unit_test(sizes_of_tables),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
