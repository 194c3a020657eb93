/* pbjson_write.c - messages to JSON. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "codec/base64.h"
#include "codec/moment.h"
#include "codec/pbjson_priv.h"
#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/struct.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

typedef struct Writer {
    Ctx *ctx;
    PbJsonOptions options;
    unsigned depth;
} Writer;

/* --- values: what another side sent may be large, so that each may fail ----------------------- */

static Status make(Writer *w, JsonType type, JsonValue **out)
{
    *out = ARENA_NEW(w->ctx->arena, JsonValue, 1);
    if (!*out)
        return STATUS(RESOURCE_EXHAUSTED);
    (*out)->type = type;
    return OK;
}

static Status make_text(Writer *w, JsonType type, Str text, JsonValue **out)
{
    TRY(make(w, type, out));
    char *copy = arena_alloc(w->ctx->arena, text.size + 1);
    if (!copy)
        return STATUS(RESOURCE_EXHAUSTED);
    if (text.size)
        memcpy(copy, text.data, text.size);
    (*out)->text = (Str){ copy, text.size };
    return OK;
}

static Status append(Writer *w, JsonValue *array, JsonValue *item)
{
    if (!json_reserve(w->ctx->arena, array))
        return STATUS(RESOURCE_EXHAUSTED);
    json_append(w->ctx->arena, array, item);
    return OK;
}

static Status set(Writer *w, JsonValue *object, Str name, JsonValue *value)
{
    if (!json_reserve(w->ctx->arena, object))
        return STATUS(RESOURCE_EXHAUSTED);
    json_set(w->ctx->arena, object, name, value);
    return OK;
}

/* --- scalars ---------------------------------------------------------------------------------- */

#define REAL_DIGITS_MAX 17
#define REAL_TEXT_SIZE  48

/* With the fewest digits that read back as the same number: "1.5e+00". */
static int format_shortest(double value, bool is_float, char out[REAL_TEXT_SIZE])
{
    int digits = 0;
    bool same = false;
    while (!same && digits < REAL_DIGITS_MAX) {
        snprintf(out, REAL_TEXT_SIZE, "%.*e", digits++, value);
        double back = is_float ? (double)strtof(out, NULL) : strtod(out, NULL);
        same = memcmp(&back, &value, sizeof(back)) == 0;
    }
    return digits;
}

/* As plain digits from 1e-6 to below 1e21, else with an exponent. */
static void format_real(double value, bool is_float, char out[REAL_TEXT_SIZE])
{
    int digits = format_shortest(value, is_float, out);
    int exponent = atoi(strchr(out, 'e') + 1);
    if (exponent >= -6 && exponent < 21)
        snprintf(out, REAL_TEXT_SIZE, "%.*f", MAX(digits - 1 - exponent, 0), value);
}

static Status write_real(Writer *w, double value, bool is_float, JsonValue **out)
{
    if (isnan(value))
        return make_text(w, JSON_STRING, STR("NaN"), out);
    if (isinf(value))
        return make_text(w, JSON_STRING, value > 0 ? STR("Infinity") : STR("-Infinity"), out);
    char text[REAL_TEXT_SIZE];
    format_real(value, is_float, text);
    return make_text(w, JSON_NUMBER, str(text), out);
}

PRINTF_LIKE(4, 5)
static Status write_format(Writer *w, JsonType type, JsonValue **out, const char *format, ...)
{
    char text[32];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return make_text(w, type, str(text), out);
}

static Status write_enum(Writer *w, const PbField *field, int number, JsonValue **out)
{
    if (pb_takes_null(field))
        return make(w, JSON_NULL, out);
    const ProtobufCEnumValue *known =
        protobuf_c_enum_descriptor_get_value(field->descriptor, number);
    return known ? make_text(w, JSON_STRING, str(known->name), out)
                 : write_format(w, JSON_NUMBER, out, "%d", number);
}

