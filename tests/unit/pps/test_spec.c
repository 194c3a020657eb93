/* test_spec.c - specs: merged with the defaults, filled in, and refused in the reference's words.
 */
#include "pps/spec.h"

#include "codec/json.h"
#include "codec/pbjson.h"
#include "google/rpc/error_details.pb-c.h"
#include "testing.h"

typedef struct Fixture {
    Ctx ctx;
    const char *cluster, *project; /* stored defaults; project NULL: it does not exist */
    SpecLookups lookups;
} Fixture;

static Status cluster_defaults(void *self, Ctx *ctx UNUSED, const char **out_json)
{
    *out_json = ((Fixture *)self)->cluster;
    return OK;
}

static Status project_defaults(void *self, Ctx *ctx, const char *project, const char **out_json)
{
    const Fixture *fx = self;
    if (!fx->project)
        return FAIL(ctx, NOT_FOUND, "project \"%s\" not found", project);
    *out_json = fx->project;
    return OK;
}

static Status secret(void *self UNUSED, Ctx *ctx UNUSED, const char *name, const char *key,
                     bool *out_secret, bool *out_key)
{
    *out_secret = !strcmp(name, "creds");
    *out_key = *out_secret && !strcmp(key, "password");
    return OK;
}

static Status repo(void *self UNUSED, Ctx *ctx, const PfsV2__Repo *wanted)
{
    if (strcmp(wanted->name, "images") != 0)
        return FAIL(ctx, NOT_FOUND, "repo %s/%s not found", wanted->project->name, wanted->name);
    return OK;
}

static int setup(void **state)
{
    Fixture *fx = test_calloc(1, sizeof(*fx));
    ctx_init(&fx->ctx);
    fx->cluster = fx->project = "{}";
    fx->lookups = (SpecLookups){ cluster_defaults, project_defaults, secret, repo, fx };
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fx = *state;
    ctx_done(&fx->ctx);
    test_free(fx);
    return 0;
}

/* --- merging ---------------------------------------------------------------------------------- */

#define BUILTIN "\"datumTries\":\"3\",\"outputBranch\":\"master\""
#define IMAGE   "\"transform\":{\"image\":\"ubuntu:20.04\"}"

