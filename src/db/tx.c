/* tx.c - transactions: the writer's turn, the commit that many share, and what follows it. */
#include "db/db_priv.h"

#include <stdlib.h>

#include "base/fault.h"

/* --- beginning -------------------------------------------------------------------------------- */

static DbTx *tx_new(DbConn *conn, bool is_write)
{
    DbTx *tx = calloc(1, sizeof(*tx));
    if (!tx)
        abort();
    tx->db = conn->db;
    tx->conn = conn;
    tx->is_write = is_write;
    return tx;
}

static void tx_free(DbTx *tx)
{
    buf_done(&tx->topics);
    buf_done(&tx->after);
    buf_done(&tx->told);
    free(tx);
}

/* In the writer's turn. */
static Status begin_on_writer(Ctx *ctx, Db *db)
{
    TRY_WRAP(ctx, group_health(ctx, &db->sync),
             "database '%s' takes no more writes until it is reopened", db->url);
    if (fault_fires(FAULT_QUERY))
        return FAIL(ctx, INTERNAL, "could not begin: injected fault");
    return db->ops->begin_write(ctx, db->writer->handle);
}

Status db_begin_write(Ctx *ctx, Db *db, DbTx **out)
{
    TRY(db_queue_enter(ctx, &db->queue));
    Status s = begin_on_writer(ctx, db);
    if (status_ok(s))
        *out = tx_new(db->writer, true);
    else
        db_queue_leave(&db->queue);
    return s;
}

Status db_begin_read(Ctx *ctx, Db *db, DbTx **out)
{
    DbConn *conn;
    TRY(db_reader_take(ctx, db, &conn));
    Status s = fault_fires(FAULT_QUERY) ? FAIL(ctx, INTERNAL, "could not begin: injected fault")
                                        : db->ops->begin_read(ctx, conn->handle);
    if (status_ok(s))
        *out = tx_new(conn, false);
    else
        db_disconnect(conn);
    return s;
}

bool db_is_write(const DbTx *tx)
{
    return tx->is_write;
}

/* --- what follows a commit -------------------------------------------------------------------- */

/* To an array of items of one size that holds each once. */
static void add_once(Buf *items, const void *item, size_t size)
{
    for (size_t at = 0; at < items->size; at += size) {
        if (memcmp(items->data + at, item, size) == 0)
            return;
    }
    buf_add(items, item, size);
}

void db_notify(DbTx *tx, uint64_t topic)
{
    add_once(&tx->topics, &topic, sizeof(topic));
}

void db_when_committed(DbTx *tx, void (*fn)(void *self, int64_t value), void *self, int64_t value)
{
    const Tell tell = { fn, self, value };
    add_once(&tx->told, &tell, sizeof(tell));
}

void db_after_commit(DbTx *tx, void (*fn)(void *arg), void *arg)
{
    AfterCommit work = { fn, arg };
    buf_add(&tx->after, &work, sizeof(work));
}

static void publish(const DbTx *tx)
{
    for (size_t at = 0; at < tx->topics.size; at += sizeof(uint64_t)) {
        uint64_t topic;
        memcpy(&topic, tx->topics.data + at, sizeof(topic));
        event_publish(tx->db->events, topic);
    }
}

static void tell_committed(const DbTx *tx)
{
    for (size_t at = 0; at < tx->told.size; at += sizeof(Tell)) {
        Tell tell;
        memcpy(&tell, tx->told.data + at, sizeof(tell));
        tell.fn(tell.self, tell.value);
    }
}

static void run_after_commit(const DbTx *tx)
{
    for (size_t at = 0; at < tx->after.size; at += sizeof(AfterCommit)) {
        AfterCommit work;
        memcpy(&work, tx->after.data + at, sizeof(work));
        work.fn(work.arg);
    }
}

/* On the pool's thread. When readers and a steady stream of writers kept the quiet way from
 * catching up, the writer waits once. */
