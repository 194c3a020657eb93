/* repo.c - making and looking at repos (§18.2, §6.2). */
#include "base/text.h"
#include "pfs/pfs_priv.h"

char *repo_row_text(Ctx *ctx, const RepoRow *row)
{
    return pfs_repo_text(ctx, repo_ref(ctx, row->project, row->name, row->type));
}

/* --- making ----------------------------------------------------------------------------------- */

/* System repos belong to a user repo. */
static Status repo_may_be(Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo)
{
    if (strcmp(repo->type, "user") == 0)
        return OK;
    if (strcmp(repo->type, "unknown") == 0)
        return err_repo_type(ctx, repo->type);
    PfsV2__Repo *user = repo_ref(ctx, repo->project->name, repo->name, "user");
    RepoRow row;
    TRY_WRAP(ctx, OR_MISSING(repo_find(ctx, tx, user, &row), err_repo_row_not_found(ctx, user)),
             "cannot create a system repo without a corresponding 'user' repo");
    return OK;
}

static Status repo_insert(Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo, int64_t project_id,
                          const char *description)
{
    int64_t id;
    TRY(db_next_id(ctx, tx->db, "pfs_repo", &id));
    return db_exec(ctx, tx->db, NULL,
                   "INSERT INTO pfs_repo (id, project_id, name, type, description, created_by, "
                   "created_ns) VALUES (?, ?, ?, ?, ?, ?, ?)",
                   "iissssi", id, project_id, repo->name, repo->type, description, ctx->user,
                   tx->time_ns);
}

static Status repo_project(Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo, int64_t *out_id)
{
    Status found = project_find(ctx, tx, repo->project->name, out_id);
    if (found.code != STATUS_NOT_FOUND)
        return found;
    const char *name = text_quote(ctx->arena, str(repo->project->name));
    return FAIL(ctx, NOT_FOUND, "cannot find project %s: get project by name: project %s not found",
                name, name);
}

Status pfs_create_repo(Ctx *ctx, PfsTx *tx, const PfsV2__CreateRepoRequest *request)
{
    const PfsV2__Repo *repo = pfs_repo_fill(ctx, request->repo);
    if (!repo)
        return FAIL(ctx, UNKNOWN, "repo cannot be nil");
    if (strcmp(repo->name, PFS_FILESETS_REPO) == 0)
        return FAIL(ctx, UNKNOWN, "%s is a reserved name", PFS_FILESETS_REPO);
    TRY(name_check(ctx, repo->name));
    int64_t project_id;
    TRY(repo_project(ctx, tx, repo, &project_id));

    RepoRow old;
    Status found = repo_find(ctx, tx, repo, &old);
    if (status_ok(found) && !request->update)
        return FAIL(ctx, ALREADY_EXISTS, "repo %s already exists", pfs_repo_text(ctx, repo));
    if (status_ok(found))
        return db_exec(ctx, tx->db, NULL, "UPDATE pfs_repo SET description = ? WHERE id = ?", "si",
                       request->description, old.id);
    if (found.code != STATUS_NOT_FOUND)
        return found;
    TRY(repo_may_be(ctx, tx, repo));
    return repo_insert(ctx, tx, repo, project_id, request->description);
}

/* --- infos ------------------------------------------------------------------------------------ */

/* The size that a repo is said to have: that of the head of its branch "master" (§6.2). */
static Status repo_size(Ctx *ctx, PfsTx *tx, int64_t repo_id, int64_t *out)
{
    *out = 0;
    Status found = db_query_int(ctx, tx->db, out,
                                "SELECT c.size_bytes FROM pfs_branch b "
                                "JOIN pfs_commit c ON c.id = b.head_id "
                                "WHERE b.repo_id = ? AND b.name = 'master'",
                                "i", repo_id);
    return found.code == STATUS_NOT_FOUND ? OK : found;
}

static Status repo_branches(Ctx *ctx, PfsTx *tx, const RepoRow *row, PfsV2__RepoInfo *info)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows, "SELECT name FROM pfs_branch WHERE repo_id = ? ORDER BY id",
                 "i", row->id));
    PtrList branches = { 0 };
    DB_EACH (ctx, &rows) {
        PfsV2__Branch *branch = PB_NEW(ctx, pfs_v2__branch, PfsV2__Branch);
        branch->repo = info->repo;
        branch->name = arena_strdup(ctx->arena, db_text(ctx, &rows, 0));
        ptr_list_add(ctx, &branches, branch);
    }
    info->branches = (PfsV2__Branch **)branches.items;
    info->n_branches = branches.n;
    return OK;
}

static Status repo_info(Ctx *ctx, PfsTx *tx, const RepoRow *row, PfsV2__RepoInfo **out)
{
    PfsV2__RepoInfo *info = PB_NEW(ctx, pfs_v2__repo_info, PfsV2__RepoInfo);
    info->repo = repo_ref(ctx, row->project, row->name, row->type);
    info->created = time_message(ctx, row->created_ns);
    info->description = arena_strdup(ctx->arena, row->description);
    TRY(repo_branches(ctx, tx, row, info));
    PtrList metadata = { 0 };
    TRY(metadata_entries(ctx, tx, PFS_REPO, row->id, &pfs_v2__repo_info__metadata_entry__descriptor,
                         &metadata));
    info->metadata = (PfsV2__RepoInfo__MetadataEntry **)metadata.items;
    info->n_metadata = metadata.n;
    *out = info;
    return OK;
}

