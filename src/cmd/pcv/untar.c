/* untar.c - put file --untar: the files of an archive as if each had been put. */
#include <errno.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "cmd/pcv/put.h"
#include "codec/tar.h"

#define READ_BYTES   (256 * KiB)
#define GZIP_OR_ZLIB (15 + 32) /* zlib: the largest window, and find out which */

typedef struct Untar {
    Put *put;
    TarReader *reader;
    bool wanted; /* the current entry is a file */
    bool empty;  /* so far */
} Untar;

bool put_is_archive(const char *source)
{
    static const char *const endings[] = { ".tar", ".tar.gz", ".tgz" };
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        if (str_ends(str(source), str(endings[i])))
            return true;
    }
    return false;
}

static Status on_entry(void *arg, Ctx *ctx, const TarEntry *entry)
{
    Untar *untar = arg;
    (void)ctx;
    untar->wanted = entry->type == TAR_FILE;
    untar->empty = true;
    if (!untar->wanted)
        return OK;
    buf_clear(&untar->put->path);
    buf_add_str(&untar->put->path, str_starts(entry->name, STR("./"))
                                       ? str_sub(entry->name, 2, entry->name.size)
                                       : entry->name);
    return put_delete(untar->put, buf_str(&untar->put->path));
}

static Status on_data(void *arg, Ctx *ctx, Bytes piece)
{
    Untar *untar = arg;
    (void)ctx;
    untar->empty = false;
    return untar->wanted ? put_piece(untar->put, buf_str(&untar->put->path), piece) : OK;
}

static Status on_end(void *arg, Ctx *ctx)
{
    Untar *untar = arg;
    (void)ctx;
    if (!untar->wanted)
        return OK;
    if (untar->empty)
        TRY(put_piece(untar->put, buf_str(&untar->put->path), bytes("", 0)));
    put_file_done(untar->put);
    return OK;
}

static Status feed_packed(Ctx *ctx, Untar *untar, z_stream *z, uint8_t *plain)
{
    int result = Z_OK;
    do {
        z->next_out = plain;
        z->avail_out = READ_BYTES;
        result = inflate(z, Z_NO_FLUSH);
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            return FAIL(ctx, INVALID_ARGUMENT, "not gzip: %s", z->msg ? z->msg : "bad data");
        TRY(tar_reader_feed(ctx, untar->reader, bytes(plain, READ_BYTES - z->avail_out)));
    } while (z->avail_out == 0);
    return OK;
}

/* Reads the archive from fd; *packed and *plain are READ_BYTES each. z is NULL when it is not
 * compressed. */
static Status feed_all(Ctx *ctx, Untar *untar, int fd, z_stream *z, uint8_t *packed, uint8_t *plain)
{
    for (;;) {
        ssize_t got = read(fd, packed, READ_BYTES);
        if (got < 0)
            return FAIL(ctx, UNKNOWN, "could not read");
        if (got == 0)
            return tar_reader_finish(ctx, untar->reader);
        if (!z) {
            TRY(tar_reader_feed(ctx, untar->reader, bytes(packed, (size_t)got)));
            continue;
        }
        z->next_in = packed;
        z->avail_in = (unsigned)got;
        TRY(feed_packed(ctx, untar, z, plain));
    }
}

static void inflate_endp(z_stream **z)
{
    if (*z)
        inflateEnd(*z);
}

Status put_archive(Put *put, const char *source)
{
    Ctx *ctx = put->cli->ctx;
    Untar untar = { .put = put };
    const TarSink sink = { on_entry, on_data, on_end, &untar };
    CLEANUP(tar_reader_freep) TarReader *reader = tar_reader_new(&sink);
    AUTO_FD fd = open(source, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return status_errno(ctx, errno, "open %s", source);
    z_stream z = { 0 };
    CLEANUP(inflate_endp) z_stream *unpacker = NULL;
    if (!str_ends(str(source), STR(".tar"))) {
        if (inflateInit2(&z, GZIP_OR_ZLIB) != Z_OK)
            return STATUS(RESOURCE_EXHAUSTED);
        unpacker = &z;
    }
    uint8_t *packed = ARENA_NEW(ctx->arena, uint8_t, READ_BYTES),
            *plain = ARENA_NEW(ctx->arena, uint8_t, READ_BYTES);
    if (!packed || !plain)
        return STATUS(RESOURCE_EXHAUSTED);
    untar.reader = reader;
    TRY_WRAP(ctx, feed_all(ctx, &untar, fd, unpacker, packed, plain), "archive '%s'", source);
    return OK;
}
