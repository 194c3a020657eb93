/* terminal.h - a terminal within the terminal we were started in: for a process that is to have one
 * of its own, with jobs and signals from the keyboard. */
#pragma once

#include "base/ctx.h"

typedef struct Terminal Terminal;

/* Makes one of the same size, puts the outer one (descriptor 0) into raw mode and passes bytes
 * between them, on a thread of its own. Errors: errno's. */
Status terminal_open(Ctx *ctx, Terminal **out) NODISCARD;

/* The end that the process gets. Owned by the terminal. */
int terminal_inner(const Terminal *terminal);

/* Passes on what is still to be seen, and gives the outer terminal its mode back. NULL is fine. */
Terminal *terminal_close(Terminal *terminal);
static inline void terminal_closep(Terminal **terminal)
{
    *terminal = terminal_close(*terminal);
}
