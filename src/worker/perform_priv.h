/* perform_priv.h - the functions that carry out one step each: 0 or an errno. */
#pragma once

#include "worker/perform.h"

typedef int StepFn(Performer *performer, const Step *step);

/* root.c */
StepFn do_unshare, do_map_ids, do_private, do_root, do_bind, do_symlink, do_mkdir, do_tmpfs,
    do_devpts, do_mask, do_file, do_read_only, do_hostname, do_loopback, do_pivot, do_proc,
    do_door;

/* process.c */
StepFn do_session, do_rlimit, do_no_bound, do_ids, do_no_caps, do_env, do_arg, do_seccomp,
    do_resolve, do_exec;

/* execve leaves its vectors alone, but is declared without saying so. */
static inline char *const *exec_vector(const char **items)
{
    union {
        const char **items;
        char *const *vector;
    } same = { .items = items };
    return same.vector;
}
