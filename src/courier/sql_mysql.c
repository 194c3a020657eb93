/* sql_mysql.c - MySQL and MariaDB: rows go in by INSERTs of many, in the strict mode in which a
 * text that is no value of its column is an error. */
#include <mysql.h>
#include <stdlib.h>

#include "base/text.h"
#include "courier/sql.h"

#define INSERT_BYTES    (512 * KiB) /* servers take at least a MiB */
#define CONNECT_SECONDS 10

typedef struct Mysql {
    MYSQL *connection;
    Buf insert;  /* the statement that is being made; empty: none */
    Buf heading; /* "INSERT INTO `t` (`a`) VALUES " */
} Mysql;

/* Mistakes in rows are the data's; a connection that is lost may come back. */
static Status failed(Ctx *ctx, const Mysql *db)
{
    unsigned error = mysql_errno(db->connection);
    const char *state = mysql_sqlstate(db->connection);
    bool is_data = strncmp(state, "22", 2) == 0 || strncmp(state, "01", 2) == 0;
    StatusCode code = error >= 2000 && error < 3000 ? STATUS_UNAVAILABLE /* the client library's */
                      : is_data                     ? STATUS_INVALID_ARGUMENT
                                                    : STATUS_UNKNOWN;
    return status_new(ctx, code, "%s", mysql_error(db->connection));
}

static Status run(Ctx *ctx, const Mysql *db, Str sql)
{
    return mysql_real_query(db->connection, sql.data, sql.size) ? failed(ctx, db) : OK;
}

static void close_db(void *arg)
{
    Mysql *db = arg;
    mysql_close(db->connection);
    buf_done(&db->insert);
    buf_done(&db->heading);
    free(db);
}

static Status set_params(Ctx *ctx, const RemoteDbUrl *url)
{
    Str rest = str(url->params);
    const char *name, *value;
    if (remote_param_next(ctx, &rest, &name, &value))
        return FAIL(ctx, INVALID_ARGUMENT, "its parameter '%s' is not allowed", name);
    return OK;
}

static Status open_db(Transfer *transfer, const RemoteDbUrl *url, const char *password, void **out)
{
    Ctx *ctx = transfer->ctx;
    const unsigned timeout = CONNECT_SECONDS;
    const char *address;
    int64_t port = 0;
    TRY(set_params(ctx, url));
    TRY(host_resolve(ctx, transfer->hosts, url->host, &address));
    str_to_i64(str(url->port), &port);
    Mysql *db = calloc(1, sizeof(*db));
    if (!db)
        abort();
    *out = db;
    db->connection = mysql_init(NULL);
    mysql_options(db->connection, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
    mysql_options(db->connection, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (!mysql_real_connect(db->connection, address, url->user, password, url->name, (unsigned)port,
                            NULL, 0))
        return failed(ctx, db);
    TRY(run(ctx, db,
            STR("SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,"
                "NO_ZERO_DATE,NO_ZERO_IN_DATE'")));
    return run(ctx, db, STR("START TRANSACTION"));
}

/* --- tables ----------------------------------------------------------------------------------- */

static void add_quoted(Buf *out, Str name)
{
    buf_add_u8(out, '`');
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] == '`')
            buf_add_u8(out, '`');
        buf_add_u8(out, (uint8_t)name.data[i]);
    }
    buf_add_u8(out, '`');
}

static const char *quoted(Ctx *ctx, Str name)
{
    Buf text = { 0 };
    add_quoted(&text, name);
    const char *copy = str_z(ctx->arena, buf_str(&text));
    buf_done(&text);
    return copy;
}

static void add_literal(const Mysql *db, Buf *out, Str text)
{
    buf_add_u8(out, '\'');
    buf_reserve(out, 2 * text.size + 1);
    out->size += mysql_real_escape_string(db->connection, (char *)out->data + out->size, text.data,
                                          text.size);
    buf_add_u8(out, '\'');
}

/* The rows of a query about a table of this database; to be freed by the caller. */
static Status ask(Ctx *ctx, const Mysql *db, const char *query, Str table, MYSQL_RES **out)
{
    Buf sql = { 0 };
    buf_printf(&sql, "%s", query);
    add_literal(db, &sql, table);
    buf_printf(&sql, " ORDER BY 2");
    Status s = run(ctx, db, buf_str(&sql));
    buf_done(&sql);
    TRY(s);
    *out = mysql_store_result(db->connection);
    return *out ? OK : failed(ctx, db);
}