static Status write_bytes(Writer *w, const ProtobufCBinaryData *data, JsonValue **out)
{
    CLEANUP(buf_done) Buf text = { 0 };
    base64_encode(bytes(data->data, data->len), &text);
    return make_text(w, JSON_STRING, buf_str(&text), out);
}

static Status write_bool(Writer *w, bool value, JsonValue **out)
{
    TRY(make(w, JSON_BOOL, out));
    (*out)->boolean = value;
    return OK;
}

static Status write_message(Writer *w, const ProtobufCMessage *message, JsonValue **out);

/* One value of the field's type. 64-bit integers are strings, as JavaScript would round them. */
static Status write_value(Writer *w, const PbField *field, const void *from, JsonValue **out)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return write_format(w, JSON_NUMBER, out, "%" PRId32, *(const int32_t *)from);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return write_format(w, JSON_STRING, out, "%" PRId64, *(const int64_t *)from);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return write_format(w, JSON_NUMBER, out, "%" PRIu32, *(const uint32_t *)from);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return write_format(w, JSON_STRING, out, "%" PRIu64, *(const uint64_t *)from);
    case PROTOBUF_C_TYPE_FLOAT:
        return write_real(w, (double)*(const float *)from, true, out);
    case PROTOBUF_C_TYPE_DOUBLE:
        return write_real(w, *(const double *)from, false, out);
    case PROTOBUF_C_TYPE_BOOL:
        return write_bool(w, *(const protobuf_c_boolean *)from, out);
    case PROTOBUF_C_TYPE_ENUM:
        return write_enum(w, field, *(const int *)from, out);
    case PROTOBUF_C_TYPE_STRING:
        return make_text(w, JSON_STRING, str(*(const char *const *)from), out);
    case PROTOBUF_C_TYPE_BYTES:
        return write_bytes(w, from, out);
    case PROTOBUF_C_TYPE_MESSAGE:
        return write_message(w, *(ProtobufCMessage *const *)from, out);
    }
    assert(false); /* every kind is above */
    return OK;
}

/* --- lists and maps --------------------------------------------------------------------------- */

static size_t repeated_count(const ProtobufCMessage *message, const PbField *field)
{
    return *(const size_t *)pb_quantifier_of(message, field);
}

static Status write_list(Writer *w, const ProtobufCMessage *message, const PbField *field,
                         JsonValue **out)
{
    TRY(make(w, JSON_ARRAY, out));
    const char *items = *(const char *const *)pb_member_of(message, field);
    for (size_t i = 0; i < repeated_count(message, field); i++) {
        JsonValue *item;
        TRY(write_value(w, field, items + i * pb_value_size(field), &item));
        TRY(append(w, *out, item));
    }
    return OK;
}

/* A map may lack the value of an entry on the wire: that is the default value. */
static Status write_entry_value(Writer *w, const ProtobufCMessage *entry, JsonValue **out)
{
    const PbField *field = &entry->descriptor->fields[1];
    const void *from = pb_member_of(entry, field);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE && !*(ProtobufCMessage *const *)from)
        return write_message(w, pb_new(w->ctx, field->descriptor), out);
    return write_value(w, field, from, out);
}

static Str key_text(const JsonValue *key)
{
    return key->type == JSON_BOOL ? key->boolean ? STR("true") : STR("false") : json_text(key);
}

/* Sorted by key, so that the same map gives the same text. */
static Status write_map(Writer *w, const ProtobufCMessage *message, const PbField *field,
                        JsonValue **out)
{
    TRY(make(w, JSON_OBJECT, out));
    ProtobufCMessage *const *entries =
        *(ProtobufCMessage *const *const *)pb_member_of(message, field);
    for (size_t i = 0; i < repeated_count(message, field); i++) {
        const PbField *key_field = &entries[i]->descriptor->fields[0];
        JsonValue *key, *value;
        TRY(write_value(w, key_field, pb_member_of(entries[i], key_field), &key));
        TRY(write_entry_value(w, entries[i], &value));
        TRY(set(w, *out, key_text(key), value));
    }
    json_sort(*out);
    return OK;
}

