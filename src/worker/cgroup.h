/* cgroup.h - limits that hold for all processes of a sandbox together, where the host lets us make
 * a cgroup.
 *
 * Either layout is used: one tree with all controllers (v2), or a tree a controller (v1), also
 * mixed. The keeper joins once, when it is young; all it starts is born inside, so a run costs
 * nothing.
 *
 *   <the server's own>/                     v2: controllers on, no process in it
 *     procavia-server/                      v2: the server and its workers (cgroup_make_room)
 *     procavia-<worker's pid>-<number>/     a sandbox
 *       keeper/                             v2, with a runtime: the keeper
 *       run/                                v2, with a runtime: its container
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

/* Where this process's cgroups are: /proc/self/cgroup and /proc/self/mountinfo, as text. */
typedef struct CgroupPlace {
    Str self_cgroup, mountinfo;
} CgroupPlace;
CgroupPlace cgroup_place(Ctx *ctx); /* in ctx's arena; empty when they cannot be read */

/* Makes what the limits need; never fails: each limit that cannot be held adds a line to
 * warnings. for_runtime: a runtime will make more below it. */
Cgroup *cgroup_new(Ctx *ctx, const CgroupPlace *place, const SandboxLimits *limits,
                   bool for_runtime, Buf *warnings);
Cgroup *cgroup_free(Cgroup *cgroup); /* nobody may be in it; NULL is fine */
bool cgroup_holds(const Cgroup *cgroup, CgroupController controller);

/* For the server, before it starts any process. In v2 a cgroup that has processes, but for the
 * root, cannot give controllers to those below it: so where this process is alone in its cgroup, it
 * moves one down. Where it is not, or may not, sandboxes will say what they lack. */
void cgroup_make_room(Ctx *ctx, const CgroupPlace *place);

/* Removes the folders of workers that were killed; those of workers that live stay. */
void cgroup_sweep(Ctx *ctx, const CgroupPlace *place);

/* Where a runtime is to put its container, as OCI's cgroupsPath: in v2 some would put it beside us,
 * out of our limits. "" : wherever it likes; in v1 that is below. In ctx's arena. */
const char *cgroup_for_container(Ctx *ctx, const Cgroup *cgroup);

/* Moves a process in. 0 or an errno. */
int cgroup_adopt(const Cgroup *cgroup, pid_t pid);

/* How often the memory limit has killed a process so far. below: v1 counts for each folder alone,
 * so ask those that a runtime made for its containers, too. */
uint64_t cgroup_oom_kills(const Cgroup *cgroup, bool below);

/* Where this controller's files are: pure, for tests. "" when nowhere; in ctx's arena. *out_v2 says
 * which layout. */
const char *cgroup_find(Ctx *ctx, const CgroupPlace *place, const char *controller, bool *out_v2);
