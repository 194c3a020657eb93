/* pps_priv.h - what the row files of this module share. */
#pragma once

#include <pthread.h>

#include "codec/pb.h"
#include "codec/pbtime.h"
#include "pps/pps.h"
#include "pps/spec.h"

typedef struct LogBook LogBook; /* log_book.c */
typedef struct Stirred Stirred; /* stir.c */

struct Pps {
    Pfs *pfs;
    PpsHost host;
    LogBook *log;
    Stirred *stirred;
};

/* "project/name", as errors have it. */
char *pps_pipeline_text(Ctx *ctx, const char *project, const char *name);
char *pps_job_text(Ctx *ctx, const char *project, const char *name, const char *id);

/* The project and name of a handle, the project defaulted. */
const char *pps_project_of(const PfsV2__Project *project);
const char *pps_pipeline_project(const PpsV2__Pipeline *pipeline);

/* Is project one of projects[n]? n 0 means all. */
bool pps_in_projects(PfsV2__Project *const *projects, size_t n, const char *project);

PpsV2__Pipeline *pps_pipeline_ref(Ctx *ctx, const char *project, const char *name);
PpsV2__Job *pps_job_ref(Ctx *ctx, const char *project, const char *name, const char *id);
/* Of "project/pipeline@id", as pps_job_text gives it; NULL for other texts. */
PpsV2__Job *pps_job_of_text(Ctx *ctx, Str text);

/* pps_find_pipeline, but false when there is none. */
Status pps_has_pipeline(Ctx *ctx, PfsTx *tx, const char *project, const char *name, bool *out_found,
                        int64_t *out_id);

/* pps_find_pipeline, with the words of calls that inspect a pipeline before they act on it. */
Status pps_find_inspected(Ctx *ctx, PfsTx *tx, const PpsV2__Pipeline *pipeline, int64_t *out_id);

/* A version made anew from the effective spec that it has, not merged with today's defaults. */
Status pps_prepare_again(Ctx *ctx, const PpsPipelineRow *row, bool reprocess,
                         PpsV2__CreatePipelineTransaction **out);

/* One version as info, state and all; version 0 is the current one. */
Status pps_pipeline_version(Ctx *ctx, PfsTx *tx, int64_t id, uint64_t version, PpsPipelineRow *out);

/* Publishes that a pipeline (or a job's state) changed, when tx commits, and stirs it. */
void pps_note_pipeline(PfsTx *tx, int64_t id, const char *project, const char *name);
void pps_note_job(PfsTx *tx, int64_t job);

Stirred *stirred_new(Pps *pps);
Stirred *stirred_free(Stirred *stirred);
void pps_stir_pipeline(PfsTx *tx, int64_t pipeline); /* when tx commits */
/* The pipelines whose jobs wait for this commit: it finished. */
Status pps_stir_below(Ctx *ctx, PfsTx *tx, int64_t commit);

/* Stops each job of a pipeline that is not terminal. */
Status pps_kill_jobs(Ctx *ctx, PfsTx *tx, int64_t pipeline, const char *reason);
/* A job as the API shows it. */
Status pps_job_info(Ctx *ctx, PfsTx *tx, const PpsJobRow *row, bool details, PpsV2__JobInfo **out);
/* The select list and reader of job rows: "SELECT " PPS_JOB_COLUMNS " FROM pps_job j …". */
#define PPS_JOB_COLUMNS                                                                            \
    "j.id, j.pipeline, j.project, j.name, j.set_id, j.version, j.output_commit, j.meta_commit, "   \
    "j.state, j.reason, "                                                                          \
    "j.created, j.started, j.finished, j.total, j.processed, j.skipped, j.failed, j.recovered, "   \
    "j.download_ns, "                                                                              \
    "j.process_ns, j.upload_ns, j.download_bytes, j.upload_bytes, j.plan, j.basis, j.restart"
void pps_read_job(Ctx *ctx, const DbRows *rows, PpsJobRow *out);

/* The lookups of spec.h, in this transaction. */
SpecLookups pps_lookups(PfsTx *tx);

/* §5.4, §6: the branches of a pipeline set up (or, stopped, cut off) in this transaction. */
Status pps_connect_branches(Ctx *ctx, PfsTx *tx, const PpsV2__PipelineInfo *info, bool connected);

LogBook *logbook_new(Pps *pps);
LogBook *logbook_free(LogBook *book);

/* Hooks into pfs (job.c). */
Status pps_commits_created(void *self, Ctx *ctx, PfsTx *tx, const int64_t *commits, size_t n);
Status pps_commit_finished(void *self, Ctx *ctx, PfsTx *tx, int64_t commit, const char *error);
Status pps_commit_deleting(void *self, Ctx *ctx, PfsTx *tx, int64_t commit);
Status pps_repo_delete_check(void *self, Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo);
Status pps_user_finish_check(void *self, Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo);
Status pps_user_may_start(void *self, Ctx *ctx, PfsTx *tx, const PfsV2__Branch *branch, bool *out);
