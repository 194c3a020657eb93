/* record_tree.c - datum records as entries of a tree: small ones inline, others in blobs; see
 * record.h. */
#include "pps/record.h"

/* --- paths ------------------------------------------------------------------------------------ */

static Str path_of(const char *prefix, const Hash *id, char *out)
{
    size_t size = strlen(prefix);
    memcpy(out, prefix, size);
    hash_hex(id, out + size);
    return (Str){ out, size + HASH_HEX_SIZE - 1 };
}

Str record_path(const Hash *id, char out[RECORD_PATH_SIZE])
{
    return path_of("/", id, out);
}

Str record_mark_path(const Hash *id, char out[RECORD_PATH_SIZE])
{
    return path_of("/~", id, out);
}

bool record_path_id(Str path, Hash *out)
{
    size_t prefix = str_starts(path, RECORD_MARKS) ? RECORD_MARKS.size : 1;
    return path.size > prefix && hash_parse(str_sub(path, prefix, path.size), out);
}

/* --- content ---------------------------------------------------------------------------------- */

/* Pieces of at most a blob's size; only a datum of very many files needs more than one. */
static Status store_pieces(Ctx *ctx, const TreeIo *io, Bytes encoded, TreeRecord *out)
{
    if ((encoded.size + CHUNK_BYTES_MAX - 1) / CHUNK_BYTES_MAX > TREE_LIST_INLINE_MAX)
        return FAIL(ctx, RESOURCE_EXHAUSTED,
                    "datum has too many inputs: its record takes %zu bytes", encoded.size);
    Buf list = { 0 };
    Status status = OK;
    for (size_t at = 0; at < encoded.size && status_ok(status); at += CHUNK_BYTES_MAX) {
        TreeChunk chunk = { .size = MIN(encoded.size - at, CHUNK_BYTES_MAX) };
        status = io->put(io->self, ctx, bytes(encoded.data + at, chunk.size), &chunk.hash);
        tree_list_add(&list, &chunk);
    }
    *out = (TreeRecord){
        .form = TREE_LIST,
        .size = encoded.size,
        .hash = hash_of(buf_bytes(&list)),
        .data = bytes(arena_memdup(ctx->arena, list.data, list.size), list.size),
    };
    buf_done(&list);
    return status;
}

static Status store_encoded(Ctx *ctx, const TreeIo *io, Bytes encoded, TreeRecord *out)
{
    if (encoded.size > CHUNK_BYTES_MAX)
        return store_pieces(ctx, io, encoded, out);
    *out = (TreeRecord){ .form = TREE_BLOB, .size = encoded.size };
    if (encoded.size > TREE_INLINE_MAX)
        return io->put(io->self, ctx, encoded, &out->hash);
    out->form = TREE_INLINE;
    out->hash = hash_of(encoded);
    out->data = bytes(arena_memdup(ctx->arena, encoded.data, encoded.size), encoded.size);
    return OK;
}

Status record_store(Ctx *ctx, const TreeIo *io, const DatumRecord *record, TreeRecord *out)
{
    Buf encoded = { 0 };
    record_pack(record, &encoded);
    Status status = store_encoded(ctx, io, buf_bytes(&encoded), out);
    buf_done(&encoded);
    return status;
}

/* Of a record that is not inline. */
static Status load_content(Ctx *ctx, const TreeIo *io, const TreeRecord *stored, Buf *out)
{
    if (stored->form == TREE_BLOB)
        return io->get(io->self, ctx, &stored->hash, out);
    if (stored->form != TREE_LIST)
        return FAIL(ctx, DATA_LOSS, "datum record is malformed");
    TreeChunk *chunks;
    size_t n;
    TRY(tree_list_parse(ctx, stored->data, &chunks, &n));
    for (size_t i = 0; i < n; i++)
        TRY(io->get(io->self, ctx, &chunks[i].hash, out));
    return OK;
}

Status record_load(Ctx *ctx, const TreeIo *io, const TreeRecord *stored, DatumRecord *out)
{
    if (stored->form == TREE_INLINE)
        return record_unpack(ctx, stored->data, out);
    CLEANUP(buf_done) Buf content = { 0 };
    TRY(load_content(ctx, io, stored, &content));
    return record_unpack(ctx, buf_bytes(&content), out);
}

Status record_load_head(Ctx *ctx, const TreeIo *io, const TreeRecord *stored, RecordHead *out)
{
    if (stored->form == TREE_INLINE)
        return record_unpack_head(ctx, stored->data, out);
    CLEANUP(buf_done) Buf content = { 0 };
    TRY(load_content(ctx, io, stored, &content));
    return record_unpack_head(ctx, buf_bytes(&content), out);
}
