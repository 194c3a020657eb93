/* session.c - workers that joined: their orders out, their reports in. */
#include "control/control_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

static void log_joined(Ctx *ctx, const char *worker_id, const char *sandbox, const char *trouble)
{
    if (*trouble)
        LOG_INFO(ctx, "worker stands by", "worker=%s reason=%s", worker_id, trouble);
    else
        LOG_INFO(ctx, "worker joined", "worker=%s sandbox=%s", worker_id, sandbox);
}

Status control_join(Ctx *ctx, Control *control, const Procavia__Work__WorkReport__Hello *hello,
                    ControlSession **out)
{
    char group[ENGINE_GROUP_SIZE] = "";
    if (control->engine &&
        !engine_knows_token(control->engine, hello->worker_id, hello->token, group))
        return FAIL(ctx, PERMISSION_DENIED, "worker '%s' is not one of this server's",
                    hello->worker_id);
    ControlSession *session = calloc(1, sizeof(*session));
    if (!session)
        return STATUS(RESOURCE_EXHAUSTED);
    session->control = control;
    snprintf(session->worker_id, sizeof(session->worker_id), "%s", hello->worker_id);
    memcpy(session->group, group, sizeof(group));
    session->trouble = *hello->trouble ? strdup(hello->trouble) : NULL;
    pthread_cond_init(&session->wake, NULL);
    {
        LOCKED(&control->lock);
        session->next = control->sessions;
        control->sessions = session;
        *out = session;
    }
    log_joined(ctx, hello->worker_id, hello->sandbox, hello->trouble);
    control_wake(control);
    return OK;
}

ControlSession *control_leave(ControlSession *session)
{
    if (!session)
        return NULL;
    Control *control = session->control;
    {
        LOCKED(&control->lock);
        if (session->lease)
            queue_end_lease(control, session->lease, !session->lease->cancelled);
        ControlSession **at = &control->sessions;
        while (*at != session)
            at = &(*at)->next;
        *at = session->next;
    }
    pthread_cond_destroy(&session->wake);
    free(session->trouble);
    free(session);
    control_wake(control);
    return NULL;
}

/* --- orders ----------------------------------------------------------------------------------- */

static void wake_session(void *arg)
{
    ControlSession *session = arg;
    LOCKED(&session->control->lock);
    session->quit = true;
    pthread_cond_broadcast(&session->wake);
}

static Procavia__Work__WorkOrder *cancel_order(Ctx *ctx, uint64_t lease, const char *datum)
{
    Procavia__Work__WorkOrder *order =
        PB_NEW(ctx, procavia__work__work_order, Procavia__Work__WorkOrder);
    order->body_case = PROCAVIA__WORK__WORK_ORDER__BODY_CANCEL;
    order->cancel =
        PB_NEW(ctx, procavia__work__work_order__cancel, Procavia__Work__WorkOrder__Cancel);
    order->cancel->lease = lease;
    order->cancel->datum_id = arena_strdup(ctx->arena, datum);
    return order;
}

/* With the lock held: what the worker must hear about its lease, or NULL. */
static Procavia__Work__WorkOrder *urgent_order(Ctx *ctx, ControlSession *session)
{
    Lease *lease = session->lease;
    if (!lease)
        return NULL;
    lease->cancelled = lease->cancelled || cancel_is_set(lease->run->cancel);
    if (lease->cancelled && !lease->told) {
        lease->told = true;
        return cancel_order(ctx, lease->id, "");
    }
    if (!lease->restart[0])
        return NULL;
    Procavia__Work__WorkOrder *order = cancel_order(ctx, lease->id, lease->restart);
    lease->restart[0] = '\0';
    return order;
}

