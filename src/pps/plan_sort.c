/* plan_sort.c - see Sorter in plan_priv.h. */
#include "pps/plan_priv.h"

#include <stdlib.h>

/* Sorted runs that were written out as trees. Like a binary counter: a run of level n holds 2^n
 * times the memory, and two of one level become one of the next. Older runs come first. */
#define LEVELS_MAX 48

typedef struct Run {
    Hash root;
    unsigned level;
} Run;

struct Sorter {
    const TreeIo *io;
    size_t memory_bytes;
    Buf entries; /* encoded one after the other */
    Buf offsets; /* size_t of each, in `entries` */
    Run runs[LEVELS_MAX];
    size_t run_count;

    bool started, in_memory;
    size_t at; /* in_memory: index into offsets */
    TreeEntry entry;
    bool has_entry;
    TreeCursor *cursor; /* !in_memory */
};

Sorter *sorter_new(const TreeIo *io, size_t memory_bytes)
{
    Sorter *sorter = calloc(1, sizeof(*sorter));
    if (!sorter)
        abort();
    sorter->io = io;
    sorter->memory_bytes = memory_bytes;
    return sorter;
}

Sorter *sorter_free(Sorter *sorter)
{
    if (!sorter)
        return NULL;
    buf_done(&sorter->entries);
    buf_done(&sorter->offsets);
    tree_cursor_free(sorter->cursor);
    free(sorter);
    return NULL;
}

/* --- entries in memory: varint path size, path, form, varint size, hash, varint data size, data */

static void encode(Buf *out, Str path, const TreeRecord *record)
{
    buf_add_varint(out, path.size);
    buf_add_str(out, path);
    buf_add_u8(out, (uint8_t)record->form);
    buf_add_varint(out, record->size);
    buf_add(out, record->hash.bytes, HASH_SIZE);
    buf_add_varint(out, record->data.size);
    buf_add_bytes(out, record->data);
}

static uint64_t take_varint(Bytes b, size_t *at)
{
    uint64_t value = 0;
    bool whole = bytes_read_varint(b, at, &value);
    assert(whole);
    (void)whole;
    return value;
}

static Str path_at(Bytes entries, size_t *at)
{
    size_t size = (size_t)take_varint(entries, at);
    Str path = { (const char *)entries.data + *at, size };
    *at += size;
    return path;
}

static TreeEntry decode(Bytes entries, size_t at)
{
    TreeEntry entry = { .path = path_at(entries, &at), .tag = STR("") };
    entry.record.form = (TreeForm)entries.data[at++];
    entry.record.size = take_varint(entries, &at);
    memcpy(entry.record.hash.bytes, entries.data + at, HASH_SIZE);
    at += HASH_SIZE;
    size_t size = (size_t)take_varint(entries, &at);
    entry.record.data = bytes(entries.data + at, size);
    return entry;
}

static size_t offset_at(const Sorter *sorter, size_t i)
{
    size_t offset;
    memcpy(&offset, sorter->offsets.data + i * sizeof(offset), sizeof(offset));
    return offset;
}

static size_t offset_count(const Sorter *sorter)
{
    return sorter->offsets.size / sizeof(size_t);
}

/* By path, then by which came first. */
static int offset_cmp(const void *a, const void *b, void *entries_arg)
{
    const Bytes *entries = entries_arg;
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    size_t x_at = x, y_at = y;
    int order = str_cmp(path_at(*entries, &x_at), path_at(*entries, &y_at));
    return order ? order : (x > y) - (x < y);
}

static void sort_memory(Sorter *sorter)
{
    Bytes entries = buf_bytes(&sorter->entries);
    if (sorter->offsets.size)
        qsort_r(sorter->offsets.data, offset_count(sorter), sizeof(size_t), offset_cmp, &entries);
}

static bool repeats(const Sorter *sorter, size_t i)
{
    if (i == 0)
        return false;
    Bytes entries = buf_bytes(&sorter->entries);
    size_t before = offset_at(sorter, i - 1), here = offset_at(sorter, i);
    return str_eq(path_at(entries, &before), path_at(entries, &here));
}

/* --- runs ------------------------------------------------------------------------------------- */

static Status write_run(Ctx *ctx, Sorter *sorter, Hash *out)
{
    sort_memory(sorter);
    CLEANUP(tree_builder_freep) TreeBuilder *builder = tree_builder_new(sorter->io);
    for (size_t i = 0; i < offset_count(sorter); i++) {
        if (repeats(sorter, i))
            continue;
        TreeEntry entry = decode(buf_bytes(&sorter->entries), offset_at(sorter, i));
        TRY(tree_builder_add(ctx, builder, &entry));
    }
    buf_clear(&sorter->entries);
    buf_clear(&sorter->offsets);
    return tree_builder_finish(ctx, builder, out);
}

/* The last two become one; the older one's entries count. */
static Status merge_last(Ctx *ctx, Sorter *sorter)
{
    Run *older = &sorter->runs[sorter->run_count - 2];
    const Run *newer = older + 1;
    TRY(tree_compose(ctx, sorter->io, NULL, &newer->root, &older->root, &older->root));
    older->level = MAX(older->level, newer->level) + 1;
    sorter->run_count--;
    return OK;
}

static Status flush(Ctx *ctx, Sorter *sorter)
{
    assert(sorter->run_count < LEVELS_MAX);
    Run *run = &sorter->runs[sorter->run_count];
    TRY(write_run(ctx, sorter, &run->root));
    run->level = 0;
    sorter->run_count++;
    while (sorter->run_count > 1 &&
           sorter->runs[sorter->run_count - 2].level <= sorter->runs[sorter->run_count - 1].level)
        TRY(merge_last(ctx, sorter));
    return OK;
}

Status sorter_add(Ctx *ctx, Sorter *sorter, Str path, const TreeRecord *record)
{
    assert(!sorter->started);
    size_t offset = sorter->entries.size;
    encode(&sorter->entries, path, record);
    buf_add(&sorter->offsets, &offset, sizeof(offset));
    if (sorter->entries.size + sorter->offsets.size < sorter->memory_bytes)
        return OK;
    return flush(ctx, sorter);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void set_entry(Sorter *sorter)
{
    while (sorter->at < offset_count(sorter) && repeats(sorter, sorter->at))
        sorter->at++;
    sorter->has_entry = sorter->at < offset_count(sorter);
    if (sorter->has_entry)
        sorter->entry = decode(buf_bytes(&sorter->entries), offset_at(sorter, sorter->at));
}

Status sorter_start(Ctx *ctx, Sorter *sorter)
{
    assert(!sorter->started);
    sorter->started = true;
    sorter->in_memory = sorter->run_count == 0;
    if (sorter->in_memory) {
        sort_memory(sorter);
        set_entry(sorter);
        return OK;
    }
    TRY(flush(ctx, sorter));
    while (sorter->run_count > 1)
        TRY(merge_last(ctx, sorter));
    sorter->cursor = tree_cursor_new(sorter->io, &sorter->runs[0].root);
    return tree_cursor_seek(ctx, sorter->cursor, STR(""), STR(""));
}

const TreeEntry *sorter_entry(const Sorter *sorter)
{
    if (!sorter->in_memory)
        return tree_cursor_entry(sorter->cursor);
    return sorter->has_entry ? &sorter->entry : NULL;
}

Status sorter_next(Ctx *ctx, Sorter *sorter)
{
    if (!sorter->in_memory)
        return tree_cursor_next(ctx, sorter->cursor);
    sorter->at++;
    set_entry(sorter);
    return OK;
}
