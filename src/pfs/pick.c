/* pick.c - from a handle to a commit (§5). */
#include "base/text.h"
#include "pfs/pfs_priv.h"
#include "pfs/ref.h"

/* --- steps along parents ---------------------------------------------------------------------- */

#define ANCESTORS_CTE                                                                              \
    "WITH RECURSIVE up (id, n) AS (SELECT CAST(? AS BIGINT), CAST(0 AS BIGINT) UNION ALL "         \
    "SELECT c.parent_id, up.n + 1 FROM up JOIN pfs_commit c ON c.id = up.id "                      \
    "WHERE c.parent_id <> 0 AND up.n < ?) "

/* The last ancestor within n steps, and how many steps that took. */
static Status walk_back(Ctx *ctx, PfsTx *tx, int64_t id, uint64_t n, int64_t *out_id,
                        uint64_t *out_n)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows, ANCESTORS_CTE "SELECT id, n FROM up ORDER BY n DESC LIMIT 1",
                 "ii", id, (int64_t)MIN(n, (uint64_t)INT64_MAX)));
    bool more;
    TRY(db_next(ctx, &rows, &more));
    *out_id = db_int(&rows, 0);
    *out_n = (uint64_t)db_int(&rows, 1);
    return OK;
}

static Status pick_ancestor(Ctx *ctx, PfsTx *tx, const PfsCommitRow *from, uint64_t steps,
                            PfsCommitRow *out)
{
    int64_t id;
    uint64_t reached;
    TRY(walk_back(ctx, tx, from->id, steps, &id, &reached));
    if (reached < steps)
        return FAIL(ctx, UNKNOWN,
                    "picking commit: invalid offset for ancestor of commit: %s, offset requested: "
                    "%llu, offset traversable: %llu",
                    commit_row_key(ctx, from), (unsigned long long)steps,
                    (unsigned long long)reached);
    return pfs_commit_row(ctx, tx, id, out);
}

static Status pick_from_root(Ctx *ctx, PfsTx *tx, const PfsCommitRow *head, uint64_t steps,
                             PfsCommitRow *out)
{
    int64_t root_id;
    uint64_t depth;
    TRY(walk_back(ctx, tx, head->id, INT64_MAX, &root_id, &depth));
    if (steps > depth)
        return FAIL(ctx, UNKNOWN,
                    "picking commit: invalid offset from branch root for head commit: %s, offset: "
                    "%llu, maximum depth: %llu",
                    commit_row_key(ctx, head), (unsigned long long)steps,
                    (unsigned long long)depth);
    return pick_ancestor(ctx, tx, head, depth - steps, out);
}

/* --- handles ---------------------------------------------------------------------------------- */

/* What the handle's id and branch name say together; NULL when they say nothing. */
static const char *handle_ref(Ctx *ctx, const PfsV2__Commit *commit)
{
    const char *branch = commit->branch ? commit->branch->name : "";
    if (!*commit->id && !*branch)
        return NULL;
    if (*commit->id && !strchr(".^~", commit->id[0]))
        return commit->id;
    return text_printf(ctx->arena, "%s%s", branch, commit->id);
}

/* The commit that a ref counts from. Errors: NOT_FOUND with a text. */
static Status pick_base(Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo, const CommitRef *ref,
                        PfsCommitRow *out)
{
    RepoRow repo_row;
    TRY(OR_MISSING(repo_find(ctx, tx, repo, &repo_row), err_repo_not_found(ctx, repo)));
    int64_t id;
    if (ref->is_id) {
        PfsV2__Commit *commit = PB_NEW(ctx, pfs_v2__commit, PfsV2__Commit);
        commit->repo = repo_ref(ctx, repo->project->name, repo->name, repo->type);
        commit->id = arena_strdup(ctx->arena, ref->base);
        TRY(OR_MISSING(commit_find(ctx, tx, repo_row.id, ref->base, &id),
                       err_commit_not_found(ctx, commit)));
    } else {
        BranchRow branch = { .project = repo_row.project,
                             .repo = repo_row.name,
                             .type = repo_row.type,
                             .name = ref->base };
        PfsV2__Branch *handle = branch_row_ref(ctx, &branch);
        TRY(OR_MISSING(branch_find(ctx, tx, repo_row.id, ref->base, &branch),
                       err_branch_not_found(ctx, handle)));
        id = branch.head_id;
    }
    return pfs_commit_row(ctx, tx, id, out);
}

/* A repo that did not change in set `set_id` stands there by the commit of it that the set's
 * commits depend on: the newest, if there are several. NOT_FOUND (bare) if there is none (§5.4). */
