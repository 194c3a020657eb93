/* rows.c - reading the tables: one function for each kind of row. */
#include <stdio.h>

#include "pfs/pfs_priv.h"

/* The row of a one-row query; NOT_FOUND (bare) when there is none. */
static Status first_row(Ctx *ctx, DbRows *rows)
{
    bool more;
    TRY(db_next(ctx, rows, &more));
    return more ? OK : STATUS(NOT_FOUND);
}

Status ids_query(Ctx *ctx, PfsTx *tx, const char *sql, int64_t arg, Ids *out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows, sql, "i", arg));
    DB_EACH (ctx, &rows)
        ids_add(out, db_int(&rows, 0));
    return OK;
}

/* --- projects and repos ----------------------------------------------------------------------- */

Status project_find(Ctx *ctx, PfsTx *tx, const char *name, int64_t *out_id)
{
    return db_query_int(ctx, tx->db, out_id, "SELECT id FROM pfs_project WHERE name = ?", "s",
                        name);
}

void repo_read(Ctx *ctx, const DbRows *rows, RepoRow *out)
{
    *out = (RepoRow){
        .id = db_int(rows, 0),
        .project_id = db_int(rows, 1),
        .project = db_text(ctx, rows, 2),
        .name = db_text(ctx, rows, 3),
        .type = db_text(ctx, rows, 4),
        .description = db_text(ctx, rows, 5),
        .created_ns = db_int(rows, 6),
    };
}

Status repo_find(Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo, RepoRow *out)
{
    TRY(repo_type_check(ctx, repo->type));
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows, REPO_SELECT "WHERE p.name = ? AND r.name = ? AND r.type = ?",
                 "sss", repo->project->name, repo->name, repo->type));
    TRY(first_row(ctx, &rows));
    repo_read(ctx, &rows, out);
    return OK;
}

Status repo_get(Ctx *ctx, PfsTx *tx, int64_t id, RepoRow *out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows, REPO_SELECT "WHERE r.id = ?", "i", id));
    TRY(first_row(ctx, &rows));
    repo_read(ctx, &rows, out);
    return OK;
}

/* --- branches --------------------------------------------------------------------------------- */

#define BRANCH_SELECT                                                                              \
    "SELECT b.id, b.repo_id, b.head_id, p.name, r.name, r.type, b.name, b.trigger_id, "            \
    "COALESCE(t.name, ''), b.trigger_all, b.trigger_rate, b.trigger_size, b.trigger_commits, "     \
    "b.trigger_cron, b.cron_prev_ns, b.created_by, b.created_ns, b.updated_ns "                    \
    "FROM pfs_branch b JOIN pfs_repo r ON r.id = b.repo_id "                                       \
    "JOIN pfs_project p ON p.id = r.project_id LEFT JOIN pfs_branch t ON t.id = b.trigger_id "

static void branch_read(Ctx *ctx, const DbRows *rows, BranchRow *out)
{
    *out = (BranchRow){
        .id = db_int(rows, 0),
        .repo_id = db_int(rows, 1),
        .head_id = db_int(rows, 2),
        .project = db_text(ctx, rows, 3),
        .repo = db_text(ctx, rows, 4),
        .type = db_text(ctx, rows, 5),
        .name = db_text(ctx, rows, 6),
        .trigger_id = db_int(rows, 7),
        .trigger_branch = db_text(ctx, rows, 8),
        .trigger_all = db_int(rows, 9) != 0,
        .trigger_rate = db_text(ctx, rows, 10),
        .trigger_size = db_text(ctx, rows, 11),
        .trigger_commits = db_int(rows, 12),
        .trigger_cron = db_text(ctx, rows, 13),
        .cron_prev_ns = db_int(rows, 14),
        .created_by = db_text(ctx, rows, 15),
        .created_ns = db_int(rows, 16),
        .updated_ns = db_int(rows, 17),
    };
}

