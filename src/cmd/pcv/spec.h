/* spec.h - pipeline specs as people write them: JSON or YAML, several documents, or lists of
 * specs. */
#pragma once

#include "cmd/pcv/cli.h"
#include "codec/json.h"

/* Called for each spec in order, when it was found to be sound: those before a bad one take
 * effect. */
typedef Status (*SpecEach)(Cli *cli, void *arg, JsonValue *spec);

/* Errors: INVALID_ARGUMENT "malformed pipeline spec: …", "no `pipeline` specified", … `file` is for
 * messages. */
Status spec_each(Cli *cli, Str text, const char *file, SpecEach each, void *arg) NODISCARD;

/* Warns on standard error of an image that may change under its name. */
void spec_warn_image(const JsonValue *spec);
