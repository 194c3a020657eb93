/* query.c - statements: kept per connection, bound from typed arguments, stepped row by row. */
#include "db/db_priv.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/fault.h"

/* --- the statements of a connection ----------------------------------------------------------- */

/* FNV-1a, 64 bit (Fowler, Noll, Vo). By content: the same address may hold another text the next
 * time. */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    return hash;
}

static void drop_idle(DbConn *conn)
{
    for (size_t i = 0; i < DB_STMT_BUCKETS; i++) {
        for (DbStmt **at = &conn->stmts[i]; *at;) {
            DbStmt *stmt = *at;
            if (stmt->busy) {
                at = &stmt->next;
                continue;
            }
            *at = stmt->next;
            conn->db->ops->finalize(stmt->handle);
            conn->stmt_count--;
            free(stmt);
        }
    }
}

void db_stmts_drop(DbConn *conn)
{
    drop_idle(conn);
    assert(conn->stmt_count == 0);
}

static Status prepare(Ctx *ctx, DbConn *conn, const char *sql, uint64_t hash, DbStmt **out)
{
    if (conn->stmt_count >= DB_STMTS_MAX)
        drop_idle(conn);
    void *handle;
    TRY(conn->db->ops->prepare(ctx, conn->handle, sql, &handle));
    size_t size = strlen(sql) + 1;
    DbStmt *stmt = malloc(sizeof(*stmt) + size);
    if (!stmt)
        abort();
    DbStmt **bucket = &conn->stmts[hash % DB_STMT_BUCKETS];
    *stmt = (DbStmt){ .next = *bucket, .handle = handle, .hash = hash };
    memcpy(stmt->sql, sql, size);
    *bucket = stmt;
    conn->stmt_count++;
    *out = stmt;
    return OK;
}

Status db_stmt_take(Ctx *ctx, DbConn *conn, const char *sql, DbStmt **out)
{
    uint64_t hash = hash_text(sql);
    DbStmt *stmt = conn->stmts[hash % DB_STMT_BUCKETS];
    while (stmt && (stmt->busy || stmt->hash != hash || strcmp(stmt->sql, sql) != 0))
        stmt = stmt->next;
    if (!stmt)
        TRY(prepare(ctx, conn, sql, hash, &stmt));
    stmt->busy = true;
    *out = stmt;
    return OK;
}

void db_stmt_give(DbConn *conn, DbStmt *stmt)
{
    conn->db->ops->reset(stmt->handle);
    stmt->busy = false;
}

/* --- arguments -------------------------------------------------------------------------------- */

static DbValue text_value(Str s)
{
    return (DbValue){
        .kind = DB_TEXT, .bytes = {(const uint8_t *)(s.data ? s.data : ""), s.size}
    };
}

static DbValue blob_value(Bytes b)
{
    return (DbValue){
        .kind = DB_BLOB, .bytes = {b.data ? b.data : (const uint8_t *)"", b.size}
    };
}

static const DbValue null_value = { .kind = DB_NULL };

static DbValue c_text_value(const char *text)
{
    return text ? text_value(str(text)) : null_value;
}

static DbValue hash_value(const Hash *hash)
{
    return hash && !hash_is_zero(hash) ? blob_value(bytes(hash->bytes, HASH_SIZE)) : null_value;
}

typedef struct Args {
    va_list list;
} Args;

static bool next_value(char type, Args *args, DbValue *out)
{
    switch (type) {
    case 'i':
        *out = (DbValue){ .kind = DB_INT, .number = va_arg(args->list, int64_t) };
        return true;
    case 'd':
        *out = (DbValue){ .kind = DB_DOUBLE, .real = va_arg(args->list, double) };
        return true;
    case 's':
        *out = c_text_value(va_arg(args->list, const char *));
        return true;
    case 't':
        *out = text_value(va_arg(args->list, Str));
        return true;
    case 'b':
        *out = blob_value(va_arg(args->list, Bytes));
        return true;
    case 'h':
        *out = hash_value(va_arg(args->list, const Hash *));
        return true;
    case 'n':
        *out = null_value;
        return true;
    default:
        return false;
    }
}

static Status bind_all(Ctx *ctx, const DbEngineOps *ops, DbStmt *stmt, const char *types,
                       Args *args, bool copy)
{
    size_t given = types ? strlen(types) : 0;
    if ((size_t)ops->argument_count(stmt->handle) != given)
        return FAIL(ctx, INTERNAL, "statement takes %d arguments, not %zu: %s",
                    ops->argument_count(stmt->handle), given, stmt->sql);
    for (size_t i = 0; i < given; i++) {
        DbValue value;
        if (!next_value(types[i], args, &value))
            return FAIL(ctx, INTERNAL, "'%c' is no type of an argument: %s", types[i], stmt->sql);
        TRY(ops->bind(ctx, stmt->handle, (int)i + 1, &value, copy));
    }
    return OK;
}

/* --- running ---------------------------------------------------------------------------------- */

/* Constraint errors undo their statement only; after any other the transaction cannot go on. */
static Status note_error(Ctx *ctx, DbTx *tx, const DbStmt *stmt, Status s)
{
    if (status_ok(s) || s.code == STATUS_ALREADY_EXISTS || s.code == STATUS_FAILED_PRECONDITION)
        return s;
    tx->broken = true;
    return status_wrap(ctx, s, "statement '%s'", stmt->sql);
}

