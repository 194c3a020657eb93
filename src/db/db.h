/* db.h - the one SQL database: rows that change. SQLite now; the interface and dialect are
 * PostgreSQL's too.
 *
 * Statements use '?' placeholders and the common dialect: BIGINT, TEXT, BLOB, no booleans (0/1),
 * times as BIGINT nanoseconds, `INSERT … ON CONFLICT … DO`, `RETURNING`, `WITH RECURSIVE`. A
 * table's key is `id BIGINT` made by db_next_id, never an engine's own sequence.
 *
 * One writer at a time (a queue by mutex); readers see a snapshot and never wait. db_commit returns
 * when the transaction is on stable storage; commits that come together share one fsync (group
 * commit, by a leader).
 */
#pragma once

#include "base/ctx.h"
#include "base/event.h"
#include "store/store.h"

typedef struct Db Db;
typedef struct DbTx DbTx; /* belongs to one thread */

/* One step of the schema; the database remembers how many were applied. Never edit one that was
 * released. */
typedef struct DbMigration {
    const char *name;
    const char *sql; /* several statements */
} DbMigration;

/* url: "sqlite:PATH" (created when missing; PATH ":memory:" for tests). Applies what is missing of
 * migrations[n] in one transaction. Errors: FAILED_PRECONDITION when the database has more
 * migrations than we know (a newer version's) or another process holds it. */
Status db_open(Ctx *ctx, const char *url, const DbMigration *migrations, size_t n,
               Db **out) NODISCARD;
Db *db_close(Db *db);
static inline void db_closep(Db **db)
{
    *db = db_close(*db);
}

/* Begins. db_begin_write waits for the writer's turn. */
Status db_begin_write(Ctx *ctx, Db *db, DbTx **out) NODISCARD;
Status db_begin_read(Ctx *ctx, Db *db, DbTx **out) NODISCARD;
bool db_is_write(const DbTx *tx);

/* Ends and frees tx, whatever it returns. On OK of a write: durable, and then the tx's events are
 * published. */
Status db_commit(Ctx *ctx, DbTx *tx) NODISCARD;
/* As db_commit, but does not wait for stable storage: the next commit that does covers this one
 * too. For what can be found out again after a crash, and refers to nothing that is not durable
 * yet. */
Status db_commit_lazily(Ctx *ctx, DbTx *tx) NODISCARD;
DbTx *db_rollback(DbTx *tx); /* NULL is fine; always NULL */
static inline void db_rollbackp(DbTx **tx)
{
    *tx = db_rollback(*tx);
}

/* To be published on the bus when (and only when) tx commits. Duplicates collapse. */
void db_notify(DbTx *tx, uint64_t topic);
EventBus *db_events(Db *db);

/* Work to run after a durable commit, on the committing thread, in order; dropped on rollback. */
void db_after_commit(DbTx *tx, void (*fn)(void *arg), void *arg);

/* fn(self, value) is called once tx is committed and before it is durable, on the committing
 * thread; dropped on rollback, duplicates collapse. For who may begin work on what a power cut
 * could still undo: whatever that work commits becomes durable after this. */
void db_when_committed(DbTx *tx, void (*fn)(void *self, int64_t value), void *self, int64_t value);

/* Statements are prepared once a connection and kept. Arguments follow `types`, one letter each:
 *   i int64_t   s const char * (NULL: SQL NULL)   t Str   b Bytes   h const Hash * (NULL or zero:
 * SQL NULL) d double    n (no argument) SQL NULL
 *
 * db_exec runs a statement for its effect; out_changes may be NULL. Errors: ALREADY_EXISTS for a
 * violated unique key, FAILED_PRECONDITION for a foreign key, INTERNAL (naming the statement)
 * otherwise. */
Status db_exec(Ctx *ctx, DbTx *tx, int64_t *out_changes, const char *sql, const char *types, ...);

/* Rows of a query: CLEANUP(db_rows_done) DbRows rows = { 0 }; then TRY(db_query(…)) and
 *   DB_EACH (ctx, &rows) { … }
 * which leaves the function, as TRY does, when a row cannot be read. */
typedef struct DbRows {
    struct DbStmt *stmt; /* NULL once the last row was passed */
    DbTx *tx;
    struct DbRows *next; /* open ones of tx, which closes them: do not copy an open DbRows */
} DbRows;
Status db_query(Ctx *ctx, DbTx *tx, DbRows *rows, const char *sql, const char *types, ...);
Status db_next(Ctx *ctx, DbRows *rows, bool *out_more);
#define DB_EACH(ctx, rows)                                                                         \
    for (bool more_ = true; __extension__({                                                        \
             TRY(db_next(ctx, rows, &more_));                                                      \
             more_;                                                                                \
         });)
void db_rows_done(DbRows *rows);

/* Columns of the current row, from 0. Text and bytes are copied into ctx's arena. NULL reads as 0,
 * "" or empty. */
int64_t db_int(const DbRows *rows, int column);
double db_double(const DbRows *rows, int column);
bool db_is_null(const DbRows *rows, int column);
const char *db_text(Ctx *ctx, const DbRows *rows, int column);
Bytes db_bytes(Ctx *ctx, const DbRows *rows, int column);
Hash db_hash(const DbRows *rows, int column); /* NULL: zero */

/* One row, one integer: NOT_FOUND (bare) when there is none. */
Status db_query_int(Ctx *ctx, DbTx *tx, int64_t *out, const char *sql, const char *types, ...);

/* The next number of a named sequence, from 1; gaps are possible, order is commit order. */
Status db_next_id(Ctx *ctx, DbTx *tx, const char *sequence, int64_t *out);

typedef struct DbStats {
    uint64_t commits; /* that changed something, since db_open */
    uint64_t syncs;   /* that made them durable: fewer, as commits share them */
} DbStats;
void db_stats(Db *db, DbStats *out);

/* How many blobs the store's index has whose hashes lie in [begin, end), compared as bytes; an
 * empty end is open. */
Status db_store_count(Ctx *ctx, Db *db, Bytes begin, Bytes end, int64_t *out);

/* The SQL implementation of the store's index, in this database (its tables are a migration of
 * ours, applied by db_open before the caller's). Close the store before the database. */
StoreIndex db_store_index(Db *db);
