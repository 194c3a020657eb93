/* settings.c - see settings.h. */
#include "cmd/pcv/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/id.h"
#include "base/text.h"

static const char *home_path(Ctx *ctx, const char *below)
{
    const char *home = getenv("HOME");
    return text_printf(ctx->arena, "%s/%s", home ? home : "", below);
}

#define SPOUT_CONFIG "/pachctl/config.json" /* what a spout finds beside its code */

/* As the caller named it; NULL: he did not. */
static const char *named_path(void)
{
    static const char *const variables[] = { "PCV_CONFIG", "PACH_CONFIG" };
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        const char *path = getenv(variables[i]);
        if (path && *path)
            return path;
    }
    return NULL;
}

static const char *find_path(Ctx *ctx)
{
    if (access(SPOUT_CONFIG, F_OK) == 0)
        return SPOUT_CONFIG;
    const char *own = home_path(ctx, ".config/procavia/config.json");
    const char *shared = home_path(ctx, ".pachyderm/config.json");
    return access(own, F_OK) != 0 && access(shared, F_OK) == 0 ? shared : own;
}

/* In a home that one may not enter, as sandboxes and containers have it. */
static bool is_out_of_reach(const char *path)
{
    return access(path, F_OK) != 0 && errno == EACCES;
}

static Status read_root(Ctx *ctx, Settings *settings, bool is_named)
{
    Buf text = { 0 };
    Status s = file_read_path(ctx, settings->path, &text);
    JsonValue *root = settings->root;
    if (s.code == STATUS_NOT_FOUND || (!is_named && is_out_of_reach(settings->path)))
        s = OK;
    else if (status_ok(s) && text.size)
        s = json_parse(ctx, buf_str(&text), &root);
    buf_done(&text);
    if (status_ok(s) && !json_is(root, JSON_OBJECT))
        s = FAIL(ctx, INVALID_ARGUMENT, "not an object");
    if (status_ok(s))
        settings->root = root;
    return s;
}

/* The member of either spelling. */
static JsonValue *member(const JsonValue *object, const char *snake, const char *camel)
{
    JsonValue *value = json_get(object, snake);
    return value || !camel ? value : json_get(object, camel);
}

Status settings_load(Ctx *ctx, Settings *out)
{
    const char *named = named_path();
    *out = (Settings){ .path = named ? named : find_path(ctx), .root = json_object(ctx->arena) };
    TRY_WRAP(ctx, read_root(ctx, out, named != NULL), "could not parse config json at \"%s\"",
             out->path);
    const char *forced = getenv("PACH_CONTEXT");
    bool is_forced = forced && *forced;
    const JsonValue *v2 = json_get(out->root, "v2");
    Str name = is_forced ? str(forced) : json_text(member(v2, "active_context", "activeContext"));
    if (!name.size)
        return OK;
    out->context_name = str_z(ctx->arena, name);
    out->context = settings_context(out, out->context_name);
    if (out->context)
        return OK;
    if (is_forced)
        return FAIL(ctx, INVALID_ARGUMENT,
                    "config error: `PACH_CONTEXT` refers to a context (\"%s\") that does not exist",
                    forced);
    Status s = FAIL(ctx, INVALID_ARGUMENT,
                    "config error: the active context is \"%s\", but no context named \"%s\" has "
                    "been configured",
                    out->context_name, out->context_name);
    return status_with_hint(ctx, s,
                            "You can fix your config by setting the active context like so: "
                            "pcv config set active-context <context>");
}

Status settings_save(Ctx *ctx, const Settings *settings)
{
    const char *slash = strrchr(settings->path, '/');
    if (slash && slash != settings->path) {
        Str folder = { settings->path, (size_t)(slash - settings->path) };
        TRY(file_make_dirs(ctx, str_z(ctx->arena, folder), 0700));
    }
    Buf text = { 0 };
    json_write(&text, settings->root, (JsonStyle){ .indent = 2 });
    buf_add_u8(&text, '\n');
    Status s = file_replace(ctx, settings->path, buf_bytes(&text), 0600);
    buf_done(&text);
    return status_ok(s)
               ? OK
               : status_wrap(ctx, s, "could not write the configuration \"%s\"", settings->path);
}

