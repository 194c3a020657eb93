/* queue.c - see queue.h. Each waiter sleeps on a condition of its own, so that leaving wakes just
 * the next. */
#include "db/queue.h"

#include "base/event.h"

struct DbQueueEntry {
    DbQueueEntry *next;
    DbQueue *queue;
    pthread_cond_t wake;
    bool granted, cancelled;
};

void db_queue_init(DbQueue *queue)
{
    *queue = (DbQueue){ 0 };
    pthread_mutex_init(&queue->lock, NULL);
}

void db_queue_done(DbQueue *queue)
{
    assert(!queue->taken);
    pthread_mutex_destroy(&queue->lock);
}

static void entry_init(DbQueueEntry *entry, DbQueue *queue)
{
    *entry = (DbQueueEntry){ .queue = queue };
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&entry->wake, &attr);
    pthread_condattr_destroy(&attr);
}

static void entry_cancel(void *arg)
{
    DbQueueEntry *entry = arg;
    LOCKED(&entry->queue->lock);
    entry->cancelled = true;
    pthread_cond_signal(&entry->wake);
}

static void entry_link(DbQueue *queue, DbQueueEntry *entry)
{
    if (queue->tail)
        queue->tail->next = entry;
    else
        queue->head = entry;
    queue->tail = entry;
}

static void entry_unlink(DbQueue *queue, const DbQueueEntry *entry)
{
    DbQueueEntry *before = NULL;
    for (DbQueueEntry *at = queue->head; at != entry; at = at->next)
        before = at;
    if (before)
        before->next = entry->next;
    else
        queue->head = entry->next;
    if (queue->tail == entry)
        queue->tail = before;
}

/* With the lock held: sleeps until the turn is given, the wait is cancelled or the deadline
 * passes. */
static void entry_wait(DbQueue *queue, DbQueueEntry *entry, int64_t deadline_ns)
{
    struct timespec until = { deadline_ns / NS_PER_SEC, deadline_ns % NS_PER_SEC };
    int late = 0;
    while (!entry->granted && !entry->cancelled && !late) {
        if (deadline_ns == DEADLINE_NONE)
            pthread_cond_wait(&entry->wake, &queue->lock);
        else
            late = pthread_cond_timedwait(&entry->wake, &queue->lock, &until);
    }
}

static bool wait_for_turn(DbQueue *queue, DbQueueEntry *entry, int64_t deadline_ns)
{
    LOCKED(&queue->lock);
    assert(!queue->taken || !pthread_equal(queue->owner, pthread_self()));
    if (!queue->taken) {
        queue->taken = entry->granted = true;
    } else {
        entry_link(queue, entry);
        entry_wait(queue, entry, deadline_ns);
        if (!entry->granted)
            entry_unlink(queue, entry);
    }
    if (entry->granted)
        queue->owner = pthread_self();
    return entry->granted;
}

Status db_queue_enter(Ctx *ctx, DbQueue *queue)
{
    DbQueueEntry entry;
    entry_init(&entry, queue);
    CancelHook hook = { .fn = entry_cancel, .arg = &entry };
    if (ctx->cancel)
        cancel_hook(ctx->cancel, &hook);
    bool granted = wait_for_turn(queue, &entry, ctx->deadline_ns);
    if (ctx->cancel)
        cancel_unhook(ctx->cancel, &hook);
    pthread_cond_destroy(&entry.wake);
    if (granted)
        return OK;
    return entry.cancelled ? FAIL(ctx, CANCELLED, "context canceled")
                           : FAIL(ctx, DEADLINE_EXCEEDED, "context deadline exceeded");
}

void db_queue_leave(DbQueue *queue)
{
    LOCKED(&queue->lock);
    assert(queue->taken && pthread_equal(queue->owner, pthread_self()));
    DbQueueEntry *next = queue->head;
    if (!next) {
        queue->taken = false;
        return;
    }
    queue->head = next->next;
    if (!queue->head)
        queue->tail = NULL;
    queue->owner = (pthread_t){ 0 }; /* the next one's, once it runs */
    next->granted = true;
    pthread_cond_signal(&next->wake);
}
