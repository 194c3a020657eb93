/* pbjson_read.c - JSON to messages. Its errors have the texts that clients of the original know. */
#include "base/text.h"
#include "codec/base64.h"
#include "codec/moment.h"
#include "codec/pbjson_priv.h"
#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/struct.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

typedef struct Reader {
    Ctx *ctx;
    bool ignore_unknown;
    unsigned depth;
} Reader;

/* --- errors ----------------------------------------------------------------------------------- */

PRINTF_LIKE(3, 4) static Status fail_at(Reader *r, JsonPos pos, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *message = text_vprintf(r->ctx->arena, format, args);
    va_end(args);
    if (!pos.line)
        return FAIL(r->ctx, INVALID_ARGUMENT, "proto: %s", message);
    return FAIL(r->ctx, INVALID_ARGUMENT, "proto: (line %u:%u): %s", pos.line, pos.column, message);
}

/* The first token of a value, as it would be written. */
static const char *token_of(Reader *r, const JsonValue *value)
{
    if (value->type == JSON_OBJECT || value->type == JSON_ARRAY)
        return value->type == JSON_OBJECT ? "{" : "[";
    const char *text = json_print(r->ctx->arena, value, (JsonStyle){ 0 }).data;
    return strlen(text) <= PB_SHOWN_BYTES
               ? text
               : text_printf(r->ctx->arena, "%.*s…", PB_SHOWN_BYTES, text);
}

static Status fail_token(Reader *r, const JsonValue *value)
{
    const char *token = token_of(r, value);
    if (!value->pos.line)
        return FAIL(r->ctx, INVALID_ARGUMENT, "proto: syntax error: unexpected token %s", token);
    return FAIL(r->ctx, INVALID_ARGUMENT, "proto: syntax error (line %u:%u): unexpected token %s",
                value->pos.line, value->pos.column, token);
}

static Status fail_value(Reader *r, const PbField *field, const JsonValue *value)
{
    return fail_at(r, value->pos, "invalid value for %s type: %s", pb_kind_name(field),
                   token_of(r, value));
}

/* The name of a field that is close to what was written; NULL when none is. */
static const char *nearest_name(Reader *r, const PbType *type, Str written)
{
    const char *nearest = NULL;
    size_t best = written.size / 3 + 1;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const char *name = pbjson_name(r->ctx, type->fields[i].name);
        size_t distance = text_distance(written, str(name));
        if (distance <= best && distance < strlen(name)) {
            nearest = name;
            best = distance - (distance > 0);
        }
    }
    return nearest;
}

static Status fail_unknown(Reader *r, const PbType *type, const JsonMember *member)
{
    const char *shown = text_quote(r->ctx->arena, str_sub(member->name, 0, PB_SHOWN_BYTES));
    const char *nearest = nearest_name(r, type, member->name);
    if (nearest)
        return fail_at(r, member->pos, "unknown field %s; did you mean \"%s\"?", shown, nearest);
    return fail_at(r, member->pos, "unknown field %s", shown);
}

/* --- scalars ---------------------------------------------------------------------------------- */

static bool read_bool(const JsonValue *value, void *to)
{
    *(protobuf_c_boolean *)to = value->boolean;
    return value->type == JSON_BOOL;
}

static bool read_enum(const PbField *field, const JsonValue *value, void *to)
{
    if (value->type == JSON_NUMBER)
        return pb_read_number(PROTOBUF_C_TYPE_INT32, value, to);
    if (value->type == JSON_NULL && pb_takes_null(field)) {
        *(int *)to = 0;
        return true;
    }
    if (value->type != JSON_STRING || str_find(value->text, '\0') < value->text.size)
        return false;
    const ProtobufCEnumValue *known =
        protobuf_c_enum_descriptor_get_value_by_name(field->descriptor, value->text.data);
    if (known)
        *(int *)to = known->value;
    return known != NULL;
}

static bool read_bytes(Reader *r, const JsonValue *value, void *to)
{
    Bytes data;
    if (value->type != JSON_STRING || !base64_decode(r->ctx, value->text, &data))
        return false;
    *(ProtobufCBinaryData *)to =
        (ProtobufCBinaryData){ data.size, arena_memdup(r->ctx->arena, data.data, data.size) };
    return true;
}

static Status read_message(Reader *r, const PbType *type, const JsonValue *value,
                           ProtobufCMessage **out);

static Status read_string(Reader *r, const PbField *field, const JsonValue *value, void *to)
{
    if (value->type != JSON_STRING)
        return fail_value(r, field, value);
    if (str_find(value->text, '\0') < value->text.size)
        return fail_at(r, value->pos, "invalid value for string type: it contains a NUL character");
    *(char **)to = str_z(r->ctx->arena, value->text);
    return OK;
}

