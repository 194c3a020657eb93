/* content.h - what a commit's content is made of: layers laid over a base, checked, and cut into blobs.
 * Private to pfs and pps: the part of pfs that knows trees and blobs, and no rows. */
#pragma once

#include "store/store.h"
#include "tree/tree.h"

typedef struct Content {
    Store *store;
    TreeIo io;         /* over the store */
    TreeAppend append; /* joins old and new content by cutting again from the last chunk */
} Content;

void content_init(Content *content, Store *store);

/* total = base ∘ layer. When the result breaks a rule of §13.4 *out_error is the text ("" otherwise); only paths that
 * the layer touches are looked at: O(entries of layer × log n). */
Status content_apply(Ctx *ctx, Content *content, const Hash *base, const Hash *layer, Hash *out_total,
                     const char **out_error);

/* Streams one file's bytes into blobs. */
typedef struct ContentWriter ContentWriter;
ContentWriter *content_writer_new(Content *content);
Status content_writer_add(Ctx *ctx, ContentWriter *writer, Bytes data);
/* The record (op PUT) of what was added; its memory is the ctx arena's. Starts anew for the next file. */
Status content_writer_finish(Ctx *ctx, ContentWriter *writer, TreeRecord *out);
ContentWriter *content_writer_free(ContentWriter *writer);
static inline void content_writer_freep(ContentWriter **writer)
{
    *writer = content_writer_free(*writer);
}

/* Reads bytes [offset, offset + size) of a record's content in pieces of at most a chunk. */
typedef Status (*ContentFn)(void *arg, Ctx *ctx, Bytes piece);
Status content_read(Ctx *ctx, Content *content, const TreeRecord *record, uint64_t offset, uint64_t size,
                    ContentFn fn, void *arg);
