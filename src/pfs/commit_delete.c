/* commit_delete.c - squash, drop and forget (§11). */
#include "base/text.h"
#include "pfs/pfs_priv.h"

/* --- one commit ------------------------------------------------------------------------------- */

static Status children_of(Ctx *ctx, PfsTx *tx, int64_t id, Ids *out)
{
    return ids_query(ctx, tx, "SELECT id FROM pfs_commit WHERE parent_id = ? ORDER BY id", id, out);
}

static Status check_children_finished(Ctx *ctx, PfsTx *tx, const Ids *children)
{
    for (size_t i = 0; i < children->n; i++) {
        PfsCommitRow child;
        TRY(pfs_commit_row(ctx, tx, children->items[i], &child));
        if (child.state != PFS_FINISHED)
            return FAIL(ctx, UNKNOWN, "cannot squash until child commit %s is finished%s",
                        pfs_commit_row_text(ctx, &child),
                        child.state == PFS_FINISHING ? ", consider using WaitCommit" : "");
    }
    return OK;
}

/* What the branches of a deleted root stand at from now on: a new commit, shared by all of them. */
static Status replacement_head(Ctx *ctx, PfsTx *tx, int64_t repo_id, int64_t branch_id,
                               int64_t *out_id)
{
    CLEANUP(ids_done) Ids upstream = { 0 };
    TRY(graph_neighbours(ctx, tx, BRANCH_UP, branch_id, &upstream));
    CommitNew spec = {
        .repo_id = repo_id,
        .branch_id = branch_id,
        .origin = PFS_V2__ORIGIN_KIND__AUTO,
        .closed = upstream.n == 0,
        .provenance = &upstream,
    };
    return commit_create(ctx, tx, &spec, out_id);
}

static Status move_heads(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row)
{
    CLEANUP(ids_done) Ids branches = { 0 };
    TRY(ids_query(ctx, tx, "SELECT id FROM pfs_branch WHERE head_id = ? ORDER BY id", row->id,
                  &branches));
    int64_t head_id = row->parent_id;
    if (branches.n && !head_id)
        TRY(replacement_head(ctx, tx, row->repo_id, branches.items[0], &head_id));
    for (size_t i = 0; i < branches.n; i++)
        TRY(branch_set_head(ctx, tx, branches.items[i], head_id));
    return OK;
}

Status commit_delete(Ctx *ctx, PfsTx *tx, int64_t id)
{
    PfsCommitRow row;
    CLEANUP(ids_done) Ids children = { 0 };
    TRY(pfs_commit_row(ctx, tx, id, &row));
    TRY(children_of(ctx, tx, id, &children));
    TRY(check_children_finished(ctx, tx, &children));
    const PfsHooks *hooks = &tx->pfs->hooks;
    if (hooks->commit_deleting)
        TRY(hooks->commit_deleting(hooks->self, ctx, tx, id));
    TRY(move_heads(ctx, tx, &row));
    TRY(db_exec(ctx, tx->db, NULL,
                "UPDATE pfs_commit SET parent_id = ?, updated_ns = ? WHERE parent_id = ?", "iii",
                row.parent_id, tx->time_ns, id));
    TRY(pfs_metadata_clear(ctx, tx, PFS_COMMIT, id));
    TRY(db_exec(ctx, tx->db, NULL, "DELETE FROM pfs_commit WHERE id = ?", "i", id));
    commit_notify(tx, &row);
    db_notify(tx->db, pfs_topic_repo(row.repo_id));
    return OK;
}

/* --- what may be deleted ---------------------------------------------------------------------- */

typedef enum Way { SQUASH, DROP } Way;

static Status check_children(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, Way way)
{
    CLEANUP(ids_done) Ids children = { 0 };
    TRY(children_of(ctx, tx, row->id, &children));
    if (way == SQUASH && !children.n)
        return FAIL(ctx, UNKNOWN,
                    "cannot squash a commit that has no children as that would cause data loss, "
                    "use the drop operation instead: %s",
                    pfs_commit_row_text(ctx, row));
    if (way == DROP && children.n)
        return FAIL(ctx, UNKNOWN, "cannot drop a commit that has children: %s",
                    pfs_commit_row_text(ctx, row));
    return OK;
}

/* A commit with which a user changed a pipeline is that pipeline's record, and stays. */
static Status may_delete(Ctx *ctx, PfsTx *tx, int64_t id, Way way)
{
    PfsCommitRow row;
    TRY(pfs_commit_row(ctx, tx, id, &row));
    if (strcmp(row.repo_type, "spec") == 0 && row.origin == PFS_V2__ORIGIN_KIND__USER)
        return FAIL(ctx, UNKNOWN, "cannot %s commit %s because it updated a pipeline",
                    way == SQUASH ? "squash" : "drop", pfs_commit_row_text(ctx, &row));
    return check_children(ctx, tx, &row, way);
}

static Status delete_all_of(Ctx *ctx, PfsTx *tx, const Ids *ids, Way way)
{
    ArenaMark mark = arena_mark(ctx->arena);
    for (size_t i = 0; i < ids->n; i++, arena_rewind(ctx->arena, mark))
        TRY(may_delete(ctx, tx, ids->items[i], way));
    for (size_t i = 0; i < ids->n; i++, arena_rewind(ctx->arena, mark))
        TRY(commit_delete(ctx, tx, ids->items[i]));
    return OK;
}

/* --- one commit and what depends on it -------------------------------------------------------- */

