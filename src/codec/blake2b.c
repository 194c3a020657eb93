/* blake2b.c - see blake2b.h. The names are those of RFC 7693. */
#include "codec/blake2b.h"

#include <string.h>

#define ROUNDS 12

static const uint64_t iv[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

/* Which words of a block a round mixes, in order. Rounds 10 and 11 are 0 and 1 again. */
static const uint8_t sigma[10][16] = {
    { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
    { 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
    { 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
    { 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
    { 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
    { 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
    { 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
    { 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
    { 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
    { 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

static uint64_t rotate(uint64_t x, unsigned n)
{
    return x >> n | x << (64 - n);
}

/* G: mixes two words into four places of the state. */
static inline void mix(uint64_t v[16], size_t a, size_t b, size_t c, size_t d, uint64_t x,
                       uint64_t y)
{
    v[a] += v[b] + x;
    v[d] = rotate(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = rotate(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 63);
}

/* The places are written out so that the compiler can keep the state in registers. */
static inline void mix_round(uint64_t v[16], const uint64_t m[16], const uint8_t order[16])
{
    mix(v, 0, 4, 8, 12, m[order[0]], m[order[1]]);
    mix(v, 1, 5, 9, 13, m[order[2]], m[order[3]]);
    mix(v, 2, 6, 10, 14, m[order[4]], m[order[5]]);
    mix(v, 3, 7, 11, 15, m[order[6]], m[order[7]]);
    mix(v, 0, 5, 10, 15, m[order[8]], m[order[9]]);
    mix(v, 1, 6, 11, 12, m[order[10]], m[order[11]]);
    mix(v, 2, 7, 8, 13, m[order[12]], m[order[13]]);
    mix(v, 3, 4, 9, 14, m[order[14]], m[order[15]]);
}

/* F: takes one block into the state h; `count` bytes were taken with it. */
static void compress(uint64_t h[8], const uint8_t *block, uint64_t count, bool last)
{
    uint64_t v[16], m[16];
    for (size_t i = 0; i < 16; i++)
        m[i] = load_le64(block + 8 * i);
    memcpy(v, h, 8 * sizeof(*v));
    memcpy(v + 8, iv, sizeof(iv));
    v[12] ^= count;
    if (last)
        v[14] = ~v[14];
    for (size_t round = 0; round < ROUNDS; round++)
        mix_round(v, m, sigma[round % 10]);
    for (size_t i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[i + 8];
}

void blake2b_begin(Blake2b *b)
{
    *b = (Blake2b){ .filled = 0 };
    memcpy(b->h, iv, sizeof(b->h));
    b->h[0] ^= 0x01010000 ^ BLAKE2B_256_SIZE;
}

/* A full block waits until more comes: the last one is compressed in another way. */
void blake2b_add(Blake2b *b, Bytes data)
{
    while (data.size) {
        if (b->filled == BLAKE2B_BLOCK_SIZE) {
            b->count += BLAKE2B_BLOCK_SIZE;
            compress(b->h, b->block, b->count, false);
            b->filled = 0;
        }
        size_t n = MIN(data.size, BLAKE2B_BLOCK_SIZE - b->filled);
        memcpy(b->block + b->filled, data.data, n);
        b->filled += n;
        data = bytes(data.data + n, data.size - n);
    }
}

void blake2b_end(Blake2b *b, uint8_t out[BLAKE2B_256_SIZE])
{
    memset(b->block + b->filled, 0, BLAKE2B_BLOCK_SIZE - b->filled);
    compress(b->h, b->block, b->count + b->filled, true);
    for (size_t i = 0; i < BLAKE2B_256_SIZE / 8; i++)
        store_le64(out + 8 * i, b->h[i]);
}

void blake2b_256(Bytes data, uint8_t out[BLAKE2B_256_SIZE])
{
    Blake2b b;
    blake2b_begin(&b);
    blake2b_add(&b, data);
    blake2b_end(&b, out);
}
