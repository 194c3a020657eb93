/* record.c - the values of items: records in leaves, children above. README.md has the format. */
#include "tree/tree_priv.h"

/* The first byte of a value: operation in the low two bits, 0 being plain for a child as well as
 * for a record. */
#define OP_BITS  2
#define OP_MASK  3
#define KIND_MAX (TREE_DELETE | TREE_LIST_BLOB << OP_BITS)

#define LIST_BYTES_MAX (TREE_LIST_INLINE_MAX * (HASH_SIZE + 10))

int item_cmp(const TreeItem *a, const TreeItem *b)
{
    int order = str_cmp(a->path, b->path);
    return order ? order : str_cmp(a->tag, b->tag);
}

bool key_is_valid(Str path, Str tag)
{
    return path.size >= 2 && path.size <= TREE_PATH_MAX && path.data[0] == '/' &&
           path.data[path.size - 1] != '/' && tag.size <= TREE_TAG_MAX;
}

static const char *data_problem(TreeForm form, uint64_t size, size_t data_size)
{
    switch (form) {
    case TREE_INLINE:
        if (size > TREE_INLINE_MAX)
            return "too large to be inline";
        return data_size == size ? NULL : "inline data is not of the content's size";
    case TREE_BLOB:
        return data_size == 0 ? NULL : "a blob has no data of its own";
    case TREE_LIST:
        if (data_size > LIST_BYTES_MAX)
            return "too many chunks to be listed inline";
        return data_size > 0 ? NULL : "chunk list is empty";
    case TREE_LIST_BLOB:
        if (data_size > TREE_LIST_BLOBS_MAX * HASH_SIZE)
            return "too many blobs of chunk lists";
        return data_size > 0 && data_size % HASH_SIZE == 0 ? NULL
                                                           : "chunk list's hash is cut short";
    default:
        return "unknown form";
    }
}

const char *record_problem(const TreeRecord *record)
{
    if ((unsigned)record->op > TREE_DELETE)
        return "unknown operation";
    if (record->op == TREE_DELETE)
        return NULL;
    return data_problem(record->form, record->size, record->data.size);
}

void record_encode(const TreeRecord *record, Buf *out)
{
    if (record->op == TREE_DELETE) {
        buf_add_u8(out, TREE_DELETE);
        return;
    }
    buf_add_u8(out, (uint8_t)((unsigned)record->op | (unsigned)record->form << OP_BITS));
    buf_add_varint(out, record->size);
    buf_add(out, record->hash.bytes, HASH_SIZE);
    buf_add_bytes(out, record->data);
}

void child_encode(const TreeChild *child, Buf *out)
{
    buf_add_u8(out, child->is_plain ? 0 : 1);
    buf_add(out, child->hash.bytes, HASH_SIZE);
    buf_add_varint(out, child->sum.files);
    buf_add_varint(out, child->sum.bytes);
}

static bool read_hash(Bytes value, size_t *at, Hash *out)
{
    if (value.size - *at < HASH_SIZE)
        return false;
    memcpy(out->bytes, value.data + *at, HASH_SIZE);
    *at += HASH_SIZE;
    return true;
}

/* Checks a record and finds its size and, at *at, its hash; a deletion has neither. */
static bool record_scan(Bytes value, uint64_t *out_size, size_t *at)
{
    if (value.size == 0 || value.data[0] > KIND_MAX || (value.data[0] & OP_MASK) > TREE_DELETE)
        return false;
    *at = 1;
    *out_size = 0;
    if ((value.data[0] & OP_MASK) == TREE_DELETE)
        return value.size == 1 && value.data[0] == TREE_DELETE;
    return bytes_read_varint(value, at, out_size) && value.size - *at >= HASH_SIZE &&
           !data_problem((TreeForm)(value.data[0] >> OP_BITS), *out_size,
                         value.size - *at - HASH_SIZE);
}

