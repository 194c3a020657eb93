/* upload.c - see upload.h. */
#include "pfs/upload.h"

#include "base/clock.h"
#include "base/id.h"
#include "pfs/content.h"

/* --- uploads ---------------------------------------------------------------------------------- */

Status pfs_upload_create(Ctx *ctx, Pfs *pfs, const char *place, const char *key,
                         const char **out_id)
{
    Id id = id_new();
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pfs, NULL, &tx));
    TRY(db_exec(ctx, pfs_tx_db(tx), NULL,
                "INSERT INTO pfs_upload (id, place, name, created_ns) VALUES (?, ?, ?, ?)", "sssi",
                id.text, place, key, clock_wall_ns()));
    *out_id = arena_strdup(ctx->arena, id.text);
    return pfs_commit(ctx, STEAL(tx));
}

static PfsUpload read_upload(Ctx *ctx, const DbRows *rows)
{
    return (PfsUpload){ .id = db_text(ctx, rows, 0),
                        .key = db_text(ctx, rows, 1),
                        .created_ns = db_int(rows, 2) };
}

static Status find(Ctx *ctx, PfsTx *tx, const char *place, const char *key, const char *id,
                   PfsUpload *out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    bool more;
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT id, name, created_ns FROM pfs_upload WHERE id = ? AND place = ?", "ss", id,
                 place));
    TRY(db_next(ctx, &rows, &more));
    if (!more)
        return STATUS(NOT_FOUND);
    *out = read_upload(ctx, &rows);
    return !key || strcmp(key, out->key) == 0 ? OK : STATUS(NOT_FOUND);
}

Status pfs_upload_find(Ctx *ctx, Pfs *pfs, const char *place, const char *key, const char *id,
                       PfsUpload *out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    return find(ctx, tx, place, key, id, out);
}

Status pfs_upload_delete(Ctx *ctx, Pfs *pfs, const char *place, const char *key, const char *id)
{
    PfsUpload upload;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pfs, NULL, &tx));
    TRY(find(ctx, tx, place, key, id, &upload));
    TRY(db_exec(ctx, pfs_tx_db(tx), NULL, "DELETE FROM pfs_upload WHERE id = ?", "s", id));
    return pfs_commit(ctx, STEAL(tx));
}

Status pfs_upload_drop(Ctx *ctx, Pfs *pfs, const char *place)
{
    int64_t uploads;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pfs, NULL, &tx));
    TRY(db_exec(ctx, pfs_tx_db(tx), &uploads, "DELETE FROM pfs_upload WHERE place = ?", "s",
                place));
    return uploads ? pfs_commit(ctx, STEAL(tx)) : OK;
}

Status pfs_upload_list(Ctx *ctx, Pfs *pfs, const char *place, const char *prefix,
                       const char *after_key, const char *after_id, size_t max, PfsUpload **out,
                       size_t *out_n)
{
    *out_n = 0;
    *out = ARENA_NEW(ctx->arena, PfsUpload, max + 1);
    if (!*out)
        return STATUS(RESOURCE_EXHAUSTED);
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT id, name, created_ns FROM pfs_upload WHERE place = ? AND name >= ?"
                 " AND (name > ? OR (name = ? AND ? <> '' AND id > ?)) ORDER BY name, id",
                 "ssssss", place, prefix, after_key, after_key, after_id, after_id));
    while (*out_n < max) {
        bool more;
        TRY(db_next(ctx, &rows, &more));
        if (!more)
            break;
        (*out)[*out_n] = read_upload(ctx, &rows);
        if (!str_starts(str((*out)[*out_n].key), str(prefix)))
            break;
        ++*out_n;
    }
    return OK;
}

/* --- parts ------------------------------------------------------------------------------------ */

static Status get_record(Ctx *ctx, Pfs *pfs, const Hash *layer, TreeRecord *out)
{
    return tree_get(ctx, &pfs_content(pfs)->io, layer, PFS_UPLOAD_PATH, STR("default"), out);
}

