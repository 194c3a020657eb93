/* queue.c - datum sets waiting for workers, and the leases that are out. All with the control's
 * lock held.
 *
 * Fair between jobs: a job that just got a lease goes behind the others. A lease that is lost (its
 * worker left) goes back and is run again before new sets; results that were already reported stay.
 */
#include "control/control_priv.h"

#include <stdlib.h>

#define LOST_MAX 5 /* a set that loses its worker this often breaks the job: it kills its workers  \
                    */

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

bool queue_take(Control *control, ControlSession *session, Lease **out)
{
    for (JobRun *run = control->runs; run; run = run->next) {
        DatumRange range;
        if (!run->offered || cancel_is_set(run->cancel) || run->broken || run->leases >= run->parallelism ||
            !take_range(run, &range))
            continue;
        Lease *lease = calloc(1, sizeof(*lease));
        if (!lease)
            abort();
        *lease = (Lease){ .id = ++control->last_lease,
                          .run = run,
                          .range = range,
                          .session = session,
                          .running = "" };
        lease->next = control->leases;
        control->leases = lease;
        session->lease = lease;
        run->leases++;
        move_to_end(control, run);
        *out = lease;
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

static void give_back(JobRun *run, DatumRange range)
{
    if (++range.attempts >= LOST_MAX) {
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
    if (lost)
        give_back(run, lease->range);
    else
        run->ranges_done++;
    if (lease->session->lease == lease)
        lease->session->lease = NULL;
    free(lease);
    pthread_cond_broadcast(&run->moved);
    queue_wake_sessions(control);
}

void queue_wake_sessions(Control *control)
{
    for (ControlSession *session = control->sessions; session; session = session->next)
        pthread_cond_signal(&session->wake);
}
