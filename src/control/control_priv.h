/* control_priv.h - what the files of this module share.
 *
 * One lock guards runs, sets, sessions and leases; it is never held during I/O. A JobRun is made by
 * the control thread, lives on a thread of the pool (job_run.c), and is unlinked and freed by that
 * thread at its end. A session belongs to the call that joined it.
 */
#pragma once

#include <pthread.h>

#include "base/thread.h"
#include "codec/pb.h"
#include "codec/pbtime.h"
#include "control/control.h"
#include "pfs/view.h"
#include "pps/log.h"

#define RUNS_MAX 512 /* jobs at work at once; later ones wait their turn */

/* What runs: a job; or a spout, which has none, and whose run has minus its pipeline's row for one.
 * A run that serves (a service's job, a spout) is one process that is kept running by a worker of
 * its own. */
typedef struct JobRun JobRun;
typedef struct Lease Lease;

/* What came of a datum, as it is written. */
typedef struct DoneDatum {
    PlanRecord record;
    RecordState state;
    Hash key, output_root;
    uint64_t output_bytes;
    RecordStats stats;
} DoneDatum;

/* A range of a job's todo list that one worker runs at once. */
typedef struct DatumRange {
    uint64_t from, to;
    int attempts; /* leases that were lost */
} DatumRange;

struct JobRun {
    Control *control;
    /* Set before anyone sees the run: */
    int64_t id;       /* of the job; of a spout, minus its pipeline's */
    int64_t pipeline; /* row */
    uint64_t version;
    char group[ENGINE_GROUP_SIZE]; /* whose workers take its sets */
    bool serves;
    Cancel *cancel; /* set when the job was killed */

    /* The run's thread alone until the sets are offered; from then on they stay as they are. */
    PpsJobRow job;       /* strings in ctx's arena */
    PpsPipelineRow spec; /* likewise */
    Ctx ctx;             /* of the run's thread, always */
    Plan plan;           /* but `done`, which is under the lock once sets are offered */
    Hash base_plan;      /* zero when there is no base */
    Hash basis;
    uint64_t parallelism;
    const char *gate_endpoint,
        *gate_key;      /* of its S3 endpoint, in ctx's arena; NULL: it has none */
    DatumRange *ranges; /* [range_count], taken from next_range upwards */
    size_t range_count;
    bool group_is_open; /* its own workers were started */

    /* Under control->lock: */
    bool offered; /* the sets may be taken */
    size_t next_range;
    bool superseded;      /* serves: a newer job of the pipeline is ready */
    bool is_served;       /* the worker said that the process runs */
    char *trouble;        /* serves: why the process cannot run now, on the heap; NULL it can */
    char token[33];       /* a spout's, which is what its process is known by; "" none */
    const char *user;     /* who it then is */
    DatumRange *returned; /* lost leases, to be run again */
    size_t returned_count;
    size_t leases; /* out now */
    size_t ranges_done;
    JobCounters counters;
    DoneDatum *results; /* [result_count], not yet written; memory in results_arena */
    size_t result_count, result_capacity;
    Arena *results_arena; /* changes hands at a flush */
    bool flushing;
    int64_t last_flush_ns;
    /* Of who flushes: */
    PlanResults *unlaid; /* written, but not in plan.done */
    int64_t last_lay_ns, lay_took_ns;
    /* Under the lock again: */
    char failed_datum[HASH_HEX_SIZE]; /* the first that failed; "" none */
    char *broken;         /* why sets cannot run at all, on the heap; NULL while they can */
    pthread_cond_t moved; /* a set ended, or the run is killed */
    JobRun *next;
};

struct Lease {
    uint64_t id;
    JobRun *run;
    DatumRange range;
    uint64_t reported; /* datums of the range that have their result, the first ones */
    ControlSession *session;
    Arena *arena;         /* of records */
    DatumRecord *records; /* [range.to - range.from], as planned; NULL before the order was made */
    const char *running;  /* datum id at work now; "" between. A spout has no datum */
    char running_buf[HASH_HEX_SIZE];
    int64_t running_since_ns;
    bool cancelled;              /* results are not wanted any more */
    bool told;                   /* the worker was told so */
    char restart[HASH_HEX_SIZE]; /* a datum whose attempt is to be ended; "" none */
    Lease *next;
};

#define WARM_MAX                                                                                   \
    4 /* pipelines a worker is remembered to have run: as many as it keeps sandboxes               \
       */

