/* db.c - a database as a whole: opening, the schema's steps, the pool of readers. */
#include "db/db_priv.h"

#include <stdlib.h>

#include "base/text.h"

static const DbEngineOps *const engines[] = { &db_engine_sqlite };

static const DbEngineOps *engine_of(const char *url, const char **out_address)
{
    for (size_t i = 0; i < ARRAY_LEN(engines); i++) {
        size_t size = strlen(engines[i]->scheme);
        if (strncmp(url, engines[i]->scheme, size) == 0 && url[size] == ':') {
            *out_address = url + size + 1;
            return engines[i];
        }
    }
    return NULL;
}

/* --- connections ------------------------------------------------------------------------------ */

Status db_connect(Ctx *ctx, Db *db, bool for_write, DbConn **out)
{
    void *handle;
    TRY(db->ops->connect(ctx, db->engine, for_write, &handle));
    DbConn *conn = calloc(1, sizeof(*conn));
    if (!conn)
        abort();
    conn->db = db;
    conn->handle = handle;
    *out = conn;
    return OK;
}

DbConn *db_disconnect(DbConn *conn)
{
    if (conn) {
        db_stmts_drop(conn);
        conn->db->ops->disconnect(conn->handle);
        free(conn);
    }
    return NULL;
}

Status db_reader_take(Ctx *ctx, Db *db, DbConn **out)
{
    {
        LOCKED(&db->lock);
        DbConn *conn = db->readers;
        if (conn) {
            db->readers = conn->next;
            db->reader_count--;
            *out = conn;
            return OK;
        }
    }
    return db_connect(ctx, db, false, out);
}

void db_reader_give(DbConn *conn)
{
    Db *db = conn->db;
    {
        LOCKED(&db->lock);
        if (db->reader_count < DB_READERS_IDLE_MAX) {
            conn->next = db->readers;
            db->readers = conn;
            db->reader_count++;
            return;
        }
    }
    db_disconnect(conn);
}

/* --- the schema's steps ----------------------------------------------------------------------- */

/* What one owner (we, or the caller) brought: its steps are counted apart. */
typedef struct StepList {
    const char *owner;
    const DbMigration *steps;
    size_t n;
} StepList;

/* The steps this database has of the list are the first of it, by name. */
static Status check_applied(Ctx *ctx, DbTx *tx, const StepList *list, size_t *out_applied)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx, &rows, "SELECT name FROM db_migration WHERE owner = ? ORDER BY position",
                 "s", list->owner));
    for (;; ++*out_applied) {
        bool more;
        TRY(db_next(ctx, &rows, &more));
        if (!more)
            return OK;
        size_t i = *out_applied;
        const char *name = db_text(ctx, &rows, 0);
        if (i >= list->n)
            return FAIL(
                ctx, FAILED_PRECONDITION,
                "database '%s' was written by a newer version: schema step '%s' is unknown here",
                tx->db->url, name);
        if (strcmp(name, list->steps[i].name) != 0)
            return FAIL(ctx, FAILED_PRECONDITION,
                        "database '%s' is of another kind: its schema step %zu is '%s', not '%s'",
                        tx->db->url, i + 1, name, list->steps[i].name);
    }
}

static Status apply(Ctx *ctx, DbTx *tx, const StepList *list)
{
    size_t applied = 0;
    TRY(check_applied(ctx, tx, list, &applied));
    for (size_t i = applied; i < list->n; i++) {
        const DbMigration *step = &list->steps[i];
        TRY_WRAP(ctx, tx->db->ops->script(ctx, tx->conn->handle, step->sql),
                 "could not apply schema step '%s'", step->name);
        TRY(db_exec(ctx, tx, NULL,
                    "INSERT INTO db_migration(owner, position, name) VALUES(?, ?, ?)", "sis",
                    list->owner, (int64_t)i + 1, step->name));
    }
    return OK;
}

static Status migrate(Ctx *ctx, Db *db, const DbMigration *steps, size_t n)
{
    const StepList lists[] = {
        {"db",   db->ops->migrations, db->ops->migration_count},
        { "app", steps,               n                       },
    };
    CLEANUP(db_rollbackp) DbTx *tx = NULL;
    TRY(db_begin_write(ctx, db, &tx));
    TRY(db->ops->script(
        ctx, tx->conn->handle,
        "CREATE TABLE IF NOT EXISTS db_migration(owner TEXT NOT NULL, position BIGINT NOT NULL,"
        " name TEXT NOT NULL, PRIMARY KEY(owner, position))"));
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        TRY(apply(ctx, tx, &lists[i]));
    return db_commit(ctx, STEAL(tx));
}

/* --- opening and closing ---------------------------------------------------------------------- */

static Db *db_new(const char *url, const DbEngineOps *ops)
{
    Db *db = calloc(1, sizeof(*db));
    if (!db || !(db->url = strdup(url)))
        abort();
    db->ops = ops;
    db->events = event_bus_new();
    db->pool = pool_new("db", 1);
    pthread_mutex_init(&db->lock, NULL);
    db_queue_init(&db->queue);
    group_init(&db->sync);
    return db;
}

Status db_open(Ctx *ctx, const char *url, const DbMigration *migrations, size_t n, Db **out)
{
    const char *address;
    const DbEngineOps *ops = engine_of(url, &address);
    if (!ops)
        return FAIL(ctx, INVALID_ARGUMENT,
                    "database URL '%s' has no known scheme (try 'sqlite:PATH')", url);

    CLEANUP(db_closep) Db *db = db_new(url, ops);
    TRY_WRAP(ctx, ops->open(ctx, address, &db->engine), "could not open database '%s'", url);
    TRY_WRAP(ctx, db_connect(ctx, db, true, &db->writer), "could not open database '%s'", url);
    TRY_WRAP(ctx, migrate(ctx, db, migrations, n), "could not open database '%s'", url);
    *out = STEAL(db);
    return OK;
}

Db *db_close(Db *db)
{
    if (!db)
        return NULL;
    pool_free(db->pool);
    while (db->readers) {
        DbConn *next = db->readers->next;
        db_disconnect(db->readers);
        db->readers = next;
    }
    db_disconnect(db->writer);
    db->ops->close(db->engine);
    group_done(&db->sync);
    db_queue_done(&db->queue);
    pthread_mutex_destroy(&db->lock);
    event_bus_free(db->events);
    free(db->url);
    free(db);
    return NULL;
}

EventBus *db_events(Db *db)
{
    return db->events;
}

void db_stats(Db *db, DbStats *out)
{
    *out = (DbStats){ .commits = atomic_load(&db->committed), .syncs = group_runs(&db->sync) };
}
