/* perform.h - carries steps out, in the process that calls it. */
#pragma once

#include "worker/steps.h"

typedef struct Performer {
    int root_fd;              /* the root being built, O_PATH; -1: the process's own */
    int report_fd;            /* to the worker; -1: nobody listens */
    int door_fd;              /* STEP_DOOR's end of it; -1: there is none */
    int stdio[3];             /* what becomes descriptors 0, 1 and 2 */
    const char **argv, **env; /* gathered for STEP_EXEC; room for all steps */
    size_t argc, envc;
    uint32_t outer_uid, outer_gid; /* before any unshare */
} Performer;

void perform_init(Performer *performer, int report_fd);

/* Carries out list[*at …) until the end or STEP_FORK, which *at is then the index of. Errors:
 * INTERNAL, naming the step and the kernel's reason. STEP_EXEC never returns. */
Status perform_steps(Ctx *ctx, Performer *performer, const StepList *list, size_t *at) NODISCARD;