static void specs_merge_over_project_cluster_and_built_in(void **state)
{
    Fixture *fx = *state;
    static const struct {
        const char *label, *cluster, *project, *user, *effective;
    } cases[] = {
        { "built-in only", "{}", "{}", "{}",
          "{" BUILTIN ",\"reprocessSpec\":\"until_success\"," IMAGE "}" },
        { "a fresh server's", SPEC_CLUSTER_DEFAULTS_FRESH, "{}", "{\"pipeline\":{\"name\":\"p\"}}",
          "{" BUILTIN ",\"pipeline\":{\"name\":\"p\"},\"reprocessSpec\":\"exact\","
          "\"transform\":{\"image\":\"host\"}}" },
        { "later wins, objects merge, lists replace",
          "{\"createPipelineRequest\":{\"transform\":{\"cmd\":[\"a\",\"b\"],\"user\":\"u\"},"
          "\"salt\":\"c\"}}",
          "{\"createPipelineRequest\":{\"salt\":\"p\",\"transform\":{\"stdin\":[\"x\"]}}}",
          "{\"transform\":{\"cmd\":[\"c\"]}}",
          "{" BUILTIN ",\"reprocessSpec\":\"until_success\",\"salt\":\"p\","
          "\"transform\":{\"cmd\":[\"c\"],\"image\":\"ubuntu:20.04\",\"stdin\":[\"x\"],\"user\":"
          "\"u\"}}" },
        { "null takes away, the built-in too", "{}", "{}",
          "{\"datumTries\":null,\"transform\":null}",
          "{\"outputBranch\":\"master\",\"reprocessSpec\":\"until_success\"}" },
        { "either spelling, numbers as written", "{}", "{}",
          "{\"datum_tries\":5,\"parallelism_spec\":{\"constant\":\"18446744073709551615\"},"
          "\"datum_set_spec\":{\"size_bytes\":9007199254740993}}",
          "{\"datumSetSpec\":{\"sizeBytes\":9007199254740993},\"datumTries\":5,\"outputBranch\":"
          "\"master\","
          "\"parallelismSpec\":{\"constant\":\"18446744073709551615\"},\"reprocessSpec\":\"until_"
          "success\"," IMAGE "}" },
        { "enum numbers get names", "{}", "{}",
          "{\"tolerations\":[{\"key\":\"k\",\"operator\":1}]}",
          "{" BUILTIN
          ",\"reprocessSpec\":\"until_success\",\"tolerations\":[{\"key\":\"k\",\"operator\":"
          "\"EXISTS\"}]," IMAGE "}" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        fx->cluster = cases[i].cluster;
        fx->project = cases[i].project;
        Spec spec;
        assert_ok(spec_effective(&fx->ctx, &fx->lookups, cases[i].user, &spec));
        assert_string_equal(spec.effective_json, cases[i].effective);
        assert_string_equal(spec.user_json, cases[i].user);
    }
}

static void assert_bad_request(Fixture *fx, Status status, const char *field,
                               const char *description)
{
    const StatusAny *any = status.detail->any;
    assert_non_null(any);
    assert_string_equal(any->type_url, "type.googleapis.com/google.rpc.BadRequest");
    Google__Rpc__BadRequest *bad;
    assert_ok(PB_UNPACK(&fx->ctx, google__rpc__bad_request, any->value, &bad));
    assert_int_equal(bad->n_field_violations, 1);
    assert_string_equal(bad->field_violations[0]->field, field);
    assert_true(strstr(bad->field_violations[0]->description, description) != NULL);
}

#define COULD_NOT "could not make effective spec: "

static void bad_specs_are_bad_requests(void **state)
{
    Fixture *fx = *state;
    static const struct {
        const char *label, *project, *user, *message;
    } cases[] = {
        { "no text", "{}", "",
          COULD_NOT "could not parse  as Create Pipeline Request message: proto:" },
        { "no json", "{}", "{",
          COULD_NOT "could not parse { as Create Pipeline Request message: proto:" },
        { "unknown field", "{}", "{\"foo\":1}", "unknown field \"foo\"" },
        { "git is gone", "{}", "{\"input\":{\"git\":{}}}", "unknown field \"git\"" },
        { "a field twice", "{}", "{\"datumTries\":1,\"datum_tries\":2}", "duplicate field" },
        { "fraction", "{}", "{\"datumTries\":5.5}", "invalid value for int64 type: 5.5" },
        { "enum", "{}", "{\"tolerations\":[{\"operator\":\"exists\"}]}",
          "invalid value for enum type: \"exists\"" },
        { "duration", "{}", "{\"jobTimeout\":\"1m\"}",
          "invalid google.protobuf.Duration value \"1m\"" },
        { "no such project", NULL, "{\"pipeline\":{\"project\":{\"name\":\"x\"},\"name\":\"p\"}}",
          COULD_NOT "could not get defaults for project x: project \"x\" not found" },
        { "null for a list", "{}", "{\"transform\":{\"stdin\":null}}",
          "expected []any; got <nil> in pps_v2.Transform.stdin" },
        { "unknown field in the project's", "{\"createPipelineRequest\":{\"foo\":1}}", "{}",
          "unexpected field \"foo\" in pps_v2.CreatePipelineRequest" },
        { "tf job", "{}", "{\"tfJob\":{}}", "embedding TFJobs in pipelines is not supported yet" },
        { "reprocess", "{}", "{\"reprocessSpec\":\"never\"}",
          "invalid pipeline spec: ReprocessSpec must be one of \"until_success\" or "
          "\"every_job\"" },
        { "tolerations, all of them", "{}",
          "{\"tolerations\":[{},{\"operator\":\"EQUAL\"},{\"key\":\"k\"}]}",
          "toleration 1/3: cannot omit key/value comparison operator; specify EQUAL or "
          "EXISTS\ntoleration 3/3: " },
        { "pod spec", "{}", "{\"podSpec\":\"{\"}", "malformed PodSpec" },
        { "pod patch", "{}", "{\"podPatch\":\"[\"}", "malformed PodPatch" },
        { "service type", "{}", "{\"service\":{\"type\":\"Magic\"}}",
          "the following service type Magic is not allowed" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        fx->project = cases[i].project;
        Spec spec;
        Status status = spec_effective(&fx->ctx, &fx->lookups, cases[i].user, &spec);
        assert_fails(status, INVALID_ARGUMENT, cases[i].message);
        assert_true(str_starts(str(status_message(status)), STR(COULD_NOT)));
        assert_bad_request(fx, status, "create_pipeline_v2_request.create_pipeline_request_json",
                           "");
    }
}

static void answers_show_the_effective_request(void **state)
{
    Fixture *fx = *state;
    Spec spec;
    const char *json;
    assert_ok(spec_effective(&fx->ctx, &fx->lookups,
                             "{\"pipeline\":{\"name\":\"p\"},\"dryRun\":true}", &spec));
    assert_ok(spec_apply_flags(&fx->ctx, &spec, true, false));
    assert_ok(spec_response_json(&fx->ctx, &spec, &json));
    assert_string_equal(json, "{\"pipeline\":{\"name\":\"p\",\"project\":{\"name\":\"default\"}},"
                              "\"transform\":{\"image\":\"ubuntu:20.04\"},\"update\":true,"
                              "\"outputBranch\":\"master\",\"datumTries\":\"3\","
                              "\"reprocessSpec\":\"until_success\",\"dryRun\":true}");
    assert_true(strstr(spec.effective_json, "project") == NULL);
    assert_ok(spec_effective(&fx->ctx, &fx->lookups, "{}", &spec));
    assert_fails(spec_apply_flags(&fx->ctx, &spec, false, false), UNKNOWN,
                 "request.Pipeline cannot be nil");
}

static void messages_go_the_same_way(void **state)
{
    Fixture *fx = *state;
    PpsV2__CreatePipelineRequest *request =
        PB_NEW(&fx->ctx, pps_v2__create_pipeline_request, PpsV2__CreatePipelineRequest);
    request->datum_tries = 7;
    request->reprocess = true;
    Spec spec;
    assert_ok(spec_effective_of(&fx->ctx, &fx->lookups, request, &spec));
    assert_string_equal(spec.user_json, "{\"reprocess\":true,\"datumTries\":\"7\"}");
    assert_int_equal(spec.request->datum_tries, 7);
    assert_string_equal(spec.request->transform->image, "ubuntu:20.04");
}

/* --- checks ----------------------------------------------------------------------------------- */

static Spec effective(Fixture *fx, const char *user)
{
    Spec spec;
    assert_ok(spec_effective(&fx->ctx, &fx->lookups, user, &spec));
    if (spec.request->pipeline)
        assert_ok(spec_apply_flags(&fx->ctx, &spec, spec.request->update, spec.request->reprocess));
    return spec;
}

#define P   "\"pipeline\":{\"name\":\"p\"}"
#define TEN "aaaaaaaaaa"

static void requests_are_checked_in_order(void **state)
{
    Fixture *fx = *state;
    static const struct {
        const char *user, *message;
    } cases[] = {
        { "{" P "}", "" },
        { "{}", "invalid pipeline spec: request.Pipeline cannot be nil" },
        { "{\"pipeline\":{}}", "invalid pipeline spec: request.Pipeline.Name cannot be empty" },
        { "{\"pipeline\":{\"name\":\"a.b\"}}",
          "invalid pipeline name: name (a.b) invalid: only alphanumeric characters, underscores, "
          "and dashes are "
          "allowed" },
        { "{\"pipeline\":{\"name\":\"\\u00e4\"}}", "only alphanumeric characters" },
        { "{\"pipeline\":{\"name\":\"" TEN TEN TEN TEN TEN "xyz\"}}",
          "pipeline name \"" TEN TEN TEN TEN TEN "xyz\" is 2 characters longer than the 51 max" },
        { "{\"pipeline\":{\"project\":{\"name\":\"" TEN TEN "\"},\"name\":\"" TEN TEN TEN TEN
          "_X\"}}",
          "Kubernetes name \"" TEN TEN "-" TEN TEN TEN TEN
          "-x-v99\" is 4 characters longer than the 63 max" },
        { "{" P ",\"s3Out\":true,\"service\":{}}",
          "s3 output is not supported in spouts or services" },
        { "{" P ",\"transform\":null}", "pipeline must specify a transform" },
        { "{" P ",\"spout\":{},\"autoscaling\":true}",
          "autoscaling can't be used with spouts (spouts aren't triggered externally)" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].user);
        Status status = spec_check_request(&fx->ctx, effective(fx, cases[i].user).request);
        if (*cases[i].message)
            assert_fails(status, UNKNOWN, cases[i].message);
        else
            assert_ok(status);
    }

    Spec spec = effective(fx, "{" P "}");
    spec.request->reprocess_spec = arena_strdup(fx->ctx.arena, "x");
    assert_fails(
        spec_check_request(&fx->ctx, spec.request), UNKNOWN,
        "invalid pipeline spec: ReprocessSpec must be one of 'until_success' or 'every_job'");
}

static void secrets_must_be_there(void **state)
{
    Fixture *fx = *state;
    static const struct {
        const char *mount, *message;
    } cases[] = {
        { "{\"name\":\"creds\",\"mountPath\":\"/m\"}", "" },
        { "{\"name\":\"creds\",\"key\":\"password\",\"envVar\":\"P\"}", "" },
        { "{\"name\":\"creds\",\"key\":\"other\",\"mountPath\":\"/m\"}", "" },
        { "{\"name\":\"creds\",\"envVar\":\"P\"}",
          "secret creds has env_var set but is missing key" },
        { "{\"name\":\"none\",\"mountPath\":\"/m\"}", "missing Kubernetes secret none" },
        { "{\"name\":\"creds\",\"key\":\"other\",\"envVar\":\"P\"}",
          "Kubernetes secret creds missing key other" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].mount);
        Spec spec = effective(
            fx, text_printf(fx->ctx.arena, "{\"transform\":{\"secrets\":[%s]}}", cases[i].mount));
        Status status = spec_check_secrets(&fx->ctx, &fx->lookups, spec.request);
        if (*cases[i].message)
            assert_fails(status, UNKNOWN, cases[i].message);
        else
            assert_ok(status);
    }
}

