/* node.c - a node in memory: checked once when it is loaded, then trusted; and how it is encoded.
 * README.md has the format. Items are found by binary search over the table of their ends, and
 * decoded only when asked for. */
#include "tree/tree_priv.h"

#define NODE_VERSION 1
#define VARINT_ROOM  4 /* of an item's sizes, mostly */

/* An item before its value. */
typedef struct ItemHead {
    Str suffix;
    Str tag;
    Bytes value;
} ItemHead;

typedef struct TreeItemSizes {
    uint32_t path, tag, value;
} TreeItemSizes;

/* --- reading --------------------------------------------------------------------------------- */

static bool read_str(Bytes from, size_t *at, uint64_t size, Str *out)
{
    if (size > from.size - *at)
        return false;
    *out = (Str){ (const char *)from.data + *at, (size_t)size };
    *at += (size_t)size;
    return true;
}

static bool read_sized_str(Bytes from, size_t *at, Str *out)
{
    uint64_t size;
    return bytes_read_varint(from, at, &size) && read_str(from, at, size, out);
}

static bool item_read(Bytes item, Str default_tag, ItemHead *out)
{
    uint64_t head;
    size_t at = 0;
    if (!bytes_read_varint(item, &at, &head) || !read_str(item, &at, head >> 1, &out->suffix))
        return false;
    out->tag = default_tag;
    if ((head & 1) && !read_sized_str(item, &at, &out->tag))
        return false;
    out->value = bytes(item.data + at, item.size - at);
    return true;
}

static size_t item_end(const TreeNode *node, size_t index)
{
    return load_le32(node->ends + 4 * index);
}

static size_t item_start(const TreeNode *node, size_t index)
{
    return index ? item_end(node, index - 1) : 0;
}

static Bytes item_bytes(const TreeNode *node, size_t index)
{
    size_t start = item_start(node, index);
    return bytes(node->items.data + start, item_end(node, index) - start);
}

static ItemHead item_head(const TreeNode *node, size_t index)
{
    ItemHead head;
    bool is_valid = item_read(item_bytes(node, index), node->tag, &head);
    assert(is_valid);
    (void)is_valid;
    return head;
}

static int head_cmp(const ItemHead *a, Str suffix, Str tag)
{
    int order = str_cmp(a->suffix, suffix);
    return order ? order : str_cmp(a->tag, tag);
}

static bool head_is_valid(const TreeNode *node, const ItemHead *head)
{
    Str prefix = node->prefix, suffix = head->suffix;
    size_t path_size = prefix.size + suffix.size;
    if (path_size < 2 || path_size > TREE_PATH_MAX || head->tag.size > TREE_TAG_MAX)
        return false;
    char first = prefix.size ? prefix.data[0] : suffix.data[0];
    char last = suffix.size ? suffix.data[suffix.size - 1] : prefix.data[prefix.size - 1];
    return first == '/' && last != '/' && value_is_valid(node->level, head->value);
}

static const char *parse_items(const TreeNode *node)
{
    ItemHead before = { 0 };
    for (size_t i = 0, start = 0; i < node->count; i++) {
        size_t end = item_end(node, i);
        if (end <= start || end > node->items.size)
            return "an item's end is out of place";
        ItemHead head;
        if (!item_read(bytes(node->items.data + start, end - start), node->tag, &head) ||
            !head_is_valid(node, &head))
            return "an item is damaged";
        if (i && head_cmp(&before, head.suffix, head.tag) >= 0)
            return "items are out of order";
        before = head;
        start = end;
    }
    return item_end(node, node->count - 1) == node->items.size ? NULL
                                                               : "bytes follow the last item";
}

const char *node_parse(TreeNode *node)
{
    Bytes data = buf_bytes(&node->data);
    if (data.size < 2 || data.data[0] != NODE_VERSION)
        return "its version is unknown";
    node->level = data.data[1];
    if (node->level >= TREE_LEVELS_MAX)
        return "its level is too high";
    uint64_t count;
    size_t at = 2;
    if (!bytes_read_varint(data, &at, &count) || !read_sized_str(data, &at, &node->prefix) ||
        !read_sized_str(data, &at, &node->tag))
        return "its head is cut short";
    if (count == 0 || count > (data.size - at) / 4)
        return "its count is out of range";
    node->count = (size_t)count;
    node->ends = data.data + at;
    at += 4 * node->count;
    node->items = bytes(data.data + at, data.size - at);
    return parse_items(node);
}

Status node_load(Ctx *ctx, const TreeIo *io, const Hash *hash, TreeNode *node)
{
    assert(!hash_is_zero(hash));
    if (hash_eq(hash, &node->hash))
        return OK;
    TRY(ctx_check(ctx));
    Hash wanted = *hash;
    char hex[HASH_HEX_SIZE];
    node->hash = (Hash){ { 0 } };
    buf_clear(&node->data);
    TRY_WRAP(ctx, io->get(io->self, ctx, &wanted, &node->data), "could not read tree node '%s'",
             hash_hex(&wanted, hex));
    const char *problem = node_parse(node);
    if (problem)
        return FAIL(ctx, DATA_LOSS, "tree node '%s' is malformed: %s", hash_hex(&wanted, hex),
                    problem);
    node->hash = wanted;
    return OK;
}

void node_done(TreeNode *node)
{
    buf_done(&node->data);
    node->hash = (Hash){ { 0 } };
}

TreeItem node_item(const TreeNode *node, size_t index, Buf *path_buf)
{
    ItemHead head = item_head(node, index);
    buf_clear(path_buf);
    buf_add_str(path_buf, node->prefix);
    buf_add_str(path_buf, head.suffix);
    return (TreeItem){ buf_str(path_buf), head.tag, head.value };
}

