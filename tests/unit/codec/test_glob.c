/* Globs match what the dialect says, in bounded time, and agree with a plain model on random
 * patterns. */
#include "one_ctx.h"

#include "codec/glob.h"

static const Glob *compiled(const char *pattern)
{
    const Glob *glob;
    assert_ok(glob_compile(&ctx, str(pattern), &glob));
    return glob;
}

static void matches(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path;
        bool match;
    } cases[] = {
        { "/", "/", true },
        { "", "/", true },
        { "/", "/a", false },
        { "*", "/", false },
        { "**", "/", false },
        { "*", "/a", true },
        { "*", "/a/", true },
        { "*", "/a/b", false },
        { "/*/", "/a", true },
        { "**", "/a/b", true },
        { "*/*", "/a/b/", true },
        { "*/*", "/a", false },
        { "file*", "/file", true },
        { "file*", "/file1", true },
        { "file*", "/xfile", false },
        { "/dir/../file", "/file", true },
        { "//a/./b", "/a/b", true },
        { "dir2/dir3/file1?", "/dir2/dir3/file10", true },
        { "dir2/dir3/file1?", "/dir2/dir3/file1", false },
        { "**file1?", "/dir/file10", true },
        { "**file1?", "/file12", true },
        { "**.2", "/dir/file.2", true },
        { "/**/x", "/x", false },
        { "/**/x", "/a/x", true },
        { "/**/x", "/a/b/x", true },
        { "/d/**/f*", "/d/f1", false },
        { "/a?b", "/a/b", false },
        { "[abc]", "/b", true },
        { "[abc]", "/d", false },
        { "[a-c]x", "/bx", true },
        { "[!a-c]x", "/bx", false },
        { "[!a-c]x", "/dx", true },
        { "[^a-c]x", "/dx", true },
        { "a[!b]c", "/a/c", true }, /* a negated class takes '/' */
        { "a[b-]c", "/a-c", true },
        { "a[\\]]c", "/a]c", true },
        { "[[:alpha:]]", "/q", true },
        { "[[:alpha:]]", "/1", false },
        { "[[:^alpha:]]", "/1", true },
        { "[^[:alpha:]]", "/1", true },
        { "[^[:alpha:]]", "/q", false },
        { "[[:digit:]x]", "/x", true },
        { "[[:word:]]", "/_", true },
        { "[[:xdigit:]][[:upper:]]", "/fA", true },
        { "{a,b*,c}", "/bxy", true },
        { "{a,b*,c}", "/d", false },
        { "{a,{b,c}d}", "/cd", true },
        { "{a,{b,c}d}", "/ad", false },
        { "{a,}b", "/b", true },
        { "{a|b}", "/a|b", true },
        { "(a|b)c", "/bc", true },
        { "@(a|b)c", "/ac", true },
        { "@(a|b)c", "/c", false },
        { "*(a|b)c", "/ababc", true },
        { "*(a|b)c", "/c", true },
        { "+(a|b)c", "/c", false },
        { "+(a|b)c", "/aac", true },
        { "?(a|b)c", "/c", true },
        { "?(a|b)c", "/aac", false },
        { "(a,b)", "/a,b", true },
        { "({a,b}|c)d", "/bd", true },
        { "{(a|b),c}d", "/bd", true },
        { "**(a)b", "/xaab", true },
        { "!(a|b)", "/a", false },
        { "!(a|b)", "/ab", true },
        { "!(a|b)", "/c", true },
        { "!(a)/x", "/a/x", false },
        { "!(a)/x", "/b/x", true },
        { "!(*.jpg)", "/x.jpg", false },
        { "!(*.jpg)", "/x.png", true },
        { "!(*.jpg)", "/d/x.png", false },
        { "/d/!(a*)", "/d/abc", false },
        { "/d/!(a*)", "/d/bc", true },
        { "!(a)*", "/abc", false },
        { "!(!(a))", "/a", true },
        { "!(!(a))", "/b", false },
        { "\\*", "/x", false },
        { "\\*", "/*", true },
        { "\\a\\(b", "/a(b", true },
        { "a\\", "/a\\", true },
        { "a!b", "/a!b", true },
        { "a@b+c^d", "/a@b+c^d", true },
        { "a]b", "/a]b", true },
        { "a}b)c,d|e", "/a}b)c,d|e", true },
        { "(a|b", "/b", true },
        { "{a,b", "/b", true },
        { "[[:foo:]]", "/f]", true },
        { "*(*)", "/abc", true },
        { "*(|a)b", "/aab", true },
        { "*(*(a))b", "/aab", true },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s %s", cases[i].pattern, cases[i].path);
        assert_int_equal(glob_match(compiled(cases[i].pattern), str(cases[i].path)),
                         cases[i].match);
    }
}