static Status pick_alias_of(Ctx *ctx, PfsTx *tx, const RepoRow *repo, const char *set_id,
                            PfsCommitRow *out)
{
    CLEANUP(ids_done) Ids above = { 0 };
    TRY(set_commits(ctx, tx, set_id, &above));
    TRY(graph_closure(ctx, tx, COMMIT_UP, 0, 0, &above));
    int64_t newest = 0;
    ArenaMark mark = arena_mark(ctx->arena);
    for (size_t i = 0; i < above.n; i++, arena_rewind(ctx->arena, mark)) {
        PfsCommitRow row;
        TRY(pfs_commit_row(ctx, tx, above.items[i], &row));
        if (row.repo_id == repo->id)
            newest = MAX(newest, row.id);
    }
    return newest ? pfs_commit_row(ctx, tx, newest, out) : STATUS(NOT_FOUND);
}

/* Provenance goes by user repos: a meta repo stands where the output of its pipeline does. */
static Status pick_alias(Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo, const char *set_id,
                         PfsCommitRow *out)
{
    RepoRow row, user;
    TRY(repo_find(ctx, tx, repo, &row));
    Status found = pick_alias_of(ctx, tx, &row, set_id, out);
    if (found.code != STATUS_NOT_FOUND || strcmp(repo->type, "meta") != 0)
        return found;
    PfsCommitRow output;
    int64_t id;
    TRY(repo_find(ctx, tx, repo_ref(ctx, repo->project->name, repo->name, "user"), &user));
    TRY(pick_alias_of(ctx, tx, &user, set_id, &output));
    TRY(commit_find(ctx, tx, row.id, output.set_id, &id));
    return pfs_commit_row(ctx, tx, id, out);
}

static Status pick_missing(Ctx *ctx, PfsTx *tx, const PfsV2__Commit *commit, const CommitRef *ref,
                           Status reason, PfsCommitRow *out)
{
    int64_t project_id;
    Status project = project_find(ctx, tx, commit->repo->project->name, &project_id);
    if (project.code == STATUS_NOT_FOUND)
        return FAIL(ctx, NOT_FOUND, "project %s not found",
                    text_quote(ctx->arena, str(commit->repo->project->name)));
    TRY(project);
    Status alias = STATUS(NOT_FOUND);
    if (ref->is_id)
        alias = pick_alias(ctx, tx, commit->repo, ref->base, out);
    if (alias.code != STATUS_NOT_FOUND)
        return alias;
    return FAIL(ctx, NOT_FOUND, "commit %s@%s not found\n%s", pfs_repo_text(ctx, commit->repo),
                commit->id, status_message(reason));
}

static Status pick_handle(Ctx *ctx, PfsTx *tx, const PfsV2__Commit *commit, PfsCommitRow *out)
{
    const char *text = handle_ref(ctx, commit);
    if (!text)
        return FAIL(ctx, UNKNOWN, "cannot pick commit with no ID or branch");
    CommitRef ref;
    TRY_WRAP(ctx, ref_parse(ctx, str(text), &ref), "calculate offset %s@%s: count offset and clean",
             pfs_repo_text(ctx, commit->repo), text);
    PfsCommitRow base;
    Status found = pick_base(ctx, tx, commit->repo, &ref, &base);
    if (found.code == STATUS_NOT_FOUND)
        found = pick_missing(ctx, tx, commit, &ref, found, &base);
    TRY(found);
    if (ref.from_root)
        return pick_from_root(ctx, tx, &base, ref.steps, out);
    if (!ref.steps) {
        *out = base;
        return OK;
    }
    return pick_ancestor(ctx, tx, &base, ref.steps, out);
}

Status pfs_pick(Ctx *ctx, PfsTx *tx, const PfsV2__Commit *commit, PfsCommitRow *out)
{
    PfsV2__Commit *filled;
    TRY(pfs_commit_fill(ctx, commit, &filled));
    TRY_WRAP(ctx, pick_handle(ctx, tx, filled, out), "pick commit tx");
    return OK;
}

Status pfs_commit_in_set(Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo, const char *set_id,
                         int64_t *out_commit)
{
    RepoRow row;
    *out_commit = 0;
    Status found = repo_find(ctx, tx, pfs_repo_fill(ctx, repo), &row);
    if (status_ok(found))
        found = commit_find(ctx, tx, row.id, set_id, out_commit);
    return found.code == STATUS_NOT_FOUND ? OK : found;
}

/* --- pickers (§5.3) --------------------------------------------------------------------------- */

