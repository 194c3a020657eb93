/* plan.h - from what is asked for to the steps that give it; pure. What the plan must know of this
 * machine is gathered before (host.h). */
#pragma once

#include "worker/sandbox.h"
#include "worker/steps.h"

typedef struct HostEntry {
    const char *name;   /* of an entry of the root folder */
    const char *target; /* of a symbolic link, else NULL */
} HostEntry;

/* What this machine looks like. */
typedef struct HostFacts {
    const HostEntry *entries; /* of root_dir, or of "/" */
    size_t entry_count;
    const char *const *devices; /* of /dev/nvidia*, full paths */
    size_t device_count;
    const char *resolv_conf;   /* where /etc/resolv.conf really is, or "" */
    const char *const *hidden; /* config's hidden paths, links resolved */
    size_t hidden_count;
} HostFacts;

/* What all plans of a sandbox go by. */
typedef struct PlanBase {
    const SandboxConfig *config;
    SandboxLevel level;
    bool by_runtime;       /* an OCI runtime makes the namespaces of a run */
    bool privileged;       /* the keeper is root */
    bool pids_elsewhere;   /* a cgroup counts processes */
    bool memory_elsewhere; /* a cgroup counts memory */
    Bytes seccomp;         /* the filter; empty: none */
} PlanBase;

/* Where by_runtime has its bundle. */
char *plan_runtime_dir(Arena *arena, const SandboxConfig *config);
/* Where the root is built, on the host. */
char *plan_root_dir(Arena *arena, const SandboxConfig *config);

/* The steps that build the root, once; none for SANDBOX_NONE. With by_runtime they leave it where
 * it is, for the runtime to make it the root, and leave /dev, hostname and network to it. */
void plan_template(const PlanBase *base, const HostFacts *facts, StepList *out);

/* What is done for each run before it is known what it runs: pid 1's mounts that must not be shared
 * between runs, STEP_FORK, then what takes the process its privileges. None by_runtime, where all that
 * is part of the run. */
void plan_fresh(const PlanBase *base, StepList *out);

/* The steps of one run: pid 1's, STEP_FORK, then the process's up to STEP_EXEC. */
void plan_run(const PlanBase *base, const SandboxRun *run, StepList *out);

/* The same, but instead of running a program it tells where paths[n] lead; n 0 only proves that the
 * steps work. */
void plan_resolve(const PlanBase *base, const char *const *paths, size_t n, StepList *out);
