/* thread.c - see thread.h. */
#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

typedef struct Task {
    void (*fn)(void *);
    void *arg;
} Task;

struct Pool {
    pthread_mutex_t lock;
    pthread_cond_t work; /* a task was handed over, or the pool closes */
    pthread_cond_t done; /* a thread ended */
    char name[16];
    Task pending; /* handed to an idle thread; at most one at a time */
    bool has_pending;
    bool closing;
    size_t idle, total, threads_max;
};

Pool *pool_new(const char *name, size_t threads_max)
{
    Pool *pool = calloc(1, sizeof(*pool));
    if (!pool)
        abort();
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->work, &attr);
    pthread_condattr_destroy(&attr);
    pthread_cond_init(&pool->done, NULL);
    strncpy(pool->name, name, sizeof(pool->name) - 1);
    pool->threads_max = threads_max;
    return pool;
}

/* With the lock held: the next task for this thread, or false when it should end. */
static bool next_task(Pool *pool, Task *out)
{
    int64_t until_ns = clock_mono_ns() + POOL_IDLE_MS * NS_PER_MS;
    struct timespec until = { until_ns / NS_PER_SEC, until_ns % NS_PER_SEC };
    pool->idle++;
    int late = 0;
    while (!pool->has_pending && !pool->closing && !late)
        late = pthread_cond_timedwait(&pool->work, &pool->lock, &until);
    pool->idle--;
    if (!pool->has_pending)
        return false;
    *out = pool->pending;
    pool->has_pending = false;
    return true;
}

typedef struct ThreadStart {
    Pool *pool;
    Task first;
} ThreadStart;

static void *pool_thread(void *arg)
{
    ThreadStart start = *(ThreadStart *)arg;
    free(arg);
    Pool *pool = start.pool;
    Task task = start.first;
    for (bool more = true; more;) {
        task.fn(task.arg);
        LOCKED(&pool->lock);
        more = next_task(pool, &task);
        if (!more) {
            pool->total--;
            pthread_cond_broadcast(&pool->done);
        }
    }
    return NULL;
}

static Status start_thread(Pool *pool, Task task)
{
    ThreadStart *start = malloc(sizeof(*start));
    if (!start)
        return STATUS(RESOURCE_EXHAUSTED);
    *start = (ThreadStart){ pool, task };
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, POOL_STACK_BYTES);
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    pthread_t thread;
    int error = pthread_create(&thread, &attr, pool_thread, start);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (error) {
        free(start);
        return STATUS(RESOURCE_EXHAUSTED);
    }
    pthread_setname_np(thread, pool->name);
    return OK;
}

Status pool_run(Pool *pool, void (*fn)(void *arg), void *arg)
{
    LOCKED(&pool->lock);
    assert(!pool->closing);
    Task task = { fn, arg };
    if (pool->idle > 0 && !pool->has_pending) {
        pool->pending = task;
        pool->has_pending = true;
        pthread_cond_signal(&pool->work);
        return OK;
    }
    if (pool->total >= pool->threads_max)
        return STATUS(RESOURCE_EXHAUSTED);
    pool->total++;
    Status s = start_thread(pool, task);
    if (!status_ok(s))
        pool->total--;
    return s;
}

size_t pool_busy(Pool *pool)
{
    LOCKED(&pool->lock);
    return pool->total - pool->idle;
}

Pool *pool_free(Pool *pool)
{
    if (!pool)
        return NULL;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->work);
    while (pool->total > 0)
        pthread_cond_wait(&pool->done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->done);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
    return NULL;
}

Status thread_start(Ctx *ctx, const char *name, void *(*fn)(void *), void *arg, pthread_t *out)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int error = pthread_create(out, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error)
        return status_errno(ctx, error, "could not start thread '%s'", name);
    pthread_setname_np(*out, name);
    return OK;
}