Status branch_find(Ctx *ctx, PfsTx *tx, int64_t repo_id, const char *name, BranchRow *out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows, BRANCH_SELECT "WHERE b.repo_id = ? AND b.name = ?", "is",
                 repo_id, name));
    TRY(first_row(ctx, &rows));
    branch_read(ctx, &rows, out);
    return OK;
}

Status branch_get(Ctx *ctx, PfsTx *tx, int64_t id, BranchRow *out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows, BRANCH_SELECT "WHERE b.id = ?", "i", id));
    TRY(first_row(ctx, &rows));
    branch_read(ctx, &rows, out);
    return OK;
}

/* --- commits ---------------------------------------------------------------------------------- */

Status commit_find(Ctx *ctx, PfsTx *tx, int64_t repo_id, const char *set_id, int64_t *out_id)
{
    return db_query_int(ctx, tx->db, out_id,
                        "SELECT id FROM pfs_commit WHERE repo_id = ? AND set_id = ?", "is", repo_id,
                        set_id);
}

#define COMMIT_SELECT                                                                              \
    "SELECT c.id, c.repo_id, c.parent_id, COALESCE(b.id, 0), c.set_id, c.state, c.forgotten, "     \
    "c.origin, c.error, p.name, r.name, r.type, COALESCE(b.name, ''), c.description, "             \
    "c.created_by, c.started_ns, c.finishing_ns, c.finished_ns, c.updated_ns, c.root, "            \
    "c.root_known, c.size_bytes, c.computing_ns, c.layers, c.layer_bytes, c.view_root, "           \
    "c.view_layers, c.view_error "                                                                 \
    "FROM pfs_commit c JOIN pfs_repo r ON r.id = c.repo_id "                                       \
    "JOIN pfs_project p ON p.id = r.project_id LEFT JOIN pfs_branch b ON b.id = c.branch_id "

static void commit_read(Ctx *ctx, const DbRows *rows, PfsCommitRow *out)
{
    *out = (PfsCommitRow){
        .id = db_int(rows, 0),
        .repo_id = db_int(rows, 1),
        .parent_id = db_int(rows, 2),
        .branch_id = db_int(rows, 3),
        .state = (PfsState)db_int(rows, 5),
        .forgotten = db_int(rows, 6) != 0,
        .origin = (int)db_int(rows, 7),
        .error = db_text(ctx, rows, 8),
        .project = db_text(ctx, rows, 9),
        .repo = db_text(ctx, rows, 10),
        .repo_type = db_text(ctx, rows, 11),
        .branch = db_text(ctx, rows, 12),
        .description = db_text(ctx, rows, 13),
        .created_by = db_text(ctx, rows, 14),
        .started_ns = db_int(rows, 15),
        .finishing_ns = db_int(rows, 16),
        .finished_ns = db_int(rows, 17),
        .updated_ns = db_int(rows, 18),
        .root = db_hash(rows, 19),
        .root_known = db_int(rows, 20) != 0,
        .size_bytes = db_int(rows, 21),
        .computing_ns = db_int(rows, 22),
        .layer_count = db_int(rows, 23),
        .layer_bytes = db_int(rows, 24),
        .view_root = db_hash(rows, 25),
        .view_layers = db_int(rows, 26),
        .view_error = db_text(ctx, rows, 27),
    };
    snprintf(out->set_id, sizeof(out->set_id), "%s", db_text(ctx, rows, 4));
}

Status commit_get(Ctx *ctx, PfsTx *tx, int64_t id, PfsCommitRow *out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows, COMMIT_SELECT "WHERE c.id = ?", "i", id));
    TRY(first_row(ctx, &rows));
    commit_read(ctx, &rows, out);
    return OK;
}

Status pfs_commit_row(Ctx *ctx, PfsTx *tx, int64_t id, PfsCommitRow *out)
{
    return OR_MISSING(
        commit_get(ctx, tx, id, out),
        FAIL(ctx, NOT_FOUND, "commit (int_id=%lld, commit_id=) not found", (long long)id));
}
