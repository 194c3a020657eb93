/* finish.c - the way from closed to finished (§9.3).
 *
 * A commit that was closed becomes finished in the same transaction if its base is, and if what is
 * left to compute is small or was computed ahead (pfs_commit_view). Otherwise it is finished right
 * after, outside of the writer's lock: once closed, its layers are fixed, and so is its base once
 * that is finished, so there is nothing to race with. Whatever follows a commit that became
 * finished (children that waited for it, triggers) is part of the same transaction.
 */
#include "base/clock.h"
#include "base/log.h"
#include "pfs/pfs_priv.h"

#define FINISH_INLINE_ENTRIES 4096 /* a few ms of merging: what may hold up other writers */
#define FINISH_RETRY_NS_MIN   NS_PER_SEC
#define FINISH_RETRY_NS_MAX   (60 * NS_PER_SEC)

/* --- the step --------------------------------------------------------------------------------- */

/* What the row becomes. */
typedef struct Outcome {
    Hash root;
    bool root_known;
    const char *error;
    int64_t size_bytes, computing_ns;
} Outcome;

static Status outcome_store(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, const Outcome *outcome)
{
    commit_notify(tx, row);
    return db_exec(ctx, tx->db, NULL,
                   "UPDATE pfs_commit SET state = ?, finished_ns = ?, updated_ns = ?, root = ?, "
                   "root_known = ?, error = ?, size_bytes = ?, computing_ns = ? WHERE id = ?",
                   "iiihisiii", (int64_t)PFS_FINISHED, tx->time_ns, tx->time_ns, &outcome->root,
                   (int64_t)outcome->root_known, outcome->error, outcome->size_bytes,
                   outcome->computing_ns, row->id);
}

/* A failed commit that was closed before its base takes what it is built on now, so that this is
 * not lost when its parent is squashed. */
static Status adopt_root(Ctx *ctx, PfsTx *tx, int64_t id, const Outcome *outcome)
{
    return db_exec(ctx, tx->db, NULL, "UPDATE pfs_commit SET root = ?, root_known = 1 WHERE id = ?",
                   "hi", &outcome->root, id);
}

/* Children that were closed before their base can go on now; failed ones in between are passed
 * over. */
static Status wake_children(Ctx *ctx, PfsTx *tx, int64_t id, const Outcome *outcome)
{
    CLEANUP(ids_done) Ids parents = { 0 };
    CLEANUP(ids_done) Ids children = { 0 };
    ids_add(&parents, id);
    for (size_t p = 0, c = 0; p < parents.n; p++) {
        TRY(ids_query(ctx, tx, "SELECT id FROM pfs_commit WHERE parent_id = ? ORDER BY id",
                      parents.items[p], &children));
        for (; c < children.n; c++) {
            PfsCommitRow child;
            TRY(pfs_commit_row(ctx, tx, children.items[c], &child));
            if (child.state == PFS_FINISHING)
                ids_add(&tx->finishing, child.id);
            if (child.state != PFS_FINISHED || child.root_known || !outcome->root_known)
                continue;
            TRY(adopt_root(ctx, tx, child.id, outcome));
            ids_add(&parents, child.id);
        }
    }
    return OK;
}

static Status finish_with(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, const Outcome *outcome)
{
    TRY(outcome_store(ctx, tx, row, outcome));
    TRY(wake_children(ctx, tx, row->id, outcome));
    const PfsHooks *hooks = &tx->pfs->hooks;
    if (hooks->commit_finished && strcmp(row->repo_type, "user") == 0)
        TRY(hooks->commit_finished(hooks->self, ctx, tx, row->id, outcome->error));
    return *outcome->error ? OK : trigger_fire(ctx, tx, row->id);
}

/* Closed with an error, or built on what was forgotten: nothing is computed, and the base need not
 * be finished. */
