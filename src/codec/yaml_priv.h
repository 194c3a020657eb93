/* yaml_priv.h - what a plain scalar means, for reader and writer. */
#pragma once

#include "codec/yaml.h"

/* The type of a plain scalar by the core schema. Of a number, *out_text is the same number as JSON
 * writes it; of an infinity or not-a-number it is the string that protobuf's JSON has for it (and
 * the type is JSON_STRING). */
JsonType yaml_resolve(Ctx *ctx, Str plain, Str *out_text);