static bool record_read(Bytes value, TreeRecord *out)
{
    uint64_t size;
    size_t at;
    if (!record_scan(value, &size, &at))
        return false;
    *out = (TreeRecord){ .op = (TreeOp)(value.data[0] & OP_MASK),
                         .form = (TreeForm)(value.data[0] >> OP_BITS),
                         .size = size };
    if (out->op == TREE_DELETE)
        return true;
    read_hash(value, &at, &out->hash);
    out->data = bytes(value.data + at, value.size - at);
    return true;
}

static bool child_read(Bytes value, TreeChild *out)
{
    if (value.size == 0 || value.data[0] > 1)
        return false;
    *out = (TreeChild){ .is_plain = value.data[0] == 0 };
    size_t at = 1;
    return read_hash(value, &at, &out->hash) && !hash_is_zero(&out->hash) &&
           bytes_read_varint(value, &at, &out->sum.files) &&
           bytes_read_varint(value, &at, &out->sum.bytes) && at == value.size;
}

TreeRecord tree_record_copy(Ctx *ctx, const TreeRecord *record)
{
    TreeRecord copy = *record;
    copy.data.data = arena_memdup(ctx->arena, record->data.data, record->data.size);
    return copy;
}

TreeRecord record_decode(Bytes value)
{
    TreeRecord record;
    bool is_valid = record_read(value, &record);
    assert(is_valid);
    (void)is_valid;
    return record;
}

TreeChild child_decode(Bytes value)
{
    TreeChild child;
    bool is_valid = child_read(value, &child);
    assert(is_valid);
    (void)is_valid;
    return child;
}

TreeEntry item_entry(const TreeItem *item)
{
    return (TreeEntry){ item->path, item->tag, record_decode(item->value) };
}

bool value_is_valid(unsigned level, Bytes value)
{
    uint64_t size;
    size_t at;
    TreeChild child;
    return level == 0 ? record_scan(value, &size, &at) : child_read(value, &child);
}

bool value_is_plain(Bytes value)
{
    return (value.data[0] & OP_MASK) == TREE_PUT;
}

/* Of a record, the size follows the first byte. */
TreeSum value_sum(unsigned level, Bytes value)
{
    if (level > 0)
        return child_decode(value).sum;
    TreeSum sum = { .files = 1 };
    size_t at = 1;
    if ((value.data[0] & OP_MASK) != TREE_DELETE)
        bytes_read_varint(value, &at, &sum.bytes);
    return sum;
}

void sum_add(TreeSum *sum, TreeSum more)
{
    sum->files += more.files;
    sum->bytes += more.bytes;
}

bool record_eq(const TreeRecord *a, const TreeRecord *b)
{
    return a->op == b->op && a->form == b->form && a->size == b->size &&
           hash_eq(&a->hash, &b->hash) && bytes_eq(a->data, b->data);
}

/* --- chunk lists ----------------------------------------------------------------------------- */

void tree_list_add(Buf *list, const TreeChunk *chunk)
{
    buf_add_varint(list, chunk->size);
    buf_add(list, chunk->hash.bytes, HASH_SIZE);
}

bool list_next(Bytes list, size_t *at, TreeChunk *out)
{
    return bytes_read_varint(list, at, &out->size) && read_hash(list, at, &out->hash);
}

Status tree_list_parse(Ctx *ctx, Bytes list, TreeChunk **out_chunks, size_t *out_n)
{
    TreeChunk *chunks = ARENA_NEW(ctx->arena, TreeChunk, list.size / (HASH_SIZE + 1) + 1);
    if (!chunks)
        return FAIL(ctx, RESOURCE_EXHAUSTED, "no memory for a chunk list of %zu bytes", list.size);
    size_t n = 0;
    for (size_t at = 0; at < list.size; n++) {
        if (!list_next(list, &at, &chunks[n]))
            return FAIL(ctx, DATA_LOSS, "chunk list is malformed at byte %zu of %zu", at,
                        list.size);
    }
    *out_chunks = chunks;
    *out_n = n;
    return OK;
}