static void bad_patterns_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *message;
    } cases[] = {
        { "a[", "unexpected end of input" },
        { "a[b", "unexpected end of input" },
        { "a[\\", "unexpected end of input" },
        { "[]", "error parsing regexp: " },
        { "[!]", "error parsing regexp: " },
        { "[^]", "error parsing regexp: " },
        { "[z-a]", "error parsing regexp: invalid character class range: `z-a`" },
        { "^(a)", "unimplemented quatifier ^" },
        { "[^^](^(a))", "unimplemented quatifier ^" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const Glob *glob;
        say_case("%s", cases[i].pattern);
        assert_fails(glob_compile(&ctx, str(cases[i].pattern), &glob), UNKNOWN, cases[i].message);
    }
}

static const char *repeated(const char *unit, size_t count, const char *end)
{
    char *text = arena_must(ctx.arena, strlen(unit) * count + strlen(end) + 1);
    char *to = text;
    while (count--)
        to = stpcpy(to, unit);
    strcpy(to, end);
    return text;
}

static void limits_hold(void **state)
{
    (void)state;
    const Glob *glob;
    assert_fails(glob_compile(&ctx, str(repeated("a", 9000, "")), &glob), INVALID_ARGUMENT,
                 "longer than");
    assert_fails(glob_compile(&ctx, str(repeated("(", 40, "")), &glob), INVALID_ARGUMENT,
                 "nests more than");
    const char *nested = repeated("!(a", 30, repeated(")", 30, repeated("x", 7000, "")));
    assert_fails(glob_compile(&ctx, str(nested), &glob), INVALID_ARGUMENT, "too complex");
    assert_ok(glob_compile(&ctx, str(repeated("{a", 32, "")), &glob));
}

/* Patterns that make a plain backtracking matcher run for ever end at once. */
static void never_runs_away(void **state)
{
    (void)state;
    const char *path = repeated("a", 2000, "b");
    path = text_printf(ctx.arena, "/%s", path);
    assert_false(glob_match(compiled("*(*(*(a)))c"), str(path)));
    assert_false(glob_match(compiled("*a*a*a*a*a*a*a*a*a*c"), str(path)));
    assert_false(glob_match(compiled("+(a|aa|aaa)c"), str(path)));
    assert_true(glob_match(compiled("!(*(*(a))c)"), str(path)));
    assert_true(glob_match(compiled(repeated("!(x)", 20, "*")), str(path)));
}

static void captures_are_greedy_from_the_left(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path, *template, *out;
    } cases[] = {
        { "/(*)(*)", "/abc", "$1-$2", "abc-" },
        { "/(*)-(*)", "/a-b-c", "$1/$2", "a-b/c" },
        { "/(*)/(*).txt", "/dir/f.txt", "$2$1", "fdir" },
        { "/@(a|b)(*)", "/bx", "$1$2", "bx" },
        { "/((a)|(b))c", "/bc", "[$1][$2][$3]", "[b][][b]" },
        { "/*(ab)(*)", "/ababc", "$1.$2", "abab.c" },
        { "/(*)/", "/dir/", "$1", "dir" },
        { "/{(a),b}(*)", "/bx", "<$1><$2>", "<><x>" },
        { "/(*)", "/x", "$1$2$$1${1}a${9}", "x$2$1xa${9}" },
        { "/(*)", "/x", "$10", "x0" },
        { "/(*)", "/x", "$", "$" },
        { "/(*)", "/x", "${1", "${1" },
        { "/(a)", "/b", "<$1>", "<>" },
        { "/!(x)(*)", "/abc", "$1|$2", "abc|" },
        { "/?(a)(*)", "/ab", "$1|$2", "a|b" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s %s", cases[i].pattern, cases[i].path);
        Str out = glob_replace(&ctx, compiled(cases[i].pattern), str(cases[i].path),
                               str(cases[i].template));
        assert_string_equal(out.data, cases[i].out);
    }
}

