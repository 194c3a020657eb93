/* One works for all who wait; a failure is everybody's, for good. */
#include <sched.h>
#include <stdatomic.h>

#include "base/group.h"
#include "testing.h"

/* Work that waits until the test opens the gate, and covers what was there when it began. */
typedef struct Work {
    Group group;
    _Atomic uint64_t position;
    _Atomic int running, gate;
    bool fails;
} Work;

static Status work(void *self, Ctx *ctx, uint64_t *out_covered)
{
    Work *w = self;
    *out_covered = atomic_load(&w->position);
    atomic_fetch_add(&w->running, 1);
    while (atomic_load(&w->gate) == 0)
        sched_yield();
    atomic_fetch_sub(&w->gate, 1);
    return w->fails ? FAIL(ctx, INTERNAL, "the disk is gone") : OK;
}

static void *reach(void *arg)
{
    Work *w = arg;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Status s = group_reach(&ctx, &w->group, atomic_fetch_add(&w->position, 1) + 1, work, w);
    return s.code == STATUS_OK ? NULL : w;
}

static void wait_for(_Atomic int *value, int wanted)
{
    while (atomic_load(value) != wanted)
        sched_yield();
}

/* The first leads alone; the seven who come meanwhile share the second run. */
static void who_comes_together_shares_a_run(void **state)
{
    (void)state;
    enum { N = 8 };
    Work w = { 0 };
    pthread_t threads[N];
    void *failed;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    group_init(&w.group);
    assert_ok(thread_start(&ctx, "first", reach, &w, &threads[0]));
    wait_for(&w.running, 1);
    for (int i = 1; i < N; i++)
        assert_ok(thread_start(&ctx, "later", reach, &w, &threads[i]));
    while (atomic_load(&w.position) != N)
        sched_yield();
    atomic_store(&w.gate, 2);
    for (int i = 0; i < N; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(group_runs(&w.group), 2);
    assert_ok(group_reach(&ctx, &w.group, N, work, &w)); /* covered: no run */
    assert_int_equal(group_runs(&w.group), 2);
    group_done(&w.group);
}

static void a_failure_is_final(void **state)
{
    (void)state;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Work w = { .position = 1, .gate = 9 };
    group_init(&w.group);
    assert_ok(group_reach(&ctx, &w.group, 1, work, &w));
    w.position = 2;
    w.fails = true;
    assert_fails(group_reach(&ctx, &w.group, 2, work, &w), INTERNAL, "the disk is gone");
    w.fails = false;
    assert_fails(group_reach(&ctx, &w.group, 3, work, &w), INTERNAL, "the disk is gone");
    assert_fails(group_health(&ctx, &w.group), INTERNAL, "the disk is gone");
    assert_ok(group_reach(&ctx, &w.group, 1, work, &w)); /* that much was done before */
    assert_int_equal(group_runs(&w.group), 2);
    group_done(&w.group);
}

static void the_first_poison_stays(void **state)
{
    (void)state;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Work w = { .gate = 9 };
    group_init(&w.group);
    assert_ok(group_health(&ctx, &w.group));
    group_poison(&w.group, FAIL(&ctx, DATA_LOSS, "one"));
    group_poison(&w.group, FAIL(&ctx, INTERNAL, "two"));
    assert_fails(group_reach(&ctx, &w.group, 1, work, &w), DATA_LOSS, "one");
    assert_int_equal(group_runs(&w.group), 0);
    group_done(&w.group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_comes_together_shares_a_run),
        cmocka_unit_test(a_failure_is_final),
        cmocka_unit_test(the_first_poison_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
