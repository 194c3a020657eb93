/* keeper.h - the process that waits in a prepared root and starts each run from there. */
#pragma once

#include "worker/steps.h"

/* Carries `root` out, reports on control_fd whether that worked (REPORT_STARTED or REPORT_BROKEN),
 * then serves requests from it, one run at a time, until the other end is closed; what runs is
 * killed then. isolated: runs get namespaces of their own. To be called in a fresh child. */
_Noreturn void keeper_main(int control_fd, const StepList *root, bool isolated);