static void walks_can_be_pruned(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *dir;
        bool viable;
    } cases[] = {
        { "/", "/", false },        { "/*", "/", true },         { "/*", "/a/", false },
        { "/a/*", "/a", true },     { "/a/*", "/b", false },     { "/a*/b", "/ax/", true },
        { "/a*/b", "/x/", false },  { "**", "/a/b/c", true },    { "/a/**", "/a/b", true },
        { "/{a,b}/c", "/b", true }, { "/{a,b}/c", "/c", false }, { "/a", "/a", false },
        { "/a[!x]b", "/a", true },  { "/!(a)/b", "/c", true },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s below %s", cases[i].pattern, cases[i].dir);
        assert_int_equal(glob_match_below(compiled(cases[i].pattern), str(cases[i].dir)),
                         cases[i].viable);
    }
}

static void shapes_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *prefix;
        bool literal;
        const char *level; /* NULL: is none */
        size_t depth;
    } cases[] = {
        { "/", "/", true, NULL, 0 },
        { "/*", "/", false, "/", 1 },
        { "a/*", "/a/", false, "/a", 2 },
        { "/a/b/*", "/a/b/", false, "/a/b", 3 },
        { "/a/b*", "/a/b", false, NULL, 2 },
        { "/a/b", "/a/b", true, NULL, 2 },
        { "/a\\*b", "/a*b", true, NULL, 1 },
        { "/**", "/", false, NULL, 0 },
        { "/{a/b,c/d}/*", "/", false, NULL, 3 },
        { "/{a/b,c}", "/", false, NULL, 0 },
        { "/*(a/)b", "/", false, NULL, 0 },
        { "/*(ab)/?", "/", false, NULL, 2 },
        { "/x[!a]", "/x", false, NULL, 0 },
        { "/!(a)/x", "/", false, NULL, 2 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const Glob *glob = compiled(cases[i].pattern);
        Str dir, path;
        say_case("%s", cases[i].pattern);
        assert_true(str_eq_c(glob_prefix(glob), cases[i].prefix));
        assert_int_equal(glob_is_literal(glob, &path), cases[i].literal);
        assert_int_equal(glob_is_level(glob, &dir), cases[i].level != NULL);
        assert_true(!cases[i].level || str_eq_c(dir, cases[i].level));
        assert_int_equal(glob_depth(glob), cases[i].depth);
    }
}

/* --- random patterns against a model ---------------------------------------------------------- */

/* The plainest matcher there is, for * ** ? and literals. */
static bool model(const char *pattern, const char *path)
{
    if (!*pattern)
        return !*path;
    if (pattern[0] == '*') {
        bool deep = pattern[1] == '*';
        if (model(pattern + 1 + deep, path))
            return true;
        return *path && (deep || *path != '/') && model(pattern, path + 1);
    }
    if (!*path || (*pattern == '?' ? *path == '/' : *path != *pattern))
        return false;
    return model(pattern + 1, path + 1);
}

static char *random_text(uint64_t *seed, const char *letters, size_t size_max)
{
    size_t size = next_rand(seed) % size_max;
    char *text = arena_must(ctx.arena, size + 2);
    text[0] = '/';
    for (size_t i = 1; i <= size; i++)
        text[i] = letters[next_rand(seed) % strlen(letters)];
    return text;
}

static void agrees_with_the_model(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int round = 0; round < 20000; round++) {
        ArenaMark mark = arena_mark(ctx.arena);
        Str pattern = path_clean(&ctx, str(random_text(&seed, "ab/**?", 9)));
        Str path = path_clean(&ctx, str(random_text(&seed, "aab/", 10)));
        if (path.size > 1 && pattern.size > 1) {
            const Glob *glob = compiled(pattern.data);
            bool match = glob_match(glob, path);
            if (match != model(pattern.data, path.data))
                fail_msg("%s %s: %d", pattern.data, path.data, match);
            for (size_t i = 0; match && i < path.size;
                 i++) /* no directory above a match is pruned */
                assert_true(path.data[i] != '/' || glob_match_below(glob, str_sub(path, 0, i)));
        }
        arena_rewind(ctx.arena, mark);
    }
}

