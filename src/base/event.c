/* event.c - see event.h.
 *
 * One mutex guards the bus: a ring of the newest publishes (for "did it happen since?") and a list
 * of waiters, each with a condition variable of its own. Lock order: bus->lock and cancel->lock are
 * never held together: cancel hooks run without the cancel's lock.
 */
#include "base/event.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/thread.h"

typedef struct Waiter {
    const uint64_t *topics;
    size_t n;
    bool woken;
    bool cancelled;
    EventBus *bus;
    pthread_cond_t wake;
    struct Waiter *prev, *next;
} Waiter;

struct EventBus {
    pthread_mutex_t lock;
    uint64_t epoch; /* publishes so far */
    uint64_t history[EVENT_HISTORY];
    Waiter *waiters;
};

EventBus *event_bus_new(void)
{
    EventBus *bus = calloc(1, sizeof(*bus));
    if (!bus)
        abort();
    pthread_mutex_init(&bus->lock, NULL);
    return bus;
}

EventBus *event_bus_free(EventBus *bus)
{
    if (bus) {
        assert(!bus->waiters);
        pthread_mutex_destroy(&bus->lock);
        free(bus);
    }
    return NULL;
}

/* FNV-1a, 64 bit (Fowler, Noll, Vo). */
static uint64_t fnv1a(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    return hash;
}

uint64_t event_topic(const char *kind, Str name)
{
    uint64_t hash = fnv1a(UINT64_C(0xcbf29ce484222325), kind, strlen(kind) + 1);
    return fnv1a(hash, name.data, name.size);
}

uint64_t event_topic_num(const char *kind, int64_t id)
{
    return event_topic(kind, (Str){ (const char *)&id, sizeof(id) });
}

uint64_t event_epoch(EventBus *bus)
{
    LOCKED(&bus->lock);
    return bus->epoch;
}

static bool wants(const Waiter *waiter, uint64_t topic)
{
    for (size_t i = 0; i < waiter->n; i++) {
        if (waiter->topics[i] == topic)
            return true;
    }
    return false;
}

void event_publish(EventBus *bus, uint64_t topic)
{
    LOCKED(&bus->lock);
    bus->history[bus->epoch++ % EVENT_HISTORY] = topic;
    for (Waiter *w = bus->waiters; w; w = w->next) {
        if (!w->woken && wants(w, topic)) {
            w->woken = true;
            pthread_cond_signal(&w->wake);
        }
    }
}

static bool happened_since(const EventBus *bus, const Waiter *waiter, uint64_t since)
{
    if (bus->epoch - since > EVENT_HISTORY)
        return true;
    for (uint64_t at = since; at < bus->epoch; at++) {
        if (wants(waiter, bus->history[at % EVENT_HISTORY]))
            return true;
    }
    return false;
}

static void waiter_cancel(void *arg)
{
    Waiter *waiter = arg;
    LOCKED(&waiter->bus->lock);
    waiter->cancelled = true;
    pthread_cond_signal(&waiter->wake);
}

static void waiter_link(EventBus *bus, Waiter *waiter)
{
    waiter->next = bus->waiters;
    if (bus->waiters)
        bus->waiters->prev = waiter;
    bus->waiters = waiter;
}

static void waiter_unlink(EventBus *bus, Waiter *waiter)
{
    if (waiter->prev)
        waiter->prev->next = waiter->next;
    else
        bus->waiters = waiter->next;
    if (waiter->next)
        waiter->next->prev = waiter->prev;
}

/* Waits with the bus locked; true unless the deadline passed first. */
static bool wait_until(EventBus *bus, Waiter *waiter, int64_t deadline_ns)
{
    struct timespec until = { deadline_ns / NS_PER_SEC, deadline_ns % NS_PER_SEC };
    while (!waiter->woken && !waiter->cancelled) {
        if (deadline_ns == DEADLINE_NONE)
            pthread_cond_wait(&waiter->wake, &bus->lock);
        else if (pthread_cond_timedwait(&waiter->wake, &bus->lock, &until) != 0)
            return waiter->woken || waiter->cancelled;
    }
    return true;
}

