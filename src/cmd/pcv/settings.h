/* settings.h - the configuration file: contexts, each with an address, a token, a project.
 *
 * The file is JSON in the shape that clients of this API share, so that one file serves them all;
 * what we do not know in it is kept when it is written again. */
#pragma once

#include "codec/json.h"

#define SETTINGS_ADDRESS_PRESET "127.0.0.1:30650"
#define SETTINGS_PROJECT_PRESET "default"

typedef struct Settings {
    const char *path; /* of the file, which may not exist */
    JsonValue *root;  /* never NULL after settings_load; empty when the file is missing or broken */
    const char *context_name; /* in use; NULL: there is none */
    JsonValue *context;       /* NULL: none */
} Settings;

/* Reads $PCV_CONFIG, else $PACH_CONFIG, else the first that exists of
 * ~/.config/procavia/config.json and
 * ~/.pachyderm/config.json, else, or where the home may not be entered, nothing. The context is
 * $PACH_CONTEXT, else the active one. Errors: INVALID_ARGUMENT naming the file or the context. */
Status settings_load(Ctx *ctx, Settings *out) NODISCARD;

/* Writes the file through a temporary one, and its folder when it is missing. */
Status settings_save(Ctx *ctx, const Settings *settings) NODISCARD;

/* A text of the context in use; "" when it is not set. */
const char *settings_text(const Settings *settings, const char *name);

/* The context in use; `default` is made, and made active, when there is none. */
JsonValue *settings_active(Ctx *ctx, Settings *settings);
/* Sets a text of a context; "" removes it. */
void settings_put(Ctx *ctx, JsonValue *context, const char *name, const char *value);

/* contexts.<name>; NULL when there is none. */
JsonValue *settings_context(const Settings *settings, const char *name);
/* The object at v2, or v2.contexts; made when missing. */
JsonValue *settings_v2(Ctx *ctx, Settings *settings);
JsonValue *settings_contexts(Ctx *ctx, Settings *settings);

/* The address in its full form, "grpc://host:port".
 * Errors: INVALID_ARGUMENT "unrecognized scheme in pachd address: x", "pachd address should not
 * include …". */
Status settings_qualify(Ctx *ctx, Str address, const char **out) NODISCARD;
