/* oci.h - runs in sandboxes that an OCI runtime makes (crun, runc): an alternative to namespaces of
 * our own, behind the same keeper and with the same plans.
 *
 * The keeper builds the root as ever, in a mount namespace of its own. Per run, what stands before
 * STEP_FORK (fresh mounts) becomes the runtime's config.json; what comes after is carried out by
 * pcv-init, the container's pid 1, which is ours: so limits, ids, system call filter and exit
 * reports are those of every other sandbox.
 */
#pragma once

#include <sys/types.h>

#include "worker/report.h"
#include "worker/steps.h"

typedef struct OciConfig {
    const char *program;   /* "crun" or "runc", looked up in FILE_SYSTEM_PATH */
    const char *init_path; /* of pcv-init */
    const char *dir;       /* for the bundle and the runtime's state; empty, the keeper's alone */
    const char *root_dir;  /* the root that was built, on the host */
    const char *pfs_dir;   /* what is /pfs inside, on the host */
    const char *hostname;  /* NULL keeps the host's */
    const char *cgroup;    /* of the container; "": wherever the runtime likes */
    const char *const *devices; /* [device_count] of /dev, beyond those every container has */
    size_t device_count;
    bool no_network;
} OciConfig;

/* Pure: the runtime's configuration for a run, ending in NUL, and the steps left to pcv-init. Files
 * that the run brings along are expected below dir/files. All in ctx's arena. */
Status oci_bundle(Ctx *ctx, const OciConfig *config, const StepList *run, Str *out_config,
                  StepList *out_init) NODISCARD;

/* The descriptors that pcv-init is started with. */
enum { OCI_FD_INIT = 3, OCI_FD_RUN, OCI_FD_LIFE = OCI_FD_RUN + REQUEST_FD_COUNT, OCI_FD_END };

typedef struct Oci Oci;

/* Errors: FAILED_PRECONDITION (no such runtime, no pcv-init). config must stay. */
Status oci_open(Ctx *ctx, const OciConfig *config, Oci **out) NODISCARD;
Oci *oci_close(Oci *oci); /* NULL is fine */

/* Starts a container; *out_pid is its pid 1, a child of the caller, which must be a subreaper.
 * Errors: INTERNAL with what the runtime said. */
Status oci_start(Ctx *ctx, Oci *oci, const int fds[REQUEST_FD_COUNT], pid_t *out_pid) NODISCARD;
