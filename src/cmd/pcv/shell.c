/* shell.c - shell: lines that are run as if this program's name stood before them. Bash runs them,
 * so pipes and quotes work; and it can be asked to complete words as on any line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/pcv/verbs_priv.h"

/* This very program, whatever the PATH says. */
static char *own_path(Ctx *ctx)
{
    char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
    return size < 0 ? NULL : arena_strndup(ctx->arena, path, (size_t)size);
}

static Status run_line(Cli *cli, const char *line)
{
    pid_t pid = fork();
    if (pid < 0)
        return status_errno(cli->ctx, errno, "could not start bash");
    if (pid == 0) {
        /* "$0" is the program, so that nothing of its path is read as syntax. */
        execlp("bash", "bash", "-c", text_printf(cli->ctx->arena, "\"$0\" %s", line),
               own_path(cli->ctx), (char *)NULL);
        fprintf(stderr, "could not start bash: %s\n", strerror(errno));
        _exit(127);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return OK;
}

static bool is_exit(const char *line)
{
    return strcmp(line, "exit") == 0 || strcmp(line, "quit") == 0;
}

static void prompt(Cli *cli)
{
    const char *context = cli->settings.context_name;
    if (isatty(STDIN_FILENO))
        cli_print(cli, "context:(%s) >>> ", context ? context : "default");
}

/* A line that fails ends nothing: it has said why. */
static Status shell(Cli *cli)
{
    Status s = OK;
    char *line = NULL;
    size_t room = 0;
    if (isatty(STDIN_FILENO))
        cli_print(cli, "Type 'exit' or press Ctrl-D to exit.\n");
    for (;;) {
        ArenaMark mark = arena_mark(cli->ctx->arena);
        prompt(cli);
        s = cli_flush(cli);
        if (!status_ok(s) || getline(&line, &room, stdin) < 0)
            break;
        line[strcspn(line, "\r\n")] = '\0';
        if (is_exit(line))
            break;
        if (line[strspn(line, " \t")])
            s = run_line(cli, line);
        if (!status_ok(s))
            break;
        arena_rewind(cli->ctx->arena, mark);
    }
    free(line);
    return s;
}

/* clang-format off */
static const Command rows[] = {
    { .words = "shell", .args = "", .run = shell, .offline = true,
      .summary = "read commands, without this program's name before them",
      .options = { OPT_COMPLETIONS_MAX } },
};
/* clang-format on */

const CommandTable shell_commands = { rows, ARRAY_LEN(rows) };
