/* commit_list.c - lists of commits and walks over their provenance (§18.3).
 *
 * Rows are read a page at a time, each page in a transaction of its own, so that a slow reader
 * holds none open.
 */
#include "pfs/pfs_priv.h"

#define PAGE_COMMITS 64

Status infos_of(Ctx *ctx, PfsTx *tx, const Ids *ids, PtrList *out)
{
    for (size_t i = 0; i < ids->n; i++) {
        PfsV2__CommitInfo *info;
        TRY(pfs_commit_info(ctx, tx, ids->items[i], &info));
        ptr_list_add(ctx, out, info);
    }
    return OK;
}

/* --- listing ---------------------------------------------------------------------------------- */

typedef struct List {
    const PfsV2__ListCommitRequest *request;
    PfsV2__Repo *repo; /* filled; NULL: every repo */
    int64_t repo_id;
    int64_t to_id, from_id; /* walk from one, to before the other; 0: none */
    int64_t left;           /* how many may still be sent */
    int64_t next_id;        /* where the list goes on: past this row, or, up the parents, at it */
} List;

/* Rows past a position: newest first, oldest first. */
static const char *const rows_of_repo[] = {
    "SELECT id FROM pfs_commit WHERE repo_id = ? AND id < ? ORDER BY id DESC LIMIT ?",
    "SELECT id FROM pfs_commit WHERE repo_id = ? AND id > ? ORDER BY id LIMIT ?",
};
static const char *const rows_of_all[] = {
    "SELECT id FROM pfs_commit WHERE id < ? ORDER BY id DESC LIMIT ?",
    "SELECT id FROM pfs_commit WHERE id > ? ORDER BY id LIMIT ?",
};
/* The position before the first row that was started past a time. */
static const char *const start_of_repo[] = {
    ("SELECT id + 1 FROM pfs_commit WHERE repo_id = ? AND started_ns < ? "
     "ORDER BY started_ns DESC, id DESC LIMIT 1"),
    ("SELECT id - 1 FROM pfs_commit WHERE repo_id = ? AND started_ns > ? "
     "ORDER BY started_ns, id LIMIT 1"),
};
static const char *const start_of_all[] = {
    "SELECT id + 1 FROM pfs_commit WHERE started_ns < ? ORDER BY started_ns DESC, id DESC LIMIT 1",
    "SELECT id - 1 FROM pfs_commit WHERE started_ns > ? ORDER BY started_ns, id LIMIT 1",
};

static Status page_of_rows(Ctx *ctx, PfsTx *tx, List *list, Ids *out)
{
    bool reverse = list->request->reverse != 0;
    int64_t limit = PAGE_COMMITS;
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    if (list->repo)
        TRY(db_query(ctx, tx->db, &rows, rows_of_repo[reverse], "iii", list->repo_id, list->next_id,
                     limit));
    else
        TRY(db_query(ctx, tx->db, &rows, rows_of_all[reverse], "ii", list->next_id, limit));
    DB_EACH (ctx, &rows) {
        list->next_id = db_int(&rows, 0);
        ids_add(out, list->next_id);
    }
    return OK;
}

/* next_id is the next commit itself here; 0 ends the walk. */
static Status page_of_parents(Ctx *ctx, PfsTx *tx, List *list, Ids *out)
{
    while (out->n < PAGE_COMMITS && list->next_id && list->next_id != list->from_id) {
        int64_t parent_id;
        Status s =
            db_query_int(ctx, tx->db, &parent_id, "SELECT parent_id FROM pfs_commit WHERE id = ?",
                         "i", list->next_id);
        if (s.code == STATUS_NOT_FOUND)
            parent_id = 0; /* deleted between two pages: the way on is lost */
        else
            ids_add(out, list->next_id);
        if (s.code != STATUS_NOT_FOUND)
            TRY(s);
        list->next_id = parent_id;
    }
    return OK;
}

static bool origin_wanted(const PfsV2__ListCommitRequest *request, const PfsCommitRow *row)
{
    return request->all || !request->origin_kind || row->origin == (int)request->origin_kind;
}

/* The next infos to send; *out_end when there are no more rows. */
static Status page_read(Ctx *ctx, Pfs *pfs, List *list, PtrList *out, bool *out_end)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    CLEANUP(ids_done) Ids ids = { 0 };
    TRY(pfs_begin_read(ctx, pfs, &tx));
    TRY(list->to_id ? page_of_parents(ctx, tx, list, &ids) : page_of_rows(ctx, tx, list, &ids));
    *out_end = ids.n == 0;
    for (size_t i = 0; i < ids.n && (int64_t)out->n < list->left; i++) {
        PfsCommitRow row;
        PfsV2__CommitInfo *info;
        TRY(pfs_commit_row(ctx, tx, ids.items[i], &row));
        if (!origin_wanted(list->request, &row))
            continue;
        TRY(commit_info(ctx, tx, &row, true, &info));
        ptr_list_add(ctx, out, info);
    }
    return OK;
}

static Status list_run(Ctx *ctx, Pfs *pfs, List *list, PfsCommitFn fn, void *arg)
{
    ArenaMark mark = arena_mark(ctx->arena);
    for (bool end = false; !end && list->left > 0; arena_rewind(ctx->arena, mark)) {
        PtrList infos = { 0 };
        TRY(page_read(ctx, pfs, list, &infos, &end));
        for (size_t i = 0; i < infos.n; i++)
            TRY(fn(arg, ctx, infos.items[i]));
        list->left -= (int64_t)infos.n;
    }
    return OK;
}

/* --- what is asked for ------------------------------------------------------------------------ */

