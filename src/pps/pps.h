/* pps.h - pipelines and jobs as rows: created, listed, moved from state to state, in pfs's
 * transactions.
 *
 * What is pure lives beside it (spec.h, input.h, datum.h, key.h, plan.h, state.h); what waits and
 * starts processes lives above (control). Requests and infos are the API's messages
 * (proto/pps/pps.proto) in ctx's arena. Behaviour: the reference's pps.md; its section is named at
 * each function.
 */
#pragma once

#include "pfs/view.h"
#include "pps/plan.h"
#include "pps/state.h"
#include "procavia/v1/procavia.pb-c.h"

typedef struct Pps Pps;

/* What pps needs from above. */
typedef struct PpsHost {
    /* The digest of an image, or of the host's root for "" and "host". NOT_FOUND when there is no
     * such image: the pipeline is created all the same, and crashes with the reason until the image
     * appears. */
    Status (*resolve_image)(void *self, Ctx *ctx, const char *image, const char **out_digest);
    void *self;
} PpsHost;

/* db must have been opened with pps_migrations after pfs's. Installs its hooks into pfs; writes a
 * fresh server's cluster defaults. */
extern const DbMigration pps_migrations[];
extern const size_t pps_migration_count;
/* host is copied; pfs and what host points to outlive the result. out: the caller's, to be
 * closed. Errors: those of the database. */
Status pps_open(Ctx *ctx, Pfs *pfs, const PpsHost *host, Pps **out) NODISCARD;
/* Stores what was logged, and takes its hooks out of pfs; NULL is fine; always returns NULL. */
Pps *pps_close(Pps *pps);
/* The file system under it, not owned by the caller. */
Pfs *pps_pfs(Pps *pps);

/* Topics of the event bus (db_events). */
/* A pipeline's row changed. */
uint64_t pps_topic_pipeline(const char *project, const char *name);
/* A job's row changed. */
uint64_t pps_topic_job(int64_t job);
/* Pipelines were stirred (pps_take_stirred). */
uint64_t pps_topic_stirred(void);
/* A job logged (log.h). */
uint64_t pps_topic_logs(int64_t job);
/* Any job of a pipeline logged. */
uint64_t pps_topic_pipeline_logs(int64_t pipeline);

/* What may move: pipelines whose row, jobs or jobs' inputs changed since this was last asked. Told
 * as soon as a transaction committed, before it is durable. */
typedef struct PpsStirred {
    bool all; /* any may: at first, and when they were too many to note */
    int64_t *pipelines;
    size_t n;
} PpsStirred;
Status pps_take_stirred(Ctx *ctx, Pps *pps, PpsStirred *out) NODISCARD;
void pps_stir(Pps *pps, int64_t pipeline);         /* it is to be looked at again, now */
void pps_stir_quietly(Pps *pps, int64_t pipeline); /* with the next look, whenever that is */
/* The oldest job of a pipeline that is not at its end. NOT_FOUND (bare) when there is none. */
Status pps_oldest_open_job(Ctx *ctx, PfsTx *tx, int64_t pipeline, int64_t *out) NODISCARD;

/* --- pipelines (§6, §7, §26.13-26.22) --------------------------------------------------------- */

typedef Status (*PpsPipelineFn)(void *arg, Ctx *ctx, const PpsV2__PipelineInfo *info);

/* Makes the effective spec of a request: parsed, merged with the defaults, checked (§3). */
Status pps_prepare(Ctx *ctx, PfsTx *tx, const PpsV2__CreatePipelineV2Request *request,
                   PpsV2__CreatePipelineTransaction **out);
/* The same for a request as fields; what it leaves at zero is the defaults' to say. */
Status pps_prepare_v1(Ctx *ctx, PfsTx *tx, const PpsV2__CreatePipelineRequest *request,
                      PpsV2__CreatePipelineTransaction **out);
/* The effective spec as CreatePipelineV2 answers it. In ctx's arena. */
Status pps_prepared_json(Ctx *ctx, const PpsV2__CreatePipelineTransaction *prepared,
                         char **out_json);
/* Creates or updates (§4, §6). */
Status pps_create_pipeline(Ctx *ctx, PfsTx *tx, Pps *pps,
                           const PpsV2__CreatePipelineTransaction *prepared);
/* The current version, or an earlier one ("name^", "name~3"). Errors: NOT_FOUND; UNKNOWN (no
 * pipeline given; the ancestry). */
Status pps_inspect_pipeline(Ctx *ctx, PfsTx *tx, const PpsV2__InspectPipelineRequest *request,
                            PpsV2__PipelineInfo **out);
