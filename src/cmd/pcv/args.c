/* args.c - from argv to a command, its arguments and its options; see cli.h. */
#include <stdio.h>

#include "base/text.h"
#include "cmd/pcv/cli.h"
#include "codec/moment.h"

#define NEAR_ENOUGH     3 /* edits between what was typed and what is suggested */
#define WORDS_BYTES_MAX 128

/* clang-format off */
const Option pcv_options[OPT_COUNT] = {
#define X(id, name_, letter_, kind_, value_, preset_, help_) \
    [OPT_##id] = { .name = name_, .value = value_, .preset = preset_, .help = help_, \
                   .kind = OPTION_##kind_, .letter = letter_ },
#include "cmd/pcv/options.def"
#undef X
};
/* clang-format on */

static const OptionId common_options[] = { OPT_HELP, OPT_VERBOSE, OPT_NO_COLOR, OPT_RPC_TIMEOUT,
                                           OPT_ADDRESS };

/* --- commands --------------------------------------------------------------------------------- */

static const char *const plurals[][2] = {
    { "repos", "repo" },         { "commits", "commit" },     { "branches", "branch" },
    { "projects", "project" },   { "files", "file" },         { "jobs", "job" },
    { "datums", "datum" },       { "pipelines", "pipeline" }, { "secrets", "secret" },
    { "snapshots", "snapshot" }, { "default", "defaults" },   { "transactions", "transaction" },
};

Str cli_singular(Str word)
{
    for (size_t i = 0; i < ARRAY_LEN(plurals); i++) {
        if (str_eq_c(word, plurals[i][0]))
            return str(plurals[i][1]);
    }
    return word;
}

const Command *cli_find_command(Str words)
{
    for (const CommandTable *const *table = pcv_tables; *table; table++) {
        for (size_t i = 0; i < (*table)->count; i++) {
            if (str_eq_c(words, (*table)->rows[i].words))
                return &(*table)->rows[i];
        }
    }
    return NULL;
}

/* Do the words begin a longer command? */
static bool is_group(Str words)
{
    for (const CommandTable *const *table = pcv_tables; *table; table++) {
        for (size_t i = 0; i < (*table)->count; i++) {
            Str row = str((*table)->rows[i].words);
            if (!words.size ||
                (str_starts(row, words) && row.size > words.size && row.data[words.size] == ' '))
                return true;
        }
    }
    return false;
}

bool cli_command_takes(const Command *command, OptionId id)
{
    for (size_t i = 0; i < ARRAY_LEN(common_options); i++) {
        if (common_options[i] == id)
            return true;
    }
    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && command->options[i]; i++) {
        if (command->options[i] == id)
            return true;
    }
    return false;
}

/* The nearest next word after `prefix`, for "did you mean"; NULL when nothing is near. */
static const char *nearest_word(Ctx *ctx, Str prefix, Str word)
{
    size_t best = MIN((size_t)NEAR_ENOUGH + 1, word.size);
    const char *found = NULL;
    for (const CommandTable *const *table = pcv_tables; *table; table++) {
        for (size_t i = 0; i < (*table)->count; i++) {
            const Command *row = &(*table)->rows[i];
            Str rest = str(row->words);
            if (row->hidden || !str_starts(rest, prefix))
                continue;
            rest = str_sub(rest, prefix.size ? prefix.size + 1 : 0, rest.size);
            Str next = str_sub(rest, 0, str_find(rest, ' '));
            size_t distance = text_distance(next, word);
            if (distance < best) {
                best = distance;
                found = str_z(ctx->arena, next);
            }
        }
    }
    return found;
}

