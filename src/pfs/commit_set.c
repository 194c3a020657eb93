/* commit_set.c - commit sets: all commits of one id, and the commits they depend on (§6.5,
 * §18.3). */
#include "pfs/pfs_priv.h"

Status set_commits(Ctx *ctx, PfsTx *tx, const char *set_id, Ids *out)
{
    if (!*set_id)
        return OK;
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows, "SELECT id FROM pfs_commit WHERE set_id = ? ORDER BY id", "s",
                 set_id));
    DB_EACH (ctx, &rows)
        ids_add(out, db_int(&rows, 0));
    return OK;
}

/* The set's commits and their aliases, each after what it depends on. */
static Status set_members(Ctx *ctx, PfsTx *tx, const char *set_id, Ids *out)
{
    CLEANUP(ids_done) Ids commits = { 0 };
    TRY(set_commits(ctx, tx, set_id, &commits));
    TRY(graph_closure(ctx, tx, COMMIT_UP, 0, 0, &commits));
    return graph_order(ctx, tx, COMMIT_UP, &commits, out);
}

/* --- inspect ---------------------------------------------------------------------------------- */

/* A set's members and what they were when it was read, side by side. */
typedef struct Members {
    Ids ids;
    PtrList infos; /* PfsV2__CommitInfo */
} Members;

static void members_done(Members *members)
{
    ids_done(&members->ids);
}

static Status members_read(Ctx *ctx, Pfs *pfs, const char *set_id, Members *out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    TRY(set_members(ctx, tx, set_id, &out->ids));
    if (!out->ids.n)
        return FAIL(ctx, NOT_FOUND, "no commits found for commitset %s", set_id);
    return infos_of(ctx, tx, &out->ids, &out->infos);
}

/* First those that are finished, then each of the others when it is. */
static Status send_as_finished(Ctx *ctx, Pfs *pfs, const Members *members, PfsCommitFn fn,
                               void *arg)
{
    const PfsV2__CommitInfo *const *infos = (const PfsV2__CommitInfo *const *)members->infos.items;
    for (size_t i = 0; i < members->infos.n; i++) {
        if (infos[i]->finished)
            TRY(fn(arg, ctx, infos[i]));
    }
    for (size_t i = 0; i < members->infos.n; i++) {
        PfsV2__CommitInfo *info;
        if (infos[i]->finished)
            continue;
        TRY(OR_MISSING(
            commit_wait(ctx, pfs, members->ids.items[i], PFS_V2__COMMIT_STATE__FINISHED, &info),
            err_commit_deleted(ctx, infos[i]->commit)));
        TRY(fn(arg, ctx, info));
    }
    return OK;
}

static Status send_now(Ctx *ctx, const Members *members, PfsCommitFn fn, void *arg)
{
    for (size_t i = 0; i < members->infos.n; i++)
        TRY(fn(arg, ctx, members->infos.items[i]));
    return OK;
}

Status pfs_inspect_set(Ctx *ctx, Pfs *pfs, const PfsV2__InspectCommitSetRequest *request,
                       PfsCommitFn fn, void *arg)
{
    if (!request->commit_set)
        return FAIL(ctx, UNKNOWN, "commitset cannot be nil");
    if (!*request->commit_set->id)
        return FAIL(ctx, INVALID_ARGUMENT, "no commits found for commitset");
    CLEANUP(members_done) Members members = { 0 };
    TRY(members_read(ctx, pfs, request->commit_set->id, &members));
    return request->wait ? send_as_finished(ctx, pfs, &members, fn, arg)
                         : send_now(ctx, &members, fn, arg);
}

/* --- list ------------------------------------------------------------------------------------- */

/* The next older set: the one whose newest commit is the newest below `below`. Empty when there is
 * none. */
static Status next_set(Ctx *ctx, PfsTx *tx, int64_t below, int64_t *out_newest, const char **out_id)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows,
                 "SELECT c.id, c.set_id FROM pfs_commit c WHERE c.id < ? AND NOT EXISTS "
                 "(SELECT 1 FROM pfs_commit d WHERE d.set_id = c.set_id AND d.id > c.id) "
                 "ORDER BY c.id DESC LIMIT 1",
                 "i", below));
    bool more;
    TRY(db_next(ctx, &rows, &more));
    *out_newest = more ? db_int(&rows, 0) : 0;
    *out_id = more ? db_text(ctx, &rows, 1) : "";
    return OK;
}

static Status set_in_project(Ctx *ctx, PfsTx *tx, const char *set_id, const PfsV2__Project *project,
                             bool *out)
{
    *out = true;
    if (!project)
        return OK;
    int64_t one;
    Status found = db_query_int(ctx, tx->db, &one,
                                "SELECT 1 FROM pfs_commit c JOIN pfs_repo r ON r.id = c.repo_id "
                                "JOIN pfs_project p ON p.id = r.project_id "
                                "WHERE c.set_id = ? AND p.name = ? LIMIT 1",
                                "ss", set_id, project->name);
    *out = status_ok(found);
    return found.code == STATUS_NOT_FOUND ? OK : found;
}

static Status set_info(Ctx *ctx, PfsTx *tx, const char *set_id, PfsV2__CommitSetInfo **out)
{
    CLEANUP(ids_done) Ids members = { 0 };
    PtrList infos = { 0 };
    TRY(set_members(ctx, tx, set_id, &members));
    TRY(infos_of(ctx, tx, &members, &infos));
    PfsV2__CommitSetInfo *info = PB_NEW(ctx, pfs_v2__commit_set_info, PfsV2__CommitSetInfo);
    info->commit_set = PB_NEW(ctx, pfs_v2__commit_set, PfsV2__CommitSet);
    info->commit_set->id = arena_strdup(ctx->arena, set_id);
    info->commits = (PfsV2__CommitInfo **)infos.items;
    info->n_commits = infos.n;
    *out = info;
    return OK;
}

/* The next set below *below that is wanted; NULL when there is none. One transaction each, so that
 * a slow reader holds none open. */
static Status read_set(Ctx *ctx, Pfs *pfs, const PfsV2__Project *project, int64_t *below,
                       PfsV2__CommitSetInfo **out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    *out = NULL;
    while (*below) {
        const char *set_id;
        bool wanted;
        TRY(next_set(ctx, tx, *below, below, &set_id));
        if (!*below)
            break;
        TRY(set_in_project(ctx, tx, set_id, project, &wanted));
        if (wanted)
            return set_info(ctx, tx, set_id, out);
    }
    return OK;
}

Status pfs_list_set(Ctx *ctx, Pfs *pfs, const PfsV2__Project *project, PfsSetFn fn, void *arg)
{
    ArenaMark mark = arena_mark(ctx->arena);
    for (int64_t below = INT64_MAX;; arena_rewind(ctx->arena, mark)) {
        PfsV2__CommitSetInfo *info;
        TRY(read_set(ctx, pfs, project, &below, &info));
        if (!info)
            return OK;
        TRY(fn(arg, ctx, info));
    }
}
