/* digest.c - the files of a commit as one number, which comes and goes with each of them.
 *
 * A file's hash is over its path, its size and its content's hash; a set's is all of those xored:
 * so what a commit should hold is known without keeping what was written. */
#include "load/load_priv.h"

static void mix(LoadDigest *digest, Str path, const Hash *hash, int64_t size)
{
    CLEANUP(hasher_freep) Hasher *hasher = hasher_new();
    uint8_t head[16];
    store_le64(head, path.size);
    store_le64(head + 8, (uint64_t)size);
    hasher_add(hasher, bytes(head, sizeof(head)));
    hasher_add(hasher, str_bytes(path));
    hasher_add(hasher, bytes(hash->bytes, HASH_SIZE));
    Hash file = hasher_finish(hasher);
    for (size_t i = 0; i < HASH_SIZE; i++)
        digest->mix.bytes[i] ^= file.bytes[i];
}

void load_digest_add(LoadDigest *digest, Str path, const Hash *hash, int64_t size)
{
    mix(digest, path, hash, size);
    digest->files++;
    digest->bytes += size;
}

void load_digest_take(LoadDigest *digest, Str path, const Hash *hash, int64_t size)
{
    mix(digest, path, hash, size);
    digest->files--;
    digest->bytes -= size;
}

bool load_digest_eq(const LoadDigest *a, const LoadDigest *b)
{
    return hash_eq(&a->mix, &b->mix) && a->files == b->files && a->bytes == b->bytes;
}

/* --- reading ---------------------------------------------------------------------------------- */

typedef struct Reading {
    const PfsView *view;
    Hasher *hasher;
    int64_t size;
    LoadDigest *digest;
} Reading;

static void reading_done(Reading *reading)
{
    hasher_free(reading->hasher);
}

static Status take_piece(void *arg, Ctx *ctx, Bytes piece)
{
    Reading *reading = arg;
    (void)ctx;
    hasher_add(reading->hasher, piece);
    reading->size += (int64_t)piece.size;
    return OK;
}

static Status read_content(Ctx *ctx, Reading *reading, Str path, Hash *out)
{
    TRY(ctx_check(ctx));
    reading->size = 0;
    TRY(pfs_view_read(ctx, reading->view, path, 0, UINT64_MAX, take_piece, reading));
    *out = hasher_finish(reading->hasher);
    return OK;
}

static Status add_file(void *arg, Ctx *ctx, const PfsMatch *match, bool *out_done)
{
    Reading *reading = arg;
    Hash hash;
    (void)out_done;
    TRY(read_content(ctx, reading, match->path, &hash));
    load_digest_add(reading->digest, match->path, &hash, reading->size);
    return OK;
}

Status load_digest_of(Ctx *ctx, const PfsView *view, LoadDigest *out)
{
    *out = (LoadDigest){ 0 };
    CLEANUP(reading_done)
    Reading reading = { .view = view, .hasher = hasher_new(), .digest = out };
    const PfsPrefix all = { .prefix = STR("/"), .after = STR("") };
    return pfs_view_prefix(ctx, view, &all, add_file, &reading);
}

Status load_digest_without(Ctx *ctx, const PfsView *view, Str path, LoadDigest *digest)
{
    CLEANUP(reading_done) Reading reading = { .view = view, .hasher = hasher_new() };
    Hash hash;
    Status s = read_content(ctx, &reading, path, &hash);
    if (s.code == STATUS_NOT_FOUND)
        return OK;
    TRY(s);
    load_digest_take(digest, path, &hash, reading.size);
    return OK;
}
