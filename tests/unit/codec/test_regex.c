/* Regular expressions: the syntax that clients know is understood, and nothing takes long. */
#include "one_ctx.h"

#include "codec/regex.h"

static void searches(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool found;
    } cases[] = {
        { "", "", true },
        { "", "/a", true },
        { "/", "/a", true },
        { "^/a$", "/a", true },
        { "^/a$", "/a\n", false },
        { "[ce]$", "/d/c", true },
        { "[ce]$", "/d/d", false },
        { "\\d{3}", "/img-042.png", true },
        { "^/\\w+$", "/some_name1", true },
        { "^/\\w+$", "/some-name", false },
        { "\\D", "123", false },
        { "(?i)\\.PNG$", "/a.png", true },
        { "a.*?b", "xaxxbxb", true },
        { "(?P<year>20\\d\\d)-\\d\\d", "/2024-05", true },
        { "^(a|b)+$", "abba", true },
        { "\\bfoo\\b", "/a foo b", true },
        { "[[:alpha:]]+", "123", false },
        { "\\x61", "a", true },
        { "a\\Q.*\\E", "a.*", true },
        { "é", "caf\xc3\xa9", true },
        { "b$",
          "\xff\xfe"
          "b",
          true },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(regex_freep) Regex *regex = NULL;
        bool found;
        say_case("%s", cases[i].pattern);
        assert_ok(regex_compile(&ctx, str(cases[i].pattern), &regex));
        assert_ok(regex_search(&ctx, regex, str(cases[i].text), &found));
        assert_int_equal(found, cases[i].found);
    }
}

static void bad_patterns(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "(", ")", "[a", "*a", "a{2,1}", "\\", "(?Xx)", "[z-a]", "\\C", "((a{1,999}){1,999}){1,999}"
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Regex *regex;
        say_case("%s", cases[i]);
        assert_fails(regex_compile(&ctx, str(cases[i]), &regex), UNKNOWN, "error parsing regexp: ");
    }
    char long_pattern[REGEX_PATTERN_BYTES_MAX + 1];
    memset(long_pattern, 'a', sizeof(long_pattern));
    Regex *regex;
    assert_fails(regex_compile(&ctx, (Str){ long_pattern, sizeof(long_pattern) }, &regex), UNKNOWN,
                 "error parsing regexp: ");
}

/* Backtracking that would take longer than the universe stands is given up. */
static void explosions_end(void **state)
{
    (void)state;
    CLEANUP(regex_freep) Regex *regex = NULL;
    char text[200];
    memset(text, 'a', sizeof(text));
    bool found;
    assert_ok(regex_compile(&ctx, STR("^(([a-z])+.)+[A-Z]([a-z])+$"), &regex));
    assert_fails(regex_search(&ctx, regex, (Str){ text, sizeof(text) }, &found), RESOURCE_EXHAUSTED,
                 "the regular expression takes too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches),
        cmocka_unit_test(bad_patterns),
        cmocka_unit_test(explosions_end),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
