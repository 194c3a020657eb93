/* propagate.c - how the move of a branch's head reaches what is derived from it (§8.1, §8.4). */
#include "base/text.h"
#include "pfs/pfs_priv.h"

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
    TRY(dag_check(ctx, tx));
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
