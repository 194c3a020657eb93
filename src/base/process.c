/* process.c - see process.h. */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

static void plan_files(posix_spawn_file_actions_t *actions, int input_fd, bool silent)
{
    posix_spawn_file_actions_init(actions);
    posix_spawn_file_actions_adddup2(actions, input_fd, STDIN_FILENO);
    posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (silent)
        posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
}

static void plan_signals(posix_spawnattr_t *attr)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(attr);
    posix_spawnattr_setsigmask(attr, &none);
    posix_spawnattr_setsigdefault(attr, &all);
    posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

Status process_start(Ctx *ctx, char *const *argv, char *const *environment, int input_fd,
                     bool silent, pid_t *out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    plan_files(&actions, input_fd, silent);
    plan_signals(&attr);
    int error = posix_spawn(out, argv[0], &actions, &attr, argv, environment);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return error ? status_errno(ctx, error, "could not start '%s'", argv[0]) : OK;
}

const char *process_sibling(Ctx *ctx, const char *name)
{
    char self[4096];
    ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[MAX(size, (ssize_t)0)] = '\0';
    char *slash = strrchr(self, '/');
    return text_printf(ctx->arena, "%.*s/%s", slash ? (int)(slash - self) : 0, self, name);
}

void process_end(pid_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}
