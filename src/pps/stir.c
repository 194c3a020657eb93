/* stir.c - which pipelines a look may move, so that a look costs what changed and not what there
 * is.
 *
 * Transactions note pipelines (pps_stir_pipeline); once committed they are in a small set here
 * until the controller takes them. A commit that finishes stirs the pipelines whose jobs wait for
 * it, which are those of the commits next below it. More than STIRRED_MAX are "all". */
#include <stdlib.h>

#include "base/thread.h"
#include "pps/pps_priv.h"

#define STIRRED_MAX 4096

struct Stirred {
    Pps *pps;
    pthread_mutex_t lock;
    int64_t *ids; /* [STIRRED_MAX], ascending */
    size_t n;
    bool all; /* at first: what the last run of the server left */
};

Stirred *stirred_new(Pps *pps)
{
    Stirred *stirred = calloc(1, sizeof(*stirred));
    if (!stirred || !(stirred->ids = calloc(STIRRED_MAX, sizeof(*stirred->ids))))
        abort();
    stirred->pps = pps;
    stirred->all = true;
    pthread_mutex_init(&stirred->lock, NULL);
    return stirred;
}

Stirred *stirred_free(Stirred *stirred)
{
    if (!stirred)
        return NULL;
    pthread_mutex_destroy(&stirred->lock);
    free(stirred->ids);
    free(stirred);
    return NULL;
}

static void insert(Stirred *stirred, int64_t pipeline)
{
    size_t low = 0, high = stirred->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (stirred->ids[middle] < pipeline)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < stirred->n && stirred->ids[low] == pipeline)
        return;
    if (stirred->n == STIRRED_MAX) {
        stirred->all = true;
        return;
    }
    memmove(stirred->ids + low + 1, stirred->ids + low, (stirred->n - low) * sizeof(int64_t));
    stirred->ids[low] = pipeline;
    stirred->n++;
}

static void add(Stirred *stirred, int64_t pipeline)
{
    LOCKED(&stirred->lock);
    if (!stirred->all)
        insert(stirred, pipeline);
}

static void note(void *self, int64_t pipeline)
{
    Stirred *stirred = self;
    add(stirred, pipeline);
    event_publish(db_events(pfs_db(stirred->pps->pfs)), pps_topic_stirred());
}

void pps_stir(Pps *pps, int64_t pipeline)
{
    note(pps->stirred, pipeline);
}

void pps_stir_quietly(Pps *pps, int64_t pipeline)
{
    add(pps->stirred, pipeline);
}

void pps_stir_pipeline(PfsTx *tx, int64_t pipeline)
{
    const Pps *pps = pfs_hooks(pfs_tx_pfs(tx))->self;
    if (pps)
        db_when_committed(pfs_tx_db(tx), note, pps->stirred, pipeline);
}

Status pps_stir_below(Ctx *ctx, PfsTx *tx, int64_t commit)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT j.pipeline FROM pfs_commit_prov e JOIN pps_job j ON j.output_commit = "
                 "e.down_id WHERE e.up_id = ? AND j.state IN (1, 2, 3)",
                 "i", commit));
    DB_EACH (ctx, &rows)
        pps_stir_pipeline(tx, db_int(&rows, 0));
    return OK;
}

Status pps_take_stirred(Ctx *ctx, Pps *pps, PpsStirred *out)
{
    Stirred *stirred = pps->stirred;
    LOCKED(&stirred->lock);
    *out = (PpsStirred){ .all = stirred->all, .n = stirred->all ? 0 : stirred->n };
    out->pipelines = ARENA_NEW(ctx->arena, int64_t, out->n + 1);
    if (!out->pipelines)
        return STATUS(RESOURCE_EXHAUSTED);
    if (out->n)
        memcpy(out->pipelines, stirred->ids, out->n * sizeof(int64_t));
    stirred->n = 0;
    stirred->all = false;
    return OK;
}
