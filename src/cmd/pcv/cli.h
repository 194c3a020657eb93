/* cli.h - what the verbs of pcv are made of: the table's rows, one run, and calls to the server.
 *
 * A verb is a row of a table: its words, what it takes, its help, its function. Everything else
 * follows from the rows: parsing, usage, --help, completion, "did you mean". One process is one run
 * of one verb, on one thread; all its memory is the arena of the run.
 */
#pragma once

#include "base/ctx.h"
#include "cmd/pcv/settings.h"
#include "pfs/pfs.pb-c.h"
#include "wire/wire.h"

typedef enum OptionKind {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_NUMBER,
    OPTION_DURATION,
    OPTION_LIST, /* may come several times; commas part values */
    OPTION_MANY, /* may come several times; commas are part of the value */
} OptionKind;

typedef enum OptionId {
    OPT_NONE,
#define X(id, ...) OPT_##id,
#include "cmd/pcv/options.def"
#undef X
    OPT_COUNT
} OptionId;

typedef struct Option {
    const char *name;
    const char *value;  /* the word for its value in usage; NULL for flags */
    const char *preset; /* as if typed; NULL: none */
    const char *help;
    OptionKind kind;
    char letter; /* 0: none */
} Option;

extern const Option pcv_options[OPT_COUNT]; /* by OptionId */

typedef struct OptionValue {
    char *text;     /* as typed, else the preset; NULL: neither */
    char **list;    /* LIST and MANY */
    size_t count;   /* of list */
    int64_t number; /* NUMBER; DURATION in nanoseconds */
    bool flag;
    bool set; /* on the command line */
} OptionValue;

typedef struct Cli Cli;

#define COMMAND_OPTIONS_MAX 24
#define ARGS_ANY            255

typedef struct Command {
    const char *words;   /* "create repo": the resource in the singular */
    const char *args;    /* "<repo>", for usage */
    const char *summary; /* one line, no full stop */
    const char *detail;  /* more for --help; NULL: nothing to add */
    Status (*run)(Cli *cli);
    uint8_t args_min, args_max;           /* ARGS_ANY: no limit */
    uint8_t options[COMMAND_OPTIONS_MAX]; /* OptionIds, ended by OPT_NONE */
    bool in_transaction;                  /* joins the active transaction when there is one */
    bool hidden;                          /* not listed in help and completion */
    bool paged;                           /* long: goes through the pager on a terminal */
    bool offline;                         /* runs even when the configuration cannot be read */
} Command;

#define OPTIONS_RAW OPT_RAW, OPT_OUTPUT

typedef struct CommandTable {
    const Command *rows;
    size_t count;
} CommandTable;

extern const CommandTable *const pcv_tables[]; /* ends in NULL */

struct Cli {
    Ctx *ctx;
    const char *program; /* argv[0], for usage */
    const Command *command;
    char **args; /* [arg_count], then NULL */
    size_t arg_count;
    OptionValue opt[OPT_COUNT];
    Settings settings;
    WireClient *client; /* NULL until the first call */
    Buf out;            /* bytes for standard output */
    bool color;
    int pager;      /* its process; 0: none */
    bool raw_begun; /* --raw -o yaml: a document was printed */
};

/* --- args.c: from argv to a command and its values -------------------------------------------- */

/* Finds the command in argv[1..] and fills command, args and opt; command stays NULL when the words
 * end before one is whole (then *out_group is the words so far, "" for none: their help is due).
 * Errors: INVALID_ARGUMENT with the text, and a hint where there is one. */
Status cli_parse(Cli *cli, int argc, char **argv, const char **out_group) NODISCARD;

/* The command of these words; NULL when there is none. Any synonym of a resource will do. */
const Command *cli_find_command(Str words);
bool cli_command_takes(const Command *command, OptionId id);
/* "repos" is "repo"; other words are themselves. */
Str cli_singular(Str word);

/* --- help.c ----------------------------------------------------------------------------------- */

void cli_help(Cli *cli, const char *group); /* of a group of commands; "": of the program */
void cli_help_command(Cli *cli, const Command *command);
void cli_usage(const char *program, const Command *command, Buf *out); /* one line */

/* --- out.c: standard output ------------------------------------------------------------------- */

void cli_print(Cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);
Status cli_flush(Cli *cli);
/* A message as --raw and -o ask for it. */
Status cli_print_raw(Cli *cli, const void *message) NODISCARD;
/* A note or warning on standard error, with a newline. */
void cli_note(const char *format, ...) PRINTF_LIKE(1, 2);
/* Reads y or Y from standard input. Errors: OUT_OF_RANGE "EOF". */
Status cli_confirm(Cli *cli, bool *out_yes) NODISCARD;

/* Times as tables show them: "3 minutes ago", or RFC 3339 with --full-timestamps; "-" when unset.
 * In the arena. */
char *cli_ago(Cli *cli, const Google__Protobuf__Timestamp *at);
char *cli_time(Cli *cli, const Google__Protobuf__Timestamp *at); /* RFC 3339, "-" when unset */
char *cli_size(Cli *cli, int64_t bytes);

typedef enum Color { COLOR_GREEN = 32, COLOR_YELLOW = 33, COLOR_RED = 31 } Color;
/* text in that colour, where colours are wanted. */
const char *cli_paint(Cli *cli, Color color, const char *text);

/* --- call.c: the server ----------------------------------------------------------------------- */

/* Where the server is, as "grpc://host:port". Errors: those of settings_qualify. */
Status cli_address(Cli *cli, const char **out) NODISCARD;

/* The connection, made on first use. */
Status cli_client(Cli *cli, WireClient **out) NODISCARD;

/* A unary call; *out (may be NULL) is the answer, in the arena. Errors: the server's. */
Status cli_call(Cli *cli, const char *path, const void *request, void *out) NODISCARD;

/* A call that answers with a stream: each(arg, message) for each. What `each` puts into the arena
 * is gone after it. An error of `each` ends the call. */
typedef Status (*CliEach)(Cli *cli, void *arg, const void *message);
Status cli_each(Cli *cli, const char *path, const void *request, CliEach each, void *arg) NODISCARD;

/* All messages of a stream, in the arena. */
typedef struct CliMessages {
    void **items;
    size_t count;
} CliMessages;
Status cli_collect(Cli *cli, const char *path, const void *request, CliMessages *out) NODISCARD;

/* --- shared by verbs -------------------------------------------------------------------------- */

/* --project, or the context's. */
const char *cli_project_name(Cli *cli);
PfsV2__Project *cli_project(Cli *cli);

/* A text option; "" when it was not given and has no preset. Never NULL. */
char *cli_text(const Cli *cli, OptionId id);