/* Waits until there is something to say: an urgent order, or a new lease. */
static Status wait_for_order(Ctx *ctx, ControlSession *session,
                             Procavia__Work__WorkOrder **out_urgent, Lease **out_lease)
{
    Control *control = session->control;
    *out_lease = NULL;
    LOCKED(&control->lock);
    for (;;) {
        *out_urgent = urgent_order(ctx, session);
        if (*out_urgent)
            return OK;
        if (session->quit)
            return FAIL(ctx, CANCELLED, "the worker's connection ended");
        if (!session->lease && !session->trouble && queue_take(control, session, out_lease))
            return OK;
        session->waiting = true;
        pthread_cond_wait(&session->wake, &control->lock);
        session->waiting = false;
    }
}

/* A lease that cannot be put into words breaks its job with the reason; one whose worker left while
 * that was tried is given back. */
static void drop_lease(Control *control, Lease *lease, Status s)
{
    bool left = s.code == STATUS_CANCELLED;
    LOCKED(&control->lock);
    if (!left)
        job_run_break(lease->run, status_message(s));
    queue_end_lease(control, lease, left);
}

Status control_next_order(Ctx *ctx, ControlSession *session, Procavia__Work__WorkOrder **out)
{
    CancelHook hook = { .fn = wake_session, .arg = session };
    if (ctx->cancel)
        cancel_hook(ctx->cancel, &hook);
    Status s;
    for (;;) {
        Lease *lease;
        s = wait_for_order(ctx, session, out, &lease);
        if (!status_ok(s) || !lease)
            break;
        Procavia__Work__WorkSet *set;
        Status made = order_make(ctx, session->control, lease, &set);
        if (!status_ok(made)) {
            drop_lease(session->control, lease, made);
            continue;
        }
        *out = PB_NEW(ctx, procavia__work__work_order, Procavia__Work__WorkOrder);
        (*out)->body_case = PROCAVIA__WORK__WORK_ORDER__BODY_RUN;
        (*out)->run = set;
        break;
    }
    if (ctx->cancel)
        cancel_unhook(ctx->cancel, &hook);
    return s;
}

/* --- reports ---------------------------------------------------------------------------------- */

/* The session's own lease of that number; a worker cannot speak for another's. */
static Lease *own_lease(ControlSession *session, uint64_t id)
{
    Lease *lease = session->lease;
    return lease && lease->id == id ? lease : NULL;
}

static void report_started(ControlSession *session,
                           const Procavia__Work__WorkReport__Started *started)
{
    LOCKED(&session->control->lock);
    Lease *lease = own_lease(session, started->lease);
    if (!lease)
        return;
    snprintf(lease->running_buf, sizeof(lease->running_buf), "%s", started->datum_id);
    lease->running = lease->running_buf;
    lease->running_since_ns = clock_wall_ns();
}

static Status report_result(Ctx *ctx, ControlSession *session,
                            const Procavia__Work__WorkResult *result)
{
    Lease *lease;
    {
        LOCKED(&session->control->lock);
        lease = own_lease(session, result->lease);
        if (!lease || lease->cancelled || cancel_is_set(lease->run->cancel))
            return OK;
        lease->running = "";
    }
    TRY(result_add(ctx, lease, result));
    LOCKED(&session->control->lock);
    lease->reported += result->index == lease->range.from + lease->reported;
    return OK;
}

#define SET_TRIES                                                                                  \
    3 /* of a set that its worker cannot run at all, before the job fails with the reason */

/* Its results are gathered. They become durable with the end of the job, or sooner (result.c). */
static Status report_done(Ctx *ctx, ControlSession *session,
                          const Procavia__Work__WorkReport__SetDone *done)
{
    Control *control = session->control;
    Lease *lease;
    {
        LOCKED(&control->lock);
        lease = own_lease(session, done->lease);
        if (!lease)
            return OK;
    }
    bool failed = *done->error != '\0' && !lease->cancelled;
    if (failed)
        LOG_WARN(ctx, "a worker could not run a datum set", "worker=%s reason=%s",
                 session->worker_id, done->error);
    LOCKED(&control->lock);
    if (failed && !lease->run->serves && lease->range.attempts + 1 >= SET_TRIES)
        job_run_break(lease->run, done->error);
    queue_end_lease(control, lease, failed && !lease->cancelled);
    return OK;
}