static Status finish_failed(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, const char *error)
{
    Outcome outcome = { .error = error, .computing_ns = -1 };
    int64_t unfinished = 0;
    Status base = commit_base(ctx, tx, row, &outcome.root, &unfinished);
    if (base.code != STATUS_UNKNOWN)
        TRY(base);
    outcome.root_known = status_ok(base) && !unfinished;
    return finish_with(ctx, tx, row, &outcome);
}

static Status finish_total(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, const Hash *base,
                           const Total *total, int64_t computing_ns)
{
    bool failed = *total->error;
    TreeSum sum;
    TRY(tree_sum(ctx, &tx->pfs->content.io, &total->root, STR(""), STR(""), &sum));
    if (failed)
        TRY(view_save(ctx, tx, row, total, row->layer_count)); /* for readers of the ruins */
    Outcome outcome = {
        .root = failed ? *base : total->root, /* what children build on */
        .root_known = true,
        .error = total->error,
        .size_bytes = (int64_t)sum.bytes,
        .computing_ns = computing_ns,
    };
    return finish_with(ctx, tx, row, &outcome);
}

Status finish_try(Ctx *ctx, PfsTx *tx, int64_t id)
{
    PfsCommitRow row;
    Status found = commit_get(ctx, tx, id, &row);
    if (found.code == STATUS_NOT_FOUND)
        return OK; /* deleted since */
    TRY(found);
    if (row.state != PFS_FINISHING)
        return OK;
    if (*row.error)
        return finish_failed(ctx, tx, &row, row.error);

    Hash base;
    int64_t unfinished;
    Status ready = commit_base(ctx, tx, &row, &base, &unfinished);
    if (ready.code == STATUS_UNKNOWN)
        return finish_failed(ctx, tx, &row, status_message(ready));
    TRY(ready);
    if (unfinished)
        return OK; /* it wakes us */
    Pending pending, all;
    TRY(pending_load(ctx, tx, &row, &pending));
    TRY(all_load(ctx, tx, &row, &all));
    int64_t work = *row.view_error && pending.n ? all.entries : pending.entries;
    if (work > FINISH_INLINE_ENTRIES) {
        ids_add(&tx->late, id);
        return OK;
    }
    Total total;
    int64_t began_ns = clock_mono_ns();
    TRY(total_compute(ctx, tx->pfs, &row, &base, &pending, &all, &total));
    tx->unsynced = tx->unsynced || pending.n;
    return finish_total(ctx, tx, &row, &base, &total, clock_mono_ns() - began_ns);
}

/* --- after the transaction -------------------------------------------------------------------- */

/* A closed commit's content, unless there is nothing to compute: it failed, or its base is not
 * there. */
static Status late_compute(Ctx *ctx, Pfs *pfs, int64_t id, PfsCommitRow *row, Total *total,
                           bool *out_computed)
{
    *out_computed = false;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    TRY(commit_get(ctx, tx, id, row));
    Hash base;
    int64_t unfinished;
    Pending pending, all;
    Status ready = commit_base(ctx, tx, row, &base, &unfinished);
    if (ready.code == STATUS_UNKNOWN || (status_ok(ready) && unfinished) || *row->error)
        return OK;
    TRY(ready);
    TRY(pending_load(ctx, tx, row, &pending));
    TRY(all_load(ctx, tx, row, &all));
    tx = pfs_rollback(tx);
    TRY(total_compute(ctx, pfs, row, &base, &pending, &all, total));
    *out_computed = true;
    return store_sync(ctx, pfs->store);
}

static Status finish_one_late(Ctx *ctx, Pfs *pfs, int64_t id, Ids *late)
{
    PfsCommitRow row;
    Total total;
    bool computed;
    Status s = late_compute(ctx, pfs, id, &row, &total, &computed);
    if (s.code == STATUS_NOT_FOUND)
        return OK; /* deleted since */
    TRY(s);
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pfs, NULL, &tx));
    if (computed)
        TRY(view_save(ctx, tx, &row, &total, row.layer_count));
    ids_add(&tx->finishing, id);
    return tx_commit(ctx, STEAL(tx), late);
}

/* --- in the background ------------------------------------------------------------------------ */

