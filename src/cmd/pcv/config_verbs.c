/* config_verbs.c - verbs of the configuration file; see settings.h. They need no server. */
#include <stdlib.h>

#include "base/file.h"
#include "cmd/pcv/verbs_priv.h"

static Status save(Cli *cli)
{
    return settings_save(cli->ctx, &cli->settings);
}

static Status no_context(Cli *cli, const char *name)
{
    return FAIL(cli->ctx, NOT_FOUND, "context does not exist: %s", name);
}

/* --- the file as a whole ---------------------------------------------------------------------- */

static Status get_metrics(Cli *cli)
{
    const JsonValue *value = json_get(settings_v2(cli->ctx, &cli->settings), "metrics");
    cli_print(cli, "%s\n", json_is(value, JSON_BOOL) && value->boolean ? "true" : "false");
    return OK;
}

static Status set_metrics(Cli *cli)
{
    bool on = strcmp(cli->args[0], "true") == 0;
    if (!on && strcmp(cli->args[0], "false") != 0)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "invalid argument; use either `true` or `false`");
    JsonValue *v2 = settings_v2(cli->ctx, &cli->settings);
    json_set(cli->ctx->arena, v2, STR("metrics"), json_bool(cli->ctx->arena, on));
    return save(cli);
}

static Status activate(Cli *cli, const char *member, const char *name)
{
    if (!settings_context(&cli->settings, name))
        return no_context(cli, name);
    JsonValue *v2 = settings_v2(cli->ctx, &cli->settings);
    json_set(cli->ctx->arena, v2, str(member), json_string(cli->ctx->arena, str(name)));
    return save(cli);
}

static Status get_active(Cli *cli)
{
    cli_print(cli, "%s\n", cli->settings.context_name ? cli->settings.context_name : "NONE");
    return OK;
}

static Status set_active(Cli *cli)
{
    return activate(cli, "active_context", cli->args[0]);
}

static Status get_active_enterprise(Cli *cli)
{
    Str name =
        json_text(json_get(settings_v2(cli->ctx, &cli->settings), "active_enterprise_context"));
    if (!name.size)
        return get_active(cli);
    cli_print(cli, STR_FMT "\n", STR_ARG(name));
    return OK;
}

static Status set_active_enterprise(Cli *cli)
{
    return activate(cli, "active_enterprise_context", cli->args[0]);
}

/* --- one context ------------------------------------------------------------------------------ */

static Status get_context(Cli *cli)
{
    const JsonValue *context = settings_context(&cli->settings, cli->args[0]);
    if (!context)
        return no_context(cli, cli->args[0]);
    json_write(&cli->out, context, (JsonStyle){ .indent = 2 });
    cli_print(cli, "\n");
    return OK;
}

static Status read_context(Cli *cli, JsonValue **out)
{
    Buf text = { 0 };
    Status s = read_source(cli, "-", &text);
    if (status_ok(s))
        s = json_parse(cli->ctx, buf_str(&text), out);
    buf_done(&text);
    TRY_WRAP(cli->ctx, s, "malformed context");
    return json_is(*out, JSON_OBJECT)
               ? OK
               : FAIL(cli->ctx, INVALID_ARGUMENT, "malformed context: not an object");
}

static Status set_context(Cli *cli)
{
    JsonValue *context;
    const char *address;
    if (settings_context(&cli->settings, cli->args[0]) && !cli->opt[OPT_OVERWRITE].flag)
        return FAIL(cli->ctx, ALREADY_EXISTS,
                    "context '%s' already exists, use `--overwrite` if you wish to replace it",
                    cli->args[0]);
    TRY(read_context(cli, &context));
    Str given = json_text(json_get(context, "pachd_address"));
    if (given.size) {
        TRY(settings_qualify(cli->ctx, given, &address));
        json_set(cli->ctx->arena, context, STR("pachd_address"),
                 json_string(cli->ctx->arena, str(address)));
    }
    json_set(cli->ctx->arena, settings_contexts(cli->ctx, &cli->settings), str(cli->args[0]),
             context);
    return save(cli);
}

/* Options of `config update context` and the members that they set. */
static const struct {
    OptionId id;
    const char *member;
} updates[] = {
    { OPT_PACHD_ADDRESS, "pachd_address" }, { OPT_CLUSTER_NAME, "cluster_name" },
    { OPT_AUTH_INFO, "auth_info" },         { OPT_SERVER_CAS, "server_cas" },
    { OPT_NAMESPACE, "namespace" },         { OPT_PROJECT, "project" },
};

static Status apply_updates(Cli *cli, JsonValue *context)
{
    for (size_t i = 0; i < ARRAY_LEN(updates); i++) {
        const char *value = cli_text(cli, updates[i].id);
        if (!cli->opt[updates[i].id].set)
            continue;
        if (updates[i].id == OPT_PACHD_ADDRESS)
            TRY(settings_qualify(cli->ctx, str(value), &value));
        settings_put(cli->ctx, context, updates[i].member, value);
    }
    if (cli->opt[OPT_REMOVE_DEPLOYMENT].flag)
        json_remove(context, STR("cluster_deployment_id"));
    return OK;
}

