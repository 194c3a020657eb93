/* tx.c - transactions (§7), and the work that each does at its end.
 *
 * At its end a transaction settles: branches whose heads moved carry the move downstream, the floor
 * above hears of the new commits, commits that were closed are finished; each of these may cause
 * more of the others, until nothing is left. Then the store is synced, where content was written,
 * and all becomes durable at once.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "pfs/pfs_priv.h"

static PfsTx *tx_new(Pfs *pfs, const char *set_id)
{
    PfsTx *tx = calloc(1, sizeof(*tx));
    if (!tx)
        return NULL;
    tx->pfs = pfs;
    tx->time_ns = clock_wall_ns();
    tx->set_id = id_new();
    if (set_id)
        snprintf(tx->set_id.text, sizeof(tx->set_id.text), "%s", set_id);
    return tx;
}

static void tx_free(PfsTx *tx)
{
    Ids *lists[] = {
        &tx->moved, &tx->rewired, &tx->headed, &tx->created, &tx->finishing, &tx->late
    };
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        ids_done(lists[i]);
    free(tx);
}

static Status begin(Ctx *ctx, Pfs *pfs, const char *set_id, PfsTx **out,
                    Status (*db_begin)(Ctx *ctx, Db *db, DbTx **out))
{
    PfsTx *tx = tx_new(pfs, set_id);
    if (!tx)
        return STATUS(RESOURCE_EXHAUSTED);
    Status s = db_begin(ctx, pfs->db, &tx->db);
    if (!status_ok(s)) {
        tx_free(tx);
        return s;
    }
    *out = tx;
    return OK;
}

Status pfs_begin_write(Ctx *ctx, Pfs *pfs, const char *set_id, PfsTx **out)
{
    TRY(begin(ctx, pfs, set_id, out, db_begin_write));
    /* Read again: the writer's turn may have been long in coming, and times follow the order of
     * commits. */
    (*out)->time_ns = clock_wall_ns();
    return OK;
}

Status pfs_begin_read(Ctx *ctx, Pfs *pfs, PfsTx **out)
{
    return begin(ctx, pfs, NULL, out, db_begin_read);
}

PfsTx *pfs_rollback(PfsTx *tx)
{
    if (!tx)
        return NULL;
    db_rollback(tx->db);
    tx_free(tx);
    return NULL;
}

DbTx *pfs_tx_db(PfsTx *tx)
{
    return tx->db;
}

Pfs *pfs_tx_pfs(PfsTx *tx)
{
    return tx->pfs;
}

const char *pfs_tx_set_id(const PfsTx *tx)
{
    return tx->set_id.text;
}

int64_t pfs_tx_time_ns(const PfsTx *tx)
{
    return tx->time_ns;
}

void tx_renew_set(PfsTx *tx)
{
    if (!tx->created.n)
        return;
    tx->set_id = id_new();
    ids_clear(&tx->created);
    tx->told = 0;
}

/* --- settling --------------------------------------------------------------------------------- */

static Status tell_created(Ctx *ctx, PfsTx *tx)
{
    const PfsHooks *hooks = &tx->pfs->hooks;
    const int64_t *ids = tx->created.items + tx->told;
    size_t n = tx->created.n - tx->told;
    tx->told = tx->created.n;
    return hooks->commits_created ? hooks->commits_created(hooks->self, ctx, tx, ids, n) : OK;
}

static Status finish_next(Ctx *ctx, PfsTx *tx)
{
    CLEANUP(ids_done) Ids batch = ids_steal(&tx->finishing);
    for (size_t i = 0; i < batch.n; i++)
        TRY(finish_try(ctx, tx, batch.items[i]));
    return OK;
}

/* No head may be a finished commit whose content was given up. */
Status check_heads(Ctx *ctx, PfsTx *tx, int64_t repo_id)
{
    int64_t bad;
    Status s = db_query_int(ctx, tx->db, &bad,
                            "SELECT b.id FROM pfs_branch b JOIN pfs_commit c ON c.id = b.head_id "
                            "WHERE b.repo_id = ? AND c.forgotten <> 0 LIMIT 1",
                            "i", repo_id);
    if (s.code == STATUS_NOT_FOUND)
        return OK;
    TRY(s);
    return FAIL(ctx, UNKNOWN,
                "list branch in transaction: for each branch: the branch head cannot be a "
                "forgotten commit");
}

/* New commits are told of before older ones finish, so that a job exists by the time its output
 * ends. */
Status pfs_settle(Ctx *ctx, PfsTx *tx)
{
    for (;;) {
        if (tx->moved.n || tx->rewired.n || tx->gone)
            TRY(propagate(ctx, tx));
        else if (tx->told < tx->created.n)
            TRY(tell_created(ctx, tx));
        else if (tx->finishing.n)
            TRY(finish_next(ctx, tx));
        else
            break;
    }
    for (size_t i = 0; i < tx->headed.n; i++)
        TRY(check_heads(ctx, tx, tx->headed.items[i]));
    return OK;
}

static Status settle_and_sync(Ctx *ctx, PfsTx *tx)
{
    if (!db_is_write(tx->db))
        return OK;
    TRY(pfs_settle(ctx, tx));
    return tx->unsynced ? store_sync(ctx, tx->pfs->store) : OK;
}

static Status commit_with(Ctx *ctx, PfsTx *tx, Ids *late, Status (*end)(Ctx *ctx, DbTx *tx))
{
    Status s = settle_and_sync(ctx, tx);
    if (!status_ok(s)) {
        pfs_rollback(tx);
        return s;
    }
    s = end(ctx, tx->db);
    for (size_t i = 0; status_ok(s) && i < tx->late.n; i++)
        ids_add(late, tx->late.items[i]);
    tx_free(tx);
    return s;
}

Status tx_commit(Ctx *ctx, PfsTx *tx, Ids *late)
{
    return commit_with(ctx, tx, late, db_commit);
}

static Status commit_and_finish(Ctx *ctx, PfsTx *tx, Status (*end)(Ctx *ctx, DbTx *tx))
{
    CLEANUP(ids_done) Ids late = { 0 };
    Pfs *pfs = tx->pfs;
    TRY(commit_with(ctx, tx, &late, end));
    if (late.n)
        finish_late(ctx, pfs, &late);
    return OK;
}

Status pfs_commit(Ctx *ctx, PfsTx *tx)
{
    return commit_and_finish(ctx, tx, db_commit);
}

Status pfs_commit_lazily(Ctx *ctx, PfsTx *tx)
{
    return commit_and_finish(ctx, tx, db_commit_lazily);
}
