/* commit.c - the life of a commit: made, started, closed, cleared (§9). */
#include "base/text.h"
#include "pfs/pfs_priv.h"

/* --- rows ------------------------------------------------------------------------------------- */

static Status err_second_commit(Ctx *ctx, PfsTx *tx, const CommitNew *spec, int64_t first_id)
{
    PfsCommitRow first;
    PfsCommitRow from;
    TRY(pfs_commit_row(ctx, tx, first_id, &first));
    from = first;
    if (spec->parent_id)
        TRY(pfs_commit_row(ctx, tx, spec->parent_id, &from));
    return FAIL(ctx, ALREADY_EXISTS,
                "commit %s already exists\ninconsistent dependencies: cannot create commit from "
                "%s; repo (%s) already has a commit in this transaction",
                commit_row_key(ctx, &first), pfs_commit_row_text(ctx, &from), first.repo);
}

static Status commit_insert(Ctx *ctx, PfsTx *tx, const CommitNew *spec, int64_t id)
{
    int64_t ended_ns = spec->closed ? tx->time_ns : 0;
    return db_exec(ctx, tx->db, NULL,
                   "INSERT INTO pfs_commit (id, repo_id, set_id, parent_id, branch_id, origin, "
                   "state, forgotten, description, error, started_ns, finishing_ns, finished_ns, "
                   "root, root_known, size_bytes, computing_ns, layers, layer_bytes, view_root, "
                   "view_layers, view_error, created_by, updated_ns) "
                   "VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, '', ?, ?, ?, NULL, ?, 0, -1, 0, 0, NULL, 0, "
                   "'', ?, ?)",
                   "iisiiiisiiiisi", id, spec->repo_id, tx->set_id.text, spec->parent_id,
                   spec->branch_id, (int64_t)spec->origin,
                   (int64_t)(spec->closed ? PFS_FINISHED : PFS_OPEN),
                   spec->description ? spec->description : "", tx->time_ns, ended_ns, ended_ns,
                   (int64_t)spec->closed, ctx->user, tx->time_ns);
}

Status commit_create(Ctx *ctx, PfsTx *tx, const CommitNew *spec, int64_t *out_id)
{
    assert(!spec->closed || !spec->parent_id); /* else it would not be empty */
    int64_t first_id;
    Status found = commit_find(ctx, tx, spec->repo_id, tx->set_id.text, &first_id);
    if (status_ok(found))
        return err_second_commit(ctx, tx, spec, first_id);
    if (found.code != STATUS_NOT_FOUND)
        return found;
    TRY(db_next_id(ctx, tx->db, "pfs_commit", out_id));
    TRY(commit_insert(ctx, tx, spec, *out_id));
    if (spec->provenance)
        TRY(commit_set_provenance(ctx, tx, *out_id, spec->provenance));
    ids_add(&tx->created, *out_id);
    db_notify(tx->db, pfs_topic_repo(spec->repo_id));
    return OK;
}

Status commit_set_provenance(Ctx *ctx, PfsTx *tx, int64_t id, const Ids *branches)
{
    TRY(db_exec(ctx, tx->db, NULL, "DELETE FROM pfs_commit_prov WHERE down_id = ?", "i", id));
    for (size_t i = 0; i < branches->n; i++)
        TRY(db_exec(ctx, tx->db, NULL,
                    "INSERT INTO pfs_commit_prov (down_id, up_id) "
                    "SELECT CAST(? AS BIGINT), head_id FROM pfs_branch WHERE id = ?",
                    "ii", id, branches->items[i]));
    return OK;
}

Status commit_has_provenance(Ctx *ctx, PfsTx *tx, int64_t id, bool *out)
{
    int64_t one;
    Status found = db_query_int(ctx, tx->db, &one,
                                "SELECT 1 FROM pfs_commit_prov WHERE down_id = ? LIMIT 1", "i", id);
    *out = status_ok(found);
    return found.code == STATUS_NOT_FOUND ? OK : found;
}

void commit_notify(PfsTx *tx, const PfsCommitRow *row)
{
    db_notify(tx->db, pfs_topic_commit(row->id));
}

/* --- start ------------------------------------------------------------------------------------ */

typedef struct Start {
    const PfsV2__StartCommitRequest *request;
    PfsV2__Branch *branch; /* filled */
    RepoRow repo;
    BranchRow row; /* id 0: the branch is new */
    int64_t parent_id;
} Start;

