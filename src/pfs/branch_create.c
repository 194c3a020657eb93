/* branch_create.c - CreateBranch (§8.2, §8.3). */
#include "pfs/pfs_priv.h"

/* What a request asks for, as far as it is known. */
typedef struct Plan {
    const PfsV2__CreateBranchRequest *request;
    PfsV2__Branch *branch;      /* filled */
    PfsV2__Branch **provenance; /* filled; request->n_provenance of them */
    PfsV2__Commit *head;        /* filled; NULL: none asked for */
    RepoRow repo;
    bool exists;
    BranchRow row; /* valid if it exists */
    Ids upstream;  /* branches it shall be derived from */
    Ids old_upstream;
    int64_t head_id; /* 0: none yet */
    bool moved;
} Plan;

static void plan_done(Plan *plan)
{
    ids_done(&plan->upstream);
    ids_done(&plan->old_upstream);
}

static bool repo_same(const PfsV2__Repo *a, const PfsV2__Repo *b)
{
    return strcmp(a->project->name, b->project->name) == 0 && strcmp(a->name, b->name) == 0 &&
           strcmp(a->type, b->type) == 0;
}

static bool branch_same(const PfsV2__Branch *a, const PfsV2__Branch *b)
{
    return repo_same(a->repo, b->repo) && strcmp(a->name, b->name) == 0;
}

/* --- checks ----------------------------------------------------------------------------------- */

static Status plan_handles(Ctx *ctx, Plan *plan)
{
    const PfsV2__CreateBranchRequest *request = plan->request;
    if (request->head)
        TRY(pfs_commit_fill(ctx, request->head, &plan->head));
    plan->branch = pfs_branch_fill(ctx, request->branch);
    if (!plan->branch)
        return FAIL(ctx, UNKNOWN, "branch cannot be nil");
    if (!plan->branch->repo)
        return FAIL(ctx, UNKNOWN, "branch repo cannot be nil");
    if (plan->head && !repo_same(plan->head->repo, plan->branch->repo))
        return FAIL(ctx, UNKNOWN, "branch and head commit must belong to the same repo");

    plan->provenance = arena_must(ctx->arena, request->n_provenance * sizeof(PfsV2__Branch *));
    for (size_t i = 0; i < request->n_provenance; i++) {
        plan->provenance[i] = pfs_branch_fill(ctx, request->provenance[i]);
        if (!plan->provenance[i]->repo)
            return FAIL(ctx, UNKNOWN, "branch repo cannot be nil");
    }
    return OK;
}

static Status check_specs(Ctx *ctx, const Plan *plan)
{
    const PfsV2__CreateBranchRequest *request = plan->request;
    for (size_t i = 0; i < request->n_branch_propagation_specs; i++) {
        const PfsV2__Branch *named =
            pfs_branch_fill(ctx, request->branch_propagation_specs[i]->branch);
        bool known = false;
        for (size_t j = 0; named && named->repo && j < request->n_provenance; j++)
            known = known || branch_same(named, plan->provenance[j]);
        if (!known)
            return FAIL(ctx, UNKNOWN,
                        "branch propagation spec must reference provenant branch (referenced "
                        "branch: %s)",
                        branch_key(ctx, named));
    }
    return OK;
}

static Status check_names(Ctx *ctx, const Plan *plan)
{
    for (size_t i = 0; i < plan->request->n_provenance; i++)
        TRY(branch_name_check(ctx, plan->provenance[i]->name));
    return branch_name_check(ctx, plan->branch->name);
}

/* What can be said without rows, and the trigger. */
static Status plan_check(Ctx *ctx, PfsTx *tx, Plan *plan)
{
    const PfsV2__CreateBranchRequest *request = plan->request;
    TRY(plan_handles(ctx, plan));
    Status repo_found = OR_MISSING(repo_find(ctx, tx, plan->branch->repo, &plan->repo),
                                   err_repo_row_not_found(ctx, plan->branch->repo));
    if (request->trigger) {
        TRY(repo_found);
        TRY(trigger_validate(ctx, tx, &plan->repo, plan->branch->name, request->trigger));
    }
    if (request->trigger && request->n_provenance)
        return FAIL(ctx, UNKNOWN, "a branch cannot have both provenance and a trigger");
    TRY(check_specs(ctx, plan));
    TRY(check_names(ctx, plan));
    return repo_found;
}

/* --- rows ------------------------------------------------------------------------------------- */

static Status plan_old(Ctx *ctx, PfsTx *tx, Plan *plan)
{
    Status found = branch_find(ctx, tx, plan->repo.id, plan->branch->name, &plan->row);
    if (found.code == STATUS_NOT_FOUND)
        return OK;
    TRY(found);
    plan->exists = true;
    plan->head_id = plan->row.head_id;
    return graph_neighbours(ctx, tx, BRANCH_UP, plan->row.id, &plan->old_upstream);
}

/* A branch cannot be derived from what is derived from it. */
static Status check_cycle(Ctx *ctx, PfsTx *tx, const Plan *plan)
{
    if (!plan->exists)
        return OK;
    CLEANUP(ids_done) Ids below = { 0 };
    ids_add(&below, plan->row.id);
    TRY(graph_closure(ctx, tx, BRANCH_DOWN, 0, 0, &below));
    for (size_t i = 0; i < plan->upstream.n; i++) {
        if (!ids_has(&below, plan->upstream.items[i]))
            continue;
        BranchRow row;
        TRY(branch_get(ctx, tx, plan->upstream.items[i], &row));
        return FAIL(ctx, INTERNAL, "cycle detected because %s is already in the subvenance of %s",
                    branch_key(ctx, branch_row_ref(ctx, &row)),
                    branch_key(ctx, branch_row_ref(ctx, &plan->row)));
    }
    return OK;
}

