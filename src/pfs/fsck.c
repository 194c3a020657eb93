/* fsck.c - do the rows agree with each other, and is the content they name there (§21)? */
#include "base/text.h"
#include "pfs/pfs_priv.h"

typedef struct Check {
    const char *sql; /* two columns, a row for each fault */
    Status (*describe)(Ctx *ctx, PfsTx *tx, int64_t a, int64_t b, const char **out);
} Check;

/* --- what a fault is called ------------------------------------------------------------------- */

static Status describe_head(Ctx *ctx, PfsTx *tx, int64_t branch, int64_t commit, const char **out)
{
    BranchRow row;
    TRY(branch_get(ctx, tx, branch, &row));
    *out = text_printf(ctx->arena,
                       "consistency error: the commit row %lld could not be found while checking "
                       "the head of branch %s",
                       (long long)commit, branch_row_text(ctx, &row));
    return OK;
}

static Status describe_parent(Ctx *ctx, PfsTx *tx, int64_t commit, int64_t parent, const char **out)
{
    PfsCommitRow row;
    TRY(commit_get(ctx, tx, commit, &row));
    *out = text_printf(ctx->arena,
                       "consistency error: the commit row %lld could not be found while checking "
                       "the parent of commit %s",
                       (long long)parent, pfs_commit_row_text(ctx, &row));
    return OK;
}

static Status describe_line(Ctx *ctx, PfsTx *tx, int64_t parent, int64_t child, const char **out)
{
    PfsCommitRow parent_row, child_row;
    TRY(commit_get(ctx, tx, parent, &parent_row));
    TRY(commit_get(ctx, tx, child, &child_row));
    *out = text_printf(ctx->arena,
                       "consistency error: parent commit %s and child commit %s disagree about "
                       "their parent/child relationship",
                       pfs_commit_row_text(ctx, &parent_row), pfs_commit_row_text(ctx, &child_row));
    return OK;
}

static Status describe_edge(Ctx *ctx, PfsTx *tx, int64_t down, int64_t up, const char **out)
{
    BranchRow down_row, up_row;
    TRY(branch_get(ctx, tx, down, &down_row));
    TRY(branch_get(ctx, tx, up, &up_row));
    *out = text_printf(ctx->arena,
                       "consistency error: parent branch %s commit is not in direct provenance of "
                       "head of branch %s",
                       branch_row_text(ctx, &up_row), branch_row_text(ctx, &down_row));
    return OK;
}

static const Check checks[] = {
    { "SELECT b.id, b.head_id FROM pfs_branch b LEFT JOIN pfs_commit c ON c.id = b.head_id "
      "WHERE c.id IS NULL",
      describe_head },
    { "SELECT c.id, c.parent_id FROM pfs_commit c LEFT JOIN pfs_commit p ON p.id = c.parent_id "
      "WHERE c.parent_id <> 0 AND p.id IS NULL",
      describe_parent },
    { "SELECT p.id, c.id FROM pfs_commit c JOIN pfs_commit p ON p.id = c.parent_id "
      "WHERE p.repo_id <> c.repo_id",
      describe_line },
    { "SELECT e.down_id, e.up_id FROM pfs_branch_prov e "
      "JOIN pfs_branch d ON d.id = e.down_id JOIN pfs_branch u ON u.id = e.up_id "
      "LEFT JOIN pfs_commit_prov p ON p.down_id = d.head_id AND p.up_id = u.head_id "
      "WHERE p.down_id IS NULL",
      describe_edge },
};

/* --- looking ---------------------------------------------------------------------------------- */

static Status run_check(Ctx *ctx, PfsTx *tx, const Check *check, PfsFsckFn fn, void *arg)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows, check->sql, ""));
    DB_EACH (ctx, &rows) {
        ArenaMark mark = arena_mark(ctx->arena);
        const char *error;
        TRY(check->describe(ctx, tx, db_int(&rows, 0), db_int(&rows, 1), &error));
        TRY(fn(arg, ctx, error));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

/* The top of each finished commit's tree: scrubbing the store looks at the rest. */
static Status check_roots(Ctx *ctx, PfsTx *tx, PfsFsckFn fn, void *arg)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows, "SELECT id, root FROM pfs_commit WHERE root IS NOT NULL", ""));
    DB_EACH (ctx, &rows) {
        bool found;
        Hash root = db_hash(&rows, 1);
        TRY(store_has(ctx, tx->pfs->store, &root, &found));
        if (found)
            continue;
        ArenaMark mark = arena_mark(ctx->arena);
        PfsCommitRow row;
        TRY(commit_get(ctx, tx, db_int(&rows, 0), &row));
        TRY(fn(arg, ctx,
               text_printf(ctx->arena, "consistency error: the content of commit %s is missing",
                           pfs_commit_row_text(ctx, &row))));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

Status pfs_fsck(Ctx *ctx, PfsTx *tx, PfsFsckFn fn, void *arg)
{
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        TRY(run_check(ctx, tx, &checks[i], fn, arg));
    return check_roots(ctx, tx, fn, arg);
}
