/* branch_info.c - looking at branches: one, a repo's, and walks (§6.3, §8.6, §18.4). */
#include "base/text.h"
#include "pfs/pfs_priv.h"

Status branch_resolve(Ctx *ctx, PfsTx *tx, const PfsV2__Branch *branch, BranchRow *out)
{
    RepoRow repo;
    Status found = repo_find(ctx, tx, branch->repo, &repo);
    if (status_ok(found))
        found = branch_find(ctx, tx, repo.id, branch->name, out);
    return OR_MISSING(found, err_branch_row_not_found(ctx, branch));
}

/* --- infos ------------------------------------------------------------------------------------ */

static Status branch_refs(Ctx *ctx, PfsTx *tx, const int64_t *ids, size_t n, PfsV2__Branch ***out,
                          size_t *out_n)
{
    PtrList list = { 0 };
    for (size_t i = 0; i < n; i++) {
        BranchRow row;
        TRY(branch_get(ctx, tx, ids[i], &row));
        ptr_list_add(ctx, &list, branch_row_ref(ctx, &row));
    }
    *out = (PfsV2__Branch **)list.items;
    *out_n = list.n;
    return OK;
}

static Status direct_refs(Ctx *ctx, PfsTx *tx, int64_t id, PfsV2__BranchInfo *info)
{
    CLEANUP(ids_done) Ids ids = { 0 };
    TRY(graph_neighbours(ctx, tx, BRANCH_UP, id, &ids));
    return branch_refs(ctx, tx, ids.items, ids.n, &info->direct_provenance,
                       &info->n_direct_provenance);
}

/* All that is reached from the branch, without the branch itself. */
static Status closure_refs(Ctx *ctx, PfsTx *tx, Edges edges, int64_t id, PfsV2__Branch ***out,
                           size_t *out_n)
{
    CLEANUP(ids_done) Ids ids = { 0 };
    ids_add(&ids, id);
    TRY(graph_closure(ctx, tx, edges, WALK_ITEMS_MAX, WALK_DEPTH_MAX, &ids));
    return branch_refs(ctx, tx, ids.items + 1, ids.n - 1, out, out_n);
}

static Status never_specs(Ctx *ctx, PfsTx *tx, int64_t id, PfsV2__BranchInfo *info)
{
    CLEANUP(ids_done) Ids ids = { 0 };
    TRY(ids_query(ctx, tx,
                  "SELECT up_id FROM pfs_branch_prov WHERE down_id = ? AND never <> 0 "
                  "ORDER BY up_id",
                  id, &ids));
    PtrList list = { 0 };
    for (size_t i = 0; i < ids.n; i++) {
        BranchRow up;
        TRY(branch_get(ctx, tx, ids.items[i], &up));
        PfsV2__BranchPropagationSpec *spec =
            PB_NEW(ctx, pfs_v2__branch_propagation_spec, PfsV2__BranchPropagationSpec);
        spec->branch = branch_row_ref(ctx, &up);
        spec->propagation_spec = PB_NEW(ctx, pfs_v2__propagation_spec, PfsV2__PropagationSpec);
        spec->propagation_spec->never = true;
        ptr_list_add(ctx, &list, spec);
    }
    info->branch_propagation_specs = (PfsV2__BranchPropagationSpec **)list.items;
    info->n_branch_propagation_specs = list.n;
    return OK;
}

static PfsV2__Trigger *trigger_message(Ctx *ctx, const BranchRow *row)
{
    if (!row->trigger_id)
        return NULL;
    PfsV2__Trigger *trigger = PB_NEW(ctx, pfs_v2__trigger, PfsV2__Trigger);
    trigger->branch = arena_strdup(ctx->arena, row->trigger_branch);
    trigger->all = row->trigger_all;
    trigger->rate_limit_spec = arena_strdup(ctx->arena, row->trigger_rate);
    trigger->size = arena_strdup(ctx->arena, row->trigger_size);
    trigger->commits = row->trigger_commits;
    trigger->cron_spec = arena_strdup(ctx->arena, row->trigger_cron);
    return trigger;
}

static Status branch_metadata(Ctx *ctx, PfsTx *tx, int64_t id, PfsV2__BranchInfo *info)
{
    PtrList list = { 0 };
    TRY(metadata_entries(ctx, tx, PFS_BRANCH, id, &pfs_v2__branch_info__metadata_entry__descriptor,
                         &list));
    info->metadata = (PfsV2__BranchInfo__MetadataEntry **)list.items;
    info->n_metadata = list.n;
    return OK;
}

Status branch_info(Ctx *ctx, PfsTx *tx, const BranchRow *row, PfsV2__BranchInfo **out)
{
    PfsV2__BranchInfo *info = PB_NEW(ctx, pfs_v2__branch_info, PfsV2__BranchInfo);
    PfsCommitRow head;
    TRY(pfs_commit_row(ctx, tx, row->head_id, &head));
    info->branch = branch_row_ref(ctx, row);
    info->head = pfs_commit_row_ref(ctx, &head);
    info->trigger = trigger_message(ctx, row);
    info->created_by = arena_strdup(ctx->arena, row->created_by);
    info->created_at = time_message(ctx, row->created_ns);
    info->updated_at = time_message(ctx, row->updated_ns);
    TRY(direct_refs(ctx, tx, row->id, info));
    TRY(closure_refs(ctx, tx, BRANCH_UP, row->id, &info->provenance, &info->n_provenance));
    TRY(closure_refs(ctx, tx, BRANCH_DOWN, row->id, &info->subvenance, &info->n_subvenance));
    TRY(never_specs(ctx, tx, row->id, info));
    TRY(branch_metadata(ctx, tx, row->id, info));
    *out = info;
    return OK;
}

