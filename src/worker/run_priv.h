/* run_priv.h - the parts of running a datum that one process a datum (datum.c) and one process for
 * many (batch.c) share. */
#pragma once

#include "base/clock.h"
#include "worker/lazy.h"
#include "worker/user.h"
#include "worker/worker_priv.h"

/* What stays open from one datum of a process to the next; -1: it is not open. */
typedef struct RunKept {
    int env_fd, out_fd; /* /pfs/.env and /pfs/out */
    size_t env_bytes;
} RunKept;

typedef struct Run {
    Ctx *ctx;
    Worker *worker;
    WorkerIo *io;
    const WorkerSpec *spec;
    const WorkerDatum *datum;
    WorkerResult *result;
    UserIds user;
    Sandbox *sandbox;
    Sandbox *resolver; /* resolves links of outputs; another one while the process lives on */
    const char *const *env;
    bool out_is_empty; /* /pfs/out was, after the last datum, and is as it was made */
    void (*door)(void *self, int door_fd); /* as SandboxRun's; NULL: none */
    void *door_self;
    RunKept *kept; /* NULL: nothing is */
} Run;

/* How one try went. */
typedef struct Attempt {
    const char *reason; /* it failed; NULL: it did not */
    bool was_recovered; /* but the error handling code succeeded */
    WorkerStats stats;
} Attempt;

void run_log(Run *run, const char *line); /* the worker's own */

/* Who the process is to be; false, with the result's reason, when nobody knows or there is no
 * command. */
bool run_begin(Run *run);
void run_log_unable(Run *run); /* that reason */
/* nth tells sandboxes of one config apart. */
Status run_open_sandbox(Run *run, unsigned nth, Sandbox **out) NODISCARD;

/* Inputs, an empty /pfs/out and /pfs/.env. keep_out: it is emptied in place, as a process has
 * it. */
Status run_prepare(Run *run, Lazy *lazy, bool keep_out, WorkerStats *stats) NODISCARD;
Status run_make_out(Run *run) NODISCARD;
/* What goes into sandbox_start for a command. */
SandboxRun run_process(Run *run, const char *const *argv, const char *const *stdin_lines);
Status run_start_process(Run *run, const SandboxRun *process) NODISCARD;
/* Runs one command to its end, and logs that; `what` is "user code" or "user error handling code".
 * *out_reason: why it failed; NULL: it did not. */
Status run_command(Run *run, const char *what, const char *const *argv,
                   const char *const *stdin_lines, const char **out_reason) NODISCARD;
/* What else may end a wait for the process: looked at first, and whenever fd is readable. */
typedef struct RunWake {
    int fd;
    bool (*look)(void *self); /* has come what is waited for? */
    void *self;
} RunWake;

/* Waits for the end, or for wake (NULL: nothing else): SANDBOX_WOKEN. What makes us kill the
 * process is *out_cause, else NULL. */
Status run_wait(Run *run, const RunWake *wake, int64_t deadline_ns, SandboxEvent *out_event,
                SandboxExit *out_exit, const char **out_cause) NODISCARD;
/* Why a process that ended so failed; NULL when it ended well. */
const char *run_judge(Run *run, const SandboxExit *ended, const char *cause);
/* A reason of run_judge's with the cause behind it, where that is another; either of them, or in
 * the arena of run's ctx. */
const char *run_because(Run *run, const char *reason, const char *cause);
/* The code for datums that failed, where there is some. */
Status run_handle_error(Run *run, Attempt *attempt) NODISCARD;
Status run_upload(Run *run, Attempt *attempt) NODISCARD;
/* The attempt's outcome becomes the result's. */
void run_conclude(Run *run, const Attempt *attempt, bool was_recovered);
