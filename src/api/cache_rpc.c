/* cache_rpc.c - pfs_v2.API: a cache of small values by key, for clients that work in pieces.
 *
 * The file sets named with a value live as long as the value does: the entry pins them.
 */
#include "api/api_priv.h"

#include "base/text.h"
#include "codec/pb.h"
#include "pfs/write.h"

/* The least recently used entries beyond this many go. */
#define CACHE_ENTRIES_MAX 10000

/* --- leaving ---------------------------------------------------------------------------------- */

/* filesets as api_cache has them: one id a line. */
static Status unpin_all(Ctx *ctx, PfsTx *tx, Str filesets)
{
    while (filesets.size) {
        size_t end = str_find(filesets, '\n');
        TRY(pfs_fileset_unpin(ctx, tx, str_z(ctx->arena, str_sub(filesets, 0, end))));
        filesets = str_sub(filesets, MIN(end + 1, filesets.size), filesets.size);
    }
    return OK;
}

/* Entries were deleted: each row is the file sets of one. */
static Status let_go(Ctx *ctx, PfsTx *tx, DbRows *deleted)
{
    Buf filesets = { 0 };
    Status s = OK;
    for (bool more = true; status_ok(s) && more;) {
        s = db_next(ctx, deleted, &more);
        if (status_ok(s) && more && *db_text(ctx, deleted, 0))
            buf_printf(&filesets, "%s\n", db_text(ctx, deleted, 0));
    }
    db_rows_done(deleted);
    if (status_ok(s))
        s = unpin_all(ctx, tx, buf_str(&filesets));
    buf_done(&filesets);
    return s;
}

static Status evict(Ctx *ctx, PfsTx *tx)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "DELETE FROM api_cache WHERE used <= (SELECT used FROM api_cache "
                 "ORDER BY used DESC LIMIT 1 OFFSET ?) RETURNING filesets",
                 "i", (int64_t)CACHE_ENTRIES_MAX));
    return let_go(ctx, tx, &rows);
}

/* A tag starts with a prefix when its first characters are the prefix: nothing in it is special. */
static Status clear_cache(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    const char *prefix = ((const PfsV2__ClearCacheRequest *)request)->tag_prefix;
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(call->ctx, pfs_tx_db(tx), &rows,
                 "DELETE FROM api_cache WHERE substr(tag, 1, length(?)) = ? RETURNING filesets",
                 "ss", prefix, prefix));
    return let_go(call->ctx, tx, &rows);
}

/* --- coming and being asked for --------------------------------------------------------------- */

static Status insert(Ctx *ctx, PfsTx *tx, const PfsV2__PutCacheRequest *r, const char *filesets)
{
    for (size_t i = 0; i < r->n_file_set_ids; i++)
        TRY(pfs_fileset_pin(ctx, tx, r->file_set_ids[i]));
    Bytes value = r->value ? pb_pack_bytes(ctx, &r->value->base) : bytes("", 0);
    int64_t used;
    TRY(db_next_id(ctx, pfs_tx_db(tx), "api_cache_use", &used));
    TRY(db_exec(ctx, pfs_tx_db(tx), NULL,
                "INSERT INTO api_cache (name, value, filesets, tag, used) VALUES (?, ?, ?, ?, ?)",
                "sbssi", r->key, value, filesets, r->tag, used));
    return evict(ctx, tx);
}

static Status put_cache(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    const PfsV2__PutCacheRequest *r = request;
    Ctx *ctx = call->ctx;
    const char *filesets =
        text_join(ctx->arena, (const char *const *)r->file_set_ids, r->n_file_set_ids, "\n");
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows, "SELECT filesets FROM api_cache WHERE name = ?", "s",
                 r->key));
    bool found;
    TRY(db_next(ctx, &rows, &found));
    if (found && strcmp(db_text(ctx, &rows, 0), filesets) != 0)
        return FAIL(ctx, UNKNOWN, "a different object exists at that id");
    db_rows_done(&rows);
    return found ? OK : insert(ctx, tx, r, filesets);
}

static Status get_cache(Call *call, PfsTx *tx, const void *request, void **response)
{
    const PfsV2__GetCacheRequest *r = request;
    Ctx *ctx = call->ctx;
    DbTx *db = pfs_tx_db(tx);
    int64_t used;
    TRY(db_next_id(ctx, db, "api_cache_use", &used));
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, db, &rows, "UPDATE api_cache SET used = ? WHERE name = ? RETURNING value",
                 "is", used, r->key));
    bool found;
    TRY(db_next(ctx, &rows, &found));
    if (!found)
        return FAIL(ctx, UNKNOWN, "sql: no rows in result set");
    PfsV2__GetCacheResponse *answer =
        CALL_NEW(call, PfsV2__GetCacheResponse, pfs_v2__get_cache_response__init);
    *response = answer;
    return PB_UNPACK(ctx, google__protobuf__any, db_bytes(ctx, &rows, 0), &answer->value);
}

static const ApiMethod methods[] = {
    { .path = "/pfs_v2.API/PutCache", .write = put_cache },
    { .path = "/pfs_v2.API/GetCache", .write = get_cache },
    { .path = "/pfs_v2.API/ClearCache", .write = clear_cache },
};

const ApiTable api_cache_table = { methods, ARRAY_LEN(methods) };
