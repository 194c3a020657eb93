/* test_pool.c - a pool takes as much work as it has threads for, however fast it comes. */
#include <malloc.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "testing.h"

enum { THREADS = 50 };

typedef struct Gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    int inside, passed;
    bool open;
} Gate;

static void pass(void *arg)
{
    Gate *gate = arg;
    LOCKED(&gate->lock);
    gate->inside++;
    pthread_cond_broadcast(&gate->moved);
    while (!gate->open)
        pthread_cond_wait(&gate->moved, &gate->lock);
    gate->passed++;
}

static void wait_inside(Gate *gate, int n)
{
    LOCKED(&gate->lock);
    while (gate->inside < n)
        pthread_cond_wait(&gate->moved, &gate->lock);
}

static void open_gate(Gate *gate)
{
    LOCKED(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->moved);
}

/* As many tasks as threads, at once; one more is refused; and all of them run. */
static void fill(Pool *pool)
{
    Gate gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, false };
    for (int i = 0; i < THREADS; i++)
        assert_ok(pool_run(pool, pass, &gate));
    assert_int_equal(pool_run(pool, pass, &gate).code, STATUS_RESOURCE_EXHAUSTED);
    wait_inside(&gate, THREADS);
    assert_int_equal(pool_busy(pool), THREADS);
    open_gate(&gate);
    while (pool_busy(pool))
        sched_yield();
    assert_int_equal(gate.passed, THREADS);
}

/* The second time all threads are there and idle: work is handed to them faster than they wake. */
static void a_burst_is_taken_by_idle_threads(void **state)
{
    (void)state;
    Pool *pool = pool_new("pool", THREADS);
    for (int round = 0; round < 20; round++)
        fill(pool);
    assert_null(pool_free(pool));
}

#ifdef __GLIBC__
static _Atomic int trims;

/* In place of the C library's: as slow, so that others leave meanwhile. */
int malloc_trim(size_t pad)
{
    (void)pad;
    trims++;
    usleep(1000);
    return 0;
}

/* Fifty threads end at about the same time: memory is given back at 32, 16, 8, 4, 2, 1 and 0 left,
 * whoever overtakes whom. */
static void those_who_leave_give_memory_back(void **state)
{
    (void)state;
    trims = 0;
    Pool *pool = pool_new("pool", THREADS);
    fill(pool);
    int64_t until_ns = clock_mono_ns() + 6 * POOL_IDLE_MS * NS_PER_MS;
    while (trims < 7 && clock_mono_ns() < until_ns)
        usleep(10000);
    assert_int_equal(trims, 7);
    pool_free(pool);
}
#endif

static void count_up(void *arg)
{
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_RELAXED);
}

/* What was taken is done before the pool is gone. */
static void freeing_waits(void **state)
{
    (void)state;
    int done = 0, taken = 0;
    Pool *pool = pool_new("pool", THREADS);
    for (int i = 0; i < 1000; i++)
        taken += status_ok(pool_run(pool, count_up, &done));
    pool_free(pool);
    assert_true(taken >= THREADS);
    assert_int_equal(done, taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_taken_by_idle_threads),
#ifdef __GLIBC__
        cmocka_unit_test(those_who_leave_give_memory_back),
#endif
        cmocka_unit_test(freeing_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
