/* commit_wait.c - waiting for commits: inspect and subscribe (§5.5, §18.3). Waiters sleep on the
 * topics of the rows they look at; nobody polls. */
#include "pfs/pfs_priv.h"

static Status row_read(Ctx *ctx, Pfs *pfs, int64_t id, PfsCommitRow *out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    return commit_get(ctx, tx, id, out);
}

static Status info_read(Ctx *ctx, Pfs *pfs, int64_t id, PfsV2__CommitInfo **out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    return pfs_commit_info(ctx, tx, id, out);
}

/* Until the commit's own state is at least this one. NOT_FOUND (bare) once it is deleted. */
static Status wait_state(Ctx *ctx, Pfs *pfs, int64_t id, PfsState state)
{
    EventBus *bus = db_events(pfs->db);
    uint64_t topic = pfs_topic_commit(id);
    ArenaMark mark = arena_mark(ctx->arena);
    for (;; arena_rewind(ctx->arena, mark)) {
        uint64_t since = event_epoch(bus);
        PfsCommitRow row;
        TRY(row_read(ctx, pfs, id, &row));
        if (row.state >= state)
            return OK;
        TRY(event_wait(ctx, bus, &topic, 1, since));
    }
}

/* Until all that the commit depends on directly is finished; what is deleted meanwhile no longer
 * counts. */
static Status wait_inputs(Ctx *ctx, Pfs *pfs, int64_t id)
{
    CLEANUP(ids_done) Ids inputs = { 0 };
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    TRY(graph_neighbours(ctx, tx, COMMIT_UP, id, &inputs));
    tx = pfs_rollback(tx);
    for (size_t i = 0; i < inputs.n; i++) {
        Status s = wait_state(ctx, pfs, inputs.items[i], PFS_FINISHED);
        if (s.code != STATUS_NOT_FOUND)
            TRY(s);
    }
    return OK;
}

static Status wait_for(Ctx *ctx, Pfs *pfs, int64_t id, PfsV2__CommitState state)
{
    switch ((int)state) {
    case PFS_V2__COMMIT_STATE__READY: {
        PfsCommitRow row;
        TRY(row_read(ctx, pfs, id, &row));
        return row.state == PFS_FINISHED ? OK : wait_inputs(ctx, pfs, id);
    }
    case PFS_V2__COMMIT_STATE__FINISHING:
        return wait_state(ctx, pfs, id, PFS_FINISHING);
    case PFS_V2__COMMIT_STATE__FINISHED:
        return wait_state(ctx, pfs, id, PFS_FINISHED);
    default:
        return OK;
    }
}

Status commit_wait(Ctx *ctx, Pfs *pfs, int64_t id, PfsV2__CommitState state,
                   PfsV2__CommitInfo **out)
{
    TRY(wait_for(ctx, pfs, id, state));
    return info_read(ctx, pfs, id, out);
}

/* --- inspect ---------------------------------------------------------------------------------- */

/* File sets look like finished commits (§5.1). */
static PfsV2__CommitInfo *fileset_info(Ctx *ctx, const PfsV2__Commit *commit)
{
    PfsV2__CommitInfo *info = PB_NEW(ctx, pfs_v2__commit_info, PfsV2__CommitInfo);
    info->commit = PB_CLONE(ctx, PfsV2__Commit, commit);
    info->description = arena_strdup(ctx->arena, "FileSet - Virtual Commit");
    info->finished = PB_NEW(ctx, google__protobuf__timestamp, Google__Protobuf__Timestamp);
    return info;
}

Status pfs_inspect_commit(Ctx *ctx, Pfs *pfs, const PfsV2__InspectCommitRequest *request,
                          PfsV2__CommitInfo **out)
{
    if (pfs_is_fileset(request->commit)) {
        *out = fileset_info(ctx, request->commit);
        return OK;
    }
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    PfsCommitRow row;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    TRY(pfs_pick(ctx, tx, request->commit, &row));
    if (request->wait <= PFS_V2__COMMIT_STATE__STARTED || row.state == PFS_FINISHED)
        return commit_info(ctx, tx, &row, false, out);
    tx = pfs_rollback(tx);
    return OR_MISSING(commit_wait(ctx, pfs, row.id, request->wait, out),
                      FAIL(ctx, UNKNOWN, "commit %s was deleted", pfs_commit_row_text(ctx, &row)));
}

