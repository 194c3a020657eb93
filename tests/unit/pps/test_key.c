/* test_key.c - what is part of a result's key, and what is not. */
#include "pps/key.h"

#include "codec/pbjson.h"
#include "testing.h"

/* Computed from the encoding in README.md by another program. */
#define FROZEN_KEY "261ea44461a02ab46a2499318cca785de59981375bb679ef8637c7fc778dc750"

static PpsV2__Transform *transform_of(Ctx *ctx, const char *json)
{
    ProtobufCMessage *message;
    assert_ok(pbjson_parse(ctx, &pps_v2__transform__descriptor, str(json), NULL, &message));
    return (PpsV2__Transform *)(void *)message;
}

#define BASE                                                                                       \
    "\"image\":\"i\",\"cmd\":[\"sh\",\"-c\"],\"stdin\":[\"a\",\"b\"],\"env\":{\"B\":\"2\",\"A\":"  \
    "\"1\"},"                                                                                      \
    "\"acceptReturnCode\":[2,1],\"secrets\":[{\"name\":\"s\",\"key\":\"k\",\"envVar\":\"E\"}]"

static void steps_differ_by_what_user_code_sees(void **state UNUSED)
{
    static const struct {
        const char *label, *json;
        bool same;
    } cases[] = {
        { "itself", "{" BASE "}", true },
        { "env in another order, codes too",
          "{\"image\":\"i\",\"cmd\":[\"sh\",\"-c\"],\"stdin\":[\"a\",\"b\"],\"env\":{\"A\":\"1\","
          "\"B\":\"2\"},"
          "\"acceptReturnCode\":[1,2],\"secrets\":[{\"name\":\"s\",\"key\":\"k\",\"envVar\":\"E\"}]"
          "}",
          true },
        { "the image counts by its digest only", "{" BASE ",\"dockerfile\":\"x\",\"debug\":true}",
          true },
        { "memory volume, pull secrets",
          "{" BASE ",\"memoryVolume\":true,\"imagePullSecrets\":[\"p\"]}", true },
        { "user", "{" BASE ",\"user\":\"u\"}", false },
        { "working dir", "{" BASE ",\"workingDir\":\"/w\"}", false },
        { "err_cmd", "{" BASE ",\"errCmd\":[\"true\"]}", false },
        { "err_stdin", "{" BASE ",\"errStdin\":[\"true\"]}", false },
        { "batching", "{" BASE ",\"datumBatching\":true}", false },
        { "words are not joined",
          "{\"cmd\":[\"sh -c\"],\"stdin\":[\"a\",\"b\"],\"env\":{\"A\":\"1\",\"B\":\"2\"},"
          "\"acceptReturnCode\":[1,2],\"secrets\":[{\"name\":\"s\",\"key\":\"k\",\"envVar\":\"E\"}]"
          "}",
          false },
        { "words do not move between parts",
          "{\"cmd\":[\"sh\",\"-c\",\"a\"],\"stdin\":[\"b\"],\"env\":{\"A\":\"1\",\"B\":\"2\"},"
          "\"acceptReturnCode\":[1,2],\"secrets\":[{\"name\":\"s\",\"key\":\"k\",\"envVar\":\"E\"}]"
          "}",
          false },
    };
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Hash secret = hash_of(str_bytes(STR("secret")));
    KeyCode code = { .code = "sha256:1", .secret_hashes = &secret };
    KeyStep base = key_step(&ctx, transform_of(&ctx, "{" BASE "}"), &code);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        KeyStep step = key_step(&ctx, transform_of(&ctx, cases[i].json), &code);
        assert_int_equal(hash_eq(&step.digest, &base.digest), cases[i].same);
    }

    Hash other_secret = hash_of(str_bytes(STR("rotated")));
    const KeyCode others[] = {
        { .code = "sha256:2", .secret_hashes = &secret },
        { .code = "sha256:1", .secret_hashes = &other_secret },
        { .code = "sha256:1", .secret_hashes = &secret, .s3_out = true },
    };
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        KeyStep step = key_step(&ctx, transform_of(&ctx, "{" BASE "}"), &others[i]);
        assert_false(hash_eq(&step.digest, &base.digest));
    }
}

typedef struct Leaf {
    PpsV2__PFSInput from;
    DatumInput input;
    const DatumInput *inputs[1];
    Datum datum;
} Leaf;

static void leaf_init(Leaf *leaf)
{
    *leaf = (Leaf){ 0 };
    static char name[] = "in", repo[] = "r";
    pps_v2__pfsinput__init(&leaf->from);
    leaf->from.name = name;
    leaf->from.repo = repo;
    leaf->input = (DatumInput){
        .from = &leaf->from, .path = STR("/x"), .join_on = STR(""), .group_by = STR("")
    };
    leaf->input.hash = hash_of(str_bytes(STR("content")));
    leaf->inputs[0] = &leaf->input;
    leaf->datum = (Datum){ .input_count = 1, .inputs = leaf->inputs };
}

static void change_branch(Leaf *leaf)
{
    static char text[] = "elsewhere";
    leaf->from.branch = leaf->from.repo = leaf->from.project = leaf->from.commit =
        leaf->from.repo_type = text;
}
static void change_index(Leaf *leaf)
{
    leaf->datum.index = 7;
    leaf->datum.id = hash_of(str_bytes(STR("id")));
}
static void change_name(Leaf *leaf)
{
    static char text[] = "other";
    leaf->from.name = text;
}
static void change_path(Leaf *leaf)
{
    leaf->input.path = STR("/y");
}
static void change_content(Leaf *leaf)
{
    leaf->input.hash = hash_of(str_bytes(STR("more")));
}
static void change_lazy(Leaf *leaf)
{
    leaf->from.lazy = true;
}
static void change_empty(Leaf *leaf)
{
    leaf->from.empty_files = true;
}
static void change_s3(Leaf *leaf)
{
    leaf->from.s3 = true;
}
static void change_join(Leaf *leaf)
{
    leaf->input.join_on = STR("k");
}
static void change_group(Leaf *leaf)
{
    leaf->input.group_by = STR("k");
}
static void no_change(Leaf *leaf UNUSED)
{
}

