/* sandbox_priv.h - what sandbox.c (open, close) and sandbox_run.c (start, wait, kill, resolve)
 * share. */
#pragma once

#include <sys/types.h>

#include "worker/cgroup.h"
#include "worker/lines.h"
#include "worker/plan.h"
#include "worker/report.h"

#define SANDBOX_READ_BYTES (64 * KiB)

/* One of the two output pipes of a run. */
typedef struct Output {
    Sandbox *sandbox;
    SandboxStream stream;
    int fd; /* -1 when at its end */
    LineCutter cutter;
    Masker masker; /* before lines are cut: a cut may go through a secret */
    Buf masked;    /* scratch */
} Output;

struct Sandbox {
    Arena *arena;
    SandboxConfig config;
    PlanBase base;
    Buf warnings; /* ends in NUL once open */
    Cgroup *cgroup;
    uint64_t oom_kills; /* before the run at work */
    pid_t keeper;
    int control_fd;
    int own_claim;   /* on the host's /pfs, where the config has none; else -1 */
    int cancel_fd;   /* readable once the ctx that waits is cancelled */
    uint8_t *buffer; /* of SANDBOX_READ_BYTES */

    /* The run at work; pidfd -1 when there is none. */
    const SandboxRun *run;
    int pidfd;
    int report_fd;
    Output outputs[2];
    Report report; /* the one just received */
    SandboxTarget *targets;
    size_t target_count, target_capacity;
    bool has_status;
    int wait_status;
    char not_started[REPORT_TEXT_BYTES_MAX + 1]; /* "" : it was */
    char broken[REPORT_TEXT_BYTES_MAX + 1];      /* "" : nothing went wrong inside */
};

static inline bool sandbox_is_isolated(const Sandbox *sandbox)
{
    return sandbox->base.level != SANDBOX_NONE;
}

/* On the host's /pfs, for runs without a root of their own. */
static inline int *sandbox_pfs_claim(Sandbox *sandbox)
{
    return sandbox->config.pfs_claim ? sandbox->config.pfs_claim : &sandbox->own_claim;
}

/* Hears the keeper's word on how the last thing it was asked went. Errors: INTERNAL; UNAVAILABLE
 * (it is gone). */
Status sandbox_hear(Ctx *ctx, Sandbox *sandbox) NODISCARD;

/* Forgets the run that ended. */
void sandbox_end_run(Sandbox *sandbox);
