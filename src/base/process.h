/* process.h - helper programs: what may hang or crash runs beside the server, not in it. */
#pragma once

#include <sys/types.h>

#include "base/ctx.h"

/* argv and environment are lists that end in NULL. input_fd becomes the program's standard input;
 * its standard output and, if silent, standard error go nowhere. Nothing else is inherited, signals
 * are as at a login. Errors: errno's code naming argv[0]. Threads: any. */
Status process_start(Ctx *ctx, char *const *argv, char *const *environment, int input_fd,
                     bool silent, pid_t *out) NODISCARD;

/* The path of another program of ours: it lies beside the one that runs. In ctx's arena. */
const char *process_sibling(Ctx *ctx, const char *name);

/* Kills it if it runs, and waits until it is gone. */
void process_end(pid_t pid);
