/* steps.h - what a sandbox does, as data: a list that is made first, can be read as text and sent
 * to another process, and is carried out after (perform.h). */
#pragma once

#include "base/ctx.h"

typedef enum StepOp {
    /* Building a root; once a sandbox. Paths are inside the new root from STEP_ROOT on, sources are
       the host's. */
    STEP_UNSHARE, /* number: CLONE_NEW* */
    STEP_MAP_IDS, /* number, extra: the uid and gid that this process is in its new user namespace
                   */
    STEP_PRIVATE, /* no mount made here is seen outside */
    STEP_ROOT,    /* path: a folder of the host; an empty tmpfs becomes the new root there */
    STEP_BIND, /* source appears at path, which is made when it can be; writable without STEP_RO */
    STEP_SYMLINK,   /* path points to source */
    STEP_MKDIR,     /* path; number: mode */
    STEP_TMPFS,     /* path; number: size, 0 is the kernel's default; extra: mode */
    STEP_DEVPTS,    /* path */
    STEP_MASK,      /* path shows nothing, when there is something */
    STEP_FILE,      /* path gets data */
    STEP_READ_ONLY, /* path: the mount there */
    STEP_HOSTNAME,  /* source */
    STEP_LOOPBACK,  /* raises lo */
    STEP_PIVOT,     /* the new root becomes the root; the old one is gone */
    /* Each run, as pid 1. */
    STEP_PROC, /* path */
    STEP_DOOR, /* the worker gets sockets of this network from pid 1 (init.h) */
    STEP_FORK, /* the rest is for the child */
    /* Each run, as the user's process. */
    STEP_SESSION,  /* a session of its own, umask 022; number: with stdin as its terminal */
    STEP_RLIMIT,   /* number: RLIMIT_*; extra: value */
    STEP_NO_BOUND, /* empties the capability bounding set */
    STEP_IDS,      /* number, extra: uid and gid; no other groups */
    STEP_NO_CAPS,  /* gives up all capabilities */
    STEP_ENV,      /* source: KEY=value */
    STEP_ARG,      /* source: the next of argv */
    STEP_SECCOMP,  /* data: the filter; also no_new_privs */
    STEP_RESOLVE,  /* path: report where it leads */
    STEP_EXEC, /* path: working directory; argv[0] is looked up in PATH of the environment given */
    STEP_OP_COUNT,
} StepOp;

typedef enum StepFlag {
    STEP_RECURSIVE = 1, /* a bind brings the mounts below */
    STEP_RO = 2,
    STEP_DEVICES = 4,  /* devices work below this bind */
    STEP_OPTIONAL = 8, /* what fails is skipped */
} StepFlag;

typedef struct Step {
    StepOp op;
    unsigned flags; /* StepFlag */
    uint64_t number, extra;
    const char *path, *source; /* "" when the op has none; never NULL in a list */
    Bytes data;
} Step;

typedef struct StepList {
    Arena *arena; /* of the list; strings must live as long */
    Step *steps;
    size_t count, capacity;
} StepList;

void steps_init(StepList *list, Arena *arena);
void steps_add(StepList *list, Step step);

/* One line a step: "bind /usr <- /usr recursive ro"; data as its size. */
char *steps_text(Arena *arena, const StepList *list);
char *step_text(Arena *arena, const Step *step);

/* To bytes and back. A decoded list points into `encoded`. Errors: DATA_LOSS. */
void steps_encode(const StepList *list, Buf *out);
Status steps_decode(Ctx *ctx, Bytes encoded, StepList *out) NODISCARD;
