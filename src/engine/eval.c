/* eval.c - see eval.h. */
#include "engine/eval.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"

struct Eval {
    pid_t pid;
    int fd;
    int64_t left_ns;
};

/* --- the process ------------------------------------------------------------------------------ */

Status eval_start(Ctx *ctx, const char *program, const char *mode, int64_t limit_ns, Eval **out)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return status_errno(ctx, errno, "could not make a socket pair");
    AUTO_FD ours = fds[0];
    AUTO_FD theirs = fds[1];
    char *argv[] = { arena_strdup(ctx->arena, program), arena_strdup(ctx->arena, mode), NULL };
    char *environment[] = { NULL }; /* nothing of the server's own */
    pid_t pid = 0;
    TRY(process_start(ctx, argv, environment, theirs, true, &pid));
    Eval *eval = calloc(1, sizeof(*eval));
    if (!eval)
        abort();
    *eval = (Eval){ pid, fd_steal(&ours), limit_ns };
    *out = eval;
    return OK;
}

Eval *eval_free(Eval *eval)
{
    if (!eval)
        return NULL;
    process_end(eval->pid);
    close(eval->fd);
    free(eval);
    return NULL;
}

/* --- asking ----------------------------------------------------------------------------------- */

static Status wait_until(Ctx *ctx, const Eval *eval, short events, int64_t deadline_ns)
{
    struct pollfd ready = { .fd = eval->fd, .events = events };
    for (;;) {
        int64_t left_ns = deadline_ns - clock_mono_ns();
        if (left_ns <= 0)
            return FAIL(ctx, DEADLINE_EXCEEDED, "context deadline exceeded");
        int n = poll(&ready, 1, (int)(left_ns / NS_PER_MS + 1));
        if (n > 0)
            return OK;
        if (n < 0 && errno != EINTR)
            return status_errno(ctx, errno, "could not wait for an evaluation");
    }
}

static Status died(Ctx *ctx)
{
    return FAIL(ctx, RESOURCE_EXHAUSTED, "the program needs too much memory or processor time");
}

static Status put(Ctx *ctx, const Eval *eval, Str data, int64_t deadline_ns)
{
    while (data.size) {
        TRY(wait_until(ctx, eval, POLLOUT, deadline_ns));
        ssize_t n = send(eval->fd, data.data, data.size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return died(ctx);
        data = str_sub(data, (size_t)MAX(n, (ssize_t)0), data.size);
    }
    return OK;
}

static Status take(Ctx *ctx, const Eval *eval, void *out, size_t size, int64_t deadline_ns)
{
    for (size_t at = 0; at < size;) {
        TRY(wait_until(ctx, eval, POLLIN, deadline_ns));
        ssize_t n = recv(eval->fd, (char *)out + at, size - at, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return died(ctx);
        at += (size_t)MAX(n, (ssize_t)0);
    }
    return OK;
}

static Status exchange(Ctx *ctx, const Eval *eval, Str question, int64_t deadline_ns, Str *out)
{
    uint8_t head[EVAL_HEAD_BYTES];
    if (question.size > EVAL_FRAME_BYTES_MAX)
        return FAIL(ctx, RESOURCE_EXHAUSTED, "what is to be evaluated is larger than %llu bytes",
                    (unsigned long long)EVAL_FRAME_BYTES_MAX);
    store_be32(head, (uint32_t)question.size);
    TRY(put(ctx, eval, bytes_str(bytes(head, sizeof(head))), deadline_ns));
    TRY(put(ctx, eval, question, deadline_ns));
    TRY(take(ctx, eval, head, sizeof(head), deadline_ns));
    size_t size = load_be32(head);
    char *answer = size <= EVAL_FRAME_BYTES_MAX ? arena_alloc(ctx->arena, size + 1) : NULL;
    if (!answer)
        return FAIL(ctx, RESOURCE_EXHAUSTED, "an evaluation gave too much");
    *out = (Str){ answer, size };
    return take(ctx, eval, answer, size, deadline_ns);
}

Status eval_ask(Ctx *ctx, Eval *eval, Str question, EvalKind *out_kind, Str *out_text)
{
    int64_t began_ns = clock_mono_ns();
    Str answer = STR("");
    TRY(exchange(ctx, eval, question, began_ns + eval->left_ns, &answer));
    eval->left_ns -= clock_mono_ns() - began_ns;
    if (!answer.size)
        return FAIL(ctx, INTERNAL, "an evaluation gave no answer");
    *out_kind = (EvalKind)answer.data[0];
    *out_text = str_sub(answer, 1, answer.size);
    return OK;
}
