/* Input: a method's path, a newline, a request as it comes off the wire. Whatever it is: it is
 * refused, or it is a message that says the same when it is packed again, and the rules of the API
 * can be asked about it. */
#include "fuzz/fuzz.h"

#include "api/api_priv.h"
#include "codec/pb.h"
#include "codec/pbjson.h"

/* Paths that the fuzzer made up are some method's, so that all bytes lead somewhere. */
static const ProtoMethod *method_of(Str path)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < path.size; i++)
        sum = sum * 31 + (uint8_t)path.data[i];
    for (size_t i = 0; i < proto_method_count; i++)
        if (str_eq_c(path, proto_methods[i].path))
            return &proto_methods[i];
    return &proto_methods[sum % proto_method_count];
}

static void check_round_trip(Ctx *ctx, const ProtobufCMessage *message)
{
    ProtobufCMessage *again;
    Bytes packed = pb_pack_bytes(ctx, message);
    PROP(status_ok(pb_unpack(ctx, message->descriptor, packed, &again)));
    PROP(pb_equal(message, again));
}

static void check_rules(Ctx *ctx, const ProtobufCMessage *message)
{
    Status s = api_validate(ctx, message, "validate request");
    PROP(status_ok(s) || s.code == STATUS_INVALID_ARGUMENT);
    PROP(status_ok(s) || str_starts(str(status_message(s)), STR("validate request: ")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Str input = bytes_str(bytes(data, size));
    size_t cut = str_find(input, '\n');
    const ProtoMethod *method = method_of(str_sub(input, 0, cut));
    Str rest = str_sub(input, MIN(cut + 1, input.size), input.size);
    ProtobufCMessage *message;
    if (!status_ok(pb_unpack(&ctx, method->input, bytes(rest.data, rest.size), &message)))
        return 0;
    check_round_trip(&ctx, message);
    check_rules(&ctx, message);
    static const PbJsonOptions options = { .proto_names = true };
    Buf json = { 0 };
    (void)!status_ok(pbjson_print(&ctx, message, &options, &json));
    buf_done(&json);
    return 0;
}
