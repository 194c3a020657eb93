/* queue.c - datum sets waiting for workers, and the leases that are out. All with the control's
 * lock held.
 *
 * Fair between jobs: a job that just got a lease goes behind the others. A lease that is lost (its
 * worker left) goes back and is run again before new sets; results that were already reported stay.
 */
#include "control/control_priv.h"

#include <stdlib.h>

#include "base/clock.h"

/* A set that loses its worker this often breaks the job: it kills its workers. */
#define LOST_MAX 5

static bool take_range(JobRun *run, DatumRange *out)
{
    if (run->returned_count) {
        *out = run->returned[--run->returned_count];
        return true;
    }
    if (run->next_range >= run->range_count)
        return false;
    *out = run->ranges[run->next_range++];
    return true;
}

static void move_to_end(Control *control, JobRun *run)
{
    JobRun **at = &control->runs;
    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    while (*at)
        at = &(*at)->next;
    run->next = NULL;
    *at = run;
}

/* A run's sets are for the workers of its group. */
static bool is_for(const JobRun *run, const ControlSession *session)
{
    return !run->control->engine || strcmp(run->group, session->group) == 0;
}

static bool is_warm(const ControlSession *session, int64_t pipeline)
{
    for (size_t i = 0; i < WARM_MAX; i++) {
        if (session->warm[i] == pipeline)
            return true;
    }
    return false;
}

static void note_warm(ControlSession *session, int64_t pipeline)
{
    if (!is_warm(session, pipeline))
        session->warm[session->warm_at++ % WARM_MAX] = pipeline;
}

/* Sets that could be handed out now. */
static size_t available(const JobRun *run)
{
    size_t left = run->returned_count;
    left += run->range_count > run->next_range ? run->range_count - run->next_range : 0;
    return MIN(left, (size_t)(run->parallelism - run->leases));
}

/* Workers that have this pipeline's sandbox and inputs come first: another takes what they
 * leave. */
static bool is_left_for_warm(Control *control, const JobRun *run, const ControlSession *session)
{
    size_t warm = 0;
    if (is_warm(session, run->pipeline))
        return false;
    for (const ControlSession *other = control->sessions; other; other = other->next)
        warm += other->waiting && !other->lease && !other->quit && is_for(run, other) &&
                is_warm(other, run->pipeline);
    control->left |= warm >= available(run);
    return warm >= available(run);
}

static Lease *lease_new(Control *control, JobRun *run, ControlSession *session, DatumRange range)
{
    Lease *lease = calloc(1, sizeof(*lease));
    if (!lease)
        abort();
    *lease = (Lease){ .id = ++control->last_lease,
                      .run = run,
                      .range = range,
                      .session = session,
                      .arena = arena_new(0),
                      .running = "" };
    lease->next = control->leases;
    control->leases = lease;
    session->lease = lease;
    session->heard_ns = clock_mono_ns();
    note_warm(session, run->pipeline);
    run->leases++;
    return lease;
}

bool queue_take(Control *control, ControlSession *session, Lease **out)
{
    for (JobRun *run = control->runs; run; run = run->next) {
        DatumRange range;
        if (!run->offered || !is_for(run, session) || cancel_is_set(run->cancel) || run->broken ||
            run->leases >= run->parallelism || is_left_for_warm(control, run, session) ||
            !take_range(run, &range))
            continue;
        *out = lease_new(control, run, session, range);
        move_to_end(control, run);
        if (control->left) /* for this session, maybe, which is busy from now on */
            queue_wake_sessions(control);
        control->left = false;
        return true;
    }
    return false;
}

Lease *queue_find_lease(Control *control, uint64_t id)
{
    for (Lease *lease = control->leases; lease; lease = lease->next) {
        if (lease->id == id)
            return lease;
    }
    return NULL;
}

/* What has its result is not run again; and who got on with it did not fail at the same datum. */
static void give_back(JobRun *run, DatumRange range, uint64_t reported)
{
    range.from += reported;
    range.attempts = reported ? 0 : range.attempts;
    if (range.from == range.to) {
        run->ranges_done++;
        return;
    }
    if (!run->serves && ++range.attempts >= LOST_MAX) {
        job_run_break(run, "its workers were lost again and again while they ran the same datums");
        return;
    }
    DatumRange *returned = realloc(run->returned, (run->returned_count + 1) * sizeof(*returned));
    if (!returned)
        abort();
    run->returned = returned;
    run->returned[run->returned_count++] = range;
}

void queue_end_lease(Control *control, Lease *lease, bool lost)
{
    Lease **at = &control->leases;
    while (*at != lease)
        at = &(*at)->next;
    *at = lease->next;
    JobRun *run = lease->run;
    run->leases--;
    run->is_served = false;
    if (lost)
        give_back(run, lease->range, lease->reported);
    else
        run->ranges_done++;
    if (lease->session->lease == lease)
        lease->session->lease = NULL;
    arena_free(lease->arena);
    free(lease);
    pthread_cond_broadcast(&run->moved);
    queue_wake_sessions(control);
}

void queue_wake_sessions(Control *control)
{
    for (ControlSession *session = control->sessions; session; session = session->next)
        pthread_cond_signal(&session->wake);
}
