/* Input: a byte that chooses a message type, then JSON or the encoded message. What is read, either
 * way, is written as JSON and reads back as the same message. */
#include "fuzz/fuzz.h"

#include "codec/pbjson.h"

static const char *const types[] = {
    "pps_v2.CreatePipelineRequest", "pps_v2.ClusterDefaults",
    "pfs_v2.ModifyFileRequest",     "pps_v2.Aggregate",
    "identity_v2.IDPConnector",     "google.protobuf.Any",
    "google.protobuf.Value",        "auth_v2.RoleBinding",
    "google.protobuf.Timestamp",    "google.protobuf.Duration",
};

static void check_round_trip(Ctx *ctx, const ProtobufCMessage *message)
{
    JsonValue *value, *value_again;
    ProtobufCMessage *again;
    if (!status_ok(pbjson_to_value(ctx, message, NULL, &value)))
        return;
    Status s = pbjson_from_value(ctx, message->descriptor, value, NULL, &again);
    if (!status_ok(s))
        return; /* an Any of an Any may be written deeper than it may be read */
    PROP(status_ok(pbjson_to_value(ctx, again, NULL, &value_again)));
    PROP(json_equal(value, value_again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    const ProtobufCMessageDescriptor *type = pb_find_type(str(types[data[0] % ARRAY_LEN(types)]));
    Bytes rest = bytes(data + 1, size - 1);
    ProtobufCMessage *message;
    JsonValue *value, *canonical;
    if (status_ok(pbjson_parse(&ctx, type, bytes_str(rest), NULL, &message)))
        check_round_trip(&ctx, message);
    if (status_ok(pb_unpack(&ctx, type, rest, &message)))
        check_round_trip(&ctx, message);
    if (status_ok(json_parse(&ctx, bytes_str(rest), &value)) &&
        status_ok(pbjson_canonicalise(&ctx, type, value, &canonical)))
        PROP(status_ok(pbjson_canonicalise(&ctx, type, canonical, &value)) &&
             json_equal(value, canonical));
    return 0;
}
