/* format.h - the bytes of a pack: its header, its records' headers, its index. README.md draws
 * them. Pure. */
#pragma once

#include "store/store.h"

#define PACK_VERSION     1
#define PACK_HEADER_SIZE 32
#define PACK_RECORD_SIZE 56 /* of a record's header */
#define PACK_ENTRY_SIZE  48
#define PACK_FOOTER_SIZE 64

/* Bounds what sealing a pack sorts in memory; a pack that was reopened may get more. */
#define PACK_RECORDS_MAX (128 * KiB)

#define PACK_RECORD_MAGIC      "PVR1"
#define PACK_RECORD_MAGIC_SIZE 4

typedef struct PackRecord {
    Hash hash;
    uint32_t stored_size, plain_size;
    bool is_zstd;
} PackRecord;

void pack_record_encode(const PackRecord *record, uint8_t out[PACK_RECORD_SIZE]);
/* false: these bytes are no record's header. */
bool pack_record_decode(const uint8_t in[PACK_RECORD_SIZE], PackRecord *out);

typedef enum PackHeaderKind { PACK_HEADER_GOOD, PACK_HEADER_BAD, PACK_HEADER_NEWER } PackHeaderKind;

void pack_header_encode(uint64_t number, uint8_t out[PACK_HEADER_SIZE]);
PackHeaderKind pack_header_check(const uint8_t in[PACK_HEADER_SIZE], uint64_t number);

/* Where a sealed pack's index lies. */
typedef struct PackFooter {
    uint64_t number, count, index_offset;
    Hash checksum; /* of the entries and the footer's other fields */
} PackFooter;

/* false: no footer, the pack is not sealed. */
bool pack_footer_decode(const uint8_t in[PACK_FOOTER_SIZE], uint64_t file_size, PackFooter *out);

/* Appends rows[n] (of one pack, sorted here by hash) and the footer. */
void pack_index_encode(uint64_t number, uint64_t index_offset, BlobRow *rows, size_t n, Buf *out);
/* From the bytes of the entries. Errors: DATA_LOSS; RESOURCE_EXHAUSTED past ctx's limit. rows in
 * ctx's arena. */
Status pack_index_decode(Ctx *ctx, const PackFooter *footer, Bytes entries, BlobRow **out_rows);
