/* content_read.c - a record's bytes, from any offset. */
#include "pfs/content_priv.h"

/* --- chunks ---------------------------------------------------------------------------------- */

static Status run_list(Ctx *ctx, Bytes list, bool is_last, ContentRunFn fn, void *arg,
                       bool *out_done)
{
    ArenaMark mark = arena_mark(ctx->arena);
    TreeChunk *chunks;
    ContentRun run = { .is_last = is_last };
    TRY(tree_list_parse(ctx, list, &chunks, &run.n));
    run.chunks = chunks;
    TRY(fn(arg, ctx, &run, out_done));
    arena_rewind(ctx->arena, mark);
    return OK;
}

/* `names`: of the blobs that hold the list. */
static Status run_list_blobs(Ctx *ctx, Content *content, Bytes names, ContentRunFn fn, void *arg)
{
    if (names.size == 0 || names.size % HASH_SIZE != 0)
        return FAIL(ctx, DATA_LOSS, "the names of a chunk list have %zu bytes", names.size);
    CLEANUP(buf_done) Buf list = { 0 };
    bool done = false;
    for (size_t at = 0; at < names.size && !done; at += HASH_SIZE) {
        Hash hash;
        memcpy(hash.bytes, names.data + at, HASH_SIZE);
        buf_clear(&list);
        TRY(content_get_blob(ctx, content, &hash, &list));
        TRY(run_list(ctx, buf_bytes(&list), at + HASH_SIZE == names.size, fn, arg, &done));
    }
    return OK;
}

Status content_runs(Ctx *ctx, Content *content, const TreeRecord *record, ContentRunFn fn,
                    void *arg)
{
    assert(record->form != TREE_INLINE);
    bool ignored = false;
    if (record->form == TREE_LIST_BLOB)
        return run_list_blobs(ctx, content, record->data, fn, arg);
    if (record->form == TREE_LIST)
        return run_list(ctx, record->data, true, fn, arg, &ignored);
    TreeChunk whole = { .hash = record->hash, .size = record->size };
    return fn(arg, ctx, &(ContentRun){ .chunks = &whole, .n = 1, .is_last = true }, &ignored);
}

/* --- bytes ----------------------------------------------------------------------------------- */

typedef struct Window {
    Content *content;
    uint64_t from, to; /* bytes of the file that are wanted */
    uint64_t at;       /* where the next chunk lies in it */
    ContentFn fn;
    void *arg;
} Window;

/* Hands on what the window wants of `data`, which lies at window->at. */
static Status window_give(Ctx *ctx, const Window *window, Bytes data)
{
    uint64_t from = MAX(window->at, window->from);
    uint64_t to = MIN(window->at + data.size, window->to);
    if (from >= to)
        return OK;
    Bytes piece = bytes(data.data + (from - window->at), (size_t)(to - from));
    return window->fn(window->arg, ctx, piece);
}

static Status read_chunk(Ctx *ctx, const Window *window, const TreeChunk *chunk, Buf *blob)
{
    TRY(ctx_check(ctx));
    buf_clear(blob);
    TRY(content_get_blob(ctx, window->content, &chunk->hash, blob));
    if (blob->size != chunk->size)
        return FAIL(ctx, DATA_LOSS, "a chunk has %zu bytes where its list says %llu", blob->size,
                    (unsigned long long)chunk->size);
    return window_give(ctx, window, buf_bytes(blob));
}

static Status read_run(void *arg, Ctx *ctx, const ContentRun *run, bool *out_done)
{
    Window *window = arg;
    CLEANUP(buf_done) Buf blob = { 0 };
    for (size_t i = 0; i < run->n && window->at < window->to; i++) {
        if (window->at + run->chunks[i].size > window->from)
            TRY(read_chunk(ctx, window, &run->chunks[i], &blob));
        window->at += run->chunks[i].size;
    }
    *out_done = window->at >= window->to;
    return OK;
}

Status content_read(Ctx *ctx, Content *content, const TreeRecord *record, uint64_t offset,
                    uint64_t size, ContentFn fn, void *arg)
{
    if (offset >= record->size)
        return OK;
    uint64_t to = size < record->size - offset ? offset + size : record->size;
    Window window = { .content = content, .from = offset, .to = to, .fn = fn, .arg = arg };
    if (record->form == TREE_INLINE)
        return window_give(ctx, &window, record->data);
    return content_runs(ctx, content, record, read_run, &window);
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
