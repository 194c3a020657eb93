/* event.h - waking who waits, without polling: topics, epochs and cancellation.
 *
 * A topic is any 64-bit number that both sides compute (event_topic hashes text). A waiter notes
 * the bus's epoch, looks at the state, and if it is not what it wants, waits for a publish to one
 * of its topics after that epoch: no wake-up is lost, and none is for nothing. A publish wakes only
 * those who wait for the topic. All functions: any thread.
 */
#pragma once

#include "base/ctx.h"

typedef struct EventBus EventBus;

EventBus *event_bus_new(void);
EventBus *event_bus_free(EventBus *bus); /* nobody may be waiting; NULL is fine */

uint64_t event_topic(const char *kind, Str name); /* e.g. ("commit", id) */
uint64_t event_topic_num(const char *kind, int64_t id);

uint64_t event_epoch(EventBus *bus);
void event_publish(EventBus *bus, uint64_t topic);

/* Blocks until one of topics[n] is published after `since`, the ctx is cancelled or its deadline
 * passes. Errors: CANCELLED, DEADLINE_EXCEEDED. Returns at once when it happened already (kept for
 * the newest EVENT_HISTORY publishes; older ones count as happened). */
Status event_wait(Ctx *ctx, EventBus *bus, const uint64_t *topics, size_t n, uint64_t since);
#define EVENT_HISTORY 1024

/* Says that an answer is no longer wanted. Setting it wakes event_wait, and any hook below. */
Cancel *cancel_new(void);
Cancel *cancel_ref(Cancel *cancel);
Cancel *cancel_unref(Cancel *cancel); /* NULL is fine; always returns NULL */
void cancel_set(Cancel *cancel);
bool cancel_is_set(const Cancel *cancel); /* NULL is never set */

/* While registered, `fn(arg)` runs once when the cancel is set (at once if it is already). After
 * cancel_unhook returns, fn is not running and will not run. */
typedef struct CancelHook {
    void (*fn)(void *arg);
    void *arg;
    struct CancelHook *next;
    bool hooked;
} CancelHook;
void cancel_hook(Cancel *cancel, CancelHook *hook);
void cancel_unhook(Cancel *cancel, CancelHook *hook);
