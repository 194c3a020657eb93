/* Schedules: what parses, what does not and with which text, and when the next time is. */
#include "one_ctx.h"

#include "codec/cron.h"
#include "codec/moment.h"

static Cron parsed(const char *spec)
{
    Cron cron;
    assert_ok(cron_parse(&ctx, str(spec), &cron));
    return cron;
}

static void next_times(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *after, *next; /* next NULL: none */
    } cases[] = {
        { "* * * * *", "2024-05-01T10:00:00Z", "2024-05-01T10:01:00Z" },
        { "* * * * *", "2024-05-01T10:00:59.999Z", "2024-05-01T10:01:00Z" },
        { "*/15 * * * *", "2024-05-01T10:14:00Z", "2024-05-01T10:15:00Z" },
        { "*/15 * * * *", "2024-05-01T10:45:00Z", "2024-05-01T11:00:00Z" },
        { "5/20 * * * *", "2024-05-01T10:25:00Z", "2024-05-01T10:45:00Z" },
        { "10-30/10,50 * * * *", "2024-05-01T10:30:00Z", "2024-05-01T10:50:00Z" },
        { "0 9-17 * * mon-fri", "2024-05-03T17:00:00Z", "2024-05-06T09:00:00Z" },
        { "30 8 * JAN,Dec ?", "2024-02-01T00:00:00Z", "2024-12-01T08:30:00Z" },
        { "0 0 29 2 *", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z" },
        { "0 0 30 2 *", "2024-01-01T00:00:00Z", NULL },
        { "0 0 13 * fri", "2024-05-01T00:00:00Z", "2024-05-03T00:00:00Z" }, /* either day */
        { "0 0 13 * fri", "2024-05-10T00:00:00Z", "2024-05-13T00:00:00Z" },
        { "0 0 */2 * fri", "2024-05-01T00:00:00Z", "2024-05-03T00:00:00Z" }, /* a star: both */
        { "0 0 */2 * fri", "2024-05-03T00:00:00Z", "2024-05-17T00:00:00Z" },
        { "0 0 1 1 *", "2024-12-31T23:59:59Z", "2025-01-01T00:00:00Z" },
        { "59 23 31 12 *", "2024-12-31T23:59:00Z", "2025-12-31T23:59:00Z" },
        { "0 0 * * 0", "2024-05-01T00:00:00Z", "2024-05-05T00:00:00Z" },
        { "@yearly", "2024-05-01T00:00:00Z", "2025-01-01T00:00:00Z" },
        { "@annually", "2024-05-01T00:00:00Z", "2025-01-01T00:00:00Z" },
        { "@monthly", "2024-05-01T00:00:00Z", "2024-06-01T00:00:00Z" },
        { "@weekly", "2024-05-01T00:00:00Z", "2024-05-05T00:00:00Z" },
        { "@daily", "2024-05-01T00:00:00Z", "2024-05-02T00:00:00Z" },
        { "@midnight", "2024-05-01T10:00:00Z", "2024-05-02T00:00:00Z" },
        { "@hourly", "2024-05-01T10:00:00Z", "2024-05-01T11:00:00Z" },
        { "@every 90s", "2024-05-01T10:00:00.750Z", "2024-05-01T10:01:30Z" },
        { "@every 1h2m3s", "2024-05-01T10:00:00Z", "2024-05-01T11:02:03Z" },
        { "@every 1.9s", "2024-05-01T10:00:00Z", "2024-05-01T10:00:01Z" },
        { "@every 1ms", "2024-05-01T10:00:00Z", "2024-05-01T10:00:01Z" },
        { "@every -5s", "2024-05-01T10:00:00Z", "2024-05-01T10:00:01Z" },
        { " @never ", "2024-05-01T10:00:00Z", NULL },
        { "* * * * *", "1969-12-31T23:58:30Z", "1969-12-31T23:59:00Z" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s after %s", cases[i].spec, cases[i].after);
        Cron cron = parsed(cases[i].spec);
        int64_t after, next;
        assert_true(moment_parse_ns(str(cases[i].after), &after));
        assert_int_equal(cron_next(&cron, after, &next), cases[i].next != NULL);
        char text[MOMENT_TEXT_SIZE];
        if (cases[i].next)
            moment_format_ns(next, text);
        assert_true(!cases[i].next || strcmp(text, cases[i].next) == 0);
    }
}

static void refuses_with_the_known_texts(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *message;
    } cases[] = {
        { "", "Empty spec string" },
        { "* * * *", "Expected exactly 5 fields, found 4: * * * *" },
        { "0 0 * * * *", "Expected exactly 5 fields, found 6: 0 0 * * * *" },
        { "@reboot", "Unrecognized descriptor: @reboot" },
        { "@every 5x",
          "Failed to parse duration @every 5x: time: unknown unit \"x\" in duration \"5x\"" },
        { "@every ", "Failed to parse duration @every : time: invalid duration \"\"" },
        { "60 * * * *", "End of range (60) above maximum (59): 60" },
        { "* 24 * * *", "End of range (24) above maximum (23): 24" },
        { "* * 0 * *", "Beginning of range (0) below minimum (1): 0" },
        { "* * * 13 *", "End of range (13) above maximum (12): 13" },
        { "* * * * 7", "End of range (7) above maximum (6): 7" },
        { "5-3 * * * *", "Beginning of range (5) beyond end of range (3): 5-3" },
        { "*/0 * * * *", "Step of range should be a positive number: */0" },
        { "1-2-3 * * * *", "Too many hyphens: 1-2-3" },
        { "1/2/3 * * * *", "Too many slashes: 1/2/3" },
        { "x * * * *", "Failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax" },
        { "1,x- * * * *",
          "Failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax" },
        { "*/x * * * *",
          "Failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax" },
        { "*/-1 * * * *", "Negative number (-1) not allowed: -1" },
        { "-1 * * * *", "Failed to parse int from : strconv.Atoi: parsing \"\": invalid syntax" },
        { "1-+99999999999999999999 * * * *",
          "Failed to parse int from +99999999999999999999: strconv.Atoi: parsing "
          "\"+99999999999999999999\": value out of range" },
        { "9223372036854775807 * * * *",
          "End of range (9223372036854775807) above maximum (59): 9223372036854775807" },
        { "* * * june *", "Failed to parse int from june" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Cron cron;
        say_case("%s", cases[i].spec);
        Status s = cron_parse(&ctx, str(cases[i].spec), &cron);
        assert_int_equal(s.code, STATUS_UNKNOWN);
        if (!strstr(status_message(s), cases[i].message))
            fail_msg("'%s' is not '%s'", status_message(s), cases[i].message);
    }
}

/* The plainest way to find the next time: try every minute. */
static bool matches_minute(const Cron *cron, int64_t seconds)
{
    CivilTime t = civil_from_seconds(seconds);
    bool day = cron->days >> t.day & 1, weekday = cron->weekdays >> t.weekday & 1;
    bool either = !cron->day_is_star && !cron->weekday_is_star;
    return cron->minutes >> t.minute & 1 && cron->hours >> t.hour & 1 &&
           cron->months >> t.month & 1 && (either ? day || weekday : day && weekday);
}

static void agrees_with_trying_every_minute(void **state)
{
    (void)state;
    static const char *const specs[] = { "*/7 3,9-11 * * *", "1 1 1,31 * *", "0 */6 10-12 * wed",
                                         "13 5 * feb,mar sat", "? ? ? ? ?" };
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        Cron cron = parsed(specs[i]);
        int64_t at = 1709200000; /* 2024-02-29 */
        for (int64_t end = at + 120 * 86400; at < end;) {
            int64_t next;
            assert_true(cron_next(&cron, at * NS_PER_SEC, &next));
            for (at = at / 60 * 60 + 60; !matches_minute(&cron, at); at += 60)
                ;
            assert_int_equal(next, at * NS_PER_SEC);
            at += (int64_t)i * 4000;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_times),
        cmocka_unit_test(refuses_with_the_known_texts),
        cmocka_unit_test(agrees_with_trying_every_minute),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