static Status unknown_command(Cli *cli, Str prefix, Str word)
{
    Ctx *ctx = cli->ctx;
    const char *blank = prefix.size ? " " : "";
    Status s =
        FAIL(ctx, INVALID_ARGUMENT, "unknown command \"" STR_FMT "%s" STR_FMT "\" for \"%s\"",
             STR_ARG(prefix), blank, STR_ARG(word), cli->program);
    const char *nearest = nearest_word(ctx, prefix, cli_singular(word));
    if (nearest)
        return status_with_hint(ctx, s,
                                text_printf(ctx->arena, "Did you mean '%s " STR_FMT "%s%s'?",
                                            cli->program, STR_ARG(prefix), blank, nearest));
    return status_with_hint(ctx, s,
                            text_printf(ctx->arena, "Run '%s --help' for usage.", cli->program));
}

/* --- options ---------------------------------------------------------------------------------- */

static bool names(const Option *option, Str name, char letter)
{
    return letter ? option->letter == letter : str_eq_c(name, option->name);
}

/* Before the command is known, any option of that name will do: all that counts is whether a value
 * follows. */
static OptionId find_option(const Command *command, Str name, char letter)
{
    for (OptionId id = OPT_NONE + 1; id < OPT_COUNT; id++) {
        if (names(&pcv_options[id], name, letter) && (!command || cli_command_takes(command, id)))
            return id;
    }
    return OPT_NONE;
}

static Status unknown_option(Cli *cli, Str name, char letter, Str typed)
{
    Ctx *ctx = cli->ctx;
    if (letter)
        return FAIL(ctx, INVALID_ARGUMENT, "unknown shorthand flag: '%c' in " STR_FMT, letter,
                    STR_ARG(typed));
    Status s = FAIL(ctx, INVALID_ARGUMENT, "unknown flag: --" STR_FMT, STR_ARG(name));
    const char *nearest = NULL;
    size_t best = MIN((size_t)NEAR_ENOUGH + 1, name.size);
    for (OptionId id = OPT_NONE + 1; id < OPT_COUNT; id++) {
        size_t distance = text_distance(name, str(pcv_options[id].name));
        if (distance < best && cli_command_takes(cli->command, id)) {
            best = distance;
            nearest = pcv_options[id].name;
        }
    }
    return nearest
               ? status_with_hint(ctx, s, text_printf(ctx->arena, "Did you mean '--%s'?", nearest))
               : s;
}

static Status list_add(Cli *cli, OptionValue *value, Str item)
{
    char **grown = ARENA_NEW(cli->ctx->arena, char *, value->count + 2);
    if (!grown)
        return STATUS(RESOURCE_EXHAUSTED);
    if (value->count)
        memcpy(grown, value->list, value->count * sizeof(*grown));
    grown[value->count++] = str_z(cli->ctx->arena, item);
    value->list = grown;
    return OK;
}

static Status list_split(Cli *cli, OptionValue *value, Str items)
{
    while (items.size) {
        size_t end = str_find(items, ',');
        if (end)
            TRY(list_add(cli, value, str_sub(items, 0, end)));
        items = str_sub(items, end + 1, items.size);
    }
    return OK;
}

static Status parse_flag(Cli *cli, OptionValue *value, Str text)
{
    value->flag = str_eq_c(text, "true") || str_eq_c(text, "1");
    if (value->flag || str_eq_c(text, "false") || str_eq_c(text, "0"))
        return OK;
    return FAIL(cli->ctx, INVALID_ARGUMENT, "'" STR_FMT "' is neither true nor false",
                STR_ARG(text));
}

static Status set_value(Cli *cli, OptionId id, Str text)
{
    OptionValue *value = &cli->opt[id];
    value->text = str_z(cli->ctx->arena, text);
    switch (pcv_options[id].kind) {
    case OPTION_FLAG:
        return parse_flag(cli, value, text);
    case OPTION_NUMBER:
        if (!str_to_i64(text, &value->number))
            return FAIL(cli->ctx, INVALID_ARGUMENT, "'" STR_FMT "' is not a whole number",
                        STR_ARG(text));
        return OK;
    case OPTION_DURATION:
        return duration_parse(cli->ctx, text, &value->number);
    case OPTION_LIST:
        return list_split(cli, value, text);
    case OPTION_MANY:
        return list_add(cli, value, text);
    case OPTION_TEXT:
    default:
        return OK;
    }
}

