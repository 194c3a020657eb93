/* control.c - the control thread: looks when something changed, sleeps otherwise. */
#include "control/control_priv.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"

#define RETRY_NS       (NS_PER_SEC) /* after an error of the database or disk */
#define SWEEP_PAUSE_NS (NS_PER_SEC) /* between two sweeps of logs, at least */

uint64_t control_topic(void)
{
    return event_topic_num("control", 0);
}

void control_wake(Control *control)
{
    event_publish(db_events(pfs_db(pps_pfs(control->pps))), control_topic());
}

/* Wall-clock due times become monotonic deadlines; the wall clock may be set, so a wait is an hour
 * at most. */
static int64_t deadline_of(int64_t due_wall_ns)
{
    if (due_wall_ns == INT64_MAX)
        return DEADLINE_NONE;
    int64_t wait_ns = MIN(due_wall_ns - clock_wall_ns(), 3600 * NS_PER_SEC);
    return clock_mono_ns() + MAX(wait_ns, INT64_C(0));
}

/* Logs that are too old go a few at a time, so that nothing else waits long. */
static Status sweep_logs(Ctx *ctx, Control *control)
{
    int64_t now_ns = clock_wall_ns(), due_ns;
    if (now_ns < control->sweep_due_ns)
        return OK;
    control->sweep_due_ns = now_ns + SWEEP_PAUSE_NS;
    TRY(pps_log_sweep(ctx, control->pps, now_ns, &due_ns));
    if (due_ns > now_ns) /* else there is more */
        control->sweep_due_ns = MAX(due_ns, control->sweep_due_ns);
    return OK;
}

static bool has_address(Control *control)
{
    LOCKED(&control->lock);
    return control->has_address || !control->waits_for_address;
}

static Status one_turn(Ctx *ctx, Control *control, int64_t *out_due_ns)
{
    int64_t look_due, tick_due;
    if (!has_address(control))
        return OK; /* control_set_address wakes us */
    TRY(control_look(ctx, control, &look_due));
    TRY(control_tick(ctx, control, &tick_due));
    TRY(sweep_logs(ctx, control));
    *out_due_ns = MIN(MIN(look_due, tick_due), control->sweep_due_ns);
    watch_workers(control, out_due_ns);
    return OK;
}

static void *control_thread(void *arg)
{
    Control *control = arg;
    EventBus *bus = db_events(pfs_db(pps_pfs(control->pps)));
    const uint64_t topics[] = { pps_topic_stirred(), control_topic(), image_topic() };
    while (!cancel_is_set(control->stopping)) {
        CLEANUP(ctx_done) Ctx ctx;
        ctx_init(&ctx);
        ctx.cancel = control->stopping;
        uint64_t epoch = event_epoch(bus);
        int64_t due_ns = INT64_MAX;
        Status s = one_turn(&ctx, control, &due_ns);
        if (!status_ok(s)) {
            LOG_ERROR(&ctx, "could not look at pipelines and jobs", "reason=%s", status_message(s));
            due_ns = clock_wall_ns() + RETRY_NS;
        }
        ctx.deadline_ns = deadline_of(due_ns);
        s = event_wait(&ctx, bus, topics, ARRAY_LEN(topics), epoch);
        if (s.code == STATUS_CANCELLED)
            break;
    }
    return NULL;
}

void control_set_address(Control *control, const ControlAddress *address)
{
    {
        LOCKED(&control->lock);
        control->address = (ControlAddress){ .listen_host = strdup(address->listen_host),
                                             .shown_host = strdup(address->shown_host),
                                             .local_host = strdup(address->local_host),
                                             .port = address->port };
        if (!control->address.listen_host || !control->address.shown_host ||
            !control->address.local_host)
            abort();
        control->has_address = true;
    }
    control_wake(control);
}

/* The texts are const for readers. */
static void free_address(ControlAddress *address)
{
    const char *texts[] = { address->listen_host, address->shown_host, address->local_host };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free((void *)(uintptr_t)texts[i]);
}

Status control_start(Ctx *ctx, const ControlConfig *config, Control **out)
{
    Control *control = calloc(1, sizeof(*control));
    if (!control)
        return STATUS(RESOURCE_EXHAUSTED);
    control->pps = config->pps;
    control->images = config->images;
    control->spill_dir = config->spill_dir ? strdup(config->spill_dir) : NULL;
    control->gate = config->gate;
    control->engine = config->engine;
    control->machine = config->machine;
    control->silence_ns = config->silence_ns;
    control->waits_for_address = config->waits_for_address;
    content_init(&control->content, pfs_store(pps_pfs(config->pps)));
    control->pool = pool_new("job", RUNS_MAX);
    control->stopping = cancel_new();
    pfs_set_computed(pps_pfs(config->pps), control_meta, control);
    pfs_set_promises(pps_pfs(config->pps), control_fill_fileset, control);
    pthread_mutex_init(&control->lock, NULL);
    pthread_cond_init(&control->run_gone, NULL);
    Status s = thread_start(ctx, "control", control_thread, control, &control->thread);
    if (!status_ok(s)) {
        control->thread = 0;
        control_stop(control);
        return s;
    }
    *out = control;
    return OK;
}

/* Ends the runs without touching their jobs: they go on at the next start. */
static void end_runs(Control *control)
{
    LOCKED(&control->lock);
    for (JobRun *run = control->runs; run; run = run->next) {
        cancel_set(run->cancel);
        pthread_cond_broadcast(&run->moved);
    }
    while (control->runs)
        pthread_cond_wait(&control->run_gone, &control->lock);
}

Control *control_stop(Control *control)
{
    if (!control)
        return NULL;
    cancel_set(control->stopping);
    if (control->thread)
        pthread_join(control->thread, NULL);
    end_runs(control);
    pfs_set_computed(pps_pfs(control->pps), NULL, NULL);
    pfs_set_promises(pps_pfs(control->pps), NULL, NULL);
    pool_free(control->pool);
    control_forget_crons(control);
    spouts_forget(control);
    free_address(&control->address);
    cancel_unref(control->stopping);
    pthread_cond_destroy(&control->run_gone);
    pthread_mutex_destroy(&control->lock);
    free(control->spill_dir);
    free(control);
    return NULL;
}
