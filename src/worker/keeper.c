/* keeper.c - see keeper.h.
 *
 *   worker ---- control ---- keeper            one a sandbox; in the template's namespaces
 *      \                       |  clone3 (new mount, pid, ipc namespaces)
 *       `---- report --------- pid 1           one a run; mounts, starts, reaps, reports
 *                              |  fork
 *                              user's process
 *
 * The pid 1 of the next run stands ready in its namespaces, with what is mounted anew for each run,
 * and so does its child, which has given up its privileges: most of the way to the user's process
 * is behind them when the request comes. The first are made by the first request, as the keeper is
 * in its cgroup only then.
 *
 * When pid 1 ends the kernel kills all that is left in its namespace before anyone can wait for it:
 * so a run whose pid 1 is gone has no process left. Without namespaces pid 1's place is taken by a
 * process that adopts orphans (PR_SET_CHILD_SUBREAPER) and kills them one generation after the
 * other.
 *
 * Neither keeper nor pid 1 is dumpable: user code of the same uid can look into neither, so it
 * cannot take their descriptors or read the environment they were started with.
 */
#include "worker/keeper.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "worker/init.h"
#include "worker/perform.h"

/* A pid 1 that waits for its run. */
typedef struct Standing {
    pid_t pid; /* 0: none */
    int pidfd, request_fd;
} Standing;

typedef struct Keeper {
    const KeeperConfig *config;
    int control_fd;
    Oci *oci; /* NULL: namespaces are our own work */
    Standing standing;
} Keeper;

/* Hosts that allow no namespaces may not have clone3 either: their filters cannot look into what it
 * points to. */
static pid_t clone_process(bool isolated)
{
    struct clone_args args = { .exit_signal = SIGCHLD,
                               .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS };
    return isolated ? (pid_t)syscall(SYS_clone3, &args, sizeof(args)) : fork();
}

static _Noreturn void stand(const Keeper *keeper, const int pair[2])
{
    bool isolated = keeper->config->isolated;
    close(pair[0]);
    prctl(PR_SET_PDEATHSIG, isolated ? SIGKILL : SIGTERM, 0, 0, 0);
    init_stand(pair[1], keeper->config->fresh, isolated);
}

static Status make_standing(Ctx *ctx, Keeper *keeper)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return status_errno(ctx, errno, "could not make a socket for pid 1 of the run");
    pid_t pid = clone_process(keeper->config->isolated);
    if (pid == 0)
        stand(keeper, pair);
    int error = errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return status_errno(ctx, error, "could not start pid 1 of the run");
    }
    /* Who is not waited for keeps its number, so this is of the process started. */
    keeper->standing = (Standing){ pid, (int)syscall(SYS_pidfd_open, pid, 0), pair[0] };
    return OK;
}

static void end_standing(Keeper *keeper)
{
    Standing *standing = &keeper->standing;
    if (!standing->pid)
        return;
    close(standing->request_fd);
    close(standing->pidfd);
    kill(standing->pid, SIGKILL);
    waitpid(standing->pid, NULL, 0);
    *standing = (Standing){ 0 };
}

/* One that stood ready may have been killed since: then there is another. */
static Status start_standing(Ctx *ctx, Keeper *keeper, const int fds[REQUEST_FD_COUNT],
                             pid_t *out_pid, int *out_pidfd)
{
    Standing *standing = &keeper->standing;
    if (standing->pid && !request_send(standing->request_fd, fds))
        end_standing(keeper);
    if (!standing->pid) {
        TRY(make_standing(ctx, keeper));
        if (!request_send(standing->request_fd, fds))
            return FAIL(ctx, INTERNAL, "pid 1 of the run has died");
    }
    close(standing->request_fd);
    *out_pid = standing->pid;
    *out_pidfd = standing->pidfd;
    *standing = (Standing){ 0 };
    return OK;
}

static Status start_container(Ctx *ctx, const Keeper *keeper, const int fds[REQUEST_FD_COUNT],
                              pid_t *out_pid, int *out_pidfd)
{
    TRY(oci_start(ctx, keeper->oci, fds, out_pid));
    *out_pidfd = (int)syscall(SYS_pidfd_open, *out_pid, 0);
    return OK;
}

/* Waits until the run has ended; ends it when the worker is gone. */
static void wait_for_run(const Keeper *keeper, int pidfd, pid_t pid)
{
    struct pollfd fds[] = { { .fd = pidfd, .events = POLLIN }, { .fd = keeper->control_fd } };
    while (poll(fds, ARRAY_LEN(fds), -1) < 0 || !fds[0].revents) {
        if (fds[1].revents) {
            kill(pid, keeper->config->isolated ? SIGKILL : SIGTERM);
            break;
        }
    }
    waitpid(pid, NULL, 0);
}

static void serve(Ctx *ctx, Keeper *keeper, const int fds[REQUEST_FD_COUNT])
{
    pid_t pid = -1;
    AUTO_FD pidfd = -1;
    Status s = keeper->oci ? start_container(ctx, keeper, fds, &pid, &pidfd)
                           : start_standing(ctx, keeper, fds, &pid, &pidfd);
    for (size_t i = 0; i < REQUEST_FD_COUNT; i++)
        close(fds[i]);
    if (!status_ok(s)) {
        report_send(keeper->control_fd, REPORT_BROKEN, (int)s.code, -1, status_message(s));
        return;
    }
    report_send(keeper->control_fd, REPORT_STARTED, (int)pid, pidfd, "");
    wait_for_run(keeper, pidfd, pid);
    if (!keeper->oci) {
        Status later = make_standing(ctx, keeper); /* what is wrong, the next request will say */
        (void)later;
    }
}

/* Only the control socket stays open; 0 to 2 are /dev/null, so that no other descriptor gets their
 * numbers. */
static int keep_only(int control_fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int high = fcntl(control_fd, F_DUPFD_CLOEXEC, 4);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    dup2(high, 3);
    fcntl(3, F_SETFD, FD_CLOEXEC);
    if (syscall(SYS_close_range, 4U, ~0U, 0U) < 0)
        close(high);
    return 3;
}

static Status prepare(Ctx *ctx, Keeper *keeper)
{
    prctl(PR_SET_DUMPABLE, 1, 0, 0,
          0); /* a process that changed its uid may not map ids otherwise */
    Performer performer;
    perform_init(&performer, -1);
    size_t at = 0;
    TRY(perform_steps(ctx, &performer, keeper->config->root, &at));
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (!keeper->config->oci)
        return OK;
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* containers become ours */
    return oci_open(ctx, keeper->config->oci, &keeper->oci);
}

_Noreturn void keeper_main(int control_fd, const KeeperConfig *config)
{
    Keeper keeper = { .config = config, .control_fd = keep_only(control_fd) };
    init_reset_signals();
    setsid();
    prctl(PR_SET_NAME, "pcv-keeper", 0, 0, 0);
    Ctx ctx;
    ctx_init(&ctx);
    Status s = prepare(&ctx, &keeper);
    if (!status_ok(s))
        init_broken(keeper.control_fd, s);
    report_send(keeper.control_fd, REPORT_STARTED, 0, -1, "");

    int fds[REQUEST_FD_COUNT];
    ArenaMark mark = arena_mark(ctx.arena);
    while (request_receive(keeper.control_fd, fds)) {
        serve(&ctx, &keeper, fds);
        arena_rewind(ctx.arena, mark);
    }
    end_standing(&keeper);
    oci_close(keeper.oci);
    _exit(0);
}
