/* keeper.c - see keeper.h.
 *
 *   worker ---- control ---- keeper            one a sandbox; in the template's namespaces
 *      \                       |  clone3 (new mount, pid, ipc namespaces)
 *       `---- report --------- pid 1           one a run; mounts, starts, reaps, reports
 *                              |  fork
 *                              user's process
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
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "worker/leftovers.h"
#include "worker/perform.h"
#include "worker/report.h"

#define EXIT_BROKEN 126

static sigset_t watched_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    return set;
}

/* Passes until the user's process has ended; a SIGTERM, which only the worker sends, ends it at
 * once. */
static int wait_for_main(pid_t main_pid)
{
    sigset_t set = watched_signals();
    for (;;) {
        int status, number = sigwaitinfo(&set, NULL);
        if (number == SIGTERM)
            kill(main_pid, SIGKILL);
        for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
            if (pid == main_pid)
                return status;
        }
    }
}

static void reset_signals(void)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void broken(int report_fd, Status why)
{
    report_send(report_fd, REPORT_BROKEN, (int)why.code, -1, status_message(why));
    _exit(EXIT_BROKEN);
}

static _Noreturn void user_main(Ctx *ctx, Performer *performer, const StepList *steps, size_t at)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    reset_signals();
    Status s = perform_steps(ctx, performer, steps, &at);
    if (!status_ok(s))
        broken(performer->report_fd, s);
    _exit(0);
}

static Status map_plan(Ctx *ctx, int plan_fd, StepList *out)
{
    struct stat st;
    if (fstat(plan_fd, &st) < 0)
        return status_errno(ctx, errno, "could not look at the plan of the run");
    void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, plan_fd, 0);
    if (data == MAP_FAILED)
        return status_errno(ctx, errno, "could not map the plan of the run");
    return steps_decode(ctx, bytes(data, (size_t)st.st_size), out);
}

static _Noreturn void init_main(const int fds[REQUEST_FD_COUNT], bool isolated)
{
    int report_fd = fds[REQUEST_REPORT];
    prctl(PR_SET_PDEATHSIG, isolated ? SIGKILL : SIGTERM, 0, 0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    sigset_t set = watched_signals();
    sigprocmask(SIG_BLOCK, &set, NULL);

    Ctx ctx;
    ctx_init(&ctx);
    Performer performer;
    perform_init(&performer, report_fd);
    memcpy(performer.stdio, &fds[REQUEST_STDIN], sizeof(performer.stdio));
    StepList steps;
    size_t at = 0;
    Status s = map_plan(&ctx, fds[REQUEST_PLAN], &steps);
    if (status_ok(s))
        s = perform_steps(&ctx, &performer, &steps, &at);
    if (!status_ok(s))
        broken(report_fd, s);

    pid_t main_pid = fork();
    if (main_pid < 0)
        broken(report_fd, status_errno(&ctx, errno, "could not start a process"));
    if (main_pid == 0)
        user_main(&ctx, &performer, &steps, at + 1);
    int status = wait_for_main(main_pid);
    if (isolated)
        leftovers_report(report_fd);
    else
        leftovers_kill(report_fd, main_pid);
    report_send(report_fd, REPORT_EXITED, status, -1, "");
    _exit(0);
}

static pid_t clone_init(bool isolated, int *out_pidfd)
{
    struct clone_args args = { .flags = CLONE_PIDFD,
                               .pidfd = (uint64_t)(uintptr_t)out_pidfd,
                               .exit_signal = SIGCHLD };
    if (isolated)
        args.flags |= CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC;
    return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* Waits until the run has ended; ends it when the worker is gone. */
static void wait_for_run(int control_fd, int pidfd, pid_t pid, bool isolated)
{
    struct pollfd fds[] = {
        {.fd = pidfd, .events = POLLIN },
        { .fd = control_fd         }
    };
    while (poll(fds, ARRAY_LEN(fds), -1) < 0 || !fds[0].revents) {
        if (fds[1].revents) {
            kill(pid, isolated ? SIGKILL : SIGTERM);
            break;
        }
    }
    waitpid(pid, NULL, 0);
}

static void serve(int control_fd, const int fds[REQUEST_FD_COUNT], bool isolated)
{
    int pidfd = -1;
    pid_t pid = clone_init(isolated, &pidfd);
    if (pid == 0)
        init_main(fds, isolated);
    int error = errno;
    for (size_t i = 0; i < REQUEST_FD_COUNT; i++)
        close(fds[i]);
    if (pid < 0) {
        report_send(control_fd, REPORT_BROKEN, error, -1, strerror(error));
        return;
    }
    report_send(control_fd, REPORT_STARTED, (int)pid, pidfd, "");
    wait_for_run(control_fd, pidfd, pid, isolated);
    close(pidfd);
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

_Noreturn void keeper_main(int control_fd, const StepList *root, bool isolated)
{
    control_fd = keep_only(control_fd);
    reset_signals();
    setsid();
    prctl(PR_SET_NAME, "pcv-keeper", 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 1, 0, 0,
          0); /* a process that changed its uid may not map ids otherwise */
    Ctx ctx;
    ctx_init(&ctx);
    Performer performer;
    perform_init(&performer, -1);
    size_t at = 0;
    Status s = perform_steps(&ctx, &performer, root, &at);
    if (!status_ok(s))
        broken(control_fd, s);
    ctx_done(&ctx);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    report_send(control_fd, REPORT_STARTED, 0, -1, "");

    int fds[REQUEST_FD_COUNT];
    while (request_receive(control_fd, fds))
        serve(control_fd, fds, isolated);
    _exit(0);
}
