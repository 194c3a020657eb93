/* url.h - files fetched from and exported to URLs (§20). */
#pragma once

#include "pfs/write.h"

/* add_file.url: puts what the URL names at `path`. Errors: UNKNOWN "unrecognized object store:
 * <scheme>", UNIMPLEMENTED for a scheme that this server does not fetch. */
Status pfs_url_fetch(Ctx *ctx, PfsWriter *writer, const PfsV2__AddFile *add);

/* GetFile and GetFileTAR with a URL. Errors: the same. */
Status pfs_url_export(Ctx *ctx, const char *url);

/* Writes all files of a tree below the URL, over what is there; deletes nothing. *out_bytes is the
 * sum of their sizes. Errors: pfs_url_export's for what is not available, and those of writing. */
Status pfs_url_export_tree(Ctx *ctx, Pfs *pfs, const Hash *root, const char *url,
                           int64_t *out_bytes);