/* --- one -------------------------------------------------------------------------------------- */

/* The texts of each floor that missed something, one a line (§8.6). */
static Status inspect_missing(Ctx *ctx, PfsTx *tx, const PfsV2__Branch *branch)
{
    RepoRow repo;
    Status found = repo_find(ctx, tx, branch->repo, &repo);
    const char *first = "";
    if (found.code == STATUS_NOT_FOUND)
        first = text_printf(ctx->arena, "%s\n",
                            status_message(err_repo_row_not_found(ctx, branch->repo)));
    return FAIL(ctx, NOT_FOUND, "%s%s\n%s", first,
                status_message(err_branch_row_not_found(ctx, branch)),
                status_message(err_branch_not_found(ctx, branch)));
}

static Status branch_inspect(Ctx *ctx, PfsTx *tx, const PfsV2__Branch *handle,
                             PfsV2__BranchInfo **out)
{
    const PfsV2__Branch *branch = pfs_branch_fill(ctx, handle);
    if (!branch)
        return FAIL(ctx, UNKNOWN, "branch cannot be nil");
    if (!branch->repo)
        return FAIL(ctx, UNKNOWN, "branch repo cannot be nil");
    BranchRow row;
    Status found = branch_resolve(ctx, tx, branch, &row);
    if (found.code == STATUS_NOT_FOUND)
        return inspect_missing(ctx, tx, branch);
    TRY(found);
    return branch_info(ctx, tx, &row, out);
}

Status pfs_inspect_branch(Ctx *ctx, PfsTx *tx, const PfsV2__Branch *branch, PfsV2__BranchInfo **out)
{
    TRY_WRAP(ctx, branch_inspect(ctx, tx, branch, out), "inspect branch in transaction");
    return OK;
}

Status pfs_branch_head(Ctx *ctx, PfsTx *tx, const PfsV2__Branch *branch, int64_t *out_commit)
{
    BranchRow row;
    *out_commit = 0;
    Status found = branch_resolve(ctx, tx, pfs_branch_fill(ctx, branch), &row);
    if (found.code == STATUS_NOT_FOUND)
        return OK;
    TRY(found);
    *out_commit = row.head_id;
    return OK;
}

/* --- many ------------------------------------------------------------------------------------- */

static Status send_branches(Ctx *ctx, PfsTx *tx, const int64_t *ids, size_t n, PfsBranchFn fn,
                            void *arg)
{
    ArenaMark mark = arena_mark(ctx->arena);
    for (size_t i = 0; i < n; i++, arena_rewind(ctx->arena, mark)) {
        BranchRow row;
        PfsV2__BranchInfo *info;
        TRY(branch_get(ctx, tx, ids[i], &row));
        TRY(branch_info(ctx, tx, &row, &info));
        TRY(fn(arg, ctx, info));
    }
    return OK;
}

Status pfs_list_branch(Ctx *ctx, PfsTx *tx, const PfsV2__ListBranchRequest *request, PfsBranchFn fn,
                       void *arg)
{
    static const char *const of_repo[] = {
        "SELECT id FROM pfs_branch WHERE repo_id = ? ORDER BY id DESC",
        "SELECT id FROM pfs_branch WHERE repo_id = ? ORDER BY id",
    };
    static const char *const of_all[] = {
        "SELECT id FROM pfs_branch WHERE id > ? ORDER BY id DESC",
        "SELECT id FROM pfs_branch WHERE id > ? ORDER BY id",
    };
    const PfsV2__Repo *repo = pfs_repo_fill(ctx, request->repo);
    RepoRow row = { 0 };
    if (repo)
        TRY(OR_MISSING(repo_find(ctx, tx, repo, &row), err_repo_not_found(ctx, repo)));
    CLEANUP(ids_done) Ids ids = { 0 };
    TRY(ids_query(ctx, tx, (repo ? of_repo : of_all)[request->reverse != 0], row.id, &ids));
    return send_branches(ctx, tx, ids.items, ids.n, fn, arg);
}

static Status walk_from(Ctx *ctx, PfsTx *tx, const PfsV2__BranchPicker *start, Edges edges,
                        size_t branches_max, size_t depth_max, PfsBranchFn fn, void *arg)
{
    BranchRow row;
    TRY(branch_pick(ctx, tx, start, &row));
    CLEANUP(ids_done) Ids ids = { 0 };
    ids_add(&ids, row.id);
    TRY(graph_closure(ctx, tx, edges, branches_max + 1, depth_max, &ids));
    return send_branches(ctx, tx, ids.items + 1, MIN(ids.n - 1, branches_max), fn, arg);
}

Status pfs_walk_branches(Ctx *ctx, PfsTx *tx, PfsV2__BranchPicker *const *start, size_t n,
                         bool downstream, uint64_t max_branches, uint64_t max_depth, PfsBranchFn fn,
                         void *arg)
{
    size_t branches_max = max_branches ? MIN(max_branches, WALK_ITEMS_MAX) : WALK_ITEMS_MAX;
    size_t depth_max = max_depth ? MIN(max_depth, WALK_DEPTH_MAX) : WALK_DEPTH_MAX;
    for (size_t i = 0; i < n; i++)
        TRY_WRAP(ctx,
                 walk_from(ctx, tx, start[i], downstream ? BRANCH_DOWN : BRANCH_UP, branches_max,
                           depth_max, fn, arg),
                 "walk branch %s", downstream ? "subvenance" : "provenance");
    return OK;
}
