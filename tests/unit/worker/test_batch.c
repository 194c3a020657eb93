/* test_batch.c - many datums in one process, over a door of lines on a loopback socket: a line in
 * says how the last datum went, a line out names the next. Prints how fast that is. */
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "testing.h"
#include "worker/worker.h"

#define DATUMS 2000

typedef struct Fixture {
    WorkerIo io;
    WorkerDoor door;
    Ctx ctx;
    char *dir;
    Worker *worker;
    int listen_fd, epoll_fd, fd; /* the door's; fd: the process, -1 until it connects */
    char line[256];
    size_t line_size;
    unsigned answers_to_lose; /* as if who asked were gone; the process asks again */
    Buf results;              /* "id state tries reason\n" */
    Buf outputs;              /* "path=content;" */
    unsigned doors, done;
} Fixture;

/* --- the door --------------------------------------------------------------------------------- */

static void watch(const Fixture *fx, int fd)
{
    struct epoll_event event = { .events = EPOLLIN };
    assert_int_equal(epoll_ctl(fx->epoll_fd, EPOLL_CTL_ADD, fd, &event), 0);
}

static Status open_door(WorkerDoor *door, Ctx *ctx, const char **out_port, int *out_fd)
{
    Fixture *fx = CONTAINER_OF(door, Fixture, door);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof(at);
    fx->fd = -1;
    fx->line_size = 0;
    fx->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    fx->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fx->listen_fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(fx->listen_fd, 1), 0);
    getsockname(fx->listen_fd, (struct sockaddr *)&at, &size);
    watch(fx, fx->listen_fd);
    *out_port = text_printf(ctx->arena, "%d", ntohs(at.sin_port));
    *out_fd = fx->epoll_fd;
    fx->doors++;
    return OK;
}

/* What came of a line so far; it is whole with its '\n'. */
static const char *turn_door(WorkerDoor *door)
{
    Fixture *fx = CONTAINER_OF(door, Fixture, door);
    if (fx->fd < 0 && (fx->fd = accept4(fx->listen_fd, NULL, NULL, SOCK_NONBLOCK)) >= 0)
        watch(fx, fx->fd);
    ssize_t n = recv(fx->fd, fx->line + fx->line_size, sizeof(fx->line) - 1 - fx->line_size, 0);
    if (n == 0) { /* its end stays to be read */
        epoll_ctl(fx->epoll_fd, EPOLL_CTL_DEL, fx->fd, NULL);
        return NULL;
    }
    fx->line_size += n > 0 ? (size_t)n : 0;
    if (!fx->line_size || fx->line[fx->line_size - 1] != '\n')
        return NULL;
    fx->line[fx->line_size - 1] = '\0';
    return fx->line;
}

static bool answer_door(WorkerDoor *door, const char *const *env)
{
    Fixture *fx = CONTAINER_OF(door, Fixture, door);
    while (!str_starts(str(*env), STR("PACH_DATUM_ID=")))
        env++;
    fx->line_size = 0;
    if (fx->answers_to_lose && fx->answers_to_lose--)
        return send(fx->fd, "again\n", strlen("again\n"), 0) < 0;
    char *reply = text_printf(fx->ctx.arena, "%s\n", *env + strlen("PACH_DATUM_ID="));
    return status_ok(file_write_all(&fx->ctx, fx->fd, reply, strlen(reply)));
}

static void close_door(WorkerDoor *door)
{
    Fixture *fx = CONTAINER_OF(door, Fixture, door);
    close(fx->epoll_fd);
    close(fx->listen_fd);
    if (fx->fd >= 0)
        close(fx->fd);
}

/* --- the server ------------------------------------------------------------------------------- */

static Status output_begin(WorkerIo *io, Ctx *ctx, const WorkerDatum *datum)
{
    (void)io, (void)ctx, (void)datum;
    return OK;
}

static Status output_file(WorkerIo *io, Ctx *ctx, const char *path, uint64_t size_bytes)
{
    (void)ctx, (void)size_bytes;
    buf_printf(&CONTAINER_OF(io, Fixture, io)->outputs, "%s=", path);
    return OK;
}

static Status output_data(WorkerIo *io, Ctx *ctx, Bytes piece)
{
    (void)ctx;
    buf_add_bytes(&CONTAINER_OF(io, Fixture, io)->outputs, piece);
    return OK;
}

static Status output_finish(WorkerIo *io, Ctx *ctx)
{
    (void)ctx;
    buf_add_u8(&CONTAINER_OF(io, Fixture, io)->outputs, ';');
    return OK;
}

static void output_abort(WorkerIo *io, Ctx *ctx)
{
    (void)io, (void)ctx;
}

static void ignore_line(WorkerIo *io, const WorkerDatum *datum, bool is_user, SandboxStream stream,
                        Str line, int64_t wall_ns)
{
    (void)io, (void)datum, (void)is_user, (void)stream, (void)line, (void)wall_ns;
}

static int set_up(void **state)
{
    Fixture *fx = calloc(1, sizeof(*fx));
    ctx_init(&fx->ctx);
    fx->dir = scratch_dir(&fx->ctx);
    fx->door = (WorkerDoor){ open_door, turn_door, answer_door, close_door };
    fx->io = (WorkerIo){ .output_begin = output_begin,
                         .output_file = output_file,
                         .output_data = output_data,
                         .output_finish = output_finish,
                         .output_abort = output_abort,
                         .log = ignore_line };
    const WorkerConfig config = { .dir = text_printf(fx->ctx.arena, "%s/w", fx->dir),
                                  .level_max = SANDBOX_ROOT };
    assert_ok(worker_open(&fx->ctx, &config, &fx->worker));
    *state = fx;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fx = *state;
    worker_close(fx->worker);
    buf_done(&fx->results);
    buf_done(&fx->outputs);
    assert_ok(file_remove_tree(&fx->ctx, fx->dir));
    ctx_done(&fx->ctx);
    free(fx);
    return 0;
}

