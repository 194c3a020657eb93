/* pcvd_config.c - see pcvd_config.h. */
#include "cmd/pcvd_config.h"

#include "base/file.h"
#include "base/text.h"

typedef enum SettingKind { SETTING_TEXT, SETTING_NUMBER, SETTING_FLAG } SettingKind;

typedef struct Setting {
    const char *name; /* --name, and `name = value` in the file */
    const char *placeholder;
    SettingKind kind;
    size_t offset;
    const char *preset;
    int64_t min, max; /* of a number */
    const char *help;
} Setting;

#define FIELD(name) offsetof(PcvdConfig, name)

static const Setting settings[] = {
    { "data", "DIR", SETTING_TEXT, FIELD(data), NULL, 0, 0,
      "folder of everything the server keeps; created" },
    { "listen", "ADDR[:PORT]", SETTING_TEXT, FIELD(listen), "127.0.0.1:30650", 0, 0,
      "address to serve on; port 0 picks a free one" },
    { "s3-listen", "ADDR[:PORT]", SETTING_TEXT, FIELD(s3_listen), "", 0, 0,
      "serve S3 here, also unsigned (signed requests are served on --listen, too)" },
    { "s3-port-file", "FILE", SETTING_TEXT, FIELD(s3_port_file), NULL, 0, 0,
      "write the port of S3 here when ready" },
    { "port-file", "FILE", SETTING_TEXT, FIELD(port_file), NULL, 0, 0,
      "write the port here when ready" },
    { "config", "FILE", SETTING_TEXT, FIELD(config), NULL, 0, 0,
      "read settings from lines of `name = value`" },
    { "log-level", "LEVEL", SETTING_TEXT, FIELD(log_level), "info", 0, 0,
      "debug, info, warn, error or off" },
    { "log-format", "FORMAT", SETTING_TEXT, FIELD(log_format), "text", 0, 0, "text or json" },
    { "worker", "FILE", SETTING_TEXT, FIELD(worker), "", 0, 0,
      "program of workers (default: beside pcvd)" },
    { "workers", "N", SETTING_NUMBER, FIELD(workers), "0", 0, 1024,
      "worker processes; 0 is one a processor" },
    { "worker-timeout", "SECONDS", SETTING_NUMBER, FIELD(worker_timeout), "30", 0, 86400,
      "replace a worker at work that is silent for so long; 0 never" },
    { "drain-seconds", "N", SETTING_NUMBER, FIELD(drain_seconds), "10", 0, 3600,
      "how long a stop waits for calls that run" },
    { "sandbox", "own|crun|runc", SETTING_TEXT, FIELD(sandbox), "own", 0, 0,
      "who makes the sandboxes of user code: pcvd, or an OCI runtime" },
    { "require-sandbox", "0|1", SETTING_NUMBER, FIELD(require_sandbox), "0", 0, 1,
      "refuse to run user code where no sandbox is possible" },
    { "pull", "missing|never", SETTING_TEXT, FIELD(pull), "missing", 0, 0,
      "fetch images that pipelines name and the store has not, by skopeo" },
    { "registry-auth", "FILE", SETTING_TEXT, FIELD(registry_auth), "", 0, 0,
      "logins at registries, as skopeo login writes them (default: skopeo's own)" },
    { "registry-insecure", "HOST,...", SETTING_TEXT, FIELD(registry_insecure), "", 0, 0,
      "registries (host:port) that may have any certificate, or none" },
    { "allow-file-urls", "0|1", SETTING_NUMBER, FIELD(allow_file_urls), "0", 0, 1,
      "let file:// URLs read and write files, as this server" },
    { "url-hosts", "LIST", SETTING_TEXT, FIELD(url_hosts), "", 0, 0,
      "hosts that URLs may reach: names, *.suffix, addresses, ADDR/BITS (default: not "
      "link-local)" },
    { "url-tries", "N", SETTING_NUMBER, FIELD(url_tries), "5", 1, 100,
      "how often a request to a URL is tried" },
    { "url-stall-seconds", "N", SETTING_NUMBER, FIELD(url_stall_seconds), "60", 1, 86400,
      "try a transfer again that moves nothing for so long" },
    { "job-log-days", "N", SETTING_NUMBER, FIELD(job_log_days), "30", 0, 36500,
      "how long lines that jobs log are kept; 0 is for ever" },
    { "job-log-mib", "N", SETTING_NUMBER, FIELD(job_log_mib), "1024", 0, 1 << 30,
      "MiB of such lines kept for each pipeline, the newest; 0 is all" },
    { "help", NULL, SETTING_FLAG, FIELD(help), NULL, 0, 0, "show this text" },
    { "version", NULL, SETTING_FLAG, FIELD(version), NULL, 0, 0, "show the version" },
};

static const Setting *find(Str name)
{
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        if (str_eq_c(name, settings[i].name))
            return &settings[i];
    }
    return NULL;
}

static Status unknown(Ctx *ctx, const char *what, Str name)
{
    const char *nearest = NULL;
    size_t best = 4;
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        size_t distance = text_distance(name, str(settings[i].name));
        if (distance < best) {
            best = distance;
            nearest = settings[i].name;
        }
    }
    Status s = FAIL(ctx, INVALID_ARGUMENT, "unknown %s '" STR_FMT "'", what, STR_ARG(name));
    return nearest
               ? status_with_hint(ctx, s, text_printf(ctx->arena, "Did you mean '%s'?", nearest))
               : s;
}

