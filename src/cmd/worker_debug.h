/* worker_debug.h - pcv-worker as a person's own: one process in the place of a datum, for
 * `pcv debug datum`. */
#pragma once

#include "base/ctx.h"

/* argv after "--debug":
 *
 *   FD --server ADDRESS --scratch FOLDER [--hide FOLDER] [--sandbox NAME] [--keep FOLDER] -- COMMAND…
 *
 * FD has a packed WorkSet with one datum. Takes this process's descriptors 0 to 2 for the command,
 * through a terminal of its own when 0 is one. Gives the status to exit with: the command's, 128
 * and the signal that ended it, or 125 when it could not be run, which is said on standard error. */
int worker_debug_main(Ctx *ctx, char **argv);
