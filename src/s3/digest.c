/* digest.c - see digest.h. CRCs eight bytes at a time (slicing-by-8): tables[k][b] is the CRC of
 * byte b followed by k zeros. */
#include "s3/digest.h"

#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

#include <openssl/evp.h>

typedef struct CrcTables {
    uint64_t at[8][256];
} CrcTables;

static const struct {
    const char *name;
    size_t size;
    const EVP_MD *(*evp)(void); /* NULL: a CRC */
    uint64_t polynomial;        /* bits reversed */
} kinds[DIGEST_KIND_COUNT] = {
    [DIGEST_MD5] = { "MD5", 16, EVP_md5, 0 },
    [DIGEST_SHA1] = { "SHA1", 20, EVP_sha1, 0 },
    [DIGEST_SHA256] = { "SHA256", 32, EVP_sha256, 0 },
    [DIGEST_CRC32] = { "CRC32", 4, NULL, 0xedb88320 },
    [DIGEST_CRC32C] = { "CRC32C", 4, NULL, 0x82f63b78 },
    [DIGEST_CRC64NVME] = { "CRC64NVME", 8, NULL, 0x9a6c9329ac4bc9b5 },
};

/* Constant once made. */
static CrcTables crc_tables[DIGEST_KIND_COUNT];
static pthread_once_t crc_made = PTHREAD_ONCE_INIT;

struct Digest {
    DigestKind kind;
    EVP_MD_CTX *evp;
    uint64_t crc; /* inverted, as it is carried */
};

const char *digest_name(DigestKind kind)
{
    return kinds[kind].name;
}

size_t digest_size(DigestKind kind)
{
    return kinds[kind].size;
}

bool digest_kind_of(Str name, DigestKind *out)
{
    for (size_t i = 0; i < DIGEST_KIND_COUNT; i++) {
        if (name.size == strlen(kinds[i].name) &&
            strncasecmp(name.data, kinds[i].name, name.size) == 0) {
            *out = (DigestKind)i;
            return true;
        }
    }
    return false;
}

static void make_tables(CrcTables *tables, uint64_t polynomial)
{
    for (unsigned b = 0; b < 256; b++) {
        uint64_t crc = b;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
        tables->at[0][b] = crc;
    }
    for (unsigned b = 0; b < 256; b++) {
        for (int k = 1; k < 8; k++) {
            uint64_t before = tables->at[k - 1][b];
            tables->at[k][b] = before >> 8 ^ tables->at[0][before & 0xff];
        }
    }
}

static void make_all_tables(void)
{
    for (size_t i = 0; i < DIGEST_KIND_COUNT; i++) {
        if (!kinds[i].evp)
            make_tables(&crc_tables[i], kinds[i].polynomial);
    }
}

static void restart(Digest *digest)
{
    digest->crc = UINT64_MAX >> (64 - 8 * MIN(kinds[digest->kind].size, (size_t)8));
    if (digest->evp)
        EVP_DigestInit_ex(digest->evp, kinds[digest->kind].evp(), NULL);
}

Digest *digest_new(DigestKind kind)
{
    Digest *digest = calloc(1, sizeof(*digest));
    if (!digest || (kinds[kind].evp && !(digest->evp = EVP_MD_CTX_new())))
        abort();
    digest->kind = kind;
    pthread_once(&crc_made, make_all_tables);
    restart(digest);
    return digest;
}

static uint64_t add_crc(const CrcTables *tables, uint64_t crc, Bytes data)
{
    const uint8_t *p = data.data;
    size_t left = data.size;
    for (; left >= 8; left -= 8, p += 8) {
        crc ^= load_le64(p);
        crc = tables->at[7][crc & 0xff] ^ tables->at[6][crc >> 8 & 0xff] ^
              tables->at[5][crc >> 16 & 0xff] ^ tables->at[4][crc >> 24 & 0xff] ^
              tables->at[3][crc >> 32 & 0xff] ^ tables->at[2][crc >> 40 & 0xff] ^
              tables->at[1][crc >> 48 & 0xff] ^ tables->at[0][crc >> 56];
    }
    for (; left; left--, p++)
        crc = crc >> 8 ^ tables->at[0][(crc ^ *p) & 0xff];
    return crc;
}

void digest_add(Digest *digest, Bytes data)
{
    if (digest->evp)
        EVP_DigestUpdate(digest->evp, data.data, data.size);
    else
        digest->crc = add_crc(&crc_tables[digest->kind], digest->crc, data);
}

void digest_finish(Digest *digest, uint8_t out[DIGEST_BYTES_MAX])
{
    size_t size = kinds[digest->kind].size;
    if (digest->evp) {
        EVP_DigestFinal_ex(digest->evp, out, NULL);
    } else {
        for (size_t i = 0; i < size; i++)
            out[i] = (uint8_t)(~digest->crc >> (8 * (size - 1 - i)));
    }
    restart(digest);
}

Digest *digest_free(Digest *digest)
{
    if (digest) {
        EVP_MD_CTX_free(digest->evp);
        free(digest);
    }
    return NULL;
}