static PpsLogLine work_line(const ControlSession *session, const JobRun *run,
                            const Procavia__Work__WorkLog *line)
{
    return (PpsLogLine){ .pipeline = run->job.pipeline_id,
                         .job = MAX(run->id, INT64_C(0)), /* a spout has none */
                         .datum_id = line->datum_id,
                         .datum_index = line->index,
                         .worker_id = session->worker_id,
                         .ts_ns = pb_timestamp_ns(line->ts),
                         .user = line->user,
                         .is_stderr = line->is_stderr,
                         .master = run->serves, /* §25.1 */
                         .message = str(line->message) };
}

static Status report_logs(Ctx *ctx, ControlSession *session,
                          const Procavia__Work__WorkReport__Logs *logs)
{
    PpsLogLine *lines = ARENA_NEW(ctx->arena, PpsLogLine, logs->n_lines + 1);
    if (!lines)
        return STATUS(RESOURCE_EXHAUSTED);
    size_t n = 0;
    {
        LOCKED(&session->control->lock);
        for (size_t i = 0; i < logs->n_lines; i++) {
            const Lease *lease = own_lease(session, logs->lines[i]->lease);
            if (lease)
                lines[n++] = work_line(session, lease->run, logs->lines[i]);
        }
    }
    pps_log(ctx, session->control->pps, lines, n);
    return OK;
}

/* Alive is what a worker says while a datum takes long: time for what was done before it. */
static Status report_alive(Ctx *ctx, ControlSession *session)
{
    JobRun *run;
    {
        LOCKED(&session->control->lock);
        const Lease *lease = session->lease;
        run = lease && !lease->cancelled && !lease->run->serves ? lease->run : NULL;
    }
    return run ? result_flush_due(ctx, run) : OK;
}

static void report_able(Ctx *ctx, ControlSession *session,
                        const Procavia__Work__WorkReport__Able *able)
{
    Control *control = session->control;
    {
        LOCKED(&control->lock);
        free(session->trouble);
        session->trouble = *able->trouble ? strdup(able->trouble) : NULL;
        pthread_cond_broadcast(&session->wake);
    }
    log_joined(ctx, session->worker_id, able->sandbox, able->trouble);
    control_wake(control);
}

static void note_heard(ControlSession *session)
{
    LOCKED(&session->control->lock);
    session->heard_ns = clock_mono_ns();
}

Status control_report(Ctx *ctx, ControlSession *session, const Procavia__Work__WorkReport *report)
{
    note_heard(session);
    switch (report->body_case) {
    case PROCAVIA__WORK__WORK_REPORT__BODY_STARTED:
        report_started(session, report->started);
        return OK;
    case PROCAVIA__WORK__WORK_REPORT__BODY_RESULT:
        return report_result(ctx, session, report->result);
    case PROCAVIA__WORK__WORK_REPORT__BODY_DONE:
        return report_done(ctx, session, report->done);
    case PROCAVIA__WORK__WORK_REPORT__BODY_LOGS:
        return report_logs(ctx, session, report->logs);
    case PROCAVIA__WORK__WORK_REPORT__BODY_SERVING:
        serve_report(session, report->serving);
        return OK;
    case PROCAVIA__WORK__WORK_REPORT__BODY_ALIVE:
        return report_alive(ctx, session);
    case PROCAVIA__WORK__WORK_REPORT__BODY_ABLE:
        report_able(ctx, session, report->able);
        return OK;
    case PROCAVIA__WORK__WORK_REPORT__BODY_HELLO:
    case PROCAVIA__WORK__WORK_REPORT__BODY__NOT_SET:
    case _PROCAVIA__WORK__WORK_REPORT__BODY__CASE_IS_INT_SIZE:
    default:
        return FAIL(ctx, INVALID_ARGUMENT, "a worker's report says nothing");
    }
}
