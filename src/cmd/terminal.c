/* terminal.c - see terminal.h. */
#include "cmd/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "base/thread.h"

struct Terminal {
    int outer_end, inner_end; /* ours, and the process's */
    int stop_fd, resized_fd;
    struct termios before; /* of descriptor 0 */
    bool is_raw;
    pthread_t thread;
};

static void copy_size(const Terminal *terminal)
{
    struct winsize size;
    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
        ioctl(terminal->outer_end, TIOCSWINSZ, &size);
}

/* --- passing bytes ---------------------------------------------------------------------------- */

static bool pass(int from, int to)
{
    char piece[4096];
    ssize_t got = read(from, piece, sizeof(piece));
    for (ssize_t at = 0; at < got;) {
        ssize_t put = write(to, piece + at, (size_t)(got - at));
        if (put < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        at += MAX(put, (ssize_t)0);
    }
    return got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN));
}

static void take_resize(Terminal *terminal)
{
    struct signalfd_siginfo info;
    ssize_t got = read(terminal->resized_fd, &info, sizeof(info));
    (void)got;
    copy_size(terminal);
}

enum { WATCH_KEYS, WATCH_SCREEN, WATCH_SIZE, WATCH_STOP, WATCH_COUNT };

/* Ends when nobody has the inner end any more (we hold one until we close), or when told to and
 * there is nothing left to be seen. */
static void *pass_bytes(void *arg)
{
    Terminal *terminal = arg;
    struct pollfd fds[WATCH_COUNT] = {
        [WATCH_KEYS] = { .fd = STDIN_FILENO, .events = POLLIN },
        [WATCH_SCREEN] = { .fd = terminal->outer_end, .events = POLLIN },
        [WATCH_SIZE] = { .fd = terminal->resized_fd, .events = POLLIN },
        [WATCH_STOP] = { .fd = terminal->stop_fd, .events = POLLIN },
    };
    for (;;) {
        poll(fds, WATCH_COUNT, -1);
        if (fds[WATCH_SCREEN].revents && !pass(terminal->outer_end, STDOUT_FILENO))
            return NULL;
        if (fds[WATCH_STOP].revents && !(fds[WATCH_SCREEN].revents & POLLIN))
            return NULL;
        if (fds[WATCH_KEYS].revents && !pass(STDIN_FILENO, terminal->outer_end))
            fds[WATCH_KEYS].fd = -1;
        if (fds[WATCH_SIZE].revents)
            take_resize(terminal);
    }
}

/* --- opening and closing ---------------------------------------------------------------------- */

static Status open_ends(Ctx *ctx, Terminal *terminal)
{
    terminal->outer_end = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal->outer_end < 0 || grantpt(terminal->outer_end) < 0 ||
        unlockpt(terminal->outer_end) < 0)
        return status_errno(ctx, errno, "could not make a terminal");
    char name[64];
    if (ptsname_r(terminal->outer_end, name, sizeof(name)) != 0)
        return status_errno(ctx, errno, "could not name the terminal");
    terminal->inner_end = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    terminal->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (terminal->inner_end < 0 || terminal->stop_fd < 0)
        return status_errno(ctx, errno, "could not open the terminal");
    return OK;
}

static Status watch_size(Ctx *ctx, Terminal *terminal)
{
    sigset_t resized;
    sigemptyset(&resized);
    sigaddset(&resized, SIGWINCH);
    pthread_sigmask(SIG_BLOCK, &resized, NULL);
    terminal->resized_fd = signalfd(-1, &resized, SFD_CLOEXEC | SFD_NONBLOCK);
    return terminal->resized_fd < 0 ? status_errno(ctx, errno, "could not watch the terminal")
                                    : OK;
}

static Status make_raw(Ctx *ctx, Terminal *terminal)
{
    if (tcgetattr(STDIN_FILENO, &terminal->before) < 0)
        return status_errno(ctx, errno, "could not read the terminal's mode");
    tcsetattr(terminal->inner_end, TCSANOW, &terminal->before);
    struct termios raw = terminal->before;
    cfmakeraw(&raw);
    terminal->is_raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    return OK;
}

Status terminal_open(Ctx *ctx, Terminal **out)
{
    CLEANUP(terminal_closep) Terminal *terminal = calloc(1, sizeof(*terminal));
    if (!terminal)
        return STATUS(RESOURCE_EXHAUSTED);
    terminal->outer_end = terminal->inner_end = terminal->stop_fd = terminal->resized_fd = -1;
    TRY(open_ends(ctx, terminal));
    TRY(watch_size(ctx, terminal));
    TRY(make_raw(ctx, terminal));
    copy_size(terminal);
    TRY(thread_start(ctx, "terminal", pass_bytes, terminal, &terminal->thread));
    *out = STEAL(terminal);
    return OK;
}

int terminal_inner(const Terminal *terminal)
{
    return terminal->inner_end;
}

Terminal *terminal_close(Terminal *terminal)
{
    if (!terminal)
        return NULL;
    uint64_t one = 1;
    if (terminal->thread && write(terminal->stop_fd, &one, sizeof(one)) > 0)
        pthread_join(terminal->thread, NULL);
    if (terminal->is_raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->before);
    fd_closep(&terminal->inner_end);
    fd_closep(&terminal->outer_end);
    fd_closep(&terminal->stop_fd);
    fd_closep(&terminal->resized_fd);
    free(terminal);
    return NULL;
}
