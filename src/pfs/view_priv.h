/* view_priv.h - what the files of view share. */
#pragma once

#include "pfs/listing.h"
#include "pfs/view.h"

/* Picks in a transaction of its own. */
Status view_pick(Ctx *ctx, Pfs *pfs, const PfsV2__Commit *commit, PfsCommitRow *out);
/* The view of a commit that was picked. */
Status view_open_row(Ctx *ctx, Pfs *pfs, const PfsCommitRow *row, PfsView *out);

/* The layers of a commit, bottom first, in ctx's arena. */
Status view_layers(Ctx *ctx, PfsTx *tx, int64_t commit, Hash **out_layers, size_t *out_n);

/* UNKNOWN "file cannot be nil" and pfs_view_open's checks of the handle. */
Status view_check_file(Ctx *ctx, const PfsV2__File *file);
Status view_check_commit(Ctx *ctx, const PfsV2__Commit *commit);

/* Opens file's commit; when the file names a datum, the view holds only that datum's files at or
 * below its path. */
Status view_open_file(Ctx *ctx, Pfs *pfs, const PfsV2__File *file, Str path, PfsView *out);

/* As who was set by pfs_set_computed says; *out NULL: nobody says anything. */
Status pfs_compute(Ctx *ctx, Pfs *pfs, const PfsCommitRow *row, const TreeSource **out);

/* Are its entries computed? Then its root says nothing, and it cannot be compared (view_restrict
 * makes a tree of it). */
bool view_is_computed(const PfsView *view);

/* A view of only the entries at or below a clean path that carry `tag` ("": any). Reads all of
 * them, so it is for questions that are about all of them. */
Status view_restrict(Ctx *ctx, const PfsView *view, Str path, Str tag, PfsView *out);

/* NOT_FOUND, in the words clients look for. */
Status view_file_not_found(Ctx *ctx, const PfsV2__File *file);

/* An element's FileInfo in ctx's arena; a directory's size is that of its files from `lower` on
 * ("": all). */
Status view_info(Ctx *ctx, const PfsView *view, const Item *item, Str lower, PfsV2__FileInfo **out);

/* The same for pps; the path is the item's. */
Status view_match(Ctx *ctx, const PfsView *view, const Item *item, PfsMatch *out);

/* Builds the info, hands it to fn, and forgets it. */
Status view_give(Ctx *ctx, const PfsView *view, const Item *item, Str lower, PfsFileFn fn,
                 void *arg);

/* Elements that match the pattern and lie in the range (may be NULL: all); with `contents` also
 * what is below a matched directory. Then a pattern that is the very name of an element means that
 * one: who reads a file names it as listings do, and a '\' in a name is no escape. */
typedef Status (*ViewItemFn)(void *arg, Ctx *ctx, const Item *item);
typedef struct ViewGlob {
    const char *pattern;
    const PfsV2__PathRange *range;
    bool contents;
} ViewGlob;
Status view_glob(Ctx *ctx, const PfsView *view, const ViewGlob *glob, ViewItemFn fn, void *arg);
