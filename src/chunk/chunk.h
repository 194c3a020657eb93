/* chunk.h - content-defined cutting, hashing and compression. Pure: bytes in, values out.
 *
 * A stream is cut where a gear hash of its last bytes has zeros in given bits, so that an edit moves only the
 * cuts near it (Xia et al., "FastCDC", USENIX ATC 2016: gear hash, normalised chunking). The parameters and
 * the gear table are constants of the format: the same content always gives the same chunks.
 */
#pragma once

#include "base/ctx.h"

#define HASH_SIZE 32

/* SHA-256 of plaintext: the name of everything immutable. All zeros names "nothing" (an empty tree). */
typedef struct Hash {
    uint8_t bytes[HASH_SIZE];
} Hash;

#define HASH_HEX_SIZE (2 * HASH_SIZE + 1)

Hash hash_of(Bytes data);
bool hash_eq(const Hash *a, const Hash *b);
int hash_cmp(const Hash *a, const Hash *b);
bool hash_is_zero(const Hash *hash);
char *hash_hex(const Hash *hash, char out[HASH_HEX_SIZE]); /* returns out */
bool hash_parse(Str hex, Hash *out);

/* Streaming SHA-256. */
typedef struct Hasher Hasher;
Hasher *hasher_new(void);
void hasher_add(Hasher *hasher, Bytes data);
Hash hasher_finish(Hasher *hasher); /* and starts anew */
Hasher *hasher_free(Hasher *hasher);
static inline void hasher_freep(Hasher **hasher)
{
    *hasher = hasher_free(*hasher);
}

/* Sizes of chunks, in bytes (README.md has the figures they were chosen by). CHUNK_BYTES_MAX is the largest blob
 * there is; only monotonous data comes near it. */
#define CHUNK_BYTES_MIN (64 * KiB)
#define CHUNK_BYTES_AVG (256 * KiB)
#define CHUNK_BYTES_MAX (4 * MiB)

typedef struct CutParams {
    size_t min_bytes, avg_bytes, max_bytes; /* avg a power of two */
} CutParams;
extern const CutParams cut_params_default;

/* How many bytes of data form its first chunk: 1 to min(max_bytes, data.size), or 0 when data ends (and
 * !is_last) before a cut is found, so that more is needed. A cut never depends on bytes after it. */
size_t chunk_cut(const CutParams *params, Bytes data, bool is_last);

/* The same, where a call with the first `seen` bytes of data gave 0: they are not looked at again, so that a stream
 * that comes in pieces is read once. */
size_t chunk_cut_more(const CutParams *params, Bytes data, size_t seen, bool is_last);

/* zstd at a fixed fast level. Appends to out; false (out unchanged) when that would save under 1/16, which
 * is found out cheaply for incompressible data. */
bool chunk_compress(Bytes data, Buf *out);

/* Appends exactly plain_size bytes, at most CHUNK_BYTES_MAX, to out; out is unchanged when it fails.
 * Errors: DATA_LOSS. */
Status chunk_decompress(Ctx *ctx, Bytes data, size_t plain_size, Buf *out);
