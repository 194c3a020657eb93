/* test_condition.c - conditions and ranges, row by row. */
#include "testing.h"

#include "s3/condition.h"
#include "s3/s3_priv.h"

#define AT     "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER  "Sun, 06 Nov 1994 08:49:38 GMT"
#define AT_S   784111777

static void conditions_follow_the_rfc(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        S3Conditions given;
        S3Verdict wanted;
    } cases[] = {
        { "none", { "", "", "", "" }, S3_GO_ON },
        { "same", { "\"e\"", "", "", "" }, S3_GO_ON },
        { "same, unquoted", { "e", "", "", "" }, S3_GO_ON },
        { "one of several", { "\"x\", \"e\"", "", "", "" }, S3_GO_ON },
        { "weak is not strong", { "W/\"e\"", "", "", "" }, S3_FAILED },
        { "other", { "\"x\"", "", "", "" }, S3_FAILED },
        { "match wins over date", { "\"e\"", "", "", BEFORE }, S3_GO_ON },
        { "not changed since", { "", "", "", AT }, S3_GO_ON },
        { "changed since", { "", "", "", BEFORE }, S3_FAILED },
        { "bad date", { "", "", "yesterday", "yesterday" }, S3_GO_ON },
        { "none match", { "", "\"x\"", "", "" }, S3_GO_ON },
        { "weak is enough", { "", "W/\"e\"", "", "" }, S3_NOT_MODIFIED },
        { "any", { "", "*", "", "" }, S3_NOT_MODIFIED },
        { "none match wins over date", { "", "\"x\"", AFTER, "" }, S3_GO_ON },
        { "modified", { "", "", BEFORE, "" }, S3_GO_ON },
        { "not modified", { "", "", AT, "" }, S3_NOT_MODIFIED },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        assert_int_equal(s3_judge(&cases[i].given, "e", AT_S), cases[i].wanted);
    }
    assert_int_equal(s3_judge(&(S3Conditions){ "", "", AFTER, BEFORE }, "e", 0), S3_GO_ON);
    assert_true(s3_range_applies("", "e", AT_S));
    assert_true(s3_range_applies("\"e\"", "e", AT_S));
    assert_true(s3_range_applies(AT, "e", AT_S));
    assert_false(s3_range_applies(BEFORE, "e", AT_S));
    assert_false(s3_range_applies("W/\"e\"", "e", AT_S));
}

static void ranges_are_cut_to_size(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        uint64_t size;
        S3RangeVerdict verdict;
        size_t n;
        S3Range first;
    } cases[] = {
        { "", 10, S3_WHOLE, 0, { 0, 0 } },
        { "bytes=0-0", 10, S3_PART, 1, { 0, 1 } },
        { "bytes=3-", 10, S3_PART, 1, { 3, 7 } },
        { "bytes=-3", 10, S3_PART, 1, { 7, 3 } },
        { "bytes= 1 - 2 ,, 4-5", 10, S3_PART, 2, { 1, 2 } },
        { "bytes=9-99999999999999999999", 10, S3_PART, 1, { 9, 1 } },
        { "bytes=99999999999999999999-", 10, S3_UNSATISFIABLE, 0, { 0, 0 } },
        { "bytes=-0", 10, S3_UNSATISFIABLE, 0, { 0, 0 } },
        { "bytes=10-", 10, S3_UNSATISFIABLE, 0, { 0, 0 } },
        { "bytes=10-,0-1", 10, S3_PART, 1, { 0, 2 } },
        { "bytes=0-", 0, S3_WHOLE, 0, { 0, 0 } },
        { "bytes=2-1", 10, S3_WHOLE, 0, { 0, 0 } },
        { "bytes=a-b", 10, S3_WHOLE, 0, { 0, 0 } },
        { "lines=0-1", 10, S3_WHOLE, 0, { 0, 0 } },
        { "bytes=0-9,0-9", 10, S3_WHOLE, 2, { 0, 10 } },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        S3Range ranges[S3_RANGES_MAX] = { { 0, 0 } };
        size_t n;
        say_case("%s of %d", cases[i].header, (int)cases[i].size);
        assert_int_equal(s3_ranges(str(cases[i].header), cases[i].size, ranges, &n),
                         cases[i].verdict);
        if (cases[i].verdict == S3_PART) {
            assert_int_equal(n, cases[i].n);
            assert_int_equal(ranges[0].from, cases[i].first.from);
            assert_int_equal(ranges[0].size, cases[i].first.size);
        }
    }
}

#define COMMIT "0123456789ab4def8123456789abcdef"

static void bucket_names_come_apart(void **state)
{
    (void)state;
    static const struct {
        const char *bucket, *project, *repo, *branch, *commit;
    } cases[] = {
        { "images", "default", "images", "master", "" },
        { "dev.images", "default", "images", "dev", "" },
        { "dev.images.ml", "ml", "images", "dev", "" },
        { COMMIT ".images", "default", "images", "master", COMMIT },
        { COMMIT ".dev.images.ml", "ml", "images", "dev", COMMIT },
        { "0123456789ab4def0123456789abcdef.images", "default", "images",
          "0123456789ab4def0123456789abcdef", "" }, /* another variant: no id */
    };
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    S3Name name;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].bucket);
        assert_ok(s3_name_parse(&ctx, str(cases[i].bucket), &name));
        assert_string_equal(name.project, cases[i].project);
        assert_string_equal(name.repo, cases[i].repo);
        assert_string_equal(name.branch, cases[i].branch);
        assert_string_equal(name.commit, cases[i].commit);
    }
    assert_fails(s3_name_parse(&ctx, STR(COMMIT), &name), UNKNOWN, "must include a repo");
    assert_fails(s3_name_parse(&ctx, STR("a.b.c.d"), &name), UNKNOWN, "invalid bucket name");
    assert_fails(s3_name_parse(&ctx, STR("a.b.c.d.e.f"), &name), UNKNOWN, "invalid bucket name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_follow_the_rfc),
        cmocka_unit_test(ranges_are_cut_to_size),
        cmocka_unit_test(bucket_names_come_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