static Status check_usable(Ctx *ctx, const DbTx *tx, const char *sql)
{
    if (tx->broken)
        return FAIL(ctx, INTERNAL, "statement '%s': an earlier one of the transaction failed", sql);
    return OK;
}

static Status step(Ctx *ctx, DbTx *tx, const DbStmt *stmt, bool *out_row)
{
    Status s = fault_fires(FAULT_QUERY) ? FAIL(ctx, INTERNAL, "injected fault")
                                        : tx->db->ops->step(ctx, stmt->handle, out_row);
    return note_error(ctx, tx, stmt, s);
}

static Status exec_bound(Ctx *ctx, DbTx *tx, DbStmt *stmt, const char *types, Args *args,
                         int64_t *out_changes)
{
    TRY(note_error(ctx, tx, stmt, bind_all(ctx, tx->db->ops, stmt, types, args, false)));
    for (bool row = true; row;)
        TRY(step(ctx, tx, stmt, &row));
    int64_t changes = tx->db->ops->changes(tx->conn->handle);
    if (out_changes)
        *out_changes = changes;
    return OK;
}

Status db_exec(Ctx *ctx, DbTx *tx, int64_t *out_changes, const char *sql, const char *types, ...)
{
    TRY(check_usable(ctx, tx, sql));
    DbStmt *stmt;
    TRY(db_stmt_take(ctx, tx->conn, sql, &stmt));
    Args args;
    va_start(args.list, types);
    Status s = exec_bound(ctx, tx, stmt, types, &args, out_changes);
    va_end(args.list);
    db_stmt_give(tx->conn, stmt);
    return s;
}

static Status open_rows(Ctx *ctx, DbTx *tx, DbRows *rows, const char *sql, const char *types,
                        Args *args)
{
    assert(!rows->stmt);
    TRY(check_usable(ctx, tx, sql));
    DbStmt *stmt;
    TRY(db_stmt_take(ctx, tx->conn, sql, &stmt));
    Status s = note_error(ctx, tx, stmt, bind_all(ctx, tx->db->ops, stmt, types, args, true));
    if (!status_ok(s)) {
        db_stmt_give(tx->conn, stmt);
        return s;
    }
    *rows = (DbRows){ .stmt = stmt, .tx = tx, .next = tx->open_rows };
    tx->open_rows = rows;
    return OK;
}

Status db_query(Ctx *ctx, DbTx *tx, DbRows *rows, const char *sql, const char *types, ...)
{
    Args args;
    va_start(args.list, types);
    Status s = open_rows(ctx, tx, rows, sql, types, &args);
    va_end(args.list);
    return s;
}

Status db_next(Ctx *ctx, DbRows *rows, bool *out_more)
{
    *out_more = false;
    if (!rows->stmt)
        return OK;
    Status s = step(ctx, rows->tx, rows->stmt, out_more);
    if (!status_ok(s) || !*out_more)
        db_rows_done(rows);
    return s;
}

void db_rows_done(DbRows *rows)
{
    if (!rows->stmt)
        return;
    DbRows **at = &rows->tx->open_rows;
    while (*at != rows)
        at = &(*at)->next;
    *at = rows->next;
    db_stmt_give(rows->tx->conn, rows->stmt);
    *rows = (DbRows){ 0 };
}

static Status one_int(Ctx *ctx, DbRows *rows, int64_t *out)
{
    bool more;
    TRY(db_next(ctx, rows, &more));
    if (!more)
        return STATUS(NOT_FOUND);
    *out = db_int(rows, 0);
    return OK;
}

Status db_query_int(Ctx *ctx, DbTx *tx, int64_t *out, const char *sql, const char *types, ...)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    Args args;
    va_start(args.list, types);
    Status s = open_rows(ctx, tx, &rows, sql, types, &args);
    va_end(args.list);
    TRY(s);
    return one_int(ctx, &rows, out);
}

/* --- columns ---------------------------------------------------------------------------------- */

static const DbEngineOps *ops_of(const DbRows *rows)
{
    assert(rows->stmt);
    return rows->tx->db->ops;
}

int64_t db_int(const DbRows *rows, int column)
{
    return ops_of(rows)->column_int(rows->stmt->handle, column);
}

double db_double(const DbRows *rows, int column)
{
    return ops_of(rows)->column_double(rows->stmt->handle, column);
}

bool db_is_null(const DbRows *rows, int column)
{
    return ops_of(rows)->column_is_null(rows->stmt->handle, column);
}

const char *db_text(Ctx *ctx, const DbRows *rows, int column)
{
    Bytes text = ops_of(rows)->column_bytes(rows->stmt->handle, column);
    return arena_strndup(ctx->arena, (const char *)text.data, text.size);
}

Bytes db_bytes(Ctx *ctx, const DbRows *rows, int column)
{
    Bytes data = ops_of(rows)->column_bytes(rows->stmt->handle, column);
    return bytes(arena_memdup(ctx->arena, data.data, data.size), data.size);
}

Hash db_hash(const DbRows *rows, int column)
{
    Hash hash = { 0 };
    Bytes data = ops_of(rows)->column_bytes(rows->stmt->handle, column);
    if (data.size == HASH_SIZE)
        memcpy(hash.bytes, data.data, HASH_SIZE);
    return hash;
}