Status pfs_inspect_repo(Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo, PfsV2__RepoInfo **out)
{
    const PfsV2__Repo *filled = pfs_repo_fill(ctx, repo);
    if (!filled)
        return FAIL(ctx, UNKNOWN, "repo cannot be nil");
    RepoRow row;
    TRY(OR_MISSING(repo_find(ctx, tx, filled, &row), err_repo_not_found(ctx, filled)));
    TRY(repo_info(ctx, tx, &row, out));
    PfsV2__RepoInfo__Details *details =
        PB_NEW(ctx, pfs_v2__repo_info__details, PfsV2__RepoInfo__Details);
    (*out)->details = details;
    return repo_size(ctx, tx, row.id, &details->size_bytes);
}

/* --- lists ------------------------------------------------------------------------------------ */

static bool project_wanted(const PfsV2__ListRepoRequest *request, const char *project)
{
    for (size_t i = 0; i < request->n_projects; i++)
        if (strcmp(request->projects[i]->name, project) == 0)
            return true;
    return request->n_projects == 0;
}

static Status list_repo_check(Ctx *ctx, const PfsV2__ListRepoRequest *request)
{
    if (*request->type)
        TRY(repo_type_check(ctx, request->type));
    const PfsV2__RepoPage *page = request->page;
    if (!page)
        return OK;
    if (page->order != PFS_V2__REPO_PAGE__ORDERING__PROJECT_REPO)
        return FAIL(ctx, UNKNOWN, "unsupported repo ordering %d", (int)page->order);
    if (page->page_size < 0 || page->page_index < 0)
        return FAIL(ctx, INVALID_ARGUMENT, "page size and page index must not be negative");
    return OK;
}

static Status list_repo_send(Ctx *ctx, PfsTx *tx, const RepoRow *row, PfsRepoFn fn, void *arg)
{
    PfsV2__RepoInfo *info;
    TRY(repo_info(ctx, tx, row, &info));
    TRY(repo_size(ctx, tx, row->id, &info->size_bytes_upper_bound));
    return fn(arg, ctx, info);
}

Status pfs_list_repo(Ctx *ctx, PfsTx *tx, const PfsV2__ListRepoRequest *request, PfsRepoFn fn,
                     void *arg)
{
    TRY(list_repo_check(ctx, request));
    const PfsV2__RepoPage *page = request->page;
    int64_t left = page ? page->page_size : INT64_MAX;
    int64_t skip = 0;
    if (page && __builtin_mul_overflow(page->page_size, page->page_index, &skip))
        return OK; /* a page that far out is empty */

    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows,
                 REPO_SELECT "WHERE ? = '' OR r.type = ? ORDER BY p.name, r.name, r.type", "ss",
                 request->type, request->type));
    for (ArenaMark mark = arena_mark(ctx->arena); left > 0; arena_rewind(ctx->arena, mark)) {
        bool more;
        TRY(db_next(ctx, &rows, &more));
        if (!more)
            break;
        RepoRow row;
        repo_read(ctx, &rows, &row);
        if (!project_wanted(request, row.project) || skip-- > 0)
            continue;
        left--;
        TRY(list_repo_send(ctx, tx, &row, fn, arg));
    }
    return OK;
}

/* --- summary ---------------------------------------------------------------------------------- */

static Status project_summary(Ctx *ctx, PfsTx *tx, const char *project, PfsV2__ReposSummary *out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows,
                 "SELECT COUNT(*), COALESCE(SUM(c.size_bytes), 0) FROM pfs_project p "
                 "JOIN pfs_repo r ON r.project_id = p.id AND r.type = 'user' "
                 "LEFT JOIN pfs_branch b ON b.repo_id = r.id AND b.name = 'master' "
                 "LEFT JOIN pfs_commit c ON c.id = b.head_id WHERE p.name = ?",
                 "s", project));
    bool more;
    TRY(db_next(ctx, &rows, &more));
    out->user_repo_count = db_int(&rows, 0);
    out->size_bytes = db_int(&rows, 1);
    return OK;
}

Status pfs_repos_summary(Ctx *ctx, PfsTx *tx, const PfsV2__ReposSummaryRequest *request,
                         PfsV2__ReposSummaryResponse **out)
{
    PtrList summaries = { 0 };
    for (size_t i = 0; i < request->n_projects; i++) {
        const PfsV2__ProjectPicker *picker = request->projects[i];
        if (picker->picker_case != PFS_V2__PROJECT_PICKER__PICKER_NAME)
            return FAIL(ctx, UNKNOWN, "project picker is of an unknown type: <nil>");
        PfsV2__ReposSummary *summary = PB_NEW(ctx, pfs_v2__repos_summary, PfsV2__ReposSummary);
        TRY(project_summary(ctx, tx, picker->name, summary));
        if (!summary->user_repo_count)
            continue;
        summary->project = PB_NEW(ctx, pfs_v2__project, PfsV2__Project);
        summary->project->name = arena_strdup(ctx->arena, picker->name);
        ptr_list_add(ctx, &summaries, summary);
    }
    *out = PB_NEW(ctx, pfs_v2__repos_summary_response, PfsV2__ReposSummaryResponse);
    (*out)->summaries = (PfsV2__ReposSummary **)summaries.items;
    (*out)->n_summaries = summaries.n;
    return OK;
}
