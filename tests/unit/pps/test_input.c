/* test_input.c - inputs as users write them become inputs as they are stored, or are refused in
 * known words. */
#include "pps/input.h"

#include "codec/json.h"
#include "codec/pbjson.h"
#include "testing.h"

#define NOW_NS (INT64_C(1700000000) * NS_PER_SEC)

static PpsV2__Input *parse(Ctx *ctx, const char *json)
{
    ProtobufCMessage *message;
    assert_ok(pbjson_parse(ctx, &pps_v2__input__descriptor, str(json), NULL, &message));
    return (PpsV2__Input *)(void *)message;
}

static PpsV2__Input *filled(Ctx *ctx, const char *json)
{
    PpsV2__Input *input = parse(ctx, json);
    PpsV2__Pipeline *pipeline = PB_NEW(ctx, pps_v2__pipeline, PpsV2__Pipeline);
    pipeline->name = arena_strdup(ctx->arena, "edges");
    pipeline->project = PB_NEW(ctx, pfs_v2__project, PfsV2__Project);
    pipeline->project->name = arena_strdup(ctx->arena, "vision");
    input_fill_defaults(ctx, input, pipeline, NOW_NS);
    return input;
}

static const char *print(Ctx *ctx, const PpsV2__Input *input)
{
    JsonValue *value;
    assert_ok(pbjson_to_value(ctx, &input->base, NULL, &value));
    return json_print(ctx->arena, value, (JsonStyle){ .sorted = true }).data;
}

#define USER ",\"repoType\":\"user\"}}"

static void defaults_fill_what_is_not_said(void **state UNUSED)
{
    static const struct {
        const char *label, *given, *stored;
    } cases[] = {
        { "name, branch, project, glob", "{\"pfs\":{\"repo\":\"r\",\"glob\":\"*//x/./\"}}",
          "{\"pfs\":{\"branch\":\"master\",\"glob\":\"/*/"
          "x\",\"name\":\"r\",\"project\":\"vision\",\"repo\":\"r\"" USER },
        { "what is said stays",
          "{\"pfs\":{\"repo\":\"r\",\"name\":\"n\",\"branch\":\"b\",\"project\":\"p\",\"repoType\":"
          "\"meta\"}}",
          "{\"pfs\":{\"branch\":\"b\",\"name\":\"n\",\"project\":\"p\",\"repo\":\"r\",\"repoType\":"
          "\"meta\"}}" },
        { "cron", "{\"cron\":{\"name\":\"tick\",\"spec\":\"@daily\"}}",
          "{\"cron\":{\"name\":\"tick\",\"project\":\"vision\",\"repo\":\"edges_tick\",\"spec\":\"@"
          "daily\","
          "\"start\":\"2023-11-14T22:13:20Z\"}}" },
        { "children by given name, unnamed first, composites by their first",
          "{\"cross\":[{\"pfs\":{\"repo\":\"c\",\"name\":\"c\"}},"
          "{\"union\":[{\"pfs\":{\"repo\":\"z\",\"name\":\"z\"}},{\"pfs\":{\"repo\":\"b\",\"name\":"
          "\"b\"}}]},"
          "{\"pfs\":{\"repo\":\"x\"}},{\"pfs\":{\"repo\":\"w\"}}]}",
          "{\"cross\":["
          "{\"pfs\":{\"branch\":\"master\",\"name\":\"x\",\"project\":\"vision\",\"repo\":"
          "\"x\"" USER ","
          "{\"pfs\":{\"branch\":\"master\",\"name\":\"w\",\"project\":\"vision\",\"repo\":"
          "\"w\"" USER ","
          "{\"union\":[{\"pfs\":{\"branch\":\"master\",\"name\":\"b\",\"project\":\"vision\","
          "\"repo\":\"b\"" USER ","
          "{\"pfs\":{\"branch\":\"master\",\"name\":\"z\",\"project\":\"vision\",\"repo\":"
          "\"z\"" USER "]},"
          "{\"pfs\":{\"branch\":\"master\",\"name\":\"c\",\"project\":\"vision\",\"repo\":"
          "\"c\"" USER "]}" },
        { "triggers count per repo",
          "{\"cross\":[{\"pfs\":{\"repo\":\"a\",\"name\":\"1\",\"trigger\":{\"commits\":\"2\"}}},"
          "{\"pfs\":{\"repo\":\"b\",\"name\":\"2\",\"trigger\":{\"branch\":\"dev\"}}},"
          "{\"pfs\":{\"repo\":\"a\",\"name\":\"3\",\"trigger\":{}}},"
          "{\"pfs\":{\"repo\":\"a\",\"name\":\"4\",\"branch\":\"mine\",\"trigger\":{}}}]}",
          "{\"cross\":["
          "{\"pfs\":{\"branch\":\"edges-trigger-1\",\"name\":\"1\",\"project\":\"vision\",\"repo\":"
          "\"a\","
          "\"repoType\":\"user\",\"trigger\":{\"branch\":\"master\",\"commits\":\"2\"}}},"
          "{\"pfs\":{\"branch\":\"edges-trigger-1\",\"name\":\"2\",\"project\":\"vision\",\"repo\":"
          "\"b\","
          "\"repoType\":\"user\",\"trigger\":{\"branch\":\"dev\"}}},"
          "{\"pfs\":{\"branch\":\"edges-trigger-2\",\"name\":\"3\",\"project\":\"vision\",\"repo\":"
          "\"a\","
          "\"repoType\":\"user\",\"trigger\":{\"branch\":\"master\"}}},"
          "{\"pfs\":{\"branch\":\"mine\",\"name\":\"4\",\"project\":\"vision\",\"repo\":\"a\","
          "\"repoType\":\"user\",\"trigger\":{}}}]}" },
    };
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        assert_string_equal(print(&ctx, filled(&ctx, cases[i].given)), cases[i].stored);
    }
    input_fill_defaults(&ctx, NULL, NULL, 0);
}