static Status check_bound(Ctx *ctx, const List *list, const PfsV2__Commit *bound)
{
    if (!bound)
        return OK;
    PfsV2__Commit *filled;
    TRY(pfs_commit_fill(ctx, bound, &filled));
    const char *repo = list->repo ? pfs_repo_text(ctx, list->repo) : "";
    if (strcmp(pfs_repo_text(ctx, filled->repo), repo) != 0)
        return FAIL(ctx, UNKNOWN, "`from` and `to` commits need to be from repo %s", repo);
    return OK;
}

static Status list_check(Ctx *ctx, const List *list)
{
    const PfsV2__ListCommitRequest *request = list->request;
    TRY(check_bound(ctx, list, request->from));
    TRY(check_bound(ctx, list, request->to));
    if (request->number < 0)
        return FAIL(ctx, INVALID_ARGUMENT, "number must not be negative");
    if (request->from && !request->to)
        return FAIL(ctx, UNKNOWN, "cannot use `from` commit without `to` commit");
    if (request->to && request->reverse)
        return FAIL(ctx, UNKNOWN, "cannot use 'Reverse' while also using 'From' or 'To'");
    return OK;
}

static Status list_bounds(Ctx *ctx, PfsTx *tx, List *list)
{
    if (!list->repo)
        return OK;
    RepoRow repo;
    TRY_WRAP(ctx,
             OR_MISSING(repo_find(ctx, tx, list->repo, &repo), err_repo_not_found(ctx, list->repo)),
             "ensure repo exists");
    list->repo_id = repo.id;
    PfsCommitRow row;
    if (list->request->from) {
        TRY(pfs_pick(ctx, tx, list->request->from, &row));
        list->from_id = row.id;
    }
    if (list->request->to) {
        TRY(pfs_pick(ctx, tx, list->request->to, &row));
        list->to_id = list->next_id = row.id;
    }
    return OK;
}

/* Where a list without bounds begins: at an end, or past a given time. */
static Status list_begin(Ctx *ctx, PfsTx *tx, List *list)
{
    const Google__Protobuf__Timestamp *time = list->request->started_time;
    bool reverse = list->request->reverse != 0;
    if (list->to_id)
        return OK;
    list->next_id = reverse ? 0 : INT64_MAX;
    if (!time)
        return OK;
    int64_t time_ns = time_ns_of(time);
    Status found;
    if (list->repo)
        found = db_query_int(ctx, tx->db, &list->next_id, start_of_repo[reverse], "ii",
                             list->repo_id, time_ns);
    else
        found = db_query_int(ctx, tx->db, &list->next_id, start_of_all[reverse], "i", time_ns);
    if (found.code == STATUS_NOT_FOUND)
        list->left = 0;
    return found.code == STATUS_NOT_FOUND ? OK : found;
}

Status pfs_list_commit(Ctx *ctx, Pfs *pfs, const PfsV2__ListCommitRequest *request, PfsCommitFn fn,
                       void *arg)
{
    if (!request->repo)
        return FAIL(ctx, UNKNOWN, "repo cannot be nil");
    List list = { .request = request, .left = request->number ? request->number : INT64_MAX };
    if (*request->repo->name)
        list.repo = pfs_repo_fill(ctx, request->repo);
    TRY(list_check(ctx, &list));
    {
        CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
        TRY(pfs_begin_read(ctx, pfs, &tx));
        TRY(list_bounds(ctx, tx, &list));
        TRY(list_begin(ctx, tx, &list));
    }
    return list_run(ctx, pfs, &list, fn, arg);
}

/* --- walks ------------------------------------------------------------------------------------ */

typedef struct Walk {
    Edges edges;
    size_t commits_max, depth_max;
} Walk;

static Status walk_ids(Ctx *ctx, Pfs *pfs, const PfsV2__CommitPicker *start, const Walk *walk,
                       Ids *out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    PfsCommitRow row;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    TRY(pfs_pick_by_picker(ctx, tx, start, &row));
    ids_add(out, row.id);
    return graph_closure(ctx, tx, walk->edges, walk->commits_max + 1, walk->depth_max, out);
}

static Status walk_from(Ctx *ctx, Pfs *pfs, const PfsV2__CommitPicker *start, const Walk *walk,
                        PfsCommitFn fn, void *arg)
{
    CLEANUP(ids_done) Ids ids = { 0 };
    TRY(walk_ids(ctx, pfs, start, walk, &ids));
    size_t end = MIN(ids.n, walk->commits_max + 1);
    ArenaMark mark = arena_mark(ctx->arena);
    for (size_t i = 1; i < end; i++, arena_rewind(ctx->arena, mark)) {
        PfsV2__CommitInfo *info;
        Status s = commit_wait(ctx, pfs, ids.items[i], PFS_V2__COMMIT_STATE__STARTED, &info);
        if (s.code == STATUS_NOT_FOUND)
            continue; /* deleted since */
        TRY(s);
        TRY(fn(arg, ctx, info));
    }
    return OK;
}

Status pfs_walk_commits(Ctx *ctx, Pfs *pfs, PfsV2__CommitPicker *const *start, size_t n,
                        bool downstream, uint64_t max_commits, uint64_t max_depth, PfsCommitFn fn,
                        void *arg)
{
    Walk walk = {
        .edges = downstream ? COMMIT_DOWN : COMMIT_UP,
        .commits_max = max_commits ? MIN(max_commits, WALK_ITEMS_MAX) : WALK_ITEMS_MAX,
        .depth_max = max_depth ? MIN(max_depth, WALK_DEPTH_MAX) : WALK_DEPTH_MAX,
    };
    for (size_t i = 0; i < n; i++)
        TRY_WRAP(ctx, walk_from(ctx, pfs, start[i], &walk, fn, arg), "walk commit %s",
                 downstream ? "subvenance" : "provenance");
    return OK;
}
