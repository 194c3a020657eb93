/* url.h - files fetched from and exported to places outside (§20).
 *
 * Errors of all: remote.h's, which name the URL and what the other side said. Each logs its
 * progress and its end. They wait for the other side until the ctx's deadline or cancellation. */
#pragma once

#include "pfs/view.h"
#include "pfs/write.h"
#include "remote/remote.h"

/* add_file.url: appends what the URL names to `path`; with `recursive`, all objects whose key
 * starts with the URL's, each below `path`. Errors: also those of paths; a failure leaves the
 * writer to be freed. */
Status pfs_url_fetch(Ctx *ctx, PfsWriter *writer, const PfsV2__AddFile *add);

/* GetFile and GetFileTAR with a URL: writes the files that the request matches below the URL, over
 * what is there; deletes nothing. Errors: NOT_FOUND when nothing matches. */
Status pfs_url_export(Ctx *ctx, Pfs *pfs, const PfsV2__GetFileRequest *request);

/* The same for all files of a tree. *out_bytes is the sum of their sizes. */
Status pfs_url_export_tree(Ctx *ctx, Pfs *pfs, const Hash *root, const char *url,
                           int64_t *out_bytes);

/* Loads all files of a tree into tables, in one transaction: the first element of a file's path
 * names its table. fn(arg, table, rows) is called for each table. Errors: UNKNOWN "unknown file
 * format …". */
Status pfs_url_load_tree(Ctx *ctx, Pfs *pfs, const Hash *root,
                         const PfsV2__SQLDatabaseEgress *target, const char *password,
                         RemoteRowsFn fn, void *arg);
/* The target's secret must name itself and its key. */
Status pfs_url_check_secret(Ctx *ctx, const PfsV2__SQLDatabaseEgress *target);