#define A    "{\"pfs\":{\"repo\":\"a\",\"glob\":\"/\"}}"
#define A_S3 "{\"pfs\":{\"repo\":\"a\",\"glob\":\"/\",\"s3\":true}}"

static void bad_inputs_are_refused_in_known_words(void **state UNUSED)
{
    static const struct {
        const char *input, *message; /* "": valid */
    } cases[] = {
        { A, "" },
        { A_S3, "" },
        { "{\"union\":[" A "," A "]}", "" },
        { "{\"cross\":[{\"union\":[" A "," A "]},{\"pfs\":{\"repo\":\"b\",\"glob\":\"/\"}}]}", "" },
        { "{\"cross\":[" A_S3 ",{\"pfs\":{\"repo\":\"b\",\"glob\":\"/*\"}}]}", "" },
        { "{\"cron\":{\"name\":\"t\",\"spec\":\"@every 20s\"}}", "" },
        { "{}", "no input set" },
        { "{\"cross\":[]}", "no input set" },
        { "{\"cross\":[{}]}", "no input set" },
        { "{\"cron\":{\"spec\":\"@daily\"}}", "input must specify a name" },
        { "{\"pfs\":{\"repo\":\"a\",\"name\":\"out\",\"glob\":\"/\"}}",
          "input cannot be named out" },
        { "{\"pfs\":{\"repo\":\"out\",\"glob\":\"/\"}}", "input cannot be named out" },
        { "{\"pfs\":{\"repo\":\"a\",\"name\":\".env\",\"glob\":\"/\"}}",
          "input cannot be named .env" },
        { "{\"cross\":[" A "," A "]}", "name \"a\" was used more than once" },
        { "{\"join\":[" A "," A "]}", "name \"a\" was used more than once" },
        { "{\"cross\":[" A ",{\"union\":[" A "," A "]}]}", "name \"a\" was used more than once" },
        { "{\"cross\":[{\"union\":[" A "," A "]}," A "]}", "name \"a\" was used more than once" },
        { "{\"union\":[{\"cross\":[" A "," A "]}," A "]}", "name \"a\" was used more than once" },
        { "{\"pfs\":{\"name\":\"n\",\"glob\":\"/\"}}", "input must specify a repo" },
        { "{\"pfs\":{\"repo\":\"a\"}}", "input must specify a glob" },
        { "{\"pfs\":{\"repo\":\"a\",\"s3\":true}}", "must also set 'glob', to \"/\"" },
        { "{\"pfs\":{\"repo\":\"a\",\"glob\":\"/*\",\"s3\":true}}",
          "inputs that set 's3' to 'true' must also set 'glob', to \"/\"" },
        { "{\"pfs\":{\"repo\":\"a\",\"glob\":\"/\",\"s3\":true,\"lazy\":true}}",
          "input cannot specify both 's3' and 'lazy'" },
        { "{\"pfs\":{\"repo\":\"a\",\"glob\":\"/\",\"s3\":true,\"emptyFiles\":true}}",
          "input cannot specify both 's3' and 'empty_files'" },
        { "{\"pfs\":{\"repo\":\"a\",\"glob\":\"/\",\"commit\":\"x\"}}",
          "input cannot come from a commit; use a branch with head pointing to the commit" },
        { "{\"pfs\":{\"repo\":\"a\",\"glob\":\"/\"},\"cron\":{\"name\":\"t\",\"spec\":\"@daily\"}}",
          "multiple input types set" },
        { "{\"cross\":[" A "],\"union\":[" A "]}", "multiple input types set" },
        { "{\"join\":[" A_S3 "]}", "S3 inputs in join expressions are not supported" },
        { "{\"group\":[" A_S3 "]}", "S3 inputs in group expressions are not supported" },
        { "{\"union\":[{\"cross\":[" A_S3 "]}]}",
          "S3 inputs in union expressions are not supported" },
        { "{\"cron\":{\"name\":\"t\"}}", "error parsing cron-spec: Empty spec string" },
        { "{\"cron\":{\"name\":\"t\",\"spec\":\"0 * * * * *\"}}",
          "error parsing cron-spec: Expected exactly 5 fields, found 6" },
    };
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].input);
        Status status = input_check(&ctx, filled(&ctx, cases[i].input));
        if (*cases[i].message)
            assert_fails(status, UNKNOWN, cases[i].message);
        else
            assert_ok(status);
    }
    assert_ok(input_check(&ctx, NULL));
}

