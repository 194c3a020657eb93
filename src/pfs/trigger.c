/* trigger.c - branches that follow another branch of their repo when conditions are met (§10). */
#include "codec/amount.h"
#include "codec/cron.h"
#include "pfs/pfs_priv.h"

/* --- validation ------------------------------------------------------------------------------- */

/* Follows triggers from `name` on: they must not come back to the branch. */
static Status check_loop(Ctx *ctx, PfsTx *tx, const RepoRow *repo, const char *branch,
                         const char *name)
{
    CLEANUP(ids_done) Ids seen = { 0 };
    while (name && *name) {
        if (strcmp(name, branch) == 0)
            return FAIL(ctx, UNKNOWN, "triggers cannot form a loop");
        BranchRow row;
        Status found = branch_find(ctx, tx, repo->id, name, &row);
        if (found.code == STATUS_NOT_FOUND)
            return OK;
        TRY(found);
        name = ids_add(&seen, row.id) ? row.trigger_branch : NULL;
    }
    return OK;
}

Status trigger_validate(Ctx *ctx, PfsTx *tx, const RepoRow *repo, const char *branch,
                        const PfsV2__Trigger *trigger)
{
    Cron cron;
    int64_t size;
    if (!*trigger->branch)
        return FAIL(ctx, UNKNOWN, "triggers must specify a branch to trigger on");
    TRY(branch_name_check(ctx, trigger->branch));
    if (*trigger->rate_limit_spec)
        TRY_WRAP(ctx, cron_parse(ctx, str(trigger->rate_limit_spec), &cron),
                 "invalid trigger rate limit spec");
    if (*trigger->size)
        TRY_WRAP(ctx, size_parse(ctx, str(trigger->size), &size), "invalid trigger size");
    if (trigger->commits < 0)
        return FAIL(ctx, UNKNOWN, "can't trigger on a negative number of commits");
    if (*trigger->cron_spec)
        TRY_WRAP(ctx, cron_parse(ctx, str(trigger->cron_spec), &cron), "invalid trigger cron spec");
    return check_loop(ctx, tx, repo, branch, trigger->branch);
}

Status trigger_store(Ctx *ctx, PfsTx *tx, int64_t branch_id, const RepoRow *repo,
                     const PfsV2__Trigger *trigger)
{
    BranchRow old, source;
    TRY(branch_get(ctx, tx, branch_id, &old));
    Status found = branch_find(ctx, tx, repo->id, trigger->branch, &source);
    if (found.code == STATUS_NOT_FOUND) {
        PfsV2__Branch *missing = branch_row_ref(ctx, &old);
        missing->name = trigger->branch;
        return status_wrap(ctx, err_branch_row_not_found(ctx, missing),
                           "create branch: update head: updating branch trigger");
    }
    TRY(found);
    /* A schedule that stays the same goes on where it was. */
    bool same_cron = strcmp(old.trigger_cron, trigger->cron_spec) == 0;
    if (*trigger->cron_spec)
        cron_start_after_commit(tx);
    db_notify(tx->db, cron_topic());
    return db_exec(ctx, tx->db, NULL,
                   "UPDATE pfs_branch SET trigger_id = ?, trigger_all = ?, trigger_rate = ?, "
                   "trigger_size = ?, trigger_commits = ?, trigger_cron = ?, cron_prev_ns = ?, "
                   "updated_ns = ? WHERE id = ?",
                   "iissisiii", source.id, (int64_t)(trigger->all != 0), trigger->rate_limit_spec,
                   trigger->size, trigger->commits, trigger->cron_spec,
                   same_cron ? old.cron_prev_ns : 0, tx->time_ns, branch_id);
}

/* --- conditions ------------------------------------------------------------------------------- */

static Status size_reached(Ctx *ctx, const BranchRow *branch, const PfsCommitRow *old,
                           const PfsCommitRow *new, bool *out)
{
    int64_t wanted;
    TRY(size_parse(ctx, str(branch->trigger_size), &wanted));
    *out = new->size_bytes - old->size_bytes >= wanted;
    return OK;
}

static Status rate_allows(Ctx *ctx, const BranchRow *branch, const PfsCommitRow *old,
                          const PfsCommitRow *new, bool *out)
{
    Cron cron;
    int64_t next_ns;
    TRY(cron_parse(ctx, str(branch->trigger_rate), &cron));
    *out = cron_next(&cron, old->finishing_ns, &next_ns) && next_ns < new->finishing_ns;
    return OK;
}

/* Are there as many commits from the new head down to the old one? The root counts unless the
 * system made it. */
static Status commits_reached(Ctx *ctx, PfsTx *tx, const BranchRow *branch, const PfsCommitRow *old,
                              const PfsCommitRow *new, bool *out)
{
    int64_t count = 0;
    for (int64_t id = new->id; id &&id != old->id &&count < branch->trigger_commits;) {
        PfsCommitRow row;
        TRY(pfs_commit_row(ctx, tx, id, &row));
        if (row.parent_id || row.origin != PFS_V2__ORIGIN_KIND__AUTO)
            count++;
        id = row.parent_id;
    }
    *out = count >= branch->trigger_commits;
    return OK;
}

static Status conditions_met(Ctx *ctx, PfsTx *tx, const BranchRow *branch, const PfsCommitRow *old,
                             const PfsCommitRow *new, bool *out)
{
    bool met[3];
    size_t n = 0;
    if (*branch->trigger_size)
        TRY(size_reached(ctx, branch, old, new, &met[n++]));
    if (*branch->trigger_rate)
        TRY(rate_allows(ctx, branch, old, new, &met[n++]));
    if (branch->trigger_commits)
        TRY(commits_reached(ctx, tx, branch, old, new, &met[n++]));
    /* Of no conditions all are met, and not one. */
    bool any = false, all = true;
    for (size_t i = 0; i < n; i++) {
        any = any || met[i];
        all = all && met[i];
    }
    *out = branch->trigger_all ? all : any;
    return OK;
}

/* --- firing ----------------------------------------------------------------------------------- */

static Status try_branch(Ctx *ctx, PfsTx *tx, int64_t branch_id, const PfsCommitRow *commit,
                         bool *out_fired)
{
    *out_fired = false;
    BranchRow branch;
    TRY(branch_get(ctx, tx, branch_id, &branch));
    if (*branch.trigger_cron || branch.head_id == commit->id)
        return OK;
    PfsCommitRow old;
    TRY(pfs_commit_row(ctx, tx, branch.head_id, &old));
    TRY(conditions_met(ctx, tx, &branch, &old, commit, out_fired));
    if (!*out_fired)
        return OK;
    tx_renew_set(tx); /* downstream commits are a set of their own */
    ids_add(&tx->moved, branch_id);
    return branch_set_head(ctx, tx, branch_id, commit->id);
}

Status trigger_fire(Ctx *ctx, PfsTx *tx, int64_t commit_id)
{
    PfsCommitRow commit;
    TRY(pfs_commit_row(ctx, tx, commit_id, &commit));
    if (!commit.branch_id)
        return OK;
    CLEANUP(ids_done) Ids moved = { 0 };
    ids_add(&moved, commit.branch_id);
    for (size_t i = 0; i < moved.n; i++) {
        CLEANUP(ids_done) Ids followers = { 0 };
        TRY(ids_query(ctx, tx, TRIGGERED_SQL, moved.items[i], &followers));
        for (size_t j = 0; j < followers.n; j++) {
            bool fired;
            TRY(try_branch(ctx, tx, followers.items[j], &commit, &fired));
            if (fired)
                ids_add(&moved, followers.items[j]);
        }
    }
    return OK;
}