Status event_wait(Ctx *ctx, EventBus *bus, const uint64_t *topics, size_t n, uint64_t since)
{
    Waiter waiter = { .topics = topics, .n = n, .bus = bus };
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&waiter.wake, &attr);
    pthread_condattr_destroy(&attr);

    CancelHook hook = { .fn = waiter_cancel, .arg = &waiter };
    if (ctx->cancel)
        cancel_hook(ctx->cancel, &hook);
    bool in_time;
    {
        LOCKED(&bus->lock);
        waiter_link(bus, &waiter);
        in_time = happened_since(bus, &waiter, since) || wait_until(bus, &waiter, ctx->deadline_ns);
        waiter_unlink(bus, &waiter);
    }
    if (ctx->cancel)
        cancel_unhook(ctx->cancel, &hook);
    pthread_cond_destroy(&waiter.wake);
    if (waiter.cancelled)
        return FAIL(ctx, CANCELLED, "context canceled");
    return in_time ? OK : FAIL(ctx, DEADLINE_EXCEEDED, "context deadline exceeded");
}

struct Cancel {
    pthread_mutex_t lock;
    pthread_cond_t idle; /* a hook finished running */
    CancelHook *hooks;
    CancelHook *running;
    _Atomic bool is_set;
    _Atomic int refs;
};

Cancel *cancel_new(void)
{
    Cancel *cancel = calloc(1, sizeof(*cancel));
    if (!cancel)
        abort();
    pthread_mutex_init(&cancel->lock, NULL);
    pthread_cond_init(&cancel->idle, NULL);
    atomic_store(&cancel->refs, 1);
    return cancel;
}

Cancel *cancel_ref(Cancel *cancel)
{
    atomic_fetch_add(&cancel->refs, 1);
    return cancel;
}

Cancel *cancel_unref(Cancel *cancel)
{
    if (cancel && atomic_fetch_sub(&cancel->refs, 1) == 1) {
        pthread_cond_destroy(&cancel->idle);
        pthread_mutex_destroy(&cancel->lock);
        free(cancel);
    }
    return NULL;
}

bool cancel_is_set(const Cancel *cancel)
{
    return cancel && atomic_load(&cancel->is_set);
}

void cancel_set(Cancel *cancel)
{
    pthread_mutex_lock(&cancel->lock);
    atomic_store(&cancel->is_set, true);
    while (cancel->hooks && !cancel->running) {
        CancelHook *hook = cancel->hooks;
        cancel->hooks = hook->next;
        hook->hooked = false;
        cancel->running = hook;
        pthread_mutex_unlock(&cancel->lock);
        hook->fn(hook->arg);
        pthread_mutex_lock(&cancel->lock);
        cancel->running = NULL;
        pthread_cond_broadcast(&cancel->idle);
    }
    pthread_mutex_unlock(&cancel->lock);
}

void cancel_hook(Cancel *cancel, CancelHook *hook)
{
    pthread_mutex_lock(&cancel->lock);
    bool now = atomic_load(&cancel->is_set);
    if (!now) {
        hook->next = cancel->hooks;
        cancel->hooks = hook;
        hook->hooked = true;
    }
    pthread_mutex_unlock(&cancel->lock);
    if (now)
        hook->fn(hook->arg);
}

void cancel_unhook(Cancel *cancel, CancelHook *hook)
{
    LOCKED(&cancel->lock);
    while (cancel->running == hook)
        pthread_cond_wait(&cancel->idle, &cancel->lock);
    for (CancelHook **at = &cancel->hooks; hook->hooked && *at; at = &(*at)->next) {
        if (*at == hook) {
            *at = hook->next;
            hook->hooked = false;
            break;
        }
    }
}
