/* Times and durations as text, both ways. */
#include "one_ctx.h"

#include <time.h>

#include "codec/moment.h"

static void reads_and_writes_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
        int64_t seconds;
        int32_t nanos;
    } cases[] = {
        { "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", 0, 0 },
        { "2024-02-29T12:34:56Z", "2024-02-29T12:34:56Z", 1709210096, 0 },
        { "2024-02-29T12:34:56.5z", "2024-02-29T12:34:56.500Z", 1709210096, 500000000 },
        { "2024-02-29t12:34:56.000001Z", "2024-02-29T12:34:56.000001Z", 1709210096, 1000 },
        { "2024-02-29T12:34:56.123456789Z", "2024-02-29T12:34:56.123456789Z", 1709210096,
          123456789 },
        { "2024-02-29T14:34:56+02:00", "2024-02-29T12:34:56Z", 1709210096, 0 },
        { "2024-02-29T05:04:56-07:30", "2024-02-29T12:34:56Z", 1709210096, 0 },
        { "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", MOMENT_SECONDS_MIN, 0 },
        { "9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z", MOMENT_SECONDS_MAX,
          999999999 },
        { "1969-12-31T23:59:59.25Z", "1969-12-31T23:59:59.250Z", -1, 250000000 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t seconds;
        int32_t nanos;
        char text[MOMENT_TEXT_SIZE];
        say_case("%s", cases[i].in);
        assert_true(moment_parse(str(cases[i].in), &seconds, &nanos));
        assert_int_equal(seconds, cases[i].seconds);
        assert_int_equal(nanos, cases[i].nanos);
        assert_true(moment_format(seconds, nanos, text));
        assert_string_equal(text, cases[i].out);
    }
}

static void refuses_what_is_no_time(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "2024-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:60Z",
        "2024-01-01 00:00:00Z",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00.1234567890Z",
        "2024-01-01T00:00:00+2:00",
        "0000-01-01T00:00:00Z",
        "2024-01-01T00:00:00Zx",
        "0001-01-01T00:00:00+01:00",
        "2024-1-01T00:00:00Z",
        "20240101T000000Z",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        int64_t seconds;
        int32_t nanos;
        say_case("%s", texts[i]);
        assert_false(moment_parse(str(texts[i]), &seconds, &nanos));
    }
    int64_t ns;
    assert_false(moment_parse_ns(STR("9999-01-01T00:00:00Z"), &ns));
    char text[MOMENT_TEXT_SIZE];
    assert_false(moment_format(MOMENT_SECONDS_MAX + 1, 0, text));
    assert_false(moment_format(0, -1, text));
    moment_format_seconds(1709210096999999999, text);
    assert_string_equal(text, "2024-02-29T12:34:56Z");
    moment_format_go(1709210096999999999, text);
    assert_string_equal(text, "2024-02-29 12:34:56.999999999 +0000 UTC");
    moment_format_go(1709210096050000000, text);
    assert_string_equal(text, "2024-02-29 12:34:56.05 +0000 UTC");
    moment_format_go(1709210096000000000, text);
    assert_string_equal(text, "2024-02-29 12:34:56 +0000 UTC");
}

static void the_calendar_agrees_with_libc(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (int round = 0; round < 20000; round++) {
        int64_t seconds = (int64_t)(next_rand(&seed) % 400000000000) - 100000000000;
        CivilTime c = civil_from_seconds(seconds);
        struct tm tm;
        time_t t = seconds;
        assert_non_null(gmtime_r(&t, &tm));
        assert_int_equal(c.year, tm.tm_year + 1900);
        assert_int_equal(c.month, tm.tm_mon + 1);
        assert_int_equal(c.day, tm.tm_mday);
        assert_int_equal(c.hour * 3600 + c.minute * 60 + c.second,
                         tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec);
        assert_int_equal(c.weekday, tm.tm_wday);
        assert_int_equal(civil_to_seconds(&c), seconds);
    }
}

