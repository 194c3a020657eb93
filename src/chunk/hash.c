/* hash.c - SHA-256 and names made of it.
 *
 * libcrypto's low-level functions keep their state where the caller wants it and look nothing up:
 * 90 ns for 100 bytes, where EVP with a context kept per thread takes 144 and EVP_Q_digest 450
 * (both the same from 32 KiB on). They are marked deprecated in favour of EVP, so this file asks
 * for the 1.1.1 API.
 */
#define OPENSSL_API_COMPAT 0x10101000L

#include "chunk/chunk.h"

#include <stdlib.h>

#include <openssl/sha.h>

static_assert(SHA256_DIGEST_LENGTH == HASH_SIZE, "a Hash is a SHA-256");

struct Hasher {
    SHA256_CTX sha;
};

Hash hash_of(Bytes data)
{
    SHA256_CTX sha;
    SHA256_Init(&sha);
    SHA256_Update(&sha, data.data, data.size);
    Hash hash;
    SHA256_Final(hash.bytes, &sha);
    return hash;
}

bool hash_eq(const Hash *a, const Hash *b)
{
    return memcmp(a->bytes, b->bytes, HASH_SIZE) == 0;
}

int hash_cmp(const Hash *a, const Hash *b)
{
    return memcmp(a->bytes, b->bytes, HASH_SIZE);
}

bool hash_is_zero(const Hash *hash)
{
    static const Hash zero;
    return hash_eq(hash, &zero);
}

char *hash_hex(const Hash *hash, char out[HASH_HEX_SIZE])
{
    hex_encode(hash->bytes, HASH_SIZE, out);
    return out;
}

bool hash_parse(Str hex, Hash *out)
{
    Hash hash;
    if (!hex_decode(hex, hash.bytes, HASH_SIZE))
        return false;
    *out = hash;
    return true;
}

Hasher *hasher_new(void)
{
    Hasher *hasher = malloc(sizeof(*hasher));
    if (!hasher)
        abort();
    SHA256_Init(&hasher->sha);
    return hasher;
}

void hasher_add(Hasher *hasher, Bytes data)
{
    SHA256_Update(&hasher->sha, data.data, data.size);
}

Hash hasher_finish(Hasher *hasher)
{
    Hash hash;
    SHA256_Final(hash.bytes, &hasher->sha);
    SHA256_Init(&hasher->sha);
    return hash;
}

Hasher *hasher_free(Hasher *hasher)
{
    free(hasher);
    return NULL;
}