static Status plan_upstream(Ctx *ctx, PfsTx *tx, Plan *plan)
{
    for (size_t i = 0; i < plan->request->n_provenance; i++) {
        const PfsV2__Branch *branch = plan->provenance[i];
        if (repo_same(branch->repo, plan->branch->repo))
            return FAIL(ctx, UNKNOWN, "repo %s cannot be in the provenance of its own branch",
                        pfs_repo_text(ctx, branch->repo));
        BranchRow row;
        TRY(branch_ensure(ctx, tx, branch, &row));
        ids_add(&plan->upstream, row.id);
    }
    return check_cycle(ctx, tx, plan);
}

static Status plan_head(Ctx *ctx, PfsTx *tx, Plan *plan)
{
    if (!plan->head)
        return OK;
    PfsCommitRow row;
    TRY_WRAP(ctx, pfs_pick(ctx, tx, plan->head, &row), "unable to inspect %s",
             pfs_commit_text(ctx, plan->head));
    if (row.repo_id != plan->repo.id)
        return FAIL(ctx, UNKNOWN, "branch and head commit must belong to the same repo");
    plan->head_id = row.id;
    plan->moved = true;
    return OK;
}

/* --- effects ---------------------------------------------------------------------------------- */

static bool same_set(const Ids *a, const Ids *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++)
        same = ids_has(b, a->items[i]);
    return same;
}

/* A branch without a head gets one; one that is derived from other branches than before gets a new
 * one. */
static Status new_head(Ctx *ctx, PfsTx *tx, int64_t branch_id, Plan *plan)
{
    bool rederived = plan->upstream.n && !same_set(&plan->upstream, &plan->old_upstream);
    if (plan->head_id && !rederived)
        return OK;
    CommitNew spec = {
        .repo_id = plan->repo.id,
        .branch_id = branch_id,
        .parent_id = plan->head_id,
        .origin = PFS_V2__ORIGIN_KIND__AUTO,
        .closed = !plan->upstream.n,
        .provenance = &plan->upstream,
    };
    TRY(commit_create(ctx, tx, &spec, &plan->head_id));
    plan->moved = true;
    return OK;
}

static Status store_row(Ctx *ctx, PfsTx *tx, int64_t branch_id, const Plan *plan)
{
    if (!plan->exists)
        return branch_insert(ctx, tx, branch_id, plan->repo.id, plan->branch->name, plan->head_id);
    if (plan->moved)
        return branch_set_head(ctx, tx, branch_id, plan->head_id);
    return OK;
}

static bool is_never(Ctx *ctx, const Plan *plan, const BranchRow *up)
{
    const PfsV2__CreateBranchRequest *request = plan->request;
    const PfsV2__Branch *branch = branch_row_ref(ctx, up);
    for (size_t i = 0; i < request->n_branch_propagation_specs; i++) {
        const PfsV2__BranchPropagationSpec *spec = request->branch_propagation_specs[i];
        if (branch_same(pfs_branch_fill(ctx, spec->branch), branch))
            return spec->propagation_spec && spec->propagation_spec->never;
    }
    return false;
}

static Status store_edges(Ctx *ctx, PfsTx *tx, int64_t branch_id, const Plan *plan)
{
    TRY(db_exec(ctx, tx->db, NULL, "DELETE FROM pfs_branch_prov WHERE down_id = ?", "i",
                branch_id));
    for (size_t i = 0; i < plan->upstream.n; i++) {
        BranchRow up;
        TRY(branch_get(ctx, tx, plan->upstream.items[i], &up));
        TRY(db_exec(ctx, tx->db, NULL,
                    "INSERT INTO pfs_branch_prov (down_id, up_id, never) VALUES (?, ?, ?)", "iii",
                    branch_id, up.id, (int64_t)is_never(ctx, plan, &up)));
    }
    if (plan->upstream.n && !same_set(&plan->upstream, &plan->old_upstream))
        ids_add(&tx->rewired, branch_id);
    return OK;
}

static Status plan_apply(Ctx *ctx, PfsTx *tx, Plan *plan)
{
    int64_t branch_id = plan->row.id;
    if (!plan->exists)
        TRY(db_next_id(ctx, tx->db, "pfs_branch", &branch_id));
    TRY(new_head(ctx, tx, branch_id, plan));
    TRY(store_row(ctx, tx, branch_id, plan));
    TRY(store_edges(ctx, tx, branch_id, plan));
    if (plan->request->trigger)
        TRY(trigger_store(ctx, tx, branch_id, &plan->repo, plan->request->trigger));
    if (plan->moved)
        ids_add(&tx->moved, branch_id);
    ids_add(&tx->headed, plan->repo.id);
    return OK;
}

Status pfs_create_branch(Ctx *ctx, PfsTx *tx, const PfsV2__CreateBranchRequest *request)
{
    CLEANUP(plan_done) Plan plan = { .request = request };
    TRY(plan_check(ctx, tx, &plan));
    TRY(plan_old(ctx, tx, &plan));
    TRY(plan_upstream(ctx, tx, &plan));
    TRY(plan_head(ctx, tx, &plan));
    return plan_apply(ctx, tx, &plan);
}