static Status start_branch(Ctx *ctx, PfsTx *tx, Start *start)
{
    const PfsV2__Repo *repo = start->branch->repo;
    TRY(OR_MISSING(repo_find(ctx, tx, repo, &start->repo), err_repo_not_found(ctx, repo)));
    TRY(branch_name_check(ctx, start->branch->name));
    Status found = branch_find(ctx, tx, start->repo.id, start->branch->name, &start->row);
    if (found.code == STATUS_NOT_FOUND) {
        start->row = (BranchRow){ 0 };
        return OK;
    }
    start->parent_id = start->row.head_id;
    return found;
}

static Status start_parent(Ctx *ctx, PfsTx *tx, Start *start)
{
    PfsCommitRow parent;
    if (start->request->parent) {
        TRY_WRAP(ctx, pfs_pick(ctx, tx, start->request->parent, &parent),
                 "parent commit not found");
        start->parent_id = parent.id;
    } else if (start->parent_id) {
        TRY(pfs_commit_row(ctx, tx, start->parent_id, &parent));
    } else {
        return OK;
    }
    if (parent.repo_id != start->repo.id)
        return FAIL(ctx, INVALID_ARGUMENT, "parent commit %s is not in repo %s",
                    pfs_commit_row_text(ctx, &parent), repo_row_text(ctx, &start->repo));
    if (parent.state < PFS_FINISHING)
        return FAIL(ctx, UNKNOWN, "create commit: parent commit %s has not been finished",
                    pfs_commit_row_text(ctx, &parent));
    return OK;
}

/* Derived branches move with what they are derived from. Only a spout writes to its own. */
static Status user_may_start(Ctx *ctx, PfsTx *tx, const Start *start)
{
    const PfsHooks *hooks = &tx->pfs->hooks;
    bool may = false;
    if (hooks->user_may_start)
        TRY(hooks->user_may_start(hooks->self, ctx, tx, start->branch, &may));
    return may ? OK
               : FAIL(ctx, UNKNOWN, "cannot start a commit on an output branch: %s",
                      branch_row_text(ctx, &start->row));
}

static Status start_rows(Ctx *ctx, PfsTx *tx, Start *start, int64_t *out_id)
{
    CLEANUP(ids_done) Ids upstream = { 0 };
    if (start->row.id)
        TRY(graph_neighbours(ctx, tx, BRANCH_UP, start->row.id, &upstream));
    CommitNew spec = {
        .repo_id = start->repo.id,
        .branch_id = start->row.id,
        .parent_id = start->parent_id,
        .origin = PFS_V2__ORIGIN_KIND__USER,
        .description = start->request->description,
        .provenance = upstream.n ? &upstream : NULL,
    };
    if (!start->row.id)
        TRY(db_next_id(ctx, tx->db, "pfs_branch", &spec.branch_id));
    TRY_WRAP(ctx, commit_create(ctx, tx, &spec, out_id), "create commit");
    ids_add(&tx->moved, spec.branch_id);
    if (!start->row.id)
        return branch_insert(ctx, tx, spec.branch_id, spec.repo_id, start->branch->name, *out_id);

    if (upstream.n)
        TRY(user_may_start(ctx, tx, start));
    return branch_set_head(ctx, tx, start->row.id, *out_id);
}

static Status commit_start(Ctx *ctx, PfsTx *tx, Start *start, int64_t *out_id)
{
    TRY(start_branch(ctx, tx, start));
    TRY(start_parent(ctx, tx, start));
    return start_rows(ctx, tx, start, out_id);
}

Status pfs_start_commit(Ctx *ctx, PfsTx *tx, const PfsV2__StartCommitRequest *request,
                        PfsV2__Commit **out)
{
    Start start = { .request = request, .branch = pfs_branch_fill(ctx, request->branch) };
    if (request->parent) {
        PfsV2__Commit *filled;
        TRY(pfs_commit_fill(ctx, request->parent, &filled));
    }
    if (!start.branch || !*start.branch->name)
        return FAIL(ctx, UNKNOWN, "branch must be specified");
    if (!start.branch->repo)
        return FAIL(ctx, UNKNOWN, "branch repo cannot be nil");
    int64_t id;
    PfsCommitRow row;
    TRY_WRAP(ctx, commit_start(ctx, tx, &start, &id), "start commit in transaction");
    TRY(pfs_commit_row(ctx, tx, id, &row));
    *out = pfs_commit_row_ref(ctx, &row);
    return OK;
}

