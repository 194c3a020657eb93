/* crash.h - kill -9 at a random moment: a child works and reports each thing it acknowledges, the
 * parent kills it and then checks that all acknowledged is there. */
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "testing.h"

/* Works without end, and tells each acknowledgement with crash_ack. Returning fails the test. */
typedef void (*CrashFn)(void *arg, int pipe_fd);

static inline void crash_ack(int pipe_fd, const void *ack, size_t size)
{
    if (write(pipe_fd, ack, size) != (ssize_t)size) /* whole: a pipe does not split so little */
        _exit(2);
}

static inline void crash_wait_killed(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

/* Lets fn(arg) run in a child for life_ns, kills it, and leaves its last acknowledgement in *last,
 * which stays as it is when there was none. */
static inline void crash_child(CrashFn fn, void *arg, int64_t life_ns, void *last, size_t size)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        fn(arg, ends[1]);
        _exit(1);
    }
    close(ends[1]);
    int64_t until_ns = clock_mono_ns() + life_ns;
    struct pollfd more = { .fd = ends[0], .events = POLLIN };
    for (int64_t left_ns; (left_ns = until_ns - clock_mono_ns()) > 0;) {
        if (poll(&more, 1, (int)(left_ns / NS_PER_MS)) == 1 && read(ends[0], last, size) <= 0)
            break;
    }
    kill(pid, SIGKILL);
    while (read(ends[0], last, size) > 0)
        continue;
    close(ends[0]);
    crash_wait_killed(pid);
}
