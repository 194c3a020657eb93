/* chunk_bench.c - what chunk sizes cost and save: the speed of cutting, hashing and compressing,
 * and how much of an edited CSV and of a model's next checkpoint is stored again. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "chunk/chunk.h"

#define DATA_BYTES (100 * MiB)

static uint64_t next_rand(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* --- data ------------------------------------------------------------------------------------ */

static void csv_row(Buf *out, uint64_t *seed, unsigned id)
{
    static const char *const cities[] = { "Accra", "Bergen", "Cusco", "Dhaka",
                                          "Essen", "Fargo",  "Graz",  "Hanoi" };
    uint64_t r = next_rand(seed);
    buf_printf(out, "%u,%s,%u.%02u,2024-%02u-%02uT%02u:%02u:00Z,user%u@example.com\n", id,
               cities[r % 8], (unsigned)(r >> 3) % 10000, (unsigned)(r >> 17) % 100,
               (unsigned)(r >> 25) % 12 + 1, (unsigned)(r >> 30) % 28 + 1, (unsigned)(r >> 36) % 24,
               (unsigned)(r >> 42) % 60, (unsigned)(r >> 48) % 65536);
}

/* 20 rows changed in place and 10 inserted, anywhere. */
static void make_csv(Buf *before, Buf *after)
{
    uint64_t seed = 11, edit_seed = 12;
    size_t edit_each = DATA_BYTES / 30, edit_at = edit_each / 2;
    for (unsigned id = 0, edits = 0; before->size < DATA_BYTES; id++) {
        size_t row = before->size;
        csv_row(before, &seed, id);
        bool edit = row >= edit_at;
        if (edit)
            csv_row(after, &edit_seed, id);
        if (!edit || edits % 3 == 0)
            buf_add(after, before->data + row, before->size - row);
        if (edit) {
            edits++;
            edit_at += edit_each / 2 + next_rand(&edit_seed) % edit_each;
        }
    }
}

/* Weights of about unit variance, as float32. */
static void add_tensor(Buf *out, uint64_t *seed, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float weight = 0;
        for (int k = 0; k < 4; k++)
            weight += (float)(int32_t)next_rand(seed) / (float)INT32_MAX;
        buf_add(out, &weight, sizeof(weight));
    }
}

/* Tensors of 64 KiB to 8 MiB behind a header whose length changes; one in eight is trained
 * further. */
static void make_checkpoint(Buf *before, Buf *after)
{
    uint64_t seed = 21;
    buf_add_str(before, STR("{\"step\":9000}"));
    buf_add_str(after, STR("{\"step\":10000}"));
    for (unsigned tensor = 0; before->size < DATA_BYTES; tensor++) {
        size_t start = before->size, count = (size_t)16384 << next_rand(&seed) % 8;
        add_tensor(before, &seed, count);
        if (tensor % 8 == 3)
            add_tensor(after, &seed, count);
        else
            buf_add(after, before->data + start, before->size - start);
    }
}

/* --- measures -------------------------------------------------------------------------------- */

typedef struct Chunks {
    Hash *hashes;
    size_t *sizes;
    size_t count;
} Chunks;

static Chunks cut_all(const CutParams *params, Bytes data)
{
    size_t room = data.size / params->min_bytes + 1;
    Chunks chunks = { calloc(room, sizeof(Hash)), calloc(room, sizeof(size_t)), 0 };
    for (size_t at = 0; at < data.size; at += chunks.sizes[chunks.count++]) {
        size_t n = chunk_cut(params, bytes(data.data + at, data.size - at), true);
        chunks.hashes[chunks.count] = hash_of(bytes(data.data + at, n));
        chunks.sizes[chunks.count] = n;
    }
    return chunks;
}

static void chunks_done(Chunks *chunks)
{
    free(chunks->hashes);
    free(chunks->sizes);
}

