/* Paths are cleaned lexically, and only those that clients may write are valid. */
#include "one_ctx.h"

#include "codec/path.h"

static void cleans(void **state)
{
    (void)state;
    static const struct {
        const char *path, *clean;
    } cases[] = {
        { "", "/" },           { ".", "/" },       { "/", "/" },       { "//", "/" },
        { "a", "/a" },         { "/a/", "/a" },    { "a//b", "/a/b" }, { "/a/./b/.", "/a/b" },
        { "/a/../b", "/b" },   { "../z", "/z" },   { "/..", "/" },     { "/a/b/../..", "/" },
        { "a/../../b", "/b" }, { "/...", "/..." }, { "/.a", "/.a" },   { "a b", "/a b" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].path);
        assert_string_equal(path_clean(&ctx, str(cases[i].path)).data, cases[i].clean);
    }
}

static void accepts_what_clients_may_write(void **state)
{
    (void)state;
    static const char *const paths[] = { "a",    "/a/b", "a/",  "a b", "~a",    "/",
                                         "a\\b", ".a",   "a.",  "..a", "...",   "a,b",
                                         "$x",   "x|y",  "#%&", "'\"", ":;<=>", "`-_" };
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        assert_ok(path_validate(&ctx, str(paths[i])));
}

static void refuses_with_the_known_texts(void **state)
{
    (void)state;
    static const struct {
        Str path;
        const char *message;
    } cases[] = {
#define S(text) { text, sizeof(text) - 1 }
        { S(""), "path () invalid: only printable ASCII characters allowed" },
        { S("a\x1f"), "path (a\\x1f) invalid: only printable ASCII characters allowed" },
        { S("a\0b"), "path (a\\x00b) invalid: only printable ASCII characters allowed" },
        { S("a\x7f"), "path (a\\x7f) invalid: only printable ASCII characters allowed" },
        { S("\xc3\xa9"), "path (\\xc3\\xa9) invalid: only printable ASCII characters allowed" },
        { S("/a*"), "path (/a*) invalid: globbing character (*) not allowed in path" },
        { S("a(b)*"), "path (a(b)*) invalid: globbing character (() not allowed in path" },
        { S("x@y"), "path (x@y) invalid: globbing character (@) not allowed in path" },
        { S("../foo"), "path (../foo) invalid: relative file paths are not allowed" },
        { S("foo/../bar"), "path (foo/../bar) invalid: relative file paths are not allowed" },
        { S("a/."), "path (a/.) invalid: relative file paths are not allowed" },
#undef S
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Status s = path_validate(&ctx, cases[i].path);
        assert_int_equal(s.code, STATUS_UNKNOWN);
        assert_string_equal(status_message(s), cases[i].message);
    }
}

static void every_globbing_character_is_refused(void **state)
{
    (void)state;
    for (const char *c = "*?[]{}!()@+^"; *c; c++)
        assert_fails(path_validate(&ctx, (Str){ c, 1 }), UNKNOWN, "globbing character");
}

static void the_root_is_not_a_file(void **state)
{
    (void)state;
    assert_fails(path_validate_not_root(&ctx, STR("/")), INVALID_ARGUMENT, "path (/) invalid");
    assert_fails(path_validate_not_root(&ctx, STR("//")), INVALID_ARGUMENT,
                 "the root directory is not a file");
    assert_ok(path_validate_not_root(&ctx, STR("/a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cleans),
        cmocka_unit_test(accepts_what_clients_may_write),
        cmocka_unit_test(refuses_with_the_known_texts),
        cmocka_unit_test(every_globbing_character_is_refused),
        cmocka_unit_test(the_root_is_not_a_file),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
