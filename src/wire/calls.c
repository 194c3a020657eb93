/* calls.c - runs handlers, and hands calls from their threads to the network thread. See
 * call_priv.h. */
#include "wire/call_priv.h"

#include <sys/eventfd.h>

void calls_init(Calls *calls, const WireConfig *config, int wake_fd, bool threads)
{
    *calls = (Calls){ .config = *config, .wake_fd = wake_fd };
    if (!config->calls_max)
        calls->config.calls_max = WIRE_CALLS_MAX;
    calls->pool = threads ? pool_new("call", calls->config.calls_max) : NULL;
    pthread_mutex_init(&calls->lock, NULL);
}

void calls_done(Calls *calls)
{
    calls->pool = pool_free(calls->pool);
    pthread_mutex_destroy(&calls->lock);
}

/* Puts the call on the list; the first to do so while the network thread sleeps wakes it. */
static void post(WireCall *call, bool finished)
{
    Calls *calls = call->calls;
    bool wake;
    {
        LOCKED(&calls->lock);
        call->finished |= finished;
        if (!call->posted) {
            call->posted = true;
            call->next_posted = NULL;
            if (calls->last_posted)
                calls->last_posted->next_posted = call;
            else
                calls->first_posted = call;
            calls->last_posted = call;
        }
        wake = calls->asleep;
        calls->asleep = false;
    }
    /* From here on a finished call may be gone. */
    if (wake && calls->wake_fd >= 0)
        eventfd_write(calls->wake_fd, 1);
}

void call_post(WireCall *call)
{
    post(call, false);
}

WireCall *calls_take_posted(Calls *calls)
{
    LOCKED(&calls->lock);
    WireCall *first = calls->first_posted;
    calls->first_posted = calls->last_posted = NULL;
    calls->asleep = false;
    for (WireCall *call = first; call; call = call->next_posted) {
        call->posted = false;
        call->next_taken = call->next_posted;
        if (call->finished && !call->ended) {
            call->ended = true;
            calls->running--;
        }
    }
    return first;
}

bool calls_may_sleep(Calls *calls)
{
    LOCKED(&calls->lock);
    calls->asleep = !calls->first_posted;
    return calls->asleep;
}

static void run(void *arg)
{
    WireCall *call = arg;
    const WireConfig *config = &call->calls->config;
    if (call->kind == CALL_HTTP)
        call->result = http_run(&call->ctx, call, config->http);
    else
        call->result = config->handle(config->self, &call->ctx, call);
    if (!call->held)
        post(call, true);
}

void wire_call_hold(WireCall *call)
{
    assert(call->calls->config.turned);
    call->held = true;
}

void wire_call_end(WireCall *call, Status status)
{
    call->result = status;
    post(call, true);
}

bool call_may_start(const WireCall *call)
{
    return call->ready && !call->started && !call->ended &&
           (call->input_over || !call->calls->config.turned);
}

Status call_start(WireCall *call)
{
    Calls *calls = call->calls;
    if (calls->pool)
        TRY(pool_run(calls->pool, run, call));
    else if (calls->running >= calls->config.calls_max)
        return STATUS(RESOURCE_EXHAUSTED);
    calls->running++;
    call->started = true;
    if (!calls->pool)
        run(call);
    return OK;
}