/* Newest first; request->history 0 is the current versions alone, negative all. Its jqFilter is
 * for the floor above. */
Status pps_list_pipeline(Ctx *ctx, PfsTx *tx, const PpsV2__ListPipelineRequest *request,
                         PpsPipelineFn fn, void *arg);
/* The pipeline runs nothing until it is started again; its open jobs stay as they are. Errors:
 * NOT_FOUND (only with must_exist); UNKNOWN (none given). */
Status pps_stop_pipeline(Ctx *ctx, PfsTx *tx, const PpsV2__StopPipelineRequest *request);
/* Takes back a stop; commits that came meanwhile get their jobs. Errors: NOT_FOUND;
 * UNKNOWN (none given). */
Status pps_start_pipeline(Ctx *ctx, PfsTx *tx, const PpsV2__StartPipelineRequest *request);
/* A new version with the same spec, whose jobs keep results or not as request->reprocess says.
 * Errors: NOT_FOUND; UNKNOWN (none given). */
Status pps_rerun_pipeline(Ctx *ctx, PfsTx *tx, Pps *pps,
                          const PpsV2__RerunPipelineRequest *request);
/* With its jobs, its spec and meta repos, and, unless keep_repo, its output repo. Errors:
 * NOT_FOUND (only with must_exist); UNKNOWN (others read its output, and force was not asked
 * for). */
Status pps_delete_pipeline(Ctx *ctx, PfsTx *tx, const PpsV2__DeletePipelineRequest *request);
/* Every pipeline of the named projects, or all. out: those deleted. Errors: as
 * pps_delete_pipeline. */
Status pps_delete_pipelines(Ctx *ctx, PfsTx *tx, const PpsV2__DeletePipelinesRequest *request,
                            PpsV2__DeletePipelinesResponse **out);
/* Every pipeline and job, with their repos. */
Status pps_delete_all(Ctx *ctx, PfsTx *tx);
/* How many pipelines of each named project run, failed, were stopped. Errors: UNKNOWN (a picker
 * that is not a name). */
Status pps_summary(Ctx *ctx, PfsTx *tx, const PpsV2__PipelinesSummaryRequest *request,
                   PpsV2__PipelinesSummaryResponse **out);
/* §20: a tick of every cron input of the pipeline, now. */
Status pps_run_cron(Ctx *ctx, Pps *pps, const PpsV2__Pipeline *pipeline);
/* One tick of one cron input: a commit with a file named after the time. */
Status pps_cron_tick(Ctx *ctx, Pps *pps, const PpsV2__CronInput *cron, int64_t at_ns);
/* When a cron input last ticked: its newest file's name, or its start when that is later or there
 * is none. */
Status pps_cron_last(Ctx *ctx, Pps *pps, const PpsV2__CronInput *cron, int64_t *out_ns);
/* One answer for each pipeline of a project, or of all. */
Status pps_check_status(Ctx *ctx, PfsTx *tx, const PpsV2__CheckStatusRequest *request,
                        Status (*fn)(void *arg, Ctx *ctx,
                                     const PpsV2__CheckStatusResponse *response),
                        void *arg);

/* A pipeline's current version, as the controller sees it. Memory: ctx's arena. */
typedef struct PpsPipelineRow {
    int64_t id;
    const char *project, *name;
    uint64_t version;
    PpsV2__PipelineState state;
    const char *reason;
    bool stopped;
    const char *image_digest; /* "" when the image was not found */
    int64_t
        results_not_before_ns; /* older results of the cache do not count (update with reprocess) */
    PpsV2__PipelineInfo *info; /* with details */
} PpsPipelineRow;
/* Row id of a pipeline by name; NOT_FOUND "pipeline "p/n" not found". */
Status pps_find_pipeline(Ctx *ctx, PfsTx *tx, const char *project, const char *name,
                         int64_t *out_id);
/* Errors: NOT_FOUND. */
Status pps_pipeline_row(Ctx *ctx, PfsTx *tx, int64_t id, PpsPipelineRow *out);
typedef Status (*PpsPipelineRowFn)(void *arg, Ctx *ctx, const PpsPipelineRow *row);
/* Every pipeline's current version, oldest first; an error of fn ends the walk. */
Status pps_each_pipeline(Ctx *ctx, PfsTx *tx, PpsPipelineRowFn fn, void *arg);
/* Those whose state may be about to change: on their way somewhere, or stopped and not yet paused,
 * or the reverse. Cost follows their number, not that of all pipelines. */
