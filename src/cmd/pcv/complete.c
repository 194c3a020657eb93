/* complete.c - completion bash, completion zsh: scripts by which a shell asks this program what may
 * come next; and the answers, from the tables and from the server. */
#include "base/clock.h"
#include "base/file.h"
#include "cmd/pcv/verbs_priv.h"

#define PATIENCE_NS NS_PER_SEC /* of someone who pressed TAB */

/* --- scripts ---------------------------------------------------------------------------------- */

/* Words are given after "--": they may look like flags. Of bash's own idea of what parts words only
 * blanks are meant: what else it cut off is cut off the answers. */
static const char bash_script[] =
    "# bash completion for PROGRAM: source it, or put it where completions are loaded from\n"
    "_PROGRAM() {\n"
    "    local line=${COMP_LINE:0:COMP_POINT} words cut IFS=$' \\t\\n'\n"
    "    read -ra words <<< \"$line\"\n"
    "    [[ $line == *[[:blank:]] ]] && words+=(\"\")\n"
    "    IFS=$'\\n'\n"
    "    COMPREPLY=($(\"${words[0]}\" complete-words -- \"${words[@]:1}\" 2>/dev/null))\n"
    "    cut=${words[-1]%\"${COMP_WORDS[COMP_CWORD]}\"}\n"
    "    COMPREPLY=(\"${COMPREPLY[@]#\"$cut\"}\")\n"
    "}\n"
    "complete -o default -F _PROGRAM PROGRAM\n";

static const char zsh_script[] =
    "#compdef PROGRAM\n"
    "_PROGRAM() {\n"
    "    local -a answers\n"
    "    answers=(\"${(@f)$($words[1] complete-words -- \"${(@)words[2,CURRENT]}\" "
    "2>/dev/null)}\")\n"
    "    compadd -a answers || _files\n"
    "}\n"
    "compdef _PROGRAM PROGRAM\n";

static void name_program(const char *script, const char *program, Buf *out)
{
    static const char word[] = "PROGRAM";
    for (const char *at = script, *next; *at; at = next) {
        next = strstr(at, word);
        buf_add_str(out, (Str){ at, next ? (size_t)(next - at) : strlen(at) });
        if (!next)
            return;
        buf_add_str(out, str(program));
        next += strlen(word);
    }
}

static Status give_script(Cli *cli, const char *script, const char *preset)
{
    CLEANUP(buf_done) Buf text = { 0 };
    const char *path = cli_text(cli, OPT_COMPLETION_PATH);
    if (!*path)
        path = preset;
    name_program(script, cli->program, &text);
    if (!cli->opt[OPT_INSTALL].flag) {
        buf_add_str(&cli->out, buf_str(&text));
        return OK;
    }
    TRY_WRAP(cli->ctx, file_replace(cli->ctx, path, buf_bytes(&text), 0644),
             "could not install the completions");
    cli_print(cli,
              "Completions installed in \"%s\", you must restart your terminal to enable them.\n",
              path);
    return OK;
}

static Status completion_bash(Cli *cli)
{
    return give_script(cli, bash_script,
                       text_printf(cli->ctx->arena, "/etc/bash_completion.d/%s", cli->program));
}

static Status completion_zsh(Cli *cli)
{
    return give_script(cli, zsh_script, text_printf(cli->ctx->arena, "_%s", cli->program));
}

/* --- what may come next ----------------------------------------------------------------------- */

typedef struct Asked {
    Cli *cli;
    Str prefix;             /* the word that is being typed */
    const Command *command; /* NULL: not known yet */
    Str words;              /* of a command, so far */
    size_t args;            /* whole words after it */
} Asked;

static void offer(const Asked *asked, const char *before, Str word, const char *after)
{
    Cli *cli = asked->cli;
    const char *whole =
        text_printf(cli->ctx->arena, "%s" STR_FMT "%s", before, STR_ARG(word), after);
    if (str_starts(str(whole), asked->prefix))
        cli_print(cli, "%s\n", whole);
}

/* The whole words before the one that is typed: a command's, then arguments. */
static void read_words(Asked *asked)
{
    const Cli *cli = asked->cli;
    Ctx *ctx = cli->ctx;
    for (size_t i = 0; i + 1 < cli->arg_count; i++) {
        Str word = str(cli->args[i]);
        if (str_starts(word, STR("-")))
            continue;
        const char *longer = text_printf(ctx->arena, STR_FMT "%s" STR_FMT, STR_ARG(asked->words),
                                         asked->words.size ? " " : "", STR_ARG(cli_singular(word)));
        if (asked->command) {
            asked->args++;
            continue;
        }
        asked->words = str(longer);
        asked->command = cli_find_command(asked->words);
    }
    asked->prefix = cli->arg_count ? str(cli->args[cli->arg_count - 1]) : STR("");
}

/* Each next word once: rows that share it stand together in no order, so it is looked for above. */
static bool is_first(const Asked *asked, const CommandTable *const *table, size_t row, Str next)
{
    for (const CommandTable *const *t = pcv_tables; t <= table; t++)
        for (size_t i = 0; i < (t == table ? row : (*t)->count); i++) {
            Str rest = str((*t)->rows[i].words);
            if ((*t)->rows[i].hidden || !str_starts(rest, asked->words))
                continue;
            rest = str_sub(rest, asked->words.size ? asked->words.size + 1 : 0, rest.size);
            if (str_eq(str_sub(rest, 0, str_find(rest, ' ')), next))
                return false;
        }
    return true;
}

