/* thread.h - mutexes by scope, and a pool of threads that may block.
 *
 * The pool starts a thread when work comes and none is idle, up to a cap; a thread that idles for
 * POOL_IDLE_MS ends. So an idle process has no threads beyond those it names.
 */
#pragma once

#include <pthread.h>

#include "base/ctx.h"

static inline void mutex_unlockp(pthread_mutex_t **mutex)
{
    if (*mutex)
        pthread_mutex_unlock(*mutex);
}
static inline pthread_mutex_t *mutex_locked(pthread_mutex_t *mutex)
{
    pthread_mutex_lock(mutex);
    return mutex;
}
/* Holds the mutex until the scope ends. */
#define LOCKED_JOIN_(a, b) a##b
#define LOCKED_NAME_(line) LOCKED_JOIN_(locked_, line)
#define LOCKED(mutex)                                                                              \
    CLEANUP(mutex_unlockp) UNUSED pthread_mutex_t *LOCKED_NAME_(__LINE__) = mutex_locked(mutex)

typedef struct Pool Pool;
#define POOL_IDLE_MS     10000
#define POOL_STACK_BYTES (512 * KiB)

Pool *pool_new(const char *name, size_t threads_max);
Pool *pool_free(Pool *pool); /* waits until all work is done; NULL is fine */

/* Runs fn(arg) on some thread. RESOURCE_EXHAUSTED when the cap is reached and no thread is idle:
 * the caller sheds load, nothing queues without bound. */
Status pool_run(Pool *pool, void (*fn)(void *arg), void *arg);
size_t pool_busy(Pool *pool);

/* A named thread with signals blocked. Errors: RESOURCE_EXHAUSTED. */
Status thread_start(Ctx *ctx, const char *name, void *(*fn)(void *), void *arg, pthread_t *out);