Status pps_each_moving_pipeline(Ctx *ctx, PfsTx *tx, PpsPipelineRowFn fn, void *arg);
/* Running (or standing by), with a cron input. */
Status pps_each_cron_pipeline(Ctx *ctx, PfsTx *tx, PpsPipelineRowFn fn, void *arg);
/* Does any pipeline run, or start, or stand by? */
Status pps_any_live(Ctx *ctx, PfsTx *tx, bool *out);
/* Moves a pipeline; reason "" when there is none to give. Errors: NOT_FOUND. */
Status pps_set_pipeline_state(Ctx *ctx, PfsTx *tx, int64_t id, PpsV2__PipelineState state,
                              const char *reason);
/* §8.4: an autoscaling pipeline leaves standby as its first job begins, and is back in it in the
 * transaction that ends the last job whose inputs are finished. Any other pipeline stays as it
 * is. */
Status pps_pipeline_busy(Ctx *ctx, PfsTx *tx, int64_t id);
/* The way back to standby, see pps_pipeline_busy. */
Status pps_pipeline_settle(Ctx *ctx, PfsTx *tx, int64_t id);
/* Looks the image up again; true when a crashing pipeline's image is there now. */
Status pps_retry_image(Ctx *ctx, PfsTx *tx, Pps *pps, int64_t id, bool *out_found);

bool pps_is_spout(const PpsV2__PipelineInfo *info);
/* "pipeline:project/name", who a pipeline's own process is. */
char *pps_pipeline_user(Ctx *ctx, const char *project, const char *name);

/* "project/name" of a pipeline whose current version, or whose open jobs, run in the image; NULL
 * when there is none. */
Status pps_image_user(Ctx *ctx, PfsTx *tx, const char *digest, const char **out);

/* --- jobs (§9, §26.1-26.7) -------------------------------------------------------------------- */

typedef Status (*PpsJobFn)(void *arg, Ctx *ctx, const PpsV2__JobInfo *info);
typedef Status (*PpsJobSetFn)(void *arg, Ctx *ctx, const PpsV2__JobSetInfo *info);

/* With request->wait, once it has ended. Errors: NOT_FOUND; UNKNOWN (no job given, deleted
 * meanwhile); CANCELLED, DEADLINE_EXCEEDED. */
Status pps_inspect_job(Ctx *ctx, Pps *pps, const PpsV2__InspectJobRequest *request,
                       PpsV2__JobInfo **out);
/* The jobs of a set in the order of their provenance; with wait, each as it ends. Errors:
 * UNKNOWN (no set given); CANCELLED, DEADLINE_EXCEEDED. */
Status pps_inspect_job_set(Ctx *ctx, Pps *pps, const PpsV2__InspectJobSetRequest *request,
                           PpsJobFn fn, void *arg);
/* Newest first unless reverse; of a pipeline, of projects, those that read given commits.
 * Errors: NOT_FOUND; UNKNOWN (a negative number). */
Status pps_list_job(Ctx *ctx, PfsTx *tx, const PpsV2__ListJobRequest *request, PpsJobFn fn,
                    void *arg);
/* Newest first unless reverse. Errors: UNKNOWN (a negative number). */
Status pps_list_job_set(Ctx *ctx, PfsTx *tx, const PpsV2__ListJobSetRequest *request,
                        PpsJobSetFn fn, void *arg);
/* The jobs that have not ended, then each new one; ends only by ctx or fn. Errors: NOT_FOUND;
 * UNKNOWN (no pipeline given, deleted meanwhile); CANCELLED, DEADLINE_EXCEEDED. */
Status pps_subscribe_job(Ctx *ctx, Pps *pps, const PpsV2__SubscribeJobRequest *request, PpsJobFn fn,
                         void *arg);
/* Kills a job that has not ended; one that has stays as it is. Errors: NOT_FOUND; UNKNOWN (no
 * job given). */
Status pps_stop_job(Ctx *ctx, PfsTx *tx, const PpsV2__StopJobRequest *request);
/* Removes a job and its log, killed first when it has not ended. Errors: NOT_FOUND; UNKNOWN (no
 * job given). */
Status pps_delete_job(Ctx *ctx, PfsTx *tx, const PpsV2__Job *job);
/* Errors: NOT_FOUND; UNKNOWN (the job has ended). */
Status pps_update_job_state(Ctx *ctx, PfsTx *tx, const PpsV2__UpdateJobStateRequest *request);

typedef struct PpsJobRow {
    int64_t id;
    int64_t pipeline_id;
    const char *project, *pipeline;
    char set_id[33];
    uint64_t version;
    int64_t output_commit, meta_commit; /* rows; meta 0: none */
    PpsV2__JobState state;
    const char *reason;
    int64_t created_ns, started_ns, finished_ns; /* 0: not yet */
    JobCounters counters;
    Hash plan;  /* tree of its datums (plan.h); zero before planning */
    Hash basis; /* plan_basis of that plan */
    uint64_t restart;
} PpsJobRow;

