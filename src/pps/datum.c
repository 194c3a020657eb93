/* datum.c - the identity of datums, and cutting them into sets; see datum.h. */
#include "pps/datum.h"

#include "codec/blake2b.h"

static void add_counted(Blake2b *b, Str text)
{
    uint8_t size[8];
    store_be64(size, text.size);
    blake2b_add(b, str_bytes(text));
    blake2b_add(b, bytes(size, sizeof(size)));
}

Hash datum_id(const DatumInput *const *inputs, size_t n)
{
    static_assert(BLAKE2B_256_SIZE == HASH_SIZE, "an id is kept as a hash");
    Blake2b b;
    blake2b_begin(&b);
    for (size_t i = 0; i < n; i++) {
        add_counted(&b, str(inputs[i]->from->name));
        add_counted(&b, str(inputs[i]->from->repo));
        add_counted(&b, str(inputs[i]->from->branch));
        add_counted(&b, inputs[i]->path);
    }
    Hash id;
    blake2b_end(&b, id.bytes);
    return id;
}

Hash datum_hash(Hasher *hasher, const Datum *datum, const char *salt)
{
    char id[HASH_HEX_SIZE];
    hasher_add(hasher, bytes(hash_hex(&datum->id, id), HASH_HEX_SIZE - 1));
    for (size_t i = 0; i < datum->input_count; i++)
        if (!datum->inputs[i]->from->reference)
            hasher_add(hasher, bytes(datum->inputs[i]->hash.bytes, HASH_SIZE));
    hasher_add(hasher, str_bytes(str(salt)));
    return hasher_finish(hasher);
}

uint64_t datum_size(const Datum *datum)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < datum->input_count; i++)
        if (__builtin_add_overflow(sum, datum->inputs[i]->size, &sum))
            return UINT64_MAX;
    return sum;
}

static uint64_t positive(int64_t value)
{
    return value > 0 ? (uint64_t)value : 0;
}

DatumSets datum_sets_new(const PpsV2__DatumSetSpec *spec, uint64_t datum_count,
                         uint64_t parallelism)
{
    DatumSets sets = {
        .number = spec ? positive(spec->number) : 0,
        .size_bytes = spec ? positive(spec->size_bytes) : 0,
    };
    if (sets.size_bytes)
        sets.number = 0;
    if (sets.size_bytes || sets.number)
        return sets;
    uint64_t per_worker = spec ? positive(spec->per_worker) : 0;
    uint64_t set_count;
    if (__builtin_mul_overflow(MAX(parallelism, 1), per_worker ? per_worker : DATUM_SETS_PER_WORKER,
                               &set_count))
        set_count = UINT64_MAX;
    sets.number = MAX(datum_count / set_count, 1);
    return sets;
}

bool datum_sets_add(DatumSets *sets, uint64_t datum_bytes)
{
    bool full =
        sets->size_bytes ? sets->in_set_bytes >= sets->size_bytes : sets->in_set >= sets->number;
    bool starts = sets->in_set == 0 || full;
    if (starts)
        sets->in_set = sets->in_set_bytes = 0;
    sets->in_set++;
    if (__builtin_add_overflow(sets->in_set_bytes, datum_bytes, &sets->in_set_bytes))
        sets->in_set_bytes = UINT64_MAX;
    return starts;
}
