/* state.h - what pipelines and jobs do when something happens (pps.md §8, §9): pure functions from
 * a state and an event to the next state and a list of effects. The controller elsewhere sees the
 * events and carries out the effects.
 */
#pragma once

#include "base/ctx.h"
#include "pps/pps.pb-c.h"

/* --- pipelines (§8) --------------------------------------------------------------------------- */

typedef enum PipelineEvent {
    PIPELINE_EV_WORKERS_READY, /* what the workers need exists */
    PIPELINE_EV_WORKERS_LOST,  /* it is gone, or is of an older version */
    PIPELINE_EV_STOPPED,       /* PipelineInfo.stopped became true */
    PIPELINE_EV_STARTED,       /* … and false again */
    PIPELINE_EV_WORK,          /* an output commit is READY: its inputs are finished */
    PIPELINE_EV_IDLE,          /* none is left */
    PIPELINE_EV_CRASH,         /* some workers cannot run; has a reason */
    PIPELINE_EV_CRASH_OVER,    /* all are up again */
    PIPELINE_EV_FAIL,          /* beyond repair but by a new version; has a reason */
    PIPELINE_EVENT_COUNT,
} PipelineEvent;

typedef enum PipelineEffect {
    PIPELINE_DO_START_WORKERS = 1 << 0, /* make what workers need, and start them */
    PIPELINE_DO_SCALE_UP = 1 << 1,   /* from zero: one worker, then as many as there is work for */
    PIPELINE_DO_SCALE_DOWN = 1 << 2, /* to zero */
    PIPELINE_DO_REMOVE_WORKERS = 1 << 3, /* and all that was made for them */
    PIPELINE_DO_STOP_JOBS = 1 << 4,      /* each unfinished job of it is KILLED */
    PIPELINE_DO_NOTE_UP = 1 << 5,        /* details.workers_started_at = now */
    PIPELINE_DO_NOTE_DOWN = 1 << 6,      /* details.workers_started_at is cleared */
} PipelineEffect;

typedef struct PipelineFacts {
    PpsV2__PipelineState state;
    bool stopped;
    bool autoscaling;
} PipelineFacts;

typedef struct PipelineStep {
    bool changed; /* true: state and the event's reason ("" for healthy ones) are written, even when
                     equal */
    PpsV2__PipelineState state;
    unsigned effects; /* PipelineEffect; may be set without a change */
} PipelineStep;

/* A new version starts in PIPELINE_STARTING with PIPELINE_DO_START_WORKERS. */
PipelineStep pipeline_step(const PipelineFacts *facts, PipelineEvent event);

bool pipeline_has_workers(PpsV2__PipelineState state); /* not all of them, while it is crashing */

/* Why a pipeline can never run, known before its first worker starts; NULL when nothing speaks
 * against it (§8.3, §8.6). */
const char *pipeline_fatal(const PpsV2__PipelineInfo *info);

/* --- jobs (§9) -------------------------------------------------------------------------------- */

typedef enum JobEvent {
    JOB_EV_ACCEPTED,     /* one of the pipeline's slots is free */
    JOB_EV_INPUTS_READY, /* every input commit is FINISHED without error */
    JOB_EV_INPUT_FAILED, /* one carries an error; reason from job_unrunnable_reason */
    JOB_EV_DATUMS_DONE,  /* all processed, skipped or recovered */
    JOB_EV_DATUM_FAILED, /* its phase is over; reason from job_datum_failed_reason */
    JOB_EV_EGRESS_DONE,
    JOB_EV_OUTPUT_VALID,   /* the output commit is FINISHED */
    JOB_EV_OUTPUT_INVALID, /* … with an error, which is the reason */
    JOB_EV_STOPPED,        /* by a user, an update, a stop of the pipeline; has a reason */
    JOB_EV_TIMED_OUT,
    JOB_EV_RESTARTED, /* its base turned out bad, or its controller was lost */
    JOB_EVENT_COUNT,
} JobEvent;

typedef enum JobEffect {
    JOB_DO_WAIT_INPUTS = 1 << 0,
    JOB_DO_PLAN = 1 << 1,        /* clear output and counters, plan, queue datum sets */
    JOB_DO_START_TIMER = 1 << 2, /* job_timeout runs from now */
    JOB_DO_EGRESS = 1 << 3,
    JOB_DO_FINISH_COMMITS = 1 << 4, /* output and meta, in the transaction that writes the state */
    JOB_DO_FAIL_COMMITS = 1 << 5,   /* the same, with the reason as their error */
    JOB_DO_KILL_DATUMS = 1 << 6,    /* queued sets are dropped, running processes killed */
    JOB_DO_NOTE_STARTED = 1 << 7,   /* started = now, if unset */
    JOB_DO_NOTE_FINISHED = 1 << 8,  /* finished = now, started too if unset; the token is blanked */
    JOB_DO_COUNT_RESTART = 1 << 9,  /* restart += 1 */
} JobEffect;

typedef struct JobFacts {
    PpsV2__JobState state;
    bool has_egress;
} JobFacts;

typedef struct JobStep {
    bool changed; /* false: the event means nothing in this state */
    PpsV2__JobState state;
    unsigned effects; /* JobEffect */
} JobStep;

/* A new job is JOB_CREATED. Every write of a state writes the event's reason too. */
JobStep job_step(const JobFacts *facts, JobEvent event);

bool job_is_terminal(PpsV2__JobState state);
/* In SQL: not terminal; nor finishing, which nothing stops any more. */
#define JOB_IS_OPEN_SQL     "state NOT IN (4, 5, 6, 9)"
#define JOB_IS_KILLABLE_SQL "state NOT IN (4, 5, 6, 8, 9)"

/* "unrunnable because the following upstream pipelines failed: a, b" */
char *job_unrunnable_reason(Ctx *ctx, const char *const *input_names, size_t n);
/* "datum <id> failed" */
char *job_datum_failed_reason(Ctx *ctx, const char *datum_id);
#define JOB_REASON_TIMED_OUT                                                                       \
    " jobtimed out" /* the blank and the spelling are what clients know                            \
                     */
#define JOB_REASON_STOPPED        "job stopped"
#define JOB_REASON_DELETED        "job deleted"
#define JOB_REASON_COMMIT_REMOVED "output commit removed"

/* --- counters (§9.9) -------------------------------------------------------------------------- */

typedef struct JobCounters {
    int64_t total, processed, skipped, failed, recovered;
    int64_t download_ns, process_ns, upload_ns;
    int64_t download_bytes, upload_bytes;
} JobCounters;

/* Adds what one datum set, or a plan, contributes; sums stop at INT64_MAX. */
void job_counters_add(JobCounters *sum, const JobCounters *more);
JobCounters job_counters_get(const PpsV2__JobInfo *info);
/* Writes them into info; stats in ctx's arena. */
void job_counters_set(Ctx *ctx, const JobCounters *counters, PpsV2__JobInfo *info);
