/* machine.h - whether a machine can give what a pipeline asks for (pps.md §8.5, §24); pure. */
#pragma once

#include "base/ctx.h"
#include "pps/pps.pb-c.h"

/* What the machine has. memory_bytes 0: nothing is known, and everything fits. */
typedef struct MachineSize {
    uint64_t cpu_millis, memory_bytes, disk_bytes, gpus;
} MachineSize;

/* Why no worker of the pipeline will ever run here, in ctx's arena; NULL when one can. What is
 * asked for is the request, or where there is none the limit, as Kubernetes has it. Quantities that
 * cannot be read ask for nothing. */
const char *machine_misfit(Ctx *ctx, const MachineSize *machine,
                           const PpsV2__PipelineInfo__Details *details);
