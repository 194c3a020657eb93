/* view.h - reading files (§13, §15): one consistent snapshot of a commit or file set, and every
 * listing of it.
 *
 * A PfsView is a root hash and the handle to report; it holds no lock and no transaction. All
 * results come in path order; costs are O(log n + what is returned). Threads: any; a view may be
 * shared.
 *
 * What a callback is given is valid during the call, and so is what the callback allocates in its
 * ctx's arena: a stream of any length runs in constant memory. An error from a callback ends the
 * stream and is returned. Errors of all: those of picking (§5); UNKNOWN with §13.4's text when a
 * collision lies in what is read.
 */
#pragma once

#include "pfs/content.h"
#include "pfs/pfs.h"

typedef struct PfsView {
    Pfs *pfs;
    Content *content;
    Hash root;
    PfsV2__Commit *commit; /* as reported in FileInfo.file.commit */
    int64_t committed_ns;  /* finishing time; 0: open or a file set */
    int64_t commit_id;     /* row; 0 for a file set */
} PfsView;

/* Picks and opens; waits for a finishing commit (§9.4). In ctx's arena. Errors: UNKNOWN "commit
 * cannot be nil", "commit must have a repo". */
Status pfs_view_open(Ctx *ctx, Pfs *pfs, const PfsV2__Commit *commit, PfsView *out);

typedef Status (*PfsFileFn)(void *arg, Ctx *ctx, const PfsV2__FileInfo *info);
typedef Status (*PfsBytesFn)(void *arg, Ctx *ctx,
                             Bytes piece); /* never empty, at most PFS_PIECE_BYTES_MAX */
/* Either side is NULL where there is nothing. */
typedef Status (*PfsDiffFn)(void *arg, Ctx *ctx, const PfsV2__FileInfo *new_file,
                            const PfsV2__FileInfo *old_file);
#define PFS_PIECE_BYTES_MAX CHUNK_BYTES_MAX

/* §15.2. NOT_FOUND "file … not found in repo … at commit …". */
Status pfs_inspect_file(Ctx *ctx, Pfs *pfs, const PfsV2__File *file, PfsV2__FileInfo **out);
/* §15.3. */
Status pfs_list_file(Ctx *ctx, Pfs *pfs, const PfsV2__ListFileRequest *request, PfsFileFn fn,
                     void *arg);
Status pfs_walk_file(Ctx *ctx, Pfs *pfs, const PfsV2__WalkFileRequest *request, PfsFileFn fn,
                     void *arg);
/* §16. */
Status pfs_glob_file(Ctx *ctx, Pfs *pfs, const PfsV2__GlobFileRequest *request, PfsFileFn fn,
                     void *arg);
/* §15.6. O(changes) when both sides name the same path. */
Status pfs_diff_file(Ctx *ctx, Pfs *pfs, const PfsV2__DiffFileRequest *request, PfsDiffFn fn,
                     void *arg);
/* §15.4, §15.5. */
Status pfs_get_file(Ctx *ctx, Pfs *pfs, const PfsV2__GetFileRequest *request, PfsBytesFn fn,
                    void *arg);
Status pfs_get_file_tar(Ctx *ctx, Pfs *pfs, const PfsV2__GetFileRequest *request, PfsBytesFn fn,
                        void *arg);
/* §18.3. UNAVAILABLE with a ResourceInfo for a commit that is not finished. */
typedef Status (*PfsFindFn)(void *arg, Ctx *ctx, const PfsV2__FindCommitsResponse *response);
Status pfs_find_commits(Ctx *ctx, Pfs *pfs, const PfsV2__FindCommitsRequest *request, PfsFindFn fn,
                        void *arg);

/* For pps: what a glob matches in a view, files and directories (paths of directories end with
 * '/'); hash covers the subtree. */
typedef struct PfsMatch {
    Str path;
    bool is_dir;
    uint64_t size;
    Hash hash;
} PfsMatch;
typedef Status (*PfsMatchFn)(void *arg, Ctx *ctx, const PfsMatch *match);
Status pfs_view_glob(Ctx *ctx, const PfsView *view, const char *glob, PfsMatchFn fn, void *arg);
/* The same for one path ("/a/b" or "/a/b/"): NOT_FOUND (bare) when nothing is there. */
Status pfs_view_stat(Ctx *ctx, const PfsView *view, Str path, PfsMatch *out);

/* Bytes [offset, offset + size) of one file, as far as there are any. Errors: NOT_FOUND (bare) when
 * no file is at the path ("/a/b"). */
Status pfs_view_read(Ctx *ctx, const PfsView *view, Str path, uint64_t offset, uint64_t size,
                     PfsBytesFn fn, void *arg);

/* What begins with a prefix that need not end at a '/', in bytewise order: files, or with `flat`
 * what is on the level of the prefix's last '/', where a directory is one element whose path ends
 * in '/' and whose size and hash are not told. */
typedef struct PfsPrefix {
    Str prefix; /* "/", "/a/b" */
    Str after;  /* only what sorts after this; "": all */
    bool flat;
} PfsPrefix;
typedef Status (*PfsPrefixFn)(void *arg, Ctx *ctx, const PfsMatch *match, bool *out_done);
Status pfs_view_prefix(Ctx *ctx, const PfsView *view, const PfsPrefix *wanted, PfsPrefixFn fn,
                       void *arg);
