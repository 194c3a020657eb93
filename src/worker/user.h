/* user.h - who user code runs as: the transform's `user`, looked up in the root it will run in. */
#pragma once

#include "base/ctx.h"

typedef struct UserIds {
    uint32_t uid, gid;
    const char *home; /* "/" when unknown */
} UserIds;

/* The account files of a root. */
typedef struct UserFiles {
    bool has_passwd;
    Str passwd, group;
} UserFiles;

/* user: "", "name", "uid", "name:group" or "uid:gid". "" is root; without a passwd file any name
 * is. A uid or gid that nobody has is taken as it is. Errors: NOT_FOUND, in the words that users know. */
Status user_resolve(Ctx *ctx, const UserFiles *files, const char *user, UserIds *out) NODISCARD;

/* Reads etc/passwd and etc/group below root_dir ("": the host's), following links no further than
 * that root. A file that is not there is empty. */
void user_files_read(Ctx *ctx, const char *root_dir, UserFiles *out);
