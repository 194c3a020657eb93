/* floors.h - what a test of pipelines stands on: database, store, pfs and pps over one folder,
 * opened and closed as often as it likes. */
#pragma once

#include "pps/pps.h"
#include "testing.h"

typedef struct Floors {
    Db *db;
    StoreIndex index;
    Store *store;
    Pfs *pfs;
    Pps *pps;
} Floors;

typedef Status (*ResolveImageFn)(void *self, Ctx *ctx, const char *image, const char **out_digest);

static inline void floors_open(Ctx *ctx, const char *dir, ResolveImageFn resolve, Floors *out)
{
    DbMigration all[32];
    size_t n = 0;
    assert_true(pfs_migration_count + pps_migration_count <= ARRAY_LEN(all));
    for (size_t i = 0; i < pfs_migration_count; i++)
        all[n++] = pfs_migrations[i];
    for (size_t i = 0; i < pps_migration_count; i++)
        all[n++] = pps_migrations[i];
    const StoreConfig store = { .dir = dir };
    const PpsHost host = { .resolve_image = resolve };
    assert_ok(db_open(ctx, text_printf(ctx->arena, "sqlite:%s/pcv.db", dir), all, n, &out->db));
    out->index = db_store_index(out->db);
    assert_ok(store_open(ctx, &store, &out->index, &out->store));
    assert_ok(pfs_open(ctx, out->db, out->store, &out->pfs));
    assert_ok(pps_open(ctx, out->pfs, &host, &out->pps));
}

static inline void floors_close(Floors *floors)
{
    floors->pps = pps_close(floors->pps);
    floors->pfs = pfs_close(floors->pfs);
    floors->store = store_close(floors->store);
    floors->db = db_close(floors->db);
}
