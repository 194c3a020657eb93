/* view_find.c - FindCommits (§18.3): back through the parents, asking each commit's own layers
 * about one path. */
#include "base/clock.h"
#include "codec/pb.h"
#include "google/rpc/error_details.pb-c.h"
#include "pfs/view_priv.h"

typedef struct Find {
    Pfs *pfs;
    const PfsV2__FindCommitsRequest *request;
    uint32_t searched, found;
    int64_t stop_ns; /* when to answer with what was searched, rather than run into the deadline */
    PfsFindFn fn;
    void *arg;
} Find;

static Status not_finished(Ctx *ctx, const PfsV2__Commit *commit)
{
    Google__Rpc__ResourceInfo *info =
        PB_NEW(ctx, google__rpc__resource_info, Google__Rpc__ResourceInfo);
    info->resource_type = arena_strdup(ctx->arena, "pfs:commit");
    info->resource_name = commit->id;
    info->description = arena_strdup(ctx->arena, "commit not finished");
    Status status = FAIL(ctx, UNAVAILABLE, "commit %s not finished", pfs_commit_text(ctx, commit));
    return status_with_any(ctx, status, "type.googleapis.com/google.rpc.ResourceInfo",
                           pb_pack_bytes(ctx, &info->base));
}

static Status layer_touches(Ctx *ctx, Content *content, const Hash *layer, Str path, bool *out)
{
    CLEANUP(tree_cursor_freep) TreeCursor *cursor = tree_cursor_new(&content->io, layer);
    TRY(tree_cursor_seek(ctx, cursor, path, STR("")));
    const TreeEntry *entry = tree_cursor_entry(cursor);
    *out = entry && str_eq(entry->path, path);
    return OK;
}

Status view_layers(Ctx *ctx, PfsTx *tx, int64_t commit, Hash **out_layers, size_t *out_n)
{
    int64_t n;
    TRY(db_query_int(ctx, pfs_tx_db(tx), &n, "SELECT count(*) FROM pfs_layer WHERE commit_id = ?",
                     "i", commit));
    *out_layers = ARENA_NEW(ctx->arena, Hash, (size_t)n);
    if (!*out_layers)
        return STATUS(RESOURCE_EXHAUSTED);
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT root FROM pfs_layer WHERE commit_id = ? ORDER BY seq", "i", commit));
    for (*out_n = 0; *out_n < (size_t)n; (*out_n)++) {
        bool more;
        TRY(db_next(ctx, &rows, &more));
        if (!more)
            break;
        (*out_layers)[*out_n] = db_hash(&rows, 0);
    }
    return OK;
}

static Status commit_touches(Ctx *ctx, const Find *find, PfsTx *tx, int64_t commit, bool *out)
{
    Hash *layers;
    size_t n;
    TRY(view_layers(ctx, tx, commit, &layers, &n));
    *out = false;
    for (size_t i = 0; i < n && !*out; i++)
        TRY(layer_touches(ctx, pfs_content(find->pfs), &layers[i], str(find->request->file_path),
                          out));
    return OK;
}

static Status answer(Ctx *ctx, const Find *find, bool is_found, PfsV2__Commit *commit)
{
    PfsV2__FindCommitsResponse response = PFS_V2__FIND_COMMITS_RESPONSE__INIT;
    response.commits_searched = find->searched;
    response.result_case = is_found ? PFS_V2__FIND_COMMITS_RESPONSE__RESULT_FOUND_COMMIT
                                    : PFS_V2__FIND_COMMITS_RESPONSE__RESULT_LAST_SEARCHED_COMMIT;
    response.found_commit = commit; /* the members of the union have one type */
    return find->fn(find->arg, ctx, &response);
}

static PfsV2__Commit *row_commit(Ctx *ctx, const PfsCommitRow *row)
{
    PfsV2__Commit *commit = pfs_commit_ref(ctx, row->project, row->repo, row->set_id);
    commit->repo->type = arena_strdup(ctx->arena, row->repo_type);
    return commit;
}

/* Examines one commit; *out_parent is the next one, 0 when the search is over. */
static Status search_one(Ctx *ctx, Find *find, int64_t id, int64_t *out_parent)
{
    PfsCommitRow row;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, find->pfs, &tx));
    TRY(pfs_commit_row(ctx, tx, id, &row));
    PfsV2__Commit *commit = row_commit(ctx, &row);
    if (row.state != PFS_FINISHED)
        return not_finished(ctx, find->searched == 0 ? find->request->start : commit);
    bool touched;
    TRY(commit_touches(ctx, find, tx, id, &touched));
    tx = pfs_rollback(tx);

    *out_parent = row.parent_id;
    if (touched) {
        TRY(answer(ctx, find, true, commit));
        find->found++;
    }
    find->searched++;
    if (touched && find->found == find->request->limit) {
        *out_parent = 0;
        return OK;
    }
    if (row.parent_id == 0 || clock_mono_ns() >= find->stop_ns) {
        *out_parent = 0;
        return answer(ctx, find, false, commit);
    }
    return OK;
}

static int64_t stop_time(const Ctx *ctx)
{
    int64_t now_ns = clock_mono_ns();
    if (ctx->deadline_ns == DEADLINE_NONE || ctx->deadline_ns <= now_ns)
        return ctx->deadline_ns;
    return now_ns + (ctx->deadline_ns - now_ns) / 100 * 85;
}

Status pfs_find_commits(Ctx *ctx, Pfs *pfs, const PfsV2__FindCommitsRequest *request, PfsFindFn fn,
                        void *arg)
{
    TRY(view_check_commit(ctx, request->start));
    Find find = { .pfs = pfs, .request = request, .stop_ns = stop_time(ctx), .fn = fn, .arg = arg };
    PfsCommitRow row;
    TRY(view_pick(ctx, pfs, request->start, &row));
    for (int64_t id = row.id; id != 0;) {
        ArenaMark mark = arena_mark(ctx->arena);
        TRY(search_one(ctx, &find, id, &id));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}
