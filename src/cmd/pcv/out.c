/* out.c - what goes to standard output, and the small forms of times and sizes; see cli.h. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cmd/pcv/cli.h"
#include "codec/amount.h"
#include "codec/moment.h"
#include "codec/pbjson.h"
#include "codec/pbtime.h"
#include "codec/yaml.h"

#define OUT_BYTES (64 * KiB) /* held back before it is written */

void cli_print(Cli *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_add_str(&cli->out, str(text_vprintf(cli->ctx->arena, format, args)));
    va_end(args);
    if (cli->out.size > OUT_BYTES && !status_ok(cli_flush(cli)))
        _exit(cli->pager > 0 ? 0 : 1); /* nobody reads: nothing is left to do */
}

Status cli_flush(Cli *cli)
{
    Status s = file_write_all(cli->ctx, STDOUT_FILENO, cli->out.data, cli->out.size);
    buf_clear(&cli->out);
    return s;
}

static Status print_yaml(Cli *cli, const ProtobufCMessage *message, const PbJsonOptions *options)
{
    JsonValue *value;
    TRY(pbjson_to_value(cli->ctx, message, options, &value));
    if (cli->raw_begun)
        buf_add_str(&cli->out, STR("---\n"));
    cli->raw_begun = true;
    return yaml_write(cli->ctx, value, &cli->out);
}

Status cli_print_raw(Cli *cli, const void *message)
{
    const PbJsonOptions options = { .proto_names = true, .indent = 2 };
    if (strcmp(cli_text(cli, OPT_OUTPUT), "yaml") == 0)
        TRY(print_yaml(cli, message, &options));
    else {
        TRY(pbjson_print(cli->ctx, message, &options, &cli->out));
        buf_add_u8(&cli->out, '\n');
    }
    return cli->out.size > OUT_BYTES ? cli_flush(cli) : OK;
}

void cli_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

Status cli_confirm(Cli *cli, bool *out_yes)
{
    char line[64];
    TRY(cli_flush(cli));
    fputs("Are you sure you want to do this? (y/N): ", stderr);
    if (!fgets(line, sizeof(line), stdin))
        return FAIL(cli->ctx, OUT_OF_RANGE, "EOF");
    line[strcspn(line, "\r\n")] = '\0';
    cli_print(cli, "got confirm result: %s\n", line);
    *out_yes = strcmp(line, "y") == 0 || strcmp(line, "Y") == 0;
    return OK;
}

char *cli_time(Cli *cli, const Google__Protobuf__Timestamp *at)
{
    char text[MOMENT_TEXT_SIZE] = "-";
    if (at && (at->seconds || at->nanos))
        moment_format(at->seconds, 0, text);
    return arena_strdup(cli->ctx->arena, text);
}

char *cli_ago(Cli *cli, const Google__Protobuf__Timestamp *at)
{
    char text[MOMENT_TEXT_SIZE];
    if (cli->opt[OPT_FULL_TIMESTAMPS].flag)
        return cli_time(cli, at);
    moment_format_ago(pb_timestamp_ns(at), clock_wall_ns(), text);
    return arena_strdup(cli->ctx->arena, text);
}

char *cli_size(Cli *cli, int64_t size_bytes)
{
    char text[AMOUNT_TEXT_SIZE];
    size_format((uint64_t)MAX(size_bytes, INT64_C(0)), text);
    return arena_strdup(cli->ctx->arena, text);
}

const char *cli_paint(Cli *cli, Color color, const char *text)
{
    return cli->color ? text_printf(cli->ctx->arena, "\033[%dm%s\033[0m", (int)color, text) : text;
}
