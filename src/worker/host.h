/* host.h - looks at this machine for what a plan must know. */
#pragma once

#include "worker/plan.h"

/* Errors: NOT_FOUND or others of errno (root_dir cannot be listed). All in ctx's arena. */
Status host_look(Ctx *ctx, const SandboxConfig *config, HostFacts *out) NODISCARD;

/* May this process link entries of slot_dir/pfs into the host's /pfs, alone? For runs without a
 * root of their own. Removes what earlier runs left there. *out_lock holds the claim until it is
 * closed. Errors: FAILED_PRECONDITION. */
Status host_claim_pfs(Ctx *ctx, int *out_lock) NODISCARD;
Status host_link_pfs(Ctx *ctx, int lock, const char *pfs_dir) NODISCARD;
