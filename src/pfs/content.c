/* content.c - trees over the store, and the memo of what applying a layer gives. */
#include "pfs/content_priv.h"

static Status err_missing(Ctx *ctx, const Hash *hash)
{
    char hex[HASH_HEX_SIZE];
    return FAIL(ctx, DATA_LOSS, "blob '%s' is missing from the store", hash_hex(hash, hex));
}

Status content_get_blob(Ctx *ctx, Content *content, const Hash *hash, Buf *out)
{
    Status status = store_get(ctx, content->store, hash, out);
    return status.code == STATUS_NOT_FOUND ? err_missing(ctx, hash) : status;
}

/* Nodes stay at hand, also those just written: the next change reads them. */
static Status io_get(void *self, Ctx *ctx, const Hash *hash, Buf *out)
{
    Content *content = self;
    Status status = store_get_kept(ctx, content->store, hash, out);
    return status.code == STATUS_NOT_FOUND ? err_missing(ctx, hash) : status;
}

static Status io_put(void *self, Ctx *ctx, Bytes blob, Hash *out_hash)
{
    Content *content = self;
    TRY(store_put(ctx, content->store, blob, NULL, out_hash));
    store_keep(content->store, out_hash, blob);
    return OK;
}

void content_init(Content *content, Store *store)
{
    *content = (Content){
        .store = store,
        .io = { .get = io_get, .put = io_put, .self = content },
        .append = { .join = content_join, .self = content },
    };
    pthread_mutex_init(&content->memo.lock, NULL);
}

static bool memo_find(ContentMemo *memo, const Hash *base, const Hash *layer, Hash *out_total)
{
    LOCKED(&memo->lock);
    for (size_t i = 0; i < CONTENT_MEMO_SIZE; i++) {
        if (hash_eq(&memo->results[i].layer, layer) && hash_eq(&memo->results[i].base, base)) {
            *out_total = memo->results[i].total;
            return true;
        }
    }
    return false;
}

static void memo_add(ContentMemo *memo, const Hash *base, const Hash *layer, const Hash *total)
{
    LOCKED(&memo->lock);
    memo->results[memo->next].base = *base;
    memo->results[memo->next].layer = *layer;
    memo->results[memo->next].total = *total;
    memo->next = (memo->next + 1) % CONTENT_MEMO_SIZE;
}

Status content_apply(Ctx *ctx, Content *content, const Hash *base, const Hash *layer,
                     Hash *out_total, const char **out_error)
{
    *out_error = "";
    if (hash_is_zero(layer)) {
        *out_total = *base;
        return OK;
    }
    if (memo_find(&content->memo, base, layer, out_total))
        return OK;
    Hash below = *base; /* out_total may be base */
    TRY(tree_apply(ctx, &content->io, &content->append, &below, layer, out_total));
    TRY(content_check(ctx, content, layer, out_total, out_error));
    if (!**out_error)
        memo_add(&content->memo, &below, layer, out_total);
    return OK;
}
