/* csv.c - see csv.h. A machine of six states; `row` has the fields of the row so far, one
 * after the other, and `ends` where each one ends. */
#include "codec/csv.h"

#include <stdlib.h>

#define MARK_BYTES 3

typedef enum State {
    AT_ROW,   /* before a row */
    AT_FIELD, /* before a field */
    IN_PLAIN,
    IN_QUOTED,
    AT_QUOTE, /* after a quote in a quoted field: its end, or the first of two */
    AT_CR,    /* after a CR that must end the row */
} State;

struct CsvReader {
    CsvRowFn fn;
    void *arg;
    State state;
    uint64_t line, row_line; /* of the next byte, of the row's first */
    Buf row;
    size_t ends[CSV_ROW_FIELDS_MAX];
    size_t n;
    size_t mark; /* bytes of a byte order mark that were met; MARK_BYTES: it is past */
};

CsvReader *csv_reader_new(CsvRowFn fn, void *arg)
{
    CsvReader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        abort();
    reader->fn = fn;
    reader->arg = arg;
    reader->line = 1;
    return reader;
}

CsvReader *csv_reader_free(CsvReader *reader)
{
    if (reader)
        buf_done(&reader->row);
    free(reader);
    return NULL;
}

static Status wrong(Ctx *ctx, const CsvReader *reader, const char *what)
{
    return FAIL(ctx, INVALID_ARGUMENT, "line %llu: %s", (unsigned long long)reader->line, what);
}

static Status end_field(Ctx *ctx, CsvReader *reader)
{
    if (reader->n == CSV_ROW_FIELDS_MAX)
        return wrong(ctx, reader, "the row has too many fields");
    reader->ends[reader->n++] = reader->row.size;
    reader->state = AT_FIELD;
    return OK;
}

static Status end_row(Ctx *ctx, CsvReader *reader)
{
    TRY(end_field(ctx, reader));
    ArenaMark mark = arena_mark(ctx->arena);
    Str *fields = ARENA_NEW(ctx->arena, Str, reader->n);
    if (!fields)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0, from = 0; i < reader->n; from = reader->ends[i++])
        fields[i] = str_sub(buf_str(&reader->row), from, reader->ends[i]);
    TRY(reader->fn(reader->arg, ctx, fields, reader->n, reader->row_line));
    arena_rewind(ctx->arena, mark);
    buf_clear(&reader->row);
    reader->n = 0;
    reader->state = AT_ROW;
    return OK;
}

static Status keep(Ctx *ctx, CsvReader *reader, uint8_t c, State state)
{
    if (reader->row.size >= CSV_ROW_BYTES_MAX)
        return wrong(ctx, reader, "the row is too long");
    buf_add_u8(&reader->row, c);
    reader->state = state;
    return OK;
}

/* What ends a field, or else is a part of an unquoted one. */
static Status plain(Ctx *ctx, CsvReader *reader, uint8_t c)
{
    if (c == '\n')
        return end_row(ctx, reader);
    if (c == ',')
        return end_field(ctx, reader);
    if (c == '"')
        return wrong(ctx, reader, "a quote stands in a field that is not quoted");
    if (c == '\r') {
        reader->state = AT_CR;
        return OK;
    }
    return keep(ctx, reader, c, IN_PLAIN);
}

static Status at_field(Ctx *ctx, CsvReader *reader, uint8_t c)
{
    if (c != '"')
        return plain(ctx, reader, c);
    reader->state = IN_QUOTED;
    return OK;
}

static Status at_quote(Ctx *ctx, CsvReader *reader, uint8_t c)
{
    if (c == '"')
        return keep(ctx, reader, c, IN_QUOTED);
    if (c != ',' && c != '\n' && c != '\r')
        return wrong(ctx, reader, "something follows a quoted field");
    return plain(ctx, reader, c);
}

/* A CR that ends no row is a part of a field. */
static Status at_cr(Ctx *ctx, CsvReader *reader, uint8_t c)
{
    if (c != '\n')
        return wrong(ctx, reader, "a carriage return stands within a row");
    return end_row(ctx, reader);
}

static Status step(Ctx *ctx, CsvReader *reader, uint8_t c)
{
    switch (reader->state) {
    case AT_ROW:
        if (c == '\n' || c == '\r')
            return OK;
        reader->row_line = reader->line;
        return at_field(ctx, reader, c);
    case AT_FIELD:
        return at_field(ctx, reader, c);
    case IN_QUOTED:
        if (c == '"') {
            reader->state = AT_QUOTE;
            return OK;
        }
        return keep(ctx, reader, c, IN_QUOTED);
    case AT_QUOTE:
        return at_quote(ctx, reader, c);
    case AT_CR:
        return at_cr(ctx, reader, c);
    case IN_PLAIN:
    default:
        return plain(ctx, reader, c);
    }
}

static Status take(Ctx *ctx, CsvReader *reader, uint8_t c)
{
    TRY(step(ctx, reader, c));
    reader->line += c == '\n';
    return OK;
}

/* Bytes that begin the stream as a byte order mark does are held back until it is known to be
 * one. */
static Status take_first(Ctx *ctx, CsvReader *reader, uint8_t c)
{
    static const uint8_t mark[MARK_BYTES] = { 0xef, 0xbb, 0xbf };
    if (c == mark[reader->mark]) {
        reader->mark++;
        return OK;
    }
    size_t held = reader->mark;
    reader->mark = MARK_BYTES;
    for (size_t i = 0; i < held; i++)
        TRY(take(ctx, reader, mark[i]));
    return take(ctx, reader, c);
}

Status csv_reader_feed(Ctx *ctx, CsvReader *reader, Bytes piece)
{
    for (size_t i = 0; i < piece.size; i++) {
        uint8_t c = piece.data[i];
        TRY(reader->mark < MARK_BYTES ? take_first(ctx, reader, c) : take(ctx, reader, c));
    }
    return OK;
}

Status csv_reader_finish(Ctx *ctx, CsvReader *reader)
{
    if (reader->state == IN_QUOTED)
        return wrong(ctx, reader, "a quoted field is not ended");
    return reader->state == AT_ROW ? OK : end_row(ctx, reader);
}