static Status give(Cli *cli, OptionId id, Str text)
{
    const Option *option = &pcv_options[id];
    cli->opt[id].set = true;
    TRY_WRAP(cli->ctx, set_value(cli, id, text),
             "invalid argument \"" STR_FMT "\" for \"--%s\" flag", STR_ARG(text), option->name);
    return OK;
}

/* "--name", "--name=value", "--name value"; *at moves past what was taken. */
static Status take_long(Cli *cli, char **argv, int *at)
{
    Str typed = str(argv[(*at)++] + 2);
    size_t equals = str_find(typed, '=');
    Str name = str_sub(typed, 0, equals);
    OptionId id = find_option(cli->command, name, 0);
    if (!id)
        return unknown_option(cli, name, 0, typed);
    if (equals < typed.size)
        return give(cli, id, str_sub(typed, equals + 1, typed.size));
    if (pcv_options[id].kind == OPTION_FLAG)
        return give(cli, id, STR("true"));
    if (!argv[*at])
        return FAIL(cli->ctx, INVALID_ARGUMENT, "flag needs an argument: --" STR_FMT,
                    STR_ARG(name));
    return give(cli, id, str(argv[(*at)++]));
}

/* "-f", "-f value", "-fvalue", "-f=value", "-abc". */
static Status take_short(Cli *cli, char **argv, int *at)
{
    Str typed = str(argv[(*at)++]);
    for (size_t i = 1; i < typed.size; i++) {
        OptionId id = find_option(cli->command, STR(""), typed.data[i]);
        if (!id)
            return unknown_option(cli, STR(""), typed.data[i], typed);
        Str rest = str_sub(typed, i + 1, typed.size);
        bool has_value = str_starts(rest, STR("="));
        if (pcv_options[id].kind == OPTION_FLAG && !has_value) {
            TRY(give(cli, id, STR("true")));
            continue;
        }
        if (rest.size)
            return give(cli, id, has_value ? str_sub(rest, 1, rest.size) : rest);
        if (!argv[*at])
            return FAIL(cli->ctx, INVALID_ARGUMENT, "flag needs an argument: '%c' in " STR_FMT,
                        typed.data[i], STR_ARG(typed));
        return give(cli, id, str(argv[(*at)++]));
    }
    return OK;
}

static Status apply_presets(Cli *cli)
{
    for (OptionId id = OPT_NONE + 1; id < OPT_COUNT; id++) {
        if (pcv_options[id].preset && !cli->opt[id].set)
            TRY(set_value(cli, id, str(pcv_options[id].preset)));
    }
    return OK;
}

/* --- the whole line --------------------------------------------------------------------------- */

static bool is_option(const char *text)
{
    return text[0] == '-' && text[1] != '\0';
}

/* How many entries of argv the option at `at` takes, when the command is not known yet. */
static int option_width(char **argv, int at)
{
    Str typed = str(argv[at]);
    OptionId id;
    if (str_starts(typed, STR("--")))
        id = str_find(typed, '=') < typed.size
                 ? OPT_NONE
                 : find_option(NULL, str_sub(typed, 2, typed.size), 0);
    else
        id = typed.size == 2 ? find_option(NULL, STR(""), typed.data[1]) : OPT_NONE;
    return id && pcv_options[id].kind != OPTION_FLAG && argv[at + 1] ? 2 : 1;
}

/* Takes words of the command out of argv as long as they lead on; they become NULL-free holes in
 * `taken`. */