static Status delete_one(Ctx *ctx, PfsTx *tx, const PfsV2__Commit *commit, bool recursive, Way way)
{
    PfsCommitRow row;
    CLEANUP(ids_done) Ids ids = { 0 };
    TRY(pfs_pick(ctx, tx, commit, &row));
    ids_add(&ids, row.id);
    TRY(graph_closure(ctx, tx, COMMIT_DOWN, 0, 0, &ids));
    if (ids.n > 1 && !recursive)
        return FAIL(ctx, UNKNOWN, "cannot %s commit (%s) with subvenance without recursive",
                    way == SQUASH ? "squash" : "drop", pfs_commit_row_text(ctx, &row));
    return delete_all_of(ctx, tx, &ids, way);
}

Status pfs_squash_commit(Ctx *ctx, PfsTx *tx, const PfsV2__Commit *commit, bool recursive)
{
    return delete_one(ctx, tx, commit, recursive, SQUASH);
}

Status pfs_drop_commit(Ctx *ctx, PfsTx *tx, const PfsV2__Commit *commit, bool recursive)
{
    return delete_one(ctx, tx, commit, recursive, DROP);
}

/* --- a set ------------------------------------------------------------------------------------ */

/* The sets, other than this one, that depend on it, straight or by way of each other's commits. */
static Status subvenant_sets(Ctx *ctx, PfsTx *tx, const char *set_id, const Ids *commits,
                             PtrList *out)
{
    CLEANUP(ids_done) Ids below = { 0 };
    for (size_t i = 0; i < commits->n; i++)
        ids_add(&below, commits->items[i]);
    for (size_t i = 0; i < below.n; i++) {
        PfsCommitRow row;
        TRY(pfs_commit_row(ctx, tx, below.items[i], &row));
        bool known = strcmp(row.set_id, set_id) == 0;
        for (size_t j = 0; !known && j < out->n; j++)
            known = strcmp(row.set_id, out->items[j]) == 0;
        if (!known) {
            ptr_list_add(ctx, out, arena_strdup(ctx->arena, row.set_id));
            TRY(set_commits(ctx, tx, row.set_id, &below));
        }
        TRY(graph_neighbours(ctx, tx, COMMIT_DOWN, below.items[i], &below));
    }
    return OK;
}

static Status check_no_later_sets(Ctx *ctx, PfsTx *tx, const char *set_id, const Ids *commits)
{
    PtrList sets = { 0 };
    TRY(subvenant_sets(ctx, tx, set_id, commits, &sets));
    if (!sets.n)
        return OK;
    for (size_t i = 0; i < sets.n; i++)
        sets.items[i] = text_printf(ctx->arena, "id:\"%s\"", (const char *)sets.items[i]);
    const char *self = text_printf(ctx->arena, "id:\"%s\"", set_id);
    return FAIL(ctx, UNKNOWN,
                "commit set %s cannot be dropped because it has subvenant commit sets: [%s]",
                text_quote(ctx->arena, str(self)),
                text_join(ctx->arena, (const char *const *)sets.items, sets.n, " "));
}

static Status delete_set(Ctx *ctx, PfsTx *tx, const PfsV2__CommitSet *set, Way way)
{
    if (!set)
        return FAIL(ctx, UNKNOWN, "commitset cannot be nil");
    if (!*set->id)
        return FAIL(ctx, INVALID_ARGUMENT, "commit set id cannot be empty");
    CLEANUP(ids_done) Ids commits = { 0 };
    CLEANUP(ids_done) Ids order = { 0 };
    TRY(set_commits(ctx, tx, set->id, &commits));
    TRY(check_no_later_sets(ctx, tx, set->id, &commits));
    TRY(graph_order(ctx, tx, COMMIT_UP, &commits, &order));
    return delete_all_of(ctx, tx, &order, way);
}

Status pfs_squash_set(Ctx *ctx, PfsTx *tx, const PfsV2__CommitSet *set)
{
    return delete_set(ctx, tx, set, SQUASH);
}

Status pfs_drop_set(Ctx *ctx, PfsTx *tx, const PfsV2__CommitSet *set)
{
    return delete_set(ctx, tx, set, DROP);
}

/* --- forget ----------------------------------------------------------------------------------- */

static Status forget(Ctx *ctx, PfsTx *tx, const PfsV2__CommitPicker *picker)
{
    PfsCommitRow row;
    TRY(pfs_pick_by_picker(ctx, tx, picker, &row));
    CLEANUP(ids_done) Ids children = { 0 };
    TRY(children_of(ctx, tx, row.id, &children));
    if (!status_ok(check_children_finished(ctx, tx, &children)))
        return FAIL(ctx, UNKNOWN, "direct descendants must be closed");
    bool derived;
    TRY(commit_has_provenance(ctx, tx, row.id, &derived));
    if (!derived)
        return FAIL(ctx, UNKNOWN, "the commit to be forgotten must be in an output repo");
    TRY(db_exec(ctx, tx->db, NULL, "DELETE FROM pfs_layer WHERE commit_id = ?", "i", row.id));
    TRY(db_exec(ctx, tx->db, NULL,
                "UPDATE pfs_commit SET forgotten = 1, root = NULL, layers = 0, layer_bytes = 0, "
                "view_root = NULL, view_layers = 0, view_error = '', updated_ns = ? WHERE id = ?",
                "ii", tx->time_ns, row.id));
    commit_notify(tx, &row);
    /* At once, not at the end, for the text that clients know. */
    return check_heads(ctx, tx, row.repo_id);
}

Status pfs_forget_commit(Ctx *ctx, PfsTx *tx, const PfsV2__CommitPicker *picker)
{
    TRY_WRAP(ctx, forget(ctx, tx, picker), "Forget Commit");
    return OK;
}
