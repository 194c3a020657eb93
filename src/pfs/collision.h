/* collision.h - finds what must not be in a commit (§13.4) while its entries pass by in path order:
 * two datums' files at one path, and a file where another file needs a directory. */
#pragma once

#include "tree/tree.h"

/* What passed by and can still collide: the last file, and the files whose path is a prefix of its
 * path. All paths with a given prefix stand together, so nothing else can be above what comes.
 * Zero-initialised is ready. */
typedef struct CollisionWatch {
    Buf path, tag;                   /* of the last file */
    uint16_t lengths[TREE_PATH_MAX]; /* of the prefixes of `path` that are files, ascending; the
                                        last is all of it */
    size_t n;
} CollisionWatch;

void collision_watch_done(CollisionWatch *watch);
void collision_watch_restart(CollisionWatch *watch);

/* Takes the next entry of the walk. The text of the collision it makes, in ctx's arena, or NULL. */
const char *collision_watch_next(Ctx *ctx, CollisionWatch *watch, const TreeEntry *entry);

/* The text for `path` where something above it is a file. */
const char *collision_text(Ctx *ctx, Str path);
