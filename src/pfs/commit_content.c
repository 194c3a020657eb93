/* commit_content.c - what a commit contains: its base, its layers, and both together (§9.4).
 *
 * The view is a saved intermediate result: an open commit of many layers that is read often, or
 * closed at last, costs only the layers that came since.
 */
#include "pfs/pfs_priv.h"

/* A view is saved when computing it again would cost more than writing a row. */
#define VIEW_SAVE_LAYERS  16
#define VIEW_SAVE_ENTRIES 512

/* --- base ------------------------------------------------------------------------------------- */

static Status err_forgotten(Ctx *ctx)
{
    return FAIL(ctx, UNKNOWN, "the commit is forgotten");
}

Status commit_base(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, Hash *out_root,
                   int64_t *out_unfinished)
{
    *out_root = (Hash){ 0 };
    *out_unfinished = 0;
    if (row->state == PFS_FINISHED && *row->error && row->root_known) {
        *out_root = row->root;
        return OK;
    }
    /* Failed ancestors that were closed before their own base are passed over. */
    for (int64_t id = row->parent_id; id;) {
        PfsCommitRow above;
        TRY(pfs_commit_row(ctx, tx, id, &above));
        if (above.state != PFS_FINISHED) {
            *out_unfinished = id;
            return OK;
        }
        if (above.forgotten)
            return err_forgotten(ctx);
        if (above.root_known) {
            *out_root = above.root;
            return OK;
        }
        id = above.parent_id;
    }
    return OK;
}

Status pfs_commit_base(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, Hash *out_root)
{
    int64_t unfinished;
    TRY(commit_base(ctx, tx, row, out_root, &unfinished));
    if (!unfinished)
        return OK;
    PfsCommitRow base;
    TRY(pfs_commit_row(ctx, tx, unfinished, &base));
    return FAIL(ctx, UNKNOWN, "base commit %s for commit %s unfinished",
                pfs_commit_row_text(ctx, &base), pfs_commit_row_text(ctx, row));
}

/* --- layers ----------------------------------------------------------------------------------- */

static Status layers_load(Ctx *ctx, PfsTx *tx, int64_t commit, int64_t from, int64_t n,
                          Pending *out)
{
    *out = (Pending){ .layers = ARENA_NEW(ctx->arena, Hash, (size_t)n) };
    if (!out->layers)
        return STATUS(RESOURCE_EXHAUSTED);
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows,
                 "SELECT root, entries FROM pfs_layer WHERE commit_id = ? AND seq > ? ORDER BY seq",
                 "ii", commit, from));
    DB_EACH (ctx, &rows) {
        assert(out->n < (size_t)n);
        out->layers[out->n++] = db_hash(&rows, 0);
        out->entries += db_int(&rows, 1);
    }
    return OK;
}

Status pending_load(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, Pending *out)
{
    return layers_load(ctx, tx, row->id, row->view_layers, row->layer_count - row->view_layers,
                       out);
}

Status all_load(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, Pending *out)
{
    return layers_load(ctx, tx, row->id, 0, row->layer_count, out);
}

Status pfs_commit_layers(Ctx *ctx, PfsTx *tx, int64_t commit, Hash **out, size_t *out_n)
{
    PfsCommitRow row;
    Pending all;
    TRY(pfs_commit_row(ctx, tx, commit, &row));
    if (row.forgotten)
        return err_forgotten(ctx);
    TRY(all_load(ctx, tx, &row, &all));
    *out = all.layers;
    *out_n = all.n;
    return OK;
}

/* --- both ------------------------------------------------------------------------------------- */

/* Looks at all that the layers touch at once: what one layer broke a later one may have mended. */
static Status total_check(Ctx *ctx, Content *content, const Pending *all, Total *total)
{
    Hash whole = { 0 };
    for (size_t i = 0; i < all->n; i++)
        TRY(tree_compose(ctx, &content->io, &content->append, &whole, &all->layers[i], &whole));
    return content_check(ctx, content, &whole, &total->root, &total->error);
}

Status total_compute(Ctx *ctx, Pfs *pfs, const PfsCommitRow *row, const Hash *base,
                     const Pending *pending, const Pending *all, Total *out)
{
    *out = (Total){ .root = row->view_layers ? row->view_root : *base, .error = row->view_error };
    bool broken = *row->view_error;
    for (size_t i = 0; i < pending->n; i++) {
        const char *error;
        TRY(content_apply(ctx, &pfs->content, &out->root, &pending->layers[i], &out->root, &error));
        broken = broken || *error;
        out->error = error;
    }
    /* The last layer's word is the last one if nothing was broken before. */
    return broken && pending->n ? total_check(ctx, &pfs->content, all, out) : OK;
}

Status view_save(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, const Total *total, int64_t layers)
{
    /* Not over a commit that was cleared or got further meanwhile. */
    return db_exec(ctx, tx->db, NULL,
                   "UPDATE pfs_commit SET view_root = ?, view_layers = ?, view_error = ? "
                   "WHERE id = ? AND view_layers = ? AND layers >= ?",
                   "hisiii", &total->root, layers, total->error, row->id, row->view_layers, layers);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* All that is needed to say what a commit contains, of one moment. */
typedef struct Snapshot {
    PfsCommitRow row;
    Hash base;
    Pending pending, all;
} Snapshot;

static Status snapshot_load(Ctx *ctx, PfsTx *tx, int64_t commit, Snapshot *out)
{
    PfsCommitRow *row = &out->row;
    TRY(pfs_commit_row(ctx, tx, commit, row));
    if (row->forgotten)
        return err_forgotten(ctx);
    if (row->state == PFS_FINISHING || (row->state == PFS_FINISHED && !*row->error))
        return OK;
    TRY(pfs_commit_base(ctx, tx, row, &out->base));
    TRY(pending_load(ctx, tx, row, &out->pending));
    return all_load(ctx, tx, row, &out->all);
}

static Status snapshot_read(Ctx *ctx, Pfs *pfs, int64_t commit, Snapshot *out)
{
    *out = (Snapshot){ 0 };
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    return snapshot_load(ctx, tx, commit, out);
}

static Status view_keep(Ctx *ctx, Pfs *pfs, const Snapshot *snapshot, const Total *total)
{
    const Pending *pending = &snapshot->pending;
    if (pending->n < VIEW_SAVE_LAYERS && pending->entries < VIEW_SAVE_ENTRIES)
        return OK;
    TRY(store_sync(ctx, pfs->store));
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pfs, NULL, &tx));
    TRY(view_save(ctx, tx, &snapshot->row, total, snapshot->row.layer_count));
    return pfs_commit(ctx, STEAL(tx));
}

Status pfs_commit_view(Ctx *ctx, Pfs *pfs, int64_t commit, Hash *out_root)
{
    EventBus *bus = db_events(pfs->db);
    Snapshot snapshot;
    for (;;) {
        uint64_t since = event_epoch(bus);
        TRY(snapshot_read(ctx, pfs, commit, &snapshot));
        if (snapshot.row.state != PFS_FINISHING)
            break;
        uint64_t topic = pfs_topic_commit(commit);
        TRY(event_wait(ctx, bus, &topic, 1, since));
    }
    if (snapshot.row.state == PFS_FINISHED && !*snapshot.row.error) {
        *out_root = snapshot.row.root;
        return OK;
    }
    Total total;
    TRY(total_compute(ctx, pfs, &snapshot.row, &snapshot.base, &snapshot.pending, &snapshot.all,
                      &total));
    *out_root = total.root;
    return view_keep(ctx, pfs, &snapshot, &total);
}