static void datums_differ_by_what_they_hold(void **state UNUSED)
{
    static const struct {
        const char *label;
        void (*change)(Leaf *leaf);
        bool same;
    } cases[] = {
        { "itself", no_change, true },
        { "repo, branch, commit", change_branch, true },
        { "index and id", change_index, true },
        { "name", change_name, false },
        { "path", change_path, false },
        { "content", change_content, false },
        { "lazy", change_lazy, false },
        { "empty files", change_empty, false },
        { "s3", change_s3, false },
        { "join key", change_join, false },
        { "group key", change_group, false },
    };
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    CLEANUP(hasher_freep) Hasher *hasher = hasher_new();
    KeyStep step =
        key_step(&ctx, transform_of(&ctx, "{\"cmd\":[\"true\"]}"), &(KeyCode){ .code = "host:1" });
    Leaf leaf;
    leaf_init(&leaf);
    Hash base = key_datum(hasher, &step, &leaf.datum);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        leaf_init(&leaf);
        cases[i].change(&leaf);
        Hash key = key_datum(hasher, &step, &leaf.datum);
        assert_int_equal(hash_eq(&key, &base), cases[i].same);
    }
}

static void reference_inputs_count_by_path(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    CLEANUP(hasher_freep) Hasher *hasher = hasher_new();
    KeyStep step = key_step(&ctx, transform_of(&ctx, "{}"), &(KeyCode){ .code = "host:1" });
    Leaf leaf;
    leaf_init(&leaf);
    Hash plain = key_datum(hasher, &step, &leaf.datum);
    leaf.from.reference = true;
    Hash before = key_datum(hasher, &step, &leaf.datum);
    change_content(&leaf);
    Hash after = key_datum(hasher, &step, &leaf.datum);
    assert_true(hash_eq(&before, &after));
    assert_false(hash_eq(&before, &plain));
}

static void on_diff(void *arg, const char *name, const char *old_text, const char *new_text)
{
    buf_printf(arg, "%s: %s -> %s\n", name, old_text ? old_text : "-", new_text ? new_text : "-");
}

static void a_person_can_be_told_what_changed(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    CLEANUP(buf_done) Buf text = { 0 };
    KeyCode code = { .code = "sha256:1" };
    KeyStep old_step = key_step(
        &ctx, transform_of(&ctx, "{\"cmd\":[\"a b\"],\"env\":{\"X\":\"1\",\"Y\":\"2\"}}"), &code);
    KeyStep new_step = key_step(
        &ctx, transform_of(&ctx, "{\"cmd\":[\"a\",\"b\"],\"env\":{\"X\":\"1\",\"Z\":\"3\"}}"),
        &code);
    key_diff(old_step.parts, old_step.part_count, new_step.parts, new_step.part_count, on_diff,
             &text);
    buf_add_u8(&text, 0);
    assert_string_equal((const char *)text.data,
                        "cmd: \"a b\" -> \"a\" \"b\"\nenv.Z: - -> 3\nenv.Y: 2 -> -\n");

    Leaf leaf;
    leaf_init(&leaf);
    leaf.from.lazy = true;
    leaf.input.join_on = STR("k");
    size_t n;
    KeyPart *parts = key_datum_parts(&ctx, &leaf.datum, &n);
    assert_int_equal(n, 1);
    assert_string_equal(parts[0].name, "input.0.in");
    assert_string_equal(parts[0].text, "/x content=ed7002b439e9ac84 lazy join_on=k");
}

static void secrets_never_show(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Hash secret = hash_of(str_bytes(STR("hunter2")));
    KeyStep step =
        key_step(&ctx, transform_of(&ctx, "{\"secrets\":[{\"name\":\"s\",\"mountPath\":\"/m\"}]}"),
                 &(KeyCode){ .code = "host:1", .secret_hashes = &secret });
    const KeyPart *last = &step.parts[step.part_count - 1];
    assert_string_equal(last->name, "secret.0");
    assert_string_equal(last->text, "s/ env= mount=/m content=f52fbd32b2b3b86f");
}

/* Frozen: a server must find the results that an older one kept. */
static void keys_are_frozen(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    CLEANUP(hasher_freep) Hasher *hasher = hasher_new();
    Hash secret = hash_of(str_bytes(STR("secret")));
    KeyStep step = key_step(&ctx, transform_of(&ctx, "{" BASE "}"),
                            &(KeyCode){ .code = "sha256:1", .secret_hashes = &secret });
    Leaf leaf;
    leaf_init(&leaf);
    Hash key = key_datum(hasher, &step, &leaf.datum);
    char hex[HASH_HEX_SIZE];
    assert_string_equal(hash_hex(&key, hex), FROZEN_KEY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_differ_by_what_user_code_sees),
        cmocka_unit_test(datums_differ_by_what_they_hold),
        cmocka_unit_test(reference_inputs_count_by_path),
        cmocka_unit_test(a_person_can_be_told_what_changed),
        cmocka_unit_test(secrets_never_show),
        cmocka_unit_test(keys_are_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