struct ControlSession {
    Control *control;
    char worker_id[48];
    char group[ENGINE_GROUP_SIZE];
    Lease *lease;     /* one at a time */
    char *trouble;    /* why it can run nothing now, on the heap; NULL: it can */
    int64_t heard_ns; /* when it last said something, or took its lease */
    int64_t warm[WARM_MAX];
    size_t warm_at; /* of the next one */
    bool waiting;   /* for an order */
    bool quit;
    pthread_cond_t wake;
    ControlSession *next;
};

typedef struct CronTimer {
    int64_t pipeline;
    uint64_t version;
    char *name; /* of the input */
    int64_t next_ns;
    struct CronTimer *next;
} CronTimer;

/* A spout that is to run. */
typedef struct WantedSpout {
    int64_t pipeline;
    struct WantedSpout *next;
} WantedSpout;

struct Control {
    Pps *pps;
    ImageStore *images;
    char *spill_dir; /* may be NULL */
    const ControlGate *gate;
    Engine *engine;
    MachineSize machine;
    int64_t silence_ns;
    Content content;
    Pool *pool;
    pthread_t thread;
    Cancel *stopping;
    pthread_mutex_t lock;
    pthread_cond_t run_gone;
    JobRun *runs; /* oldest first */
    ControlSession *sessions;
    Lease *leases;
    uint64_t last_lease;
    bool left; /* sets were left for a worker that is warm, and it has not come yet */
    size_t workers_started;
    bool has_address, waits_for_address;
    ControlAddress address; /* once has_address is set it stays as it is */
    /* The control thread's own: */
    CronTimer *crons;
    int64_t sweep_due_ns; /* of logs; wall clock */
    WantedSpout *spouts;
    bool spouts_known;
};

uint64_t control_topic(void); /* something inside control changed */
void control_wake(Control *control);

/* look.c: one pass over pipelines and jobs; *out_due_ns is when the next is due at the latest. */
Status control_look(Ctx *ctx, Control *control, int64_t *out_due_ns);

/* look_pipelines.c */
bool look_is_live(PpsV2__PipelineState state); /* its jobs run */
/* *due_ns comes nearer when something is to be tried again. */
Status look_at_pipelines(Ctx *ctx, Control *control, bool *out_any_live, int64_t *due_ns);

/* cron.c: ticks what is due (wall clock); *out_next_ns is the next due time, INT64_MAX none. */
Status control_tick(Ctx *ctx, Control *control, int64_t *out_next_ns);
void control_forget_crons(Control *control);

/* job_run.c */
/* job.id < 0: a spout. serves: as in JobRun. */
Status job_run_start(Ctx *ctx, Control *control, const PpsJobRow *job, bool serves);
JobRun *job_run_find(Control *control, int64_t job);             /* with the lock held */
JobRun *job_run_of_pipeline(Control *control, int64_t pipeline); /* likewise: any */
Status job_run_write_running(JobRun *run);
Status job_run_finish(JobRun *run, const char *error, PpsV2__JobState failed);
void job_run_offer(JobRun *run);
char *job_run_text(Ctx *ctx, const JobRun *run); /* "project/pipeline@id", as records have it */
/* Nobody may hold a lease of a run that goes. Their workers are told to stop. */
void job_run_recall(JobRun *run);

/* serve.c */
bool serve_is_wanted(const PpsV2__PipelineInfo *info);
/* A service's job from its plan to its end. */
Status serve_job(JobRun *run);
Status serve_spout(JobRun *run);
/* Ends the run's own workers, where it has some. */
void serve_close(JobRun *run);
/* Puts what is to be served into the order. */
Status serve_order(Ctx *ctx, const JobRun *run, Procavia__Work__WorkSet *set);
void serve_report(ControlSession *session, const Procavia__Work__WorkReport__Serving *report);
/* Why the pipeline's process cannot run now, in ctx's arena; NULL: nothing is known. */
const char *serve_trouble(Ctx *ctx, Control *control, int64_t pipeline);

/* trouble.c: why no worker that runs datums can run any now, in ctx's arena; NULL: one can, or it is
 * not known yet. */
const char *workers_trouble(Ctx *ctx, Control *control);
/* With the lock held: the same of a group, of which `expected` are to come; not owned. */
const char *trouble_of_group(const Control *control, const char *group, size_t expected);

/* spouts.c: those that are to run do. */
Status spouts_look(Ctx *ctx, Control *control);
void spouts_want(Control *control, int64_t pipeline);
void spouts_forget(Control *control);

