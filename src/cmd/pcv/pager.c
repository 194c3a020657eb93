/* pager.c - see pager.h. */
#include "cmd/pcv/pager.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_pager(int input)
{
    const char *pager = getenv("PAGER");
    dup2(input, STDIN_FILENO);
    close(input);
    execl("/bin/sh", "sh", "-c", pager && *pager ? pager : "less -RFX", (char *)NULL);
    _exit(127);
}

void pager_start(Cli *cli)
{
    int ends[2];
    if (cli->opt[OPT_NO_PAGER].flag || !isatty(STDOUT_FILENO) || pipe(ends) != 0)
        return;
    cli->pager = fork();
    if (cli->pager == 0) {
        close(ends[1]);
        run_pager(ends[0]);
    }
    close(ends[0]);
    if (cli->pager > 0) {
        signal(SIGPIPE, SIG_IGN); /* who leaves the pager has read enough */
        dup2(ends[1], STDOUT_FILENO);
    } else {
        cli_note("could not start the pager");
    }
    close(ends[1]);
}

void pager_stop(Cli *cli)
{
    if (cli->pager <= 0)
        return;
    close(STDOUT_FILENO);
    while (waitpid(cli->pager, NULL, 0) < 0)
        continue;
    cli->pager = 0;
}