static const SpecStored fresh = { .now_ns = 1700000000 * NS_PER_SEC, .user = "robot:ci" };

#define INPUT "\"input\":{\"pfs\":{\"repo\":\"images\",\"glob\":\"/*\"}}"

static void pipelines_are_checked_once_filled_in(void **state)
{
    Fixture *fx = *state;
    static const struct {
        const char *user, *message;
    } cases[] = {
        { "{" P "," INPUT "}", "" },
        { "{" P "}", "" },
        { "{" P ",\"service\":{\"type\":\"ClusterIP\"},\"parallelismSpec\":{\"constant\":1}}", "" },
        { "{\"pipeline\":{\"name\":\"-p\"}}",
          "pipeline names must start with an alphanumeric character" },
        { "{" P ",\"input\":{}}", "no input set" },
        { "{" P ",\"egress\":{\"sqlDatabase\":{}}}", "egress.sql_database.secret is required" },
        { "{" P ",\"egress\":{\"sqlDatabase\":{\"secret\":{\"name\":\"s\"}}}}",
          "egress.sql_database.secret.name and egress.sql_database.secret.key are required" },
        { "{" P ",\"service\":{},\"parallelismSpec\":{\"constant\":2}}",
          "services can only be run with a constant parallelism of 1" },
        { "{" P ",\"spout\":{}," INPUT "}",
          "spout pipelines (without a service) must not have an input" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].user);
        Spec spec = effective(fx, cases[i].user);
        Status status = spec_check_pipeline(&fx->ctx, spec_pipeline_info(&fx->ctx, &spec, &fresh));
        if (*cases[i].message)
            assert_fails(status, UNKNOWN, cases[i].message);
        else
            assert_ok(status);
    }
}

