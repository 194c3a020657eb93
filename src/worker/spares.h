/* spares.h - files that are not needed any more, for those that come next.
 *
 * A disk's file system takes the longer to make a file the more of them were just removed (ext4 passes
 * over inodes freed in the last minutes), and to remove a folder takes longer than most that a datum needs.
 * A datum of a millisecond must not pay for that, so the files of small inputs are used again, unless
 * somebody still has one open or mapped, and the folders of inputs. One thread. */
#pragma once

#include "base/ctx.h"

typedef struct Spares Spares;

/* dir: a folder to be made, on the file system of the inputs. When it cannot be, nothing is kept. */
Spares *spares_new(const char *dir);
Spares *spares_free(Spares *spares); /* NULL is fine */

/* Takes dir_fd's regular file `name` away and keeps it; false when it cannot, and it is still there.
 * One may stay where it is until it is taken for another name, which then is one rename in a folder
 * instead of two across folders: before dir_fd is closed, before anyone looks, and before its name
 * is given to anything but by spares_take, call spares_settle. */
bool spares_keep(Spares *spares, int dir_fd, const char *name);
void spares_settle(Spares *spares);
/* A file kept earlier appears as `name`, with whatever it held, open for writing; -1 when there is none
 * that nobody else has open, or `name` exists. */
int spares_take(Spares *spares, int dir_fd, const char *name);

/* The same for empty folders that user code could not write to. */
bool spares_keep_folder(Spares *spares, int dir_fd, const char *name);
/* mkdirat with mode 0755, by a kept one where there is one. */
int spares_make_folder(Spares *spares, int dir_fd, const char *name);
