/* init.c - see init.h.
 *
 * Not dumpable: user code of the same uid can look into it neither for its descriptors nor for its
 * environment.
 */
#include "worker/init.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

/* Answers one question through the door: a socket, which belongs to the network of whoever made
 * it. At its end it is not looked at any more. */
static void open_door(int *door_fd)
{
    char question;
    ssize_t got = recv(*door_fd, &question, sizeof(question), MSG_DONTWAIT);
    if (got < 0)
        return;
    AUTO_FD made = got ? socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
    if (got == 0 || !report_send(*door_fd, REPORT_DOOR, 0, made, ""))
        fd_closep(door_fd);
}

/* Until there is a signal; answers at the door meanwhile. */
static int next_signal(int signal_fd, int *door_fd)
{
    for (;;) {
        struct pollfd fds[] = { { .fd = signal_fd, .events = POLLIN },
                                { .fd = *door_fd, .events = POLLIN } };
        struct signalfd_siginfo info;
        if (poll(fds, ARRAY_LEN(fds), -1) < 0)
            continue;
        if (fds[1].revents)
            open_door(door_fd);
        if (fds[0].revents && read(signal_fd, &info, sizeof(info)) == sizeof(info))
            return (int)info.ssi_signo;
    }
}

/* Passes until the user's process has ended; a SIGTERM, which only the worker sends, ends it at
 * once. */
static int wait_for_main(pid_t main_pid, int signal_fd, int *door_fd)
{
    for (;;) {
        int status, number = next_signal(signal_fd, door_fd);
        if (number == SIGTERM)
            kill(main_pid, SIGKILL);
        for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
            if (pid == main_pid)
                return status;
        }
    }
}

void init_reset_signals(void)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn void init_broken(int report_fd, Status why)
{
    report_send(report_fd, REPORT_BROKEN, (int)why.code, -1, status_message(why));
    _exit(EXIT_BROKEN);
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

static void become_init(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    sigset_t set = watched_signals();
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* --- the user's process ----------------------------------------------------------------------- */

static void begin_user(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    init_reset_signals();
}

/* The steps from `at` on. */
static _Noreturn void run_user(Ctx *ctx, Performer *performer, const StepList *steps, size_t at)
{
    Status s = perform_steps(ctx, performer, steps, &at);
    if (!status_ok(s))
        init_broken(performer->report_fd, s);
    _exit(0);
}

static void performer_for(Performer *performer, const int fds[REQUEST_FD_COUNT])
{
    perform_init(performer, fds[REQUEST_REPORT]);
    memcpy(performer->stdio, &fds[REQUEST_STDIN], sizeof(performer->stdio));
}

static size_t after_fork(const StepList *steps)
{
    size_t at = 0;
    while (at < steps->count && steps->steps[at].op != STEP_FORK)
        at++;
    return at + 1;
}

/* Does of `fresh` what is the child's, and of the plan when there is one. */
static _Noreturn void stand_user(Ctx *ctx, int request_fd, const StepList *fresh, size_t at)
{
    Performer ahead, performer;
    begin_user();
    perform_init(&ahead, -1);
    Status s = perform_steps(ctx, &ahead, fresh, &at);
    int fds[REQUEST_FD_COUNT];
    if (!request_receive(request_fd, fds))
        _exit(0);
    close(request_fd);
    performer_for(&performer, fds);
    StepList steps;
    if (status_ok(s))
        s = map_plan(ctx, fds[REQUEST_PLAN], &steps);
    if (!status_ok(s))
        init_broken(performer.report_fd, s);
    run_user(ctx, &performer, &steps, after_fork(&steps));
}

/* --- pid 1 ------------------------------------------------------------------------------------ */

/* user: the process that stands ready for the rest of the plan, reached by user_fd; pid 0: it is to
 * be forked. */
typedef struct User {
    pid_t pid;
    int fd;
} User;

static Status start_user(Ctx *ctx, Performer *performer, const StepList *steps, size_t at,
                         const int fds[REQUEST_FD_COUNT], User *user)
{
    if (user->pid) {
        bool sent = request_send(user->fd, fds);
        close(user->fd);
        return sent ? OK : FAIL(ctx, INTERNAL, "the process that stood ready has died");
    }
    user->pid = fork();
    if (user->pid == 0) {
        begin_user();
        run_user(ctx, performer, steps, at + 1);
    }
    return user->pid < 0 ? status_errno(ctx, errno, "could not start a process") : OK;
}

static _Noreturn void run(Ctx *ctx, const int fds[REQUEST_FD_COUNT], bool isolated, User user)
{
    int report_fd = fds[REQUEST_REPORT];
    Performer performer;
    performer_for(&performer, fds);
    StepList steps;
    size_t at = 0;
    Status s = map_plan(ctx, fds[REQUEST_PLAN], &steps);
    if (status_ok(s))
        s = perform_steps(ctx, &performer, &steps, &at);
    if (!status_ok(s))
        init_broken(report_fd, s);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    sigset_t set = watched_signals();
    AUTO_FD signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (signal_fd < 0)
        init_broken(report_fd, status_errno(ctx, errno, "could not wait for signals"));
    s = start_user(ctx, &performer, &steps, at, fds, &user);
    if (!status_ok(s))
        init_broken(report_fd, s);
    int status = wait_for_main(user.pid, signal_fd, &performer.door_fd);
    if (isolated)
        leftovers_report(report_fd);
    else
        leftovers_kill(report_fd, user.pid);
    report_send(report_fd, REPORT_EXITED, status, -1, "");
    _exit(0);
}

_Noreturn void init_main(const int fds[REQUEST_FD_COUNT], bool isolated)
{
    become_init();
    Ctx ctx;
    ctx_init(&ctx);
    run(&ctx, fds, isolated, (User){ 0 });
}

static Status make_user(Ctx *ctx, int request_fd, const StepList *fresh, size_t at, User *out)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return status_errno(ctx, errno, "could not make a socket for a process");
    pid_t pid = fork();
    if (pid == 0) {
        close(request_fd);
        close(pair[0]);
        stand_user(ctx, pair[1], fresh, at + 1);
    }
    int error = errno;
    close(pair[1]);
    *out = (User){ pid, pair[0] };
    return pid < 0 ? status_errno(ctx, error, "could not start a process") : OK;
}

_Noreturn void init_stand(int request_fd, const StepList *fresh, bool isolated)
{
    become_init();
    Ctx ctx;
    ctx_init(&ctx);
    Performer performer;
    perform_init(&performer, -1);
    size_t at = 0;
    User user = { 0 };
    Status s = perform_steps(&ctx, &performer, fresh, &at);
    if (status_ok(s))
        s = make_user(&ctx, request_fd, fresh, at, &user);
    int fds[REQUEST_FD_COUNT];
    if (!request_receive(request_fd, fds))
        _exit(0);
    close(request_fd);
    if (!status_ok(s))
        init_broken(fds[REQUEST_REPORT], s);
    run(&ctx, fds, isolated, user);
}