static void repos_must_be_there(void **state)
{
    Fixture *fx = *state;
    Spec spec = effective(fx, "{" P "," INPUT "}");
    assert_ok(
        spec_check_repos(&fx->ctx, &fx->lookups, spec_pipeline_info(&fx->ctx, &spec, &fresh)));
    spec = effective(fx,
                     "{" P ",\"input\":{\"cross\":[{\"cron\":{\"name\":\"t\",\"spec\":\"@daily\"}},"
                     "{\"pfs\":{\"repo\":\"none\",\"glob\":\"/\"}}]}}");
    assert_fails(
        spec_check_repos(&fx->ctx, &fx->lookups, spec_pipeline_info(&fx->ctx, &spec, &fresh)),
        NOT_FOUND, "repo default/none not found");
}

/* --- rows ------------------------------------------------------------------------------------- */

static void rows_have_what_the_spec_leaves_open(void **state)
{
    Fixture *fx = *state;
    Spec spec = effective(fx, "{" P "," INPUT
                              ",\"datumTries\":null,\"outputBranch\":null,\"reprocessSpec\":null,"
                              "\"transform\":{\"image\":\"\",\"cmd\":[\"true\"]}}");
    PpsV2__PipelineInfo *info = spec_pipeline_info(&fx->ctx, &spec, &fresh);
    assert_int_equal(info->version, 1);
    assert_int_equal(info->state, PPS_V2__PIPELINE_STATE__PIPELINE_STARTING);
    assert_int_equal(info->parallelism, 1);
    assert_int_equal(info->type, PPS_V2__PIPELINE_INFO__PIPELINE_TYPE__PIPELINE_TYPE_TRANSFORM);
    assert_string_equal(info->pipeline->project->name, "default");
    assert_string_equal(info->details->transform->image, "host");
    assert_string_equal(info->details->output_branch, "master");
    assert_string_equal(info->details->reprocess_spec, "until_success");
    assert_int_equal(info->details->datum_tries, 3);
    assert_int_equal(info->details->datum_set_spec->per_worker, 4);
    assert_string_equal(info->details->created_by, "robot:ci");
    assert_int_equal(info->details->created_at->seconds, 1700000000);
    assert_string_equal(info->details->input->pfs->name, "images");
    assert_string_equal(spec.request->input->pfs->name, ""); /* the request stays as it is */
    assert_true(id_is_v4(str(info->details->salt)));
}