/* Names with a second spelling in files of other clients. */
static const char *const spellings[][2] = {
    { "pachd_address", "pachdAddress" },
    { "session_token", "sessionToken" },
    { "active_transaction", "activeTransaction" },
};

static const char *camel_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
        if (strcmp(spellings[i][0], name) == 0)
            return spellings[i][1];
    }
    return NULL;
}

const char *settings_text(const Settings *settings, const char *name)
{
    const JsonValue *value = member(settings->context, name, camel_of(name));
    return value && value->type == JSON_STRING ? value->text.data : "";
}

JsonValue *settings_context(const Settings *settings, const char *name)
{
    JsonValue *context = json_get(json_path(settings->root, "v2", "contexts", NULL), name);
    return json_is(context, JSON_OBJECT) ? context : NULL;
}

static JsonValue *object_at(Ctx *ctx, JsonValue *parent, const char *name)
{
    JsonValue *value = json_get(parent, name);
    if (!json_is(value, JSON_OBJECT)) {
        value = json_object(ctx->arena);
        json_set(ctx->arena, parent, str(name), value);
    }
    return value;
}

JsonValue *settings_v2(Ctx *ctx, Settings *settings)
{
    if (!json_get(settings->root, "user_id")) {
        Id id = id_new();
        json_set(ctx->arena, settings->root, STR("user_id"), json_string(ctx->arena, str(id.text)));
    }
    return object_at(ctx, settings->root, "v2");
}

JsonValue *settings_contexts(Ctx *ctx, Settings *settings)
{
    return object_at(ctx, settings_v2(ctx, settings), "contexts");
}

void settings_put(Ctx *ctx, JsonValue *context, const char *name, const char *value)
{
    const char *camel = camel_of(name);
    if (camel)
        json_remove(context, str(camel));
    if (*value)
        json_set(ctx->arena, context, str(name), json_string(ctx->arena, str(value)));
    else
        json_remove(context, str(name));
}

JsonValue *settings_active(Ctx *ctx, Settings *settings)
{
    if (!settings->context) {
        settings->context_name = settings->context_name ? settings->context_name : "default";
        settings->context =
            object_at(ctx, settings_contexts(ctx, settings), settings->context_name);
        json_set(ctx->arena, settings_v2(ctx, settings), STR("active_context"),
                 json_string(ctx->arena, str(settings->context_name)));
    }
    return settings->context;
}

/* --- addresses -------------------------------------------------------------------------------- */

static Status check_parts(Ctx *ctx, Str host)
{
    static const struct {
        char sign;
        const char *what;
    } parts[] = {
        { '@', "login credentials" },
        { '?', "a query string" },
        { '#', "a fragment" },
        { '/', "a path" },
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (str_find(host, parts[i].sign) < host.size)
            return FAIL(ctx, INVALID_ARGUMENT, "pachd address should not include %s",
                        parts[i].what);
    }
    return OK;
}

static bool has_port(Str host)
{
    size_t bracket = 0, colon = host.size;
    for (size_t i = 0; i < host.size; i++) {
        if (host.data[i] == ']')
            bracket = i;
        if (host.data[i] == ':')
            colon = i;
    }
    return colon < host.size && colon >= bracket;
}

Status settings_qualify(Ctx *ctx, Str address, const char **out)
{
    static const char *const schemes[][2] = {
        { "grpc://", "grpc" },
        { "http://", "grpc" },
        { "grpcs://", "grpcs" },
        { "https://", "grpcs" },
    };
    *out = str_z(ctx->arena, address);
    if (str_starts(address, STR("unix:")))
        return OK;
    const char *scheme = "grpc";
    Str host = address;
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (!str_starts(address, str(schemes[i][0])))
            continue;
        scheme = schemes[i][1];
        host = str_sub(address, strlen(schemes[i][0]), address.size);
    }
    if (strstr(str_z(ctx->arena, host), "://"))
        return FAIL(ctx, INVALID_ARGUMENT, "unrecognized scheme in pachd address: " STR_FMT,
                    STR_ARG(address));
    if (str_ends(host, STR("/")))
        host.size--;
    TRY(check_parts(ctx, host));
    *out = text_printf(ctx->arena, "%s://" STR_FMT "%s", scheme, STR_ARG(host),
                       has_port(host) ? "" : ":30650");
    return OK;
}
