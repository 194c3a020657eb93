/* open.c - a Pfs: what all transactions share. */
#include <stdlib.h>

#include "pfs/pfs_priv.h"
#include "pfs/view_priv.h"
#include "pfs/write_priv.h"

/* A database without any project, such as a fresh one, gets "default". */
static Status default_project(Ctx *ctx, Pfs *pfs)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pfs, NULL, &tx));
    int64_t count;
    TRY(db_query_int(ctx, tx->db, &count, "SELECT COUNT(*) FROM pfs_project", ""));
    if (count == 0)
        TRY(project_insert(ctx, tx, "default", ""));
    return pfs_commit(ctx, STEAL(tx));
}

Status pfs_open(Ctx *ctx, Db *db, Store *store, Pfs **out)
{
    CLEANUP(pfs_closep) Pfs *pfs = calloc(1, sizeof(*pfs));
    if (!pfs)
        return STATUS(RESOURCE_EXHAUSTED);
    pfs->db = db;
    pfs->store = store;
    pfs->closing = cancel_new();
    pfs->pool = pool_new("pfs-finish", 1);
    pthread_mutex_init(&pfs->finisher.lock, NULL);
    pthread_mutex_init(&pfs->timer.lock, NULL);
    content_init(&pfs->content, store);
    TRY(default_project(ctx, pfs));
    *out = STEAL(pfs);
    return OK;
}

Status pfs_start(Ctx *ctx, Pfs *pfs)
{
    TRY(finish_resume(ctx, pfs));
    return cron_start(ctx, pfs);
}

Pfs *pfs_close(Pfs *pfs)
{
    if (!pfs)
        return NULL;
    cancel_set(pfs->closing);
    cron_stop(pfs);
    pool_free(pfs->pool);
    ids_done(&pfs->finisher.queue);
    pthread_mutex_destroy(&pfs->finisher.lock);
    pthread_mutex_destroy(&pfs->timer.lock);
    cancel_unref(pfs->closing);
    free(pfs);
    return NULL;
}

void pfs_set_hooks(Pfs *pfs, const PfsHooks *hooks)
{
    pfs->hooks = *hooks;
}

const PfsHooks *pfs_hooks(const Pfs *pfs)
{
    return &pfs->hooks;
}

void pfs_set_computed(Pfs *pfs, PfsComputeFn fn, void *self)
{
    pfs->compute = fn;
    pfs->compute_self = self;
}

void pfs_set_promises(Pfs *pfs, PfsPromiseFn fn, void *self)
{
    pfs->promise = fn;
    pfs->promise_self = self;
}

Status pfs_fill_promised(Ctx *ctx, Pfs *pfs, const char *token, PfsWriter *writer)
{
    return pfs->promise ? pfs->promise(pfs->promise_self, ctx, token, writer) : STATUS(NOT_FOUND);
}

Status pfs_compute(Ctx *ctx, Pfs *pfs, const PfsCommitRow *row, const TreeSource **out)
{
    *out = NULL;
    return pfs->compute ? pfs->compute(pfs->compute_self, ctx, row, out) : OK;
}

Db *pfs_db(Pfs *pfs)
{
    return pfs->db;
}

Store *pfs_store(Pfs *pfs)
{
    return pfs->store;
}

Content *pfs_content(Pfs *pfs)
{
    return &pfs->content;
}

uint64_t pfs_topic_commit(int64_t commit)
{
    return event_topic_num("pfs.commit", commit);
}

uint64_t pfs_topic_repo(int64_t repo)
{
    return event_topic_num("pfs.repo", repo);
}
