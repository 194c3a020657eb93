/* thread.c - see thread.h. */
#include "base/thread.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

typedef struct Task {
    struct Task *next;
    Pool *pool;
    void (*fn)(void *);
    void *arg;
} Task;

struct Pool {
    pthread_mutex_t lock;
    pthread_cond_t work; /* a task was handed over, or the pool closes */
    pthread_cond_t done; /* a thread ended */
    char name[16];
    Task *pending, **pending_end; /* handed to idle threads, oldest first */
    size_t pending_count;         /* never more than idle */
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
    pool->pending_end = &pool->pending;
    strncpy(pool->name, name, sizeof(pool->name) - 1);
    pool->threads_max = threads_max;
    return pool;
}

static void hand_over(Pool *pool, Task *task)
{
    *pool->pending_end = task;
    pool->pending_end = &task->next;
    pool->pending_count++;
    pthread_cond_signal(&pool->work);
}

static Task *take_pending(Pool *pool)
{
    Task *task = pool->pending;
    pool->pending = task->next;
    if (!pool->pending)
        pool->pending_end = &pool->pending;
    pool->pending_count--;
    return task;
}

/* The next task for this thread, or NULL when it should end. */
static Task *next_task(Pool *pool)
{
    LOCKED(&pool->lock);
    int64_t until_ns = clock_mono_ns() + POOL_IDLE_MS * NS_PER_MS;
    struct timespec until = { until_ns / NS_PER_SEC, until_ns % NS_PER_SEC };
    pool->idle++;
    int late = 0;
    while (!pool->pending && !pool->closing && !late)
        late = pthread_cond_timedwait(&pool->work, &pool->lock, &until);
    pool->idle--;
    return pool->pending ? take_pending(pool) : NULL;
}

/* What a burst of work left free goes back to the system; malloc would keep it for the next one.
 * Each time that half of the threads have left: `others` are still there. */
static void give_back_memory(size_t others)
{
#ifdef __GLIBC__
    if ((others & (others - 1)) == 0)
        malloc_trim(0);
#else
    (void)others;
#endif
}

/* Counted down under the lock, so that of threads that leave together each sees another number, and
 * the last one 0. The pool may be gone once nobody is counted in it. */
static void leave(Pool *pool)
{
    size_t others;
    bool closing;
    {
        LOCKED(&pool->lock);
        others = --pool->total;
        closing = pool->closing;
        pthread_cond_broadcast(&pool->done);
    }
    if (!closing)
        give_back_memory(others);
}

static void *pool_thread(void *arg)
{
    Pool *pool = ((Task *)arg)->pool;
    for (Task *task = arg; task; task = next_task(pool)) {
        task->fn(task->arg);
        free(task);
    }
    leave(pool);
    return NULL;
}

static Status start_thread(Pool *pool, Task *first)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, POOL_STACK_BYTES);
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    pthread_t thread;
    int error = pthread_create(&thread, &attr, pool_thread, first);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (error)
        return STATUS(RESOURCE_EXHAUSTED);
    pthread_setname_np(thread, pool->name);
    return OK;
}

Status pool_run(Pool *pool, void (*fn)(void *arg), void *arg)
{
    Task *task = malloc(sizeof(*task));
    if (!task)
        return STATUS(RESOURCE_EXHAUSTED);
    *task = (Task){ NULL, pool, fn, arg };
    LOCKED(&pool->lock);
    assert(!pool->closing);
    if (pool->idle > pool->pending_count) {
        hand_over(pool, task);
        return OK;
    }
    Status s = STATUS(RESOURCE_EXHAUSTED);
    if (pool->total < pool->threads_max)
        s = start_thread(pool, task);
    if (status_ok(s))
        pool->total++;
    else
        free(task);
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