/* One value of the field's type into `to`. */
static Status read_value(Reader *r, const PbField *field, const JsonValue *value, void *to)
{
    bool ok = false;
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        ok = pb_read_number(field->type, value, to);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        ok = read_bool(value, to);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        ok = read_enum(field, value, to);
        break;
    case PROTOBUF_C_TYPE_STRING:
        return read_string(r, field, value, to);
    case PROTOBUF_C_TYPE_BYTES:
        ok = read_bytes(r, value, to);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        return read_message(r, field->descriptor, value, to);
    }
    return ok ? OK : fail_value(r, field, value);
}

/* --- lists and maps --------------------------------------------------------------------------- */

/* Room for n values in a repeated field. */
static Status begin_repeated(Reader *r, ProtobufCMessage *message, const PbField *field, size_t n,
                             char **out)
{
    *out = arena_alloc_array(r->ctx->arena, pb_value_size(field), n);
    if (!*out)
        return STATUS(RESOURCE_EXHAUSTED);
    *(void **)pb_member(message, field) = *out;
    *(size_t *)pb_quantifier(message, field) = n;
    return OK;
}

static Status read_list(Reader *r, ProtobufCMessage *message, const PbField *field,
                        const JsonValue *list)
{
    if (list->type != JSON_ARRAY)
        return fail_token(r, list);
    char *items;
    TRY(begin_repeated(r, message, field, list->count, &items));
    for (size_t i = 0; i < list->count; i++)
        TRY(read_value(r, field, list->items[i], items + i * pb_value_size(field)));
    return OK;
}

/* A key of a map: always written as a string, also for numbers and booleans. */
static Status read_key(Reader *r, const PbField *field, const JsonMember *member, void *to)
{
    JsonValue key = { .type = JSON_STRING, .pos = member->pos, .text = member->name };
    if (field->type == PROTOBUF_C_TYPE_BOOL) {
        key.type = JSON_BOOL;
        key.boolean = str_eq_c(member->name, "true");
    }
    bool bad_bool =
        field->type == PROTOBUF_C_TYPE_BOOL && !key.boolean && !str_eq_c(member->name, "false");
    if (bad_bool || !status_ok(read_value(r, field, &key, to)))
        return fail_at(r, member->pos, "invalid value for %s key: %s", pb_kind_name(field),
                       text_quote(r->ctx->arena, str_sub(member->name, 0, PB_SHOWN_BYTES)));
    return OK;
}

static Status read_map(Reader *r, ProtobufCMessage *message, const PbField *field,
                       const JsonValue *map)
{
    if (map->type != JSON_OBJECT)
        return fail_token(r, map);
    const PbType *type = field->descriptor;
    char *items;
    TRY(begin_repeated(r, message, field, map->count, &items));
    for (size_t i = 0; i < map->count; i++) {
        ProtobufCMessage *entry = pb_new(r->ctx, type);
        TRY(read_key(r, &type->fields[0], &map->members[i], pb_member(entry, &type->fields[0])));
        TRY(read_value(r, &type->fields[1], map->members[i].value,
                       pb_member(entry, &type->fields[1])));
        ((ProtobufCMessage **)(void *)items)[i] = entry;
    }
    return OK;
}

/* --- messages --------------------------------------------------------------------------------- */

/* Says that the field is present: has_x, or the case of its oneof. */
static Status mark_present(Reader *r, ProtobufCMessage *message, const PbField *field,
                           const JsonMember *member)
{
    if (pb_in_oneof(field)) {
        uint32_t *which = pb_quantifier(message, field);
        if (*which)
            return fail_at(r, member->pos, "error parsing %s, oneof %s is already set",
                           text_quote(r->ctx->arena, member->name),
                           pb_oneof_name(r->ctx, message->descriptor, field));
        *which = field->id;
    } else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->quantifier_offset) {
        *(protobuf_c_boolean *)pb_quantifier(message, field) = true;
    }
    return OK;
}

static Status read_field(Reader *r, ProtobufCMessage *message, const PbField *field,
                         const JsonMember *member)
{
    if (member->value->type == JSON_NULL &&
        (field->label == PROTOBUF_C_LABEL_REPEATED || !pb_takes_null(field)))
        return OK;
    if (pb_is_map(field))
        return read_map(r, message, field, member->value);
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return read_list(r, message, field, member->value);
    TRY(mark_present(r, message, field, member));
    return read_value(r, field, member->value, pb_member(message, field));
}

