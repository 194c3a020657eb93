/* commit_info.c - a commit as clients see it (§6.4), and commits beside it. */
#include "base/text.h"
#include "pfs/pfs_priv.h"

/* --- other commits ---------------------------------------------------------------------------- */

/* A reference that names the branch the commit was made on, as the places do that keep it
 * (§1.3). */
static PfsV2__Commit *ref_with_branch(Ctx *ctx, const PfsCommitRow *row)
{
    PfsV2__Commit *commit = pfs_commit_row_ref(ctx, row);
    if (row->branch_id) {
        commit->branch = PB_NEW(ctx, pfs_v2__branch, PfsV2__Branch);
        commit->branch->repo = commit->repo;
        commit->branch->name = arena_strdup(ctx->arena, row->branch);
    }
    return commit;
}

static Status refs_of(Ctx *ctx, PfsTx *tx, const Ids *ids, PfsV2__Commit ***out, size_t *out_n)
{
    PtrList list = { 0 };
    for (size_t i = 0; i < ids->n; i++) {
        PfsCommitRow row;
        TRY(pfs_commit_row(ctx, tx, ids->items[i], &row));
        ptr_list_add(ctx, &list, ref_with_branch(ctx, &row));
    }
    *out = (PfsV2__Commit **)list.items;
    *out_n = list.n;
    return OK;
}

static Status fill_relations(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, PfsV2__CommitInfo *info)
{
    CLEANUP(ids_done) Ids children = { 0 };
    CLEANUP(ids_done) Ids up = { 0 };
    CLEANUP(ids_done) Ids down = { 0 };
    TRY(ids_query(ctx, tx, "SELECT id FROM pfs_commit WHERE parent_id = ? ORDER BY id", row->id,
                  &children));
    TRY(graph_neighbours(ctx, tx, COMMIT_UP, row->id, &up));
    TRY(graph_neighbours(ctx, tx, COMMIT_DOWN, row->id, &down));
    TRY(refs_of(ctx, tx, &children, &info->child_commits, &info->n_child_commits));
    TRY(refs_of(ctx, tx, &up, &info->direct_provenance, &info->n_direct_provenance));
    return refs_of(ctx, tx, &down, &info->direct_subvenance, &info->n_direct_subvenance);
}

static Status fill_parent(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, PfsV2__CommitInfo *info)
{
    if (!row->parent_id)
        return OK;
    PfsCommitRow parent;
    TRY(pfs_commit_row(ctx, tx, row->parent_id, &parent));
    info->parent_commit = pfs_commit_row_ref(ctx, &parent);
    return OK;
}

/* --- the commit itself ------------------------------------------------------------------------ */

static Google__Protobuf__Duration *duration_message(Ctx *ctx, int64_t ns)
{
    Google__Protobuf__Duration *duration =
        PB_NEW(ctx, google__protobuf__duration, Google__Protobuf__Duration);
    duration->seconds = ns / NS_PER_SEC;
    duration->nanos = (int32_t)(ns % NS_PER_SEC);
    return duration;
}

/* Merging and checking are one pass here, and count as compacting. */
static PfsV2__CommitInfo__Details *details_message(Ctx *ctx, const PfsCommitRow *row)
{
    PfsV2__CommitInfo__Details *details =
        PB_NEW(ctx, pfs_v2__commit_info__details, PfsV2__CommitInfo__Details);
    details->size_bytes = row->size_bytes;
    if (row->computing_ns >= 0) {
        details->compacting_time = duration_message(ctx, row->computing_ns);
        details->validating_time = duration_message(ctx, 0);
    }
    return details;
}

/* At most the size of base and layers; exact once finished; 0 while the base is not known. */
static Status size_bound(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, int64_t *out)
{
    *out = row->size_bytes;
    if (row->forgotten || (row->state == PFS_FINISHED && !*row->error))
        return OK;
    Hash base;
    int64_t unfinished;
    Status s = commit_base(ctx, tx, row, &base, &unfinished);
    if (s.code == STATUS_UNKNOWN || (status_ok(s) && unfinished))
        return OK;
    TRY(s);
    TreeSum sum;
    TRY(tree_sum(ctx, &tx->pfs->content.io, &base, STR(""), STR(""), &sum));
    *out = (int64_t)sum.bytes + row->layer_bytes;
    return OK;
}

static Status commit_metadata(Ctx *ctx, PfsTx *tx, int64_t id, PfsV2__CommitInfo *info)
{
    PtrList list = { 0 };
    TRY(metadata_entries(ctx, tx, PFS_COMMIT, id, &pfs_v2__commit_info__metadata_entry__descriptor,
                         &list));
    info->metadata = (PfsV2__CommitInfo__MetadataEntry **)list.items;
    info->n_metadata = list.n;
    return OK;
}

Status commit_info(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, bool with_bound,
                   PfsV2__CommitInfo **out)
{
    PfsV2__CommitInfo *info = PB_NEW(ctx, pfs_v2__commit_info, PfsV2__CommitInfo);
    info->commit = pfs_commit_row_ref(ctx, row);
    info->origin = PB_NEW(ctx, pfs_v2__commit_origin, PfsV2__CommitOrigin);
    info->origin->kind = (PfsV2__OriginKind)row->origin;
    info->description = arena_strdup(ctx->arena, row->description);
    info->error = arena_strdup(ctx->arena, row->error);
    info->started = time_message(ctx, row->started_ns);
    info->finishing = time_message(ctx, row->finishing_ns);
    info->finished = time_message(ctx, row->finished_ns);
    info->created_by = arena_strdup(ctx->arena, row->created_by);
    info->created_at = time_message(ctx, row->started_ns);
    info->updated_at = time_message(ctx, row->updated_ns);
    info->details = details_message(ctx, row);
    TRY(fill_parent(ctx, tx, row, info));
    TRY(fill_relations(ctx, tx, row, info));
    TRY(commit_metadata(ctx, tx, row->id, info));
    if (with_bound)
        TRY(size_bound(ctx, tx, row, &info->size_bytes_upper_bound));
    *out = info;
    return OK;
}

Status pfs_commit_info(Ctx *ctx, PfsTx *tx, int64_t id, PfsV2__CommitInfo **out)
{
    PfsCommitRow row;
    TRY(pfs_commit_row(ctx, tx, id, &row));
    return commit_info(ctx, tx, &row, false, out);
}
