/* sandbox_run.c - one run of a sandbox: starting it, passing on what it says, ending it.
 *
 * A run is over when its pid 1 is: the kernel (or, without namespaces, what stands for pid 1) sees
 * to it that then nothing of it lives. Only then are the pipes read to their end, without waiting
 * for writers that cannot be.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/file.h"
#include "base/text.h"
#include "worker/exit_text.h"
#include "worker/host.h"
#include "worker/sandbox_priv.h"

/* --- starting -------------------------------------------------------------------------------- */

static Status memory_file(Ctx *ctx, const char *name, Bytes content, int *out)
{
    AUTO_FD fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0)
        return status_errno(ctx, errno, "could not make memory for '%s'", name);
    TRY(file_write_all(ctx, fd, content.data, content.size));
    lseek(fd, 0, SEEK_SET);
    *out = fd_steal(&fd);
    return OK;
}

static Status open_stdin(Ctx *ctx, const SandboxRun *run, int *out)
{
    if (run && run->stdin_bytes.data)
        return memory_file(ctx, "stdin", run->stdin_bytes, out);
    *out = open("/dev/null", O_RDWR | O_CLOEXEC);
    return *out < 0 ? status_errno(ctx, errno, "could not open '/dev/null'") : OK;
}

/* The process may open its output again by name (/dev/stderr), so the pipe belongs to its user. */
static Status open_output(Ctx *ctx, Sandbox *sandbox, Output *output, int *out_write)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return status_errno(ctx, errno, "could not make a pipe");
    output->fd = ends[0];
    *out_write = ends[1];
    fcntl(output->fd, F_SETFL, O_NONBLOCK);
    if (sandbox->base.privileged && sandbox->base.level != SANDBOX_USER &&
        fchown(ends[1], sandbox->config.uid, sandbox->config.gid) < 0)
        return status_errno(ctx, errno, "could not give a pipe to the user");
    return OK;
}

static Status open_report(Ctx *ctx, Sandbox *sandbox, int *out_write)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return status_errno(ctx, errno, "could not make a socket for reports");
    sandbox->report_fd = pair[0];
    *out_write = pair[1];
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    return OK;
}

static void close_request(int (*fds)[REQUEST_FD_COUNT])
{
    for (size_t i = 0; i < REQUEST_FD_COUNT; i++)
        fd_closep(&(*fds)[i]);
}

static Status open_stdio(Ctx *ctx, Sandbox *sandbox, const SandboxRun *run, int *fds)
{
    TRY(open_stdin(ctx, run, &fds[REQUEST_STDIN]));
    TRY(open_output(ctx, sandbox, &sandbox->outputs[SANDBOX_STDOUT], &fds[REQUEST_STDOUT]));
    return open_output(ctx, sandbox, &sandbox->outputs[SANDBOX_STDERR], &fds[REQUEST_STDERR]);
}

static Status copy_stdio(Ctx *ctx, const int *stdio, int *fds)
{
    for (int i = 0; i < 3; i++) {
        fds[REQUEST_STDIN + i] = fcntl(stdio[i], F_DUPFD_CLOEXEC, 3);
        if (fds[REQUEST_STDIN + i] < 0)
            return status_errno(ctx, errno, "could not hand over descriptor %d", i);
    }
    return OK;
}

static Status open_request(Ctx *ctx, Sandbox *sandbox, const StepList *steps, const SandboxRun *run,
                           int fds[REQUEST_FD_COUNT])
{
    CLEANUP(buf_done) Buf plan = { 0 };
    steps_encode(steps, &plan);
    TRY(memory_file(ctx, "plan", buf_bytes(&plan), &fds[REQUEST_PLAN]));
    if (run && run->stdio)
        TRY(copy_stdio(ctx, run->stdio, fds));
    else
        TRY(open_stdio(ctx, sandbox, run, fds));
    return open_report(ctx, sandbox, &fds[REQUEST_REPORT]);
}

