/* propagate.c - how the move of a branch's head reaches what is derived from it (§8.1, §8.4). */
#include "base/text.h"
#include "pfs/pfs_priv.h"

/* --- the structural rule ---------------------------------------------------------------------- */

/* All branches that are connected with those in `seen`, whichever way. */
static Status component(Ctx *ctx, PfsTx *tx, Ids *seen)
{
    for (size_t i = 0; i < seen->n; i++) {
        TRY(graph_neighbours(ctx, tx, BRANCH_UP, seen->items[i], seen));
        TRY(graph_neighbours(ctx, tx, BRANCH_DOWN, seen->items[i], seen));
    }
    return OK;
}

/* In a connected part of the graph each repo has one branch at most, so that a set of commits made
 * there has one commit of each repo. Only new edges can break that. */
static Status check_dag(Ctx *ctx, PfsTx *tx, int64_t branch_id)
{
    CLEANUP(ids_done) Ids branches = { 0 };
    CLEANUP(ids_done) Ids repos = { 0 };
    ids_add(&branches, branch_id);
    TRY(component(ctx, tx, &branches));
    ArenaMark mark = arena_mark(ctx->arena);
    for (size_t i = 0; i < branches.n; i++, arena_rewind(ctx->arena, mark)) {
        BranchRow row;
        TRY(branch_get(ctx, tx, branches.items[i], &row));
        if (ids_add(&repos, row.repo_id))
            continue;
        PfsV2__Repo *repo = repo_ref(ctx, row.project, row.repo, row.type);
        return FAIL(ctx, UNKNOWN,
                    "validate DAG at end of transaction: multiple branches from the same repo, "
                    "\"%s\", cannot participate in a DAG",
                    pfs_repo_text(ctx, repo));
    }
    return OK;
}

static Status check_rewired(Ctx *ctx, PfsTx *tx)
{
    if (tx->gone)
        return FAIL(ctx, NOT_FOUND,
                    "validate DAG at end of transaction: loading branch info for \"%s\" during "
                    "validation: branch (id=0, branch=%s) not found",
                    tx->gone, tx->gone);
    CLEANUP(ids_done) Ids rewired = ids_steal(&tx->rewired);
    for (size_t i = 0; i < rewired.n; i++)
        TRY(check_dag(ctx, tx, rewired.items[i]));
    return OK;
}

/* --- downstream commits ----------------------------------------------------------------------- */

/* A branch derived from nothing but a spec runs by itself (a spout): a new spec does not make it
 * commit. */
static Status is_spout(Ctx *ctx, PfsTx *tx, const Ids *upstream, bool *out)
{
    *out = false;
    if (upstream->n != 1)
        return OK;
    BranchRow up;
    TRY(branch_get(ctx, tx, upstream->items[0], &up));
    if (strcmp(up.type, "spec") != 0)
        return OK;
    CLEANUP(ids_done) Ids above = { 0 };
    TRY(graph_neighbours(ctx, tx, BRANCH_UP, up.id, &above));
    *out = above.n == 0;
    return OK;
}

/* Gives a branch its commit of this set. If it has one already, that one depends on what its inputs
 * have become since. */
static Status commit_on(Ctx *ctx, PfsTx *tx, int64_t branch_id)
{
    CLEANUP(ids_done) Ids upstream = { 0 };
    TRY(graph_neighbours(ctx, tx, BRANCH_UP, branch_id, &upstream));
    bool spout;
    TRY(is_spout(ctx, tx, &upstream, &spout));
    if (spout)
        return OK;
    BranchRow branch;
    PfsCommitRow head;
    TRY(branch_get(ctx, tx, branch_id, &branch));
    TRY(pfs_commit_row(ctx, tx, branch.head_id, &head));
    if (strcmp(head.set_id, tx->set_id.text) == 0)
        return head.branch_id == branch_id ? commit_set_provenance(ctx, tx, head.id, &upstream)
                                           : OK;
    CommitNew spec = {
        .repo_id = branch.repo_id,
        .branch_id = branch_id,
        .parent_id = head.id,
        .origin = PFS_V2__ORIGIN_KIND__AUTO,
        .provenance = &upstream,
    };
    int64_t commit_id;
    TRY(commit_create(ctx, tx, &spec, &commit_id));
    return branch_set_head(ctx, tx, branch_id, commit_id);
}

Status propagate(Ctx *ctx, PfsTx *tx)
{
    TRY(check_rewired(ctx, tx));
    CLEANUP(ids_done) Ids moved = ids_steal(&tx->moved);
    CLEANUP(ids_done) Ids reached = { 0 };
    CLEANUP(ids_done) Ids order = { 0 };
    for (size_t i = 0; i < moved.n; i++)
        TRY(graph_neighbours(ctx, tx, BRANCH_FLOW, moved.items[i], &reached));
    TRY(graph_closure(ctx, tx, BRANCH_FLOW, 0, 0, &reached));
    TRY(graph_order(ctx, tx, BRANCH_UP, &reached, &order));
    ArenaMark mark = arena_mark(ctx->arena);
    for (size_t i = 0; i < order.n; i++, arena_rewind(ctx->arena, mark))
        TRY(commit_on(ctx, tx, order.items[i]));
    return OK;
}
