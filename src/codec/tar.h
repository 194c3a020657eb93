/* tar.h - tar streams: a writer whose every byte is specified, and a reader fed by pieces.
 *
 * The layout is in README.md. Own code, because clients see these bytes and workers read 10^5 files
 * a stream: USTAR, and PAX records only for what USTAR cannot say.
 */
#pragma once

#include "base/ctx.h"

#define TAR_BLOCK_BYTES    512
#define TAR_META_BYTES_MAX MiB /* one long name or one PAX header */

typedef enum TarType {
    TAR_FILE,
    TAR_DIR,
    TAR_SYMLINK,
    TAR_HARDLINK,
    TAR_OTHER, /* devices, pipes: read, never written */
} TarType;

typedef struct TarEntry {
    Str name; /* as stored, no cleaning: a leading '/' is kept */
    Str link; /* target of a link, else "" */
    TarType type;
    uint32_t mode;
    uint64_t size;   /* bytes of content that follow */
    int64_t mtime_s; /* since the epoch */
} TarEntry;

/* --- writing: header, content as it comes, padding; at the very end the end mark -------------- */

/* Owner 0 and the entry's mode, size and time; type FILE with a name that ends in '/' is written as
 * DIR. */
void tar_write_header(Buf *out, const TarEntry *entry);
void tar_write_padding(Buf *out, uint64_t size); /* after `size` bytes of content */
void tar_write_end(Buf *out);

/* --- reading ---------------------------------------------------------------------------------- */

typedef struct TarReader TarReader;

/* Called as the stream comes in; the entry's texts are valid during the call. An error ends the
 * reading. */
typedef struct TarSink {
    Status (*entry)(void *arg, Ctx *ctx, const TarEntry *entry);
    Status (*data)(void *arg, Ctx *ctx, Bytes piece); /* of the last entry; never empty */
    Status (*end)(void *arg, Ctx *ctx); /* of the last entry, also of empty ones; may be NULL */
    void *arg;
} TarSink;

TarReader *tar_reader_new(const TarSink *sink);
TarReader *tar_reader_free(TarReader *reader); /* NULL is fine */
static inline void tar_reader_freep(TarReader **reader)
{
    *reader = tar_reader_free(*reader);
}

/* Takes the next piece of the stream, of any size. What follows the end mark is ignored.
 * Errors: INVALID_ARGUMENT "not a tar stream: …" with the offset; and the sink's own. */
Status tar_reader_feed(Ctx *ctx, TarReader *reader, Bytes piece) NODISCARD;

/* The stream ended. Errors: INVALID_ARGUMENT when that was in the middle of an entry. */
Status tar_reader_finish(Ctx *ctx, TarReader *reader) NODISCARD;
