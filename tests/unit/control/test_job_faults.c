/* test_job_faults.c - the nth query, read, write or sync fails while a job is planned, run and
 * finished: it then succeeds or fails with a reason, and after a restart all goes on.
 *
 * By default every few faults, once each; PCV_TEST_LONG=1 tries each, and some for good. */
#include "base/fault.h"
#include "base/log.h"
#include "base/thread.h"
#include "control_fixture.h"

enum { STRIDE = 6 };
#define FAULTY_NS (1 * NS_PER_SEC) /* what is not over by then waits for the restart */

/* --- a worker that comes back ----------------------------------------------------------------- */

typedef struct Player {
    Fixture fx; /* the floors are the test's; ctx and session are its own */
    pthread_t thread;
} Player;

static Status run_set(Fixture *fx, const Procavia__Work__WorkSet *set)
{
    for (size_t i = 0; i < set->n_datums; i++)
        TRY(try_report(fx, set, i, PROCAVIA__WORK__WORK_RESULT__STATE__PROCESSED));
    return try_done(fx, set);
}

static Status obey(Fixture *fx)
{
    Procavia__Work__WorkOrder *order;
    TRY(control_next_order(&fx->ctx, fx->session, &order));
    if (order->body_case == PROCAVIA__WORK__WORK_ORDER__BODY_RUN)
        return run_set(fx, order->run);
    Procavia__Work__WorkSet over = { .lease = order->cancel->lease };
    return try_done(fx, &over);
}

/* A worker whose call failed is gone, and another joins. */
static void *play(void *arg)
{
    Fixture *fx = &((Player *)arg)->fx;
    Procavia__Work__WorkReport__Hello hello;
    procavia__work__work_report__hello__init(&hello);
    while (!cancel_is_set(fx->ctx.cancel)) {
        if (!status_ok(control_join(&fx->ctx, fx->control, &hello, &fx->session)))
            continue;
        while (status_ok(obey(fx)))
            continue;
        fx->session = control_leave(fx->session);
    }
    return NULL;
}

static void player_begin(Player *player, const Fixture *fx)
{
    player->fx = *fx;
    ctx_init(&player->fx.ctx);
    player->fx.ctx.cancel = cancel_new();
    assert_ok(thread_start(&player->fx.ctx, "player", play, player, &player->thread));
}

static void player_end(Player *player)
{
    cancel_set(player->fx.ctx.cancel);
    pthread_join(player->thread, NULL);
    cancel_unref(player->fx.ctx.cancel);
    player->fx.ctx.cancel = NULL;
    ctx_done(&player->fx.ctx);
}

/* --- the sweep -------------------------------------------------------------------------------- */

static const char pipeline[] = PIPELINE("p", "in", "/*", "");

/* This thread is spared, so that what it sees is what there is. Says whether the pipeline was
 * made. */
static bool run_with_faults(Fixture *fx, FaultSweep *fs, unsigned kinds)
{
    Player player;
    PpsV2__JobInfo *info;
    fault_arm(kinds, fs->after, fs->forever);
    bool made = status_ok(try_create(fx, pipeline, false));
    player_begin(&player, fx);
    fx->ctx.deadline_ns = clock_mono_ns() + FAULTY_NS;
    if (made)
        (void)!status_ok(try_finished_job(fx, "p", &info));
    fault_sweep_stop(fs);
    player_end(&player);
    fx->ctx.deadline_ns = clock_mono_ns() + PATIENCE_NS;
    return made;
}

static void assert_over(const PpsV2__JobInfo *info)
{
    bool failed = info->state == PPS_V2__JOB_STATE__JOB_FAILURE;
    if (failed ? !*info->reason : info->state != PPS_V2__JOB_STATE__JOB_SUCCESS)
        fail_msg("state %d, reason '%s'", (int)info->state, info->reason);
}

static void goes_on(Fixture *fx, bool made)
{
    Player player;
    close_all(fx);
    open_all(fx);
    if (!made)
        create(fx, pipeline, true);
    player_begin(&player, fx);
    assert_over(finished_job(fx, "p"));
    put(fx, "in", "/c", "3");
    assert_int_equal(finished_job(fx, "p")->state, PPS_V2__JOB_STATE__JOB_SUCCESS);
    assert_file(fx, "p", "/a", "1");
    assert_file(fx, "p", "/b", "2");
    assert_file(fx, "p", "/c", "3");
    player_end(&player);
}

static void sweep(unsigned kinds)
{
    bool is_long = getenv("PCV_TEST_LONG");
    size_t runs = 0;
    fault_pause();
    FAULT_SWEEP (fs, kinds) {
        fault_disarm();
        if (fs.forever && !is_long)
            break;
        void *state;
        setup(&state);
        Fixture *fx = state;
        make_repo(fx, "in");
        put(fx, "in", "/a", "1");
        put(fx, "in", "/b", "2");
        bool made = run_with_faults(fx, &fs, kinds);
        goes_on(fx, made);
        teardown(&state);
        fs.after += is_long && !fs.forever ? 0 : STRIDE - 1; /* lasting ones cost a second each */
        runs++;
    }
    fault_resume();
    say_case("%zu runs", runs);
}

static void a_job_survives_queries_that_fail(void **state)
{
    (void)state;
    sweep(FAULT_QUERY);
}

static void a_job_survives_a_disk_that_fails(void **state)
{
    (void)state;
    sweep(FAULT_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_survives_queries_that_fail),
        cmocka_unit_test(a_job_survives_a_disk_that_fails),
    };
    log_set_level(LOG_LEVEL_OFF); /* warnings are what it is all about */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
