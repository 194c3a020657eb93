/* upload.h - files that come in parts, over days and restarts, before they are put anywhere.
 *
 * An upload is a row, and each of its parts a layer with one file, durable when it was
 * acknowledged. Putting the parts together moves no bytes but those around the seams. `place` is
 * the caller's name for where uploads belong: a file of this name on the branch itself does not
 * exist before the end.
 */
#pragma once

#include "pfs/write.h"

/* The path that a part's content is written to. */
#define PFS_UPLOAD_PATH STR("/part")

typedef struct PfsUpload {
    const char *id;  /* 32 hex digits */
    const char *key; /* the caller's name of the file */
    int64_t created_ns;
} PfsUpload;

typedef struct PfsUploadPart {
    int64_t number;
    Hash layer;
    Hash hash; /* of the content */
    int64_t size_bytes, written_ns;
} PfsUploadPart;

Status pfs_upload_create(Ctx *ctx, Pfs *pfs, const char *place, const char *key,
                         const char **out_id);
/* Errors of all that take an id: NOT_FOUND (bare) when there is no such upload of this key in this
 * place. key NULL: any. */
Status pfs_upload_find(Ctx *ctx, Pfs *pfs, const char *place, const char *key, const char *id,
                       PfsUpload *out);
Status pfs_upload_delete(Ctx *ctx, Pfs *pfs, const char *place, const char *key, const char *id);

/* All uploads of a place. */
Status pfs_upload_drop(Ctx *ctx, Pfs *pfs, const char *place);

/* Ends the writer, which wrote PFS_UPLOAD_PATH and nothing else, as part `number`, in place of an
 * earlier one of that number. */
Status pfs_upload_part(Ctx *ctx, Pfs *pfs, const char *id, int64_t number, PfsWriter *writer,
                       PfsUploadPart *out);
/* Parts with numbers above `after`, ascending, into ctx's arena: at most max of them. */
Status pfs_upload_parts(Ctx *ctx, Pfs *pfs, const char *id, int64_t after, size_t max,
                        PfsUploadPart **out, size_t *out_n);
/* Uploads of a place whose keys begin with prefix, by key and then id, behind (after_key,
 * after_id): at most max. An empty after_id skips all of after_key. */
Status pfs_upload_list(Ctx *ctx, Pfs *pfs, const char *place, const char *prefix,
                       const char *after_key, const char *after_id, size_t max, PfsUpload **out,
                       size_t *out_n);

/* Puts one file made of parts[n], end to end. n > 0. *out_hash is its content's. */
Status pfs_upload_put(Ctx *ctx, Pfs *pfs, PfsWriter *writer, Str path, const PfsUploadPart *parts,
                      size_t n, Hash *out_hash);
