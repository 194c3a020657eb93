/* blake2b.h - BLAKE2b with 32 bytes of result and no key (RFC 7693): how clients of Pachyderm check
 * the bytes that they fetch by recipes, and the ids that they know datums by. Everything of ours is
 * named by SHA-256. */
#pragma once

#include "base/bytes.h"

#define BLAKE2B_256_SIZE   32
#define BLAKE2B_BLOCK_SIZE 128

void blake2b_256(Bytes data, uint8_t out[BLAKE2B_256_SIZE]);

/* The same of bytes that come piece by piece. */
typedef struct Blake2b {
    uint64_t h[8], count; /* bytes in blocks that were compressed */
    uint8_t block[BLAKE2B_BLOCK_SIZE];
    size_t filled;
} Blake2b;

void blake2b_begin(Blake2b *b);
void blake2b_add(Blake2b *b, Bytes data);
void blake2b_end(Blake2b *b, uint8_t out[BLAKE2B_256_SIZE]);