static void huge_inputs_are_refused_before_they_are_walked(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    CLEANUP(buf_done) Buf deep = { 0 }, wide = { 0 };
    for (int i = 0; i < INPUT_DEPTH_MAX; i++)
        buf_printf(&deep, "{\"cross\":[");
    buf_printf(&deep, A);
    for (int i = 0; i < INPUT_DEPTH_MAX; i++)
        buf_printf(&deep, "]}");
    buf_add_u8(&deep, 0);
    assert_fails(input_check_size(&ctx, parse(&ctx, (const char *)deep.data)), INVALID_ARGUMENT,
                 "nested");

    buf_printf(&wide, "{\"union\":[" A);
    for (int i = 1; i < INPUT_NODES_MAX; i++)
        buf_printf(&wide, "," A);
    buf_printf(&wide, "]}");
    buf_add_u8(&wide, 0);
    assert_fails(input_check_size(&ctx, parse(&ctx, (const char *)wide.data)), INVALID_ARGUMENT,
                 "parts");
    assert_ok(input_check_size(&ctx, parse(&ctx, A)));
    assert_ok(input_check_size(&ctx, NULL));
}

static void branches_are_those_of_user_repos_each_once(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    PpsV2__Input *input = filled(
        &ctx, "{\"cross\":[{\"pfs\":{\"repo\":\"a\",\"name\":\"1\",\"repoType\":\"meta\"}},"
              "{\"pfs\":{\"repo\":\"a\",\"name\":\"2\",\"propagationSpec\":{\"never\":true}}},"
              "{\"pfs\":{\"repo\":\"b\",\"name\":\"3\",\"project\":\"p\",\"trigger\":{}}},"
              "{\"pfs\":{\"repo\":\"c\",\"name\":\"4\",\"propagationSpec\":{\"never\":true}}},"
              "{\"cron\":{\"name\":\"tick\",\"spec\":\"@daily\"}}]}");
    InputBranch *branches;
    size_t n;
    assert_ok(input_branches(&ctx, input, &branches, &n));
    CLEANUP(buf_done) Buf text = { 0 };
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%s/%s.%s@%s%s%s%s\n", branches[i].branch->repo->project->name,
                   branches[i].branch->repo->name, branches[i].branch->repo->type,
                   branches[i].branch->name, branches[i].propagate ? "" : " never",
                   branches[i].is_cron ? " cron" : "", branches[i].trigger ? " trigger" : "");
    buf_add_u8(&text, 0);
    assert_string_equal((const char *)text.data, "vision/edges_tick.user@master cron\n"
                                                 "vision/a.user@master\n"
                                                 "p/b.user@edges-trigger-1 trigger\n"
                                                 "vision/c.user@master never\n");
}

static void a_jobs_input_names_its_commit(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    PpsV2__Input *input =
        filled(&ctx, "{\"cross\":[" A ",{\"cron\":{\"name\":\"t\",\"spec\":\"@daily\"}}]}");
    PpsV2__Input *copy = input_with_commit(&ctx, input, "4f2a");
    assert_string_equal(
        copy->cross[0]->pfs ? copy->cross[0]->pfs->commit : copy->cross[0]->cron->commit, "4f2a");
    assert_string_equal(
        copy->cross[1]->pfs ? copy->cross[1]->pfs->commit : copy->cross[1]->cron->commit, "4f2a");
    assert_string_equal(print(&ctx, input_with_commit(&ctx, copy, "")), print(&ctx, input));
    assert_null(input_with_commit(&ctx, NULL, "4f2a"));
    assert_false(input_has_s3(input));
    assert_true(input_has_s3(filled(&ctx, "{\"cross\":[" A_S3 "]}")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_fill_what_is_not_said),
        cmocka_unit_test(bad_inputs_are_refused_in_known_words),
        cmocka_unit_test(huge_inputs_are_refused_before_they_are_walked),
        cmocka_unit_test(branches_are_those_of_user_repos_each_once),
        cmocka_unit_test(a_jobs_input_names_its_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
