/* host.h - looks at this machine for what a plan must know. */
#pragma once

#include "worker/plan.h"

/* Errors: NOT_FOUND or others of errno (root_dir cannot be listed). All in ctx's arena. */
Status host_look(Ctx *ctx, const SandboxConfig *config, HostFacts *out) NODISCARD;

/* Which of the host's settings keep everybody, or everybody but root, from user namespaces, as
 * " (file is value)"; "" when none does. In ctx's arena. */
const char *host_user_namespaces_off(Ctx *ctx) NODISCARD;

/* For runs without a root of their own: claims the host's /pfs, which is made when it is missing,
 * for this process alone. *lock holds the claim; when it does already, this is nothing. Errors:
 * FAILED_PRECONDITION. */
Status host_claim_pfs(Ctx *ctx, int *lock) NODISCARD;

/* Makes its links those to the entries of pfs_dir. */
Status host_link_pfs(Ctx *ctx, int lock, const char *pfs_dir) NODISCARD;

/* Removes the links and gives the claim up; lock may be -1. */
void host_release_pfs(int *lock);
