/* job_state.c - the life of a job as a table, its reasons and its counters; see state.h. */
#include "pps/state.h"

#include "base/text.h"
#include "codec/pb.h"
#include "codec/pbtime.h"

#define S(name)  PPS_V2__JOB_STATE__JOB_##name
#define IN(name) (1u << S(name))
#define WORKING  (IN(RUNNING) | IN(EGRESSING))
#define OPEN     (IN(CREATED) | IN(STARTING) | WORKING)
#define TERMINAL (IN(SUCCESS) | IN(FAILURE) | IN(KILLED) | IN(UNRUNNABLE))

typedef enum When { ALWAYS, IF_EGRESS, IF_NO_EGRESS } When;

#define END_BADLY (JOB_DO_KILL_DATUMS | JOB_DO_FAIL_COMMITS | JOB_DO_NOTE_FINISHED)
#define AGAIN     (JOB_DO_KILL_DATUMS | JOB_DO_COUNT_RESTART | JOB_DO_PLAN)

/* The first row that fits counts. A job that is FINISHING has given its output away: nothing stops
 * it any more, its output's check decides. */
static const struct {
    unsigned from;
    JobEvent event;
    When when;
    PpsV2__JobState to;
    unsigned effects;
} rows[] = {
    { IN(CREATED), JOB_EV_ACCEPTED, ALWAYS, S(STARTING), JOB_DO_WAIT_INPUTS },
    { IN(STARTING), JOB_EV_INPUTS_READY, ALWAYS, S(RUNNING),
      JOB_DO_NOTE_STARTED | JOB_DO_START_TIMER | JOB_DO_PLAN },
    { IN(CREATED) | IN(STARTING), JOB_EV_INPUT_FAILED, ALWAYS, S(UNRUNNABLE),
      JOB_DO_FAIL_COMMITS | JOB_DO_NOTE_FINISHED },
    { IN(RUNNING), JOB_EV_DATUMS_DONE, IF_EGRESS, S(EGRESSING), JOB_DO_EGRESS },
    { IN(RUNNING), JOB_EV_DATUMS_DONE, IF_NO_EGRESS, S(FINISHING), JOB_DO_FINISH_COMMITS },
    { IN(EGRESSING), JOB_EV_EGRESS_DONE, ALWAYS, S(FINISHING), JOB_DO_FINISH_COMMITS },
    { WORKING, JOB_EV_DATUM_FAILED, ALWAYS, S(FAILURE), END_BADLY },
    { IN(FINISHING), JOB_EV_OUTPUT_VALID, ALWAYS, S(SUCCESS), JOB_DO_NOTE_FINISHED },
    { IN(FINISHING), JOB_EV_OUTPUT_INVALID, ALWAYS, S(FAILURE), JOB_DO_NOTE_FINISHED },
    { OPEN, JOB_EV_STOPPED, ALWAYS, S(KILLED), END_BADLY },
    { WORKING, JOB_EV_TIMED_OUT, ALWAYS, S(KILLED), END_BADLY },
    { IN(STARTING), JOB_EV_RESTARTED, ALWAYS, S(STARTING),
      JOB_DO_COUNT_RESTART | JOB_DO_WAIT_INPUTS },
    { WORKING, JOB_EV_RESTARTED, ALWAYS, S(RUNNING), AGAIN },
};

JobStep job_step(const JobFacts *facts, JobEvent event)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool when = rows[i].when == ALWAYS || (rows[i].when == IF_EGRESS) == facts->has_egress;
        if (rows[i].event == event && (rows[i].from & 1u << facts->state) && when)
            return (JobStep){ true, rows[i].to, rows[i].effects };
    }
    return (JobStep){ false, facts->state, 0 };
}

/* JOB_IS_OPEN_SQL */
static_assert(TERMINAL == (1u << 4 | 1u << 5 | 1u << 6 | 1u << 9), "as stored");

bool job_is_terminal(PpsV2__JobState state)
{
    return (1u << state) & TERMINAL;
}

char *job_unrunnable_reason(Ctx *ctx, const char *const *input_names, size_t n)
{
    return text_printf(ctx->arena, "unrunnable because the following upstream pipelines failed: %s",
                       text_join(ctx->arena, input_names, n, ", "));
}

char *job_datum_failed_reason(Ctx *ctx, const char *datum_id)
{
    return text_printf(ctx->arena, "datum %s failed", datum_id);
}

static void add_capped(int64_t *sum, int64_t more)
{
    if (__builtin_add_overflow(*sum, more, sum))
        *sum = INT64_MAX;
}

void job_counters_add(JobCounters *sum, const JobCounters *more)
{
    add_capped(&sum->total, more->total);
    add_capped(&sum->processed, more->processed);
    add_capped(&sum->skipped, more->skipped);
    add_capped(&sum->failed, more->failed);
    add_capped(&sum->recovered, more->recovered);
    add_capped(&sum->download_ns, more->download_ns);
    add_capped(&sum->process_ns, more->process_ns);
    add_capped(&sum->upload_ns, more->upload_ns);
    add_capped(&sum->download_bytes, more->download_bytes);
    add_capped(&sum->upload_bytes, more->upload_bytes);
}

JobCounters job_counters_get(const PpsV2__JobInfo *info)
{
    JobCounters counters = {
        .total = info->data_total,
        .processed = info->data_processed,
        .skipped = info->data_skipped,
        .failed = info->data_failed,
        .recovered = info->data_recovered,
    };
    if (!info->stats)
        return counters;
    counters.download_ns = pb_duration_ns(info->stats->download_time);
    counters.process_ns = pb_duration_ns(info->stats->process_time);
    counters.upload_ns = pb_duration_ns(info->stats->upload_time);
    counters.download_bytes = info->stats->download_bytes;
    counters.upload_bytes = info->stats->upload_bytes;
    return counters;
}

void job_counters_set(Ctx *ctx, const JobCounters *counters, PpsV2__JobInfo *info)
{
    info->data_total = counters->total;
    info->data_processed = counters->processed;
    info->data_skipped = counters->skipped;
    info->data_failed = counters->failed;
    info->data_recovered = counters->recovered;

    PpsV2__ProcessStats *stats = PB_NEW(ctx, pps_v2__process_stats, PpsV2__ProcessStats);
    stats->download_time = pb_duration(ctx, counters->download_ns);
    stats->process_time = pb_duration(ctx, counters->process_ns);
    stats->upload_time = pb_duration(ctx, counters->upload_ns);
    stats->download_bytes = counters->download_bytes;
    stats->upload_bytes = counters->upload_bytes;
    info->stats = stats;
}