/* --- subscribe -------------------------------------------------------------------------------- */

typedef struct Subscription {
    const PfsV2__SubscribeCommitRequest *request;
    int64_t repo_id;
    const char *from_id; /* the one commit not sent; "": none */
    int64_t seen;        /* rows up to here were looked at */
} Subscription;

static bool wanted(const Subscription *sub, const PfsCommitRow *row)
{
    const PfsV2__SubscribeCommitRequest *request = sub->request;
    if (*request->branch && strcmp(row->branch, request->branch) != 0)
        return false;
    if (!request->all && request->origin_kind && row->origin != (int)request->origin_kind)
        return false;
    return strcmp(row->set_id, sub->from_id) != 0;
}

/* The next row of the repo; NOT_FOUND (bare) when there is none yet. An error once the repo is
 * gone. */
static Status next_row(Ctx *ctx, Pfs *pfs, const Subscription *sub, PfsCommitRow *out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    RepoRow repo;
    TRY(OR_MISSING(repo_get(ctx, tx, sub->repo_id, &repo),
                   err_repo_row_not_found(ctx, pfs_repo_fill(ctx, sub->request->repo))));
    int64_t id;
    TRY(db_query_int(ctx, tx->db, &id,
                     "SELECT id FROM pfs_commit WHERE repo_id = ? AND id > ? ORDER BY id LIMIT 1",
                     "ii", sub->repo_id, sub->seen));
    return commit_get(ctx, tx, id, out);
}

static bool is_missing(Status s)
{
    return s.code == STATUS_NOT_FOUND && !s.detail;
}

/* One commit, once it is in the state asked for. A commit that is deleted first is passed over. */
static Status deliver(Ctx *ctx, Pfs *pfs, const Subscription *sub, const PfsCommitRow *row,
                      PfsCommitFn fn, void *arg)
{
    PfsV2__CommitInfo *info;
    Status s = wait_for(ctx, pfs, row->id, sub->request->state);
    if (status_ok(s))
        s = info_read(ctx, pfs, row->id, &info);
    if (s.code == STATUS_NOT_FOUND)
        return OK;
    TRY(s);
    return fn(arg, ctx, info);
}

static Status follow(Ctx *ctx, Pfs *pfs, Subscription *sub, PfsCommitFn fn, void *arg)
{
    EventBus *bus = db_events(pfs->db);
    uint64_t topic = pfs_topic_repo(sub->repo_id);
    ArenaMark mark = arena_mark(ctx->arena);
    for (;; arena_rewind(ctx->arena, mark)) {
        uint64_t since = event_epoch(bus);
        PfsCommitRow row;
        Status s = next_row(ctx, pfs, sub, &row);
        if (is_missing(s)) {
            TRY(event_wait(ctx, bus, &topic, 1, since));
            continue;
        }
        TRY(s);
        sub->seen = row.id;
        if (wanted(sub, &row))
            TRY(deliver(ctx, pfs, sub, &row, fn, arg));
    }
}

static Status subscription_repo(Ctx *ctx, Pfs *pfs, const PfsV2__Repo *repo, int64_t *out_id)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    RepoRow row;
    TRY_WRAP(ctx, OR_MISSING(repo_find(ctx, tx, repo, &row), err_repo_row_not_found(ctx, repo)),
             "get repo ID");
    *out_id = row.id;
    return OK;
}

Status pfs_subscribe_commit(Ctx *ctx, Pfs *pfs, const PfsV2__SubscribeCommitRequest *request,
                            PfsCommitFn fn, void *arg)
{
    const PfsV2__Repo *repo = pfs_repo_fill(ctx, request->repo);
    if (!repo)
        return FAIL(ctx, UNKNOWN, "repo cannot be nil");
    Subscription sub = { .request = request, .from_id = "" };
    if (request->from) {
        PfsV2__Commit *from;
        TRY(pfs_commit_fill(ctx, request->from, &from));
        if (strcmp(pfs_repo_text(ctx, from->repo), pfs_repo_text(ctx, repo)) != 0)
            return FAIL(ctx, UNKNOWN, "the `from` commit needs to be from repo %s",
                        pfs_repo_text(ctx, repo));
        sub.from_id = from->id;
    }
    TRY(subscription_repo(ctx, pfs, repo, &sub.repo_id));
    return follow(ctx, pfs, &sub, fn, arg);
}
