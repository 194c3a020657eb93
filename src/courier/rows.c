/* rows.c - rows of values from CSV and from JSON objects that follow one another. */
#include <stdlib.h>

#include "codec/csv.h"
#include "codec/json.h"
#include "courier/sql.h"

#define OBJECT_BYTES_MAX (16 * MiB)

struct RowReader {
    const RowShape *shape;
    RowFn fn;
    void *arg;
    CsvReader *csv;
    size_t *place; /* [shape->n], CSV: which field is which name; NULL before the header */
    /* JSON: the object that is coming in. */
    Buf object;
    unsigned depth;
    bool in_string, escaped;
    uint64_t count;
};

/* --- CSV -------------------------------------------------------------------------------------- */

static size_t find(const Str *fields, size_t n, const char *name)
{
    size_t i = 0;
    while (i < n && !str_eq_c(fields[i], name))
        i++;
    return i;
}

static Status take_header(RowReader *reader, Ctx *ctx, const Str *fields, size_t n, uint64_t line)
{
    const RowShape *shape = reader->shape;
    reader->place = calloc(shape->n, sizeof(*reader->place));
    if (!reader->place)
        return STATUS(RESOURCE_EXHAUSTED);
    if (n != shape->n)
        return FAIL(ctx, INVALID_ARGUMENT, "line %llu: the header has %zu columns, not %zu",
                    (unsigned long long)line, n, shape->n);
    for (size_t i = 0; i < n; i++) {
        reader->place[i] = find(fields, n, shape->names[i]);
        if (reader->place[i] == n)
            return FAIL(ctx, INVALID_ARGUMENT, "line %llu: the header has no column '%s'",
                        (unsigned long long)line, shape->names[i]);
    }
    return OK;
}

static Status take_fields(void *arg, Ctx *ctx, const Str *fields, size_t n, uint64_t line)
{
    RowReader *reader = arg;
    const RowShape *shape = reader->shape;
    if (shape->header && !reader->place)
        return take_header(reader, ctx, fields, n, line);
    if (n != shape->n)
        return FAIL(ctx, INVALID_ARGUMENT, "line %llu: the row has %zu fields, not %zu",
                    (unsigned long long)line, n, shape->n);
    Str *values = ARENA_NEW(ctx->arena, Str, n);
    if (!values)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < n; i++) {
        Str field = fields[reader->place ? reader->place[i] : i];
        values[i] = field.size ? field : (Str){ NULL, 0 };
    }
    Status s = reader->fn(reader->arg, ctx, values, n);
    return status_ok(s) ? OK : status_wrap(ctx, s, "line %llu", (unsigned long long)line);
}

/* --- JSON ------------------------------------------------------------------------------------- */

/* As a text that the database converts to the column's type. */
static Str value_text(Ctx *ctx, const JsonValue *value)
{
    if (!value || value->type == JSON_NULL)
        return (Str){ NULL, 0 };
    if (value->type == JSON_BOOL)
        return str(value->boolean ? "true" : "false");
    if (value->type == JSON_STRING || value->type == JSON_NUMBER)
        return value->text.size ? value->text : STR("");
    return json_print(ctx->arena, value, (JsonStyle){ 0 });
}

static Status give_object(RowReader *reader, Ctx *ctx)
{
    const RowShape *shape = reader->shape;
    ArenaMark mark = arena_mark(ctx->arena);
    JsonValue *object;
    reader->count++;
    TRY_WRAP(ctx, json_parse(ctx, buf_str(&reader->object), &object), "object %llu",
             (unsigned long long)reader->count);
    Str *values = ARENA_NEW(ctx->arena, Str, shape->n);
    if (!values)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < shape->n; i++)
        values[i] = value_text(ctx, json_get(object, shape->names[i]));
    TRY_WRAP(ctx, reader->fn(reader->arg, ctx, values, shape->n), "object %llu",
             (unsigned long long)reader->count);
    arena_rewind(ctx->arena, mark);
    buf_clear(&reader->object);
    return OK;
}

/* Follows strings and braces, so that the end of an object is known; the parser sees the rest. */
static void follow(RowReader *reader, uint8_t c)
{
    if (reader->in_string) {
        reader->in_string = reader->escaped || c != '"';
        reader->escaped = !reader->escaped && c == '\\';
        return;
    }
    reader->in_string = c == '"';
    reader->depth += c == '{';
    reader->depth -= c == '}';
}

static Status take_byte(RowReader *reader, Ctx *ctx, uint8_t c)
{
    if (!reader->depth && memchr(" \t\r\n", c, 4))
        return OK;
    if (!reader->depth && c != '{')
        return FAIL(ctx, INVALID_ARGUMENT, "object %llu: expected '{', not '%c'",
                    (unsigned long long)reader->count + 1, c >= ' ' && c < 0x7f ? c : '?');
    if (reader->object.size >= OBJECT_BYTES_MAX)
        return FAIL(ctx, INVALID_ARGUMENT, "object %llu is too long",
                    (unsigned long long)reader->count + 1);
    buf_add_u8(&reader->object, c);
    follow(reader, c);
    return reader->depth ? OK : give_object(reader, ctx);
}

static Status feed_json(Ctx *ctx, RowReader *reader, Bytes piece)
{
    for (size_t i = 0; i < piece.size; i++)
        TRY(take_byte(reader, ctx, piece.data[i]));
    return OK;
}

/* --- both ------------------------------------------------------------------------------------- */

RowReader *row_reader_new(const RowShape *shape, RowFn fn, void *arg)
{
    RowReader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        abort();
    *reader = (RowReader){ .shape = shape, .fn = fn, .arg = arg };
    if (!shape->is_json)
        reader->csv = csv_reader_new(take_fields, reader);
    return reader;
}

RowReader *row_reader_free(RowReader *reader)
{
    if (!reader)
        return NULL;
    csv_reader_free(reader->csv);
    buf_done(&reader->object);
    free(reader->place);
    free(reader);
    return NULL;
}

Status row_reader_feed(Ctx *ctx, RowReader *reader, Bytes piece)
{
    return reader->csv ? csv_reader_feed(ctx, reader->csv, piece) : feed_json(ctx, reader, piece);
}

Status row_reader_finish(Ctx *ctx, RowReader *reader)
{
    if (reader->csv)
        return csv_reader_finish(ctx, reader->csv);
    return reader->depth ? FAIL(ctx, INVALID_ARGUMENT, "object %llu is not ended",
                                (unsigned long long)reader->count + 1)
                         : OK;
}