/* A table that cannot roll back cannot be replaced whole or not at all. */
static Status check_engine(Ctx *ctx, const Mysql *db, Str table)
{
    MYSQL_RES *rows;
    TRY(ask(ctx, db,
            "SELECT e.transactions, 1 FROM information_schema.tables t JOIN "
            "information_schema.engines e ON e.engine = t.engine WHERE t.table_schema = DATABASE() "
            "AND t.table_name = ",
            table, &rows));
    MYSQL_ROW row = mysql_fetch_row(rows);
    bool is_there = row != NULL, has_transactions = row && row[0] && strcmp(row[0], "YES") == 0;
    mysql_free_result(rows);
    if (!is_there)
        return FAIL(ctx, NOT_FOUND, "table '" STR_FMT "' does not exist", STR_ARG(table));
    return has_transactions
               ? OK
               : FAIL(ctx, FAILED_PRECONDITION,
                      "table '" STR_FMT "' has an engine without transactions", STR_ARG(table));
}

static Status columns_of(Transfer *transfer, void *arg, Str table, const char ***out, size_t *out_n)
{
    Ctx *ctx = transfer->ctx;
    MYSQL_RES *rows;
    TRY(check_engine(ctx, arg, table));
    TRY(ask(ctx, arg,
            "SELECT column_name, ordinal_position FROM information_schema.columns WHERE "
            "extra NOT LIKE '%GENERATED%' AND table_schema = DATABASE() AND table_name = ",
            table, &rows));
    *out_n = (size_t)mysql_num_rows(rows);
    *out = ARENA_NEW(ctx->arena, const char *, *out_n + 1);
    MYSQL_ROW row;
    for (size_t i = 0; *out && (row = mysql_fetch_row(rows)); i++)
        (*out)[i] = arena_strdup(ctx->arena, row[0]);
    mysql_free_result(rows);
    return *out ? OK : STATUS(RESOURCE_EXHAUSTED);
}

static Status empty(Transfer *transfer, void *arg, Str table)
{
    Ctx *ctx = transfer->ctx;
    return run(ctx, arg, str(text_printf(ctx->arena, "DELETE FROM %s", quoted(ctx, table))));
}

static Status begin(Transfer *transfer, void *arg, Str table, const char *const *columns, size_t n)
{
    Mysql *db = arg;
    buf_clear(&db->heading);
    buf_printf(&db->heading, "INSERT INTO %s (", quoted(transfer->ctx, table));
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add_u8(&db->heading, ',');
        add_quoted(&db->heading, str(columns[i]));
    }
    buf_printf(&db->heading, ") VALUES ");
    return OK;
}

/* --- rows ------------------------------------------------------------------------------------- */

static Status flush(Ctx *ctx, Mysql *db)
{
    Status s = db->insert.size ? run(ctx, db, buf_str(&db->insert)) : OK;
    buf_clear(&db->insert);
    return s;
}

static Status row(Transfer *transfer, void *arg, const Str *values, size_t n)
{
    Mysql *db = arg;
    if (db->insert.size)
        buf_add_u8(&db->insert, ',');
    else
        buf_add_bytes(&db->insert, buf_bytes(&db->heading));
    for (size_t i = 0; i < n; i++) {
        buf_add_u8(&db->insert, i ? ',' : '(');
        if (values[i].data)
            add_literal(db, &db->insert, values[i]);
        else
            buf_add_str(&db->insert, STR("NULL"));
    }
    buf_add_u8(&db->insert, ')');
    return db->insert.size >= INSERT_BYTES ? flush(transfer->ctx, db) : OK;
}

static Status end(Transfer *transfer, void *arg)
{
    return flush(transfer->ctx, arg);
}

static Status commit(Transfer *transfer, void *arg)
{
    return run(transfer->ctx, arg, STR("COMMIT"));
}

const SqlOps sql_mysql = { open_db, columns_of, empty, begin, row, end, commit, close_db };