static void tidy(void *arg)
{
    Db *db = arg;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    DbConn *conn;
    if (!status_ok(db_reader_take(&ctx, db, &conn)))
        return;
    bool keep_writer_out = db->ops->tidy_wanted(db->engine) > 1;
    db->ops->tidy(&ctx, db->engine, conn->handle);
    if (keep_writer_out && status_ok(db_queue_enter(&ctx, &db->queue))) {
        db->ops->tidy(&ctx, db->engine, conn->handle);
        db_queue_leave(&db->queue);
    }
    db_reader_give(conn);
}

/* --- ending ----------------------------------------------------------------------------------- */

/* The leader's work: what was committed when it began is durable when it is done. */
static Status sync_commits(void *self, Ctx *ctx, uint64_t *out_covered)
{
    Db *db = self;
    *out_covered = atomic_load(&db->committed);
    return db->ops->sync(ctx, db->engine);
}

static void close_rows(DbTx *tx)
{
    while (tx->open_rows)
        db_rows_done(tx->open_rows);
}

static Status commit_on_engine(Ctx *ctx, const DbTx *tx, bool *out_wrote)
{
    if (tx->broken)
        return FAIL(ctx, INTERNAL, "could not commit: a statement failed before");
    if (fault_fires(FAULT_QUERY))
        return FAIL(ctx, INTERNAL, "could not commit: injected fault");
    return tx->db->ops->commit(ctx, tx->conn->handle, out_wrote);
}

/* Commits, gives the turn away, and says up to which commit the log must be durable. A transaction
 * that changed nothing still waits for those it may have seen: "it is there already" is an
 * acknowledgement too. */
static Status commit_in_turn(Ctx *ctx, const DbTx *tx, uint64_t *out_target)
{
    Db *db = tx->db;
    bool wrote = false;
    Status s = commit_on_engine(ctx, tx, &wrote);
    if (!status_ok(s))
        db->ops->rollback(tx->conn->handle);
    *out_target = atomic_load(&db->committed) + wrote;
    atomic_store(&db->committed, *out_target);
    db_queue_leave(&db->queue);
    return s;
}

static Status make_durable(Ctx *ctx, Db *db, uint64_t target)
{
    fault_crash_point("db-before-sync");
    TRY_WRAP(ctx, group_reach(ctx, &db->sync, target, sync_commits, db), "database '%s'", db->url);
    fault_crash_point("db-after-sync");
    return OK;
}

static Status commit_write(Ctx *ctx, const DbTx *tx, bool lazily)
{
    Db *db = tx->db;
    uint64_t target;
    TRY(commit_in_turn(ctx, tx, &target));
    tell_committed(tx);
    if (!lazily)
        TRY(make_durable(ctx, db, target));
    publish(tx);
    run_after_commit(tx);
    if (db->ops->tidy_wanted(db->engine)) {
        Status busy_is_fine = pool_run(db->pool, tidy, db);
        (void)busy_is_fine;
    }
    return OK;
}

static void end_read(const DbTx *tx)
{
    tx->db->ops->rollback(tx->conn->handle);
    db_reader_give(tx->conn);
}

static Status commit(Ctx *ctx, DbTx *tx, bool lazily)
{
    close_rows(tx);
    Status s = OK;
    if (tx->is_write)
        s = commit_write(ctx, tx, lazily);
    else
        end_read(tx);
    tx_free(tx);
    return s;
}

Status db_commit(Ctx *ctx, DbTx *tx)
{
    return commit(ctx, tx, false);
}

Status db_commit_lazily(Ctx *ctx, DbTx *tx)
{
    return commit(ctx, tx, true);
}

DbTx *db_rollback(DbTx *tx)
{
    if (!tx)
        return NULL;
    close_rows(tx);
    if (tx->is_write) {
        tx->db->ops->rollback(tx->conn->handle);
        db_queue_leave(&tx->db->queue);
    } else {
        end_read(tx);
    }
    tx_free(tx);
    return NULL;
}
