/* plan_sort.c - see Sorter in plan_priv.h: what memory holds is sorted there, the rest goes out as
 * sorted runs (plan_spill.c). */
#include "pps/plan_priv.h"

#include <stdlib.h>

struct Sorter {
    size_t memory_bytes;
    Buf entries; /* encoded one after the other */
    Buf offsets; /* size_t of each, in `entries` */
    Spill *spill;

    bool started;
    size_t at; /* without a spill: index into offsets */
    TreeEntry entry;
    bool has_entry;
};

Sorter *sorter_new(const char *spill_dir, size_t memory_bytes)
{
    Sorter *sorter = calloc(1, sizeof(*sorter));
    if (!sorter)
        abort();
    sorter->spill = spill_new(spill_dir);
    sorter->memory_bytes = memory_bytes;
    return sorter;
}

Sorter *sorter_free(Sorter *sorter)
{
    if (!sorter)
        return NULL;
    buf_done(&sorter->entries);
    buf_done(&sorter->offsets);
    spill_free(sorter->spill);
    free(sorter);
    return NULL;
}

/* --- entries: u32 size of the rest, varint path size, path, form, varint size, hash, data ----- */

static void encode(Buf *out, Str path, const TreeRecord *record)
{
    size_t start = out->size;
    buf_add(out, "\0\0\0", 4);
    buf_add_varint(out, path.size);
    buf_add_str(out, path);
    buf_add_u8(out, (uint8_t)record->form);
    buf_add_varint(out, record->size);
    buf_add(out, record->hash.bytes, HASH_SIZE);
    buf_add_bytes(out, record->data);
    store_le32(out->data + start, (uint32_t)(out->size - start - 4));
}

static uint64_t take_varint(Bytes encoded, size_t *at)
{
    uint64_t value = 0;
    bool whole = bytes_read_varint(encoded, at, &value);
    assert(whole); /* we wrote it */
    (void)whole;
    return value;
}

static Str take_path(Bytes encoded, size_t *at)
{
    size_t size = (size_t)take_varint(encoded, at);
    Str path = { (const char *)encoded.data + *at, size };
    *at += size;
    return path;
}

TreeEntry sorter_decode(Bytes encoded)
{
    size_t at = 4;
    TreeEntry entry = { .path = take_path(encoded, &at), .tag = STR("") };
    entry.record.form = (TreeForm)encoded.data[at++];
    entry.record.size = take_varint(encoded, &at);
    memcpy(entry.record.hash.bytes, encoded.data + at, HASH_SIZE);
    at += HASH_SIZE;
    entry.record.data = bytes(encoded.data + at, encoded.size - at);
    return entry;
}

/* --- in memory -------------------------------------------------------------------------------- */

static size_t entry_count(const Sorter *sorter)
{
    return sorter->offsets.size / sizeof(size_t);
}

static Bytes encoded_from(const uint8_t *data)
{
    return bytes(data, 4 + load_le32(data));
}

static Bytes encoded_at(const Sorter *sorter, size_t i)
{
    size_t offset;
    memcpy(&offset, sorter->offsets.data + i * sizeof(offset), sizeof(offset));
    return encoded_from(sorter->entries.data + offset);
}

static Str path_of(Bytes encoded)
{
    size_t at = 4;
    return take_path(encoded, &at);
}

/* By path, then by which came first. */
static int offset_cmp(const void *a, const void *b, void *entries)
{
    const uint8_t *data = entries;
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    int order = str_cmp(path_of(encoded_from(data + x)), path_of(encoded_from(data + y)));
    return order ? order : (x > y) - (x < y);
}

static void sort_memory(Sorter *sorter)
{
    if (sorter->offsets.size)
        qsort_r(sorter->offsets.data, entry_count(sorter), sizeof(size_t), offset_cmp,
                sorter->entries.data);
}

static bool repeats(const Sorter *sorter, size_t i)
{
    return i > 0 && str_eq(path_of(encoded_at(sorter, i - 1)), path_of(encoded_at(sorter, i)));
}

static Status spill_memory(Ctx *ctx, Sorter *sorter)
{
    sort_memory(sorter);
    spill_begin_run(sorter->spill);
    for (size_t i = 0; i < entry_count(sorter); i++)
        if (!repeats(sorter, i))
            TRY(spill_add(ctx, sorter->spill, encoded_at(sorter, i)));
    buf_clear(&sorter->entries);
    buf_clear(&sorter->offsets);
    return spill_end_run(ctx, sorter->spill);
}

Status sorter_add(Ctx *ctx, Sorter *sorter, Str path, const TreeRecord *record)
{
    assert(!sorter->started);
    size_t offset = sorter->entries.size;
    encode(&sorter->entries, path, record);
    buf_add(&sorter->offsets, &offset, sizeof(offset));
    if (sorter->entries.size + sorter->offsets.size < sorter->memory_bytes)
        return OK;
    return spill_memory(ctx, sorter);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void set_entry(Sorter *sorter)
{
    while (sorter->at < entry_count(sorter) && repeats(sorter, sorter->at))
        sorter->at++;
    sorter->has_entry = sorter->at < entry_count(sorter);
    if (sorter->has_entry)
        sorter->entry = sorter_decode(encoded_at(sorter, sorter->at));
}

Status sorter_start(Ctx *ctx, Sorter *sorter)
{
    assert(!sorter->started);
    sorter->started = true;
    if (!spill_is_empty(sorter->spill)) {
        TRY(spill_memory(ctx, sorter));
        return spill_merge(ctx, sorter->spill);
    }
    sort_memory(sorter);
    set_entry(sorter);
    return OK;
}

const TreeEntry *sorter_entry(const Sorter *sorter)
{
    if (!spill_is_empty(sorter->spill))
        return spill_entry(sorter->spill);
    return sorter->has_entry ? &sorter->entry : NULL;
}

Status sorter_next(Ctx *ctx, Sorter *sorter)
{
    if (!spill_is_empty(sorter->spill))
        return spill_next(ctx, sorter->spill);
    sorter->at++;
    set_entry(sorter);
    return OK;
}
