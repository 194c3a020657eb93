/* JSON: strict reading with positions, exact writing, members, merge patches. */
#include "one_ctx.h"

#include "codec/json.h"

static JsonValue *parsed(const char *text)
{
    JsonValue *value;
    assert_ok(json_parse(&ctx, str(text), &value));
    return value;
}

static const char *compact(const JsonValue *value)
{
    return json_print(ctx.arena, value, (JsonStyle){ 0 }).data;
}

static void what_is_read_is_written(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out; /* NULL: the same */
    } cases[] = {
        { "null", NULL },
        { " true ", "true" },
        { "[false,1,-0,1.50,1e+30,12345678901234567890]", NULL },
        { "{\"b\":1,\"a\":{\"\":[]},\"c\":{}}", NULL },
        { "\"a\\u0041\\n\\/\\\"\\\\\"", "\"aA\\n/\\\"\\\\\"" },
        { "\"\\ud83d\\ude00\\u00e9\\u20ac\"", "\"😀é€\"" },
        { "\"\\u0000\\u001f\\b\\f\\r\\t\"", "\"\\u0000\\u001f\\b\\f\\r\\t\"" },
        { "[ 1 ,\n\t2 ]", "[1,2]" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(compact(parsed(cases[i].in)),
                            cases[i].out ? cases[i].out : cases[i].in);
}

static void errors_say_where(void **state)
{
    (void)state;
    static const struct {
        const char *in, *message;
    } cases[] = {
        { "", "line 1, column 1: unexpected end of input, expected a value" },
        { "{\n  \"a\": 1,\n  \"b\" 2}", "line 3, column 7: unexpected token 2, expected ':'" },
        { "{\"é\":x}", "line 1, column 6: unexpected token x, expected a value" },
        { "[1,]", "line 1, column 4: unexpected token ], expected a value" },
        { "[1 2]", "line 1, column 4: unexpected token 2, expected ',' or ']'" },
        { "{a:1}", "line 1, column 2: unexpected token a, expected a key in double quotes" },
        { "{\"a\":1,}", "line 1, column 8: unexpected token }, expected a key in double quotes" },
        { "1 2", "line 1, column 3: unexpected token 2, expected the end of the text" },
        { "[01]", "line 1, column 2: invalid number 01" },
        { "[1.]", "line 1, column 2: invalid number 1." },
        { "-", "line 1, column 1: invalid number -" },
        { "nul", "line 1, column 1: unexpected token nul, expected a value" },
        { "nulls", "line 1, column 1: unexpected token nulls" },
        { "\"abc", "line 1, column 5: unexpected end of input in a string" },
        { "\"a\\", "line 1, column 3: invalid escape in a string" },
        { "\"a\\x\"", "line 1, column 3: invalid escape in a string" },
        { "\"\\u12\"", "line 1, column 2: invalid escape \\u: four hex digits" },
        { "\"\\ud800x\"", "line 1, column 2: invalid escape \\ud800: a surrogate without" },
        { "\"\\udc00\"", "line 1, column 2: invalid escape \\udc00: a surrogate without" },
        { "\"a\nb\"", "line 1, column 3: invalid control character 0x0a in a string" },
        { "[\"\xff\"]", "line 1, column 2: invalid UTF-8 in a string" },
        { "{\"a\":1,\n \"a\":2}", "line 2, column 2: duplicate field \"a\"" },
        { "'a'", "line 1, column 1: unexpected token ', expected a value" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        JsonValue *value;
        say_case("case %zu", i);
        assert_fails(json_parse(&ctx, str(cases[i].in), &value), INVALID_ARGUMENT,
                     cases[i].message);
    }
}

static void values_know_their_place(void **state)
{
    (void)state;
    JsonValue *value = parsed("{\n \"é\": {\"x\": [1,\n  true]}}");
    const JsonMember *first = &value->members[0];
    assert_int_equal(first->pos.line, 2);
    assert_int_equal(first->pos.column, 2);
    assert_int_equal(first->value->pos.column, 7);
    JsonValue *item = json_path(value, "é", "x", NULL)->items[1];
    assert_int_equal(item->pos.line, 3);
    assert_int_equal(item->pos.column, 3);
}

static void depth_is_limited(void **state)
{
    (void)state;
    char text[2 * JSON_DEPTH_MAX + 3] = { 0 };
    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    parsed(text);
    JsonValue *value;
    memset(text, '[', JSON_DEPTH_MAX + 1);
    assert_fails(json_parse(&ctx, str(text), &value), INVALID_ARGUMENT, "within each other");
}

static void a_small_arena_is_an_error(void **state)
{
    (void)state;
    Ctx small = ctx;
    CLEANUP(arena_freep) Arena *arena = arena_new(64 * KiB);
    small.arena = arena;
    CLEANUP(buf_done) Buf text = { 0 };
    buf_add_u8(&text, '[');
    for (int i = 0; i < 100000; i++)
        buf_printf(&text, "{\"k%d\":0},", i);
    buf_add_str(&text, STR("0]"));
    JsonValue *value;
    assert_int_equal(json_parse(&small, buf_str(&text), &value).code, STATUS_RESOURCE_EXHAUSTED);
}

static void documents_follow_one_another(void **state)
{
    (void)state;
    JsonValue **docs;
    size_t count;
    assert_ok(json_parse_all(&ctx, STR(" {\"a\":1}{} \n[2]"), &docs, &count));
    assert_int_equal(count, 3);
    assert_string_equal(compact(docs[2]), "[2]");
    assert_ok(json_parse_all(&ctx, STR("  \n"), &docs, &count));
    assert_int_equal(count, 0);
    assert_fails(json_parse_all(&ctx, STR("{}\n}"), &docs, &count), INVALID_ARGUMENT,
                 "line 2, column 1");
}

static void indents_and_sorts(void **state)
{
    (void)state;
    JsonValue *value = parsed("{\"b\":[1,{}],\"a\":[],\"c\":{\"z\":1,\"y\":2}}");
    Str text = json_print(ctx.arena, value, (JsonStyle){ .indent = 2, .sorted = true });
    assert_string_equal(text.data, "{\n  \"a\": [],\n  \"b\": [\n    1,\n    {}\n  ],\n"
                                   "  \"c\": {\n    \"y\": 2,\n    \"z\": 1\n  }\n}");
    json_sort(value);
    assert_string_equal(compact(value), "{\"a\":[],\"b\":[1,{}],\"c\":{\"z\":1,\"y\":2}}");
}

static void bad_utf8_is_replaced_on_output(void **state)
{
    (void)state;
    JsonValue *value = json_string(ctx.arena, STR("a\xff\xc3(\xe2\x82"));
    assert_string_equal(compact(value), "\"a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\"");
}

/* Small objects are searched, large ones are indexed: both behave the same. */
static void members_are_found_in_small_and_large_objects(void **state)
{
    (void)state;
    for (size_t n = 1; n < 200; n += 13) {
        JsonValue *object = json_object(ctx.arena);
        for (size_t i = 0; i < n; i++) {
            const char *name = text_printf(ctx.arena, "key%zu", i);
            json_set(ctx.arena, object, str(name), json_i64(ctx.arena, (int64_t)i));
            json_set(ctx.arena, object, str(name), json_i64(ctx.arena, (int64_t)i + 1));
        }
        assert_int_equal(object->count, n);
        assert_true(json_remove(object, STR("key0")));
        assert_false(json_remove(object, STR("key0")));
        json_sort(object);
        for (size_t i = 1; i < n; i++) {
            int64_t found;
            assert_true(str_to_i64(json_text(json_get(object, text_printf(ctx.arena, "key%zu", i))),
                                   &found));
            assert_int_equal(found, i + 1);
        }
        assert_null(json_get(object, "key0"));
    }
}

/* The examples of RFC 7396, appendix A. */
static void merges_by_rfc_7396(void **state)
{
    (void)state;
    static const struct {
        const char *target, *patch, *result;
    } cases[] = {
        { "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
        { "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
        { "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
        { "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
        { "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
        { "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
        { "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
        { "{\"a\":\"foo\"}", "null", "null" },
        { "{\"a\":\"foo\"}", "\"bar\"", "\"bar\"" },
        { "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
        { "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
        { "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        JsonValue *target = parsed(cases[i].target), *patch = parsed(cases[i].patch);
        say_case("%s %s", cases[i].target, cases[i].patch);
        assert_string_equal(compact(json_merge_patch(ctx.arena, target, patch)), cases[i].result);
        assert_string_equal(compact(target), cases[i].target);
    }
}

static void equality_ignores_order(void **state)
{
    (void)state;
    assert_true(json_equal(parsed("{\"a\":1,\"b\":[true]}"), parsed("{\"b\":[true],\"a\":1}")));
    assert_false(json_equal(parsed("{\"a\":1}"), parsed("{\"a\":1.0}")));
    assert_false(json_equal(parsed("[1,2]"), parsed("[2,1]")));
    assert_false(json_equal(parsed("\"1\""), parsed("1")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_written),
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(values_know_their_place),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(a_small_arena_is_an_error),
        cmocka_unit_test(documents_follow_one_another),
        cmocka_unit_test(indents_and_sorts),
        cmocka_unit_test(bad_utf8_is_replaced_on_output),
        cmocka_unit_test(members_are_found_in_small_and_large_objects),
        cmocka_unit_test(merges_by_rfc_7396),
        cmocka_unit_test(equality_ignores_order),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
