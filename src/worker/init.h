/* init.h - pid 1 of a run: carries out what is left to do in its namespaces, starts the user's
 * process, reaps, tells of the end. Whoever made the namespaces calls it: our keeper, or an OCI
 * runtime by way of pcv-init. */
#pragma once

#include "base/ctx.h"
#include "worker/report.h"
#include "worker/steps.h"

/* fds: as the keeper got them; -1 leaves a standard stream as it is. isolated: the kernel ends what
 * is left when this process ends; else it kills them itself. SIGTERM ends the user's process. */
_Noreturn void init_main(const int fds[REQUEST_FD_COUNT], bool isolated);

/* The same in two parts: carries `fresh` out, in itself and in a child that is to be the user's
 * process, and goes on when a request comes; ends when none can come any more. What goes wrong before
 * is told by the request's report. */
_Noreturn void init_stand(int request_fd, const StepList *fresh, bool isolated);

/* All signals as they are by default, none blocked. */
void init_reset_signals(void);

/* Reports why nothing can be run, and ends. */
_Noreturn void init_broken(int report_fd, Status why);
