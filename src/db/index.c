/* index.c - what we keep in the database for ourselves: the store's index, the numbers of rows. */
#include "db/db_priv.h"

#include <stdlib.h>

Status db_next_id(Ctx *ctx, DbTx *tx, const char *sequence, int64_t *out)
{
    assert(tx->is_write);
    return db_query_int(ctx, tx, out,
                        "INSERT INTO db_sequence(name, value) VALUES(?, 1) ON CONFLICT(name)"
                        " DO UPDATE SET value = db_sequence.value + 1 RETURNING value",
                        "s", sequence);
}

/* --- reading ---------------------------------------------------------------------------------- */

static Status look_up(Ctx *ctx, DbTx *tx, const Hash *hash, BlobPlace *out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx, &rows, "SELECT pack, off, stored, plain FROM store_blob WHERE hash = ?",
                 "h", hash));
    bool more;
    TRY(db_next(ctx, &rows, &more));
    if (!more)
        return STATUS(NOT_FOUND);
    *out = (BlobPlace){
        .pack = (uint64_t)db_int(&rows, 0),
        .offset = (uint64_t)db_int(&rows, 1),
        .stored_size = (uint32_t)db_int(&rows, 2),
        .plain_size = (uint32_t)db_int(&rows, 3),
    };
    return OK;
}

/* On a reader without BEGIN: a statement by itself sees all that was committed before it, and the
 * store must find a row as soon as index_put has returned. */
static Status index_lookup(void *self, Ctx *ctx, const Hash *hash, BlobPlace *out)
{
    Db *db = self;
    DbConn *conn;
    TRY(db_reader_take(ctx, db, &conn));
    DbTx bare = { .db = db, .conn = conn };
    Status s = look_up(ctx, &bare, hash, out);
    db_reader_give(conn);
    return s;
}

Status db_store_count(Ctx *ctx, Db *db, Bytes begin, Bytes end, int64_t *out)
{
    CLEANUP(db_rollbackp) DbTx *tx = NULL;
    TRY(db_begin_read(ctx, db, &tx));
    return db_query_int(
        ctx, tx, out, "SELECT count(*) FROM store_blob WHERE hash >= ? AND (? = 0 OR hash < ?)",
        "bib", begin.size ? begin : bytes("", 0), (int64_t)end.size, end.size ? end : bytes("", 0));
}

static Status index_progress(void *self, Ctx *ctx, uint64_t *out_sealed_pack,
                             uint64_t *out_tail_offset)
{
    *out_sealed_pack = *out_tail_offset = 0;
    CLEANUP(db_rollbackp) DbTx *tx = NULL;
    TRY(db_begin_read(ctx, self, &tx));
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx, &rows, "SELECT sealed_pack, tail_offset FROM store_progress", ""));
    bool more;
    TRY(db_next(ctx, &rows, &more));
    if (more) {
        *out_sealed_pack = (uint64_t)db_int(&rows, 0);
        *out_tail_offset = (uint64_t)db_int(&rows, 1);
    }
    return OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int by_hash(const void *a, const void *b)
{
    const BlobRow *const *left = a, *const *right = b;
    return hash_cmp(&(*left)->hash, &(*right)->hash);
}

/* In the order of the B-tree: neighbours share pages. */
static Status put_rows(Ctx *ctx, DbTx *tx, const BlobRow *rows, size_t n)
{
    const BlobRow **sorted = ARENA_NEW(ctx->arena, const BlobRow *, n);
    if (!sorted)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < n; i++)
        sorted[i] = &rows[i];
    qsort(sorted, n, sizeof(*sorted), by_hash);
    for (size_t i = 0; i < n; i++) {
        const BlobPlace *place = &sorted[i]->place;
        TRY(db_exec(ctx, tx, NULL,
                    "INSERT INTO store_blob(hash, pack, off, stored, plain) VALUES(?, ?, ?, ?, ?)"
                    " ON CONFLICT(hash) DO UPDATE SET pack = excluded.pack, off = excluded.off,"
                    " stored = excluded.stored, plain = excluded.plain",
                    "hiiii", &sorted[i]->hash, (int64_t)place->pack, (int64_t)place->offset,
                    (int64_t)place->stored_size, (int64_t)place->plain_size));
    }
    return OK;
}

static Status index_put(void *self, Ctx *ctx, const BlobRow *rows, size_t n, uint64_t sealed_pack,
                        uint64_t tail_offset)
{
    CLEANUP(db_rollbackp) DbTx *tx = NULL;
    TRY(db_begin_write(ctx, self, &tx));
    TRY(put_rows(ctx, tx, rows, n));
    TRY(db_exec(ctx, tx, NULL,
                "INSERT INTO store_progress(id, sealed_pack, tail_offset) VALUES(1, ?, ?)"
                " ON CONFLICT(id) DO UPDATE SET sealed_pack = excluded.sealed_pack,"
                " tail_offset = excluded.tail_offset",
                "ii", (int64_t)sealed_pack, (int64_t)tail_offset));
    return db_commit(ctx, STEAL(tx));
}

static Status index_remove(void *self, Ctx *ctx, const Hash *hashes, size_t n)
{
    CLEANUP(db_rollbackp) DbTx *tx = NULL;
    TRY(db_begin_write(ctx, self, &tx));
    for (size_t i = 0; i < n; i++)
        TRY(db_exec(ctx, tx, NULL, "DELETE FROM store_blob WHERE hash = ?", "h", &hashes[i]));
    return db_commit(ctx, STEAL(tx));
}

StoreIndex db_store_index(Db *db)
{
    return (StoreIndex){
        .lookup = index_lookup,
        .put = index_put,
        .progress = index_progress,
        .remove = index_remove,
        .self = db,
    };
}
