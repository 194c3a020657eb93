/* The rows of files, as they go to a database. */
#include "testing.h"

#include "courier/sql.h"

static const char *const names[] = { "id", "name" };

static Status add_row(void *arg, Ctx *ctx, const Str *values, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        buf_printf(arg, "[" STR_FMT "]", STR_ARG(values[i].data ? values[i] : STR("NULL")));
    return OK;
}

static void rows_of(const RowShape *shape, const char *text, size_t step, Buf *out)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    RowReader *reader = row_reader_new(shape, add_row, out);
    Status s = OK;
    for (Str rest = str(text); rest.size && status_ok(s); rest = str_sub(rest, step, rest.size))
        s = row_reader_feed(&ctx, reader, str_bytes(str_sub(rest, 0, step)));
    if (status_ok(s))
        s = row_reader_finish(&ctx, reader);
    if (!status_ok(s))
        buf_printf(out, "%s", status_message(s));
    row_reader_free(reader);
    buf_add_u8(out, '\0');
}

typedef struct Case {
    const char *text, *rows;
} Case;

static void check(const RowShape *shape, const Case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t step = 1; step < 40; step += 19) {
            say_case("case %zu by %zu", i, step);
            CLEANUP(buf_done) Buf rows = { 0 };
            rows_of(shape, cases[i].text, step, &rows);
            assert_string_equal((const char *)rows.data, cases[i].rows);
        }
    }
}

static void csv_without_a_header(void **state)
{
    (void)state;
    static const Case cases[] = {
        { "", "" },
        { "1,a\n2,\n", "[1][a][2][NULL]" },
        { "1,a,x\n", "line 1: the row has 3 fields, not 2" },
        { "1,a\n1\n", "[1][a]line 2: the row has 1 fields, not 2" },
    };
    const RowShape shape = { .names = names, .n = 2 };
    check(&shape, cases, ARRAY_LEN(cases));
}

static void csv_with_a_header(void **state)
{
    (void)state;
    static const Case cases[] = {
        { "id,name\n1,a\n", "[1][a]" },
        { "name,id\na,1\n,2\n", "[1][a][2][NULL]" },
        { "name\na\n", "line 1: the header has 1 columns, not 2" },
        { "name,ID\na,1\n", "line 1: the header has no column 'id'" },
        { "id,id\n1,1\n", "line 1: the header has no column 'name'" },
    };
    const RowShape shape = { .header = true, .names = names, .n = 2 };
    check(&shape, cases, ARRAY_LEN(cases));
}

static void json_objects(void **state)
{
    (void)state;
    static const Case cases[] = {
        { "", "" },
        { "{\"id\":1,\"name\":\"a\"}", "[1][a]" },
        { "{\"name\":\"\",\"id\":1.50} {\"id\":null}\n{}", "[1.50][][NULL][NULL][NULL][NULL]" },
        { "{\"id\":true,\"name\":{\"x\":[1,\"}\"]},\"z\":0}", "[true][{\"x\":[1,\"}\"]}]" },
        { "{\"id\":\"}\\\"{\",\"name\":\"\\u00e9\"}", "[}\"{][\xc3\xa9]" },
        { "{\"id\":1}[1]", "[1][NULL]object 2: expected '{', not '['" },
        { "{\"id\":1", "object 1 is not ended" },
        { "{id:1}", "" },
    };
    const RowShape shape = { .is_json = true, .names = names, .n = 2 };
    check(&shape, cases, ARRAY_LEN(cases) - 1);
    CLEANUP(buf_done) Buf rows = { 0 }; /* the words are the parser's */
    rows_of(&shape, cases[ARRAY_LEN(cases) - 1].text, 1, &rows);
    assert_true(str_starts(buf_str(&rows), STR("object 1: line 1, column 2: ")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_without_a_header),
        cmocka_unit_test(csv_with_a_header),
        cmocka_unit_test(json_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