static void updates_keep_what_they_must(void **state)
{
    Fixture *fx = *state;
    Spec first = effective(fx, "{" P ",\"salt\":\"mine\"}");
    PpsV2__PipelineInfo *old = spec_pipeline_info(&fx->ctx, &first, &fresh);
    assert_string_equal(old->details->salt, "mine");
    old->stopped = true;

    SpecStored later = { .old = old, .now_ns = 1800000000 * NS_PER_SEC, .user = "user:b" };
    Spec update = effective(fx, "{" P ",\"salt\":\"other\",\"update\":true,\"spout\":{}}");
    PpsV2__PipelineInfo *info = spec_pipeline_info(&fx->ctx, &update, &later);
    assert_int_equal(info->version, 2);
    assert_true(info->stopped);
    assert_string_equal(info->details->salt, "mine");
    assert_string_equal(info->details->created_by, "robot:ci");
    assert_int_equal(info->details->created_at->seconds, 1700000000);
    assert_int_equal(info->details->updated_at->seconds, 1800000000);
    assert_int_equal(info->type, PPS_V2__PIPELINE_INFO__PIPELINE_TYPE__PIPELINE_TYPE_SPOUT);

    Spec again = effective(fx, "{" P ",\"salt\":\"other\",\"reprocess\":true}");
    info = spec_pipeline_info(&fx->ctx, &again, &later);
    assert_true(id_is_v4(str(info->details->salt)));
}

/* --- defaults --------------------------------------------------------------------------------- */

static void defaults_are_checked_with_their_cause_in_the_detail(void **state)
{
    Fixture *fx = *state;
    assert_ok(spec_check_cluster_defaults(&fx->ctx, "{}"));
    assert_ok(spec_check_cluster_defaults(&fx->ctx, SPEC_CLUSTER_DEFAULTS_FRESH));
    static const struct {
        const char *json, *message, *cause;
    } cluster[] = {
        { "", "invalid cluster defaults JSON", "proto:" },
        { "{\"foo\":1}", "invalid cluster defaults JSON", "unknown field \"foo\"" },
        { "{\"createPipelineRequest\":{\"reprocessSpec\":\"x\"}}",
          "could not merge cluster defaults", "ReprocessSpec must be one of" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cluster); i++) {
        Status status = spec_check_cluster_defaults(&fx->ctx, cluster[i].json);
        assert_fails(status, INVALID_ARGUMENT, cluster[i].message);
        assert_bad_request(fx, status, "cluster_defaults_json", cluster[i].cause);
    }

    assert_ok(spec_check_project_defaults(&fx->ctx, SPEC_CLUSTER_DEFAULTS_FRESH, "{}"));
    static const char *const project[] = { "", "{\"foo\":1}", "[]",
                                           "{\"createPipelineRequest\":{\"datumTries\":\"x\"}}" };
    for (size_t i = 0; i < ARRAY_LEN(project); i++) {
        Status status = spec_check_project_defaults(&fx->ctx, "{}", project[i]);
        assert_fails(status, INVALID_ARGUMENT, "could not merge project defaults");
        assert_bad_request(fx, status, "project_defaults_json", "");
    }
}

static void specs_are_the_same_whatever_their_text(void **state)
{
    Fixture *fx = *state;
    bool same;
    assert_ok(spec_same(&fx->ctx, "{\"datumTries\":\"3\"}", "{ \"datum_tries\": 3.0 }", &same));
    assert_true(same);
    assert_ok(spec_same(&fx->ctx, "{\"datumTries\":\"3\"}", "{}", &same));
    assert_false(same);
}

#define SPEC_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPEC_TEST(specs_merge_over_project_cluster_and_built_in),
        SPEC_TEST(bad_specs_are_bad_requests),
        SPEC_TEST(answers_show_the_effective_request),
        SPEC_TEST(messages_go_the_same_way),
        SPEC_TEST(requests_are_checked_in_order),
        SPEC_TEST(secrets_must_be_there),
        SPEC_TEST(pipelines_are_checked_once_filled_in),
        SPEC_TEST(repos_must_be_there),
        SPEC_TEST(rows_have_what_the_spec_leaves_open),
        SPEC_TEST(updates_keep_what_they_must),
        SPEC_TEST(defaults_are_checked_with_their_cause_in_the_detail),
        SPEC_TEST(specs_are_the_same_whatever_their_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
