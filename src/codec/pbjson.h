/* pbjson.h - protobuf messages to and from JSON, by protobuf's own mapping, driven by protobuf-c's
 * descriptors.
 *
 * Reading is strict: an unknown key, a key twice (in whichever spelling), a second member of a
 * oneof, a value out of range are errors that say where. Writing is canonical: lowerCamelCase keys
 * in field order, defaults left out.
 */
#pragma once

#include "codec/json.h"
#include "codec/pb.h"

typedef struct PbJsonOptions {
    bool ignore_unknown; /* reading: skip unknown keys */
    bool emit_defaults;  /* writing: also fields with default values; unset messages as null */
    bool proto_names;    /* writing: keys as in the .proto */
    unsigned indent;     /* writing text: blanks for each level; 0: one line */
} PbJsonOptions;

/* Text to message. options may be NULL.
 * Errors: INVALID_ARGUMENT `proto: syntax error (line 1:1): …`, `proto: (line 1:26): unknown field
 * "x"`, … */
Status pbjson_parse(Ctx *ctx, const ProtobufCMessageDescriptor *type, Str text,
                    const PbJsonOptions *options, ProtobufCMessage **out) NODISCARD;

/* The same from a tree (which may come from YAML). */
Status pbjson_from_value(Ctx *ctx, const ProtobufCMessageDescriptor *type, const JsonValue *value,
                         const PbJsonOptions *options, ProtobufCMessage **out) NODISCARD;

/* Message to tree, or to text appended to `out`. Errors: INVALID_ARGUMENT for what JSON cannot say:
 * a Timestamp or Duration out of range, an Any of unknown type. */
Status pbjson_to_value(Ctx *ctx, const ProtobufCMessage *message, const PbJsonOptions *options,
                       JsonValue **out) NODISCARD;
Status pbjson_print(Ctx *ctx, const ProtobufCMessage *message, const PbJsonOptions *options,
                    Buf *out) NODISCARD;

/* A copy of `value` with the keys of messages of `type` renamed to lowerCamelCase and known enum
 * numbers to names. Nulls and scalars stay as they are, well-known types are not looked into.
 * Errors: INVALID_ARGUMENT `unexpected field "x" in pps_v2.Y`, `expected []any; got <nil> in …`. */
Status pbjson_canonicalise(Ctx *ctx, const ProtobufCMessageDescriptor *type, const JsonValue *value,
                           JsonValue **out) NODISCARD;

/* "datum_tries" is "datumTries", "URL" is "URL". In ctx's arena. */
char *pbjson_name(Ctx *ctx, const char *proto_name);

/* The message type of a full name such as "pfs_v2.Repo"; NULL when there is none. */
const ProtobufCMessageDescriptor *pb_find_type(Str full_name);