static Status request_run(Ctx *ctx, Sandbox *sandbox, const StepList *steps, const SandboxRun *run)
{
    CLEANUP(close_request) int fds[REQUEST_FD_COUNT] = { -1, -1, -1, -1, -1 };
    TRY(open_request(ctx, sandbox, steps, run, fds));
    if (!request_send(sandbox->control_fd, fds))
        return FAIL(ctx, UNAVAILABLE, "the sandbox's keeper is gone");
    TRY(sandbox_hear(ctx, sandbox));
    sandbox->pidfd = sandbox->report.fd;
    return OK;
}

static Status start_steps(Ctx *ctx, Sandbox *sandbox, const StepList *steps, const SandboxRun *run)
{
    assert(sandbox->pidfd < 0);
    sandbox->run = run;
    sandbox->has_status = false;
    sandbox->oom_kills = cgroup_oom_kills(sandbox->cgroup, false); /* a new container has none */
    sandbox->not_started[0] = sandbox->broken[0] = '\0';
    Status s = request_run(ctx, sandbox, steps, run);
    if (!status_ok(s))
        sandbox_end_run(sandbox);
    return s;
}

Status sandbox_start(Ctx *ctx, Sandbox *sandbox, const SandboxRun *run)
{
    if (!run->argv[0])
        return FAIL(ctx, INVALID_ARGUMENT, "no command to run");
    if (!sandbox_is_isolated(sandbox)) {
        char *pfs = text_printf(ctx->arena, "%s/pfs", sandbox->config.slot_dir);
        TRY(host_link_pfs(ctx, *sandbox_pfs_claim(sandbox), pfs));
    }
    StepList steps;
    steps_init(&steps, ctx->arena);
    plan_run(&sandbox->base, run, &steps);
    return start_steps(ctx, sandbox, &steps, run);
}

/* --- what the run says ----------------------------------------------------------------------- */

static void pass_line(void *self, Str line)
{
    const Output *output = self;
    const SandboxRun *run = output->sandbox->run;
    if (run && run->line)
        run->line(run->self, output->stream, line, clock_wall_ns());
}

static void take_output(Output *output, Bytes piece, bool is_end)
{
    const MaskSet *mask = output->sandbox->run ? output->sandbox->run->mask : NULL;
    buf_clear(&output->masked);
    masker_add(&output->masker, mask, piece, &output->masked);
    if (is_end)
        masker_end(&output->masker, mask, &output->masked);
    lines_add(&output->cutter, buf_bytes(&output->masked), pass_line, output);
    if (is_end)
        lines_end(&output->cutter, pass_line, output);
}

/* Reads what is there; how much may be more than one turn's, so that no output starves the
 * others. */
