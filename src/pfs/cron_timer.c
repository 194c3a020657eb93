/* cron_timer.c - the ticks of cron triggers (§10.4).
 *
 * One thread, which is there only once there is a cron trigger, sleeps until the next tick is due
 * or a trigger changes. Ticks missed while the server was down or busy are made up for by one.
 */
#include "base/clock.h"
#include "base/log.h"
#include "codec/cron.h"
#include "pfs/pfs_priv.h"

#define CRON_RETRY_NS (10 * NS_PER_SEC) /* after an error: ticks are not lost, only late */

uint64_t cron_topic(void)
{
    return event_topic("pfs.cron", STR(""));
}

/* --- ticks ------------------------------------------------------------------------------------ */

/* When the branch is to be moved next. A trigger that never ticked counts from its head. */
static Status next_due(Ctx *ctx, PfsTx *tx, const BranchRow *branch, int64_t *out_ns)
{
    Cron cron;
    TRY(cron_parse(ctx, str(branch->trigger_cron), &cron));
    int64_t prev_ns = branch->cron_prev_ns;
    if (!prev_ns) {
        PfsCommitRow head;
        TRY(pfs_commit_row(ctx, tx, branch->head_id, &head));
        prev_ns = head.started_ns;
    }
    if (!cron_next(&cron, prev_ns, out_ns))
        *out_ns = INT64_MAX;
    return OK;
}

/* The newest tick that is due at now_ns: the older ones it stands for as well. */
static Status newest_due(Ctx *ctx, const BranchRow *branch, int64_t due_ns, int64_t now_ns,
                         int64_t *out_ns)
{
    Cron cron;
    int64_t after_ns;
    TRY(cron_parse(ctx, str(branch->trigger_cron), &cron));
    bool missed = cron_next(&cron, due_ns, &after_ns) && after_ns <= now_ns;
    *out_ns = missed ? now_ns : due_ns;
    return OK;
}

static Status tick_branch(Ctx *ctx, PfsTx *tx, const BranchRow *branch, int64_t tick_ns)
{
    BranchRow source;
    TRY(branch_get(ctx, tx, branch->trigger_id, &source));
    TRY(branch_set_head(ctx, tx, branch->id, source.head_id));
    ids_add(&tx->moved, branch->id);
    return db_exec(ctx, tx->db, NULL, "UPDATE pfs_branch SET cron_prev_ns = ? WHERE id = ?", "ii",
                   tick_ns, branch->id);
}

static Status cron_branches(Ctx *ctx, PfsTx *tx, Ids *out)
{
    return ids_query(ctx, tx,
                     "SELECT id FROM pfs_branch WHERE trigger_cron <> '' AND id > ? ORDER BY id", 0,
                     out);
}

/* Moves one branch if it is due, in a transaction of its own: each tick makes a set. */
static Status tick_if_due(Ctx *ctx, Pfs *pfs, int64_t branch_id, int64_t now_ns,
                          int64_t *out_next_ns)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    BranchRow branch;
    int64_t due_ns;
    TRY(branch_get(ctx, tx, branch_id, &branch));
    TRY(next_due(ctx, tx, &branch, &due_ns));
    *out_next_ns = due_ns;
    if (due_ns > now_ns)
        return OK;
    tx = pfs_rollback(tx);

    TRY(pfs_begin_write(ctx, pfs, NULL, &tx));
    TRY(branch_get(ctx, tx, branch_id, &branch));
    if (!*branch.trigger_cron)
        return OK;
    TRY(newest_due(ctx, &branch, due_ns, now_ns, &branch.cron_prev_ns));
    TRY(tick_branch(ctx, tx, &branch, branch.cron_prev_ns));
    TRY(next_due(ctx, tx, &branch, out_next_ns));
    return pfs_commit(ctx, STEAL(tx));
}

Status cron_tick(Ctx *ctx, Pfs *pfs, int64_t now_ns, int64_t *out_next_ns)
{
    CLEANUP(ids_done) Ids branches = { 0 };
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    TRY(cron_branches(ctx, tx, &branches));
    tx = pfs_rollback(tx);
    *out_next_ns = INT64_MAX;
    for (size_t i = 0; i < branches.n; i++) {
        int64_t next_ns = INT64_MAX;
        Status s = tick_if_due(ctx, pfs, branches.items[i], now_ns, &next_ns);
        if (s.code == STATUS_NOT_FOUND)
            continue; /* deleted since */
        TRY(s);
        *out_next_ns = MIN(*out_next_ns, next_ns);
    }
    return OK;
}

/* --- the thread ------------------------------------------------------------------------------- */

/* What is due by the wall clock, waited for by the other one. */
static int64_t deadline_of(int64_t next_ns)
{
    if (next_ns == INT64_MAX)
        return DEADLINE_NONE;
    int64_t wait_ns = next_ns - clock_wall_ns();
    return clock_mono_ns() + MAX(wait_ns, 0);
}

static void *timer_run(void *arg)
{
    Pfs *pfs = arg;
    EventBus *bus = db_events(pfs->db);
    uint64_t topic = cron_topic();
    while (!cancel_is_set(pfs->closing)) {
        CLEANUP(ctx_done) Ctx ctx;
        ctx_init(&ctx);
        ctx.cancel = pfs->closing;
        uint64_t since = event_epoch(bus);
        int64_t next_ns;
        Status s = cron_tick(&ctx, pfs, clock_wall_ns(), &next_ns);
        if (!status_ok(s) && !cancel_is_set(pfs->closing)) {
            LOG_WARN(&ctx, "could not move a branch on its schedule", "error=%s",
                     status_message(s));
            next_ns = clock_wall_ns() + CRON_RETRY_NS;
        }
        ctx.deadline_ns = deadline_of(next_ns);
        event_wait(&ctx, bus, &topic, 1, since);
    }
    return NULL;
}

static Status timer_start(Ctx *ctx, Pfs *pfs)
{
    LOCKED(&pfs->timer.lock);
    if (pfs->timer.started || cancel_is_set(pfs->closing))
        return OK;
    TRY(thread_start(ctx, "pfs-cron", timer_run, pfs, &pfs->timer.thread));
    pfs->timer.started = true;
    return OK;
}

Status cron_start(Ctx *ctx, Pfs *pfs)
{
    CLEANUP(ids_done) Ids branches = { 0 };
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    TRY(cron_branches(ctx, tx, &branches));
    return branches.n ? timer_start(ctx, pfs) : OK;
}

static void start_after_commit(void *arg)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Status s = timer_start(&ctx, arg);
    if (!status_ok(s))
        LOG_ERROR(&ctx, "could not start the timer of cron triggers", "error=%s",
                  status_message(s));
}

void cron_start_after_commit(PfsTx *tx)
{
    db_after_commit(tx->db, start_after_commit, tx->pfs);
}

void cron_stop(Pfs *pfs)
{
    if (pfs->timer.started)
        pthread_join(pfs->timer.thread, NULL);
}