/* Errors: NOT_FOUND (bare). */
Status pps_job_row(Ctx *ctx, PfsTx *tx, int64_t id, PpsJobRow *out);
Status pps_find_job(Ctx *ctx, PfsTx *tx, const PpsV2__Job *job,
                    PpsJobRow *out); /* NOT_FOUND naming it */
/* Jobs that are not in a terminal state, oldest first. */
Status pps_each_open_job(Ctx *ctx, PfsTx *tx,
                         Status (*fn)(void *arg, Ctx *ctx, const PpsJobRow *row), void *arg);
/* The spec a job runs: the pipeline's version as of the job. */
Status pps_job_spec(Ctx *ctx, PfsTx *tx, const PpsJobRow *job, PpsPipelineRow *out);
/* The nearest ancestor to build on (§11.1): its row, or id 0. */
Status pps_job_base(Ctx *ctx, PfsTx *tx, const PpsJobRow *job, PpsJobRow *out);

/* Moves a job that is not terminal; a terminal one answers UNKNOWN "job … has already finished". */
Status pps_job_to(Ctx *ctx, PfsTx *tx, int64_t job, PpsV2__JobState state, const char *reason);
/* Notes how far a job is, and the tree that says so. Errors: NOT_FOUND. */
Status pps_job_progress(Ctx *ctx, PfsTx *tx, int64_t job, const JobCounters *counters,
                        const Hash *plan, const Hash *basis);
/* Ends processing: the layer becomes the output commit's content and both commits finish. error ""
 * leads through FINISHING to SUCCESS (or FAILURE when the content breaks a rule); otherwise
 * `failed` is the state it ends in. */
Status pps_job_finish(Ctx *ctx, PfsTx *tx, int64_t job, const Hash *output_layer, const char *error,
                      PpsV2__JobState failed);

/* Checks that each file of an output has the tag of a datum of its job (pfs.md §21): fn gets a text
 * for each that has not. target: the output commit; NULL: of each pipeline the newest that finished
 * well. Errors: those of picking; NOT_FOUND when no job with records of its datums made the
 * commit. */
Status pps_zombies(Ctx *ctx, Pps *pps, const PfsV2__Commit *target, PfsFsckFn fn, void *arg);

/* --- the datum cache (design, decision 3) ----------------------------------------------------- */

Status pps_cache_get(Ctx *ctx, PfsTx *tx, const Hash *key,
                     PlanResultHit *out); /* NOT_FOUND (bare) */
/* Keeps the first result of a key: what ran twice never gives two results. */
Status pps_cache_put(Ctx *ctx, PfsTx *tx, const Hash *key, const PlanResultHit *result);

/* --- datums (§26.8-26.10) --------------------------------------------------------------------- */

/* Files for enumeration (datum.h), read from pfs: an input's commit is `commit` of the message, or
 * its branch's head when that is empty. base_set: the job whose plan `changes` is told against; ""
 * when there is none. */
typedef struct PpsSource {
    Pps *pps;
    const char *base_set;
    struct PpsOpenView *views; /* commits that files were looked up in */
} PpsSource;
InputSource pps_source(PpsSource *source);
void pps_source_done(PpsSource *source);
/* Can what the inputs were in base_set still be told? A commit may have been squashed since. */
Status pps_source_has_base(Ctx *ctx, const PpsSource *source, PpsV2__Input *input,
                           bool *out) NODISCARD;
/* The commit an input reads. */
Status pps_input_view(Ctx *ctx, Pps *pps, const PpsV2__PFSInput *input, const char *set_id,
                      PfsView *out);

typedef Status (*PpsDatumFn)(void *arg, Ctx *ctx, const PpsV2__DatumInfo *info);
/* A record as the API shows it; job: the one that lists it. */
Status pps_datum_info(Ctx *ctx, const DatumRecord *record, const PpsJobRow *job,
                      PpsV2__DatumInfo **out);
/* Errors: NOT_FOUND (the job); UNKNOWN (none given, not in the job). */
Status pps_inspect_datum(Ctx *ctx, Pps *pps, const PpsV2__Datum *datum, PpsV2__DatumInfo **out);
/* The datums of a job, or of an input as they would be; page by page from a marker. Errors:
 * NOT_FOUND; INVALID_ARGUMENT (the marker); UNKNOWN (neither or both given); RESOURCE_EXHAUSTED
 * (too many to sort). */