static bool read_output(Output *output)
{
    ssize_t got = read(output->fd, output->sandbox->buffer, SANDBOX_READ_BYTES);
    if (got > 0) {
        take_output(output, bytes(output->sandbox->buffer, (size_t)got), false);
        return true;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    fd_closep(&output->fd);
    return false;
}

/* Of one more path; one that cannot be opened has the reason as its text. */
static void take_target(Ctx *ctx, Sandbox *sandbox, Report *report)
{
    if (sandbox->target_count == sandbox->target_capacity) {
        fd_closep(&report->fd);
        return;
    }
    SandboxTarget *target = &sandbox->targets[sandbox->target_count++];
    *target = (SandboxTarget){ .real = "", .why = "", .fd = report->fd };
    if (report->value > 0) {
        char why[EXIT_TEXT_SIZE];
        exit_errno_text(report->value, why);
        target->why = arena_strdup(ctx->arena, why);
    } else {
        target->real = arena_strdup(ctx->arena, report->text);
        target->is_dir = report->value == REPORT_IS_DIR;
    }
}

static void take_report(Ctx *ctx, Sandbox *sandbox, Report *report)
{
    switch (report->kind) {
    case REPORT_BROKEN:
        memcpy(sandbox->broken, report->text, report->size + 1);
        break;
    case REPORT_NOT_STARTED:
        memcpy(sandbox->not_started, report->text, report->size + 1);
        break;
    case REPORT_LEFTOVER:
        if (sandbox->run && sandbox->run->leftover)
            sandbox->run->leftover(sandbox->run->self, (Str){ report->text, report->size });
        break;
    case REPORT_EXITED:
        sandbox->has_status = true;
        sandbox->wait_status = report->value;
        break;
    case REPORT_TARGET:
        take_target(ctx, sandbox, report);
        break;
    case REPORT_DOOR:
        if (report->fd >= 0 && sandbox->run && sandbox->run->door)
            sandbox->run->door(sandbox->run->self, report->fd);
        else
            fd_closep(&report->fd);
        break;
    case REPORT_STARTED:
    default:
        break;
    }
}

static void read_reports(Ctx *ctx, Sandbox *sandbox)
{
    while (sandbox->report_fd >= 0) {
        if (report_receive(sandbox->report_fd, &sandbox->report))
            take_report(ctx, sandbox, &sandbox->report);
        else if (errno == EAGAIN)
            return;
        else
            fd_closep(&sandbox->report_fd);
    }
}

/* --- waiting --------------------------------------------------------------------------------- */

void sandbox_kill(Sandbox *sandbox)
{
    if (sandbox->pidfd >= 0)
        syscall(SYS_pidfd_send_signal, sandbox->pidfd,
                sandbox_is_isolated(sandbox) ? SIGKILL : SIGTERM, NULL, 0);
}

/* A pid 1 that could not report was killed, and the process with it. */
static void describe_exit(Ctx *ctx, Sandbox *sandbox, SandboxExit *out)
{
    int status = sandbox->has_status ? sandbox->wait_status : SIGKILL;
    if (*sandbox->not_started) {
        *out = (SandboxExit){ .end = SANDBOX_NOT_STARTED,
                              .text = arena_strdup(ctx->arena, sandbox->not_started) };
        return;
    }
    char text[EXIT_TEXT_SIZE];
    exit_text(status, text);
    *out = (SandboxExit){ .end = WIFEXITED(status) ? SANDBOX_EXITED : SANDBOX_SIGNALED,
                          .value = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
                          .core_dumped = !WIFEXITED(status) && WCOREDUMP(status),
                          .out_of_memory = status != 0 && cgroup_oom_kills(sandbox->cgroup, true) > sandbox->oom_kills,
                          .text = arena_strdup(ctx->arena, text) };
}

static Status finish_run(Ctx *ctx, Sandbox *sandbox, SandboxExit *out)
{
    read_reports(ctx, sandbox);
    for (size_t i = 0; i < ARRAY_LEN(sandbox->outputs); i++) {
        Output *output = &sandbox->outputs[i];
        while (output->fd >= 0 && read_output(output))
            ;
        take_output(output, (Bytes){ 0 }, true);
    }
    describe_exit(ctx, sandbox, out);
    sandbox_end_run(sandbox);
    if (*sandbox->broken)
        return FAIL(ctx, INTERNAL, "sandbox: %s", sandbox->broken);
    return OK;
}

typedef enum Watched {
    WATCH_PID,
    WATCH_REPORT,
    WATCH_OUT,
    WATCH_ERR,
    WATCH_CANCEL,
    WATCH_WAKE,
    WATCH_COUNT
} Watched;

static void poll_until(struct pollfd *fds, int64_t deadline_ns)
{
    int64_t left = deadline_ns == DEADLINE_NONE ? DEADLINE_NONE : deadline_ns - clock_mono_ns();
    left = MAX(left, 0);
    struct timespec timeout = { left / NS_PER_SEC, left % NS_PER_SEC };
    if (ppoll(fds, WATCH_COUNT, deadline_ns == DEADLINE_NONE ? NULL : &timeout, NULL) >= 0)
        return;
    for (size_t i = 0; i < WATCH_COUNT; i++)
        fds[i].revents = 0;
}

/* One turn: waits, and passes on what came. */
static void take_turn(Ctx *ctx, Sandbox *sandbox, int wake_fd, int64_t deadline_ns,
                      struct pollfd fds[WATCH_COUNT])
{
    const int watched[WATCH_COUNT] = { sandbox->pidfd,         sandbox->report_fd,
                                       sandbox->outputs[0].fd, sandbox->outputs[1].fd,
                                       sandbox->cancel_fd,     wake_fd };
    for (size_t i = 0; i < WATCH_COUNT; i++)
        fds[i] = (struct pollfd){ .fd = watched[i], .events = POLLIN };
    poll_until(fds, deadline_ns);
    if (fds[WATCH_REPORT].revents)
        read_reports(ctx, sandbox);
    if (fds[WATCH_OUT].revents)
        read_output(&sandbox->outputs[0]);
    if (fds[WATCH_ERR].revents)
        read_output(&sandbox->outputs[1]);
}

static void drain_cancel(Sandbox *sandbox)
{
    uint64_t count;
    ssize_t ignored = read(sandbox->cancel_fd, &count, sizeof(count));
    (void)ignored;
}

static Status wait_hooked(Ctx *ctx, Sandbox *sandbox, int wake_fd, int64_t deadline_ns,
                          SandboxEvent *out_event, SandboxExit *out_exit)
{
    Status stopped = OK;
    for (;;) {
        struct pollfd fds[WATCH_COUNT];
        int64_t until = status_ok(stopped) ? MIN(deadline_ns, ctx->deadline_ns) : DEADLINE_NONE;
        take_turn(ctx, sandbox, wake_fd, until, fds);
        if (fds[WATCH_PID].revents) {
            *out_event = SANDBOX_ENDED;
            Status s = finish_run(ctx, sandbox, out_exit);
            return status_ok(stopped) ? s : stopped;
        }
        if (!status_ok(stopped))
            continue;
        stopped = ctx_check(ctx);
        if (!status_ok(stopped)) {
            sandbox_kill(sandbox);
            drain_cancel(sandbox);
        } else if (fds[WATCH_WAKE].revents) {
            *out_event = SANDBOX_WOKEN;
            return OK;
        } else if (deadline_ns != DEADLINE_NONE && clock_mono_ns() >= deadline_ns) {
            *out_event = SANDBOX_DEADLINE;
            return OK;
        }
    }
}

static void wake_waiter(void *arg)
{
    const Sandbox *sandbox = arg;
    uint64_t one = 1;
    ssize_t ignored = write(sandbox->cancel_fd, &one, sizeof(one));
    (void)ignored;
}

Status sandbox_wait(Ctx *ctx, Sandbox *sandbox, int wake_fd, int64_t deadline_ns,
                    SandboxEvent *out_event, SandboxExit *out_exit)
{
    CancelHook hook = { .fn = wake_waiter, .arg = sandbox };
    if (ctx->cancel)
        cancel_hook(ctx->cancel, &hook);
    Status s = wait_hooked(ctx, sandbox, wake_fd, deadline_ns, out_event, out_exit);
    if (ctx->cancel)
        cancel_unhook(ctx->cancel, &hook);
    drain_cancel(sandbox);
    return s;
}

Status sandbox_resolve(Ctx *ctx, Sandbox *sandbox, const char *const *paths, size_t n,
                       SandboxTarget *out)
{
    StepList steps;
    steps_init(&steps, ctx->arena);
    plan_resolve(&sandbox->base, paths, n, &steps);
    sandbox->targets = out;
    sandbox->target_count = 0;
    sandbox->target_capacity = n;
    TRY(start_steps(ctx, sandbox, &steps, NULL));
    SandboxEvent event;
    SandboxExit ended;
    TRY(sandbox_wait(ctx, sandbox, -1, DEADLINE_NONE, &event, &ended));
    if (sandbox->target_count == n)
        return OK;
    for (size_t i = 0; i < sandbox->target_count; i++)
        fd_closep(&out[i].fd);
    return FAIL(ctx, INTERNAL, "sandbox: only %zu of %zu paths were resolved",
                sandbox->target_count, n);
}
