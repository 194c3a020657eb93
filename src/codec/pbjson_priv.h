/* pbjson_priv.h - what reading, writing and canonicalising share: fields by descriptor, well-known
 * types. */
#pragma once

#include "codec/pbjson.h"

typedef ProtobufCFieldDescriptor PbField;
typedef ProtobufCMessageDescriptor PbType;

#define PB_SHOWN_BYTES 200 /* of a key or value of others, in a message */

typedef enum WellKnown {
    WELL_KNOWN_NONE, /* also Empty, which is an object without fields */
    WELL_KNOWN_ANY,
    WELL_KNOWN_DURATION,
    WELL_KNOWN_LIST,
    WELL_KNOWN_STRUCT,
    WELL_KNOWN_TIMESTAMP,
    WELL_KNOWN_VALUE,
    WELL_KNOWN_WRAPPER, /* BytesValue, Int64Value, …: the bare value of field 1 */
} WellKnown;

WellKnown pb_well_known(const PbType *type);

/* Is the field a map? Then its messages have the fields key and value, in this order. */
bool pb_is_map(const PbField *field);

/* Is the field google.protobuf.NullValue, or (a message) google.protobuf.Value? They alone take
 * null as a value. */
bool pb_takes_null(const PbField *field);

/* The field of either spelling; NULL when there is none. */
const PbField *pb_find_field(const PbType *type, Str name);

/* The oneof a field is in, by its full name; "" when it is in none. */
const char *pb_oneof_name(Ctx *ctx, const PbType *type, const PbField *field);

/* "int32", "string", …, as protobuf names the type. */
const char *pb_kind_name(const PbField *field);

/* Bytes of one value in a message or in an array of them. */
size_t pb_value_size(const PbField *field);

/* Where the field's value is; where its quantifier is (has_x, n_x, or the case of its oneof). */
static inline void *pb_member(ProtobufCMessage *message, const PbField *field)
{
    return (char *)message + field->offset;
}
static inline void *pb_quantifier(ProtobufCMessage *message, const PbField *field)
{
    return (char *)message + field->quantifier_offset;
}
static inline const void *pb_member_of(const ProtobufCMessage *message, const PbField *field)
{
    return (const char *)message + field->offset;
}
static inline const void *pb_quantifier_of(const ProtobufCMessage *message, const PbField *field)
{
    return (const char *)message + field->quantifier_offset;
}
static inline bool pb_in_oneof(const PbField *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

/* A number of the field's type from a JSON number or string: integers exactly, also "5.0" and
 * "1e3"; reals also NaN, Infinity and -Infinity. False when it is no such number or out of the
 * type's range. */
bool pb_read_number(ProtobufCType type, const JsonValue *value, void *to);
