/* pfs_meta_rpc.c - pfs_v2.API: projects, repos and branches. */
#include "api/api_priv.h"

static Status create_project(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    return pfs_create_project(call->ctx, tx, request);
}

static Status inspect_project(Call *call, PfsTx *tx, const void *request, void **response)
{
    const PfsV2__InspectProjectRequest *r = request;
    return pfs_inspect_project(call->ctx, tx, r->project, (PfsV2__ProjectInfo **)response);
}

static Status send_project(void *call, Ctx *ctx, const PfsV2__ProjectInfo *info)
{
    (void)ctx;
    return call_send(call, &info->base);
}

static Status list_project(Call *call, const void *request)
{
    (void)request;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(call->ctx, call->api->config.pfs, &tx));
    return pfs_list_project(call->ctx, tx, send_project, call);
}

static Status delete_project(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    const PfsV2__DeleteProjectRequest *r = request;
    TRY(pfs_delete_project(call->ctx, tx, r));
    return pps_drop_project_defaults(call->ctx, tx, r->project);
}

static Status create_repo(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    return pfs_create_repo(call->ctx, tx, request);
}

static Status inspect_repo(Call *call, PfsTx *tx, const void *request, void **response)
{
    const PfsV2__InspectRepoRequest *r = request;
    return pfs_inspect_repo(call->ctx, tx, r->repo, (PfsV2__RepoInfo **)response);
}

static Status send_repo(void *call, Ctx *ctx, const PfsV2__RepoInfo *info)
{
    (void)ctx;
    return call_send(call, &info->base);
}

static Status list_repo(Call *call, const void *request)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(call->ctx, call->api->config.pfs, &tx));
    return pfs_list_repo(call->ctx, tx, request, send_repo, call);
}

static Status delete_repo(Call *call, PfsTx *tx, const void *request, void **response)
{
    PfsV2__DeleteRepoResponse *answer =
        CALL_NEW(call, PfsV2__DeleteRepoResponse, pfs_v2__delete_repo_response__init);
    bool deleted;
    TRY(pfs_delete_repo(call->ctx, tx, request, &deleted));
    answer->deleted = deleted;
    *response = answer;
    return OK;
}

static Status delete_repos(Call *call, PfsTx *tx, const void *request, void **response)
{
    return pfs_delete_repos(call->ctx, tx, request, (PfsV2__DeleteReposResponse **)response);
}

static Status repos_summary(Call *call, PfsTx *tx, const void *request, void **response)
{
    return pfs_repos_summary(call->ctx, tx, request, (PfsV2__ReposSummaryResponse **)response);
}

static Status delete_all(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)request;
    (void)response;
    return pfs_delete_all(call->ctx, tx);
}

static Status create_branch(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    return pfs_create_branch(call->ctx, tx, request);
}

static Status inspect_branch(Call *call, PfsTx *tx, const void *request, void **response)
{
    const PfsV2__InspectBranchRequest *r = request;
    return pfs_inspect_branch(call->ctx, tx, r->branch, (PfsV2__BranchInfo **)response);
}

static Status send_branch(void *call, Ctx *ctx, const PfsV2__BranchInfo *info)
{
    (void)ctx;
    return call_send(call, &info->base);
}

static Status list_branch(Call *call, const void *request)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(call->ctx, call->api->config.pfs, &tx));
    return pfs_list_branch(call->ctx, tx, request, send_branch, call);
}

static Status delete_branch(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    return pfs_delete_branch(call->ctx, tx, request);
}

static Status walk_branches(Call *call, PfsV2__BranchPicker **start, size_t n, bool downstream,
                            uint64_t max, uint64_t depth)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(call->ctx, call->api->config.pfs, &tx));
    return pfs_walk_branches(call->ctx, tx, start, n, downstream, max, depth, send_branch, call);
}

static Status walk_branch_provenance(Call *call, const void *request)
{
    const PfsV2__WalkBranchProvenanceRequest *r = request;
    return walk_branches(call, r->start, r->n_start, false, r->max_branches, r->max_depth);
}

static Status walk_branch_subvenance(Call *call, const void *request)
{
    const PfsV2__WalkBranchSubvenanceRequest *r = request;
    return walk_branches(call, r->start, r->n_start, true, r->max_branches, r->max_depth);
}

static const ApiMethod methods[] = {
    { .path = "/pfs_v2.API/CreateProject", .write = create_project },
    { .path = "/pfs_v2.API/InspectProject", .read = inspect_project },
    { .path = "/pfs_v2.API/ListProject", .stream = list_project },
    { .path = "/pfs_v2.API/DeleteProject", .write = delete_project },
    { .path = "/pfs_v2.API/CreateRepo", .write = create_repo, .batched = true },
    { .path = "/pfs_v2.API/InspectRepo", .read = inspect_repo },
    { .path = "/pfs_v2.API/ListRepo", .stream = list_repo },
    { .path = "/pfs_v2.API/DeleteRepo", .write = delete_repo, .batched = true },
    { .path = "/pfs_v2.API/DeleteRepos", .write = delete_repos },
    { .path = "/pfs_v2.API/ReposSummary", .read = repos_summary },
    { .path = "/pfs_v2.API/DeleteAll", .write = delete_all },
    { .path = "/pfs_v2.API/CreateBranch", .write = create_branch, .batched = true },
    { .path = "/pfs_v2.API/InspectBranch", .read = inspect_branch },
    { .path = "/pfs_v2.API/ListBranch", .stream = list_branch },
    { .path = "/pfs_v2.API/DeleteBranch", .write = delete_branch, .batched = true },
    { .path = "/pfs_v2.API/WalkBranchProvenance", .stream = walk_branch_provenance },
    { .path = "/pfs_v2.API/WalkBranchSubvenance", .stream = walk_branch_subvenance },
};

const ApiTable api_pfs_meta_table = { methods, ARRAY_LEN(methods) };
