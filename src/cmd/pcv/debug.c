/* debug.c - debug datum: a command where a datum's code was. The worker's own program makes the
 * place (cmd/worker_debug.h); this one asks the server what the place is, and becomes that program. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "cmd/pcv/verbs_priv.h"
#include "procavia/v1/procavia.pb-c.h"

static Status ask_recipe(Cli *cli, Procavia__V1__DatumRecipeResponse **out)
{
    Procavia__V1__DatumRecipeRequest *request =
        PB_NEW(cli->ctx, procavia__v1__datum_recipe_request, Procavia__V1__DatumRecipeRequest);
    request->datum = PB_NEW(cli->ctx, pps_v2__datum, PpsV2__Datum);
    TRY(ref_job(cli->ctx, cli_project_name(cli), cli->args[0], &request->datum->job));
    request->datum->id = cli->args[1];
    return cli_call(cli, "/procavia.v1.API/DatumRecipe", request, out);
}

/* Images and the host's own root are the server's. */
static Status check_machine(Ctx *ctx, const Procavia__V1__DatumRecipeResponse *recipe)
{
    CLEANUP(buf_done) Buf boot_id = { 0 };
    TRY(file_read_path(ctx, BOOT_ID_FILE, &boot_id));
    return str_eq_c(buf_str(&boot_id), recipe->boot_id)
               ? OK
               : FAIL(ctx, FAILED_PRECONDITION,
                      "the server runs on another machine: debug its datums there");
}

/* The set in memory that the next program reads; secrets are in it. */
static Status pass_set(Ctx *ctx, const Procavia__Work__WorkSet *set, const char **out_fd)
{
    int fd = memfd_create("set", 0);
    if (fd < 0)
        return status_errno(ctx, errno, "could not make memory for the datum");
    Bytes packed = pb_pack_bytes(ctx, &set->base);
    TRY(file_write_all(ctx, fd, packed.data, packed.size));
    *out_fd = text_printf(ctx->arena, "%d", fd);
    return OK;
}

/* What is kept is moved there at the end, so the scratch folder is beside it. */
static Status make_scratch(Cli *cli, const char **out)
{
    Ctx *ctx = cli->ctx;
    const char *keep = cli_text(cli, OPT_KEEP), *base = getenv("TMPDIR");
    struct stat st;
    if (*keep && lstat(keep, &st) == 0)
        return FAIL(ctx, ALREADY_EXISTS, "'%s' is there already", keep);
    char *path = *keep ? text_printf(ctx->arena, "%s.scratch-XXXXXX", keep)
                       : text_printf(ctx->arena, "%s/pcv-debug-XXXXXX",
                                     base && *base ? base : "/tmp");
    if (!mkdtemp(path))
        return status_errno(ctx, errno, "could not make a folder like '%s'", path);
    *out = path;
    return OK;
}

#define OWN_ARGS_MAX 24

/* What comes behind the datum; without anything, a shell. */
static size_t add_command(const Cli *cli, const char **argv, size_t n)
{
    static const char *const shell[] = { "sh", "-c", "command -v bash >/dev/null && exec bash; exec sh" };
    if (cli->arg_count <= 2) {
        for (size_t i = 0; i < ARRAY_LEN(shell); i++)
            argv[n++] = shell[i];
    }
    for (size_t i = 2; i < cli->arg_count; i++)
        argv[n++] = cli->args[i];
    return n;
}

static Status become_worker(Cli *cli, const Procavia__V1__DatumRecipeResponse *recipe)
{
    Ctx *ctx = cli->ctx;
    const char *fd = "", *address = "", *scratch = "";
    const char *program = process_sibling(ctx, "pcv-worker");
    TRY(cli_address(cli, &address));
    TRY(pass_set(ctx, recipe->set, &fd));
    TRY(make_scratch(cli, &scratch));
    const char **argv = ARENA_NEW(ctx->arena, const char *, OWN_ARGS_MAX + cli->arg_count);
    if (!argv)
        return STATUS(RESOURCE_EXHAUSTED);
    const char *const own[] = { program, "--debug", fd, "--server", address, "--scratch", scratch,
                                "--hide", recipe->hidden, "--sandbox", recipe->sandbox, "--keep",
                                cli_text(cli, OPT_KEEP), "--" };
    memcpy(argv, own, sizeof(own));
    add_command(cli, argv, ARRAY_LEN(own));
    union {
        const char **items;
        char *const *vector;
    } same = { .items = argv };
    execv(program, same.vector);
    return status_errno(ctx, errno, "could not run '%s'", program);
}

static Status debug_datum(Cli *cli)
{
    Procavia__V1__DatumRecipeResponse *recipe;
    TRY(ask_recipe(cli, &recipe));
    TRY(check_machine(cli->ctx, recipe));
    return become_worker(cli, recipe);
}

/* clang-format off */
static const Command rows[] = {
    { .words = "debug datum", .args = "<pipeline>@<job> <datum> [-- <command>...]", .args_min = 2,
      .args_max = ARGS_ANY, .run = debug_datum,
      .summary = "run a shell, or a command, where a datum's code was",
      .detail = "It has the datum's inputs, environment, image, user, working folder and limits, and an\n"
                "empty /pfs/out of its own, which goes with it unless --keep names a folder for it.\n"
                "Secrets are there, too. Works on the server's machine. Exits as the command does.",
      .options = { OPT_KEEP, OPT_PROJECT } },
};
/* clang-format on */

const CommandTable debug_commands = { rows, ARRAY_LEN(rows) };
