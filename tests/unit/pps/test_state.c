/* test_state.c - every transition of pipelines and jobs, and what no event may do. */
#include "pps/state.h"
#include "testing.h"

#define P(name) PPS_V2__PIPELINE_STATE__PIPELINE_##name
#define J(name) PPS_V2__JOB_STATE__JOB_##name

static void pipelines_go_where_the_table_says(void **state UNUSED)
{
    static const struct {
        const char *label;
        PipelineFacts facts;
        PipelineEvent event;
        bool changed;
        PpsV2__PipelineState to;
        unsigned effects;
    } cases[] = {
        { "ready",
          { P(STARTING), false, false },
          PIPELINE_EV_WORKERS_READY,
          true,
          P(RUNNING),
          PIPELINE_DO_SCALE_UP | PIPELINE_DO_NOTE_UP },
        { "ready, autoscaling",
          { P(STARTING), false, true },
          PIPELINE_EV_WORKERS_READY,
          true,
          P(STANDBY),
          PIPELINE_DO_SCALE_DOWN | PIPELINE_DO_NOTE_DOWN },
        { "ready, but stopped",
          { P(STARTING), true, true },
          PIPELINE_EV_WORKERS_READY,
          true,
          P(PAUSED),
          PIPELINE_DO_SCALE_DOWN | PIPELINE_DO_NOTE_DOWN },
        { "made again",
          { P(RESTARTING), false, false },
          PIPELINE_EV_WORKERS_READY,
          true,
          P(RUNNING),
          PIPELINE_DO_SCALE_UP | PIPELINE_DO_NOTE_UP },
        { "workers lost",
          { P(RUNNING), false, false },
          PIPELINE_EV_WORKERS_LOST,
          true,
          P(RESTARTING),
          PIPELINE_DO_START_WORKERS | PIPELINE_DO_NOTE_DOWN },
        { "stop",
          { P(STANDBY), true, true },
          PIPELINE_EV_STOPPED,
          true,
          P(PAUSED),
          PIPELINE_DO_SCALE_DOWN | PIPELINE_DO_NOTE_DOWN },
        { "stop while crashing",
          { P(CRASHING), true, false },
          PIPELINE_EV_STOPPED,
          true,
          P(PAUSED),
          PIPELINE_DO_SCALE_DOWN | PIPELINE_DO_NOTE_DOWN },
        { "start",
          { P(PAUSED), false, false },
          PIPELINE_EV_STARTED,
          true,
          P(RUNNING),
          PIPELINE_DO_SCALE_UP | PIPELINE_DO_NOTE_UP },
        { "start, autoscaling",
          { P(PAUSED), false, true },
          PIPELINE_EV_STARTED,
          true,
          P(STANDBY),
          PIPELINE_DO_NOTE_DOWN },
        { "start twice", { P(RUNNING), false, false }, PIPELINE_EV_STARTED, false, P(RUNNING), 0 },
        { "work wakes",
          { P(STANDBY), false, true },
          PIPELINE_EV_WORK,
          true,
          P(RUNNING),
          PIPELINE_DO_SCALE_UP | PIPELINE_DO_NOTE_UP },
        { "work while up", { P(RUNNING), false, true }, PIPELINE_EV_WORK, false, P(RUNNING), 0 },
        { "idle",
          { P(RUNNING), false, true },
          PIPELINE_EV_IDLE,
          true,
          P(STANDBY),
          PIPELINE_DO_SCALE_DOWN | PIPELINE_DO_NOTE_DOWN },
        { "idle, fixed size",
          { P(RUNNING), false, false },
          PIPELINE_EV_IDLE,
          false,
          P(RUNNING),
          0 },
        { "crash",
          { P(RUNNING), false, false },
          PIPELINE_EV_CRASH,
          true,
          P(CRASHING),
          PIPELINE_DO_NOTE_UP },
        { "crash for another reason",
          { P(CRASHING), false, false },
          PIPELINE_EV_CRASH,
          true,
          P(CRASHING),
          PIPELINE_DO_NOTE_UP },
        { "started, and cannot run",
          { P(PAUSED), false, false },
          PIPELINE_EV_CRASH,
          true,
          P(CRASHING),
          PIPELINE_DO_NOTE_UP },
        { "crash of one that is stopped", { P(PAUSED), true, false }, PIPELINE_EV_CRASH, false,
          P(PAUSED), 0 },
        { "late crash", { P(STANDBY), false, true }, PIPELINE_EV_CRASH, false, P(STANDBY), 0 },
        { "crash over",
          { P(CRASHING), false, false },
          PIPELINE_EV_CRASH_OVER,
          true,
          P(RUNNING),
          PIPELINE_DO_SCALE_UP | PIPELINE_DO_NOTE_UP },
        { "fail",
          { P(PAUSED), true, false },
          PIPELINE_EV_FAIL,
          true,
          P(FAILURE),
          PIPELINE_DO_STOP_JOBS | PIPELINE_DO_REMOVE_WORKERS | PIPELINE_DO_NOTE_DOWN },
        { "fail again",
          { P(FAILURE), false, false },
          PIPELINE_EV_FAIL,
          true,
          P(FAILURE),
          PIPELINE_DO_STOP_JOBS | PIPELINE_DO_REMOVE_WORKERS | PIPELINE_DO_NOTE_DOWN },
        { "failure is sticky",
          { P(FAILURE), false, false },
          PIPELINE_EV_WORKERS_READY,
          false,
          P(FAILURE),
          0 },
        { "work under a failure",
          { P(FAILURE), false, false },
          PIPELINE_EV_WORK,
          false,
          P(FAILURE),
          PIPELINE_DO_STOP_JOBS },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        PipelineStep step = pipeline_step(&cases[i].facts, cases[i].event);
        assert_int_equal(step.changed, cases[i].changed);
        assert_int_equal(step.state, cases[i].to);
        assert_int_equal(step.effects, cases[i].effects);
    }
}

