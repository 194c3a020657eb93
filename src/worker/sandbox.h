/* sandbox.h - runs one process at a time where it sees only what it was given.
 *
 * A Sandbox is a keeper: a small process that lives in namespaces of its own below a root built for
 * it, once. Each run is a copy of that (new mount, pid and ipc namespaces) with a fresh /proc and
 * /tmp, in which a pid 1 of ours starts the user's process and takes everything with it when that
 * ends. What is to be done is a list of steps made first by a pure function (plan.h), carried out
 * after (perform.c).
 *
 * A Sandbox belongs to one thread at a time. Opening forks, so it is best done before the program
 * is large.
 */
#pragma once

#include "worker/mask.h"

/* What isolation there is, weakest first. */
typedef enum SandboxLevel {
    SANDBOX_NONE, /* a plain process group: the host allows no namespaces */
    SANDBOX_USER, /* namespaces owned by a user namespace: needs no privilege */
    SANDBOX_ROOT, /* namespaces made with privilege */
} SandboxLevel;

/* "none", "user", "root". */
const char *sandbox_level_name(SandboxLevel level);

/* A file that exists only inside, such as a key of a secret. */
typedef struct SandboxFile {
    const char *path; /* absolute, clean */
    Bytes content;
} SandboxFile;

/* What may be used up. 0 is no limit. */
typedef struct SandboxLimits {
    uint64_t memory_bytes;
    uint64_t cpu_millis; /* thousandths of a processor */
    uint64_t pids;
    uint64_t tmp_bytes;  /* of /tmp, /var/tmp and /dev/shm each */
    uint64_t file_bytes; /* of any one file written */
} SandboxLimits;

/* What is the same for all runs. */
typedef struct SandboxConfig {
    const char
        *slot_dir; /* owned by the sandbox's user: pfs/ becomes /pfs, read-only but for /pfs/out */
    const char *root_dir; /* an unpacked image; NULL or "": the host's own root */
    const char *const
        *hidden; /* paths of the host that must not be seen; those that do not exist are skipped */
    size_t hidden_count;
    const SandboxFile *files;
    size_t file_count;
    const char *tool;     /* a program of the host that user code finds as /pach-bin/pcv and
                             /pach-bin/pachctl; NULL: none */
    const char *hostname; /* NULL keeps the host's */
    uint32_t uid, gid;    /* who the user's process is, inside */
    bool no_network;
    bool gpu; /* the host's /dev/nvidia* */
    /* An OCI runtime that makes the sandbox, "crun" or "runc"; NULL or "": we do. */
    const char *runtime;
    const char *runtime_init; /* path of pcv-init, which runtimes start */
    SandboxLimits limits;
    int *pfs_claim; /* without namespaces: who has the host's /pfs (host.h), -1 nobody yet; stays
                       as long as the sandbox. NULL: the sandbox claims it for itself */
    SandboxLevel level_max; /* never more than this; tests choose weaker ones */
    SandboxLevel level_min; /* refuse to open below this */
} SandboxConfig;

typedef struct Sandbox Sandbox;

/* Builds the root and proves with an empty run that it holds, at the strongest level the host
 * allows. Errors: FAILED_PRECONDITION (level_min cannot be had, says what the host refused; there
 * is no such runtime), INVALID_ARGUMENT (a file that cannot be placed), INTERNAL. The folder
 * slot_dir/pfs must exist. */
Status sandbox_open(Ctx *ctx, const SandboxConfig *config, Sandbox **out) NODISCARD;
Sandbox *sandbox_close(Sandbox *sandbox); /* kills what runs; NULL is fine */
static inline void sandbox_closep(Sandbox **sandbox)
{
    *sandbox = sandbox_close(*sandbox);
}
SandboxLevel sandbox_level(const Sandbox *sandbox);
/* What could not be had although it was asked for ("no writable cgroup: …"), one per line; "" when
 * all is well. */
const char *sandbox_warnings(const Sandbox *sandbox);

typedef enum SandboxStream { SANDBOX_STDOUT, SANDBOX_STDERR } SandboxStream;

/* One process to run. */
typedef struct SandboxRun {
    const char *const *argv; /* NULL-terminated, at least one */
    const char *const *env;  /* NULL-terminated, "KEY=value" */
    const char *cwd;         /* NULL or "": "/" */
    Bytes stdin_bytes;       /* data NULL: /dev/null */
    const char *hostname;    /* NULL: the sandbox's. With a runtime always that */
    bool no_out;             /* /pfs/out is not there */
    const MaskSet *mask;     /* what no line shows; NULL: nothing */
    const int *stdio; /* [3]: the process's own, not owned; NULL: stdin_bytes, and lines come out */
    bool terminal;    /* stdio is a terminal, which is to be the process's */
    /* One line of output without its newline, valid UTF-8 without NUL; longer than
     * SANDBOX_LINE_BYTES_MAX is cut in pieces. From sandbox_wait only. */
    void (*line)(void *self, SandboxStream stream, Str line, int64_t wall_ns);
    /* A process that the user's process left behind and that was killed: "pid=7 comm=sleep
     * cmdline=sleep 1000". */
    void (*leftover)(void *self, Str text);
    /* The door to the run's network (forward.h), which takes ownership: with no_network only. NULL:
     * there is to be none. */
    void (*door)(void *self, int door_fd);
    void *self;
} SandboxRun;
#define SANDBOX_LINE_BYTES_MAX (1 * MiB)

typedef enum SandboxEnd {
    SANDBOX_EXITED,      /* value is the exit status */
    SANDBOX_SIGNALED,    /* value is the signal */
    SANDBOX_NOT_STARTED, /* text says why, as `exec: "x": executable file not found in $PATH` */
} SandboxEnd;

typedef struct SandboxExit {
    SandboxEnd end;
    int value;
    bool core_dumped;
    bool out_of_memory; /* the memory limit was what killed it */
    const char *text;   /* "exit status 1", "signal: killed", …; in ctx's arena */
} SandboxExit;

/* Starts a process; sandbox_wait must follow until it has ended. run must stay until then.
 * Errors: UNAVAILABLE (the sandbox died: open another), INTERNAL. */
Status sandbox_start(Ctx *ctx, Sandbox *sandbox, const SandboxRun *run) NODISCARD;

typedef enum SandboxEvent { SANDBOX_ENDED, SANDBOX_WOKEN, SANDBOX_DEADLINE } SandboxEvent;

/* Passes on output until the process has ended and all its output was read (*out_exit is set then),
 * wake_fd (-1: none) is readable, or deadline_ns (CLOCK_MONOTONIC) has come. Ends with CANCELLED or
 * DEADLINE_EXCEEDED, everything killed, when ctx does. */
Status sandbox_wait(Ctx *ctx, Sandbox *sandbox, int wake_fd, int64_t deadline_ns,
                    SandboxEvent *out_event, SandboxExit *out_exit);

/* Kills the process and all it started; sandbox_wait then ends. */
void sandbox_kill(Sandbox *sandbox);

/* Opens paths as the sandbox's user would, inside: out[i] is where paths[i] really leads ("" when
 * it cannot be opened, then why says so) and, for a regular file not below /pfs, an open descriptor
 * (else -1) that the caller closes. */
typedef struct SandboxTarget {
    const char *real; /* in ctx's arena */
    const char *why;  /* "no such file or directory" */
    int fd;
    bool is_dir;
} SandboxTarget;
Status sandbox_resolve(Ctx *ctx, Sandbox *sandbox, const char *const *paths, size_t n,
                       SandboxTarget *out);
