/* digest.h - the checksums that S3's clients send along. */
#pragma once

#include "base/bytes.h"

typedef enum DigestKind {
    DIGEST_MD5,
    DIGEST_SHA1,
    DIGEST_SHA256,
    DIGEST_CRC32,
    DIGEST_CRC32C,
    DIGEST_CRC64NVME,
    DIGEST_KIND_COUNT
} DigestKind;

#define DIGEST_BYTES_MAX 32

const char *digest_name(DigestKind kind); /* "CRC32C" */
/* By the rest of a header's name behind "x-amz-checksum-": "crc32c". False when unknown. */
bool digest_kind_of(Str name, DigestKind *out);
size_t digest_size(DigestKind kind); /* in bytes */

typedef struct Digest Digest;
Digest *digest_new(DigestKind kind);
void digest_add(Digest *digest, Bytes data);
/* Of all that was added, in the order of the wire; starts anew. */
void digest_finish(Digest *digest, uint8_t out[DIGEST_BYTES_MAX]);
Digest *digest_free(Digest *digest); /* NULL is fine */
