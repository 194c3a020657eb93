/* tree_node.c - any bytes as the nodes of a tree: every reader ends with an answer or DATA_LOSS,
 * and what a node says is in order.
 *
 * The input is a list of blobs, each after its size (le16). The first byte of a hash picks the blob
 * it names.
 */
#include "fuzz/fuzz.h"

#include "tree/tree_priv.h"

static Bytes next_blob(Bytes input, size_t *at)
{
    if (input.size - *at < 2)
        return bytes(NULL, 0);
    size_t size = (size_t)input.data[*at] | (size_t)input.data[*at + 1] << 8;
    *at += 2;
    Bytes blob = bytes(input.data + *at, MIN(size, input.size - *at));
    *at += blob.size;
    return blob;
}

static Status get(void *self, Ctx *ctx, const Hash *hash, Buf *out)
{
    const Bytes *input = self;
    size_t at = 0;
    for (unsigned skip = hash->bytes[0]; skip; skip--)
        next_blob(*input, &at);
    Bytes blob = next_blob(*input, &at);
    if (blob.size == 0)
        return FAIL(ctx, DATA_LOSS, "blob is missing");
    buf_add_bytes(out, blob);
    return OK;
}

static Status put(void *self, Ctx *ctx, Bytes blob, Hash *out_hash)
{
    (void)self;
    (void)ctx;
    *out_hash = hash_of(blob);
    return OK;
}

static void expect(Status s)
{
    PROP(status_ok(s) || s.code == STATUS_DATA_LOSS || s.code == STATUS_NOT_FOUND);
}

static void check_node(Bytes blob)
{
    CLEANUP(node_done) TreeNode node = { 0 };
    CLEANUP(buf_done) Buf path = { 0 };
    buf_add_bytes(&node.data, blob);
    if (node_parse(&node))
        return;
    for (size_t i = 0; i < node.count; i++) {
        TreeItem item = node_item(&node, i, &path);
        PROP(key_is_valid(item.path, item.tag));
        PROP(node_find(&node, item.path, item.tag) == i);
        PROP(value_is_valid(node.level, item.value));
    }
}

static void check_cursor(Ctx *ctx, const TreeIo *io, const Hash *root)
{
    CLEANUP(tree_cursor_freep) TreeCursor *cursor = tree_cursor_new(io, root);
    do {
        Status s = tree_cursor_next(ctx, cursor);
        expect(s);
        if (!status_ok(s))
            break;
    } while (tree_cursor_entry(cursor));
    expect(tree_cursor_seek_end(ctx, cursor));
    expect(tree_cursor_prev(ctx, cursor));
    expect(tree_cursor_seek_before(ctx, cursor, STR("/b"), STR("default")));
}

static Status ignore_difference(void *arg, Ctx *ctx, const TreeEntry *old_entry,
                                const TreeEntry *new_entry)
{
    (void)arg;
    (void)ctx;
    PROP(old_entry || new_entry);
    return OK;
}

static Status ignore_blob(void *arg, Ctx *ctx, const Hash *blob, bool is_node, bool *out_descend)
{
    (void)arg;
    (void)ctx;
    (void)blob;
    (void)is_node;
    (void)out_descend;
    return OK;
}

static Status join(void *self, Ctx *ctx, const TreeRecord *old, const TreeRecord *more,
                   TreeRecord *out)
{
    (void)self;
    (void)ctx;
    (void)old;
    *out = *more;
    return OK;
}

static void check_readers(Ctx *ctx, const TreeIo *io, const Hash *root, const Hash *other)
{
    static const TreeAppend append = { join, NULL };
    TreeRecord record;
    TreeSum sum;
    Hash hash;
    expect(tree_get(ctx, io, root, STR("/a/x"), STR("default"), &record));
    expect(tree_sum(ctx, io, root, STR("/a/"), STR("/a0"), &sum));
    expect(tree_dir(ctx, io, root, STR("/a/"), &hash, &sum));
    expect(tree_diff(ctx, io, root, other, STR(""), STR(""), ignore_difference, NULL));
    expect(tree_apply(ctx, io, &append, root, other, &hash));
    expect(tree_compose(ctx, io, &append, other, root, &hash));
    expect(tree_visit(ctx, io, root, ignore_blob, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Bytes input = bytes(data, size);
    TreeIo io = { .get = get, .put = put, .self = &input };
    for (size_t at = 0; at + 2 <= size;)
        check_node(next_blob(input, &at));
    Hash root = { { [1] = 1 } }, other = { { 1 } }; /* blobs 0 and 1 */
    check_cursor(&ctx, &io, &root);
    check_readers(&ctx, &io, &root, &other);
    check_readers(&ctx, &io, &other, &root);
    return 0;
}
