/* compress.c - zstd where it helps.
 *
 * zstd's contexts are kept per thread (0.7 MB at most) and go when the thread ends: making them
 * anew costs 12 us, four times what compressing 1 KB takes.
 */
#include "chunk/chunk.h"

#include <pthread.h>
#include <stdlib.h>

#include <zstd.h>

#define ZSTD_LEVEL 1

/* Larger data is tried on pieces from all over it first, which tells noise from text in 10 us. */
#define SAMPLE_BYTES      (4 * KiB)
#define SAMPLE_COUNT      4
#define SAMPLED_BYTES_MIN (64 * KiB)

/* Compressing must save this part, or the data is kept as it is. */
#define SAVING_PART 16

/* The largest compressed size that is worth it. */
static size_t worth_bytes(size_t size)
{
    return size - (size + SAVING_PART - 1) / SAVING_PART;
}

typedef struct Contexts {
    ZSTD_CCtx *compress;
    ZSTD_DCtx *decompress;
} Contexts;

static pthread_key_t contexts_key;
static pthread_once_t contexts_once = PTHREAD_ONCE_INIT;

static void contexts_free(void *arg)
{
    Contexts *contexts = arg;
    ZSTD_freeCCtx(contexts->compress);
    ZSTD_freeDCtx(contexts->decompress);
    free(contexts);
}

static void contexts_key_new(void)
{
    if (pthread_key_create(&contexts_key, contexts_free) != 0)
        abort();
}

static Contexts *contexts_of_thread(void)
{
    pthread_once(&contexts_once, contexts_key_new);
    Contexts *contexts = pthread_getspecific(contexts_key);
    if (contexts)
        return contexts;
    contexts = malloc(sizeof(*contexts));
    if (!contexts)
        abort();
    *contexts = (Contexts){ ZSTD_createCCtx(), ZSTD_createDCtx() };
    if (!contexts->compress || !contexts->decompress ||
        pthread_setspecific(contexts_key, contexts) != 0)
        abort();
    return contexts;
}

/* Compresses into room for a result that is worth it: zstd stops early when the room runs out. */
static bool compress_into(Bytes data, uint8_t *out, size_t *out_size)
{
    *out_size = ZSTD_compressCCtx(contexts_of_thread()->compress, out, worth_bytes(data.size),
                                  data.data, data.size, ZSTD_LEVEL);
    return !ZSTD_isError(*out_size);
}

static bool samples_compress(Bytes data)
{
    uint8_t samples[SAMPLE_COUNT * SAMPLE_BYTES], out[sizeof(samples)];
    size_t stride = (data.size - SAMPLE_BYTES) / (SAMPLE_COUNT - 1);
    for (size_t i = 0; i < SAMPLE_COUNT; i++)
        memcpy(samples + i * SAMPLE_BYTES, data.data + i * stride, SAMPLE_BYTES);
    size_t size;
    return compress_into(bytes(samples, sizeof(samples)), out, &size);
}

bool chunk_compress(Bytes data, Buf *out)
{
    if (data.size < SAVING_PART || (data.size >= SAMPLED_BYTES_MIN && !samples_compress(data)))
        return false;
    buf_reserve(out, worth_bytes(data.size));
    size_t size;
    if (!compress_into(data, out->data + out->size, &size))
        return false;
    out->size += size;
    return true;
}

Status chunk_decompress(Ctx *ctx, Bytes data, size_t plain_size, Buf *out)
{
    if (plain_size > CHUNK_BYTES_MAX)
        return FAIL(ctx, DATA_LOSS, "compressed chunk claims %zu bytes, over the limit of %zu",
                    plain_size, CHUNK_BYTES_MAX);
    if (ZSTD_getFrameContentSize(data.data, data.size) != plain_size)
        return FAIL(ctx, DATA_LOSS, "compressed chunk is not a zstd frame of %zu bytes",
                    plain_size);
    buf_reserve(out, plain_size + 1); /* so that out->data is never NULL */
    size_t size = ZSTD_decompressDCtx(contexts_of_thread()->decompress, out->data + out->size,
                                      plain_size, data.data, data.size);
    if (ZSTD_isError(size))
        return FAIL(ctx, DATA_LOSS, "could not decompress chunk: %s", ZSTD_getErrorName(size));
    if (size != plain_size)
        return FAIL(ctx, DATA_LOSS, "compressed chunk holds %zu bytes instead of %zu", size,
                    plain_size);
    out->size += size;
    return OK;
}
