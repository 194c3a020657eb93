/* cgroup.h - limits that hold for all processes of a sandbox together, where the host lets us make
 * a cgroup.
 *
 * Either layout is used: one tree with all controllers (v2), or a tree a controller (v1), also
 * mixed. The keeper joins once, when it is young; all it starts is born inside, so a run costs
 * nothing.
 */
#pragma once

#include <sys/types.h>

#include "worker/sandbox.h"

typedef enum CgroupController {
    CGROUP_MEMORY,
    CGROUP_PIDS,
    CGROUP_CPU,
    CGROUP_CONTROLLER_COUNT,
} CgroupController;

typedef struct Cgroup Cgroup;

/* Makes what the limits need; never fails: each limit that cannot be held adds a line to
 * warnings. */
Cgroup *cgroup_new(Ctx *ctx, const SandboxLimits *limits, Buf *warnings);
Cgroup *cgroup_free(Cgroup *cgroup); /* nobody may be in it; NULL is fine */
bool cgroup_holds(const Cgroup *cgroup, CgroupController controller);

/* Removes the folders of workers that were killed; those of workers that live stay. */
void cgroup_sweep(Ctx *ctx);

/* Moves a process in. 0 or an errno. */
int cgroup_adopt(const Cgroup *cgroup, pid_t pid);

/* How often the memory limit has killed a process so far. */
uint64_t cgroup_oom_kills(const Cgroup *cgroup);

/* Where /proc/self/cgroup and /proc/self/mountinfo say that this controller's files are: pure, for
 * tests. "" when nowhere; in ctx's arena. *out_v2 says which layout. */
const char *cgroup_find(Ctx *ctx, Str self_cgroup, Str mountinfo, const char *controller,
                        bool *out_v2);
