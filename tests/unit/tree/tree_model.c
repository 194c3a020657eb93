/* tree_model.c - see tree_model.h. */
#include "unit/tree/tree_model.h"

#include <stdlib.h>

/* --- blobs in memory ------------------------------------------------------------------------- */

typedef struct MemBlob {
    Hash hash;
    uint8_t *data; /* NULL: a free slot */
    size_t size;
} MemBlob;

static MemBlob *slot_of(MemBlob *slots, size_t capacity, const Hash *hash)
{
    size_t at = (size_t)load_le64(hash->bytes) & (capacity - 1);
    while (slots[at].data && !hash_eq(&slots[at].hash, hash))
        at = (at + 1) & (capacity - 1);
    return &slots[at];
}

static void grow(MemBlobs *blobs)
{
    size_t capacity = blobs->capacity ? blobs->capacity * 2 : 1024;
    MemBlob *slots = calloc(capacity, sizeof(*slots));
    if (!slots)
        abort();
    for (size_t i = 0; i < blobs->capacity; i++) {
        if (blobs->slots[i].data)
            *slot_of(slots, capacity, &blobs->slots[i].hash) = blobs->slots[i];
    }
    free(blobs->slots);
    blobs->slots = slots;
    blobs->capacity = capacity;
}

static Status mem_call(MemBlobs *blobs, Ctx *ctx)
{
    if (blobs->fail_after == 0)
        return FAIL(ctx, UNAVAILABLE, "blobs are down");
    if (blobs->fail_after != SIZE_MAX)
        blobs->fail_after--;
    return OK;
}

static Status mem_get(void *self, Ctx *ctx, const Hash *hash, Buf *out)
{
    MemBlobs *blobs = self;
    blobs->gets++;
    TRY(mem_call(blobs, ctx));
    const MemBlob *blob = blobs->capacity ? slot_of(blobs->slots, blobs->capacity, hash) : NULL;
    if (!blob || !blob->data)
        return FAIL(ctx, DATA_LOSS, "blob is missing");
    buf_add(out, blob->data, blob->size);
    return OK;
}

static Status mem_put(void *self, Ctx *ctx, Bytes data, Hash *out_hash)
{
    MemBlobs *blobs = self;
    blobs->puts++;
    TRY(mem_call(blobs, ctx));
    if (blobs->count * 2 >= blobs->capacity)
        grow(blobs);
    *out_hash = hash_of(data);
    MemBlob *blob = slot_of(blobs->slots, blobs->capacity, out_hash);
    if (blob->data)
        return OK;
    *blob = (MemBlob){ *out_hash, malloc(data.size + 1), data.size };
    if (!blob->data)
        abort();
    memcpy(blob->data, data.data, data.size);
    blobs->count++;
    return OK;
}

void mem_blobs_init(MemBlobs *blobs)
{
    *blobs = (MemBlobs){
        .fail_after = SIZE_MAX, .io = { .get = mem_get, .put = mem_put, .self = blobs }
    };
}

void mem_blobs_done(MemBlobs *blobs)
{
    for (size_t i = 0; i < blobs->capacity; i++)
        free(blobs->slots[i].data);
    free(blobs->slots);
    *blobs = (MemBlobs){ 0 };
}

/* --- the model ------------------------------------------------------------------------------- */

void model_init(Model *model)
{
    *model = (Model){ .arena = arena_new(0) };
}

void model_done(Model *model)
{
    arena_free(model->arena);
    free(model->entries);
    *model = (Model){ 0 };
}

static int key_cmp(const TreeEntry *entry, Str path, Str tag)
{
    int order = str_cmp(entry->path, path);
    return order ? order : str_cmp(entry->tag, tag);
}

static Str str_copy(Arena *arena, Str s)
{
    return (Str){ arena_strndup(arena, s.data, s.size), s.size };
}

static TreeEntry entry_copy(Arena *arena, const TreeEntry *entry)
{
    TreeEntry copy = { str_copy(arena, entry->path), str_copy(arena, entry->tag), entry->record };
    copy.record.data.data = arena_memdup(arena, entry->record.data.data, entry->record.data.size);
    return copy;
}

static void reserve(Model *model, size_t count)
{
    if (count <= model->capacity)
        return;
    model->capacity = MAX(count, model->capacity * 2);
    model->entries = realloc(model->entries, model->capacity * sizeof(*model->entries));
    if (!model->entries)
        abort();
}

/* Appends, for callers that go in order. */
static void push(Model *model, const TreeEntry *entry)
{
    reserve(model, model->count + 1);
    model->entries[model->count++] = entry_copy(model->arena, entry);
}

void model_copy(Model *to, const Model *from)
{
    to->count = 0;
    for (size_t i = 0; i < from->count; i++)
        push(to, &from->entries[i]);
}