size_t node_find(const TreeNode *node, Str path, Str tag)
{
    int order = str_cmp(node->prefix, str_sub(path, 0, node->prefix.size));
    if (order)
        return order > 0 ? 0 : node->count;
    Str suffix = str_sub(path, node->prefix.size, path.size);
    size_t low = 0, high = node->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        ItemHead head = item_head(node, middle);
        if (head_cmp(&head, suffix, tag) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- writing --------------------------------------------------------------------------------- */

static TreeItemSizes sizes_at(const TreeNodeWriter *writer, size_t index)
{
    TreeItemSizes sizes;
    memcpy(&sizes, writer->sizes.data + index * sizeof(sizes), sizeof(sizes));
    return sizes;
}

/* The item's path is prefix + suffix. */
static void writer_add(TreeNodeWriter *writer, unsigned level, Str prefix, const ItemHead *item)
{
    size_t path_size = prefix.size + item->suffix.size;
    TreeItemSizes sizes = { (uint32_t)path_size, (uint32_t)item->tag.size,
                            (uint32_t)item->value.size };
    buf_add(&writer->sizes, &sizes, sizeof(sizes));
    buf_add_str(&writer->keys, prefix);
    buf_add_str(&writer->keys, item->suffix);
    buf_add_str(&writer->keys, item->tag);
    buf_add_bytes(&writer->values, item->value);
    writer->count++;
    writer->weight += weight_of(path_size, item->tag.size, item->value.size);
    writer->is_mixed |= !value_is_plain(item->value);
    sum_add(&writer->sum, value_sum(level, item->value));
}

void node_writer_add(TreeNodeWriter *writer, unsigned level, const TreeItem *item)
{
    writer_add(writer, level, STR(""), &(ItemHead){ item->path, item->tag, item->value });
}

size_t node_writer_add_run(TreeNodeWriter *writer, const TreeNode *leaf, size_t from, size_t to)
{
    assert(leaf->level == 0 && from < to && to <= leaf->count);
    size_t n = to - from, size = item_end(leaf, to - 1) - item_start(leaf, from);
    buf_reserve(&writer->sizes, n * sizeof(TreeItemSizes));
    buf_reserve(&writer->keys, n * (leaf->prefix.size + leaf->tag.size) + size);
    buf_reserve(&writer->values, size);
    do {
        ItemHead item = item_head(leaf, from++);
        writer_add(writer, 0, leaf->prefix, &item);
    } while (from < to && !node_is_full(0, writer->weight));
    return from;
}

/* Paths are in order, so what the first and the last begin with, all do. */
static Str common_prefix(Str first, Str last)
{
    size_t size = 0;
    while (size < first.size && size < last.size && first.data[size] == last.data[size])
        size++;
    return str_sub(first, 0, size);
}

static void encode_item(Buf *out, const TreeItem *item, size_t prefix_size, Str default_tag)
{
    Str suffix = str_sub(item->path, prefix_size, item->path.size);
    bool has_tag = !str_eq(item->tag, default_tag);
    buf_add_varint(out, (uint64_t)suffix.size << 1 | has_tag);
    buf_add_str(out, suffix);
    if (has_tag) {
        buf_add_varint(out, item->tag.size);
        buf_add_str(out, item->tag);
    }
    buf_add_bytes(out, item->value);
}

static void encode_items(const TreeNodeWriter *writer, size_t prefix_size, Str default_tag,
                         Buf *out)
{
    size_t ends_at = out->size;
    buf_reserve(out, (4 + VARINT_ROOM) * writer->count + writer->keys.size + writer->values.size);
    out->size += 4 * writer->count;
    size_t items_at = out->size;
    Str keys = buf_str(&writer->keys);
    Bytes values = buf_bytes(&writer->values);
    for (size_t i = 0, key = 0, value = 0; i < writer->count; i++) {
        TreeItemSizes sizes = sizes_at(writer, i);
        size_t tag = key + sizes.path;
        TreeItem item = { str_sub(keys, key, tag), str_sub(keys, tag, tag + sizes.tag),
                          bytes(values.data + value, sizes.value) };
        encode_item(out, &item, prefix_size, default_tag);
        store_le32(out->data + ends_at + 4 * i, (uint32_t)(out->size - items_at));
        key = tag + sizes.tag;
        value += sizes.value;
    }
}

void node_writer_encode(const TreeNodeWriter *writer, unsigned level, Buf *out)
{
    assert(writer->count > 0);
    TreeItemSizes first = sizes_at(writer, 0), last = sizes_at(writer, writer->count - 1);
    Str keys = buf_str(&writer->keys);
    size_t last_end = keys.size - last.tag;
    Str prefix =
        common_prefix(str_sub(keys, 0, first.path), str_sub(keys, last_end - last.path, last_end));
    Str tag = str_sub(keys, first.path, first.path + first.tag);
    buf_add_u8(out, NODE_VERSION);
    buf_add_u8(out, (uint8_t)level);
    buf_add_varint(out, writer->count);
    buf_add_varint(out, prefix.size);
    buf_add_str(out, prefix);
    buf_add_varint(out, tag.size);
    buf_add_str(out, tag);
    encode_items(writer, prefix.size, tag, out);
}

void node_writer_clear(TreeNodeWriter *writer)
{
    buf_clear(&writer->keys);
    buf_clear(&writer->values);
    buf_clear(&writer->sizes);
    writer->count = writer->weight = 0;
    writer->sum = (TreeSum){ 0 };
    writer->is_mixed = false;
}

void node_writer_done(TreeNodeWriter *writer)
{
    node_writer_clear(writer);
    buf_done(&writer->keys);
    buf_done(&writer->values);
    buf_done(&writer->sizes);
}
