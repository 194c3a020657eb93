/* yaml.h - YAML to and from JSON values, with positions.
 *
 * Plain scalars follow YAML 1.2's core schema: true, null, ~, integers (also 0x, 0o), floats;
 * quoted ones are strings. .inf and .nan become the strings that protobuf's JSON uses. Keys are
 * text, and differ. Aliases share the value they name; a text may stand for at most YAML_NODES_MAX
 * values when they are written out.
 */
#pragma once

#include "codec/json.h"

#define YAML_NODES_MAX 200000

/* All documents of a text, empty ones left out: (*out)[*out_count]. A text that starts with '{' or
 * '[' is read as JSON documents one after another; if it is not JSON but YAML of the flow style,
 * that is taken. file_name  for messages; NULL or "": none Errors     INVALID_ARGUMENT "<file>:
 * line 3, column 7: …"; RESOURCE_EXHAUSTED past the arena's limit */
Status yaml_parse_all(Ctx *ctx, Str text, const char *file_name, JsonValue ***out,
                      size_t *out_count) NODISCARD;

/* Appends one document in block style, without "---", ending in a newline. */
Status yaml_write(Ctx *ctx, const JsonValue *value, Buf *out) NODISCARD;
