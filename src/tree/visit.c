/* visit.c - every blob that a tree is made of, parents before children. */
#include "tree/tree_priv.h"

#include "base/text.h"

typedef struct Visit {
    const TreeIo *io;
    TreeVisitFn fn;
    void *arg;
} Visit;

static Status visit_blob(Ctx *ctx, const Visit *visit, const Hash *blob, bool is_node,
                         bool *out_descend)
{
    *out_descend = true;
    return visit->fn(visit->arg, ctx, blob, is_node, out_descend);
}

static Status visit_list(Ctx *ctx, const Visit *visit, Bytes list)
{
    for (size_t at = 0; at < list.size;) {
        TreeChunk chunk;
        bool ignored;
        if (!list_next(list, &at, &chunk))
            return FAIL(ctx, DATA_LOSS, "chunk list is malformed at byte %zu of %zu", at,
                        list.size);
        TRY(visit_blob(ctx, visit, &chunk.hash, false, &ignored));
    }
    return OK;
}

/* A blob that holds a chunk list, or a part of one. */
static Status visit_list_blob(Ctx *ctx, const Visit *visit, const Hash *hash)
{
    bool descend;
    TRY(visit_blob(ctx, visit, hash, false, &descend));
    if (!descend)
        return OK;
    CLEANUP(buf_done) Buf list = { 0 };
    TRY(visit->io->get(visit->io->self, ctx, hash, &list));
    return visit_list(ctx, visit, buf_bytes(&list));
}

static Status visit_list_blobs(Ctx *ctx, const Visit *visit, Bytes hashes)
{
    for (size_t at = 0; at < hashes.size; at += HASH_SIZE) {
        Hash hash;
        memcpy(hash.bytes, hashes.data + at, HASH_SIZE);
        TRY(visit_list_blob(ctx, visit, &hash));
    }
    return OK;
}

static Status visit_record(Ctx *ctx, const Visit *visit, const TreeRecord *record)
{
    bool ignored;
    switch (record->form) {
    case TREE_BLOB:
        return visit_blob(ctx, visit, &record->hash, false, &ignored);
    case TREE_LIST:
        return visit_list(ctx, visit, record->data);
    case TREE_LIST_BLOB:
        return visit_list_blobs(ctx, visit, record->data);
    case TREE_INLINE:
    default:
        return OK;
    }
}

/* Recursion is as deep as the tree, at most TREE_LEVELS_MAX. */
static Status visit_node(Ctx *ctx, const Visit *visit, const Hash *hash, const TreeNode *parent)
{
    bool descend;
    TRY(visit_blob(ctx, visit, hash, true, &descend));
    if (!descend)
        return OK;
    CLEANUP(node_done) TreeNode node = { 0 };
    CLEANUP(buf_done) Buf path = { 0 };
    TRY(node_load(ctx, visit->io, hash, &node));
    if (parent && node.level + 1 != parent->level)
        return FAIL(ctx, DATA_LOSS, "tree node of level %u is below one of level %u", node.level,
                    parent->level);
    for (size_t i = 0; i < node.count; i++) {
        TreeItem item = node_item(&node, i, &path);
        if (node.level > 0) {
            Hash child = child_decode(item.value).hash;
            TRY(visit_node(ctx, visit, &child, &node));
        } else {
            TreeRecord record = record_decode(item.value);
            TRY_WRAP(ctx, visit_record(ctx, visit, &record), "could not visit file %s",
                     text_quote(ctx->arena, item.path));
        }
    }
    return OK;
}

Status tree_visit(Ctx *ctx, const TreeIo *io, const Hash *root, TreeVisitFn fn, void *arg)
{
    Visit visit = { io, fn, arg };
    return hash_is_zero(root) ? OK : visit_node(ctx, &visit, root, NULL);
}
