/* pbjson.c - names of fields and types, and canonical JSON. */
#include <stdlib.h>

#include "base/text.h"
#include "codec/pbjson_priv.h"
#include "proto_methods.h"

/* --- types by name ---------------------------------------------------------------------------- */

static int order_type(const void *name, const void *row)
{
    const PbType *const *type = row;
    return str_cmp(*(const Str *)name, str((*type)->name));
}

const ProtobufCMessageDescriptor *pb_find_type(Str full_name)
{
    const PbType *const *found = bsearch(&full_name, proto_messages, proto_message_count,
                                         sizeof(*proto_messages), order_type);
    return found ? *found : NULL;
}

bool pb_is_map(const PbField *field)
{
    if (field->label != PROTOBUF_C_LABEL_REPEATED || field->type != PROTOBUF_C_TYPE_MESSAGE)
        return false;
    Str name = str(((const PbType *)field->descriptor)->name);
    return bsearch(&name, proto_map_entries, proto_map_entry_count, sizeof(*proto_map_entries),
                   order_type);
}

WellKnown pb_well_known(const PbType *type)
{
    static const struct {
        const char *name;
        WellKnown kind;
    } kinds[] = {
        { "Any", WELL_KNOWN_ANY },
        { "Duration", WELL_KNOWN_DURATION },
        { "ListValue", WELL_KNOWN_LIST },
        { "Struct", WELL_KNOWN_STRUCT },
        { "Timestamp", WELL_KNOWN_TIMESTAMP },
        { "Value", WELL_KNOWN_VALUE },
    };
    if (strcmp(type->package_name, "google.protobuf") != 0)
        return WELL_KNOWN_NONE;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(type->short_name, kinds[i].name) == 0)
            return kinds[i].kind;
    }
    return str_ends(str(type->short_name), STR("Value")) ? WELL_KNOWN_WRAPPER : WELL_KNOWN_NONE;
}

/* --- fields ----------------------------------------------------------------------------------- */

bool pb_takes_null(const PbField *field)
{
    if (field->type == PROTOBUF_C_TYPE_ENUM)
        return strcmp(((const ProtobufCEnumDescriptor *)field->descriptor)->name,
                      "google.protobuf.NullValue") == 0;
    return field->type == PROTOBUF_C_TYPE_MESSAGE &&
           pb_well_known(field->descriptor) == WELL_KNOWN_VALUE;
}

