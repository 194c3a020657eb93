/* content_read.c - a record's bytes, from any offset. */
#include "pfs/content_priv.h"

/* The list of a TREE_LIST or TREE_LIST_BLOB; `hold` keeps the latter's bytes. */
static Status read_list(Ctx *ctx, Content *content, const TreeRecord *record, Buf *hold, Bytes *out)
{
    if (record->form == TREE_LIST) {
        *out = record->data;
        return OK;
    }
    if (record->data.size != HASH_SIZE)
        return FAIL(ctx, DATA_LOSS, "the name of a chunk list has %zu bytes", record->data.size);
    Hash hash;
    memcpy(hash.bytes, record->data.data, HASH_SIZE);
    TRY(content_get_blob(ctx, content, &hash, hold));
    *out = buf_bytes(hold);
    return OK;
}

Status content_chunks(Ctx *ctx, Content *content, const TreeRecord *record, TreeChunk **out_chunks,
                      size_t *out_n)
{
    assert(record->form != TREE_INLINE);
    if (record->form == TREE_BLOB) {
        *out_chunks = ARENA_ONE(ctx->arena, TreeChunk);
        **out_chunks = (TreeChunk){ .hash = record->hash, .size = record->size };
        *out_n = 1;
        return OK;
    }
    CLEANUP(buf_done) Buf hold = { 0 };
    Bytes list;
    TRY(read_list(ctx, content, record, &hold, &list));
    return tree_list_parse(ctx, list, out_chunks, out_n);
}

typedef struct Window {
    uint64_t from, to; /* bytes of the file still wanted */
    ContentFn fn;
    void *arg;
} Window;

/* Hands on what the window wants of `data`, which lies at `at` in the file. */
static Status window_give(Ctx *ctx, const Window *window, uint64_t at, Bytes data)
{
    uint64_t from = MAX(at, window->from);
    uint64_t to = MIN(at + data.size, window->to);
    if (from >= to)
        return OK;
    return window->fn(window->arg, ctx, bytes(data.data + (from - at), (size_t)(to - from)));
}

static Status read_chunks(Ctx *ctx, Content *content, const TreeRecord *record,
                          const Window *window)
{
    TreeChunk *chunks;
    size_t n;
    TRY(content_chunks(ctx, content, record, &chunks, &n));
    CLEANUP(buf_done) Buf blob = { 0 };
    uint64_t at = 0;
    for (size_t i = 0; i < n && at < window->to; at += chunks[i++].size) {
        if (at + chunks[i].size <= window->from)
            continue;
        TRY(ctx_check(ctx));
        buf_clear(&blob);
        TRY(content_get_blob(ctx, content, &chunks[i].hash, &blob));
        if (blob.size != chunks[i].size)
            return FAIL(ctx, DATA_LOSS, "a chunk has %zu bytes where its list says %llu", blob.size,
                        (unsigned long long)chunks[i].size);
        TRY(window_give(ctx, window, at, buf_bytes(&blob)));
    }
    return OK;
}

Status content_read(Ctx *ctx, Content *content, const TreeRecord *record, uint64_t offset,
                    uint64_t size, ContentFn fn, void *arg)
{
    if (offset >= record->size)
        return OK;
    uint64_t to = size < record->size - offset ? offset + size : record->size;
    Window window = { .from = offset, .to = to, .fn = fn, .arg = arg };
    if (record->form == TREE_INLINE)
        return window_give(ctx, &window, 0, record->data);
    return read_chunks(ctx, content, record, &window);
}

static Status add_piece(void *arg, Ctx *ctx, Bytes piece)
{
    (void)ctx;
    buf_add_bytes(arg, piece);
    return OK;
}

Status content_read_all(Ctx *ctx, Content *content, const TreeRecord *record, Buf *out)
{
    return content_read(ctx, content, record, 0, record->size, add_piece, out);
}
