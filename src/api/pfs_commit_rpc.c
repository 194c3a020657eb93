/* pfs_commit_rpc.c - pfs_v2.API: commits and commit sets. */
#include "api/api_priv.h"

static Status start_commit(Call *call, PfsTx *tx, const void *request, void **response)
{
    return pfs_start_commit(call->ctx, tx, request, (PfsV2__Commit **)response);
}

static Status finish_commit(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    return pfs_finish_commit(call->ctx, tx, request, false);
}

static Status clear_commit(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    return pfs_clear_commit(call->ctx, tx, ((const PfsV2__ClearCommitRequest *)request)->commit);
}

static Status inspect_commit(Call *call, const void *request, void **response)
{
    return pfs_inspect_commit(call->ctx, call->api->config.pfs, request,
                              (PfsV2__CommitInfo **)response);
}

static Status send_commit(void *call, Ctx *ctx, const PfsV2__CommitInfo *info)
{
    (void)ctx;
    return call_send(call, &info->base);
}

static Status list_commit(Call *call, const void *request)
{
    return pfs_list_commit(call->ctx, call->api->config.pfs, request, send_commit, call);
}

static Status subscribe_commit(Call *call, const void *request)
{
    return pfs_subscribe_commit(call->ctx, call->api->config.pfs, request, send_commit, call);
}

static Status squash_commit(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    const PfsV2__SquashCommitRequest *r = request;
    return pfs_squash_commit(call->ctx, tx, r->commit, r->recursive);
}

static Status drop_commit(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    const PfsV2__DropCommitRequest *r = request;
    return pfs_drop_commit(call->ctx, tx, r->commit, r->recursive);
}

static Status inspect_set(Call *call, const void *request)
{
    return pfs_inspect_set(call->ctx, call->api->config.pfs, request, send_commit, call);
}

static Status send_set(void *call, Ctx *ctx, const PfsV2__CommitSetInfo *info)
{
    (void)ctx;
    return call_send(call, &info->base);
}

static Status list_set(Call *call, const void *request)
{
    const PfsV2__ListCommitSetRequest *r = request;
    return pfs_list_set(call->ctx, call->api->config.pfs, r->project, send_set, call);
}

static Status squash_set(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    return pfs_squash_set(call->ctx, tx,
                          ((const PfsV2__SquashCommitSetRequest *)request)->commit_set);
}

static Status drop_set(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    return pfs_drop_set(call->ctx, tx, ((const PfsV2__DropCommitSetRequest *)request)->commit_set);
}

static Status walk_provenance(Call *call, const void *request)
{
    const PfsV2__WalkCommitProvenanceRequest *r = request;
    return pfs_walk_commits(call->ctx, call->api->config.pfs, r->start, r->n_start, false,
                            r->max_commits, r->max_depth, send_commit, call);
}

static Status walk_subvenance(Call *call, const void *request)
{
    const PfsV2__WalkCommitSubvenanceRequest *r = request;
    return pfs_walk_commits(call->ctx, call->api->config.pfs, r->start, r->n_start, true,
                            r->max_commits, r->max_depth, send_commit, call);
}

static Status forget_commit(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    return pfs_forget_commit(call->ctx, tx, ((const PfsV2__ForgetCommitRequest *)request)->commit);
}

static const ApiMethod methods[] = {
    { .path = "/pfs_v2.API/StartCommit", .write = start_commit, .batched = true },
    { .path = "/pfs_v2.API/FinishCommit", .write = finish_commit, .batched = true },
    { .path = "/pfs_v2.API/ClearCommit", .write = clear_commit },
    { .path = "/pfs_v2.API/InspectCommit", .unary = inspect_commit },
    { .path = "/pfs_v2.API/ListCommit", .stream = list_commit },
    { .path = "/pfs_v2.API/SubscribeCommit", .stream = subscribe_commit },
    { .path = "/pfs_v2.API/SquashCommit", .write = squash_commit },
    { .path = "/pfs_v2.API/DropCommit", .write = drop_commit },
    { .path = "/pfs_v2.API/InspectCommitSet", .stream = inspect_set },
    { .path = "/pfs_v2.API/ListCommitSet", .stream = list_set },
    { .path = "/pfs_v2.API/SquashCommitSet", .write = squash_set, .batched = true },
    { .path = "/pfs_v2.API/DropCommitSet", .write = drop_set },
    { .path = "/pfs_v2.API/WalkCommitProvenance", .stream = walk_provenance },
    { .path = "/pfs_v2.API/WalkCommitSubvenance", .stream = walk_subvenance },
    { .path = "/pfs_v2.API/ForgetCommit", .write = forget_commit },
};

const ApiTable api_pfs_commit_table = { methods, ARRAY_LEN(methods) };
