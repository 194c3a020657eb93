/* exit_text.c - see exit_text.h. */
#include "worker/exit_text.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static const char *const signal_names[] = {
    [SIGHUP] = "hangup",
    [SIGINT] = "interrupt",
    [SIGQUIT] = "quit",
    [SIGILL] = "illegal instruction",
    [SIGTRAP] = "trace/breakpoint trap",
    [SIGABRT] = "aborted",
    [SIGBUS] = "bus error",
    [SIGFPE] = "floating point exception",
    [SIGKILL] = "killed",
    [SIGUSR1] = "user defined signal 1",
    [SIGSEGV] = "segmentation fault",
    [SIGUSR2] = "user defined signal 2",
    [SIGPIPE] = "broken pipe",
    [SIGALRM] = "alarm clock",
    [SIGTERM] = "terminated",
};

static void signal_text(int number, char out[EXIT_TEXT_SIZE])
{
    const char *name = NULL;
    if (number > 0 && (size_t)number < ARRAY_LEN(signal_names))
        name = signal_names[number];
    if (name)
        snprintf(out, EXIT_TEXT_SIZE, "signal: %s", name);
    else
        snprintf(out, EXIT_TEXT_SIZE, "signal: signal %d", number);
}

void exit_text(int wait_status, char out[EXIT_TEXT_SIZE])
{
    if (WIFEXITED(wait_status)) {
        snprintf(out, EXIT_TEXT_SIZE, "exit status %d", WEXITSTATUS(wait_status));
        return;
    }
    signal_text(WTERMSIG(wait_status), out);
    if (WCOREDUMP(wait_status))
        strcat(out, " (core dumped)");
}

void exit_errno_text(int error, char out[EXIT_TEXT_SIZE])
{
    const char *text = strerrordesc_np(error);
    snprintf(out, EXIT_TEXT_SIZE, "%s", text ? text : "unknown error");
    out[0] = (char)tolower((unsigned char)out[0]);
}