static Status read_fields(Reader *r, const PbType *type, const JsonValue *object,
                          ProtobufCMessage **out)
{
    if (object->type != JSON_OBJECT)
        return fail_token(r, object);
    ProtobufCMessage *message = arena_alloc(r->ctx->arena, type->sizeof_message);
    bool *seen = arena_alloc(r->ctx->arena, type->n_fields * sizeof(bool));
    if (!message || !seen)
        return STATUS(RESOURCE_EXHAUSTED);
    protobuf_c_message_init(type, message);
    for (size_t i = 0; i < object->count; i++) {
        const JsonMember *member = &object->members[i];
        const PbField *field = pb_find_field(type, member->name);
        if (!field && r->ignore_unknown)
            continue;
        if (!field)
            return fail_unknown(r, type, member);
        if (seen[field - type->fields])
            return fail_at(r, member->pos, "duplicate field \"%s\"",
                           str_z(r->ctx->arena, member->name));
        seen[field - type->fields] = true;
        TRY(read_field(r, message, field, member));
    }
    *out = message;
    return OK;
}

/* --- well-known types ------------------------------------------------------------------------- */

static Status fail_well_known(Reader *r, const PbType *type, const JsonValue *value)
{
    return fail_at(r, value->pos, "invalid %s value %s", type->name, token_of(r, value));
}

static Status read_timestamp(Reader *r, const JsonValue *value, ProtobufCMessage *message)
{
    Google__Protobuf__Timestamp *out = (Google__Protobuf__Timestamp *)(void *)message;
    if (value->type != JSON_STRING)
        return fail_token(r, value);
    if (!moment_parse(value->text, &out->seconds, &out->nanos))
        return fail_well_known(r, message->descriptor, value);
    return OK;
}

#define DURATION_SECONDS_MAX INT64_C(315576000000)

/* "-1.5s": whole seconds, at most nine digits of fraction. */
static bool duration_of(Str text, Google__Protobuf__Duration *out)
{
    if (!str_ends(text, STR("s")))
        return false;
    text.size--;
    bool negative = text.size && text.data[0] == '-';
    text = str_sub(text, negative, text.size);
    size_t point = str_find(text, '.');
    Str fraction = str_sub(text, point + 1, text.size);
    int64_t nanos = 0;
    if (!text.size || text.data[0] == '-' || !str_to_i64(str_sub(text, 0, point), &out->seconds))
        return false;
    if (point < text.size &&
        (fraction.size > 9 || fraction.data[0] == '-' || !str_to_i64(fraction, &nanos)))
        return false;
    for (size_t i = fraction.size; i < 9; i++)
        nanos *= 10;
    out->nanos = (int32_t)(negative ? -nanos : nanos);
    out->seconds = negative ? -out->seconds : out->seconds;
    return out->seconds <= DURATION_SECONDS_MAX && out->seconds >= -DURATION_SECONDS_MAX;
}

static Status read_duration(Reader *r, const JsonValue *value, ProtobufCMessage *message)
{
    if (value->type != JSON_STRING)
        return fail_token(r, value);
    if (!duration_of(value->text, (Google__Protobuf__Duration *)(void *)message))
        return fail_well_known(r, message->descriptor, value);
    return OK;
}

static Status read_struct(Reader *r, const JsonValue *value, ProtobufCMessage *message)
{
    const PbField *fields = &message->descriptor->fields[0];
    return read_map(r, message, fields, value);
}

static Status read_any_value(Reader *r, const JsonValue *value, ProtobufCMessage *message)
{
    Google__Protobuf__Value *out = (Google__Protobuf__Value *)(void *)message;
    ProtobufCMessage *nested;
    switch (value->type) {
    case JSON_NULL:
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE;
        return OK;
    case JSON_BOOL:
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE;
        out->bool_value = value->boolean;
        return OK;
    case JSON_NUMBER:
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE;
        return pb_read_number(PROTOBUF_C_TYPE_DOUBLE, value, &out->number_value)
                   ? OK
                   : fail_well_known(r, message->descriptor, value);
    case JSON_STRING:
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE;
        return read_string(
            r, protobuf_c_message_descriptor_get_field_by_name(message->descriptor, "string_value"),
            value, &out->string_value);
    case JSON_ARRAY:
        TRY(read_message(r, &google__protobuf__list_value__descriptor, value, &nested));
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE;
        out->list_value = (Google__Protobuf__ListValue *)(void *)nested;
        return OK;
    case JSON_OBJECT:
        TRY(read_message(r, &google__protobuf__struct__descriptor, value, &nested));
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE;
        out->struct_value = (Google__Protobuf__Struct *)(void *)nested;
        return OK;
    }
    return fail_token(r, value);
}

/* What an Any holds, without "@type": its "value" when the type has a form of its own, else the
 * other members. */
