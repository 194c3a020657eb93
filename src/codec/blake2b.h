/* blake2b.h - BLAKE2b with 32 bytes of result and no key (RFC 7693): how clients of Pachyderm check
 * the bytes that they fetch by recipes. Everything of ours is named by SHA-256. */
#pragma once

#include "base/bytes.h"

#define BLAKE2B_256_SIZE 32

void blake2b_256(Bytes data, uint8_t out[BLAKE2B_256_SIZE]);