static void only_a_new_version_leaves_failure(void **state UNUSED)
{
    for (unsigned flags = 0; flags < 4; flags++) {
        PipelineFacts facts = { P(FAILURE), flags & 1, flags & 2 };
        for (PipelineEvent event = 0; event < PIPELINE_EVENT_COUNT; event++)
            assert_int_equal(pipeline_step(&facts, event).state, P(FAILURE));
    }
}

static void hopeless_pipelines_say_why(void **state UNUSED)
{
    PpsV2__Transform transform;
    pps_v2__transform__init(&transform);
    PpsV2__PipelineInfo__Details details;
    pps_v2__pipeline_info__details__init(&details);
    PpsV2__PipelineInfo info;
    pps_v2__pipeline_info__init(&info);
    info.details = &details;
    details.transform = &transform;
    assert_string_equal(pipeline_fatal(&info), "nothing to run: no transform.cmd");

    char *cmd[] = { (char[]){ "true" } };
    transform.cmd = cmd;
    transform.n_cmd = 1;
    assert_null(pipeline_fatal(&info));

    Google__Protobuf__Duration uptime;
    google__protobuf__duration__init(&uptime);
    details.maximum_expected_uptime = &uptime;
    assert_null(pipeline_fatal(&info));
    uptime.seconds = 60;
    assert_string_equal(pipeline_fatal(&info),
                        "autoscaling must be true when max_expected_uptime is non-zero");
    details.autoscaling = true;
    assert_null(pipeline_fatal(&info));

    PpsV2__Service service;
    pps_v2__service__init(&service);
    details.service = &service;
    service.external_port = 65535;
    assert_null(pipeline_fatal(&info));
    service.external_port = 65536;
    assert_string_equal(pipeline_fatal(&info), "service.external_port must be between 0 and 65535");
    service.internal_port = -1;
    assert_string_equal(pipeline_fatal(&info), "service.internal_port must be between 0 and 65535");

    PpsV2__Spout spout;
    pps_v2__spout__init(&spout);
    details.spout = &spout;
    assert_string_equal(pipeline_fatal(&info),
                        "only one of pipeline.service or pipeline.spout can be set");
}

#define END_BADLY (JOB_DO_KILL_DATUMS | JOB_DO_FAIL_COMMITS | JOB_DO_NOTE_FINISHED)