Status repo_pick(Ctx *ctx, PfsTx *tx, const PfsV2__RepoPicker *picker, RepoRow *out)
{
    if (!picker || picker->picker_case != PFS_V2__REPO_PICKER__PICKER_NAME)
        return FAIL(ctx, UNKNOWN, "repo picker cannot be nil");
    const PfsV2__RepoPicker__RepoName *name = picker->name;
    if (!name->project || name->project->picker_case != PFS_V2__PROJECT_PICKER__PICKER_NAME)
        return FAIL(ctx, UNKNOWN, "project picker cannot be nil");
    PfsV2__Repo *repo =
        repo_ref(ctx, name->project->name, name->name, *name->type ? name->type : "user");
    return OR_MISSING(repo_find(ctx, tx, repo, out), err_repo_row_not_found(ctx, repo));
}

Status branch_pick(Ctx *ctx, PfsTx *tx, const PfsV2__BranchPicker *picker, BranchRow *out)
{
    if (!picker || picker->picker_case != PFS_V2__BRANCH_PICKER__PICKER_NAME)
        return FAIL(ctx, UNKNOWN, "branch picker cannot be nil");
    RepoRow repo;
    TRY_WRAP(ctx, repo_pick(ctx, tx, picker->name->repo, &repo), "picking repo");
    *out = (BranchRow){
        .project = repo.project, .repo = repo.name, .type = repo.type, .name = picker->name->name
    };
    PfsV2__Branch *handle = branch_row_ref(ctx, out);
    return OR_MISSING(branch_find(ctx, tx, repo.id, handle->name, out),
                      err_branch_row_not_found(ctx, handle));
}

static Status pick_head(Ctx *ctx, PfsTx *tx, const PfsV2__BranchPicker *picker, PfsCommitRow *out)
{
    BranchRow branch;
    TRY_WRAP(ctx, branch_pick(ctx, tx, picker, &branch), "picking branch");
    return pfs_commit_row(ctx, tx, branch.head_id, out);
}

static Status pick_by_id(Ctx *ctx, PfsTx *tx, const PfsV2__CommitPicker__CommitByGlobalId *picker,
                         PfsCommitRow *out)
{
    RepoRow repo;
    int64_t id;
    TRY_WRAP(ctx, repo_pick(ctx, tx, picker->repo, &repo), "picking repo");
    TRY(OR_MISSING(commit_find(ctx, tx, repo.id, picker->id, &id),
                   FAIL(ctx, NOT_FOUND, "commit (int_id=0, commit_id=%s/%s.%s@%s) not found",
                        repo.project, repo.name, repo.type, picker->id)));
    return pfs_commit_row(ctx, tx, id, out);
}

static Status pick_step(Ctx *ctx, PfsTx *tx, const PfsV2__CommitPicker *picker, PfsCommitRow *out)
{
    switch (picker->picker_case) {
    case PFS_V2__COMMIT_PICKER__PICKER_BRANCH_HEAD:
        return pick_head(ctx, tx, picker->branch_head, out);
    case PFS_V2__COMMIT_PICKER__PICKER_ID:
        return pick_by_id(ctx, tx, picker->id, out);
    case PFS_V2__COMMIT_PICKER__PICKER_BRANCH_ROOT: {
        PfsCommitRow head;
        TRY(pick_head(ctx, tx, picker->branch_root->branch, &head));
        return pick_from_root(ctx, tx, &head, picker->branch_root->offset, out);
    }
    case PFS_V2__COMMIT_PICKER__PICKER_ANCESTOR:
    case PFS_V2__COMMIT_PICKER__PICKER__NOT_SET:
    case _PFS_V2__COMMIT_PICKER__PICKER__CASE_IS_INT_SIZE:
    default:
        return FAIL(ctx, UNKNOWN, "commit picker cannot be nil");
    }
}

Status pfs_pick_by_picker(Ctx *ctx, PfsTx *tx, const PfsV2__CommitPicker *picker, PfsCommitRow *out)
{
    /* Ancestors of ancestors add up. */
    uint64_t steps = 0;
    while (picker && picker->picker_case == PFS_V2__COMMIT_PICKER__PICKER_ANCESTOR) {
        steps += picker->ancestor->offset;
        picker = picker->ancestor->start;
    }
    if (!picker)
        return FAIL(ctx, UNKNOWN, "commit picker cannot be nil");
    PfsCommitRow base;
    TRY_WRAP(ctx, pick_step(ctx, tx, picker, &base), "picking commit");
    if (steps)
        return pick_ancestor(ctx, tx, &base, steps, out);
    *out = base;
    return OK;
}
