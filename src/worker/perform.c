/* perform.c - see perform.h. */
#include "worker/perform.h"

#include <errno.h>
#include <unistd.h>

#include "worker/perform_priv.h"

static StepFn *const step_fns[STEP_OP_COUNT] = {
    [STEP_UNSHARE] = do_unshare,   [STEP_MAP_IDS] = do_map_ids,   [STEP_PRIVATE] = do_private,
    [STEP_ROOT] = do_root,         [STEP_BIND] = do_bind,         [STEP_SYMLINK] = do_symlink,
    [STEP_MKDIR] = do_mkdir,       [STEP_TMPFS] = do_tmpfs,       [STEP_DEVPTS] = do_devpts,
    [STEP_MASK] = do_mask,         [STEP_FILE] = do_file,         [STEP_READ_ONLY] = do_read_only,
    [STEP_HOSTNAME] = do_hostname, [STEP_LOOPBACK] = do_loopback, [STEP_PIVOT] = do_pivot,
    [STEP_PROC] = do_proc,         [STEP_DOOR] = do_door,
    [STEP_SESSION] = do_session,   [STEP_RLIMIT] = do_rlimit,
    [STEP_NO_BOUND] = do_no_bound, [STEP_IDS] = do_ids,           [STEP_NO_CAPS] = do_no_caps,
    [STEP_ENV] = do_env,           [STEP_ARG] = do_arg,           [STEP_SECCOMP] = do_seccomp,
    [STEP_RESOLVE] = do_resolve,   [STEP_EXEC] = do_exec,
};

void perform_init(Performer *performer, int report_fd)
{
    *performer = (Performer){
        .root_fd = -1,
        .report_fd = report_fd,
        .stdio = {-1, -1, -1},
        .door_fd = -1,
        .outer_uid = geteuid(),
        .outer_gid = getegid()
    };
}

Status perform_steps(Ctx *ctx, Performer *performer, const StepList *list, size_t *at)
{
    if (!performer->argv) {
        performer->argv = ARENA_NEW(ctx->arena, const char *, list->count + 1);
        performer->env = ARENA_NEW(ctx->arena, const char *, list->count + 1);
        if (!performer->argv || !performer->env)
            return STATUS(RESOURCE_EXHAUSTED);
    }
    for (; *at < list->count && list->steps[*at].op != STEP_FORK; ++*at) {
        const Step *step = &list->steps[*at];
        int error = step_fns[step->op](performer, step);
        if (error && !(step->flags & STEP_OPTIONAL))
            return status_errno(ctx, error, "could not carry out '%s'",
                                step_text(ctx->arena, step));
    }
    return OK;
}
