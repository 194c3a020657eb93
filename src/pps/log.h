/* log.h - what jobs log: gathered, kept as segments, read back, followed (pps.md §25).
 *
 * The lines of a job (or of a pipeline without one, job 0) are a stream of bytes. They gather in
 * memory, where readers see them at once, and become segments: with the job's results when it
 * reports some, when LOG_SEGMENT_BYTES are there, and when the job ends. So a datum whose result is
 * durable has its lines durable too. Reading what is new costs what is new. All functions: any
 * thread.
 */
#pragma once

#include "pps/pps.h"

/* One line. Strings are copied. */
typedef struct PpsLogLine {
    int64_t pipeline, job; /* rows; job 0: none */
    const char *datum_id;  /* 64 hex digits; "" when none */
    uint64_t datum_index;  /* its position among the job's datums to run */
    const char *worker_id;
    int64_t ts_ns;
    bool user, is_stderr, master;
    Str message;
} PpsLogLine;

/* Takes lines[n] in. Waits for the disk when much is gathered. A line that cannot be stored is
 * dropped with a warning in the server's log: no job fails because of its log. */
void pps_log(Ctx *ctx, Pps *pps, const PpsLogLine *lines, size_t n);

/* Makes durable what a job has logged. */
Status pps_log_flush(Ctx *ctx, Pps *pps, int64_t pipeline, int64_t job);

/* The same in steps, for who writes more in the same transaction: take (before store_sync), write,
 * and settle with what came of the transaction. *out NULL: there is nothing; the others take that.
 * What was taken and not written is gathered again. */
typedef struct PpsLogBatch PpsLogBatch;
Status pps_log_take(Ctx *ctx, Pps *pps, int64_t pipeline, int64_t job, PpsLogBatch **out) NODISCARD;
Status pps_log_write(Ctx *ctx, PfsTx *tx, const PpsLogBatch *batch);
void pps_log_settle(Pps *pps, PpsLogBatch *batch, bool written);

/* What is kept at most. The oldest go first. */
typedef struct PpsLogLimits {
    int64_t age_ns;         /* older lines are not shown and go; 0: none are too old */
    int64_t pipeline_bytes; /* of each pipeline's segments, without compression; 0: no limit */
} PpsLogLimits;
void pps_log_limit(Pps *pps, const PpsLogLimits *limits); /* before the first line comes */

/* Deletes some of what is too old by now_ns (wall clock). *out_due_ns: when there is more to delete
 * at the earliest; INT64_MAX never. */
Status pps_log_sweep(Ctx *ctx, Pps *pps, int64_t now_ns, int64_t *out_due_ns);

/* The record of a datum that is not in its job's plan yet; NOT_FOUND (bare) when nobody knows. */
typedef struct PpsPending {
    Status (*find)(void *self, Ctx *ctx, int64_t job, uint64_t index, const Hash *id,
                   DatumRecord *out);
    void *self;
} PpsPending;

/* What a datum reads, as the API names it; in ctx's arena. */
Status pps_input_files(Ctx *ctx, const Datum *datum, PpsV2__InputFile ***out, size_t *out_n);
/* Is each of filters[n] the path or the hash (hex, base64) of one of the files? */
bool pps_data_match(char *const *filters, size_t n, PpsV2__InputFile *const *files, size_t file_n);

/* request: names a pipeline or a job. pending: find may be NULL. With follow it ends when the ctx
 * does. fn's memory goes after each line. */
typedef Status (*PpsLogFn)(void *arg, Ctx *ctx, const PpsV2__LogMessage *line);
Status pps_get_logs(Ctx *ctx, Pps *pps, const PpsV2__GetLogsRequest *request,
                    const PpsPending *pending, PpsLogFn fn, void *arg);
