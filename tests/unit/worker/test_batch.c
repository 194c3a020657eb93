/* test_batch.c - many datums in one process, over a door of lines on a loopback socket: a line in
 * says how the last datum went, a line out names the next. Prints how fast that is. */
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/event.h"
#include "testing.h"
#include "worker/worker.h"

#define DATUMS 2000

typedef struct Fixture {
    WorkerIo io;
    WorkerDoor door;
    Ctx ctx;
    char *dir;
    Worker *worker;
    WorkerBatch *batch;
    int listen_fd;
    Cancel *closing;
    pthread_t thread;
    Buf results; /* "id state tries reason\n" */
    Buf outputs; /* "path=content;" */
    unsigned doors, done;
} Fixture;

/* --- the door --------------------------------------------------------------------------------- */

/* One line; false at the end. */
static bool read_line(int fd, char *line, size_t size)
{
    for (size_t n = 0; n + 1 < size;) {
        if (read(fd, line + n, 1) != 1)
            return false;
        if (line[n] == '\n') {
            line[n] = '\0';
            return true;
        }
        n++;
    }
    return false;
}

static Status serve_line(Fixture *fx, int fd, const char *line)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    ctx.cancel = fx->closing;
    const char *const *env;
    TRY(worker_batch_next(&ctx, fx->batch, line, &env));
    while (!str_starts(str(*env), STR("PACH_DATUM_ID=")))
        env++;
    char *reply = text_printf(ctx.arena, "%s\n", *env + strlen("PACH_DATUM_ID="));
    return file_write_all(&ctx, fd, reply, strlen(reply));
}

static void *door_thread(void *arg)
{
    Fixture *fx = arg;
    char line[256];
    AUTO_FD fd = accept(fx->listen_fd, NULL, NULL);
    while (fd >= 0 && read_line(fd, line, sizeof(line)) && status_ok(serve_line(fx, fd, line)))
        continue;
    return NULL;
}

static Status open_door(WorkerDoor *door, Ctx *ctx, WorkerBatch *batch, const char **out_port)
{
    Fixture *fx = CONTAINER_OF(door, Fixture, door);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof(at);
    fx->batch = batch;
    fx->closing = cancel_new();
    fx->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fx->listen_fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(fx->listen_fd, 1), 0);
    getsockname(fx->listen_fd, (struct sockaddr *)&at, &size);
    assert_int_equal(pthread_create(&fx->thread, NULL, door_thread, fx), 0);
    *out_port = text_printf(ctx->arena, "%d", ntohs(at.sin_port));
    fx->doors++;
    return OK;
}

static void close_door(WorkerDoor *door)
{
    Fixture *fx = CONTAINER_OF(door, Fixture, door);
    cancel_set(fx->closing);
    shutdown(fx->listen_fd, SHUT_RDWR);
    pthread_join(fx->thread, NULL);
    close(fx->listen_fd);
    fx->closing = cancel_unref(fx->closing);
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
    fx->door = (WorkerDoor){ open_door, close_door };
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
        RUN(one_process_for_many),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
