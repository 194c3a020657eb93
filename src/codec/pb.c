/* pb.c - see pb.h. */
#include "codec/pb.h"

#include <stdlib.h>

#include "base/text.h"

ProtobufCMessage *pb_new(Ctx *ctx, const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *message = arena_must(ctx->arena, type->sizeof_message);
    protobuf_c_message_init(type, message);
    return message;
}

/* --- checking what came from outside ---------------------------------------------------------- */

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

static Status fail_malformed(Ctx *ctx, const ProtobufCMessageDescriptor *type, const char *why)
{
    return FAIL(ctx, INVALID_ARGUMENT, "malformed message %s: %s", type->name, why);
}

/* Moves past one field behind its key; *out_nested is the content of a field with a length. */
static bool skip_field(Bytes data, unsigned wire_type, size_t *at, Bytes *out_nested)
{
    uint64_t size;
    switch (wire_type) {
    case WIRE_VARINT:
        return bytes_read_varint(data, at, &size);
    case WIRE_FIXED64:
        size = 8;
        break;
    case WIRE_FIXED32:
        size = 4;
        break;
    case WIRE_BYTES:
        if (!bytes_read_varint(data, at, &size))
            return false;
        break;
    default:
        return false;
    }
    if (size > data.size - *at)
        return false;
    *out_nested = bytes(data.data + *at, (size_t)size);
    *at += (size_t)size;
    return true;
}

static Status check_string(Ctx *ctx, const ProtobufCMessageDescriptor *type, const char *field,
                           Str text)
{
    const char *why = str_find(text, '\0') < text.size ? "a NUL character"
                      : !text_is_utf8(text)            ? "invalid UTF-8"
                                                       : NULL;
    return why ? FAIL(ctx, INVALID_ARGUMENT, "malformed message %s: string field '%s' contains %s",
                      type->name, field, why)
               : OK;
}

static Status check_message(Ctx *ctx, const ProtobufCMessageDescriptor *type, Bytes data,
                            unsigned depth)
{
    if (depth > PB_DEPTH_MAX)
        return fail_malformed(ctx, type, "nested too deep");
    for (size_t at = 0; at < data.size;) {
        uint64_t key;
        Bytes nested = { 0 };
        if (!bytes_read_varint(data, &at, &key) || key >> 32 || key >> 3 == 0)
            return fail_malformed(ctx, type, "bad field number");
        if (!skip_field(data, (unsigned)(key & 7), &at, &nested))
            return fail_malformed(ctx, type, "a field is cut short or of unknown kind");
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(type, (unsigned)(key >> 3));
        if (!field || (key & 7) != WIRE_BYTES)
            continue;
        if (field->type == PROTOBUF_C_TYPE_MESSAGE)
            TRY(check_message(ctx, field->descriptor, nested, depth + 1));
        else if (field->type == PROTOBUF_C_TYPE_STRING)
            TRY(check_string(ctx, type, field->name, bytes_str(nested)));
    }
    return OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

typedef struct ArenaState {
    Arena *arena;
    bool exhausted;
} ArenaState;

static void *alloc_in_arena(void *data, size_t size)
{
    ArenaState *state = data;
    void *p = arena_alloc(state->arena, size);
    state->exhausted |= !p;
    return p;
}

static void free_in_arena(void *data, void *p)
{
    (void)data;
    (void)p;
}

static ProtobufCMessage *unpack(ArenaState *state, const ProtobufCMessageDescriptor *type,
                                Bytes data)
{
    ProtobufCAllocator allocator = { alloc_in_arena, free_in_arena, state };
    return protobuf_c_message_unpack(type, &allocator, data.size, data.data);
}

Status pb_unpack(Ctx *ctx, const ProtobufCMessageDescriptor *type, Bytes data,
                 ProtobufCMessage **out)
{
    TRY(check_message(ctx, type, data, 1));
    ArenaState state = { .arena = ctx->arena };
    ProtobufCMessage *message = unpack(&state, type, data);
    if (!message && state.exhausted)
        return STATUS(RESOURCE_EXHAUSTED);
    if (!message)
        return fail_malformed(ctx, type, "a field has the wrong type");
    *out = message;
    return OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

void pb_pack(const ProtobufCMessage *message, Buf *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    if (!size)
        return; /* out may have no memory to point into */
    buf_reserve(out, size);
    out->size += protobuf_c_message_pack(message, out->data + out->size);
}

Bytes pb_pack_bytes(Ctx *ctx, const ProtobufCMessage *message)
{
    uint8_t *data = arena_must(ctx->arena, protobuf_c_message_get_packed_size(message));
    return bytes(data, protobuf_c_message_pack(message, data));
}

ProtobufCMessage *pb_clone(Ctx *ctx, const ProtobufCMessage *message)
{
    if (!message)
        return NULL;
    CLEANUP(buf_done) Buf packed = { 0 };
    pb_pack(message, &packed);
    ArenaState state = { .arena = ctx->arena };
    ProtobufCMessage *copy = unpack(&state, message->descriptor, buf_bytes(&packed));
    if (!copy)
        abort();
    return copy;
}

bool pb_equal(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    if (!a || !b || a->descriptor != b->descriptor)
        return a == b;
    CLEANUP(buf_done) Buf packed_a = { 0 }, packed_b = { 0 };
    pb_pack(a, &packed_a);
    pb_pack(b, &packed_b);
    return bytes_eq(buf_bytes(&packed_a), buf_bytes(&packed_b));
}
