/* test_xml.c - XML, percent-encoding, HTTP's times and kinds of content: the small forms of HTTP
 * services. */
#include "testing.h"

#include "codec/mime.h"
#include "codec/moment.h"
#include "codec/percent.h"
#include "codec/xml.h"

static void text_survives_xml(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        { "", "" },
        { "plain", "plain" },
        { "<a href=\"x\">&amp;'</a>", "<a href=\"x\">&amp;'</a>" },
        { " \t\r\n ", " \t\r\n " },
        { "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
        { "a\x01z\xff", "a\xef\xbf\xbdz\xef\xbf\xbd" },
        { "\xef\xbf\xbe", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(ctx_done) Ctx ctx;
        CLEANUP(buf_done) Buf out = { 0 };
        XmlNode *root;
        ctx_init(&ctx);
        xml_begin(&out);
        xml_text(&out, "a", str(cases[i].text));
        assert_ok(xml_parse(&ctx, buf_bytes(&out), &root));
        assert_true(str_eq_c(root->text, cases[i].wanted));
    }
}

static void elements_make_a_tree(void **state)
{
    (void)state;
    CLEANUP(ctx_done) Ctx ctx;
    XmlNode *root;
    ctx_init(&ctx);
    assert_ok(xml_parse(&ctx,
                        str_bytes(STR("<?xml version='1.0'?><!-- c --><s:D xmlns:s='u'> <Q>true</Q>"
                                      "<O><Key>a&lt;b</Key></O>x<O a='b'><Key/></O></s:D>")),
                        &root));
    assert_string_equal(root->name, "D");
    assert_int_equal(root->text.size, 0);
    assert_true(str_eq_c(xml_child_text(root, "Q"), "true"));
    const XmlNode *first = xml_child(root, "O");
    assert_true(str_eq_c(xml_child_text(first, "Key"), "a<b"));
    assert_int_equal(xml_child_text(first->next, "Key").size, 0);
    assert_null(first->next->next);
    assert_null(xml_child(root, "Key"));
}

static void bad_xml_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "", "no element found" },
        { "<a>", "line 1" },
        { "<a>\n</b>", "line 2: mismatched tag" },
        { "<a/><b/>", "junk after document element" },
        { "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "a document type is not allowed" },
        { "<a>&x;</a>", "undefined entity" },
        { "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>", "nested too deep" },
        { "<a>\xff</a>", "invalid" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(ctx_done) Ctx ctx;
        XmlNode *root;
        ctx_init(&ctx);
        assert_fails(xml_parse(&ctx, str_bytes(str(cases[i].text)), &root), INVALID_ARGUMENT,
                     cases[i].why);
    }
}

static void percent_goes_both_ways(void **state)
{
    (void)state;
    CLEANUP(ctx_done) Ctx ctx;
    CLEANUP(buf_done) Buf out = { 0 };
    Str text;
    ctx_init(&ctx);
    percent_encode(&out, STR("a/b c%\xff~+"), "/");
    assert_true(str_eq_c(buf_str(&out), "a/b%20c%25%FF~%2B"));
    assert_true(percent_decode(&ctx, buf_str(&out), true, &text));
    assert_true(str_eq_c(text, "a/b c%\xff~+"));
    assert_true(percent_decode(&ctx, STR("a+b"), true, &text) && str_eq_c(text, "a b"));
    assert_true(percent_decode(&ctx, STR("a+b"), false, &text) && str_eq_c(text, "a+b"));
    static const char *const bad[] = { "%", "%1", "%g0", "%00", "a%" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(percent_decode(&ctx, str(bad[i]), false, &text));
}

static void times_of_http(void **state)
{
    (void)state;
    char text[MOMENT_TEXT_SIZE];
    int64_t seconds;
    moment_format_http(784111777, text);
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_true(moment_parse_http(str(text), &seconds));
    assert_int_equal(seconds, 784111777);
    assert_true(moment_parse_http(STR("Sun, 06 Nov 1994 08:49:37 +0000"), &seconds));
    assert_true(moment_parse_basic(STR("19941106T084937Z"), &seconds));
    assert_int_equal(seconds, 784111777);
    static const char *const bad[] = {
        "",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Non 1994 08:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 30 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "19941306T084937Z",
        "19941106T084937",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(moment_parse_http(str(bad[i]), &seconds) ||
                     moment_parse_basic(str(bad[i]), &seconds));
}

static void kinds_of_content(void **state)
{
    (void)state;
    assert_string_equal(mime_of_name(STR("/a/b.PNG")), "image/png");
    assert_string_equal(mime_of_name(STR("/a.tar.gz")), "application/gzip");
    assert_null(mime_of_name(STR("/a.d/b")));
    assert_null(mime_of_name(STR("/b")));
    assert_null(mime_of_name(STR("")));
    assert_string_equal(mime_of_content(str_bytes(STR("%PDF-1.7"))), "application/pdf");
    assert_string_equal(mime_of_content(str_bytes(STR("a\0b"))), "application/octet-stream");
    assert_string_equal(mime_of_content(str_bytes(STR(""))), "text/plain; charset=utf-8");
    assert_string_equal(mime_of_content(str_bytes(STR("gr\xc3\xbc\xc3\x9f\n"))),
                        "text/plain; charset=utf-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_survives_xml),  cmocka_unit_test(elements_make_a_tree),
        cmocka_unit_test(bad_xml_is_refused), cmocka_unit_test(percent_goes_both_ways),
        cmocka_unit_test(times_of_http),      cmocka_unit_test(kinds_of_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
