/* content_priv.h - what the files of content share. */
#pragma once

#include "pfs/content.h"

/* Appends the blob to out. A blob that a tree or a record names and the store lacks is
 * DATA_LOSS. */
Status content_get_blob(Ctx *ctx, Content *content, const Hash *hash, Buf *out);

/* Calls fn with the chunks of a record that is not inline (one for a TREE_BLOB), in order and a run
 * at a time: a run is what one blob of a long list holds. Their memory, and what fn allocates, goes
 * after the call. fn may say that it needs no more. */
typedef struct ContentRun {
    const TreeChunk *chunks;
    size_t n;
    bool is_last;
} ContentRun;
typedef Status (*ContentRunFn)(void *arg, Ctx *ctx, const ContentRun *run, bool *out_done);
Status content_runs(Ctx *ctx, Content *content, const TreeRecord *record, ContentRunFn fn,
                    void *arg);

/* Continues the writer's file with a chunk that is stored already. Allowed only where the writer
 * stands at a cut, and only with a chunk that chunk_cut would make of the bytes from here on. */
Status content_writer_add_chunk(Ctx *ctx, ContentWriter *writer, const TreeChunk *chunk);
bool content_writer_at_cut(const ContentWriter *writer);

/* TreeAppend's join: the record of old's bytes followed by more's; `self` is the Content. */
Status content_join(void *self, Ctx *ctx, const TreeRecord *old, const TreeRecord *more,
                    TreeRecord *out);