/* The next character of the lowerCamelCase form of a proto name; moves *name behind it. */
static char next_camel(const char **name)
{
    bool raised = **name == '_';
    while (**name == '_')
        ++*name;
    char c = **name;
    *name += c != '\0';
    return raised && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

char *pbjson_name(Ctx *ctx, const char *proto_name)
{
    char *out = arena_must(ctx->arena, strlen(proto_name) + 1);
    for (char *to = out; (*to = next_camel(&proto_name)); to++)
        ;
    return out;
}

static bool is_camel_of(Str name, const char *proto_name)
{
    for (size_t i = 0; i < name.size; i++) {
        if (!name.data[i] || name.data[i] != next_camel(&proto_name))
            return false;
    }
    return next_camel(&proto_name) == '\0';
}

const PbField *pb_find_field(const PbType *type, Str name)
{
    for (unsigned i = 0; i < type->n_fields; i++) {
        const PbField *field = &type->fields[i];
        if (is_camel_of(name, field->name) || str_eq_c(name, field->name))
            return field;
    }
    return NULL;
}

static int order_oneof_field(const void *name, const void *row)
{
    return strcmp(name, ((const ProtoOneofField *)row)->field);
}

const char *pb_oneof_name(Ctx *ctx, const PbType *type, const PbField *field)
{
    const char *name = text_printf(ctx->arena, "%s.%s", type->name, field->name);
    const ProtoOneofField *row = bsearch(name, proto_oneof_fields, proto_oneof_field_count,
                                         sizeof(*proto_oneof_fields), order_oneof_field);
    return row ? row->oneof : "";
}

static const struct {
    const char *name;
    size_t size;
} kinds[] = {
    [PROTOBUF_C_TYPE_INT32] = { "int32", sizeof(int32_t) },
    [PROTOBUF_C_TYPE_SINT32] = { "sint32", sizeof(int32_t) },
    [PROTOBUF_C_TYPE_SFIXED32] = { "sfixed32", sizeof(int32_t) },
    [PROTOBUF_C_TYPE_INT64] = { "int64", sizeof(int64_t) },
    [PROTOBUF_C_TYPE_SINT64] = { "sint64", sizeof(int64_t) },
    [PROTOBUF_C_TYPE_SFIXED64] = { "sfixed64", sizeof(int64_t) },
    [PROTOBUF_C_TYPE_UINT32] = { "uint32", sizeof(uint32_t) },
    [PROTOBUF_C_TYPE_FIXED32] = { "fixed32", sizeof(uint32_t) },
    [PROTOBUF_C_TYPE_UINT64] = { "uint64", sizeof(uint64_t) },
    [PROTOBUF_C_TYPE_FIXED64] = { "fixed64", sizeof(uint64_t) },
    [PROTOBUF_C_TYPE_FLOAT] = { "float", sizeof(float) },
    [PROTOBUF_C_TYPE_DOUBLE] = { "double", sizeof(double) },
    [PROTOBUF_C_TYPE_BOOL] = { "bool", sizeof(protobuf_c_boolean) },
    [PROTOBUF_C_TYPE_ENUM] = { "enum", sizeof(int) },
    [PROTOBUF_C_TYPE_STRING] = { "string", sizeof(char *) },
    [PROTOBUF_C_TYPE_BYTES] = { "bytes", sizeof(ProtobufCBinaryData) },
    [PROTOBUF_C_TYPE_MESSAGE] = { "message", sizeof(ProtobufCMessage *) },
};

const char *pb_kind_name(const PbField *field)
{
    return kinds[field->type].name;
}

size_t pb_value_size(const PbField *field)
{
    return kinds[field->type].size;
}

/* --- canonical JSON --------------------------------------------------------------------------- */

/* How clients of the original know the types of values. */
static const char *go_type(const JsonValue *value)
{
    static const char *const names[] = {
        [JSON_NULL] = "<nil>",           [JSON_BOOL] = "bool",
        [JSON_NUMBER] = "json.Number",   [JSON_STRING] = "string",
        [JSON_ARRAY] = "[]interface {}", [JSON_OBJECT] = "map[string]interface {}",
    };
    return names[value->type];
}

static Status canonical_message(Ctx *ctx, const PbType *type, const JsonValue *in, JsonValue **out);

/* A copy without content. */
static Status copy_empty(Ctx *ctx, const JsonValue *in, JsonValue **out)
{
    *out = ARENA_NEW(ctx->arena, JsonValue, 1);
    if (!*out)
        return STATUS(RESOURCE_EXHAUSTED);
    (*out)->type = in->type;
    (*out)->pos = in->pos;
    return OK;
}

static Status copy_whole(Ctx *ctx, const JsonValue *in, JsonValue **out)
{
    *out = ARENA_NEW(ctx->arena, JsonValue, 1);
    if (!*out)
        return STATUS(RESOURCE_EXHAUSTED);
    **out = *in;
    return OK;
}

static Status canonical_enum(Ctx *ctx, const ProtobufCEnumDescriptor *type, const JsonValue *in,
                             JsonValue **out)
{
    int64_t number;
    const ProtobufCEnumValue *known = NULL;
    if (in->type == JSON_NUMBER && str_to_i64(in->text, &number) && number == (int)number)
        known = protobuf_c_enum_descriptor_get_value(type, (int)number);
    if (!known)
        return copy_whole(ctx, in, out);
    TRY(copy_empty(ctx, in, out));
    (*out)->type = JSON_STRING;
    (*out)->text = str(known->name);
    return OK;
}

/* One value of a field: of a list, of a map, or the only one. Nulls stay: they delete when
 * merged. */
static Status canonical_value(Ctx *ctx, const PbField *field, const JsonValue *in, JsonValue **out)
{
    if (in->type != JSON_NULL && field->type == PROTOBUF_C_TYPE_MESSAGE)
        return canonical_message(ctx, field->descriptor, in, out);
    if (in->type != JSON_NULL && field->type == PROTOBUF_C_TYPE_ENUM)
        return canonical_enum(ctx, field->descriptor, in, out);
    return copy_whole(ctx, in, out);
}

static Status canonical_list(Ctx *ctx, const PbField *field, const JsonValue *in, JsonValue **out)
{
    TRY(copy_empty(ctx, in, out));
    for (size_t i = 0; i < in->count; i++) {
        JsonValue *item;
        TRY(canonical_value(ctx, field, in->items[i], &item));
        if (!json_reserve(ctx->arena, *out))
            return STATUS(RESOURCE_EXHAUSTED);
        json_append(ctx->arena, *out, item);
    }
    return OK;
}

static Status canonical_map(Ctx *ctx, const PbField *field, const JsonValue *in, JsonValue **out)
{
    const PbField *value_field = &((const PbType *)field->descriptor)->fields[1];
    TRY(copy_empty(ctx, in, out));
    for (size_t i = 0; i < in->count; i++) {
        JsonMember member = in->members[i];
        TRY(canonical_value(ctx, value_field, in->members[i].value, &member.value));
        if (!json_reserve(ctx->arena, *out))
            return STATUS(RESOURCE_EXHAUSTED);
        json_add(ctx->arena, *out, member);
    }
    return OK;
}

static Status canonical_field(Ctx *ctx, const PbType *type, const PbField *field,
                              const JsonValue *in, JsonValue **out)
{
    if (field->label != PROTOBUF_C_LABEL_REPEATED)
        return canonical_value(ctx, field, in, out);
    bool is_map = pb_is_map(field);
    if (in->type != (is_map ? JSON_OBJECT : JSON_ARRAY))
        return FAIL(ctx, INVALID_ARGUMENT, "expected %s; got %s in %s.%s",
                    is_map ? "map[string]any" : "[]any", go_type(in), type->name, field->name);
    return is_map ? canonical_map(ctx, field, in, out) : canonical_list(ctx, field, in, out);
}

static Status canonical_message(Ctx *ctx, const PbType *type, const JsonValue *in, JsonValue **out)
{
    if (strcmp(type->package_name, "google.protobuf") == 0)
        return copy_whole(ctx, in, out);
    if (in->type != JSON_OBJECT)
        return FAIL(ctx, INVALID_ARGUMENT, "expected map[string]any for %s; got %s", type->name,
                    go_type(in));
    TRY(copy_empty(ctx, in, out));
    for (size_t i = 0; i < in->count; i++) {
        JsonMember member = in->members[i];
        const PbField *field = pb_find_field(type, member.name);
        if (!field)
            return FAIL(ctx, INVALID_ARGUMENT, "unexpected field %s in %s",
                        text_quote(ctx->arena, str_sub(member.name, 0, PB_SHOWN_BYTES)),
                        type->name);
        member.name = str(pbjson_name(ctx, field->name));
        TRY(canonical_field(ctx, type, field, in->members[i].value, &member.value));
        if (!json_reserve(ctx->arena, *out))
            return STATUS(RESOURCE_EXHAUSTED);
        if (json_get_str(*out, member.name))
            return FAIL(ctx, INVALID_ARGUMENT, "duplicate field \"%s\" in %s", member.name.data,
                        type->name);
        json_add(ctx->arena, *out, member);
    }
    return OK;
}

Status pbjson_canonicalise(Ctx *ctx, const ProtobufCMessageDescriptor *type, const JsonValue *value,
                           JsonValue **out)
{
    return canonical_message(ctx, type, value, out);
}