static Status update_context(Cli *cli)
{
    JsonValue *context = cli->arg_count ? settings_context(&cli->settings, cli->args[0])
                                        : settings_active(cli->ctx, &cli->settings);
    if (!context)
        return no_context(cli, cli->args[0]);
    TRY(apply_updates(cli, context));
    TRY(save(cli));
    if (!cli->arg_count)
        cli_print(cli, "editing the currently active context \"%s\"\n", cli->settings.context_name);
    return OK;
}

static Status delete_context(Cli *cli)
{
    if (!settings_context(&cli->settings, cli->args[0]))
        return no_context(cli, cli->args[0]);
    if (cli->settings.context_name && strcmp(cli->settings.context_name, cli->args[0]) == 0)
        return FAIL(cli->ctx, FAILED_PRECONDITION, "cannot delete an active context");
    json_remove(settings_contexts(cli->ctx, &cli->settings), str(cli->args[0]));
    return save(cli);
}

static Status list_context(Cli *cli)
{
    JsonValue *contexts = settings_contexts(cli->ctx, &cli->settings);
    Str enterprise =
        json_text(json_get(settings_v2(cli->ctx, &cli->settings), "active_enterprise_context"));
    const char *active = cli->settings.context_name ? cli->settings.context_name : "";
    json_sort(contexts);
    cli_print(cli, "ACTIVE\tNAME\n");
    for (size_t i = 0; i < contexts->count; i++) {
        Str name = contexts->members[i].name;
        cli_print(cli, "%s%s\t" STR_FMT "\n",
                  enterprise.size && str_eq(enterprise, name) ? "E" : "",
                  str_eq_c(name, active) ? "*" : "", STR_ARG(name));
    }
    return OK;
}

/* connect: a context of that address, made active. */
static Status connect(Cli *cli)
{
    const char *address, *alias = cli_text(cli, OPT_ALIAS);
    const char *name = *alias ? alias : cli->args[0];
    TRY(settings_qualify(cli->ctx, str(cli->args[0]), &address));
    if (!settings_context(&cli->settings, name)) {
        JsonValue *context = json_object(cli->ctx->arena);
        json_set(cli->ctx->arena, context, STR("pachd_address"),
                 json_string(cli->ctx->arena, str(address)));
        json_set(cli->ctx->arena, settings_contexts(cli->ctx, &cli->settings), str(name), context);
        cli_print(cli, "New context '%s' created, will connect to Procavia at %s\n", name, address);
    }
    TRY(activate(cli, "active_context", name));
    cli_print(cli, "Context '%s' set as active\n", name);
    return OK;
}

/* clang-format off */
static const Command rows[] = {
    { .words = "connect", .args = "<address>", .args_min = 1, .args_max = 1, .run = connect, .offline = true,
      .summary = "use the server at an address from now on", .options = { OPT_ALIAS } },
    { .words = "config get metrics", .args = "", .run = get_metrics, .offline = true,
      .summary = "print whether other clients may report usage; pcv never does" },
    { .words = "config set metrics", .args = "(true or false)", .args_min = 1, .args_max = 1, .run = set_metrics,
      .offline = true, .summary = "say whether other clients may report usage; pcv never does" },
    { .words = "config get active-context", .args = "", .run = get_active, .offline = true,
      .summary = "print the name of the active context" },
    { .words = "config set active-context", .args = "<context>", .args_min = 1, .args_max = 1, .run = set_active,
      .offline = true, .summary = "make a context the active one" },
    { .words = "config get active-enterprise-context", .args = "", .run = get_active_enterprise, .offline = true,
      .summary = "print the name of the active enterprise context" },
    { .words = "config set active-enterprise-context", .args = "<context>", .args_min = 1, .args_max = 1,
      .run = set_active_enterprise, .offline = true, .summary = "make a context the active enterprise one" },
    { .words = "config get context", .args = "<context>", .args_min = 1, .args_max = 1, .run = get_context,
      .offline = true, .summary = "print a context as JSON" },
    { .words = "config set context", .args = "<context>", .args_min = 1, .args_max = 1, .run = set_context,
      .offline = true, .summary = "set a context from JSON on standard input", .options = { OPT_OVERWRITE } },
    { .words = "config update context", .args = "[<context>]", .args_max = 1, .run = update_context, .offline = true,
      .summary = "change parts of a context, by default of the active one",
      .options = { OPT_PROJECT, OPT_PACHD_ADDRESS, OPT_CLUSTER_NAME, OPT_AUTH_INFO, OPT_SERVER_CAS, OPT_NAMESPACE,
                   OPT_REMOVE_DEPLOYMENT } },
    { .words = "config delete context", .args = "<context>", .args_min = 1, .args_max = 1, .run = delete_context,
      .offline = true, .summary = "delete a context that is not active" },
    { .words = "config list context", .args = "", .run = list_context, .offline = true,
      .summary = "list contexts; * marks the active one" },
};
/* clang-format on */

const CommandTable config_commands = { rows, ARRAY_LEN(rows) };
