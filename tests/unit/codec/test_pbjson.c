/* protobuf's JSON: strict reading with the known messages, canonical writing, canonical keys. */
#include "one_ctx.h"

#include "auth/auth.pb-c.h"
#include "codec/base64.h"
#include "codec/pbjson.h"
#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/empty.pb-c.h"
#include "google/protobuf/struct.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "google/protobuf/wrappers.pb-c.h"
#include "identity/identity.pb-c.h"
#include "pfs/pfs.pb-c.h"
#include "pps/pps.pb-c.h"

static const char *printed(const ProtobufCMessage *message, PbJsonOptions options)
{
    Buf out = { 0 };
    assert_ok(pbjson_print(&ctx, message, &options, &out));
    const char *text = str_z(ctx.arena, buf_str(&out));
    buf_done(&out);
    return text;
}

static const ProtobufCMessageDescriptor *type_named(const char *name)
{
    const ProtobufCMessageDescriptor *type = pb_find_type(str(name));
    assert_non_null(type);
    return type;
}

#define SPEC "pps_v2.CreatePipelineRequest"

/* Read, packed, unpacked, written: the text is the canonical one. */
static void reads_what_is_written(void **state)
{
    (void)state;
    static const struct {
        const char *type, *in, *out; /* out NULL: the same */
    } cases[] = {
        { SPEC, "{}", NULL },
        { SPEC, "{\"pipeline\":{\"name\":\"edges\"},\"s3Out\":true,\"datumTries\":\"3\"}", NULL },
        { SPEC, "{\"s3_out\":true,\"datum_tries\":3,\"update\":false,\"salt\":\"\"}",
          "{\"s3Out\":true,\"datumTries\":\"3\"}" },
        { SPEC, "{\"datumTries\":1e3}", "{\"datumTries\":\"1000\"}" },
        { SPEC, "{\"datumTries\":\"5.0\"}", "{\"datumTries\":\"5\"}" },
        { SPEC, "{\"datumTries\":-9223372036854775808}",
          "{\"datumTries\":\"-9223372036854775808\"}" },
        { SPEC, "{\"datumTries\":1200e-2}", "{\"datumTries\":\"12\"}" },
        { SPEC, "{\"datumTries\":0.00e999999999999}", "{}" },
        { SPEC, "{\"transform\":null,\"tolerations\":null,\"datumTries\":null}", "{}" },
        { SPEC,
          "{\"transform\":{\"cmd\":[\"sh\",\"\"],\"env\":{\"b\":\"1\",\"a\":\"\"},"
          "\"acceptReturnCode\":[1,\"2\"]}}",
          "{\"transform\":{\"cmd\":[\"sh\",\"\"],\"env\":{\"a\":\"\",\"b\":\"1\"},"
          "\"acceptReturnCode\":[\"1\",\"2\"]}}" },
        { SPEC, "{\"egress\":{\"URL\":\"s3://b\"}}", NULL },
        { SPEC, "{\"egress\":{\"sqlDatabase\":{}}}", NULL },
        { SPEC, "{\"datumTimeout\":\"1.5s\",\"jobTimeout\":\"-90s\"}",
          "{\"datumTimeout\":\"1.500s\",\"jobTimeout\":\"-90s\"}" },
        { SPEC,
          "{\"tolerations\":[{\"operator\":1,\"effect\":\"NO_EXECUTE\",\"tolerationSeconds\":"
          "\"60\"},{\"operator\":77}]}",
          "{\"tolerations\":[{\"operator\":\"EXISTS\",\"effect\":\"NO_EXECUTE\","
          "\"tolerationSeconds\":\"60\"},{\"operator\":77}]}" },
        { SPEC, "{\"resourceRequests\":{\"cpu\":0.1,\"memory\":\"1Gi\"}}", NULL },
        { SPEC, "{\"resourceRequests\":{\"cpu\":\"1.5\"}}",
          "{\"resourceRequests\":{\"cpu\":1.5}}" },
        { "pps_v2.Aggregate",
          "{\"mean\":\"NaN\",\"stddev\":\"-Infinity\",\"fifthPercentile\":1e300}",
          "{\"mean\":\"NaN\",\"stddev\":\"-Infinity\",\"fifthPercentile\":1e+300}" },
        { "pps_v2.Aggregate",
          "{\"mean\":0.30000000000000004,\"stddev\":100,\"fifthPercentile\":1e-7}",
          "{\"mean\":0.30000000000000004,\"stddev\":100,\"fifthPercentile\":1e-07}" },
        { "pfs_v2.FileInfo", "{\"hash\":\"AAEC_w\"}", "{\"hash\":\"AAEC/w==\"}" },
        { "pfs_v2.AddFile", "{\"path\":\"/a\",\"raw\":\"aGk=\"}", NULL },
        { "pfs_v2.AddFile", "{\"raw\":\"\"}", NULL },
        { "pps_v2.ListJobRequest", "{\"jqFilter\":\".x\"}", NULL },
        { "identity_v2.IDPConnector",
          "{\"configVersion\":\"2\",\"config\":{\"a\":[1,null,true,\"x\",{\"b\":1.5}]}}", NULL },
        { "auth_v2.Roles", "{\"roles\":{\"x\":true,\"y\":false}}", NULL },
        { "google.protobuf.Empty", "{}", NULL },
        { "google.protobuf.Timestamp", "\"2024-05-01T12:00:00.5+02:00\"",
          "\"2024-05-01T10:00:00.500Z\"" },
        { "google.protobuf.Duration", "\"0.000000001s\"", NULL },
        { "google.protobuf.BytesValue", "\"aGk=\"", NULL },
        { "google.protobuf.Int64Value", "\"7\"", NULL },
        { "google.protobuf.StringValue", "\"x\"", NULL },
        { "google.protobuf.Value", "null", NULL },
        { "google.protobuf.ListValue", "[1,[]]", NULL },
        { "google.protobuf.Any", "{\"@type\":\"type.googleapis.com/pfs_v2.Repo\",\"name\":\"r\"}",
          NULL },
        { "google.protobuf.Any", "{\"@type\":\"x/google.protobuf.Duration\",\"value\":\"3s\"}",
          NULL },
        { "google.protobuf.Any", "{}", NULL },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const ProtobufCMessageDescriptor *type = type_named(cases[i].type);
        ProtobufCMessage *message, *again;
        say_case("%s", cases[i].in);
        assert_ok(pbjson_parse(&ctx, type, str(cases[i].in), NULL, &message));
        assert_ok(pb_unpack(&ctx, type, pb_pack_bytes(&ctx, message), &again));
        assert_string_equal(printed(again, (PbJsonOptions){ 0 }),
                            cases[i].out ? cases[i].out : cases[i].in);
    }
}