static Status find_words(Cli *cli, char **argv, bool *taken, const char **out_group)
{
    char words[WORDS_BYTES_MAX] = "";
    size_t size = 0;
    for (int at = 1; argv[at]; at++) {
        if (strcmp(argv[at], "--") == 0)
            break;
        if (is_option(argv[at])) {
            at += option_width(argv, at) - 1;
            continue;
        }
        Str word = cli_singular(str(argv[at]));
        size_t longer = size + (size ? 1 : 0) + word.size;
        Str prefix = { words, size };
        if (longer >= sizeof(words))
            return cli->command ? OK : unknown_command(cli, prefix, word);
        char tried[WORDS_BYTES_MAX];
        snprintf(tried, sizeof(tried), STR_FMT "%s" STR_FMT, STR_ARG(prefix), size ? " " : "",
                 STR_ARG(word));
        const Command *command = cli_find_command(str(tried));
        if (!command && !is_group(str(tried)))
            return cli->command ? OK : unknown_command(cli, prefix, str(argv[at]));
        taken[at] = true;
        if (command)
            cli->command = command;
        memcpy(words, tried, sizeof(words));
        size = longer;
    }
    *out_group = arena_strdup(cli->ctx->arena, words);
    return OK;
}

static Status take_rest(Cli *cli, char **argv, const bool *taken)
{
    bool only_args = false;
    for (int at = 1; argv[at];) {
        if (taken[at])
            at++;
        else if (!only_args && strcmp(argv[at], "--") == 0)
            only_args = (at++, true);
        else if (only_args || !is_option(argv[at]))
            cli->args[cli->arg_count++] = argv[at++];
        else if (argv[at][1] == '-')
            TRY(take_long(cli, argv, &at));
        else
            TRY(take_short(cli, argv, &at));
    }
    return OK;
}

static Status check_count(Cli *cli)
{
    const Command *c = cli->command;
    if (cli->arg_count >= c->args_min && (c->args_max == ARGS_ANY || cli->arg_count <= c->args_max))
        return OK;
    const char *s = c->args_min == 1 ? "" : "s";
    if (c->args_min == c->args_max)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "expected %d argument%s, got %zu", c->args_min, s,
                    cli->arg_count);
    if (c->args_max == ARGS_ANY)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "expected at least %d argument%s, got %zu",
                    c->args_min, s, cli->arg_count);
    return FAIL(cli->ctx, INVALID_ARGUMENT, "expected %d to %d arguments, got %zu", c->args_min,
                c->args_max, cli->arg_count);
}

static Status check_output(Cli *cli)
{
    const OptionValue *output = &cli->opt[OPT_OUTPUT];
    if (!output->set)
        return OK;
    if (!cli->opt[OPT_RAW].flag)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "cannot set --output (-o) without --raw");
    if (strcmp(output->text, "json") != 0 && strcmp(output->text, "yaml") != 0)
        return FAIL(cli->ctx, INVALID_ARGUMENT,
                    "unrecognized encoding: \"%s\" (must be \"yaml\" or \"json\")", output->text);
    return OK;
}

/* --help anywhere before "--". */
static bool asks_help(char **argv)
{
    for (int at = 1; argv[at] && strcmp(argv[at], "--") != 0; at++) {
        if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0)
            return true;
    }
    return false;
}

Status cli_parse(Cli *cli, int argc, char **argv, const char **out_group)
{
    *out_group = "";
    bool *taken = ARENA_NEW(cli->ctx->arena, bool, (size_t)argc + 1);
    cli->args = ARENA_NEW(cli->ctx->arena, char *, (size_t)argc + 1);
    if (!taken || !cli->args)
        return STATUS(RESOURCE_EXHAUSTED);
    TRY(find_words(cli, argv, taken, out_group));
    cli->opt[OPT_HELP].flag = asks_help(argv);
    if (!cli->command || cli->opt[OPT_HELP].flag)
        return OK;
    TRY(take_rest(cli, argv, taken));
    TRY(apply_presets(cli));
    TRY(check_count(cli));
    return check_output(cli);
}
