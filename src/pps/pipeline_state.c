/* pipeline_state.c - the life of a pipeline as a table; see state.h. */
#include "pps/state.h"

#define S(name)   PPS_V2__PIPELINE_STATE__PIPELINE_##name
#define IN(name)  (1u << S(name))
#define PREPARING (IN(STARTING) | IN(RESTARTING))
#define LIVE      (IN(RUNNING) | IN(STANDBY) | IN(CRASHING))
#define ALL       (PREPARING | LIVE | IN(PAUSED) | IN(FAILURE))

typedef enum When { ALWAYS, IF_STOPPED, IF_WANTED, IF_FIXED, IF_AUTOSCALING } When;

#define FAIL_EFFECTS (PIPELINE_DO_STOP_JOBS | PIPELINE_DO_REMOVE_WORKERS)

/* The first row that fits counts. FAILURE is sticky: only a new version leaves it. STANDBY does not
 * crash, as word of a crash may come late. */
static const struct {
    unsigned from;
    PipelineEvent event;
    When when;
    PpsV2__PipelineState to;
    unsigned effects;
} rows[] = {
    { PREPARING, PIPELINE_EV_WORKERS_READY, IF_STOPPED, S(PAUSED), PIPELINE_DO_SCALE_DOWN },
    { PREPARING, PIPELINE_EV_WORKERS_READY, IF_AUTOSCALING, S(STANDBY), PIPELINE_DO_SCALE_DOWN },
    { PREPARING, PIPELINE_EV_WORKERS_READY, IF_FIXED, S(RUNNING), PIPELINE_DO_SCALE_UP },
    { LIVE | IN(PAUSED), PIPELINE_EV_WORKERS_LOST, ALWAYS, S(RESTARTING),
      PIPELINE_DO_START_WORKERS },
    { LIVE, PIPELINE_EV_STOPPED, ALWAYS, S(PAUSED), PIPELINE_DO_SCALE_DOWN },
    { IN(PAUSED), PIPELINE_EV_STARTED, IF_AUTOSCALING, S(STANDBY), 0 },
    { IN(PAUSED), PIPELINE_EV_STARTED, IF_FIXED, S(RUNNING), PIPELINE_DO_SCALE_UP },
    { IN(STANDBY), PIPELINE_EV_WORK, ALWAYS, S(RUNNING), PIPELINE_DO_SCALE_UP },
    { IN(RUNNING), PIPELINE_EV_IDLE, IF_AUTOSCALING, S(STANDBY), PIPELINE_DO_SCALE_DOWN },
    { PREPARING | IN(RUNNING) | IN(CRASHING), PIPELINE_EV_CRASH, ALWAYS, S(CRASHING), 0 },
    { IN(PAUSED), PIPELINE_EV_CRASH, IF_WANTED, S(CRASHING), 0 },
    { IN(CRASHING), PIPELINE_EV_CRASH_OVER, ALWAYS, S(RUNNING), PIPELINE_DO_SCALE_UP },
    { ALL, PIPELINE_EV_FAIL, ALWAYS, S(FAILURE), FAIL_EFFECTS },
};

static bool when_holds(When when, const PipelineFacts *facts)
{
    switch (when) {
    case ALWAYS:
        return true;
    case IF_STOPPED:
        return facts->stopped;
    case IF_WANTED:
        return !facts->stopped;
    case IF_FIXED:
        return !facts->stopped && !facts->autoscaling;
    case IF_AUTOSCALING:
        return !facts->stopped && facts->autoscaling;
    }
    return false;
}

PipelineStep pipeline_step(const PipelineFacts *facts, PipelineEvent event)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].event != event || !(rows[i].from & 1u << facts->state) ||
            !when_holds(rows[i].when, facts))
            continue;
        bool up = (1u << rows[i].to) & (IN(RUNNING) | IN(CRASHING));
        unsigned note = up ? PIPELINE_DO_NOTE_UP : PIPELINE_DO_NOTE_DOWN;
        return (PipelineStep){ true, rows[i].to, rows[i].effects | note };
    }
    /* A head that moves under a failed pipeline still makes a job; it is stopped at once (§34). */
    bool stillborn = facts->state == S(FAILURE) && event == PIPELINE_EV_WORK;
    return (PipelineStep){ false, facts->state, stillborn ? PIPELINE_DO_STOP_JOBS : 0 };
}

static bool duration_is_set(const Google__Protobuf__Duration *duration)
{
    return duration && (duration->seconds != 0 || duration->nanos != 0);
}

static bool is_port(int32_t number)
{
    return number >= 0 && number <= UINT16_MAX;
}

static const char *port_fatal(const PpsV2__Service *service)
{
    if (service && !is_port(service->internal_port))
        return "service.internal_port must be between 0 and 65535";
    if (service && !is_port(service->external_port))
        return "service.external_port must be between 0 and 65535";
    return NULL;
}

const char *pipeline_fatal(const PpsV2__PipelineInfo *info)
{
    const PpsV2__PipelineInfo__Details *details = info->details;
    const char *port = port_fatal(details->spout ? details->spout->service : details->service);
    if (details->service && details->spout)
        return "only one of pipeline.service or pipeline.spout can be set";
    if (duration_is_set(details->maximum_expected_uptime) && !details->autoscaling)
        return "autoscaling must be true when max_expected_uptime is non-zero";
    if (!details->transform || details->transform->n_cmd == 0)
        return "nothing to run: no transform.cmd";
    return port;
}

bool pipeline_has_workers(PpsV2__PipelineState state)
{
    return state == PPS_V2__PIPELINE_STATE__PIPELINE_RUNNING ||
           state == PPS_V2__PIPELINE_STATE__PIPELINE_CRASHING;
}
