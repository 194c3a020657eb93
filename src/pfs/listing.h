/* listing.h - the virtual listing L of §15.1: all files of a tree plus all directories they imply,
 * "/" included, in bytewise order; a directory ("/a/") stands right before its contents.
 *
 * A Listing steps through a span of L, forward or backward, deep (all of it) or flat (the direct
 * children of a directory: one seek each). It belongs to one thread.
 */
#pragma once

#include "pfs/collision.h"

/* One element of L. Valid until the next step. */
typedef struct Item {
    Str path;               /* of a directory: with a '/' at its end */
    const TreeEntry *entry; /* of a file; NULL: a directory */
} Item;

/* What is wanted: elements at or below `base`, with lower <= element < upper and behind `after`.
 * Texts must live as long as the listing. */
typedef struct Span {
    Str base;  /* a directory, with its '/'; the directory itself is an element of a deep listing
                  only */
    Str lower; /* "": no bound */
    Str upper; /* "": no bound */
    Str after; /* a marker: only elements after it; also the directory of that name is none. "":
                  none */
} Span;

typedef enum ListingMode {
    LISTING_DEEP = 0,
    LISTING_FLAT = 1,
    LISTING_REVERSE = 2
} ListingMode; /* flags */

typedef struct Listing {
    const TreeIo *io;
    Hash root;
    const Span *span;
    unsigned mode;
    TreeCursor *cursor;
    CollisionWatch watch;
    enum { LISTING_START, LISTING_HERE, LISTING_GAVE_FILE, LISTING_GAVE_DIR } state;
    Buf near; /* forward: path of the entry passed last; backward: of the entry behind the cursor */
    size_t dir_at; /* forward: directories of the cursor's entry up to here are dealt with;
                      backward: of near, from here */
    Buf given;     /* the directory given last */
} Listing;

/* io and span must outlive it. End it with listing_done. */
void listing_init(Listing *listing, const TreeIo *io, const Hash *root, const Span *span,
                  unsigned mode);
void listing_done(Listing *listing);

/* The next element; out->path is empty at the end. Errors: the tree's; UNKNOWN with §13.4's text
 * when a collision shows among the entries passed. */
Status listing_next(Ctx *ctx, Listing *listing, Item *out);

/* After a directory of a deep forward listing: goes on behind its contents. */
void listing_skip(Listing *listing);

/* What is at a clean path: *out_found false for nothing; else *out_item, whose memory is ctx's
 * arena's. "/" is the root directory, there when the tree has a file. Errors: UNKNOWN for a
 * collision. */
Status listing_lookup(Ctx *ctx, const TreeIo *io, const Hash *root, Str path, bool *out_found,
                      Item *out_item);
