/* folder.h - folders that user code had its hands on: any depth, any mode, links everywhere.
 * Nothing here recurses, follows a link, or leaves the folder. */
#pragma once

#include "base/ctx.h"

/* Removes parent_fd's entry `name` with all below it; fine when there is none. Trees deeper than a
 * path can say are taken apart in `parent_fd` itself. Errors: errno's, naming the entry. */
Status folder_remove(Ctx *ctx, int parent_fd, const char *name) NODISCARD;

/* The same. Of the folders below (and `name` itself) that had to be emptied, `keep` may take each
 * away, empty, instead of its being removed: true when it did. */
typedef bool (*FolderKeepFn)(void *self, int dir_fd, const char *name);
Status folder_remove_keeping(Ctx *ctx, int parent_fd, const char *name, FolderKeepFn keep,
                             void *self) NODISCARD;

/* Opens `path` below the folder for reading, also where its modes are in the way of its owner. -1
 * and errno. */
int folder_open(int folder_fd, const char *path, int flags);

/* Has an open folder no entries? False also when it cannot be read. From its start, and back there. */
bool folder_is_empty(int folder_fd);

/* Bytes that all below the folder takes on disk. Errors of single entries count as nothing. */
uint64_t folder_disk_bytes(Ctx *ctx, int folder_fd);
