/* URLs are taken apart as their stores name things, or refused with what is wrong. */
#include "one_ctx.h"

#include "remote/url.h"

static void parses(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        RemoteKind kind;
        const char *host, *bucket, *key, *region;
    } cases[] = {
        { "http://a/b?c#d", REMOTE_HTTP, "", "", "", "" },
        { "HTTPS://a", REMOTE_HTTP, "", "", "", "" },
        { "s3://b/k/l", REMOTE_S3, "", "b", "k/l", "" },
        { "s3://b", REMOTE_S3, "", "b", "", "" },
        { "s3://b//k//l//", REMOTE_S3, "", "b", "k//l", "" },
        { "s3://b/a%20b%2Fc%25?region=eu-west-1", REMOTE_S3, "", "b", "a b/c%", "eu-west-1" },
        { "s3://b/a b+c", REMOTE_S3, "", "b", "a b+c", "" },
        { "gcs://b/k", REMOTE_GS, "", "b", "k", "" },
        { "minio://h:9000/b/k", REMOTE_MINIO, "h:9000", "b", "k", "" },
        { "test-minio://[::1]:9000/b", REMOTE_MINIO, "[::1]:9000", "b", "", "" },
        { "az://c/k", REMOTE_AZURE, "", "c", "k", "" },
        { "wasb://c@acc.blob.core.windows.net/k", REMOTE_AZURE, "acc", "c", "k", "" },
        { "wasb://c@acc/k", REMOTE_AZURE, "acc", "c", "k", "" },
        { "file:///a/b/", REMOTE_FILE, "", "", "/a/b", "" },
        { "file:///", REMOTE_FILE, "", "", "/", "" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].url);
        RemoteUrl url;
        assert_true(status_ok(remote_url_parse(&ctx, cases[i].url, &url)));
        assert_int_equal(url.kind, cases[i].kind);
        assert_string_equal(url.host, cases[i].host);
        assert_string_equal(url.bucket, cases[i].bucket);
        assert_string_equal(url.key, cases[i].key);
        assert_string_equal(url.region, cases[i].region);
    }
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        StatusCode code;
        const char *message;
    } cases[] = {
        { "", STATUS_UNKNOWN, "unrecognized object store: " },
        { "a/b", STATUS_UNKNOWN, "unrecognized object store: " },
        { "a b://c", STATUS_UNKNOWN, "unrecognized object store: " },
        { "hdfs://c", STATUS_UNKNOWN, "unrecognized object store: hdfs" },
        { "http:///a", STATUS_INVALID_ARGUMENT, "malformed URL \"http:///a\": it names no host" },
        { "s3:///k", STATUS_INVALID_ARGUMENT,
          "malformed URL \"s3:///k\": it names no valid bucket" },
        { "s3://b/%4", STATUS_INVALID_ARGUMENT,
          "malformed URL \"s3://b/%4\": its path has a bad percent-escape" },
        { "s3://b/%00", STATUS_INVALID_ARGUMENT,
          "malformed URL \"s3://b/%00\": its path has a bad percent-escape" },
        { "s3://b/\n", STATUS_INVALID_ARGUMENT,
          "malformed URL \"s3://b/\n\": it has a control character" },
        { "s3://b/k?region=a/b", STATUS_INVALID_ARGUMENT,
          "malformed URL \"s3://b/k\": it names no valid region" },
        { "minio://h@x/b", STATUS_INVALID_ARGUMENT,
          "malformed URL \"minio://x/b\": it names no valid host" },
        { "minio://h:1", STATUS_INVALID_ARGUMENT,
          "malformed URL \"minio://h:1\": it names no valid bucket" },
        { "wasb://c@a b/k", STATUS_INVALID_ARGUMENT,
          "malformed URL \"wasb://c@a b/k\": it names no valid account" },
        { "file://a/b", STATUS_INVALID_ARGUMENT,
          "malformed URL \"file://a/b\": it does not name an absolute path" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("case %zu", i);
        RemoteUrl url;
        Status s = remote_url_parse(&ctx, cases[i].url, &url);
        assert_int_equal(s.code, cases[i].code);
        assert_string_equal(status_message(s), cases[i].message);
    }
}

static void shows_no_secrets(void **state)
{
    (void)state;
    static const struct {
        const char *url, *shown;
    } cases[] = {
        { "http://user:pass@host/a?token=x#y", "http://host/a" },
        { "http://us@er:p@ss@host/a@b", "http://host/a@b" },
        { "postgres://u:p@h:1/db?x=y", "postgres://h:1/db" },
        { "wasb://c@account/k", "wasb://c@account/k" },
        { "http://h?user:pass@x", "http://h" },
        { "no url?", "no url?" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(remote_url_shown(&ctx, cases[i].url), cases[i].shown);
}

static void joins_keys(void **state)
{
    (void)state;
    assert_string_equal(remote_key_join(&ctx, "a/b", STR("/c/d")), "a/b/c/d");
    assert_string_equal(remote_key_join(&ctx, "", STR("/c")), "c");
    assert_string_equal(remote_key_join(&ctx, "a", STR("/")), "a");
}

static void parses_databases(void **state)
{
    (void)state;
    RemoteDbUrl url;
    assert_true(status_ok(remote_db_url_parse(
        &ctx, "postgresql://us%40er:p%3Aw@[::1]:5432/d%20b?sslmode=require&a=", &url)));
    assert_string_equal(url.scheme, "postgres");
    assert_string_equal(url.user, "us@er");
    assert_string_equal(url.password, "p:w");
    assert_string_equal(url.host, "::1");
    assert_string_equal(url.port, "5432");
    assert_string_equal(url.name, "d b");
    Str params = str(url.params);
    const char *name, *value;
    assert_true(remote_param_next(&ctx, &params, &name, &value));
    assert_string_equal(name, "sslmode");
    assert_string_equal(value, "require");
    assert_true(remote_param_next(&ctx, &params, &name, &value));
    assert_string_equal(value, "");
    assert_false(remote_param_next(&ctx, &params, &name, &value));
    Status s = remote_db_url_parse(&ctx, "snowflake://u@h/d", &url);
    assert_string_equal(status_message(s), "database protocol \"snowflake\" not supported");
    s = remote_db_url_parse(&ctx, "mysql://u@/d", &url);
    assert_string_equal(status_message(s),
                        "malformed URL \"mysql:///d\": it names no valid server");
    s = remote_db_url_parse(&ctx, "mysql://u@h:1/", &url);
    assert_string_equal(status_message(s), "malformed URL \"mysql://h:1/\": it names no database");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses),           cmocka_unit_test(refuses),
        cmocka_unit_test(shows_no_secrets), cmocka_unit_test(joins_keys),
        cmocka_unit_test(parses_databases),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
