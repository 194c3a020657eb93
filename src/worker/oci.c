/* oci.c - see oci.h: the runtime as a program.
 *
 * `run --detach` leaves the container's pid 1 to the keeper, which waits for it as for its own
 * child and so sees its real end. What the runtime keeps of a container is deleted when the next
 * one starts, out of the way of whoever waits for this one.
 *
 * pid 1 gets its descriptors beyond the standard ones, as runtimes change the owner of those. One
 * of them is a pipe that only the keeper holds: it ends when the keeper does, and pid 1 with it.
 */
#include "worker/oci.h"

#include <errno.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "worker/init.h"
#include "worker/perform_priv.h"

#define SAID_BYTES_MAX 2048 /* of what a runtime said that goes into an error */
#define SPARE_FD       32   /* descriptors move up here before they get their places */

struct Oci {
    const OciConfig *config;
    char *program; /* its path */
    int init_fd;
    int life[2];        /* read end for pid 1, write end for us */
    unsigned long runs; /* the last container's name is this number */
};

Status oci_open(Ctx *ctx, const OciConfig *config, Oci **out)
{
    char path[PATH_MAX];
    if (!file_find_in_path(config->program, FILE_SYSTEM_PATH, path, sizeof(path)))
        return FAIL(ctx, FAILED_PRECONDITION, "%s is not installed", config->program);
    Oci *oci = calloc(1, sizeof(*oci));
    if (!oci)
        abort();
    oci->config = config;
    oci->program = strdup(path);
    oci->life[0] = oci->life[1] = -1;
    oci->init_fd = open(config->init_path, O_RDONLY | O_CLOEXEC);
    if (oci->init_fd < 0 || pipe2(oci->life, O_CLOEXEC) < 0) {
        int error = errno;
        oci_close(oci);
        return status_errno(ctx, error, "could not open program '%s'", config->init_path);
    }
    *out = oci;
    return OK;
}

/* --- the program ----------------------------------------------------------------------------- */

/* Gives descriptors the numbers that pcv-init knows them by; in the child. */
static void place_fds(const Oci *oci, const int fds[REQUEST_FD_COUNT])
{
    int from[OCI_FD_END] = { [OCI_FD_INIT] = oci->init_fd, [OCI_FD_LIFE] = oci->life[0] };
    for (int i = 0; i < REQUEST_FD_COUNT; i++)
        from[OCI_FD_RUN + i] = fds[i];
    for (int fd = OCI_FD_INIT; fd < OCI_FD_END; fd++)
        from[fd] = fcntl(from[fd], F_DUPFD_CLOEXEC, SPARE_FD);
    for (int fd = OCI_FD_INIT; fd < OCI_FD_END; fd++)
        dup2(from[fd], fd);
}

/* Runs it with arguments after the usual ones; fds NULL: none but the standard ones. What it said
 * goes to said_fd. Its wait status. */
