/* content.h - what a commit's content is made of: layers laid over a base, checked, and cut into
 * blobs. Private to pfs and pps: the part of pfs that knows trees and blobs, and no rows.
 *
 * The record of a file depends on its bytes alone, however they came: at most TREE_INLINE_MAX bytes
 * are held inline, more are cut by chunk_cut from the front. A file of one chunk is named by its
 * SHA-256, a file of several by the SHA-256 of its encoded chunk list, so that appending reads no
 * more than the last chunk.
 */
#pragma once

#include "base/thread.h"
#include "store/store.h"
#include "tree/tree.h"

/* The newest results of content_apply: what was computed ahead of a transaction is at hand inside
 * it. */
#define CONTENT_MEMO_SIZE 32
typedef struct ContentMemo {
    pthread_mutex_t lock; /* guards what follows */
    struct {
        Hash base, layer, total;
    } results[CONTENT_MEMO_SIZE];
    size_t next; /* where the next result goes: the oldest is overwritten */
} ContentMemo;

/* May be shared by threads. Needs no destruction. */
typedef struct Content {
    Store *store;
    TreeIo io;         /* over the store */
    TreeAppend append; /* joins old and new content by cutting again from the last chunk */
    ContentMemo memo;
} Content;

void content_init(Content *content, Store *store);

/* total = base ∘ layer. When the result breaks a rule of §13.4 *out_error is the text (""
 * otherwise), in ctx's arena; *out_total is set even so. Only paths that the layer touches are
 * looked at, so that base must be free of collisions: O(entries of layer × log n). The nodes
 * written are not synced. out_total may be base. */
Status content_apply(Ctx *ctx, Content *content, const Hash *base, const Hash *layer,
                     Hash *out_total, const char **out_error);

/* The rules alone: does `total`, which `layer` led to, have two datums' files at one path, or a
 * file above another file? Reports the first collision in path order, "" for none. */
Status content_check(Ctx *ctx, Content *content, const Hash *layer, const Hash *total,
                     const char **out_error);

/* Streams one file's bytes into blobs. Belongs to one thread; holds a few chunks in memory whatever
 * the file's size. After an error it can only be freed. */
typedef struct ContentWriter ContentWriter;
ContentWriter *content_writer_new(Content *content);
Status content_writer_add(Ctx *ctx, ContentWriter *writer, Bytes data);
/* The record (op PUT) of what was added; its memory is the ctx arena's. Starts anew for the next
 * file. */
Status content_writer_finish(Ctx *ctx, ContentWriter *writer, TreeRecord *out);
ContentWriter *content_writer_free(ContentWriter *writer);
static inline void content_writer_freep(ContentWriter **writer)
{
    *writer = content_writer_free(*writer);
}

/* Reads bytes [offset, offset + size) of a record's content, as far as there are any, in pieces of
 * at most a chunk and never empty. The piece, and what fn allocates in ctx's arena, go after
 * the call. Errors: fn's, the store's, DATA_LOSS for a chunk that is missing or has another size
 * than its list says. */
typedef Status (*ContentFn)(void *arg, Ctx *ctx, Bytes piece);
Status content_read(Ctx *ctx, Content *content, const TreeRecord *record, uint64_t offset,
                    uint64_t size, ContentFn fn, void *arg);
/* All of it, appended to out: for files known to be small. */
Status content_read_all(Ctx *ctx, Content *content, const TreeRecord *record, Buf *out);
