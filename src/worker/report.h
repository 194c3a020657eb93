/* report.h - what the processes inside a sandbox tell the worker: one message each over a
 * SOCK_SEQPACKET socket, which ends when they have. */
#pragma once

#include "base/ctx.h"

typedef enum ReportKind {
    REPORT_STARTED = 1, /* the keeper: fd is the pidfd of pid 1; value its pid */
    REPORT_BROKEN,      /* a step failed; text says which */
    REPORT_NOT_STARTED, /* the user's program cannot be run; text says why */
    REPORT_TARGET,   /* of STEP_RESOLVE: fd, text (real path); value: an errno, or REPORT_IS_DIR */
    REPORT_LEFTOVER, /* a process that was left behind; text describes it */
    REPORT_DOOR,     /* of STEP_DOOR: fd, the worker's end of it */
    REPORT_EXITED,   /* the user's process ended; value is its wait status */
} ReportKind;

#define REPORT_IS_DIR         (-1)
#define REPORT_TEXT_BYTES_MAX 4096

typedef struct Report {
    ReportKind kind;
    int value;
    int fd; /* -1: none; owned by who receives it */
    size_t size;
    char text[REPORT_TEXT_BYTES_MAX + 1]; /* NUL after size bytes */
} Report;

/* Sends one message; a longer text is cut. False when nobody listens. Makes no memory. */
bool report_send(int socket_fd, ReportKind kind, int value, int fd, const char *text);

/* Receives one. False at the end, on a damaged message, and (errno EAGAIN) when a non-blocking
 * socket has none. */
bool report_receive(int socket_fd, Report *out);

/* What the keeper needs for one run, as descriptors. */
typedef enum RequestFd {
    REQUEST_PLAN, /* a memory file with the encoded steps */
    REQUEST_STDIN,
    REQUEST_STDOUT,
    REQUEST_STDERR,
    REQUEST_REPORT, /* the writing end of the run's reports */
    REQUEST_FD_COUNT,
} RequestFd;

/* Duplicates are sent; the caller keeps its own. False when nobody listens. */
bool request_send(int socket_fd, const int fds[REQUEST_FD_COUNT]);
bool request_receive(int socket_fd, int out[REQUEST_FD_COUNT]);