static Status any_content(Reader *r, const PbType *type, const JsonValue *any,
                          const JsonValue **out)
{
    if (pb_well_known(type) != WELL_KNOWN_NONE) {
        *out = json_get(any, "value");
        return *out ? OK : fail_at(r, any->pos, "missing \"value\" field");
    }
    JsonValue *content = json_object(r->ctx->arena);
    content->pos = any->pos;
    for (size_t i = 0; i < any->count; i++) {
        if (str_eq_c(any->members[i].name, "@type"))
            continue;
        if (!json_reserve(r->ctx->arena, content))
            return STATUS(RESOURCE_EXHAUSTED);
        json_add(r->ctx->arena, content, any->members[i]);
    }
    *out = content;
    return OK;
}

static const char *after_slash(const char *url)
{
    const char *slash = strrchr(url, '/');
    return slash ? slash + 1 : url;
}

static Status read_any(Reader *r, const JsonValue *value, ProtobufCMessage *message)
{
    if (value->type != JSON_OBJECT)
        return fail_token(r, value);
    if (value->count == 0)
        return OK;
    const JsonValue *url = json_get(value, "@type");
    if (!json_is(url, JSON_STRING) || !url->text.size)
        return fail_at(r, value->pos, "missing \"@type\" field");
    Google__Protobuf__Any *out = (Google__Protobuf__Any *)(void *)message;
    out->type_url = str_z(r->ctx->arena, url->text);
    const PbType *type = pb_find_type(str(after_slash(out->type_url)));
    if (!type)
        return fail_at(r, url->pos, "unable to resolve %s: \"not found\"", token_of(r, url));
    const JsonValue *content;
    ProtobufCMessage *held;
    TRY(any_content(r, type, value, &content));
    TRY(read_message(r, type, content, &held));
    Bytes packed = pb_pack_bytes(r->ctx, held);
    out->value =
        (ProtobufCBinaryData){ packed.size, arena_memdup(r->ctx->arena, packed.data, packed.size) };
    return OK;
}

static Status read_well_known(Reader *r, WellKnown kind, const JsonValue *value,
                              ProtobufCMessage *message)
{
    const PbField *first = message->descriptor->fields;
    switch (kind) {
    case WELL_KNOWN_ANY:
        return read_any(r, value, message);
    case WELL_KNOWN_DURATION:
        return read_duration(r, value, message);
    case WELL_KNOWN_LIST:
        return read_list(r, message, first, value);
    case WELL_KNOWN_STRUCT:
        return read_struct(r, value, message);
    case WELL_KNOWN_TIMESTAMP:
        return read_timestamp(r, value, message);
    case WELL_KNOWN_VALUE:
        return read_any_value(r, value, message);
    case WELL_KNOWN_WRAPPER:
        return read_value(r, first, value, pb_member(message, first));
    case WELL_KNOWN_NONE:
        break;
    }
    assert(false); /* every kind is above */
    return OK;
}

static Status read_message(Reader *r, const PbType *type, const JsonValue *value,
                           ProtobufCMessage **out)
{
    if (r->depth == PB_DEPTH_MAX)
        return fail_at(r, value->pos, "more than %d messages within each other", PB_DEPTH_MAX);
    r->depth++;
    WellKnown kind = pb_well_known(type);
    if (kind == WELL_KNOWN_NONE) {
        TRY(read_fields(r, type, value, out));
    } else {
        ProtobufCMessage *message = arena_alloc(r->ctx->arena, type->sizeof_message);
        if (!message)
            return STATUS(RESOURCE_EXHAUSTED);
        protobuf_c_message_init(type, message);
        TRY(read_well_known(r, kind, value, message));
        *out = message;
    }
    r->depth--;
    return OK;
}

Status pbjson_from_value(Ctx *ctx, const ProtobufCMessageDescriptor *type, const JsonValue *value,
                         const PbJsonOptions *options, ProtobufCMessage **out)
{
    Reader r = { .ctx = ctx, .ignore_unknown = options && options->ignore_unknown };
    return read_message(&r, type, value, out);
}

Status pbjson_parse(Ctx *ctx, const ProtobufCMessageDescriptor *type, Str text,
                    const PbJsonOptions *options, ProtobufCMessage **out)
{
    JsonValue *value;
    JsonError error;
    Status s = json_parse_explain(ctx, text, &value, &error);
    if (s.code == STATUS_INVALID_ARGUMENT)
        return FAIL(ctx, INVALID_ARGUMENT,
                    error.duplicate ? "proto: (line %u:%u): %s"
                                    : "proto: syntax error (line %u:%u): %s",
                    error.pos.line, error.pos.column, error.message);
    TRY(s);
    return pbjson_from_value(ctx, type, value, options, out);
}