static void durations_are_go_s(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
        int64_t ns;
    } cases[] = {
        { "0", "0s", 0 },
        { "-0", "0s", 0 },
        { "1s", "1s", NS_PER_SEC },
        { "1h2m3.5s", "1h2m3.5s", 3723500000000 },
        { "-1.5h", "-1h30m0s", -5400 * NS_PER_SEC },
        { "+90s", "1m30s", 90 * NS_PER_SEC },
        { "300ms", "300ms", 300 * NS_PER_MS },
        { "1.5us", "1.5µs", 1500 },
        { "2µs", "2µs", 2000 },
        { "2μs", "2µs", 2000 },
        { "100ns", "100ns", 100 },
        { ".3s", "300ms", 300 * NS_PER_MS },
        { "1.s", "1s", NS_PER_SEC },
        { "1s1s", "2s", 2 * NS_PER_SEC },
        { "0.000000001s", "1ns", 1 },
        { "2562047h47m16.854775807s", "2562047h47m16.854775807s", INT64_MAX },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ns;
        char text[DURATION_TEXT_SIZE];
        say_case("%s", cases[i].in);
        assert_ok(duration_parse(&ctx, str(cases[i].in), &ns));
        assert_int_equal(ns, cases[i].ns);
        duration_format(ns, text);
        assert_string_equal(text, cases[i].out);
    }
    static const struct {
        const char *in, *message;
    } bad[] = {
        { "", "time: invalid duration \"\"" },
        { "-", "time: invalid duration \"-\"" },
        { "3", "time: missing unit in duration \"3\"" },
        { "1h0", "time: missing unit in duration \"1h0\"" },
        { "1d", "time: unknown unit \"d\" in duration \"1d\"" },
        { "s", "time: invalid duration \"s\"" },
        { ".s", "time: invalid duration \".s\"" },
        { "1 s", "time: unknown unit \" s\" in duration \"1 s\"" },
        { "9999999999h", "time: invalid duration" },
        { "99999999999999999999s", "time: invalid duration" },
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t ns;
        say_case("%s", bad[i].in);
        assert_fails(duration_parse(&ctx, str(bad[i].in), &ns), INVALID_ARGUMENT, bad[i].message);
    }
}

static void any_duration_reads_back(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (int round = 0; round < 5000; round++) {
        int64_t ns = (int64_t)(next_rand(&seed) >> (next_rand(&seed) % 63 + 1)), back;
        char text[DURATION_TEXT_SIZE];
        duration_format(round % 2 ? ns : -ns, text);
        assert_ok(duration_parse(&ctx, str(text), &back));
        assert_int_equal(back, round % 2 ? ns : -ns);
    }
    char text[DURATION_TEXT_SIZE];
    duration_format(INT64_MIN, text);
    assert_string_equal(text, "-2562047h47m16.854775808s");
}

static void people_read_words(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        { -5, "Less than a second" }, { 0, "Less than a second" }, { 1, "1 second" },
        { 59, "59 seconds" },         { 60, "About a minute" },    { 119, "About a minute" },
        { 120, "2 minutes" },         { 3599, "59 minutes" },      { 3600, "About an hour" },
        { 5399, "About an hour" },    { 5400, "2 hours" },         { 47 * 3600, "47 hours" },
        { 48 * 3600, "2 days" },      { 13 * 86400, "13 days" },   { 14 * 86400, "2 weeks" },
        { 59 * 86400, "8 weeks" },    { 60 * 86400, "2 months" },  { 729 * 86400, "24 months" },
        { 730 * 86400, "2 years" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[DURATION_TEXT_SIZE];
        say_case("%lld", (long long)cases[i].seconds);
        duration_format_human(cases[i].seconds * NS_PER_SEC, text);
        assert_string_equal(text, cases[i].text);
    }
    char text[MOMENT_TEXT_SIZE];
    moment_format_ago(100 * NS_PER_SEC, 220 * NS_PER_SEC, text);
    assert_string_equal(text, "2 minutes ago");
    moment_format_ago(0, 220 * NS_PER_SEC, text);
    assert_string_equal(text, "-");
    moment_format_ago(INT64_MIN, INT64_MAX, text);
    assert_string_equal(text, "292 years ago");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes_rfc_3339),     cmocka_unit_test(refuses_what_is_no_time),
        cmocka_unit_test(the_calendar_agrees_with_libc), cmocka_unit_test(durations_are_go_s),
        cmocka_unit_test(any_duration_reads_back),       cmocka_unit_test(people_read_words),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
