/* db_priv.h - what db.c, tx.c, query.c, index.c and an engine share.
 *
 * An engine (sqlite.c) is a row of functions over connections and statements; everything that is
 * not in the common dialect is behind it. One connection belongs to one thread at a time.
 */
#pragma once

#include <stdatomic.h>

#include "base/group.h"
#include "db/db.h"
#include "db/queue.h"

typedef struct DbEngine DbEngine; /* an open database, as its engine sees it */

/* A value on its way into a statement. */
typedef struct DbValue {
    enum { DB_NULL, DB_INT, DB_DOUBLE, DB_TEXT, DB_BLOB } kind;
    int64_t number;
    double real;
    Bytes bytes; /* of TEXT and BLOB; data is never NULL */
} DbValue;

/* handle: a connection of the engine; stmt: a prepared statement of it. */
typedef struct DbEngineOps {
    const char *scheme; /* of the URL */

    const DbMigration *migrations; /* our own tables (index.c), in the engine's words */
    size_t migration_count;

    /* address: the URL's rest. Takes exclusive ownership. close accepts a half-made one. */
    Status (*open)(Ctx *ctx, const char *address, DbEngine **out);
    DbEngine *(*close)(DbEngine *engine);

    Status (*connect)(Ctx *ctx, DbEngine *engine, bool for_write, void **out_handle);
    void (*disconnect)(void *handle);

    Status (*begin_write)(Ctx *ctx, void *handle);
    Status (*begin_read)(Ctx *ctx, void *handle); /* the snapshot is taken now */
    /* Makes it visible, not yet durable; out_wrote: did it change anything? On error nothing
     * happened, and a rollback is still due. */
    Status (*commit)(Ctx *ctx, void *handle, bool *out_wrote);
    void (*rollback)(void *handle);

    Status (*script)(Ctx *ctx, void *handle, const char *sql); /* several statements */
    Status (*prepare)(Ctx *ctx, void *handle, const char *sql, void **out_stmt);
    void (*finalize)(void *stmt);
    int (*argument_count)(void *stmt);
    /* index from 1; without copy the value outlives the statement's run. */
    Status (*bind)(Ctx *ctx, void *stmt, int index, const DbValue *value, bool copy);
    Status (*step)(Ctx *ctx, void *stmt, bool *out_row);
    void (*reset)(void *stmt);
    int64_t (*changes)(void *handle); /* of the last statement */

    bool (*column_is_null)(void *stmt, int column);
    int64_t (*column_int)(void *stmt, int column);
    double (*column_double)(void *stmt, int column);
    Bytes (*column_bytes)(void *stmt, int column); /* until the next step */

    /* Everything committed before the call is on stable storage when it returns. */
    Status (*sync)(Ctx *ctx, DbEngine *engine);

    /* Housekeeping off the commit path. 0: not needed, 1: wanted, 2: with the writer kept out. */
    int (*tidy_wanted)(DbEngine *engine);
    void (*tidy)(Ctx *ctx, DbEngine *engine, void *handle);
} DbEngineOps;

extern const DbEngineOps db_engine_sqlite;

/* A prepared statement, kept by its connection. */
typedef struct DbStmt {
    struct DbStmt *next; /* in its bucket */
    void *handle;
    uint64_t hash; /* of sql */
    bool busy;     /* a DbRows holds it */
    char sql[];
} DbStmt;

#define DB_STMT_BUCKETS 64
/* Idle statements are dropped when a connection holds this many: made-up text must not pile up. */
#define DB_STMTS_MAX 256

typedef struct DbConn {
    struct DbConn *next; /* in the pool */
    Db *db;
    void *handle;
    size_t stmt_count;
    DbStmt *stmts[DB_STMT_BUCKETS];
} DbConn;

/* Readers beyond this many are closed when they are done. */
#define DB_READERS_IDLE_MAX 8

/* Lock order: the writer's turn (queue), then lock. Nothing else is held while waiting for the
 * turn, and the turn is given back before the wait for the sync. */
struct Db {
    const DbEngineOps *ops;
    DbEngine *engine;
    char *url;
    EventBus *events;
    DbQueue queue; /* the writer's turn: guards `writer` */
    DbConn *writer;
    pthread_mutex_t lock; /* guards readers */
    DbConn *readers;      /* idle ones */
    size_t reader_count;
    _Atomic uint64_t committed; /* how many commits changed something; grows in the turn */
    Group sync;                 /* covers commit numbers */
    Pool *pool;                 /* housekeeping: one thread at most, none when idle */
};

struct DbTx {
    Db *db;
    DbConn *conn;
    bool is_write;
    bool broken; /* an error other than a constraint left the engine's transaction undefined */
    DbRows *open_rows;
    Buf topics; /* uint64_t each */
    Buf after;  /* AfterCommit each */
    Buf told;   /* Tell each */
};

typedef struct AfterCommit {
    void (*fn)(void *arg);
    void *arg;
} AfterCommit;

typedef struct Tell {
    void (*fn)(void *self, int64_t value);
    void *self;
    int64_t value;
} Tell;

/* db.c */
Status db_connect(Ctx *ctx, Db *db, bool for_write, DbConn **out);
DbConn *db_disconnect(DbConn *conn);
Status db_reader_take(Ctx *ctx, Db *db, DbConn **out);
void db_reader_give(DbConn *conn);

/* query.c: an idle or new statement of the connection, marked busy. */
Status db_stmt_take(Ctx *ctx, DbConn *conn, const char *sql, DbStmt **out);
void db_stmt_give(DbConn *conn, DbStmt *stmt); /* resets it; may free it */
void db_stmts_drop(DbConn *conn);              /* all of them; none may be busy */