static void narrowed_patterns_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text, *value, *narrowed; /* "": none; NULL: nothing is known */
    } cases[] = {
        { "/(*).txt", "$1", "a", "/a.txt " },
        { "/(*).txt", "x-$1", "x-a", "/a.txt " },
        { "/(*).txt", "x-$1", "a", "" },
        { "/(*)-(*)", "$1", "a", "/a-(*) " },
        { "/(*)-(*)", "$2", "a", "/(*)-a " },
        { "/(*)/(*)", "$2$1", "ab", "/ab/(*) /b/a /(*)/ab " },
        { "/(*)-(*)", "$1-$2", "a-b-c", "/a-b-c /a-b-c " },
        { "/(*)-(*)", "$1$1", "abab", "/ab-(*) " },
        { "/(*)-(*)", "$1$1", "aba", "" },
        { "/(*)", "${1}$$", "a*b$", "/a\\*b " },
        { "/@(a|b)c", "$1", "a", "/ac " },
        { "/*(a|b)c", "$1", "aa", NULL },
        { "/{(a),b}c", "$1", "a", NULL },
        { "/(*)", "", "", NULL },
        { "/(*)", "same", "same", NULL },
        { "/(*)", "same", "other", "" },
        { "/(*)", "$2", "$2", NULL },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s %s %s", cases[i].pattern, cases[i].text, cases[i].value);
        Str patterns[8];
        size_t n;
        CLEANUP(buf_done) Buf all = { 0 };
        bool known = glob_narrow(&ctx, compiled(cases[i].pattern), str(cases[i].text),
                                 str(cases[i].value), patterns, ARRAY_LEN(patterns), &n);
        assert_int_equal(known, cases[i].narrowed != NULL);
        for (size_t k = 0; known && k < n; k++)
            buf_printf(&all, STR_FMT " ", STR_ARG(patterns[k]));
        if (known)
            assert_string_equal(str_z(ctx.arena, buf_str(&all)), cases[i].narrowed);
    }
    Str none;
    size_t n;
    const Glob *glob = compiled("/(*)(*)(*)(*)(*)(*)(*)(*)");
    assert_false(
        glob_narrow(&ctx, glob, STR("$1$2$3$4$5$6$7$8!"), STR("abcdefghijklmnopq"), &none, 1, &n));
}

static const char *random_pattern(uint64_t *seed)
{
    static const char *const pieces[] = { "(*)", "(a*)", "@(a|b)", "*",       "a",    "b",
                                          "/",   "?(a)", "!(b)",   "{a,(b)}", "(**)", "*(ab)" };
    CLEANUP(buf_done) Buf text = { 0 };
    buf_add_u8(&text, '/');
    for (size_t i = 1 + next_rand(seed) % 4; i--;)
        buf_add_str(&text, str(pieces[next_rand(seed) % ARRAY_LEN(pieces)]));
    return str_z(ctx.arena, buf_str(&text));
}

/* A path from which a text was expanded is matched by one of the patterns that lead back. */
static void narrowed_patterns_miss_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "$1", "$2", "$1$2", "$2-$1", "a$1", "$1$1", "$3$2$1", "x"
    };
    uint64_t seed = 11;
    size_t narrowed = 0;
    for (int round = 0; round < 60000; round++) {
        ArenaMark mark = arena_mark(ctx.arena);
        const Glob *glob = compiled(random_pattern(&seed));
        Str path = path_clean(&ctx, str(random_text(&seed, "aab/", 6)));
        Str text = str(texts[next_rand(&seed) % ARRAY_LEN(texts)]), patterns[64];
        size_t n;
        if (path.size > 1 && glob_match(glob, path) &&
            glob_narrow(&ctx, glob, text, glob_replace(&ctx, glob, path, text), patterns,
                        ARRAY_LEN(patterns), &n)) {
            bool found = false;
            for (size_t i = 0; i < n; i++)
                found |= glob_match(compiled(str_z(ctx.arena, patterns[i])), path);
            if (!found)
                fail_msg(STR_FMT " " STR_FMT " " STR_FMT, STR_ARG(glob_pattern(glob)),
                         STR_ARG(path), STR_ARG(text));
            narrowed++;
        }
        arena_rewind(ctx.arena, mark);
    }
    assert_true(narrowed > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches),
        cmocka_unit_test(bad_patterns_are_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(never_runs_away),
        cmocka_unit_test(captures_are_greedy_from_the_left),
        cmocka_unit_test(walks_can_be_pruned),
        cmocka_unit_test(shapes_are_known),
        cmocka_unit_test(agrees_with_the_model),
        cmocka_unit_test(narrowed_patterns_are_known),
        cmocka_unit_test(narrowed_patterns_miss_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