static int run_program(const Oci *oci, const char *const *args, const int *fds, int said_fd)
{
    char state[PATH_MAX];
    snprintf(state, sizeof(state), "%s/state", oci->config->dir);
    bool is_crun = strstr(oci->config->program, "crun") != NULL;
    const char *argv[16] = { oci->program, "--root", state };
    size_t n = 3;
    if (is_crun) /* the keeper's cgroup has the limits already */
        argv[n++] = "--cgroup-manager=disabled";
    while (*args && n + 1 < ARRAY_LEN(argv))
        argv[n++] = *args++;
    char runtime_dir[PATH_MAX + 32];
    snprintf(runtime_dir, sizeof(runtime_dir), "XDG_RUNTIME_DIR=%s", oci->config->dir);
    const char *env[] = { "PATH=" FILE_SYSTEM_PATH, runtime_dir, NULL };

    pid_t pid = fork();
    if (pid == 0) {
        init_reset_signals();
        if (fds)
            place_fds(oci, fds);
        dup2(said_fd, STDOUT_FILENO);
        dup2(said_fd, STDERR_FILENO);
        execve(oci->program, exec_vector(argv), exec_vector(env));
        _exit(127);
    }
    int status = -1;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

static Status say_why(Ctx *ctx, const Oci *oci, int said_fd)
{
    char said[SAID_BYTES_MAX];
    ssize_t size = pread(said_fd, said, sizeof(said), 0);
    Str text = { said, size > 0 ? (size_t)size : 0 };
    while (text.size && text.data[text.size - 1] == '\n')
        text.size--;
    return FAIL(ctx, INTERNAL, "%s could not start a container: " STR_FMT, oci->config->program,
                STR_ARG(text));
}

static void delete_last(const Oci *oci)
{
    if (!oci->runs)
        return;
    char name[24];
    snprintf(name, sizeof(name), "r%lu", oci->runs);
    const char *const args[] = { "delete", "--force", name, NULL };
    AUTO_FD null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    run_program(oci, args, NULL, null);
}

Oci *oci_close(Oci *oci)
{
    if (!oci)
        return NULL;
    delete_last(oci);
    fd_closep(&oci->init_fd);
    fd_closep(&oci->life[0]);
    fd_closep(&oci->life[1]);
    free(oci->program);
    free(oci);
    return NULL;
}

/* --- a run ----------------------------------------------------------------------------------- */

static Status read_plan(Ctx *ctx, int plan_fd, StepList *out)
{
    struct stat st;
    if (fstat(plan_fd, &st) < 0)
        return status_errno(ctx, errno, "could not look at the plan of the run");
    uint8_t *data = arena_must(ctx->arena, (size_t)st.st_size + 1);
    TRY(file_pread_all(ctx, plan_fd, data, (size_t)st.st_size, 0));
    return steps_decode(ctx, bytes(data, (size_t)st.st_size), out);
}

static bool is_inside(int root_fd, const char *path)
{
    struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
    AUTO_FD fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
    return fd >= 0;
}

/* A runtime knows no mount that may fail: those whose place is not there are left out. */
static Status drop_missing(Ctx *ctx, const Oci *oci, StepList *run)
{
    AUTO_FD root = open(oci->config->root_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return status_errno(ctx, errno, "could not open '%s'", oci->config->root_dir);
    size_t kept = 0;
    for (size_t i = 0; i < run->count; i++) {
        const Step *step = &run->steps[i];
        if (!(step->flags & STEP_OPTIONAL) || !*step->path || is_inside(root, step->path))
            run->steps[kept++] = *step;
    }
    run->count = kept;
    return OK;
}

static Status write_files(Ctx *ctx, const Oci *oci, const StepList *run)
{
    for (size_t i = 0; i < run->count; i++) {
        const Step *step = &run->steps[i];
        if (step->op != STEP_FILE)
            continue;
        char *path = text_printf(ctx->arena, "%s/files%s", oci->config->dir, step->path);
        char *slash = strrchr(path, '/');
        *slash = '\0';
        TRY(file_make_dirs(ctx, path, 0755));
        *slash = '/';
        TRY(file_replace(ctx, path, step->data, 0644));
    }
    return OK;
}

static Status write_bundle(Ctx *ctx, const Oci *oci, int plan_fd, int *out_init_plan)
{
    StepList run, init;
    Str config;
    TRY(read_plan(ctx, plan_fd, &run));
    TRY(drop_missing(ctx, oci, &run));
    TRY(oci_bundle(ctx, oci->config, &run, &config, &init));
    TRY(write_files(ctx, oci, &run));
    TRY(file_replace(ctx, text_printf(ctx->arena, "%s/config.json", oci->config->dir),
                     str_bytes(config), 0600));
    CLEANUP(buf_done) Buf encoded = { 0 };
    steps_encode(&init, &encoded);
    AUTO_FD fd = memfd_create("plan", MFD_CLOEXEC);
    if (fd < 0)
        return status_errno(ctx, errno, "could not make memory for the plan");
    TRY(file_write_all(ctx, fd, encoded.data, encoded.size));
    *out_init_plan = fd_steal(&fd);
    return OK;
}

static Status read_pid(Ctx *ctx, const char *path, pid_t *out)
{
    CLEANUP(buf_done) Buf text = { 0 };
    int64_t pid;
    TRY(file_read_path(ctx, path, &text));
    if (!str_to_i64(buf_str(&text), &pid) || pid <= 0)
        return FAIL(ctx, INTERNAL, "'%s' names no process", path);
    *out = (pid_t)pid;
    return OK;
}

Status oci_start(Ctx *ctx, Oci *oci, const int fds[REQUEST_FD_COUNT], pid_t *out_pid)
{
    delete_last(oci);
    oci->runs++;
    int run_fds[REQUEST_FD_COUNT];
    memcpy(run_fds, fds, sizeof(run_fds));
    AUTO_FD plan = -1;
    TRY_WRAP(ctx, write_bundle(ctx, oci, fds[REQUEST_PLAN], &plan),
             "could not make a bundle for %s", oci->config->program);
    run_fds[REQUEST_PLAN] = plan;
    AUTO_FD said = memfd_create("said", MFD_CLOEXEC);
    if (said < 0)
        return status_errno(ctx, errno, "could not make memory for what %s says",
                            oci->config->program);
    const char *dir = oci->config->dir;
    char *pid_file = text_printf(ctx->arena, "%s/pid", dir);
    const char *const args[] = { "run",
                                 "--detach",
                                 "--bundle",
                                 dir,
                                 "--pid-file",
                                 pid_file,
                                 text_printf(ctx->arena, "--preserve-fds=%d",
                                             OCI_FD_END - OCI_FD_INIT),
                                 text_printf(ctx->arena, "r%lu", oci->runs),
                                 NULL };
    if (run_program(oci, args, run_fds, said) != 0)
        return say_why(ctx, oci, said);
    return read_pid(ctx, pid_file, out_pid);
}
