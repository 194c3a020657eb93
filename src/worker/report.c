/* report.c - see report.h. */
#include "worker/report.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct ReportHead {
    int32_t kind;
    int32_t value;
} ReportHead;

typedef union FdMessage {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(REQUEST_FD_COUNT * sizeof(int))];
} FdMessage;

static void attach_fds(struct msghdr *message, FdMessage *control, const int *fds, size_t n)
{
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(n * sizeof(int));
    struct cmsghdr *rights = CMSG_FIRSTHDR(message);
    *rights = (struct cmsghdr){ CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
    memcpy(CMSG_DATA(rights), fds, n * sizeof(int));
}

/* Takes up to n descriptors out; how many there were. */
static size_t detach_fds(struct msghdr *message, int *fds, size_t n)
{
    struct cmsghdr *rights = CMSG_FIRSTHDR(message);
    if (!rights || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS)
        return 0;
    size_t count = MIN(n, (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(fds, CMSG_DATA(rights), count * sizeof(int));
    return count;
}

static ssize_t send_whole(int socket_fd, const struct msghdr *message)
{
    ssize_t sent;
    do {
        sent = sendmsg(socket_fd, message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent;
}

static ssize_t receive_whole(int socket_fd, struct msghdr *message)
{
    ssize_t got;
    do {
        got = recvmsg(socket_fd, message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    return got;
}

bool report_send(int socket_fd, ReportKind kind, int value, int fd, const char *text)
{
    ReportHead head = { (int32_t)kind, value };
    union {
        const char *in;
        void *out;
    } body = { .in = text }; /* sendmsg only reads, but takes void * */
    struct iovec parts[] = {
        {&head,         sizeof(head)          },
        { body.out, strnlen(text, REPORT_TEXT_BYTES_MAX) }
    };
    FdMessage control = { 0 };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = ARRAY_LEN(parts) };
    if (fd >= 0)
        attach_fds(&message, &control, &fd, 1);
    return send_whole(socket_fd, &message) >= 0;
}

bool report_receive(int socket_fd, Report *out)
{
    ReportHead head;
    struct iovec parts[] = {
        {&head,      sizeof(head)         },
        { out->text, REPORT_TEXT_BYTES_MAX}
    };
    FdMessage control;
    struct msghdr message = { .msg_iov = parts,
                              .msg_iovlen = ARRAY_LEN(parts),
                              .msg_control = &control,
                              .msg_controllen = sizeof(control) };
    ssize_t got = receive_whole(socket_fd, &message);
    if (got >= 0)
        errno = 0;
    if (got < (ssize_t)sizeof(head))
        return false;
    out->kind = (ReportKind)head.kind;
    out->value = head.value;
    out->fd = -1;
    detach_fds(&message, &out->fd, 1);
    out->size = (size_t)got - sizeof(head);
    out->text[out->size] = '\0';
    return true;
}

bool request_send(int socket_fd, const int fds[REQUEST_FD_COUNT])
{
    char byte = 0;
    struct iovec part = { &byte, 1 };
    FdMessage control = { 0 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    attach_fds(&message, &control, fds, REQUEST_FD_COUNT);
    return send_whole(socket_fd, &message) >= 0;
}

bool request_receive(int socket_fd, int out[REQUEST_FD_COUNT])
{
    char byte;
    struct iovec part = { &byte, 1 };
    FdMessage control;
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof(control) };
    return receive_whole(socket_fd, &message) == 1 &&
           detach_fds(&message, out, REQUEST_FD_COUNT) == REQUEST_FD_COUNT;
}
