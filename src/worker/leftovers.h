/* leftovers.h - processes that outlive the user's main process. Called by pid 1 of a run, or what
 * stands for it. */
#pragma once

#include "base/base.h"

#include <sys/types.h>

/* Reports (REPORT_LEFTOVER) every other process of this pid namespace; the kernel kills them when
 * pid 1 ends. */
void leftovers_report(int report_fd);

/* Reports and kills all descendants of this process, which adopts orphans; returns when none is
 * left. */
void leftovers_kill(int report_fd, pid_t main_pid);
