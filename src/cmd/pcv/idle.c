/* idle.c - verbs that scripts have and that have nothing to do here: what was given up, and what
 * only a cluster needs. */
#include "cmd/pcv/verbs_priv.h"

static Status deprecated(Cli *cli)
{
    cli_note("'%s' is deprecated and does nothing: no licence is needed", cli->command->words);
    return OK;
}

static Status port_forward(Cli *cli)
{
    const char *address;
    TRY(cli_address(cli, &address));
    cli_note("nothing needs to be forwarded: clients reach the server at %s", address);
    return OK;
}

static Status leave(Cli *cli)
{
    (void)cli;
    return OK;
}

static Status build_info(Cli *cli)
{
    cli_print(cli, "pcv %s\ncompiler  %s\n", PCV_VERSION, __VERSION__);
    return OK;
}

/* clang-format off */
#define DEPRECATED(words_) \
    { .words = words_, .args = "", .run = deprecated, .hidden = true, .offline = true, \
      .summary = "deprecated: does nothing" }

static const Command rows[] = {
    DEPRECATED("enterprise deactivate"), DEPRECATED("enterprise get-state"), DEPRECATED("enterprise heartbeat"),
    DEPRECATED("enterprise pause"), DEPRECATED("enterprise pause-status"), DEPRECATED("enterprise register"),
    DEPRECATED("enterprise sync-contexts"), DEPRECATED("enterprise unpause"),
    DEPRECATED("license activate"), DEPRECATED("license add-cluster"), DEPRECATED("license delete-all"),
    DEPRECATED("license delete-cluster"), DEPRECATED("license get-state"), DEPRECATED("license list-clusters"),
    DEPRECATED("license update-cluster"),
    { .words = "port-forward", .args = "", .run = port_forward, .hidden = true,
      .summary = "say where the server is: there is nothing to forward",
      .options = { OPT_NAMESPACE } },
    { .words = "exit", .args = "", .run = leave, .hidden = true, .offline = true,
      .summary = "do nothing: leaves a shell" },
    { .words = "buildinfo", .args = "", .run = build_info, .offline = true,
      .summary = "print how this program was built" },
};
/* clang-format on */

const CommandTable idle_commands = { rows, ARRAY_LEN(rows) };