/* watch.c: replaces workers that do not answer; *due_ns (wall clock) comes nearer when one may be
 * due. */
void watch_workers(Control *control, int64_t *due_ns);

/* note.c: a line in the job's log that is the master's; waits while very much is gathered. */
void job_note(const JobRun *run, const char *format, ...) PRINTF_LIKE(2, 3);

/* gate.c: the job's own S3 endpoint, if its pipeline has S3 inputs or output, which is emptied. */
Status gate_open(JobRun *run);
void gate_close(JobRun *run); /* may be called again */
/* What user code is told of it: three variables at most. */
void gate_add_env(Ctx *ctx, const JobRun *run, Procavia__Work__WorkSet *set);
#define GATE_VARIABLES_MAX 3

/* output.c: the layer that turns the base job's output into this one's. */
Status control_output_layer(Ctx *ctx, Control *control, const Hash *base_plan, const Hash *plan,
                            Hash *out_layer);

void job_run_break(JobRun *run,
                   const char *reason); /* with the lock held; the first reason counts */

/* egress.c: pushes the output out, however long it takes; OK when that is done, the job was killed
 * (run->cancel), or deadline_ns (monotonic) passed. */
Status egress_run(JobRun *run, int64_t deadline_ns, bool *out_timed_out);

/* queue.c, with the lock held */
bool queue_take(Control *control, ControlSession *session, Lease **out);
void queue_end_lease(Control *control, Lease *lease, bool lost);
Lease *queue_find_lease(Control *control, uint64_t id);
void queue_wake_sessions(Control *control);

/* ride.c: puts a small input's content into an order. */
typedef struct RideView {
    const PfsV2__Repo *repo;
    PfsView view;
    TreeCursor *files; /* over view; datums go through it in order */
} RideView;
typedef struct Ride {
    Pfs *pfs;
    RideView views[16]; /* the last ones; in the order's arena */
    size_t view_count;  /* that were opened */
    size_t bytes;       /* so far */
    bool closed;        /* nothing rides along */
} Ride;
Status ride_along(Ctx *ctx, Ride *ride, const DatumInput *input,
                  Procavia__Work__WorkInput *out) NODISCARD;
void ride_done(Ride *ride);

/* order.c: the message for a lease. */
Status order_make(Ctx *ctx, Control *control, Lease *lease, Procavia__Work__WorkSet **out);

/* The same for who runs no lease: a set without datums, then one datum, without its content.
 * Without secrets their variables are there, and say nothing. */
Status order_recipe(Ctx *ctx, Control *control, const PpsJobRow *job, const PpsPipelineRow *spec,
                    bool with_secrets, Procavia__Work__WorkSet **out);
Status order_add_datum(Ctx *ctx, Control *control, const DatumRecord *record,
                       Procavia__Work__WorkSet *set);

/* result.c: durable results. flush writes what was gathered so far; the plan has all of it then. */
Status result_add(Ctx *ctx, Lease *lease, const Procavia__Work__WorkResult *result);
Status result_flush(Ctx *ctx, JobRun *run);
/* The same when the last was a while ago: results do not wait for a datum that takes long. */
Status result_flush_due(Ctx *ctx, JobRun *run);
Status result_copy_record(Arena *arena, const DatumRecord *record, DatumRecord *out);
/* The todo list of a job that runs; false for others. */
bool result_find_todo(Control *control, int64_t job, Hash *out);

/* fileset.c: the name of a job's file set, and (a PfsPromiseFn) what it holds. */
char *fileset_of_job(Ctx *ctx, const PpsJobRow *job);
Status control_fill_fileset(void *self, Ctx *ctx, const char *token, struct PfsWriter *writer);

/* The same in steps, for who writes more in the same transaction: take, lay, write, and in any case
 * end.
 */
typedef struct ResultBatch {
    DoneDatum *results;
    size_t n; /* 0: nothing was gathered */
    Arena *arena;
    JobCounters counters;
    Hash done; /* the plan, with these once laid; blobs that are not synced */
    PpsLogBatch *log;
    bool written;
} ResultBatch;
void result_take(JobRun *run, ResultBatch *out);
typedef enum LayWhen { LAY_NOW, LAY_WHEN_DUE } LayWhen;
Status result_lay(Ctx *ctx, JobRun *run, ResultBatch *batch, LayWhen when);
Status result_write(Ctx *ctx, PfsTx *tx, JobRun *run, ResultBatch *batch);
void result_end(JobRun *run, const ResultBatch *batch, Status how);