static void note_result(void *arg, size_t index, const WorkerResult *result)
{
    Fixture *fx = arg;
    assert_int_equal(index, fx->done++);
    buf_printf(&fx->results, "%zu %d %lld %s\n", index, (int)result->state,
               (long long)result->tries, result->reason);
}

/* --- tests ------------------------------------------------------------------------------------ */

/* `body` sees the datum's id as d, and says how it went as e. */
#define USER_CODE(body)                                                                            \
    "import os, socket, sys\n"                                                                     \
    "s = socket.create_connection(('127.0.0.1', int(os.environ['PPS_WORKER_GRPC_PORT'])))\n"       \
    "s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\n"                                    \
    "e = ''\n"                                                                                     \
    "while True:\n"                                                                                \
    "    s.sendall((e + '\\n').encode())\n"                                                        \
    "    d = s.recv(256).decode().strip()\n"                                                       \
    "    e = ''\n" body

static Status run_all(Fixture *fx, const char *code, size_t n, int64_t tries)
{
    const char *cmd[] = { "python3", "-S", "-c", code, NULL };
    const WorkerSpec spec = {
        .project = "default", .pipeline = "p", .job_id = "j", .cmd = cmd, .tries = tries
    };
    WorkerDatum *datums = ARENA_NEW(fx->ctx.arena, WorkerDatum, n);
    for (size_t i = 0; i < n; i++)
        datums[i].id = text_printf(fx->ctx.arena, "%zu", i);
    return worker_run_batch(&fx->ctx, fx->worker, &fx->io, &spec, &fx->door, datums, n, note_result,
                            fx);
}

/* Machines without namespaces have no batches: the rest cannot be tested there. */
static bool has_sandbox(Fixture *fx)
{
    SandboxLevel level;
    assert_ok(worker_probe(&fx->ctx, fx->worker, &level));
    if (level == SANDBOX_NONE)
        say_case("skipped: this machine allows no sandbox");
    return level != SANDBOX_NONE;
}

static void errors_and_exits_are_tries(void **state)
{
    Fixture *fx = *state;
    if (!has_sandbox(fx))
        return;
    const char *code = USER_CODE("    if d == '1': e = 'no good'\n"
                                 "    if d == '2': sys.exit(0)\n"
                                 "    open('/pfs/out/f', 'w').write(d)\n");
    assert_ok(run_all(fx, code, 4, 2));
    assert_string_equal(str_z(fx->ctx.arena, buf_str(&fx->results)),
                        "0 0 1 \n"
                        "1 1 2 no good\n"
                        "2 1 2 error running user code: user code exited prematurely\n"
                        "3 0 1 \n");
    assert_string_equal(str_z(fx->ctx.arena, buf_str(&fx->outputs)), "/f=0;/f=3;");
    assert_int_equal(fx->doors,
                     5); /* datum 0 and the first try of 1 share one; each failure ends one */
}

static void exits_before_asking(void **state)
{
    Fixture *fx = *state;
    if (!has_sandbox(fx))
        return;
    assert_ok(run_all(fx, "raise SystemExit(3)", 1, 1));
    assert_string_equal(str_z(fx->ctx.arena, buf_str(&fx->results)),
                        "0 1 1 error running user code: exit status 3\n");
}

/* A call that was given up before its answer came: its datum goes to the next one. */
static void answers_that_nobody_takes(void **state)
{
    Fixture *fx = *state;
    if (!has_sandbox(fx))
        return;
    fx->answers_to_lose = 2;
    const char *code = USER_CODE("    if d == 'again': continue\n"
                                 "    open('/pfs/out/f', 'w').write(d)\n");
    assert_ok(run_all(fx, code, 3, 1));
    assert_string_equal(str_z(fx->ctx.arena, buf_str(&fx->results)), "0 0 1 \n1 0 1 \n2 0 1 \n");
    assert_string_equal(str_z(fx->ctx.arena, buf_str(&fx->outputs)), "/f=0;/f=1;/f=2;");
    assert_int_equal(fx->doors, 1);
}

static void measure(Fixture *fx, const char *what, const char *code)
{
    fx->done = 0;
    int64_t start_ns = clock_mono_ns();
    assert_ok(run_all(fx, code, DATUMS, 1));
    double seconds = (double)(clock_mono_ns() - start_ns) / (double)NS_PER_SEC;
    assert_int_equal(fx->done, DATUMS);
    say_case("%s: %.0f datums/s", what, DATUMS / seconds);
}

static void one_process_for_many(void **state)
{
    Fixture *fx = *state;
    if (!has_sandbox(fx))
        return;
    measure(fx, "no output", USER_CODE(""));
    assert_int_equal(fx->doors, 1);
    measure(fx, "one file each", USER_CODE("    open('/pfs/out/f', 'w').write(d)\n"));
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(errors_and_exits_are_tries),
        RUN(exits_before_asking),
        RUN(answers_that_nobody_takes),
        RUN(one_process_for_many),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