static Status set(Ctx *ctx, PcvdConfig *config, const Setting *setting, const char *value)
{
    char *field = (char *)config + setting->offset;
    int64_t number;
    switch (setting->kind) {
    case SETTING_TEXT:
        *(const char **)(void *)field = value;
        return OK;
    case SETTING_NUMBER:
        if (!str_to_i64(str(value), &number) || number < setting->min || number > setting->max)
            return FAIL(ctx, INVALID_ARGUMENT, "'%s' must be a number from %lld to %lld, not '%s'",
                        setting->name, (long long)setting->min, (long long)setting->max, value);
        *(int64_t *)(void *)field = number;
        return OK;
    case SETTING_FLAG:
    default:
        *(bool *)field = true;
        return OK;
    }
}

static Status read_line(Ctx *ctx, PcvdConfig *config, Str line)
{
    line = str_trim(str_sub(line, 0, str_find(line, '#')), " \t\r");
    if (!line.size)
        return OK;
    size_t equals = str_find(line, '=');
    if (equals == line.size)
        return FAIL(ctx, INVALID_ARGUMENT, "'" STR_FMT "' is not `name = value`", STR_ARG(line));
    Str name = str_trim(str_sub(line, 0, equals), " \t\r");
    const Setting *setting = find(name);
    if (!setting || setting->kind == SETTING_FLAG || setting->offset == FIELD(config))
        return unknown(ctx, "setting", name);
    return set(ctx, config, setting,
               str_z(ctx->arena, str_trim(str_sub(line, equals + 1, line.size), " \t\r")));
}

static Status read_file(Ctx *ctx, PcvdConfig *config, const char *path)
{
    Buf text = { 0 };
    Status s = file_read_path(ctx, path, &text);
    Str rest = buf_str(&text);
    for (int number = 1; status_ok(s) && rest.size; number++) {
        size_t end = str_find(rest, '\n');
        s = read_line(ctx, config, str_sub(rest, 0, end));
        if (!status_ok(s))
            s = status_wrap(ctx, s, "configuration file '%s', line %d", path, number);
        rest = str_sub(rest, end + 1, rest.size);
    }
    buf_done(&text);
    return s;
}

/* One argument; *at moves past what it took. */
static Status read_argument(Ctx *ctx, PcvdConfig *config, char **argv, int *at)
{
    Str argument = str(argv[(*at)++]);
    if (!str_starts(argument, STR("--")))
        return FAIL(ctx, INVALID_ARGUMENT, "unexpected argument '" STR_FMT "'", STR_ARG(argument));
    size_t equals = str_find(argument, '=');
    Str name = str_sub(argument, 2, equals);
    const Setting *setting = find(name);
    if (!setting)
        return unknown(ctx, "option", name);
    if (setting->kind == SETTING_FLAG)
        return set(ctx, config, setting, NULL);
    if (equals < argument.size)
        return set(ctx, config, setting,
                   str_z(ctx->arena, str_sub(argument, equals + 1, argument.size)));
    if (!argv[*at])
        return FAIL(ctx, INVALID_ARGUMENT, "option '--%s' needs a value", setting->name);
    return set(ctx, config, setting, argv[(*at)++]);
}

static Status read_arguments(Ctx *ctx, PcvdConfig *config, int argc, char **argv)
{
    for (int at = 1; at < argc;)
        TRY(read_argument(ctx, config, argv, &at));
    return OK;
}

/* names: "one|two". */
static Status check_word(Ctx *ctx, const char *setting, const char *names, const char *value)
{
    for (Str rest = str(names); rest.size;) {
        Str name = str_sub(rest, 0, str_find(rest, '|'));
        rest = str_sub(rest, name.size + 1, rest.size);
        if (str_eq_c(name, value))
            return OK;
    }
    return FAIL(ctx, INVALID_ARGUMENT, "'%s' must be one of %s, not '%s'", setting, names, value);
}

Status pcvd_config_read(Ctx *ctx, int argc, char **argv, PcvdConfig *out)
{
    *out = (PcvdConfig){ 0 };
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        if (settings[i].preset)
            TRY(set(ctx, out, &settings[i], settings[i].preset));
    }
    PcvdConfig first = *out;
    TRY(read_arguments(ctx, &first, argc, argv));
    if (first.config)
        TRY(read_file(ctx, out, first.config));
    TRY(read_arguments(ctx, out, argc, argv)); /* the command line wins over the file */
    if (!out->data && !out->help && !out->version)
        return status_with_hint(ctx, FAIL(ctx, INVALID_ARGUMENT, "no data folder given"),
                                "Say where to keep data: pcvd --data DIR");
    LogLevel level;
    if (!log_parse_level(out->log_level, &level))
        return FAIL(ctx, INVALID_ARGUMENT, "'%s' is not a log level", out->log_level);
    if (strcmp(out->log_format, "text") != 0 && strcmp(out->log_format, "json") != 0)
        return FAIL(ctx, INVALID_ARGUMENT, "'%s' is not a log format", out->log_format);
    TRY(check_word(ctx, "sandbox", "own|crun|runc", out->sandbox));
    return check_word(ctx, "pull", "missing|never", out->pull);
}

char *pcvd_config_help(Ctx *ctx)
{
    Buf text = { 0 };
    buf_printf(&text, "pcvd - the Procavia server: versioned data, pipelines, provenance\n\n"
                      "Usage: pcvd --data DIR [options]\n\nOptions:\n");
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        const Setting *s = &settings[i];
        char *left = text_printf(ctx->arena, "--%s%s%s", s->name, s->placeholder ? " " : "",
                                 s->placeholder ? s->placeholder : "");
        buf_printf(&text, "  %-24s %s", left, s->help);
        if (s->preset && *s->preset)
            buf_printf(&text, " (default: %s)", s->preset);
        buf_add_u8(&text, '\n');
    }
    buf_printf(&text, "\nSIGTERM and SIGINT finish running calls and end the server.\n");
    char *result = str_z(ctx->arena, buf_str(&text));
    buf_done(&text);
    return result;
}