size_t model_find(const Model *model, Str path, Str tag)
{
    size_t low = 0, high = model->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (key_cmp(&model->entries[middle], path, tag) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const TreeEntry *model_get(const Model *model, Str path, Str tag)
{
    size_t at = model_find(model, path, tag);
    return at < model->count && key_cmp(&model->entries[at], path, tag) == 0 ? &model->entries[at]
                                                                             : NULL;
}

void model_set(Model *model, const TreeEntry *entry)
{
    size_t at = model_find(model, entry->path, entry->tag);
    bool is_new = at == model->count || key_cmp(&model->entries[at], entry->path, entry->tag) != 0;
    if (is_new) {
        reserve(model, model->count + 1);
        memmove(&model->entries[at + 1], &model->entries[at],
                (model->count - at) * sizeof(*model->entries));
        model->count++;
    }
    model->entries[at] = entry_copy(model->arena, entry);
}

void model_remove(Model *model, Str path, Str tag)
{
    size_t at = model_find(model, path, tag);
    if (at == model->count || key_cmp(&model->entries[at], path, tag) != 0)
        return;
    model->count--;
    memmove(&model->entries[at], &model->entries[at + 1],
            (model->count - at) * sizeof(*model->entries));
}

/* --- operations ------------------------------------------------------------------------------ */

TreeRecord model_record(TreeOp op, Str text)
{
    if (op == TREE_DELETE)
        return (TreeRecord){ .op = TREE_DELETE };
    return (TreeRecord){ op, TREE_INLINE, text.size, hash_of(str_bytes(text)), str_bytes(text) };
}

/* What does not fit is dropped at the front, which keeps joining associative. */
static Status join(void *self, Ctx *ctx, const TreeRecord *old, const TreeRecord *more,
                   TreeRecord *out)
{
    (void)self;
    size_t size = old->data.size + more->data.size;
    char *text = arena_must(ctx->arena, size);
    if (old->data.size)
        memcpy(text, old->data.data, old->data.size);
    if (more->data.size)
        memcpy(text + old->data.size, more->data.data, more->data.size);
    size_t kept = MIN(size, (size_t)TREE_INLINE_MAX);
    *out = model_record(TREE_PUT, (Str){ text + size - kept, kept });
    return OK;
}

const TreeAppend model_append = { join, NULL };

static TreeRecord joined(Arena *arena, TreeOp op, const TreeRecord *old, const TreeRecord *more)
{
    Ctx ctx = { .arena = arena };
    TreeRecord out;
    (void)join(NULL, &ctx, old, more, &out);
    out.op = op;
    return out;
}

static void overlay_one(Model *base, const TreeEntry *entry, bool is_layer)
{
    const TreeEntry *old = model_get(base, entry->path, entry->tag);
    TreeEntry result = *entry;
    if (entry->record.op == TREE_DELETE && !is_layer) {
        model_remove(base, entry->path, entry->tag);
        return;
    }
    if (entry->record.op == TREE_APPEND) {
        if (!old)
            result.record.op = is_layer ? TREE_APPEND : TREE_PUT;
        else if (old->record.op == TREE_DELETE)
            result.record.op = TREE_PUT;
        else
            result.record = joined(base->arena, old->record.op, &old->record, &entry->record);
    }
    model_set(base, &result);
}

void model_overlay(Model *base, const Model *layer, bool is_layer)
{
    for (size_t i = 0; i < layer->count; i++)
        overlay_one(base, &layer->entries[i], is_layer);
}

Status model_build(Ctx *ctx, const TreeIo *io, const Model *model, Hash *out_root)
{
    CLEANUP(tree_builder_freep) TreeBuilder *builder = tree_builder_new(io);
    for (size_t i = 0; i < model->count; i++)
        TRY(tree_builder_add(ctx, builder, &model->entries[i]));
    return tree_builder_finish(ctx, builder, out_root);
}

bool entries_equal(const TreeEntry *a, const TreeEntry *b)
{
    if (!a || !b)
        return a == b;
    return key_cmp(a, b->path, b->tag) == 0 && a->record.op == b->record.op &&
           a->record.form == b->record.form && a->record.size == b->record.size &&
           hash_eq(&a->record.hash, &b->record.hash) && bytes_eq(a->record.data, b->record.data);
}

Status model_matches(Ctx *ctx, const TreeIo *io, const Model *model, const Hash *root, bool *out)
{
    CLEANUP(tree_cursor_freep) TreeCursor *cursor = tree_cursor_new(io, root);
    *out = false;
    for (size_t i = 0; i <= model->count; i++) {
        TRY(tree_cursor_next(ctx, cursor));
        const TreeEntry *expected = i < model->count ? &model->entries[i] : NULL;
        if (!entries_equal(tree_cursor_entry(cursor), expected))
            return OK;
    }
    *out = true;
    return OK;
}