static void refuses_with_the_known_texts(void **state)
{
    (void)state;
    static const struct {
        const char *type, *in, *message; /* the whole message */
    } cases[] = {
        { SPEC, "", "proto: syntax error (line 1:1): unexpected end of input, expected a value" },
        { SPEC, "{} x",
          "proto: syntax error (line 1:4): unexpected token x, expected the end of the text" },
        { SPEC, "[]", "proto: syntax error (line 1:1): unexpected token [" },
        { SPEC, "{\"pipeline\":{},\n\"pipeline\":{}}",
          "proto: (line 2:1): duplicate field \"pipeline\"" },
        { SPEC, "{\"datumTries\":1,\"datum_tries\":2}",
          "proto: (line 1:17): duplicate field \"datum_tries\"" },
        { SPEC, "{\"foo\":1}", "proto: (line 1:2): unknown field \"foo\"" },
        { SPEC, "{\"datumTrys\":1}",
          "proto: (line 1:2): unknown field \"datumTrys\"; did you mean \"datumTries\"?" },
        { SPEC, "{\"Pipeline\":1}",
          "proto: (line 1:2): unknown field \"Pipeline\"; did you mean \"pipeline\"?" },
        { SPEC, "{\"datumTries\":5.5}", "proto: (line 1:15): invalid value for int64 type: 5.5" },
        { SPEC, "{\"datumTries\":\" 5\"}",
          "proto: (line 1:15): invalid value for int64 type: \" 5\"" },
        { SPEC, "{\"datumTries\":9223372036854775808}",
          "proto: (line 1:15): invalid value for int64 type: 9223372036854775808" },
        { SPEC, "{\"datumTries\":1e99}", "proto: (line 1:15): invalid value for int64 type: 1e99" },
        { SPEC, "{\"datumTries\":true}", "proto: (line 1:15): invalid value for int64 type: true" },
        { SPEC, "{\"update\":\"true\"}",
          "proto: (line 1:11): invalid value for bool type: \"true\"" },
        { SPEC, "{\"salt\":5}", "proto: (line 1:9): invalid value for string type: 5" },
        { SPEC, "{\"salt\":\"a\\u0000b\"}",
          "proto: (line 1:9): invalid value for string type: it contains a NUL character" },
        { SPEC, "{\"salt\":{}}", "proto: (line 1:9): invalid value for string type: {" },
        { SPEC, "{\"transform\":{\"cmd\":[null]}}",
          "proto: (line 1:22): invalid value for string type: null" },
        { SPEC, "{\"transform\":{\"cmd\":\"sh\"}}",
          "proto: syntax error (line 1:21): unexpected token \"sh\"" },
        { SPEC, "{\"transform\":{\"env\":{\"a\":null}}}",
          "proto: (line 1:26): invalid value for string type: null" },
        { SPEC, "{\"transform\":{\"env\":[]}}",
          "proto: syntax error (line 1:21): unexpected token [" },
        { SPEC, "{\"transform\":\"x\"}",
          "proto: syntax error (line 1:14): unexpected token \"x\"" },
        { SPEC, "{\"tolerations\":[{\"operator\":\"exists\"}]}",
          "proto: (line 1:29): invalid value for enum type: \"exists\"" },
        { SPEC, "{\"datumTimeout\":\"1m\"}",
          "proto: (line 1:17): invalid google.protobuf.Duration value \"1m\"" },
        { SPEC, "{\"datumTimeout\":\"1.0000000001s\"}",
          "proto: (line 1:17): invalid google.protobuf.Duration value \"1.0000000001s\"" },
        { SPEC, "{\"datumTimeout\":90}", "proto: syntax error (line 1:17): unexpected token 90" },
        { SPEC, "{\"egress\":{\"objectStorage\":{},\"sqlDatabase\":{}}}",
          "proto: (line 1:31): error parsing \"sqlDatabase\", oneof pps_v2.Egress.target is "
          "already set" },
        { SPEC, "{\"resourceLimits\":{\"cpu\":1e39}}",
          "proto: (line 1:26): invalid value for float type: 1e39" },
        { "google.protobuf.Timestamp", "\"yesterday\"",
          "proto: (line 1:1): invalid google.protobuf.Timestamp value \"yesterday\"" },
        { "google.protobuf.Timestamp", "\"2023-02-29T00:00:00Z\"",
          "proto: (line 1:1): invalid google.protobuf.Timestamp value \"2023-02-29T00:00:00Z\"" },
        { "google.protobuf.BytesValue", "\"a\"",
          "proto: (line 1:1): invalid value for bytes type: \"a\"" },
        { "google.protobuf.UInt32Value", "-1",
          "proto: (line 1:1): invalid value for uint32 type: -1" },
        { "google.protobuf.Any", "{\"a\":1}", "proto: (line 1:1): missing \"@type\" field" },
        { "google.protobuf.Any", "{\"@type\":\"x/No\"}",
          "proto: (line 1:10): unable to resolve \"x/No\": \"not found\"" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ProtobufCMessage *message;
        say_case("%s", cases[i].in);
        Status s = pbjson_parse(&ctx, type_named(cases[i].type), str(cases[i].in), NULL, &message);
        assert_int_equal(s.code, STATUS_INVALID_ARGUMENT);
        assert_string_equal(status_message(s), cases[i].message);
    }
}

static void unknown_fields_can_be_skipped(void **state)
{
    (void)state;
    const PbJsonOptions lenient = { .ignore_unknown = true };
    ProtobufCMessage *message;
    assert_ok(pbjson_parse(&ctx, &pfs_v2__repo__descriptor,
                           STR("{\"foo\":{\"x\":[]},\"name\":\"r\"}"), &lenient, &message));
    assert_string_equal(printed(message, (PbJsonOptions){ 0 }), "{\"name\":\"r\"}");
}

static void nesting_is_limited(void **state)
{
    (void)state;
    Buf text = { 0 };
    for (int i = 0; i < 110; i++)
        buf_add_str(&text, STR("{\"cross\":["));
    buf_add_str(&text, STR("{}"));
    for (int i = 0; i < 110; i++)
        buf_add_str(&text, STR("]}"));
    ProtobufCMessage *message;
    Status s = pbjson_parse(&ctx, &pps_v2__input__descriptor, buf_str(&text), NULL, &message);
    buf_done(&text);
    assert_fails(s, INVALID_ARGUMENT, "more than 100 messages within each other");
}

static void writes_in_the_styles_asked_for(void **state)
{
    (void)state;
    ProtobufCMessage *message;
    assert_ok(pbjson_parse(&ctx, &pps_v2__egress__descriptor, STR("{\"sqlDatabase\":{}}"), NULL,
                           &message));
    assert_string_equal(printed(message, (PbJsonOptions){ .proto_names = true, .indent = 2 }),
                        "{\n  \"sql_database\": {}\n}");
    message = pb_new(&ctx, &pps_v2__egress__descriptor);
    assert_string_equal(printed(message, (PbJsonOptions){ .emit_defaults = true }),
                        "{\"URL\":\"\"}");
    message = pb_new(&ctx, &pps_v2__toleration__descriptor);
    assert_string_equal(
        printed(message, (PbJsonOptions){ .emit_defaults = true }),
        "{\"key\":\"\",\"operator\":\"EMPTY\",\"value\":\"\",\"effect\":\"ALL_EFFECTS\","
        "\"tolerationSeconds\":null}");
    message = pb_new(&ctx, &pps_v2__metadata__descriptor);
    assert_string_equal(printed(message, (PbJsonOptions){ .emit_defaults = true }),
                        "{\"annotations\":{},\"labels\":{}}");
}

static void what_json_cannot_say_is_an_error(void **state)
{
    (void)state;
    JsonValue *value;
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    time.seconds = INT64_MAX;
    assert_fails(pbjson_to_value(&ctx, &time.base, NULL, &value), INVALID_ARGUMENT,
                 "Timestamp out of range");
    Google__Protobuf__Duration duration = GOOGLE__PROTOBUF__DURATION__INIT;
    duration.seconds = 1;
    duration.nanos = -1;
    assert_fails(pbjson_to_value(&ctx, &duration.base, NULL, &value), INVALID_ARGUMENT,
                 "Duration out of range");
    Google__Protobuf__Any *any = PB_NEW(&ctx, google__protobuf__any, Google__Protobuf__Any);
    any->type_url = arena_strdup(ctx.arena, "x/Unknown");
    assert_fails(pbjson_to_value(&ctx, &any->base, NULL, &value), INVALID_ARGUMENT,
                 "unknown type 'x/Unknown'");
}

static void canonicalises_keys_and_enums(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "{}", "{}" },
        { "{\"create_pipeline_request\":{\"datum_tries\":3,\"s3_out\":null}}",
          "{\"createPipelineRequest\":{\"datumTries\":3,\"s3Out\":null}}" },
        { "{\"createPipelineRequest\":{\"tolerations\":[{\"operator\":2,\"effect\":99},{"
          "\"operator\":\"EXISTS\"},null]}}",
          "{\"createPipelineRequest\":{\"tolerations\":[{\"operator\":\"EQUAL\",\"effect\":99},{"
          "\"operator\":\"EXISTS\"},null]}}" },
        { "{\"createPipelineRequest\":{\"transform\":{\"env\":{\"a_b\":null},\"err_cmd\":[\"x\"]},"
          "\"datum_timeout\":\"1s\"}}",
          "{\"createPipelineRequest\":{\"transform\":{\"env\":{\"a_b\":null},\"errCmd\":[\"x\"]},"
          "\"datumTimeout\":\"1s\"}}" },
        { "{\"createPipelineRequest\":null}", "{\"createPipelineRequest\":null}" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        JsonValue *in, *out;
        say_case("%s", cases[i].in);
        assert_ok(json_parse(&ctx, str(cases[i].in), &in));
        assert_ok(pbjson_canonicalise(&ctx, &pps_v2__cluster_defaults__descriptor, in, &out));
        assert_string_equal(json_print(ctx.arena, out, (JsonStyle){ 0 }).data, cases[i].out);
    }
}