/* --- finish ----------------------------------------------------------------------------------- */

static Status err_already_finished(Ctx *ctx, const PfsCommitRow *row)
{
    return FAIL(ctx, UNKNOWN, "commit %s has already finished", pfs_commit_row_text(ctx, row));
}

/* The output of a pipeline is finished by its job. */
static Status user_may_finish(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row)
{
    const PfsHooks *hooks = &tx->pfs->hooks;
    if (!hooks->user_finish_check)
        return OK;
    bool derived;
    TRY(commit_has_provenance(ctx, tx, row->id, &derived));
    if (!derived)
        return OK;
    PfsV2__Repo *repo = repo_ref(ctx, row->project, row->repo, row->repo_type);
    return hooks->user_finish_check(hooks->self, ctx, tx, repo);
}

static Status commit_close(Ctx *ctx, PfsTx *tx, const PfsV2__FinishCommitRequest *request,
                           bool internal)
{
    PfsCommitRow row;
    TRY(pfs_pick(ctx, tx, request->commit, &row));
    if (row.state >= PFS_FINISHING)
        return err_already_finished(ctx, &row);
    if (!internal && !request->force)
        TRY(user_may_finish(ctx, tx, &row));
    TRY(db_exec(ctx, tx->db, NULL,
                "UPDATE pfs_commit SET state = ?, finishing_ns = ?, updated_ns = ?, error = ?, "
                "description = CASE WHEN ? = '' THEN description ELSE ? END WHERE id = ?",
                "iiisssi", (int64_t)PFS_FINISHING, tx->time_ns, tx->time_ns, request->error,
                request->description, request->description, row.id));
    commit_notify(tx, &row);
    ids_add(&tx->finishing, row.id);
    return OK;
}

Status pfs_finish_commit(Ctx *ctx, PfsTx *tx, const PfsV2__FinishCommitRequest *request,
                         bool internal)
{
    TRY_WRAP(ctx, commit_close(ctx, tx, request, internal), "finish commit in transaction");
    return OK;
}

/* --- clear ------------------------------------------------------------------------------------ */

Status pfs_clear_commit(Ctx *ctx, PfsTx *tx, const PfsV2__Commit *commit)
{
    PfsCommitRow row;
    TRY(pfs_pick(ctx, tx, commit, &row));
    if (row.state >= PFS_FINISHING)
        return FAIL(ctx, UNKNOWN, "cannot clear finished commit");
    TRY(db_exec(ctx, tx->db, NULL, "DELETE FROM pfs_layer WHERE commit_id = ?", "i", row.id));
    return db_exec(ctx, tx->db, NULL,
                   "UPDATE pfs_commit SET layers = 0, layer_bytes = 0, view_root = NULL, "
                   "view_layers = 0, view_error = '', updated_ns = ? WHERE id = ?",
                   "ii", tx->time_ns, row.id);
}

/* --- layers ----------------------------------------------------------------------------------- */

static Status next_layer(Ctx *ctx, PfsTx *tx, int64_t commit, uint64_t bytes, int64_t *out_seq)
{
    Status done =
        db_query_int(ctx, tx->db, out_seq,
                     "UPDATE pfs_commit SET layers = layers + 1, layer_bytes = layer_bytes + ?, "
                     "updated_ns = ? WHERE id = ? AND state = ? RETURNING layers",
                     "iiii", (int64_t)bytes, tx->time_ns, commit, (int64_t)PFS_OPEN);
    if (done.code != STATUS_NOT_FOUND)
        return done;
    PfsCommitRow row;
    TRY(pfs_commit_row(ctx, tx, commit, &row));
    return err_already_finished(ctx, &row);
}

Status pfs_attach_layer(Ctx *ctx, PfsTx *tx, int64_t commit, const Hash *layer)
{
    TreeSum sum = { 0 };
    TRY(tree_sum(ctx, &tx->pfs->content.io, layer, STR(""), STR(""), &sum));
    int64_t seq;
    TRY(next_layer(ctx, tx, commit, sum.bytes, &seq));
    return db_exec(ctx, tx->db, NULL,
                   "INSERT INTO pfs_layer (commit_id, seq, root, entries) VALUES (?, ?, ?, ?)",
                   "iihi", commit, seq, layer, (int64_t)sum.files);
}