static void jobs_go_where_the_table_says(void **state UNUSED)
{
    static const struct {
        const char *label;
        JobFacts facts;
        JobEvent event;
        bool changed;
        PpsV2__JobState to;
        unsigned effects;
    } cases[] = {
        { "a slot is free",
          { J(CREATED), false },
          JOB_EV_ACCEPTED,
          true,
          J(STARTING),
          JOB_DO_WAIT_INPUTS },
        { "inputs are there",
          { J(STARTING), false },
          JOB_EV_INPUTS_READY,
          true,
          J(RUNNING),
          JOB_DO_NOTE_STARTED | JOB_DO_START_TIMER | JOB_DO_PLAN },
        { "an input failed",
          { J(STARTING), false },
          JOB_EV_INPUT_FAILED,
          true,
          J(UNRUNNABLE),
          JOB_DO_FAIL_COMMITS | JOB_DO_NOTE_FINISHED },
        { "datums done",
          { J(RUNNING), false },
          JOB_EV_DATUMS_DONE,
          true,
          J(FINISHING),
          JOB_DO_FINISH_COMMITS },
        { "datums done, egress",
          { J(RUNNING), true },
          JOB_EV_DATUMS_DONE,
          true,
          J(EGRESSING),
          JOB_DO_EGRESS },
        { "egress done",
          { J(EGRESSING), true },
          JOB_EV_EGRESS_DONE,
          true,
          J(FINISHING),
          JOB_DO_FINISH_COMMITS },
        { "a datum failed",
          { J(RUNNING), false },
          JOB_EV_DATUM_FAILED,
          true,
          J(FAILURE),
          END_BADLY },
        { "output is good",
          { J(FINISHING), false },
          JOB_EV_OUTPUT_VALID,
          true,
          J(SUCCESS),
          JOB_DO_NOTE_FINISHED },
        { "output is bad",
          { J(FINISHING), false },
          JOB_EV_OUTPUT_INVALID,
          true,
          J(FAILURE),
          JOB_DO_NOTE_FINISHED },
        { "stopped before it began",
          { J(CREATED), false },
          JOB_EV_STOPPED,
          true,
          J(KILLED),
          END_BADLY },
        { "stopped while it runs",
          { J(EGRESSING), true },
          JOB_EV_STOPPED,
          true,
          J(KILLED),
          END_BADLY },
        { "stopped too late", { J(FINISHING), false }, JOB_EV_STOPPED, false, J(FINISHING), 0 },
        { "timed out", { J(RUNNING), false }, JOB_EV_TIMED_OUT, true, J(KILLED), END_BADLY },
        { "again",
          { J(RUNNING), false },
          JOB_EV_RESTARTED,
          true,
          J(RUNNING),
          JOB_DO_KILL_DATUMS | JOB_DO_COUNT_RESTART | JOB_DO_PLAN },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        JobStep step = job_step(&cases[i].facts, cases[i].event);
        assert_int_equal(step.changed, cases[i].changed);
        assert_int_equal(step.state, cases[i].to);
        assert_int_equal(step.effects, cases[i].effects);
    }
}

/* Whatever happens, in whatever order: a terminal state is final, and reaching one says so to the
 * row. */
static void ended_jobs_stay_ended(void **state UNUSED)
{
    uint64_t seed = 42;
    for (int round = 0; round < 10000; round++) {
        JobFacts facts = { J(CREATED), next_rand(&seed) % 2 };
        for (int i = 0; i < 30; i++) {
            JobStep step = job_step(&facts, (JobEvent)(next_rand(&seed) % JOB_EVENT_COUNT));
            if (job_is_terminal(facts.state))
                assert_false(step.changed);
            if (step.changed)
                assert_int_equal(job_is_terminal(step.state),
                                 (step.effects & JOB_DO_NOTE_FINISHED) != 0);
            facts.state = step.state;
        }
    }
}

static void reasons_read_as_clients_know_them(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    const char *names[] = { "images", "labels" };
    assert_string_equal(
        job_unrunnable_reason(&ctx, names, 2),
        "unrunnable because the following upstream pipelines failed: images, labels");
    assert_string_equal(job_datum_failed_reason(&ctx, "abc"), "datum abc failed");
}

static void counters_add_up_and_survive_the_message(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    JobCounters sum = {
        .total = 10, .skipped = 4, .process_ns = 1500000000, .upload_bytes = INT64_MAX - 1
    };
    JobCounters more = {
        .processed = 5, .recovered = 1, .process_ns = 700000000, .upload_bytes = 5
    };
    job_counters_add(&sum, &more);
    assert_int_equal(sum.processed + sum.skipped + sum.recovered, sum.total);
    assert_int_equal(sum.upload_bytes, INT64_MAX);

    PpsV2__JobInfo info;
    pps_v2__job_info__init(&info);
    job_counters_set(&ctx, &sum, &info);
    assert_int_equal(info.data_recovered, 1);
    assert_int_equal(info.stats->process_time->seconds, 2);
    assert_int_equal(info.stats->process_time->nanos, 200000000);
    JobCounters back = job_counters_get(&info);
    assert_memory_equal(&back, &sum, sizeof(sum));

    PpsV2__JobInfo fresh;
    pps_v2__job_info__init(&fresh);
    assert_int_equal(job_counters_get(&fresh).process_ns, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelines_go_where_the_table_says),
        cmocka_unit_test(only_a_new_version_leaves_failure),
        cmocka_unit_test(hopeless_pipelines_say_why),
        cmocka_unit_test(jobs_go_where_the_table_says),
        cmocka_unit_test(ended_jobs_stay_ended),
        cmocka_unit_test(reasons_read_as_clients_know_them),
        cmocka_unit_test(counters_add_up_and_survive_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
