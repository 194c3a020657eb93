/* pager.h - long output a screen at a time, when standard output is a terminal. */
#pragma once

#include "cmd/pcv/cli.h"

/* From here on standard output goes through $PAGER, by default `less -RFX`; without a terminal,
 * with --no-pager, or when the pager cannot start (a note says so), it goes where it went. */
void pager_start(Cli *cli);
/* Ends the output and waits for the pager. */
void pager_stop(Cli *cli);