static void offer_words(const Asked *asked)
{
    for (const CommandTable *const *table = pcv_tables; *table; table++)
        for (size_t i = 0; i < (*table)->count; i++) {
            const Command *row = &(*table)->rows[i];
            Str rest = str(row->words);
            size_t skip = asked->words.size ? asked->words.size + 1 : 0;
            bool inside = str_starts(rest, asked->words) &&
                          (!skip || (rest.size > skip && rest.data[skip - 1] == ' '));
            if (row->hidden || !inside)
                continue;
            rest = str_sub(rest, skip, rest.size);
            Str next = str_sub(rest, 0, str_find(rest, ' '));
            if (is_first(asked, table, i, next))
                offer(asked, "", next, "");
        }
}

static void offer_flags(const Asked *asked)
{
    for (OptionId id = OPT_NONE + 1; id < OPT_COUNT; id++)
        if (cli_command_takes(asked->command, id))
            offer(asked, "--", str(pcv_options[id].name), "");
}

/* --- names, from the server ------------------------------------------------------------------- */

static Status offer_repo(Cli *cli, void *arg, const void *message)
{
    const PfsV2__RepoInfo *info = message;
    const Asked *asked = arg;
    bool is_whole = strcmp(asked->command->args, "<repo>") == 0 ||
                    strcmp(asked->command->args, "[<repo>]") == 0;
    (void)cli;
    offer(asked, "", str(info->repo->name), is_whole ? "" : "@");
    return OK;
}

static Status offer_branch(Cli *cli, void *arg, const void *message)
{
    const PfsV2__BranchInfo *info = message;
    (void)cli;
    offer(arg, text_printf(cli->ctx->arena, "%s@", info->branch->repo->name),
          str(info->branch->name), "");
    return OK;
}

static Status offer_pipeline(Cli *cli, void *arg, const void *message)
{
    const PpsV2__PipelineInfo *info = message;
    (void)cli;
    offer(arg, "", str(info->pipeline->name), "");
    return OK;
}

static Status offer_project(Cli *cli, void *arg, const void *message)
{
    const PfsV2__ProjectInfo *info = message;
    (void)cli;
    offer(arg, "", str(info->project->name), "");
    return OK;
}

static Status offer_repos(Asked *asked)
{
    Cli *cli = asked->cli;
    PfsV2__Project *project = cli_project(cli);
    PfsV2__ListRepoRequest *request =
        PB_NEW(cli->ctx, pfs_v2__list_repo_request, PfsV2__ListRepoRequest);
    request->type = arena_strdup(cli->ctx->arena, "user");
    request->projects = &project;
    request->n_projects = 1;
    return cli_each(cli, "/pfs_v2.API/ListRepo", request, offer_repo, asked);
}

static Status offer_branches(Asked *asked, size_t at)
{
    Cli *cli = asked->cli;
    PfsV2__ListBranchRequest *request =
        PB_NEW(cli->ctx, pfs_v2__list_branch_request, PfsV2__ListBranchRequest);
    TRY(ref_repo(cli->ctx, cli_project_name(cli),
                 str_z(cli->ctx->arena, str_sub(asked->prefix, 0, at)), &request->repo));
    return cli_each(cli, "/pfs_v2.API/ListBranch", request, offer_branch, asked);
}

static Status offer_pipelines(Asked *asked)
{
    Cli *cli = asked->cli;
    PfsV2__Project *project = cli_project(cli);
    PpsV2__ListPipelineRequest *request =
        PB_NEW(cli->ctx, pps_v2__list_pipeline_request, PpsV2__ListPipelineRequest);
    request->projects = &project;
    request->n_projects = 1;
    return cli_each(cli, "/pps_v2.API/ListPipeline", request, offer_pipeline, asked);
}

static Status offer_projects(Asked *asked)
{
    Cli *cli = asked->cli;
    PfsV2__ListProjectRequest *request =
        PB_NEW(cli->ctx, pfs_v2__list_project_request, PfsV2__ListProjectRequest);
    return cli_each(cli, "/pfs_v2.API/ListProject", request, offer_project, asked);
}

/* What the command's arguments name, by how its usage calls them. */
static Status offer_names(Asked *asked)
{
    const char *args = asked->command->args ? asked->command->args : "";
    size_t at = str_find(asked->prefix, '@');
    if (strstr(args, "<repo>") && at < asked->prefix.size)
        return offer_branches(asked, at);
    if (strstr(args, "<repo>"))
        return offer_repos(asked);
    if (strstr(args, "<pipeline>") && !asked->args)
        return offer_pipelines(asked);
    if (strstr(args, "<project>") && !asked->args)
        return offer_projects(asked);
    return OK;
}

static Status complete_words(Cli *cli)
{
    Asked asked = { .cli = cli, .words = STR("") };
    cli->ctx->deadline_ns = MIN(cli->ctx->deadline_ns, clock_mono_ns() + PATIENCE_NS);
    read_words(&asked);
    if (!asked.command)
        offer_words(&asked);
    else if (str_starts(asked.prefix, STR("-")))
        offer_flags(&asked);
    else
        return offer_names(&asked);
    return OK;
}

/* clang-format off */
static const Command rows[] = {
    { .words = "completion bash", .args = "", .run = completion_bash, .offline = true,
      .summary = "print a script that completes commands, flags and names in bash",
      .options = { OPT_INSTALL, OPT_COMPLETION_PATH } },
    { .words = "completion zsh", .args = "", .run = completion_zsh, .offline = true,
      .summary = "print a script that completes commands, flags and names in zsh",
      .options = { OPT_INSTALL, OPT_COMPLETION_PATH } },
    { .words = "complete-words", .args = "-- <word>...", .args_max = ARGS_ANY, .run = complete_words, .hidden = true,
      .offline = true, .summary = "print what the last word may become" },
};
/* clang-format on */

const CommandTable completion_commands = { rows, ARRAY_LEN(rows) };
