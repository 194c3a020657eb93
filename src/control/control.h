/* control.h - what moves pipelines and jobs along: one thread that looks when something changed,
 * decides by pps's pure functions, and hands datum sets to workers.
 *
 * A job here is a sequence of steps (wait for inputs, plan, run, finish). Progress is durable datum
 * by datum in the result cache, so a job that a crash interrupted is planned again and goes on
 * where it was; nothing else is kept.
 */
#pragma once

#include "engine/engine.h"
#include "image/image.h"
#include "pps/machine.h"
#include "pps/pps.h"
#include "procavia/work/work.pb-c.h"
#include "task/task.pb-c.h"

typedef struct Control Control;

/* A bucket of a job's own S3 endpoint. */
typedef struct ControlBucket {
    const char *name;
    PfsV2__Commit *commit;
    bool is_output; /* takes writes and shows nothing; else it is only read */
} ControlBucket;

/* Who serves S3 to jobs: a floor above. Any thread. */
typedef struct ControlGate {
    /* Lets in who knows the key, which is made here, to these buckets and no others. *out_endpoint
     * as user code is told ("http://127.0.0.1:41234"); both in ctx's arena. */
    Status (*open)(void *self, Ctx *ctx, const ControlBucket *buckets, size_t n,
                   const char **out_endpoint, const char **out_key);
    /* Nobody who knows the key is inside when it returns. */
    void (*close)(void *self, const char *key);
    void *self;
} ControlGate;

typedef struct ControlConfig {
    Pps *pps;
    ImageStore *images; /* may be NULL in tests: pipelines then run on the host's root only */
    const ControlGate *gate; /* may be NULL: then jobs that need S3 fail */
    Engine *engine;     /* may be NULL in tests: workers then join by themselves */
    const char *spill_dir; /* where what is too large for memory is sorted; NULL: as PlanParams */
    MachineSize machine;
    int64_t silence_ns; /* a worker that says nothing for so long while it has a lease is replaced;
                           0: never */
    bool waits_for_address; /* nothing begins before control_set_address */
} ControlConfig;

Status control_start(Ctx *ctx, const ControlConfig *config, Control **out) NODISCARD;
Control *control_stop(Control *control); /* no worker session may be open; NULL is fine */

/* Where this server and what it serves is reached. */
typedef struct ControlAddress {
    const char *listen_host; /* services listen there; numeric */
    const char *shown_host;  /* how others reach that: the address of a service */
    const char *local_host;  /* how user code on this machine reaches the server; "": it cannot */
    uint16_t port;
} ControlAddress;
/* Copied. Once. */
void control_set_address(Control *control, const ControlAddress *address);

/* --- for the Work service: one session a connected worker ------------------------------------- */

typedef struct ControlSession ControlSession;

/* PERMISSION_DENIED when the token is not one that the engine gave out. */
Status control_join(Ctx *ctx, Control *control, const Procavia__Work__WorkReport__Hello *hello,
                    ControlSession **out) NODISCARD;
/* Waits for the next order; in ctx's arena. CANCELLED when the connection or the server ends. */
Status control_next_order(Ctx *ctx, ControlSession *session, Procavia__Work__WorkOrder **out);
/* Takes what the worker says. Results become durable within a second, and before their job ends. */
Status control_report(Ctx *ctx, ControlSession *session, const Procavia__Work__WorkReport *report);
/* Gives back its leases; what they covered runs elsewhere. */
ControlSession *control_leave(ControlSession *session);

/* --- for the API ------------------------------------------------------------------------------ */

/* Who calls with this token: "pipeline:project/name" of a spout that runs, in ctx's arena; NULL
 * nobody we know. */
const char *control_user_of(Ctx *ctx, Control *control, const char *token);
/* What only the controller knows of a pipeline: its service's address, its workers, its tasks. */
void control_describe(Ctx *ctx, Control *control, int64_t pipeline, PpsV2__PipelineInfo *info);
/* §26.30: the datum sets of jobs that run, each as a task; with group, those of one namespace and
 * job, where they are not "". */
typedef Status (*ControlTaskFn)(void *arg, Ctx *ctx, const Taskapi__TaskInfo *task);
Status control_list_tasks(Ctx *ctx, Control *control, const Taskapi__Group *group, ControlTaskFn fn,
                          void *arg);
/* Workers on this job now (JobInfo.details.worker_status). */
Status control_worker_status(Ctx *ctx, Control *control, int64_t job, PpsV2__WorkerStatus ***out,
                             size_t *out_n);
/* What its worker is told to run a datum, secrets and all, but for the content of its inputs: the set
 * has that one datum, done or not. Errors: UNKNOWN (no datum or job named), NOT_FOUND. */
Status control_datum_recipe(Ctx *ctx, Control *control, const PpsV2__Datum *datum,
                            Procavia__Work__WorkSet **out);
/* What a commit of a meta repo shows (§16), computed as it is read: a PfsComputeFn, self the
 * Control. */
Status control_meta(void *self, Ctx *ctx, const PfsCommitRow *row, const TreeSource **out);
/* The record of a datum that a job is to run, runs, or has just run; in ctx's arena. index: as the
 * worker was told. NOT_FOUND (bare). self is the Control (PpsPending, pps/log.h). */
Status control_pending_datum(void *self, Ctx *ctx, int64_t job, uint64_t index, const Hash *id,
                             DatumRecord *out);
/* §26.11 */
Status control_restart_datum(Ctx *ctx, Control *control, const PpsV2__RestartDatumRequest *request);
