/* watch.c - workers that do not answer. One that has a lease says that it lives, again and again
 * (worker_link.c); when nothing is heard it is killed, so that its lease comes back, and another is
 * started in its place. */
#include "base/clock.h"
#include "base/log.h"
#include "control/control_priv.h"

/* The first that is silent for too long; false when there is none, and *out_next_ns is how long it
 * takes at least until there may be one: while anything runs, leases may be taken at any time. */
static bool find_silent(Control *control, ControlSession *out, int64_t *out_next_ns)
{
    int64_t now = clock_mono_ns();
    LOCKED(&control->lock);
    *out_next_ns = control->runs ? control->silence_ns : INT64_MAX;
    for (ControlSession *session = control->sessions; session; session = session->next) {
        if (!session->lease)
            continue;
        int64_t left_ns = session->heard_ns + control->silence_ns - now;
        if (left_ns > 0) {
            *out_next_ns = MIN(*out_next_ns, left_ns);
            continue;
        }
        session->heard_ns = now; /* its end takes a moment */
        *out = *session;
        return true;
    }
    return false;
}

void watch_workers(Control *control, int64_t *due_ns)
{
    ControlSession silent;
    int64_t next_ns;
    if (!control->engine || !control->silence_ns)
        return;
    while (find_silent(control, &silent, &next_ns)) {
        LOG_WARN(NULL, "worker does not answer", "worker=%s silent_ms=%lld", silent.worker_id,
                 (long long)(control->silence_ns / NS_PER_MS));
        control->engine->ops->replace(control->engine, silent.worker_id);
    }
    if (next_ns != INT64_MAX)
        *due_ns = MIN(*due_ns, clock_wall_ns() + next_ns);
}
