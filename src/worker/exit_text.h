/* exit_text.h - how a process ended and what an errno means, in the words that existing clients
 * know. */
#pragma once

#include "base/base.h"

#define EXIT_TEXT_SIZE 96

/* Of a wait status: "exit status 1", "signal: killed", "signal: segmentation fault (core
 * dumped)". */
void exit_text(int wait_status, char out[EXIT_TEXT_SIZE]);

/* "no such file or directory". */
void exit_errno_text(int error, char out[EXIT_TEXT_SIZE]);
