/* keeper.h - the process that waits in a prepared root and starts each run from there. */
#pragma once

#include "worker/oci.h"

typedef struct KeeperConfig {
    const StepList *root;  /* what makes the root */
    const StepList *fresh; /* what each pid 1 does before it is asked to run something */
    bool isolated;         /* runs get namespaces of their own */
    const OciConfig *oci;  /* a runtime makes those; NULL: the keeper */
} KeeperConfig;

/* Carries config->root out, reports on control_fd whether that worked (REPORT_STARTED or
 * REPORT_BROKEN), then serves requests from it, one run at a time, until the other end is closed;
 * what runs is killed then. To be called in a fresh child. */
_Noreturn void keeper_main(int control_fd, const KeeperConfig *config);