Status pps_list_datum(Ctx *ctx, Pps *pps, const PpsV2__ListDatumRequest *request, PpsDatumFn fn,
                      void *arg);
/* §26.10: the datums that a pipeline with this input would have, in the order that its leaves give
 * them; ascending by id within each 10,000. Ends early when fn fails. */
Status pps_create_datum(Ctx *ctx, Pps *pps, const PpsV2__Input *input, PpsDatumFn fn, void *arg);

/* --- the record (record_show.c) --------------------------------------------------------------- */

/* Everything that made one file: the datum, its inputs and their commits, the job that ran it, the
 * version of the code, and all commits upstream. Errors: NOT_FOUND naming the file. */
Status pps_explain_file(Ctx *ctx, Pps *pps, const PfsV2__File *file,
                        Procavia__V1__ExplainFileResponse **out);

/* Why datums of a job ran or did not: of one (datum_id) or all. */
typedef Status (*PpsWhyFn)(void *arg, Ctx *ctx, const Procavia__V1__WhyDatumResponse *response);
Status pps_why(Ctx *ctx, Pps *pps, const Procavia__V1__WhyDatumRequest *request, PpsWhyFn fn,
               void *arg);

/* --- defaults (§3.5), secrets (§26.23) -------------------------------------------------------- */

/* What is set for the cluster, as it was written. out: in ctx's arena. */
Status pps_get_cluster_defaults(Ctx *ctx, PfsTx *tx, const char **out_json);
/* Checks and sets them, by request->regenerate also the specs that they change; dry_run only
 * says which. Errors: INVALID_ARGUMENT naming the field. */
Status pps_set_cluster_defaults(Ctx *ctx, PfsTx *tx, Pps *pps,
                                const PpsV2__SetClusterDefaultsRequest *request,
                                PpsV2__SetClusterDefaultsResponse **out);
/* What is set for a project. Errors: NOT_FOUND. */
Status pps_get_project_defaults(Ctx *ctx, PfsTx *tx, const PfsV2__Project *project,
                                PpsV2__GetProjectDefaultsResponse **out);
/* With the project: one that is made anew has none. */
Status pps_drop_project_defaults(Ctx *ctx, PfsTx *tx, const PfsV2__Project *project);
/* As pps_set_cluster_defaults, for the pipelines of a project. Errors: the same; NOT_FOUND. */
Status pps_set_project_defaults(Ctx *ctx, PfsTx *tx, Pps *pps,
                                const PpsV2__SetProjectDefaultsRequest *request,
                                PpsV2__SetProjectDefaultsResponse **out);

/* file: a Kubernetes Secret as JSON. Errors: UNKNOWN (not JSON, no name, not base64, one of that
 * name exists). */
Status pps_create_secret(Ctx *ctx, PfsTx *tx, Bytes file);
/* Errors: UNKNOWN (there is none). */
Status pps_delete_secret(Ctx *ctx, PfsTx *tx, const char *name);
/* Name, type and time, never a value. Errors: UNKNOWN (there is none). */
Status pps_inspect_secret(Ctx *ctx, PfsTx *tx, const char *name, PpsV2__SecretInfo **out);
/* Every secret by name, without values. */
Status pps_list_secret(Ctx *ctx, PfsTx *tx, PpsV2__SecretInfos **out);
/* One key's plaintext, for a worker. NOT_FOUND names what is missing. */
/* The password that an egress's secret holds; when there is no such secret, the one that the
 * server's environment has for all (PACHYDERM_SQL_PASSWORD). In ctx's arena. Errors: NOT_FOUND. */
Status pps_egress_password(Ctx *ctx, Pps *pps, const PfsV2__SQLDatabaseEgress *target,
                           const char **out);
/* Logins at registries out of secrets that hold some (type kubernetes.io/dockerconfigjson or
 * kubernetes.io/dockercfg), as one JSON text, the earlier ones first; "" when there are none.
 * *out_trouble: what is wrong with one of them, "" nothing: the others count all the same. */
Status pps_pull_logins(Ctx *ctx, PfsTx *tx, char *const *names, size_t n, const char **out,
                       const char **out_trouble);
Status pps_secret_value(Ctx *ctx, PfsTx *tx, const char *name, const char *key, Bytes *out);
/* All keys of one, as it was given. NOT_FOUND names what is missing. */
typedef Status (*PpsSecretFn)(void *arg, Ctx *ctx, Str key, Bytes value);
Status pps_secret_each(Ctx *ctx, PfsTx *tx, const char *name, PpsSecretFn fn, void *arg);
