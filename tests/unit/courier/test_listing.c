/* Listings and errors of both dialects; and what is read of ~/.aws. */
#include "one_ctx.h"

#include "courier/aws.h"
#include "courier/listing.h"

static Status add_object(void *arg, Str key, uint64_t size)
{
    buf_printf(arg, "[" STR_FMT " %llu]", STR_ARG(key), (unsigned long long)size);
    return OK;
}

static const char s3_page[] =
    "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"urn:x\"><Name>bucket</Name><Prefix>a</Prefix>"
    "<Contents><Key>a&amp;b/c d</Key><Size>12</Size><Owner><ID>x</ID></Owner></Contents>"
    "<IsTruncated>true</IsTruncated><Contents><Key>a2</Key><Size>0</Size></Contents>"
    "<NextContinuationToken>t+/=</NextContinuationToken></ListBucketResult>";
static const char azure_page[] =
    "<EnumerationResults ContainerName=\"c\"><Blobs><Blob><Name>k</Name><Properties>"
    "<Content-Length>7</Content-Length></Properties></Blob></Blobs><NextMarker "
    "/></EnumerationResults>";

static void pages(void **state)
{
    (void)state;
    static const struct {
        const char *xml, *objects, *next;
    } cases[] = {
        { s3_page, "[a&b/c d 12][a2 0]", "t+/=" },
        { azure_page, "[k 7]", "" },
        { "<ListBucketResult/>", "", "" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_done) Buf objects = { 0 };
        ListingPage page = { .object = add_object, .arg = &objects };
        assert_true(status_ok(listing_read(&ctx, str_bytes(str(cases[i].xml)), &page)));
        assert_true(str_eq_c(buf_str(&objects), cases[i].objects));
        assert_string_equal(page.next, cases[i].next);
    }
}

static void refuses(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "no xml",
        "<a><b></a>",
        "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_done) Buf objects = { 0 };
        ListingPage page = { .object = add_object, .arg = &objects };
        assert_int_equal(listing_read(&ctx, str_bytes(str(cases[i])), &page).code,
                         STATUS_INVALID_ARGUMENT);
    }
}

static void errors(void **state)
{
    (void)state;
    static const struct {
        const char *xml, *error;
    } cases[] = {
        { "<Error><Code>NoSuchKey</Code><Message>It is not.</Message></Error>",
          "NoSuchKey: It is not." },
        { "<Error><Code>NoSuchKey</Code></Error>", "NoSuchKey" },
        { "<html>404</html>", "" },
        { "plain", "" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(listing_error(&ctx, str_bytes(str(cases[i].xml))), cases[i].error);
}

static void ini_files(void **state)
{
    (void)state;
    Str text = STR("# c\n[default]\nregion = eu\n [ profile x ]\r\nregion=us\r\na = b = c\n");
    assert_string_equal(ini_value(&ctx, text, "default", "region"), "eu");
    assert_string_equal(ini_value(&ctx, text, "profile x", "region"), "us");
    assert_string_equal(ini_value(&ctx, text, "profile x", "a"), "b = c");
    assert_string_equal(ini_value(&ctx, text, "default", "a"), "");
    assert_string_equal(ini_value(&ctx, text, "none", "region"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages),
        cmocka_unit_test(refuses),
        cmocka_unit_test(errors),
        cmocka_unit_test(ini_files),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
