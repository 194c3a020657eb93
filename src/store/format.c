/* format.c - see format.h. A header carries eight bytes of its own hash, so that one found by
 * chance, or half written, is told from a real one. */
#include "store/format.h"

#include <stdlib.h>

#define HEADER_MAGIC "PCVPACK"
#define FOOTER_MAGIC "PCVINDEX"
#define MAGIC_SIZE   8
#define CHECK_SIZE   8

#define FLAG_ZSTD UINT32_C(1)

static void add_check(uint8_t *data, size_t size)
{
    Hash hash = hash_of(bytes(data, size));
    memcpy(data + size, hash.bytes, CHECK_SIZE);
}

static bool check_is_good(const uint8_t *data, size_t size)
{
    Hash hash = hash_of(bytes(data, size));
    return memcmp(data + size, hash.bytes, CHECK_SIZE) == 0;
}

/* --- records ---------------------------------------------------------------------------------- */

static_assert(4 + 4 + 4 + 4 + HASH_SIZE + CHECK_SIZE == PACK_RECORD_SIZE, "a record's header");

void pack_record_encode(const PackRecord *record, uint8_t out[PACK_RECORD_SIZE])
{
    memcpy(out, PACK_RECORD_MAGIC, PACK_RECORD_MAGIC_SIZE);
    store_le32(out + 4, record->is_zstd ? FLAG_ZSTD : 0);
    store_le32(out + 8, record->stored_size);
    store_le32(out + 12, record->plain_size);
    memcpy(out + 16, record->hash.bytes, HASH_SIZE);
    add_check(out, 16 + HASH_SIZE);
}

bool pack_record_decode(const uint8_t in[PACK_RECORD_SIZE], PackRecord *out)
{
    if (memcmp(in, PACK_RECORD_MAGIC, PACK_RECORD_MAGIC_SIZE) != 0 ||
        !check_is_good(in, 16 + HASH_SIZE))
        return false;
    uint32_t flags = load_le32(in + 4);
    *out = (PackRecord){
        .stored_size = load_le32(in + 8),
        .plain_size = load_le32(in + 12),
        .is_zstd = flags & FLAG_ZSTD,
    };
    memcpy(out->hash.bytes, in + 16, HASH_SIZE);
    bool sizes_fit =
        out->is_zstd ? out->stored_size < out->plain_size : out->stored_size == out->plain_size;
    return (flags & ~FLAG_ZSTD) == 0 && sizes_fit && out->plain_size <= CHUNK_BYTES_MAX;
}

/* --- the file's header ------------------------------------------------------------------------ */

static_assert(MAGIC_SIZE + 4 + 4 + 8 + CHECK_SIZE == PACK_HEADER_SIZE, "a pack's header");

static void header_encode(uint64_t number, uint32_t version, uint8_t out[PACK_HEADER_SIZE])
{
    memcpy(out, HEADER_MAGIC, MAGIC_SIZE);
    store_le32(out + 8, version);
    store_le32(out + 12, 0);
    store_le64(out + 16, number);
    add_check(out, 24);
}

void pack_header_encode(uint64_t number, uint8_t out[PACK_HEADER_SIZE])
{
    header_encode(number, PACK_VERSION, out);
}

PackHeaderKind pack_header_check(const uint8_t in[PACK_HEADER_SIZE], uint64_t number)
{
    uint8_t expected[PACK_HEADER_SIZE];
    uint32_t version = load_le32(in + 8);
    header_encode(number, version, expected);
    if (memcmp(in, expected, PACK_HEADER_SIZE) != 0)
        return PACK_HEADER_BAD;
    return version == PACK_VERSION ? PACK_HEADER_GOOD : PACK_HEADER_NEWER;
}

/* --- the index -------------------------------------------------------------------------------- */

static_assert(HASH_SIZE + 8 + 4 + 4 == PACK_ENTRY_SIZE, "an entry of the index");
static_assert(HASH_SIZE + 8 + 8 + 8 + MAGIC_SIZE == PACK_FOOTER_SIZE, "a pack's footer");

static int by_hash(const void *a, const void *b)
{
    const BlobRow *left = a, *right = b;
    int order = hash_cmp(&left->hash, &right->hash);
    if (order)
        return order;
    return (left->place.offset > right->place.offset) - (left->place.offset < right->place.offset);
}

