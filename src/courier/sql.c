/* sql.c - files loaded into tables, in one transaction. What is specific to a database is behind
 * SqlOps, what is specific to a format in rows.c. */
#include "courier/sql.h"

#include <stdlib.h>

typedef struct Load {
    Transfer *transfer;
    const SqlOps *ops;
    void *db;
    bool is_json;
    const char **columns; /* [column_count], of the request */
    size_t column_count;
    JsonValue *tables; /* rows by table, of those that were emptied */
    Buf table;         /* the one being written; empty: none */
    const char *file;
    int64_t rows; /* of it so far */
    Arena *arena; /* of what belongs to this table: */
    RowShape shape;
    RowReader *reader; /* of the current file */
} Load;

static const struct {
    const char *scheme;
    const SqlOps *ops;
} databases[] = { { "postgres", &sql_postgres }, { "mysql", &sql_mysql } };

static void load_done(Load *load)
{
    row_reader_free(load->reader);
    if (load->db)
        load->ops->close(load->db);
    buf_done(&load->table);
    arena_free(load->arena);
}

static Status load_open(Load *load)
{
    Transfer *transfer = load->transfer;
    Ctx *ctx = transfer->ctx;
    const JsonValue *columns = json_get(transfer->request, "columns");
    RemoteDbUrl url;
    TRY(remote_db_url_parse(ctx, transfer->url, &url));
    for (size_t i = 0; i < ARRAY_LEN(databases); i++)
        if (strcmp(databases[i].scheme, url.scheme) == 0)
            load->ops = databases[i].ops;
    load->is_json = str_eq_c(json_text(json_get(transfer->request, "format")), "json");
    load->tables = json_object(ctx->arena);
    load->arena = arena_new(0);
    load->columns = ARENA_NEW(ctx->arena, const char *, columns->count + 1);
    if (!load->columns)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < columns->count; i++)
        load->columns[load->column_count++] = str_z(ctx->arena, json_text(columns->items[i]));
    Str password = json_text(json_get(transfer->request, "password"));
    const char *given = password.size ? str_z(ctx->arena, password) : url.password;
    return load->ops->open(transfer, &url, given, &load->db);
}

/* --- tables and files ------------------------------------------------------------------------- */

static Status take_row(void *arg, Ctx *ctx, const Str *values, size_t n)
{
    Load *load = arg;
    (void)ctx;
    load->rows++;
    return load->ops->row(load->transfer, load->db, values, n);
}

/* An error of the file's rows says which file it is. */
static Status in_file(const Load *load, Status s)
{
    return status_ok(s) ? OK : status_wrap(load->transfer->ctx, s, "file '%s'", load->file);
}

static Status end_file(Load *load)
{
    if (!load->reader)
        return OK;
    TRY(in_file(load, row_reader_finish(load->transfer->ctx, load->reader)));
    load->reader = row_reader_free(load->reader);
    return OK;
}

static Status end_table(Load *load)
{
    Ctx *ctx = load->transfer->ctx;
    TRY(end_file(load));
    if (!load->table.size)
        return OK;
    TRY(in_file(load, load->ops->end(load->transfer, load->db)));
    json_set(ctx->arena, load->tables, buf_str(&load->table), json_i64(ctx->arena, load->rows));
    buf_clear(&load->table);
    return OK;
}

static bool has(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* What rows of this table look like: the columns asked for, else all of them. */
static Status shape_of(Load *load, Str table)
{
    Ctx *ctx = load->transfer->ctx;
    const char **all = NULL;
    size_t n = 0;
    TRY(load->ops->columns(load->transfer, load->db, table, &all, &n));
    for (size_t i = 0; i < load->column_count; i++)
        if (!has(all, n, load->columns[i]))
            return FAIL(ctx, INVALID_ARGUMENT, "table '" STR_FMT "' has no column '%s'",
                        STR_ARG(table), load->columns[i]);
    bool chosen = load->column_count > 0;
    load->shape = (RowShape){ .is_json = load->is_json,
                              .header = chosen,
                              .names = chosen ? load->columns : all,
                              .n = chosen ? load->column_count : n };
    return OK;
}

/* A table that comes back after another one goes on where it was. */
static Status begin_table(Load *load, Str table)
{
    Transfer *transfer = load->transfer;
    TRY(end_table(load));
    const JsonValue *before = json_get_str(load->tables, table);
    load->rows = 0;
    if (before)
        str_to_i64(json_text(before), &load->rows);
    TRY(shape_of(load, table));
    if (!before)
        TRY(load->ops->empty(transfer, load->db, table));
    TRY(load->ops->begin(transfer, load->db, table, load->shape.names, load->shape.n));
    buf_add_str(&load->table, table);
    return OK;
}

static Status begin_file(Load *load, Bytes data)
{
    Ctx *ctx = load->transfer->ctx;
    JsonValue *what;
    char *text = arena_memdup(ctx->arena, data.data, data.size);
    TRY(end_file(load));
    TRY(json_parse(ctx, (Str){ text, data.size }, &what));
    Str table = json_text(json_get(what, "table"));
    load->file = str_z(ctx->arena, json_text(json_get(what, "file")));
    if (!str_eq(table, buf_str(&load->table)))
        TRY(in_file(load, begin_table(load, table)));
    load->reader = row_reader_new(&load->shape, take_row, load);
    return OK;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* The answer is made before the commit: a failure after it would be a lie. */
static Status finish(Load *load)
{
    Transfer *transfer = load->transfer;
    TRY(end_table(load));
    Str answer = json_print(transfer->ctx->arena, load->tables, (JsonStyle){ 0 });
    if (answer.size >= REMOTE_PACKET_BYTES)
        return FAIL(transfer->ctx, RESOURCE_EXHAUSTED, "there are too many tables");
    TRY(load->ops->commit(transfer, load->db));
    return transfer_say(transfer, REMOTE_SAY_DONE, str_bytes(answer));
}

static Status load_all(Load *load)
{
    Transfer *transfer = load->transfer;
    TRY(load_open(load));
    for (;;) {
        RemoteSay kind;
        Bytes data;
        TRY(transfer_hear(transfer, &kind, &data));
        if (kind == REMOTE_SAY_END)
            return finish(load);
        if (kind == REMOTE_SAY_TABLE)
            TRY(begin_file(load, data));
        else if (load->reader)
            TRY(in_file(load, row_reader_feed(transfer->ctx, load->reader, data)));
    }
}

Status sql_load(Transfer *transfer)
{
    CLEANUP(load_done) Load load = { .transfer = transfer };
    Status s = load_all(&load);
    if (status_ok(s) || s.code == STATUS_CANCELLED)
        return s;
    return status_wrap(transfer->ctx, s, "error loading \"%s\"", transfer->shown);
}
