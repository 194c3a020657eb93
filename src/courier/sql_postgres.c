/* sql_postgres.c - PostgreSQL: rows go in by COPY, whose server converts each text to its column's
 * type and names line and column where it cannot. */
#include <libpq-fe.h>
#include <stdlib.h>

#include "base/text.h"
#include "courier/sql.h"

#define PIECE_BYTES (64 * KiB)
#define PARAMS_MAX  24

typedef struct Postgres {
    PGconn *connection;
    const char *table; /* quoted; of the COPY */
    Buf rows;          /* not yet sent */
} Postgres;

/* Parameters of the URL that reach the library: none that names a file of this machine. */
static const char *const allowed[] = { "sslmode", "application_name", "target_session_attrs",
                                       "options", "connect_timeout" };

typedef struct Params {
    const char *names[PARAMS_MAX], *values[PARAMS_MAX];
    size_t n;
} Params;

static void set(Params *params, const char *name, const char *value)
{
    if (!*value)
        return;
    params->names[params->n] = name;
    params->values[params->n++] = value;
}

static bool is_allowed(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
        if (strcmp(name, allowed[i]) == 0)
            return true;
    return false;
}

static Status set_from_url(Ctx *ctx, const RemoteDbUrl *url, Params *out)
{
    Str rest = str(url->params);
    const char *name, *value;
    while (remote_param_next(ctx, &rest, &name, &value)) {
        if (!is_allowed(name))
            return FAIL(ctx, INVALID_ARGUMENT, "its parameter '%s' is not allowed", name);
        if (out->n + 8 > PARAMS_MAX)
            return FAIL(ctx, INVALID_ARGUMENT, "it has too many parameters");
        set(out, name, value);
    }
    return OK;
}

/* The database's words without the line end. */
static const char *words(Ctx *ctx, const char *message)
{
    Str text = str(message);
    while (text.size && strchr("\r\n", text.data[text.size - 1]))
        text.size--;
    return str_z(ctx->arena, text);
}

static Status failed(Ctx *ctx, const Postgres *db, PGresult *result)
{
    bool lost = PQstatus(db->connection) == CONNECTION_BAD;
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    bool is_data = state && strncmp(state, "22", 2) == 0; /* class "data exception" */
    StatusCode code = lost      ? STATUS_UNAVAILABLE
                      : is_data ? STATUS_INVALID_ARGUMENT
                                : STATUS_UNKNOWN;
    Status s = status_new(ctx, code, "%s", words(ctx, PQerrorMessage(db->connection)));
    PQclear(result);
    return s;
}

/* *out (may be NULL) is to be cleared by the caller. */
static Status run(Ctx *ctx, const Postgres *db, const char *sql, const char *param,
                  ExecStatusType wanted, PGresult **out)
{
    const char *const params[] = { param };
    PGresult *result =
        PQexecParams(db->connection, sql, param ? 1 : 0, NULL, params, NULL, NULL, 0);
    if (PQresultStatus(result) != wanted)
        return failed(ctx, db, result);
    if (out)
        *out = result;
    else
        PQclear(result);
    return OK;
}

/* Why there is no connection. The library does not tell a refusal (password, database) from nobody
 * being there; asked once more, without a password, it does. */
static Status refused(Ctx *ctx, const Postgres *db, const Params *anybody)
{
    bool there = PQpingParams(anybody->names, anybody->values, 0) == PQPING_OK;
    return status_new(ctx, there ? STATUS_UNKNOWN : STATUS_UNAVAILABLE, "%s",
                      words(ctx, PQerrorMessage(db->connection)));
}

static Status connect_by(Ctx *ctx, Postgres *db, const Params *anybody, const char *password)
{
    Params params = *anybody;
    set(&params, "password", password);
    db->connection = PQconnectdbParams(params.names, params.values, 0);
    if (PQstatus(db->connection) != CONNECTION_OK)
        return refused(ctx, db, anybody);
    return run(ctx, db, "BEGIN", NULL, PGRES_COMMAND_OK, NULL);
}

static void close_db(void *arg)
{
    Postgres *db = arg;
    PQfinish(db->connection);
    buf_done(&db->rows);
    free(db);
}

static Status open_db(Transfer *transfer, const RemoteDbUrl *url, const char *password, void **out)
{
    Ctx *ctx = transfer->ctx;
    Params params = { 0 };
    const char *address;
    TRY(host_resolve(ctx, transfer->hosts, url->host, &address));
    set(&params, "connect_timeout", "10"); /* the URL's comes later, and wins */
    set(&params, "application_name", "procavia");
    TRY(set_from_url(ctx, url, &params));
    set(&params, "host", url->host);
    set(&params, "hostaddr", address); /* what was allowed is what is reached */
    set(&params, "port", url->port);
    set(&params, "user", url->user);
    set(&params, "dbname", url->name);
    set(&params, "passfile", "/dev/null");
    set(&params, "client_encoding", "UTF8");
    Postgres *db = calloc(1, sizeof(*db));
    if (!db)
        abort();
    *out = db;
    return connect_by(ctx, db, &params, password);
}

/* --- tables ----------------------------------------------------------------------------------- */