/* --- messages --------------------------------------------------------------------------------- */

static bool is_default(const PbField *field, const void *value)
{
    static const char zeros[sizeof(uint64_t)];
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return str(*(const char *const *)value).size == 0;
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)value)->len == 0;
    return memcmp(value, zeros, pb_value_size(field)) == 0;
}

static bool is_pointer(const PbField *field)
{
    return field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_STRING;
}

static bool is_present(const ProtobufCMessage *message, const PbField *field)
{
    if (pb_in_oneof(field))
        return *(const uint32_t *)pb_quantifier_of(message, field) == field->id;
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return repeated_count(message, field) > 0;
    const void *value = pb_member_of(message, field);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(ProtobufCMessage *const *)value != NULL;
    if (field->label == PROTOBUF_C_LABEL_OPTIONAL)
        return is_pointer(field)
                   ? *(const char *const *)value != NULL
                   : *(const protobuf_c_boolean *)pb_quantifier_of(message, field) != 0;
    return !is_default(field, value);
}

/* With emit_defaults: what is left out even so are members of oneofs and scalars that say whether
 * they are there. */
static bool has_default(const PbField *field)
{
    bool tracked =
        field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_MESSAGE;
    return !pb_in_oneof(field) && !tracked;
}

static Status write_field(Writer *w, const ProtobufCMessage *message, const PbField *field,
                          JsonValue **out)
{
    if (pb_is_map(field))
        return write_map(w, message, field, out);
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return write_list(w, message, field, out);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE && !is_present(message, field))
        return make(w, JSON_NULL, out);
    return write_value(w, field, pb_member_of(message, field), out);
}

static Status write_fields(Writer *w, const ProtobufCMessage *message, JsonValue *object)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const PbField *field = &message->descriptor->fields[i];
        if (!is_present(message, field) && !(w->options.emit_defaults && has_default(field)))
            continue;
        JsonValue *value;
        TRY(write_field(w, message, field, &value));
        TRY(set(w, object,
                str(w->options.proto_names ? field->name : pbjson_name(w->ctx, field->name)),
                value));
    }
    return OK;
}

/* --- well-known types ------------------------------------------------------------------------- */

static Status write_timestamp(Writer *w, const ProtobufCMessage *message, JsonValue **out)
{
    const Google__Protobuf__Timestamp *time =
        (const Google__Protobuf__Timestamp *)(const void *)message;
    char text[MOMENT_TEXT_SIZE];
    if (!moment_format(time->seconds, time->nanos, text))
        return FAIL(w->ctx, INVALID_ARGUMENT,
                    "%s out of range: %" PRId64 " seconds, %" PRId32 " nanos",
                    message->descriptor->name, time->seconds, time->nanos);
    return make_text(w, JSON_STRING, str(text), out);
}

#define DURATION_SECONDS_MAX INT64_C(315576000000)

static Status write_duration(Writer *w, const ProtobufCMessage *message, JsonValue **out)
{
    const Google__Protobuf__Duration *d = (const Google__Protobuf__Duration *)(const void *)message;
    int64_t seconds = d->seconds, nanos = d->nanos;
    if (llabs(nanos) >= NS_PER_SEC || seconds > DURATION_SECONDS_MAX ||
        seconds < -DURATION_SECONDS_MAX || (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0))
        return FAIL(w->ctx, INVALID_ARGUMENT,
                    "%s out of range: %" PRId64 " seconds, %" PRId64 " nanos",
                    message->descriptor->name, seconds, nanos);
    const char *sign = seconds < 0 || nanos < 0 ? "-" : "";
    nanos = llabs(nanos);
    if (!nanos)
        return write_format(w, JSON_STRING, out, "%s%llds", sign, llabs(seconds));
    int digits = nanos % 1000000 == 0 ? 3 : nanos % 1000 == 0 ? 6 : 9;
    for (int i = digits; i < 9; i++)
        nanos /= 10;
    return write_format(w, JSON_STRING, out, "%s%lld.%0*" PRId64 "s", sign, llabs(seconds), digits,
                        nanos);
}

