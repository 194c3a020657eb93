/* log_priv.h - what the files that keep and read logs share. README.md has the format.
 *
 *   log_line.c    a line as bytes, and back                     pure
 *   log_book.c    lines that are not yet segments
 *   log_rows.c    segments: rows and blobs, and what limits them
 *   log_walk.c    from a position to the end; the position of the last n lines
 *   log_filter.c  what of it is asked for
 *   log_get.c     a request
 */
#pragma once

#include "pfs/content.h"
#include "pps/log.h"
#include "pps/pps_priv.h"

#define LOG_SEGMENT_BYTES (512 * KiB) /* of one segment; the last line may exceed it */
#define LOG_INLINE_BYTES  (8 * KiB)   /* a segment up to this is in its row: no blob, no sync */
#define LOG_GATHERED_MAX  (4 * LOG_SEGMENT_BYTES) /* kept of one job when the disk refuses it */

/* --- lines (log_line.c) ----------------------------------------------------------------------- */

typedef struct LogLine {
    bool user, is_stderr, master;
    bool has_datum;
    Hash datum;
    uint64_t datum_index;
    int64_t ts_ns;
    Str worker, message; /* in the segment */
} LogLine;

LogLine log_line_of(const PpsLogLine *line);
void log_line_add(Buf *out, const LogLine *line);
/* Reads the line at *at and moves past it; false when there is none, or it is damaged. */
bool log_line_read(Bytes segment, size_t *at, LogLine *out);

/* --- what is gathered (log_book.c) ------------------------------------------------------------ */

PpsLogLimits logbook_limits(LogBook *book);

/* Lines of one job that are in memory, copied. begin: where they are in the job's stream. */
typedef struct LogGathered {
    int64_t job;
    uint64_t begin;
    Buf lines;
} LogGathered;

typedef struct LogGatheredList {
    LogGathered *items;
    size_t count;
} LogGatheredList;
void log_gathered_done(LogGatheredList *list);

/* Which lines: of a pipeline, or of one job of it. */
typedef struct LogTarget {
    int64_t pipeline;
    int64_t job; /* -1: all */
} LogTarget;

/* How far a reader is. Of jobs with gathered lines, where in their stream. */
typedef struct LogSeen {
    int64_t job;
    uint64_t end;
} LogSeen;
typedef struct LogCursor {
    int64_t segment; /* rows up to this were read */
    LogSeen *seen;   /* [count]: also where a segment is begun in its middle */
    size_t count, capacity;
} LogCursor;
uint64_t log_cursor_get(const LogCursor *cursor, int64_t job); /* 0 when unknown */
void log_cursor_set(LogCursor *cursor, int64_t job, uint64_t end);
void log_cursor_done(LogCursor *cursor);

/* Of each log of the target with gathered lines, a copy of those that the cursor has not seen. Read
 * segments after this, not before: what leaves memory meanwhile is found there, and twice rather
 * than never. */
void log_book_copy(LogBook *book, const LogTarget *target, const LogCursor *cursor,
                   LogGatheredList *out);

/* --- segments (log_rows.c) -------------------------------------------------------------------- */

typedef struct LogSegment {
    int64_t id, pipeline, job;
    uint64_t begin, bytes;
    int64_t lines, first_ts_ns, last_ts_ns;
    Hash blob;  /* zero: body has the lines */
    Bytes body;
    const char *set_id; /* of the job; "" none */
    Hash plan;          /* of the datums that are done */
} LogSegment;

/* Cuts lines into segments, puts large ones into the store. In ctx's arena. */
Status log_segments_make(Ctx *ctx, Pps *pps, Bytes lines, LogSegment **out, size_t *out_n);
/* Adds their rows, and deletes the pipeline's oldest past the limit. Those of a job that is gone are
 * left out. */
Status log_segments_add(Ctx *ctx, PfsTx *tx, const PpsLogLimits *limits, const LogSegment *segments,
                        size_t n);
/* Up to max of the target's segments with ids above `after` (or, backwards, below `before`), whose
 * newest line is not older than since_ns. Without the lines in blobs. In ctx's arena. */
Status log_segments_after(Ctx *ctx, PfsTx *tx, const LogTarget *target, int64_t since_ns,
                          int64_t after, size_t max, LogSegment **out, size_t *out_n);
Status log_segments_before(Ctx *ctx, PfsTx *tx, const LogTarget *target, int64_t since_ns,
                           int64_t before, size_t max, LogSegment **out, size_t *out_n);
/* Its lines; valid until buf changes. */
Status log_segment_lines(Ctx *ctx, Pps *pps, const LogSegment *segment, Buf *buf, Bytes *out);
/* The first segment of the target with a line that is not older than since_ns; INT64_MAX none. */
Status log_first_since(Ctx *ctx, PfsTx *tx, const LogTarget *target, int64_t since_ns,
                       int64_t *out_id);
/* The newest segment of the target; 0 none. */
Status log_newest(Ctx *ctx, PfsTx *tx, const LogTarget *target, int64_t *out_id);
/* Where a job's stream goes on, as far as rows know. */
Status log_stream_end(Ctx *ctx, PfsTx *tx, int64_t job, int64_t pipeline, uint64_t *out);

Status log_delete_job(Ctx *ctx, PfsTx *tx, int64_t job);
Status log_delete_pipeline(Ctx *ctx, PfsTx *tx, int64_t pipeline);

/* --- reading (log_walk.c) --------------------------------------------------------------------- */

/* The job that lines are of. */
typedef struct LogJob {
    int64_t id;
    const char *set_id; /* "" when there is no job */
    Hash plan;
} LogJob;

Status log_job_of(Ctx *ctx, Pps *pps, int64_t id, LogJob *out); /* NOT_FOUND: it was deleted */

/* Called for each line. The arena is rewound after. */
typedef Status (*LogWalkFn)(void *arg, Ctx *ctx, const LogJob *job, const LogLine *line);

/* All lines after the cursor, which moves along. Costs what is read. */
Status log_walk(Ctx *ctx, Pps *pps, const LogTarget *target, int64_t since_ns, LogCursor *cursor,
                LogWalkFn fn, void *arg);

/* Does a line count? */
typedef Status (*LogPassesFn)(void *arg, Ctx *ctx, const LogJob *job, const LogLine *line,
                              bool *out);
/* Sets the cursor before the last n lines that count; reads no more than it must. */
Status log_seek_tail(Ctx *ctx, Pps *pps, const LogTarget *target, int64_t since_ns, uint64_t n,
                     LogPassesFn passes, void *arg, LogCursor *out);

/* --- filters (log_filter.c) ------------------------------------------------------------------- */

typedef struct LogFilter {
    const PpsV2__GetLogsRequest *request;
    const PpsPending *pending;
    int64_t since_ns;
    bool has_datum, no_datum; /* only lines of `datum`; of none that exists */
    Hash datum;
    Content content;
    /* What the datum of the last line read: lines of one datum mostly follow each other. */
    Arena *arena; /* holds files */
    int64_t files_job;
    Hash files_datum;
    PpsV2__InputFile **files;
    size_t file_count;
} LogFilter;
void log_filter_init(LogFilter *filter, Pps *pps, const PpsV2__GetLogsRequest *request,
                     const PpsPending *pending, int64_t since_ns);
void log_filter_done(LogFilter *filter);
/* A LogPassesFn. Afterwards filter->files are the line's. */
Status log_filter_passes(void *filter, Ctx *ctx, const LogJob *job, const LogLine *line, bool *out);