static const char *quoted(Ctx *ctx, const Postgres *db, Str name)
{
    char *text = PQescapeIdentifier(db->connection, name.data, name.size);
    if (!text)
        return "\"\""; /* no table has this name */
    const char *copy = arena_strdup(ctx->arena, text);
    PQfreemem(text);
    return copy;
}

/* The table's quoted name: "a.b" is a table of that name, or else table b of schema a. */
static Status find_table(Ctx *ctx, const Postgres *db, Str table, const char **out)
{
    size_t dot = str_find(table, '.');
    const char *names[] = {
        quoted(ctx, db, table),
        text_printf(ctx->arena, "%s.%s", quoted(ctx, db, str_sub(table, 0, dot)),
                    quoted(ctx, db, str_sub(table, dot + 1, table.size))),
    };
    for (size_t i = 0; i < (dot < table.size ? 2u : 1u); i++) {
        PGresult *found;
        TRY(run(ctx, db, "SELECT to_regclass($1)", names[i], PGRES_TUPLES_OK, &found));
        bool is_there = !PQgetisnull(found, 0, 0);
        PQclear(found);
        *out = names[i];
        if (is_there)
            return OK;
    }
    return FAIL(ctx, NOT_FOUND, "table '" STR_FMT "' does not exist", STR_ARG(table));
}

static Status columns_of(Transfer *transfer, void *arg, Str table, const char ***out, size_t *out_n)
{
    Ctx *ctx = transfer->ctx;
    const char *name;
    PGresult *rows;
    TRY(find_table(ctx, arg, table, &name));
    TRY(run(ctx, arg,
            "SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = $1::regclass AND "
            "attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
            name, PGRES_TUPLES_OK, &rows));
    *out_n = (size_t)PQntuples(rows);
    *out = ARENA_NEW(ctx->arena, const char *, *out_n + 1);
    for (size_t i = 0; *out && i < *out_n; i++)
        (*out)[i] = arena_strdup(ctx->arena, PQgetvalue(rows, (int)i, 0));
    PQclear(rows);
    return *out ? OK : STATUS(RESOURCE_EXHAUSTED);
}

static Status empty(Transfer *transfer, void *arg, Str table)
{
    Ctx *ctx = transfer->ctx;
    const char *name;
    TRY(find_table(ctx, arg, table, &name));
    return run(ctx, arg, text_printf(ctx->arena, "DELETE FROM %s", name), NULL, PGRES_COMMAND_OK,
               NULL);
}

static Status begin(Transfer *transfer, void *arg, Str table, const char *const *columns, size_t n)
{
    Ctx *ctx = transfer->ctx;
    const char **names = ARENA_NEW(ctx->arena, const char *, n + 1);
    const char *name;
    if (!names)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < n; i++)
        names[i] = quoted(ctx, arg, str(columns[i]));
    TRY(find_table(ctx, arg, table, &name));
    return run(ctx, arg,
               text_printf(ctx->arena, "COPY %s (%s) FROM STDIN", name,
                           text_join(ctx->arena, names, n, ", ")),
               NULL, PGRES_COPY_IN, NULL);
}

/* --- rows ------------------------------------------------------------------------------------- */

static Status flush(Ctx *ctx, Postgres *db)
{
    if (db->rows.size &&
        PQputCopyData(db->connection, (const char *)db->rows.data, (int)db->rows.size) != 1)
        return failed(ctx, db, NULL);
    buf_clear(&db->rows);
    return OK;
}

/* COPY's text format: a tab between values, \N for NULL. */
static void add_value(Buf *out, Str value)
{
    static const char special[] = "\\\t\n\r", letters[] = "\\tnr";
    if (!value.data)
        buf_add_str(out, STR("\\N"));
    while (value.size) {
        size_t plain = str_find_any(value, special);
        buf_add_str(out, str_sub(value, 0, plain));
        if (plain == value.size)
            return;
        buf_add_u8(out, '\\');
        buf_add_u8(out, (uint8_t)letters[strchr(special, value.data[plain]) - special]);
        value = str_sub(value, plain + 1, value.size);
    }
}

static Status row(Transfer *transfer, void *arg, const Str *values, size_t n)
{
    Postgres *db = arg;
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add_u8(&db->rows, '\t');
        add_value(&db->rows, values[i]);
    }
    buf_add_u8(&db->rows, '\n');
    return db->rows.size >= PIECE_BYTES ? flush(transfer->ctx, db) : OK;
}

static Status end(Transfer *transfer, void *arg)
{
    Ctx *ctx = transfer->ctx;
    Postgres *db = arg;
    TRY(flush(ctx, db));
    if (PQputCopyEnd(db->connection, NULL) != 1)
        return failed(ctx, db, NULL);
    Status s = OK;
    for (PGresult *result; (result = PQgetResult(db->connection));) {
        if (PQresultStatus(result) == PGRES_COMMAND_OK || !status_ok(s))
            PQclear(result);
        else
            s = failed(ctx, db, result);
    }
    return s;
}

static Status commit(Transfer *transfer, void *arg)
{
    return run(transfer->ctx, arg, "COMMIT", NULL, PGRES_COMMAND_OK, NULL);
}

const SqlOps sql_postgres = { open_db, columns_of, empty, begin, row, end, commit, close_db };