static void canonicalising_fails_with_the_known_texts(void **state)
{
    (void)state;
    static const struct {
        const char *in, *message;
    } cases[] = {
        { "{\"createPipelineRequest\":{\"x\":1}}",
          "unexpected field \"x\" in pps_v2.CreatePipelineRequest" },
        { "{\"createPipelineRequest\":{\"transform\":{\"stdin\":null}}}",
          "expected []any; got <nil> in pps_v2.Transform.stdin" },
        { "{\"createPipelineRequest\":{\"transform\":{\"env\":null}}}",
          "expected map[string]any; got <nil> in pps_v2.Transform.env" },
        { "{\"createPipelineRequest\":{\"transform\":\"x\"}}",
          "expected map[string]any for pps_v2.Transform; got string" },
        { "{\"createPipelineRequest\":[]}",
          "expected map[string]any for pps_v2.CreatePipelineRequest; got []interface {}" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        JsonValue *in, *out;
        assert_ok(json_parse(&ctx, str(cases[i].in), &in));
        Status s = pbjson_canonicalise(&ctx, &pps_v2__cluster_defaults__descriptor, in, &out);
        assert_int_equal(s.code, STATUS_INVALID_ARGUMENT);
        assert_string_equal(status_message(s), cases[i].message);
    }
}

static void names_are_camel_case(void **state)
{
    (void)state;
    static const struct {
        const char *proto, *json;
    } cases[] = {
        { "datum_tries", "datumTries" },
        { "URL", "URL" },
        { "jqFilter", "jqFilter" },
        { "s3_out", "s3Out" },
        { "a__b", "aB" },
        { "x_1", "x1" },
        { "paginationMarker", "paginationMarker" },
        { "name", "name" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(pbjson_name(&ctx, cases[i].proto), cases[i].json);
}

static void base64_has_the_vectors_of_rfc_4648(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *encoded, *url;
    } cases[] = {
        { "", "", "" },
        { "f", "Zg==", "Zg" },
        { "fo", "Zm8=", "Zm8" },
        { "foo", "Zm9v", "Zm9v" },
        { "foob", "Zm9vYg==", "Zm9vYg" },
        { "\xff\xfe\xfb", "//77", "__77" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Buf out = { 0 };
        base64_encode(str_bytes(str(cases[i].plain)), &out);
        assert_true(str_eq_c(buf_str(&out), cases[i].encoded));
        buf_clear(&out);
        base64_encode_url(str_bytes(str(cases[i].plain)), &out);
        assert_true(str_eq_c(buf_str(&out), cases[i].url));
        buf_done(&out);
        Bytes back;
        assert_true(base64_decode(&ctx, str(cases[i].encoded), &back));
        assert_true(str_eq_c(bytes_str(back), cases[i].plain));
        assert_true(base64_decode(&ctx, str(cases[i].url), &back));
        assert_true(str_eq_c(bytes_str(back), cases[i].plain));
    }
    static const char *const bad[] = { "Z", "Zg=", "Z===", "Zg= ", "Zm9v=", "Z*==", "====" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        Bytes back;
        say_case("%s", bad[i]);
        assert_false(base64_decode(&ctx, str(bad[i]), &back));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_written),
        cmocka_unit_test(refuses_with_the_known_texts),
        cmocka_unit_test(unknown_fields_can_be_skipped),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(writes_in_the_styles_asked_for),
        cmocka_unit_test(what_json_cannot_say_is_an_error),
        cmocka_unit_test(canonicalises_keys_and_enums),
        cmocka_unit_test(canonicalising_fails_with_the_known_texts),
        cmocka_unit_test(names_are_camel_case),
        cmocka_unit_test(base64_has_the_vectors_of_rfc_4648),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
