/* main.c - one run: parse, run the verb, flush, say what went wrong; see cli.h. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "cmd/pcv/cli.h"
#include "cmd/pcv/pager.h"
#include "codec/pb.h"
#include "google/rpc/error_details.pb-c.h"

static void trim_end(char *text)
{
    size_t size = strlen(text);
    while (size && strchr(" \t\r\n", text[size - 1]))
        text[--size] = '\0';
}

static void tell_cause(const char *cause)
{
    if (*cause)
        fprintf(stderr, "  %s\n", cause);
}

/* Some errors have their cause not in the message but beside it. */
static void tell_causes(Ctx *ctx, const StatusAny *any)
{
    Google__Rpc__DebugInfo *info;
    Google__Rpc__BadRequest *bad;
    if (strcmp(any->type_url, "type.googleapis.com/google.rpc.DebugInfo") == 0 &&
        status_ok(PB_UNPACK(ctx, google__rpc__debug_info, any->value, &info)))
        tell_cause(info->detail);
    if (strcmp(any->type_url, "type.googleapis.com/google.rpc.BadRequest") != 0 ||
        !status_ok(PB_UNPACK(ctx, google__rpc__bad_request, any->value, &bad)))
        return;
    for (size_t i = 0; i < bad->n_field_violations; i++)
        tell_cause(bad->field_violations[i]->description);
}

static int complain(Cli *cli, Status s)
{
    char *message = arena_strdup(cli->ctx->arena, status_message(s));
    trim_end(message);
    fprintf(stderr, "%s\n", message);
    for (const StatusAny *any = s.detail ? s.detail->any : NULL; any; any = any->next)
        tell_causes(cli->ctx, any);
    if (s.detail && s.detail->hint)
        fprintf(stderr, "%s\n", s.detail->hint);
    return status_info(s.code)->exit_code;
}

/* What was typed does not fit the command: the reason, then how it is used. */
static int complain_usage(Cli *cli, Status s)
{
    int exit_code = complain(cli, s);
    if (cli->command) {
        Buf usage = { 0 };
        cli_usage(cli->program, cli->command, &usage);
        fprintf(stderr, "\nUsage:\n  " STR_FMT "\n", STR_ARG(buf_str(&usage)));
        buf_done(&usage);
    }
    return exit_code;
}

static void show_help(Cli *cli, const char *group)
{
    if (cli->command)
        cli_help_command(cli, cli->command);
    else
        cli_help(cli, group);
}

static void prepare(Cli *cli)
{
    const char *no_color = getenv("NO_COLOR");
    cli->color = isatty(STDOUT_FILENO) && !cli->opt[OPT_NO_COLOR].flag && !(no_color && *no_color);
    log_set_level(cli->opt[OPT_VERBOSE].flag ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN);
    int64_t timeout_ns = cli->opt[OPT_RPC_TIMEOUT].number;
    if (timeout_ns > 0)
        cli->ctx->deadline_ns = clock_mono_ns() + timeout_ns;
}

static Status run(Cli *cli)
{
    prepare(cli);
    Status s = settings_load(cli->ctx, &cli->settings);
    if (!status_ok(s) && !cli->command->offline)
        return s;
    if (cli->command->paged)
        pager_start(cli);
    s = cli->command->run(cli);
    const char *transaction = settings_text(&cli->settings, "active_transaction");
    if (status_ok(s) && cli->command->in_transaction && *transaction)
        cli_print(cli, "Added to transaction: %s\n", transaction);
    Status flushed = cli_flush(cli); /* also after an error: what was printed before it stands */
    bool unread = cli->pager > 0;    /* who leaves the pager early misses nothing */
    pager_stop(cli);
    return !status_ok(s) || unread ? s : flushed;
}

int main(int argc, char **argv)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    const char *slash = strrchr(argv[0], '/');
    Cli cli = { .ctx = &ctx, .program = slash ? slash + 1 : argv[0] };
    const char *group;
    Status s = cli_parse(&cli, argc, argv, &group);
    int exit_code = 0;
    if (!status_ok(s)) {
        exit_code = complain_usage(&cli, s);
    } else if (!cli.command || cli.opt[OPT_HELP].flag) {
        show_help(&cli, group);
        s = cli_flush(&cli);
    } else {
        s = run(&cli);
        exit_code = status_ok(s) ? 0 : complain(&cli, s);
    }
    wire_client_close(cli.client);
    buf_done(&cli.out);
    return exit_code;
}
