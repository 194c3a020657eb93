/* pcv_eval.c - runs users' jq and Jsonnet programs for the server, where they can do no harm:
 * with little memory and time, without its environment, and (jq) without any file. */
#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/eval.h"

#define CPU_SECONDS_MAX  20 /* the server gives up earlier: this is for when it is gone */
#define MEMORY_BYTES_MAX (1024 * MiB)
#define FILES_STD        3 /* with no more descriptors than these nothing can be opened */

static const struct {
    const char *name;
    EvalMode run;
    bool no_files;
} modes[] = {
    { "jq", eval_jq, true },
    { "jsonnet", eval_jsonnet, false },
};

static void limit(__rlimit_resource_t resource, uint64_t value)
{
    const struct rlimit both = { value, value };
    if (setrlimit(resource, &both) < 0)
        _exit(1);
}

static void lock_down(bool no_files)
{
    limit(RLIMIT_CPU, CPU_SECONDS_MAX);
    limit(RLIMIT_CORE, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they map terabytes */
    limit(RLIMIT_AS, MEMORY_BYTES_MAX);
#endif
    if (no_files)
        limit(RLIMIT_NOFILE, FILES_STD);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* False at the end of the stream. */
static bool take(void *out, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t n = read(STDIN_FILENO, (char *)out + at, size - at);
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        at += (size_t)MAX(n, (ssize_t)0);
    }
    return true;
}

static bool take_question(Buf *question)
{
    uint8_t head[EVAL_HEAD_BYTES];
    buf_clear(question);
    if (!take(head, sizeof(head)) || load_be32(head) > EVAL_FRAME_BYTES_MAX)
        return false;
    buf_reserve(question, load_be32(head));
    question->size = load_be32(head);
    return take(question->data, question->size);
}

static bool give(const Buf *answer)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    uint8_t head[EVAL_HEAD_BYTES];
    store_be32(head, (uint32_t)answer->size);
    Status s = file_write_all(&ctx, STDIN_FILENO, head, sizeof(head));
    if (status_ok(s))
        s = file_write_all(&ctx, STDIN_FILENO, answer->data, answer->size);
    return status_ok(s);
}

static int serve(EvalMode run)
{
    Buf question = { 0 }, answer = { 0 };
    void *state = NULL;
    bool going = true;
    while (going && take_question(&question)) {
        CLEANUP(ctx_done) Ctx ctx;
        ctx_init(&ctx);
        buf_clear(&answer);
        run(&ctx, &state, buf_str(&question), &answer);
        going = give(&answer);
    }
    buf_done(&question);
    buf_done(&answer);
    return 0;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < ARRAY_LEN(modes); i++) {
        if (strcmp(argv[1], modes[i].name) != 0)
            continue;
        lock_down(modes[i].no_files);
        return serve(modes[i].run);
    }
    fprintf(stderr, "pcv-eval is started by pcvd, to run users' filters and templates\n");
    return 1;
}