static void entry_encode(const BlobRow *row, uint8_t out[PACK_ENTRY_SIZE])
{
    memcpy(out, row->hash.bytes, HASH_SIZE);
    store_le64(out + HASH_SIZE, row->place.offset);
    store_le32(out + HASH_SIZE + 8, row->place.stored_size);
    store_le32(out + HASH_SIZE + 12, row->place.plain_size);
}

static void entry_decode(const uint8_t in[PACK_ENTRY_SIZE], uint64_t pack, BlobRow *out)
{
    memcpy(out->hash.bytes, in, HASH_SIZE);
    out->place = (BlobPlace){
        .pack = pack,
        .offset = load_le64(in + HASH_SIZE),
        .stored_size = load_le32(in + HASH_SIZE + 8),
        .plain_size = load_le32(in + HASH_SIZE + 12),
    };
}

/* The footer without its checksum, which comes first. */
static void footer_fields_encode(const PackFooter *footer,
                                 uint8_t out[PACK_FOOTER_SIZE - HASH_SIZE])
{
    store_le64(out, footer->number);
    store_le64(out + 8, footer->count);
    store_le64(out + 16, footer->index_offset);
    memcpy(out + 24, FOOTER_MAGIC, MAGIC_SIZE);
}

static Hash index_checksum(const PackFooter *footer, Bytes entries)
{
    uint8_t fields[PACK_FOOTER_SIZE - HASH_SIZE];
    footer_fields_encode(footer, fields);
    CLEANUP(hasher_freep) Hasher *hasher = hasher_new();
    hasher_add(hasher, entries);
    hasher_add(hasher, bytes(fields, sizeof(fields)));
    return hasher_finish(hasher);
}

void pack_index_encode(uint64_t number, uint64_t index_offset, BlobRow *rows, size_t n, Buf *out)
{
    qsort(rows, n, sizeof(*rows), by_hash);
    size_t size = n * PACK_ENTRY_SIZE;
    buf_reserve(out, size + PACK_FOOTER_SIZE);
    uint8_t *at = out->data + out->size;
    for (size_t i = 0; i < n; i++)
        entry_encode(&rows[i], at + i * PACK_ENTRY_SIZE);
    PackFooter footer = { .number = number, .count = n, .index_offset = index_offset };
    footer.checksum = index_checksum(&footer, bytes(at, size));
    memcpy(at + size, footer.checksum.bytes, HASH_SIZE);
    footer_fields_encode(&footer, at + size + HASH_SIZE);
    out->size += size + PACK_FOOTER_SIZE;
}

bool pack_footer_decode(const uint8_t in[PACK_FOOTER_SIZE], uint64_t file_size, PackFooter *out)
{
    const uint8_t *fields = in + HASH_SIZE;
    if (memcmp(fields + 24, FOOTER_MAGIC, MAGIC_SIZE) != 0)
        return false;
    *out = (PackFooter){
        .number = load_le64(fields),
        .count = load_le64(fields + 8),
        .index_offset = load_le64(fields + 16),
    };
    memcpy(out->checksum.bytes, in, HASH_SIZE);
    return out->count <= file_size / PACK_ENTRY_SIZE && out->index_offset >= PACK_HEADER_SIZE &&
           out->index_offset <= file_size &&
           file_size - out->index_offset == out->count * PACK_ENTRY_SIZE + PACK_FOOTER_SIZE;
}

Status pack_index_decode(Ctx *ctx, const PackFooter *footer, Bytes entries, BlobRow **out_rows)
{
    assert(entries.size == footer->count * PACK_ENTRY_SIZE);
    Hash checksum = index_checksum(footer, entries);
    if (!hash_eq(&checksum, &footer->checksum))
        return FAIL(ctx, DATA_LOSS, "the index does not match its checksum");
    BlobRow *rows = ARENA_NEW(ctx->arena, BlobRow, footer->count);
    if (!rows)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < footer->count; i++)
        entry_decode(entries.data + i * PACK_ENTRY_SIZE, footer->number, &rows[i]);
    *out_rows = rows;
    return OK;
}
