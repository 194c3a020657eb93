/* zombie.c - files in a pipeline's output that none of its job's datums made (pfs.md §21). */
#include "base/text.h"
#include "pfs/view.h"
#include "pps/pps_priv.h"

typedef struct Zombies {
    Pps *pps;
    const TreeIo *io;
    PfsFsckFn fn;
    void *arg;
} Zombies;

/* Neighbours mostly have the same tag: the last answer is kept. */
typedef struct Tag {
    char text[HASH_HEX_SIZE];
    bool known; /* to the job */
} Tag;

/* Is the tag the id of a datum of the plan? */
static Status tag_look_up(Ctx *ctx, const TreeIo *io, const Hash *plan, Str text, Tag *tag)
{
    if (str_eq_c(text, tag->text))
        return OK;
    Hash id;
    DatumRecord record;
    *tag = (Tag){ 0 };
    if (!hash_parse(text, &id))
        return OK;
    Status found = plan_get(ctx, io, plan, &id, &record);
    if (found.code != STATUS_NOT_FOUND)
        TRY(found);
    tag->known = status_ok(found);
    memcpy(tag->text, text.data, text.size);
    return OK;
}

static Status check_files(Ctx *ctx, const Zombies *zombies, const Hash *root, const Hash *plan)
{
    Tag tag = { 0 };
    CLEANUP(tree_cursor_freep) TreeCursor *cursor = tree_cursor_new(zombies->io, root);
    TRY(tree_cursor_seek(ctx, cursor, STR(""), STR("")));
    for (const TreeEntry *entry; (entry = tree_cursor_entry(cursor));) {
        ArenaMark mark = arena_mark(ctx->arena);
        TRY(tag_look_up(ctx, zombies->io, plan, entry->tag, &tag));
        if (!tag.known)
            TRY(zombies->fn(zombies->arg, ctx,
                            text_printf(ctx->arena, "stale datum " STR_FMT " had file " STR_FMT,
                                        STR_ARG(entry->tag), STR_ARG(entry->path))));
        TRY(tree_cursor_next(ctx, cursor));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

/* Files that user code puts into the output itself (s3_out) carry no datum's tag. */
static Status has_tags(Ctx *ctx, const Zombies *zombies, const PpsJobRow *job, bool *out)
{
    PpsPipelineRow spec;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps_pfs(zombies->pps), &tx));
    TRY(pps_job_spec(ctx, tx, job, &spec));
    *out = !spec.info->details->s3_out;
    return OK;
}

static Status check_job(Ctx *ctx, const Zombies *zombies, const PpsJobRow *job)
{
    PfsView view;
    bool tagged;
    TRY(has_tags(ctx, zombies, job, &tagged));
    if (!tagged)
        return OK;
    TRY(pfs_view_open(ctx, pps_pfs(zombies->pps),
                      pfs_commit_ref(ctx, job->project, job->pipeline, job->set_id), &view));
    return check_files(ctx, zombies, &view.root, &job->plan);
}

/* --- which jobs ------------------------------------------------------------------------------- */

/* Jobs of pipelines that keep records of their datums: those with meta commits. */
#define JOBS_SELECT "SELECT " PPS_JOB_COLUMNS " FROM pps_job j WHERE j.meta_commit <> 0 AND "

static Status job_of_commit(Ctx *ctx, PfsTx *tx, const PfsV2__Commit *target, PpsJobRow *out)
{
    PfsCommitRow commit;
    TRY(pfs_pick(ctx, tx, target, &commit));
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows, JOBS_SELECT "j.output_commit = ?", "i", commit.id));
    bool found;
    TRY(db_next(ctx, &rows, &found));
    if (!found)
        return FAIL(ctx, NOT_FOUND, "commit %s/%s.meta@%s not found", commit.project, commit.repo,
                    commit.set_id);
    pps_read_job(ctx, &rows, out);
    return OK;
}

/* Of each pipeline the newest whose output finished without error. */
static Status newest_jobs(Ctx *ctx, PfsTx *tx, PpsJobRow **out, size_t *out_n)
{
    int64_t count;
    TRY(db_query_int(ctx, pfs_tx_db(tx), &count, "SELECT COUNT(*) FROM pps_pipeline", ""));
    *out = ARENA_NEW(ctx->arena, PpsJobRow, (size_t)count);
    if (!*out)
        return STATUS(RESOURCE_EXHAUSTED);
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 JOBS_SELECT "j.id IN (SELECT MAX(k.id) FROM pps_job k "
                             "JOIN pfs_commit c ON c.id = k.output_commit "
                             "WHERE c.finished_ns <> 0 AND c.error = '' "
                             "GROUP BY k.project, k.name) ORDER BY j.id",
                 ""));
    for (*out_n = 0; *out_n < (size_t)count; ++*out_n) {
        bool more;
        TRY(db_next(ctx, &rows, &more));
        if (!more)
            return OK;
        pps_read_job(ctx, &rows, &(*out)[*out_n]);
    }
    return OK;
}

static Status find_jobs(Ctx *ctx, Pps *pps, const PfsV2__Commit *target, PpsJobRow **out,
                        size_t *out_n)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps_pfs(pps), &tx));
    if (!target)
        return newest_jobs(ctx, tx, out, out_n);
    *out = ARENA_NEW(ctx->arena, PpsJobRow, 1);
    *out_n = 1;
    return *out ? job_of_commit(ctx, tx, target, *out) : STATUS(RESOURCE_EXHAUSTED);
}

Status pps_zombies(Ctx *ctx, Pps *pps, const PfsV2__Commit *target, PfsFsckFn fn, void *arg)
{
    Content content;
    content_init(&content, pfs_store(pps_pfs(pps)));
    const Zombies zombies = { pps, &content.io, fn, arg };
    PpsJobRow *jobs;
    size_t n;
    TRY(find_jobs(ctx, pps, target, &jobs, &n));
    for (size_t i = 0; i < n; i++)
        TRY(check_job(ctx, &zombies, &jobs[i]));
    return OK;
}
