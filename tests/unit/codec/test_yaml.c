/* YAML to JSON values and back. */
#include "one_ctx.h"

#include "codec/yaml.h"

/* All documents of a text as one JSON array. */
static const char *as_json(const char *text)
{
    JsonValue **docs;
    size_t count;
    assert_ok(yaml_parse_all(&ctx, str(text), NULL, &docs, &count));
    JsonValue *all = json_array(ctx.arena);
    for (size_t i = 0; i < count; i++)
        json_append(ctx.arena, all, docs[i]);
    return json_print(ctx.arena, all, (JsonStyle){ 0 }).data;
}

static void reads_yaml(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        { "", "[]" },
        { "# nothing\n", "[]" },
        { "---\n---\na: 1\n---\n", "[{\"a\":1}]" },
        { "a: 1\n---\nb: 2\n", "[{\"a\":1},{\"b\":2}]" },
        { "pipeline:\n  name: edges\ntransform:\n  cmd: [sh, '-c']\n",
          "[{\"pipeline\":{\"name\":\"edges\"},\"transform\":{\"cmd\":[\"sh\",\"-c\"]}}]" },
        { "- true\n- True\n- false\n- yes\n- 'true'\n", "[[true,true,false,\"yes\",\"true\"]]" },
        { "- 1\n- -1\n- +1\n- 007\n- 0x1F\n- 0o17\n- 12345678901234567890\n",
          "[[1,-1,1,7,31,15,12345678901234567890]]" },
        { "- 1.50\n- .5\n- 1.\n- 1e3\n- 01.5\n- -.5e-1\n", "[[1.50,0.5,1,1e3,1.5,-0.5e-1]]" },
        { "- .inf\n- -.INF\n- .nan\n- .\n- 1.2.3\n- 0x\n- 1e\n",
          "[[\"Infinity\",\"-Infinity\",\"NaN\",\".\",\"1.2.3\",\"0x\",\"1e\"]]" },
        { "- ~\n- null\n-\n- ''\n- \"null\"\n", "[[null,null,null,\"\",\"null\"]]" },
        { "- !!str 12\n- !!int \"12\"\n- ! 12\n- !!float 1\n", "[[\"12\",12,\"12\",1]]" },
        { "a: |\n  x\n  y\nb: >-\n  x\n  y\n", "[{\"a\":\"x\\ny\\n\",\"b\":\"x y\"}]" },
        { "1: a\ntrue: b\n", "[{\"1\":\"a\",\"true\":\"b\"}]" },
        { "a: &x [1]\nb: *x\n", "[{\"a\":[1],\"b\":[1]}]" },
        { "{\"a\": 1}{\"b\":[2]}", "[{\"a\":1},{\"b\":[2]}]" },
        { " {a: 1, b: [x]}", "[{\"a\":1,\"b\":[\"x\"]}]" }, /* of the flow style, no JSON */
        { "{\"a\":1}\n---\n{\"b\":2}\n", "[{\"a\":1},{\"b\":2}]" },
        { "2024-01-02", "[\"2024-01-02\"]" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("case %zu", i);
        assert_string_equal(as_json(cases[i].yaml), cases[i].json);
    }
}

static void errors_say_where(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        { "a: 1\nb: [1\n", "spec.yaml: line 3, column 1: did not find expected ',' or ']' while "
                           "parsing a flow sequence" },
        { "a: 1\na: 2\n", "spec.yaml: line 2, column 1: duplicate field \"a\"" },
        { "a: *x\n", "spec.yaml: line 1, column 4: undefined alias \"x\"" },
        { "a: &x [*x]\n", "spec.yaml: line 1, column 8: undefined alias \"x\"" },
        { "? [a]\n: b\n", "spec.yaml: line 1, column 3: a key must be plain text" },
        { "a: !foo 1\n", "spec.yaml: line 1, column 4: unsupported tag \"!foo\" on \"1\"" },
        { "a: !!int x\n", "unsupported tag \"tag:yaml.org,2002:int\" on \"x\"" },
        { "a: \xff\n", "spec.yaml: byte 3: invalid leading UTF-8 octet" },
        { "\ta: 1\n", "spec.yaml: line 1, column 1: found character that cannot start any token" },
        { "{\"a\": 1,\n \"b\": x y z]}",
          "spec.yaml: line 2, column 7: unexpected token x, expected a value" },
        { "{\"a\":1,\"a\":2}", "spec.yaml: line 1, column 8: duplicate field \"a\"" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        JsonValue **docs;
        size_t count;
        say_case("case %zu", i);
        assert_fails(yaml_parse_all(&ctx, str(cases[i].yaml), "spec.yaml", &docs, &count),
                     INVALID_ARGUMENT, cases[i].message);
    }
}