static Status write_any_value(Writer *w, const ProtobufCMessage *message, JsonValue **out)
{
    const Google__Protobuf__Value *value = (const Google__Protobuf__Value *)(const void *)message;
    const PbField *field =
        value->kind_case
            ? protobuf_c_message_descriptor_get_field(message->descriptor, value->kind_case)
            : NULL;
    return field ? write_value(w, field, pb_member_of(message, field), out)
                 : make(w, JSON_NULL, out);
}

static Status write_any(Writer *w, const ProtobufCMessage *message, JsonValue **out)
{
    const Google__Protobuf__Any *any = (const Google__Protobuf__Any *)(const void *)message;
    TRY(make(w, JSON_OBJECT, out));
    const char *url = any->type_url ? any->type_url : "";
    if (!*url)
        return OK;
    const char *slash = strrchr(url, '/');
    const PbType *type = pb_find_type(str(slash ? slash + 1 : url));
    if (!type)
        return FAIL(w->ctx, INVALID_ARGUMENT, "could not write an Any of unknown type '%s' as JSON",
                    url);
    ProtobufCMessage *held;
    TRY(pb_unpack(w->ctx, type, bytes(any->value.data, any->value.len), &held));
    JsonValue *url_value, *content;
    TRY(make_text(w, JSON_STRING, str(url), &url_value));
    TRY(set(w, *out, STR("@type"), url_value));
    if (pb_well_known(type) == WELL_KNOWN_NONE)
        return write_fields(w, held, *out);
    TRY(write_message(w, held, &content));
    return set(w, *out, STR("value"), content);
}

static Status write_well_known(Writer *w, WellKnown kind, const ProtobufCMessage *message,
                               JsonValue **out)
{
    const PbField *first = message->descriptor->fields;
    switch (kind) {
    case WELL_KNOWN_ANY:
        return write_any(w, message, out);
    case WELL_KNOWN_DURATION:
        return write_duration(w, message, out);
    case WELL_KNOWN_LIST:
        return write_list(w, message, first, out);
    case WELL_KNOWN_STRUCT:
        return write_map(w, message, first, out);
    case WELL_KNOWN_TIMESTAMP:
        return write_timestamp(w, message, out);
    case WELL_KNOWN_VALUE:
        return write_any_value(w, message, out);
    case WELL_KNOWN_WRAPPER:
        return write_value(w, first, pb_member_of(message, first), out);
    case WELL_KNOWN_NONE:
        break;
    }
    TRY(make(w, JSON_OBJECT, out));
    return write_fields(w, message, *out);
}

static Status write_message(Writer *w, const ProtobufCMessage *message, JsonValue **out)
{
    if (w->depth == 2 * PB_DEPTH_MAX) /* an Any may hold as deep a message again */
        return FAIL(w->ctx, INVALID_ARGUMENT, "%s is nested too deep for JSON",
                    message->descriptor->name);
    w->depth++;
    TRY(write_well_known(w, pb_well_known(message->descriptor), message, out));
    w->depth--;
    return OK;
}

Status pbjson_to_value(Ctx *ctx, const ProtobufCMessage *message, const PbJsonOptions *options,
                       JsonValue **out)
{
    Writer w = { .ctx = ctx, .options = options ? *options : (PbJsonOptions){ 0 } };
    return write_message(&w, message, out);
}

Status pbjson_print(Ctx *ctx, const ProtobufCMessage *message, const PbJsonOptions *options,
                    Buf *out)
{
    JsonValue *value;
    TRY(pbjson_to_value(ctx, message, options, &value));
    json_write(out, value, (JsonStyle){ .indent = options ? options->indent : 0 });
    return OK;
}