static Status insert_part(Ctx *ctx, Pfs *pfs, const char *id, const PfsUploadPart *part)
{
    int64_t uploads;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pfs, NULL, &tx));
    TRY(db_query_int(ctx, pfs_tx_db(tx), &uploads, "SELECT COUNT(*) FROM pfs_upload WHERE id = ?",
                     "s", id));
    if (!uploads)
        return STATUS(NOT_FOUND);
    TRY(db_exec(ctx, pfs_tx_db(tx), NULL,
                "INSERT INTO pfs_upload_part (upload, number, layer, hash, size_bytes, written_ns)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (upload, number) DO UPDATE SET"
                " layer = excluded.layer, hash = excluded.hash, size_bytes = excluded.size_bytes,"
                " written_ns = excluded.written_ns",
                "sihhii", id, part->number, &part->layer, &part->hash, part->size_bytes,
                part->written_ns));
    return pfs_commit(ctx, STEAL(tx));
}

Status pfs_upload_part(Ctx *ctx, Pfs *pfs, const char *id, int64_t number, PfsWriter *writer,
                       PfsUploadPart *out)
{
    TreeRecord record;
    *out = (PfsUploadPart){ .number = number, .written_ns = clock_wall_ns() };
    TRY(pfs_writer_layer(ctx, writer, &out->layer));
    TRY(get_record(ctx, pfs, &out->layer, &record));
    out->hash = record.hash;
    out->size_bytes = (int64_t)record.size;
    return insert_part(ctx, pfs, id, out);
}

Status pfs_upload_parts(Ctx *ctx, Pfs *pfs, const char *id, int64_t after, size_t max,
                        PfsUploadPart **out, size_t *out_n)
{
    *out_n = 0;
    *out = ARENA_NEW(ctx->arena, PfsUploadPart, max);
    if (!*out)
        return STATUS(RESOURCE_EXHAUSTED);
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT number, layer, hash, size_bytes, written_ns FROM pfs_upload_part"
                 " WHERE upload = ? AND number > ? ORDER BY number",
                 "si", id, after));
    while (*out_n < max) {
        bool more;
        TRY(db_next(ctx, &rows, &more));
        if (!more)
            break;
        (*out)[(*out_n)++] = (PfsUploadPart){ .number = db_int(&rows, 0),
                                              .layer = db_hash(&rows, 1),
                                              .hash = db_hash(&rows, 2),
                                              .size_bytes = db_int(&rows, 3),
                                              .written_ns = db_int(&rows, 4) };
    }
    return OK;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* The content of parts[n], end to end: two halves at a time, as joining costs as much as the longer
 * one's list of chunks. */
static Status join(Ctx *ctx, Pfs *pfs, const PfsUploadPart *parts, size_t n, TreeRecord *out)
{
    if (n == 1)
        return get_record(ctx, pfs, &parts[0].layer, out);
    const TreeAppend *append = &pfs_content(pfs)->append;
    TreeRecord first, second;
    TRY(ctx_check(ctx));
    TRY(join(ctx, pfs, parts, n / 2, &first));
    TRY(join(ctx, pfs, parts + n / 2, n - n / 2, &second));
    return append->join(append->self, ctx, &first, &second, out);
}

Status pfs_upload_put(Ctx *ctx, Pfs *pfs, PfsWriter *writer, Str path, const PfsUploadPart *parts,
                      size_t n, Hash *out_hash)
{
    TreeRecord record;
    ArenaMark mark = arena_mark(ctx->arena);
    TRY(join(ctx, pfs, parts, n, &record));
    record.op = TREE_PUT;
    *out_hash = record.hash;
    TRY(pfs_writer_put_record(ctx, writer, path, STR(""), &record));
    arena_rewind(ctx->arena, mark);
    return OK;
}
