/* help.c - all help, made from the tables; see cli.h. */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "cmd/pcv/cli.h"

/* Two blanks part the columns, so that scripts can tell where the left one ends. */
#define LEFT_COLUMN 33

static void print_row(Cli *cli, const char *left, const char *right)
{
    cli_print(cli, "  %-*s  %s\n", LEFT_COLUMN, left, right);
}

static void print_option(Cli *cli, OptionId id)
{
    const Option *o = &pcv_options[id];
    char letter[8] = "    ";
    if (o->letter)
        snprintf(letter, sizeof(letter), "-%c, ", o->letter);
    const char *left = text_printf(cli->ctx->arena, "%s--%s%s%s", letter, o->name,
                                   o->value ? " " : "", o->value ? o->value : "");
    const char *right = o->help;
    if (o->preset && strcmp(o->preset, "0") != 0)
        right = text_printf(cli->ctx->arena, "%s (default: %s)", o->help, o->preset);
    print_row(cli, left, right);
}

void cli_usage(const char *program, const Command *command, Buf *out)
{
    const char *args = command->args ? command->args : "";
    buf_printf(out, "%s %s%s%s [flags]", program, command->words, *args ? " " : "", args);
}

void cli_help_command(Cli *cli, const Command *command)
{
    static const OptionId common[] = { OPT_ADDRESS, OPT_HELP, OPT_NO_COLOR, OPT_RPC_TIMEOUT,
                                       OPT_VERBOSE };
    cli_print(cli, "%c%s.\n", command->summary[0] & ~0x20, command->summary + 1);
    if (command->detail)
        cli_print(cli, "\n%s\n", command->detail);
    cli_print(cli, "\nUsage:\n  ");
    cli_usage(cli->program, command, &cli->out);
    cli_print(cli, "\n");
    if (command->options[0])
        cli_print(cli, "\nFlags:\n");
    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && command->options[i]; i++)
        print_option(cli, command->options[i]);
    cli_print(cli, "\nGlobal flags:\n");
    for (size_t i = 0; i < ARRAY_LEN(common); i++)
        print_option(cli, common[i]);
}

static int compare_words(const void *a, const void *b)
{
    const Command *const *x = a, *const *y = b;
    return strcmp((*x)->words, (*y)->words);
}

/* Commands that begin with the group's words, sorted. */
static size_t members(Cli *cli, const char *group, const Command ***out)
{
    size_t count = 0, room = 0;
    for (const CommandTable *const *table = pcv_tables; *table; table++)
        room += (*table)->count;
    *out = ARENA_NEW(cli->ctx->arena, const Command *, room);
    for (const CommandTable *const *table = pcv_tables; *out && *table; table++) {
        for (size_t i = 0; i < (*table)->count; i++) {
            const Command *row = &(*table)->rows[i];
            Str words = str(row->words), prefix = str(group);
            bool inside =
                !prefix.size || (str_starts(words, prefix) && words.data[prefix.size] == ' ');
            if (inside && !row->hidden)
                (*out)[count++] = row;
        }
    }
    if (count)
        qsort(*out, count, sizeof(**out), compare_words);
    return count;
}

void cli_help(Cli *cli, const char *group)
{
    const Command **rows;
    size_t count = members(cli, group, &rows);
    if (!*group)
        cli_print(cli, "%s talks to a Procavia server: versioned data, pipelines, provenance.\n\n",
                  cli->program);
    cli_print(cli, "Usage:\n  %s %s%s<command> [arguments] [flags]\n\nCommands:\n", cli->program,
              group, *group ? " " : "");
    for (size_t i = 0; i < count; i++)
        print_row(cli, rows[i]->words, rows[i]->summary);
    cli_print(cli, "\nRun '%s <command> --help' for the arguments and flags of one.\n",
              cli->program);
}