/* Bytes of chunks of `after` that `before` does not have. */
static size_t new_bytes(const Chunks *before, const Chunks *after)
{
    size_t total = 0;
    for (size_t i = 0; i < after->count; i++) {
        bool known = false;
        for (size_t k = 0; k < before->count && !known; k++)
            known = hash_eq(&before->hashes[k], &after->hashes[i]);
        total += known ? 0 : after->sizes[i];
    }
    return total;
}

static size_t compressed_bytes(const Chunks *chunks, Bytes data)
{
    CLEANUP(buf_done) Buf out = { 0 };
    size_t total = 0;
    for (size_t i = 0, at = 0; i < chunks->count; at += chunks->sizes[i++]) {
        buf_clear(&out);
        bool packed = chunk_compress(bytes(data.data + at, chunks->sizes[i]), &out);
        total += packed ? out.size : chunks->sizes[i];
    }
    return total;
}

static double gb_per_s(size_t size, int64_t since_ns)
{
    return (double)size / (double)(clock_mono_ns() - since_ns);
}

static void report(const char *name, const CutParams *params, Bytes before, Bytes after)
{
    int64_t start_ns = clock_mono_ns();
    size_t cuts = 0;
    for (size_t at = 0; at < before.size; cuts++)
        at += chunk_cut(params, bytes(before.data + at, before.size - at), true);
    double cut_speed = gb_per_s(before.size, start_ns);

    Chunks old = cut_all(params, before), new = cut_all(params, after);
    start_ns = clock_mono_ns();
    size_t packed = compressed_bytes(&old, before);
    double pack_speed = gb_per_s(before.size, start_ns);
    printf("{\"bench\":\"chunk\",\"data\":\"%s\",\"min_kib\":%zu,\"avg_kib\":%zu,\"max_kib\":%zu,"
           "\"chunks\":%zu,"
           "\"new_part\":%.4f,\"packed_part\":%.3f,\"cut_gb_s\":%.2f,\"compress_gb_s\":%.2f}\n",
           name, params->min_bytes / KiB, params->avg_bytes / KiB, params->max_bytes / KiB, cuts,
           (double)new_bytes(&old, &new) / (double)after.size, (double)packed / (double)before.size,
           cut_speed, pack_speed);
    chunks_done(&old);
    chunks_done(&new);
}

static void hash_speed(Bytes data)
{
    static const size_t sizes[] = { 100, 1000, 32 * 1024, 1024 * 1024 };
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        int64_t start_ns = clock_mono_ns();
        uint8_t sum = 0;
        for (size_t at = 0; at + sizes[i] <= data.size; at += sizes[i])
            sum ^= hash_of(bytes(data.data + at, sizes[i])).bytes[0];
        printf("{\"bench\":\"hash\",\"bytes\":%zu,\"gb_s\":%.2f,\"sum\":%u}\n", sizes[i],
               gb_per_s(data.size, start_ns), sum);
    }
}

int main(void)
{
    static const CutParams all[] = {
        { 16 * KiB, 64 * KiB, 4 * MiB },
        { 64 * KiB, 256 * KiB, 4 * MiB },
        { 128 * KiB, 512 * KiB, 4 * MiB },
        { 256 * KiB, 1 * MiB, 4 * MiB },
        { 512 * KiB, 2 * MiB, 4 * MiB },
    };
    static const struct {
        const char *name;
        void (*make)(Buf *before, Buf *after);
    } data[] = {
        { "csv", make_csv },
        { "checkpoint", make_checkpoint }
    };

    for (size_t d = 0; d < ARRAY_LEN(data); d++) {
        CLEANUP(buf_done) Buf before = { 0 };
        CLEANUP(buf_done) Buf after = { 0 };
        data[d].make(&before, &after);
        if (d == 0)
            hash_speed(buf_bytes(&before));
        for (size_t i = 0; i < ARRAY_LEN(all); i++)
            report(data[d].name, &all[i], buf_bytes(&before), buf_bytes(&after));
    }
    return 0;
}
