/* write.h - writing files (§14) and file sets (§17).
 *
 * A PfsWriter takes the operations of one stream, in order, cuts content into blobs as it comes (so
 * memory does not grow with the stream: entries spill as layers), and in the end becomes a layer of
 * a commit, or a file set: atomically, durable, or not at all.
 */
#pragma once

#include "pfs/pfs.h"
#include "tree/tree.h"

/* The repo name that stands for file sets in a commit handle (§17.2). */
#define PFS_FILESETS_REPO "__filesets__"

typedef struct PfsWriter PfsWriter;
struct PfsView; /* view.h */

PfsWriter *pfs_writer_new(Pfs *pfs);
PfsWriter *pfs_writer_free(PfsWriter *writer); /* NULL is fine: drops what was not finished */
static inline void pfs_writer_freep(PfsWriter **writer)
{
    *writer = pfs_writer_free(*writer);
}

/* A writer belongs to one thread at a time. After an error it can only be freed; what it wrote is
 * garbage that nothing refers to. Calls leave nothing behind in their ctx's arena but the message
 * of an error. */

/* §14.2: decides which commit is written; fails early when it can. Without it (file sets, layers)
 * recursive deletes see this stream's files only. */
Status pfs_writer_target(Ctx *ctx, PfsWriter *writer, const PfsV2__Commit *commit);
/* The end shall fail with FAILED_PRECONDITION and §13.4's text rather than make a commit, or leave an
 * open one, that breaks a rule of it. */
void pfs_writer_be_strict(PfsWriter *writer);
/* Any message but set_commit (UNKNOWN "cannot set commit"). */
Status pfs_writer_modify(Ctx *ctx, PfsWriter *writer, const PfsV2__ModifyFileRequest *request);

/* The pieces, for callers that have no message. Paths are as users give them, checked and cleaned
 * (§3.5); tag "" is "default". put starts a file, replacing what is there; append continues or
 * extends it; delete of a path with a slash at its end is recursive. A record is put or appended as
 * its op says. */
Status pfs_writer_put(Ctx *ctx, PfsWriter *writer, Str path, Str tag, Bytes data);
Status pfs_writer_append(Ctx *ctx, PfsWriter *writer, Str path, Str tag, Bytes data);
Status pfs_writer_put_record(Ctx *ctx, PfsWriter *writer, Str path, Str tag,
                             const TreeRecord *record);
Status pfs_writer_delete(Ctx *ctx, PfsWriter *writer, Str path, Str tag);
/* Puts or appends what `view` holds at a clean path, as §14.5 says, without moving bytes. */
Status pfs_writer_copy(Ctx *ctx, PfsWriter *writer, Str dst, Str tag, const struct PfsView *view,
                       Str src, bool append);

/* Ends the file that is coming in, which was put: the hash of its content. */
Status pfs_writer_end_put(Ctx *ctx, PfsWriter *writer, Hash *out_hash);

/* Ends the stream: syncs the blobs and attaches to the target (a one-off commit when §14.2 says
 * so). */
Status pfs_writer_commit(Ctx *ctx, PfsWriter *writer);
/* The id of the commit written to, once pfs_writer_commit went well. */
const char *pfs_writer_commit_id(const PfsWriter *writer);
/* Ends the stream as a layer with no target: its root, blobs synced. */
Status pfs_writer_layer(Ctx *ctx, PfsWriter *writer, Hash *out_layer);

/* --- file sets (§17) -------------------------------------------------------------------------- */

Status pfs_fileset_from_writer(Ctx *ctx, PfsWriter *writer, const char **out_id);
Status pfs_fileset_get(Ctx *ctx, Pfs *pfs, const PfsV2__GetFileSetRequest *request,
                       const char **out_id);
Status pfs_fileset_add(Ctx *ctx, Pfs *pfs, const PfsV2__AddFileSetRequest *request);
Status pfs_fileset_renew(Ctx *ctx, Pfs *pfs, const char *id, int64_t ttl_seconds);
Status pfs_fileset_compose(Ctx *ctx, Pfs *pfs, char *const *ids, size_t n, int64_t ttl_seconds,
                           const char **out_id);
/* Keeps a file set beyond its time until it was unpinned as often. Errors: UNKNOWN "dangling
 * reference …" when there is none. Unpinning one that is not there does nothing. */
Status pfs_fileset_pin(Ctx *ctx, PfsTx *tx, const char *id);
Status pfs_fileset_unpin(Ctx *ctx, PfsTx *tx, const char *id);
Status pfs_fileset_shard(Ctx *ctx, Pfs *pfs, const PfsV2__ShardFileSetRequest *request,
                         PfsV2__ShardFileSetResponse **out);
/* The layer of a file set, and its plain content. UNKNOWN "path does not exist" when missing or
 * expired. */
Status pfs_fileset_roots(Ctx *ctx, Pfs *pfs, const char *id, Hash *out_layer, Hash *out_root);
