/* branch.c - rows of branches: making, moving and deleting them (§12.1). */
#include "base/text.h"
#include "pfs/pfs_priv.h"

Status branch_insert(Ctx *ctx, PfsTx *tx, int64_t id, int64_t repo_id, const char *name,
                     int64_t head_id)
{
    return db_exec(ctx, tx->db, NULL,
                   "INSERT INTO pfs_branch (id, repo_id, name, head_id, trigger_id, trigger_all, "
                   "trigger_rate, trigger_size, trigger_commits, trigger_cron, cron_prev_ns, "
                   "created_by, created_ns, updated_ns) "
                   "VALUES (?, ?, ?, ?, 0, 0, '', '', 0, '', 0, ?, ?, ?)",
                   "iisisii", id, repo_id, name, head_id, ctx->user, tx->time_ns, tx->time_ns);
}

Status branch_set_head(Ctx *ctx, PfsTx *tx, int64_t id, int64_t head_id)
{
    return db_exec(ctx, tx->db, NULL,
                   "UPDATE pfs_branch SET head_id = ?, updated_ns = ? WHERE id = ?", "iii", head_id,
                   tx->time_ns, id);
}

static Status branch_make(Ctx *ctx, PfsTx *tx, int64_t repo_id, const char *name)
{
    CommitNew spec = { .repo_id = repo_id, .origin = PFS_V2__ORIGIN_KIND__AUTO, .closed = true };
    int64_t head_id;
    TRY(db_next_id(ctx, tx->db, "pfs_branch", &spec.branch_id));
    TRY(commit_create(ctx, tx, &spec, &head_id));
    return branch_insert(ctx, tx, spec.branch_id, repo_id, name, head_id);
}

Status branch_ensure(Ctx *ctx, PfsTx *tx, const PfsV2__Branch *branch, BranchRow *out)
{
    RepoRow repo;
    TRY(OR_MISSING(repo_find(ctx, tx, branch->repo, &repo),
                   err_repo_row_not_found(ctx, branch->repo)));
    Status found = branch_find(ctx, tx, repo.id, branch->name, out);
    if (found.code != STATUS_NOT_FOUND)
        return found;
    TRY(branch_make(ctx, tx, repo.id, branch->name));
    return branch_find(ctx, tx, repo.id, branch->name, out);
}

/* --- deleting --------------------------------------------------------------------------------- */

/* "[a b c]", as Go prints a list, of the branches that a query finds; NULL when it finds none. */
static Status branch_list_text(Ctx *ctx, PfsTx *tx, const char *sql, int64_t id, const char **out)
{
    CLEANUP(ids_done) Ids ids = { 0 };
    TRY(ids_query(ctx, tx, sql, id, &ids));
    PtrList names = { 0 };
    for (size_t i = 0; i < ids.n; i++) {
        BranchRow row;
        TRY(branch_get(ctx, tx, ids.items[i], &row));
        ptr_list_add(ctx, &names, branch_row_text(ctx, &row));
    }
    *out = NULL;
    if (names.n)
        *out = text_printf(ctx->arena, "[%s]",
                           text_join(ctx->arena, (const char *const *)names.items, names.n, " "));
    return OK;
}

/* What stands in the way of deleting a branch without force, in the order it is looked for. */
static Status branch_is_free(Ctx *ctx, PfsTx *tx, const BranchRow *row)
{
    static const struct {
        const char *sql, *reason;
    } bonds[] = {
        { "SELECT down_id FROM pfs_branch_prov WHERE up_id = ? ORDER BY down_id",
          "it's in the direct provenance of" },
        { TRIGGERED_SQL, "it is triggered by branches" },
        { "SELECT trigger_id FROM pfs_branch WHERE id = ? AND trigger_id <> 0",
          "it triggers branches" },
    };
    for (size_t i = 0; i < ARRAY_LEN(bonds); i++) {
        const char *others;
        TRY(branch_list_text(ctx, tx, bonds[i].sql, row->id, &others));
        if (others)
            return FAIL(ctx, UNKNOWN, "branch \"%s\" cannot be deleted because %s %s",
                        branch_row_text(ctx, row), bonds[i].reason, others);
    }
    return OK;
}

Status branch_delete(Ctx *ctx, PfsTx *tx, const BranchRow *row, bool force)
{
    if (!force)
        TRY(branch_is_free(ctx, tx, row));
    if (ids_has(&tx->moved, row->id))
        tx->gone = branch_row_text(ctx, row);
    TRY(db_exec(ctx, tx->db, NULL,
                "UPDATE pfs_branch SET trigger_id = 0, trigger_cron = '' "
                "WHERE trigger_id = ? AND trigger_id <> 0",
                "i", row->id));
    TRY(pfs_metadata_clear(ctx, tx, PFS_BRANCH, row->id));
    TRY(db_exec(ctx, tx->db, NULL, "DELETE FROM pfs_branch WHERE id = ?", "i", row->id));
    db_notify(tx->db, cron_topic());
    return OK;
}

Status pfs_delete_branch(Ctx *ctx, PfsTx *tx, const PfsV2__DeleteBranchRequest *request)
{
    const PfsV2__Branch *branch = pfs_branch_fill(ctx, request->branch);
    if (!branch)
        return FAIL(ctx, UNKNOWN, "branch cannot be nil");
    if (!branch->repo)
        return FAIL(ctx, UNKNOWN, "branch repo cannot be nil");
    BranchRow row;
    TRY_WRAP(ctx, branch_resolve(ctx, tx, branch, &row), "get branch \"%s\"",
             branch_key(ctx, branch));
    return branch_delete(ctx, tx, &row, request->force);
}
