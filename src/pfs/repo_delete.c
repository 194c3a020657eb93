/* repo_delete.c - deleting repos with all that is theirs (§12.2, §12.3). */
#include "pfs/pfs_priv.h"

static Status may_delete(Ctx *ctx, PfsTx *tx, const RepoRow *row)
{
    const PfsHooks *hooks = &tx->pfs->hooks;
    if (!hooks->repo_delete_check)
        return OK;
    PfsV2__Repo *repo = repo_ref(ctx, row->project, row->name, row->type);
    return hooks->repo_delete_check(hooks->self, ctx, tx, repo);
}

/* The branches of all these repos, whatever depends on others first. */
static Status delete_branches(Ctx *ctx, PfsTx *tx, const Ids *repos, bool force)
{
    CLEANUP(ids_done) Ids branches = { 0 };
    CLEANUP(ids_done) Ids order = { 0 };
    for (size_t i = 0; i < repos->n; i++)
        TRY(ids_query(ctx, tx, "SELECT id FROM pfs_branch WHERE repo_id = ? ORDER BY id DESC",
                      repos->items[i], &branches));
    TRY(graph_order(ctx, tx, BRANCH_DOWN, &branches, &order));
    for (size_t i = 0; i < order.n; i++) {
        BranchRow row;
        TRY(branch_get(ctx, tx, order.items[i], &row));
        TRY_WRAP(ctx, branch_delete(ctx, tx, &row, force), "delete branch %s",
                 branch_row_text(ctx, &row));
    }
    return OK;
}

/* Only unfinished commits are waited for. */
static Status wake_waiters(Ctx *ctx, PfsTx *tx, int64_t repo_id)
{
    CLEANUP(ids_done) Ids open = { 0 };
    TRY(ids_query(ctx, tx, "SELECT id FROM pfs_commit WHERE repo_id = ? AND state <> 4", repo_id,
                  &open));
    for (size_t i = 0; i < open.n; i++)
        db_notify(tx->db, pfs_topic_commit(open.items[i]));
    db_notify(tx->db, pfs_topic_repo(repo_id));
    return OK;
}

static Status tell_deleting(Ctx *ctx, PfsTx *tx, int64_t repo_id)
{
    const PfsHooks *hooks = &tx->pfs->hooks;
    if (!hooks->commit_deleting)
        return OK;
    CLEANUP(ids_done) Ids commits = { 0 };
    TRY(ids_query(ctx, tx, "SELECT id FROM pfs_commit WHERE repo_id = ?", repo_id, &commits));
    for (size_t i = 0; i < commits.n; i++)
        TRY(hooks->commit_deleting(hooks->self, ctx, tx, commits.items[i]));
    return OK;
}

static Status delete_rows(Ctx *ctx, PfsTx *tx, int64_t repo_id)
{
    static const char *const statements[] = {
        ("DELETE FROM pfs_metadata WHERE kind = 'commit' AND object_id IN "
         "(SELECT id FROM pfs_commit WHERE repo_id = ?)"),
        "DELETE FROM pfs_metadata WHERE kind = 'repo' AND object_id = ?",
        "DELETE FROM pfs_commit WHERE repo_id = ?",
        "DELETE FROM pfs_repo WHERE id = ?",
    };
    TRY(tell_deleting(ctx, tx, repo_id));
    TRY(wake_waiters(ctx, tx, repo_id));
    for (size_t i = 0; i < ARRAY_LEN(statements); i++)
        TRY(db_exec(ctx, tx->db, NULL, statements[i], "i", repo_id));
    return OK;
}

static Status delete_all_of(Ctx *ctx, PfsTx *tx, const Ids *repos, bool force)
{
    TRY(delete_branches(ctx, tx, repos, force));
    for (size_t i = 0; i < repos->n; i++)
        TRY(delete_rows(ctx, tx, repos->items[i]));
    return OK;
}

/* A user repo goes with its meta and spec repo. */
static Status with_system_repos(Ctx *ctx, PfsTx *tx, const RepoRow *row, Ids *out)
{
    ids_add(out, row->id);
    if (strcmp(row->type, "user") != 0)
        return OK;
    static const char *const types[] = { "meta", "spec" };
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        RepoRow other;
        Status found = repo_find(ctx, tx, repo_ref(ctx, row->project, row->name, types[i]), &other);
        if (status_ok(found))
            ids_add(out, other.id);
        else if (found.code != STATUS_NOT_FOUND)
            return found;
    }
    return OK;
}

Status pfs_delete_repo(Ctx *ctx, PfsTx *tx, const PfsV2__DeleteRepoRequest *request,
                       bool *out_deleted)
{
    *out_deleted = false;
    const PfsV2__Repo *repo = pfs_repo_fill(ctx, request->repo);
    if (!repo)
        return FAIL(ctx, INVALID_ARGUMENT, "no repo specified");
    RepoRow row;
    Status found = repo_find(ctx, tx, repo, &row);
    if (found.code == STATUS_NOT_FOUND)
        return OK;
    TRY(found);
    TRY_WRAP(ctx, may_delete(ctx, tx, &row),
             "delete repo: error checking whether repo \"%s\" can be deleted",
             pfs_repo_text(ctx, repo));
    CLEANUP(ids_done) Ids repos = { 0 };
    TRY(with_system_repos(ctx, tx, &row, &repos));
    TRY_WRAP(ctx, delete_all_of(ctx, tx, &repos, request->force), "delete repo");
    *out_deleted = true;
    return OK;
}

/* --- many ------------------------------------------------------------------------------------- */

static Status repos_wanted(Ctx *ctx, PfsTx *tx, const PfsV2__DeleteReposRequest *request, Ids *out)
{
    if (request->all)
        return ids_query(ctx, tx, "SELECT id FROM pfs_repo WHERE id > ? ORDER BY id", 0, out);
    for (size_t i = 0; i < request->n_projects; i++) {
        int64_t project_id;
        Status found = project_find(ctx, tx, request->projects[i]->name, &project_id);
        if (found.code == STATUS_NOT_FOUND)
            continue;
        TRY(found);
        TRY(ids_query(ctx, tx, "SELECT id FROM pfs_repo WHERE project_id = ? ORDER BY id",
                      project_id, out));
    }
    return OK;
}

Status repos_delete(Ctx *ctx, PfsTx *tx, const PfsV2__DeleteReposRequest *request,
                    PfsV2__DeleteReposResponse **out)
{
    CLEANUP(ids_done) Ids repos = { 0 };
    TRY(repos_wanted(ctx, tx, request, &repos));
    PtrList deleted = { 0 };
    for (size_t i = 0; i < repos.n; i++) {
        RepoRow row;
        TRY(repo_get(ctx, tx, repos.items[i], &row));
        TRY(may_delete(ctx, tx, &row));
        ptr_list_add(ctx, &deleted, repo_ref(ctx, row.project, row.name, row.type));
    }
    TRY(delete_all_of(ctx, tx, &repos, request->force));
    *out = PB_NEW(ctx, pfs_v2__delete_repos_response, PfsV2__DeleteReposResponse);
    (*out)->repos = (PfsV2__Repo **)deleted.items;
    (*out)->n_repos = deleted.n;
    return OK;
}

Status pfs_delete_repos(Ctx *ctx, PfsTx *tx, const PfsV2__DeleteReposRequest *request,
                        PfsV2__DeleteReposResponse **out)
{
    TRY_WRAP(ctx, repos_delete(ctx, tx, request, out), "delete repos");
    return OK;
}
