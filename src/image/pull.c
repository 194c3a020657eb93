/* pull.c - images from registries, fetched by skopeo: credentials, mirrors and protocols are its
 * business. */
#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "image/image_priv.h"

extern char **environ;

#define SAID_BYTES_MAX (4 * KiB) /* of what skopeo said that goes into an error */

/* Reads to the end, keeps the last part. */
static void read_said(Ctx *ctx, int fd, Buf *out)
{
    char piece[1024];
    (void)ctx;
    for (ssize_t got; (got = read(fd, piece, sizeof(piece))) > 0;) {
        buf_add(out, piece, (size_t)got);
        if (out->size > SAID_BYTES_MAX)
            buf_drop_front(out, out->size - SAID_BYTES_MAX);
    }
}

static Status spawn_skopeo(Ctx *ctx, const char *name, const char *target, int said_fd, pid_t *out)
{
    char *argv[] = { arena_strdup(ctx->arena, "skopeo"),
                     arena_strdup(ctx->arena, "copy"),
                     arena_strdup(ctx->arena, "--quiet"),
                     text_printf(ctx->arena, "docker://%s", name),
                     text_printf(ctx->arena, "oci-archive:%s", target),
                     NULL };
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, said_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, said_fd, STDERR_FILENO);
    posix_spawnattr_t attr;
    posix_spawnattr_init(&attr);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    int error = posix_spawnp(out, argv[0], &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    if (error == ENOENT)
        return status_with_hint(
            ctx,
            FAIL(ctx, FAILED_PRECONDITION, "could not pull image '%s': skopeo is not installed",
                 name),
            "Install skopeo on the server, or import the image from an archive.");
    return error ? status_errno(ctx, error, "could not start skopeo") : OK;
}

static Status fetch(Ctx *ctx, const char *name, const char *target)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return status_errno(ctx, errno, "could not make a pipe");
    AUTO_FD read_end = fds[0];
    AUTO_FD write_end = fds[1];
    pid_t pid;
    TRY(spawn_skopeo(ctx, name, target, write_end, &pid));
    fd_closep(&write_end);
    CLEANUP(buf_done) Buf said = { 0 };
    read_said(ctx, read_end, &said);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return OK;
    return FAIL(ctx, UNAVAILABLE, "could not pull image '%s': " STR_FMT, name,
                STR_ARG(buf_str(&said)));
}

Status image_pull(Ctx *ctx, ImageStore *store, const char *name, ImageRow *out)
{
    const char *work;
    if (!image_name_canonical(ctx->arena, str(name)))
        return FAIL(ctx, INVALID_ARGUMENT, "%s cannot be the name of an image",
                    text_quote(ctx->arena, str(name)));
    TRY(image_work_dir(ctx, store, &work));
    const char *archive = text_printf(ctx->arena, "%s/pulled.tar", work);
    Status s = fetch(ctx, name, archive);
    if (status_ok(s))
        s = image_import(ctx, store, name, "oci-archive", archive, out);
    Status removed = file_remove_tree(ctx, work);
    return status_ok(s) ? removed : s;
}