/* Waits, unless the Pfs closes meanwhile. */
static void wait_before_retry(Pfs *pfs, Ctx *ctx, int64_t wait_ns)
{
    EventBus *bus = db_events(pfs->db);
    uint64_t nothing = event_topic("pfs.retry", STR(""));
    ctx->deadline_ns = clock_mono_ns() + wait_ns;
    event_wait(ctx, bus, &nothing, 1, event_epoch(bus));
}

/* Tries each commit of the batch once, and those that become ready by it; returns how many failed,
 * which are queued again. */
static size_t try_batch(Pfs *pfs, Ctx *ctx, Ids *batch)
{
    CLEANUP(ids_done) Ids failed = { 0 };
    for (size_t i = 0; i < batch->n && !cancel_is_set(pfs->closing); i++) {
        ArenaMark mark = arena_mark(ctx->arena);
        Status s = finish_one_late(ctx, pfs, batch->items[i], batch);
        if (!status_ok(s)) {
            LOG_WARN(ctx, "could not finish a commit, will try again", "commit_row=%lld error=%s",
                     (long long)batch->items[i], status_message(s));
            ids_add(&failed, batch->items[i]);
        }
        arena_rewind(ctx->arena, mark);
    }
    LOCKED(&pfs->finisher.lock);
    for (size_t i = 0; i < failed.n; i++)
        ids_add(&pfs->finisher.queue, failed.items[i]);
    return failed.n;
}

/* The next batch; empty when there is none, and then this thread is over. */
static Ids next_batch(Pfs *pfs)
{
    LOCKED(&pfs->finisher.lock);
    if (!pfs->finisher.queue.n || cancel_is_set(pfs->closing))
        pfs->finisher.running = false;
    return pfs->finisher.running ? ids_steal(&pfs->finisher.queue) : (Ids){ 0 };
}

/* Until all is done: no one else would do it before the next start. */
static void finisher_run(void *arg)
{
    Pfs *pfs = arg;
    int64_t wait_ns = FINISH_RETRY_NS_MIN;
    for (;;) {
        CLEANUP(ids_done) Ids batch = next_batch(pfs);
        if (!batch.n)
            return;
        CLEANUP(ctx_done) Ctx ctx;
        ctx_init(&ctx);
        ctx.cancel = pfs->closing;
        if (try_batch(pfs, &ctx, &batch) == 0) {
            wait_ns = FINISH_RETRY_NS_MIN;
            continue;
        }
        wait_before_retry(pfs, &ctx, wait_ns);
        wait_ns = MIN(wait_ns * 2, FINISH_RETRY_NS_MAX);
    }
}

static void hand_over(Ctx *ctx, Pfs *pfs, const int64_t *ids, size_t n)
{
    LOCKED(&pfs->finisher.lock);
    for (size_t i = 0; i < n; i++)
        ids_add(&pfs->finisher.queue, ids[i]);
    if (pfs->finisher.running || !n)
        return;
    Status s = pool_run(pfs->pool, finisher_run, pfs);
    pfs->finisher.running = status_ok(s);
    if (!status_ok(s)) /* the next hand-over starts it */
        LOG_ERROR(ctx, "could not finish commits in the background", "error=%s", status_message(s));
}

void finish_late(Ctx *ctx, Pfs *pfs, Ids *late)
{
    for (size_t i = 0; i < late->n; i++)
        if (!status_ok(finish_one_late(ctx, pfs, late->items[i], late)))
            /* The caller's transaction stands, whatever becomes of the caller. */
            hand_over(ctx, pfs, late->items + i, 1);
}

Status finish_resume(Ctx *ctx, Pfs *pfs)
{
    CLEANUP(ids_done) Ids ids = { 0 };
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    TRY(ids_query(ctx, tx, "SELECT id FROM pfs_commit WHERE state = 3 AND id > ? ORDER BY id", 0,
                  &ids));
    hand_over(ctx, pfs, ids.items, ids.n);
    return OK;
}