/* Nine levels of nine aliases would be a billion values. */
static void aliases_do_not_explode(void **state)
{
    (void)state;
    Buf text = { 0 };
    buf_add_str(&text, STR("a0: &a0 [x,x,x,x,x,x,x,x,x]\n"));
    for (int i = 1; i < 10; i++) {
        buf_printf(&text, "a%d: &a%d [", i, i);
        for (int j = 0; j < 9; j++)
            buf_printf(&text, "*a%d,", i - 1);
        buf_add_str(&text, STR("]\n"));
    }
    JsonValue **docs;
    size_t count;
    Status s = yaml_parse_all(&ctx, buf_str(&text), NULL, &docs, &count);
    buf_done(&text);
    assert_fails(s, INVALID_ARGUMENT, "aliases stand for more than 200000 values");
}

static void depth_is_limited(void **state)
{
    (void)state;
    char text[2 * JSON_DEPTH_MAX] = { 0 };
    memset(text, '[', JSON_DEPTH_MAX + 1);
    JsonValue **docs;
    size_t count;
    assert_fails(yaml_parse_all(&ctx, str(text), NULL, &docs, &count), INVALID_ARGUMENT,
                 "within each other");
    text[0] = '-';
    text[1] = ' ';
    assert_fails(yaml_parse_all(&ctx, str(text), NULL, &docs, &count), INVALID_ARGUMENT, "line ");
}

static void values_know_their_place(void **state)
{
    (void)state;
    JsonValue **docs;
    size_t count;
    assert_ok(yaml_parse_all(&ctx, STR("a:\n  é: x\n  b: 1\n"), NULL, &docs, &count));
    const JsonMember *b = &json_get(docs[0], "a")->members[1];
    assert_int_equal(b->pos.line, 3);
    assert_int_equal(b->pos.column, 3);
    assert_int_equal(b->value->pos.column, 6);
}

static void writes_yaml(void **state)
{
    (void)state;
    static const struct {
        const char *json, *yaml;
    } cases[] = {
        { "{\"a\":1,\"b\":[\"x\",{\"c\":null}],\"d\":{}}", "a: 1\nb:\n- x\n- c: null\nd: {}\n" },
        { "[\"true\",\"12\",\"\",\"null\",\"no\",\"~\",\".inf\"]",
          "- \"true\"\n- \"12\"\n- \"\"\n- \"null\"\n- \"no\"\n- \"~\"\n- \".inf\"\n" },
        { "{\"s\":\"a\\nb\\n\"}", "s: |\n  a\n  b\n" },
        { "[\"- x\",\"a: b\",\"#c\",\"é\",1.50,true]",
          "- '- x'\n- 'a: b'\n- '#c'\n- é\n- 1.50\n- true\n" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        JsonValue *value;
        Buf out = { 0 };
        assert_ok(json_parse(&ctx, str(cases[i].json), &value));
        assert_ok(yaml_write(&ctx, value, &out));
        const char *text = str_z(ctx.arena, buf_str(&out));
        buf_done(&out);
        assert_string_equal(text, cases[i].yaml);
        assert_string_equal(as_json(text), text_printf(ctx.arena, "[%s]", cases[i].json));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_yaml),
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(aliases_do_not_explode),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(values_know_their_place),
        cmocka_unit_test(writes_yaml),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
