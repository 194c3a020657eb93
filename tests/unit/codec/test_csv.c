/* Rows come out the same however the bytes come in. */
#include "testing.h"

#include "codec/csv.h"

static Status add_row(void *arg, Ctx *ctx, const Str *fields, size_t n, uint64_t line)
{
    (void)ctx;
    buf_printf(arg, "%llu", (unsigned long long)line);
    for (size_t i = 0; i < n; i++)
        buf_printf(arg, "[" STR_FMT "]", STR_ARG(fields[i]));
    return OK;
}

/* The rows of a text fed `step` bytes at a time; a message where it is refused. */
static void read_rows(const char *text, size_t step, Buf *out)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    CLEANUP(csv_reader_freep) CsvReader *reader = csv_reader_new(add_row, out);
    Status s = OK;
    for (Str rest = str(text); rest.size && status_ok(s); rest = str_sub(rest, step, rest.size))
        s = csv_reader_feed(&ctx, reader, str_bytes(str_sub(rest, 0, step)));
    if (status_ok(s))
        s = csv_reader_finish(&ctx, reader);
    if (!status_ok(s))
        buf_printf(out, "%s", status_message(s));
}

static void reads(void **state)
{
    (void)state;
    static const struct {
        const char *text, *rows;
    } cases[] = {
        { "", "" },
        { "\n\r\n", "" },
        { "a", "1[a]" },
        { "a,b\nc,d\n", "1[a][b]2[c][d]" },
        { "a,b\r\nc,d\r\n", "1[a][b]2[c][d]" },
        { ",\n", "1[][]" },
        { "\n\na\n", "3[a]" },
        { "\"a,b\"\n\"c\"\"d\"\n\"\"\n", "1[a,b]2[c\"d]3[]" },
        { "\"a\nb\",c\nd,e", "1[a\nb][c]3[d][e]" },
        { "\"a\r\n\",b\r\n", "1[a\r\n][b]" },
        { "\xef\xbb\xbf"
          "a\n",
          "1[a]" },
        { "\xef\xbb"
          "a\n",
          "1[\xef\xbb"
          "a]" },
        { " a , b \n", "1[ a ][ b ]" },
        { "a\"b\n", "line 1: a quote stands in a field that is not quoted" },
        { "a\n\"b\"c\n", "1[a]line 2: something follows a quoted field" },
        { "a\n\"b\nc", "1[a]line 3: a quoted field is not ended" },
        { "a\rb\n", "line 1: a carriage return stands within a row" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t step = 1; step < 4; step++) {
            say_case("case %zu by %zu", i, step);
            CLEANUP(buf_done) Buf rows = { 0 };
            read_rows(cases[i].text, step, &rows);
            buf_add_u8(&rows, '\0');
            assert_string_equal((const char *)rows.data, cases[i].rows);
        }
    }
}

static void refuses_what_grows_without_bound(void **state)
{
    (void)state;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    CLEANUP(buf_done) Buf rows = { 0 };
    CLEANUP(buf_done) Buf text = { 0 };
    buf_reserve(&text, CSV_ROW_BYTES_MAX + 1);
    memset(text.data, 'x', CSV_ROW_BYTES_MAX + 1);
    text.size = CSV_ROW_BYTES_MAX + 1;
    CsvReader *reader = csv_reader_new(add_row, &rows);
    assert_int_equal(csv_reader_feed(&ctx, reader, buf_bytes(&text)).code, STATUS_INVALID_ARGUMENT);
    csv_reader_free(reader);
    memset(text.data, ',', CSV_ROW_FIELDS_MAX + 1);
    text.size = CSV_ROW_FIELDS_MAX + 1;
    reader = csv_reader_new(add_row, &rows);
    assert_int_equal(csv_reader_feed(&ctx, reader, buf_bytes(&text)).code, STATUS_INVALID_ARGUMENT);
    csv_reader_free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(refuses_what_grows_without_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
