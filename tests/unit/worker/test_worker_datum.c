/* test_worker_datum.c - whole datums: inputs from a repo in memory, real processes, outputs written
 * down as text. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/event.h"
#include "testing.h"
#include "worker/worker.h"

/* --- a server --------------------------------------------------------------------------------- */

typedef struct RepoFile {
    const char *path;
    const char *content;
} RepoFile;

typedef struct Server {
    WorkerIo io;
    Ctx ctx;
    Worker *worker;
    char *dir;
    const RepoFile *repo; /* ends with a NULL path */
    Buf output;           /* "path=content\n", "path<-name:source\n"; "abort\n" */
    Buf user, own;        /* log lines */
    _Atomic int fetches;
    Status fetch_fails;
    WorkerResult result;
} Server;

static Server *server_of(WorkerIo *io)
{
    return CONTAINER_OF(io, Server, io);
}

/* The hash of a file is its content, cut: the tests' contents differ early. */
static Bytes hash_of(const char *content)
{
    return bytes(content, MIN(strlen(content), 32));
}

static Status fetch(WorkerIo *io, Ctx *ctx, const WorkerInput *input, const char *path,
                    bool names_only, WorkerSink *sink)
{
    (void)input;
    Server *server = server_of(io);
    server->fetches++;
    TRY(server->fetch_fails);
    bool is_dir = str_ends(str(path), STR("/"));
    for (const RepoFile *file = server->repo; file->path; file++) {
        bool wanted,
            hit = is_dir ? str_starts(str(file->path), str(path)) : strcmp(file->path, path) == 0;
        if (!hit)
            continue;
        TRY(sink->file(sink, ctx, file->path, hash_of(file->content), strlen(file->content),
                       &wanted));
        assert_false(wanted && names_only);
        for (size_t at = 0; wanted && at < strlen(file->content); at += 3)
            TRY(sink->data(sink, ctx, str_bytes(str_sub(str(file->content), at, at + 3))));
    }
    return OK;
}

static Status output_begin(WorkerIo *io, Ctx *ctx, const WorkerDatum *datum)
{
    (void)ctx, (void)datum;
    buf_clear(&server_of(io)->output);
    return OK;
}

static Status output_file(WorkerIo *io, Ctx *ctx, const char *path, uint64_t size_bytes)
{
    (void)ctx, (void)size_bytes;
    buf_printf(&server_of(io)->output, "\n%s=", path);
    return OK;
}

static Status output_data(WorkerIo *io, Ctx *ctx, Bytes piece)
{
    (void)ctx;
    assert_true(piece.size > 0 && piece.size <= 1 * MiB);
    buf_add_bytes(&server_of(io)->output, piece);
    return OK;
}

static Status output_copy(WorkerIo *io, Ctx *ctx, const char *path, const WorkerInput *input,
                          const char *source)
{
    (void)ctx;
    buf_printf(&server_of(io)->output, "\n%s<-%s:%s", path, input->name, source);
    return OK;
}

static Status output_finish(WorkerIo *io, Ctx *ctx)
{
    (void)ctx;
    buf_printf(&server_of(io)->output, "\ndone");
    return OK;
}

static void output_abort(WorkerIo *io, Ctx *ctx)
{
    (void)ctx;
    buf_printf(&server_of(io)->output, "\nabort");
}

static void log_line_in(WorkerIo *io, const WorkerDatum *datum, bool is_user, SandboxStream stream,
                        Str line, int64_t wall_ns)
{
    Server *server = server_of(io);
    (void)datum, (void)stream, (void)wall_ns;
    Buf *to = is_user ? &server->user : &server->own;
    buf_add_str(to, line);
    buf_add_u8(to, '\n');
}

static const RepoFile repo[] = {
    { "/a", "content of a" },     { "/b", "content of b" }, { "/dir/x", "x in dir" },
    { "/dir/sub/y", "y in sub" }, { "/empty", "" },         { "/model/weights", "0123456789" },
    { "/model/config", "{}" },    { NULL, NULL },
};

static int setup_level(void **state, SandboxLevel level_max)
{
    Server *server = calloc(1, sizeof(*server));
    ctx_init(&server->ctx);
    server->io = (WorkerIo){ .fetch = fetch,
                             .output_begin = output_begin,
                             .output_file = output_file,
                             .output_data = output_data,
                             .output_copy = output_copy,
                             .output_finish = output_finish,
                             .output_abort = output_abort,
                             .log = log_line_in };
    server->repo = repo;
    server->dir = scratch_dir(&server->ctx);
    WorkerConfig config = { .dir = text_printf(server->ctx.arena, "%s/w", server->dir),
                            .require_sandbox = level_max != SANDBOX_NONE,
                            .disk_reserve_bytes = 1,
                            .level_max = level_max };
    assert_ok(worker_open(&server->ctx, &config, &server->worker));
    SandboxLevel level;
    Status s = worker_probe(&server->ctx, server->worker, &level);
    if (!status_ok(s))
        say_case("skipped: %s", status_message(s));
    *state = status_ok(s) ? server : NULL;
    return 0;
}

static int setup_root(void **state)
{
    return setup_level(state, SANDBOX_ROOT);
}

static int setup_user(void **state)
{
    return setup_level(state, SANDBOX_USER);
}

static bool made_pfs; /* the test needs a /pfs on the host */

static int setup_plain(void **state)
{
    made_pfs = access("/pfs", F_OK) < 0;
    return setup_level(state, SANDBOX_NONE);
}

static int teardown(void **state);

static int teardown_plain(void **state)
{
    int result = teardown(state);
    if (made_pfs)
        rmdir("/pfs");
    return result;
}

static int teardown(void **state)
{
    Server *server = *state;
    if (!server)
        return 0;
    worker_close(server->worker);
    assert_int_equal(rmdir(text_printf(server->ctx.arena, "%s/w", server->dir)),
                     -1); /* it is gone already */
    assert_int_equal(rmdir(server->dir), 0);
    buf_done(&server->output);
    buf_done(&server->user);
    buf_done(&server->own);
    ctx_done(&server->ctx);
    free(server);
    return 0;
}

/* --- running ---------------------------------------------------------------------------------- */

#define SKIP_WITHOUT_SANDBOX(state)                                                                \
    do {                                                                                           \
        if (!*(state)) { /* cmocka's skip() is a failure to some readers of TAP */                 \
            say_case("skipped");                                                                   \
            return;                                                                                \
        }                                                                                          \
    } while (0)

static WorkerInput file_input(const char *name, const char *path)
{
    WorkerInput input = {
        .name = name, .path = path, .commit = "c0ffee", .hash = str_bytes(str(path))
    };
    for (const RepoFile *file = repo; file->path; file++) {
        if (strcmp(file->path, path) == 0) {
            input.hash = hash_of(file->content);
            input.size_bytes = strlen(file->content);
        }
    }
    return input;
}

static WorkerSpec shell(const char *const *argv)
{
    return (WorkerSpec){
        .project = "p", .pipeline = "pipe", .job_id = "job1", .pod_name = "pod-1", .cmd = argv
    };
}

/* Runs a script as a datum's code; the output as text. */
static const char *run_spec(Server *server, WorkerSpec *spec, const WorkerInput *inputs, size_t n)
{
    WorkerDatum datum = { .id = "d1", .inputs = inputs, .input_count = n };
    buf_clear(&server->output);
    buf_clear(&server->user);
    buf_clear(&server->own);
    assert_ok(
        worker_run_datum(&server->ctx, server->worker, &server->io, spec, &datum, &server->result));
    return str_z(server->ctx.arena, buf_str(&server->output));
}

static const char *run_script(Server *server, const char *script, const WorkerInput *inputs,
                              size_t n)
{
    const char *const argv[] = { "sh", "-c", script, NULL };
    WorkerSpec spec = shell(argv);
    return run_spec(server, &spec, inputs, n);
}

static const char *log_of(Server *server, const Buf *log)
{
    return str_z(server->ctx.arena, buf_str(log));
}

static void assert_processed(const Server *server)
{
    if (server->result.state != WORKER_PROCESSED)
        fail_msg("not processed: %s", server->result.reason);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void inputs_become_outputs(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    WorkerInput inputs[] = { file_input("in", "/a"), file_input("d", "/dir/") };
    assert_string_equal(
        run_script(server,
                   "mkdir -p /pfs/out/o/deep; cat $in > /pfs/out/o/one;"
                   "cd /pfs/d; find . -type f | sort > /pfs/out/list; : > /pfs/out/nil",
                   inputs, 2),
        "\n/list=./dir/sub/y\n./dir/x\n\n/nil=\n/o/one=content of a\ndone");
    assert_processed(server);
    assert_int_equal(server->result.tries, 1);
    assert_int_equal(server->result.stats.download_bytes, 12 + 8 + 8);
    assert_int_equal(server->result.stats.upload_bytes, 12 + 20);
    assert_true(server->result.stats.process_ns > 0);
    const char *own = log_of(server, &server->own);
    assert_non_null(strstr(own, "beginning to run user code\nfinished running user code after "));
}

static void every_kind_of_input(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    WorkerInput inputs[] = { file_input("inline", "/a"),  file_input("empty", "/dir/"),
                             file_input("lazy", "/dir/"), file_input("one", "/b"),
                             file_input("s3", "/"),       file_input("root", "/") };
    inputs[0].has_content = true;
    inputs[0].content = str_bytes(STR("inline!"));
    inputs[1].empty_files = true;
    inputs[2].lazy = true;
    inputs[3].lazy = true;
    inputs[4].s3 = true;
    const char *out = run_script(
        server,
        "cat /pfs/inline/a; echo; wc -c < /pfs/empty/dir/x; test -p /pfs/lazy/dir/x && echo fifo;"
        "cat /pfs/lazy/dir/sub/y; echo; cat /pfs/one/b; echo; ls -A /pfs/s3 | wc -l;"
        "ls -m /pfs/root; ls -m /pfs; stat -c '%a %u' /pfs/one /pfs/inline/a /pfs/out",
        inputs, ARRAY_LEN(inputs));
    assert_string_equal(out, "\ndone");
    assert_processed(server);
    assert_string_equal(log_of(server, &server->user),
                        "inline!\n0\nfifo\ny in sub\ncontent of b\n0\na, b, dir, empty, model\n"
                        "empty, inline, lazy, one, out, root, s3\n755 0\n644 0\n755 0\n");
    assert_int_equal(server->result.stats.download_bytes,
                     7 + 8 + 12 + (12 + 12 + 8 + 8 + 0 + 10 + 2));
}

static void lazy_inputs_are_fetched_only_when_opened(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    WorkerInput inputs[] = { file_input("l", "/a"), file_input("m", "/b") };
    inputs[0].lazy = inputs[1].lazy = true;
    int before = server->fetches;
    run_script(server, "true", inputs, 2);
    assert_int_equal(server->fetches, before);
    assert_int_equal(server->result.stats.download_bytes, 0);
    run_script(server,
               "exec 3< /pfs/l/a; cat /pfs/m/b; cat <&3; head -c 3 /pfs/m/b < /dev/null & sleep 0",
               inputs, 2);
    assert_processed(server);
    assert_non_null(strstr(log_of(server, &server->user), "content of bcontent of a"));

    server->fetch_fails = (Status){ STATUS_UNAVAILABLE, NULL };
    const char *const argv[] = { "sh", "-c", "cat /pfs/l/a", NULL };
    WorkerSpec spec = shell(argv);
    WorkerDatum datum = { .id = "d", .inputs = inputs, .input_count = 1 };
    assert_fails(
        worker_run_datum(&server->ctx, server->worker, &server->io, &spec, &datum, &server->result),
        UNAVAILABLE, "could not fetch lazy input '/a'");
    server->fetch_fails = OK;
}

/* A model that stays is fetched and placed once, and cannot be changed by who reads it. */
static void what_stays_is_not_fetched_again(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    WorkerInput first[] = { file_input("in", "/a"), file_input("model", "/model/") };
    WorkerInput second[] = { file_input("in", "/b"), file_input("model", "/model/") };
    run_script(server, "stat -c %i /pfs/model/model/weights; echo x > /pfs/model/model/weights",
               first, 2);
    char *inode = str_z(server->ctx.arena,
                        str_sub(buf_str(&server->user), 0, str_find(buf_str(&server->user), '\n')));
    int before = server->fetches;
    run_script(server,
               "stat -c %i /pfs/model/model/weights; cat /pfs/model/model/weights; ls /pfs/in",
               second, 2);
    assert_int_equal(server->fetches, before + 1); /* b */
    assert_string_equal(log_of(server, &server->user),
                        text_printf(server->ctx.arena, "%s\n0123456789b\n", inode));
    run_script(server, "cat /pfs/in/a; ls /pfs", first, 1);
    assert_int_equal(server->fetches,
                     before + 2); /* asked for, but its content came from the cache */
    assert_string_equal(log_of(server, &server->user), "content of ain\nout\n");
}

static void overlapping_inputs(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    WorkerInput group[] = { file_input("in", "/dir/x"), file_input("in", "/dir/"),
                            file_input("in", "/a") };
    assert_string_equal(run_script(server,
                                   "cd /pfs/in; find . -type f | sort | tr '\\n' ' ' > /pfs/out/l",
                                   group, 3),
                        "\n/l=./a ./dir/sub/y ./dir/x \ndone");
    assert_string_equal(run_script(server,
                                   "cd /pfs/in; find . -type f | sort | tr '\\n' ' ' > /pfs/out/l",
                                   group, 1),
                        "\n/l=./dir/x \ndone");
    assert_string_equal(run_script(server, "ls /pfs > /pfs/out/l", NULL, 0), "\n/l=out\n\ndone");
}

/* --- inputs at random: each datum sees its own, whatever the one before it left --------------- */

typedef enum Form { FORM_FETCHED, FORM_CONTENT, FORM_EMPTY, FORM_COUNT } Form;

static WorkerInput input_in_form(Server *server, const char *name, const char *path, Form form)
{
    WorkerInput input = file_input(name, path);
    input.has_content = form == FORM_CONTENT && !str_ends(str(path), STR("/"));
    input.empty_files = form == FORM_EMPTY;
    for (const RepoFile *file = repo; input.has_content && file->path; file++) {
        if (strcmp(file->path, path) == 0)
            input.content = str_bytes(str(arena_strdup(server->ctx.arena, file->content)));
    }
    return input;
}

/* A folder, or one or two of its files; returns how many inputs that is. */
static size_t random_inputs(Server *server, uint64_t *seed, const char *name, WorkerInput *out)
{
    static const char *const folders[] = { "/", "/dir/", "/dir/sub/", "/model/" };
    static const char *const files[] = { "/a", "/b", "/dir/sub/y", "/dir/x", "/model/weights" };
    Form form = next_rand(seed) % FORM_COUNT;
    if (next_rand(seed) % 3 == 0) {
        const char *folder = folders[next_rand(seed) % ARRAY_LEN(folders)];
        out[0] = input_in_form(server, name, folder, form);
        return 1;
    }
    size_t first = next_rand(seed) % ARRAY_LEN(files), n = 1 + next_rand(seed) % 2;
    for (size_t i = 0; i < n; i++)
        out[i] = input_in_form(server, name, files[(first + i) % ARRAY_LEN(files)],
                               next_rand(seed) % 2 ? form : FORM_CONTENT);
    return n;
}

/* How many files. */
static size_t add_expected(Buf *out, const WorkerInput *inputs, size_t n)
{
    size_t files = 0;
    for (const RepoFile *file = repo; file->path; file++) {
        for (size_t i = 0; i < n; i++) {
            bool hit = str_ends(str(inputs[i].path), STR("/"))
                           ? str_starts(str(file->path), str(inputs[i].path))
                           : strcmp(file->path, inputs[i].path) == 0;
            files += hit;
            if (hit)
                buf_printf(out, "%s%s=%s\n", inputs[i].name, file->path,
                           inputs[i].empty_files ? "" : file->content);
        }
    }
    return files;
}

static void each_datum_sees_its_own_inputs(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    static const char *const names[] = { "in", "on", "un" };
    uint64_t seed = 20;
    for (int round = 0; round < 300; round++) {
        WorkerInput inputs[2 * ARRAY_LEN(names)];
        size_t n = 0, files = 0;
        CLEANUP(buf_done) Buf expected = { 0 };
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            if (next_rand(&seed) % 4 == 0)
                continue;
            size_t added = random_inputs(server, &seed, names[i], inputs + n);
            files += add_expected(&expected, inputs + n, added);
            n += added;
        }
        buf_printf(&expected, "%zu\n", files);
        run_script(server,
                   "cd /pfs; for i in in on un; do for f in /a /b /dir/x /dir/sub/y /empty "
                   "/model/weights /model/config; do if test -f $i$f; then printf '%s=' $i$f;"
                   "cat $i$f; echo; fi; done; done; find . -type f ! -name .env | wc -l",
                   inputs, n);
        say_case("round %d", round);
        assert_processed(server);
        assert_string_equal(log_of(server, &server->user),
                            str_z(server->ctx.arena, buf_str(&expected)));
    }
}

static void failures_and_tries(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    const char *const fails[] = { "sh", "-c", "echo x > /pfs/out/x; exit 3", NULL };
    const char *const recovers[] = { "sh", "-c", "cat; exit 0", NULL };
    const char *const lines[] = { "one", "two", NULL };
    WorkerSpec spec = shell(fails);
    spec.tries = 3;
    assert_string_equal(run_spec(server, &spec, NULL, 0), "");
    assert_int_equal(server->result.state, WORKER_FAILED);
    assert_int_equal(server->result.tries, 3);
    assert_string_equal(server->result.reason, "exit status 3");
    assert_int_equal(server->result.stats.upload_bytes, 0);

    spec.err_cmd = recovers;
    spec.err_stdin_lines = lines;
    spec.tries = 1;
    run_spec(server, &spec, NULL, 0);
    assert_int_equal(server->result.state, WORKER_RECOVERED);
    assert_string_equal(log_of(server, &server->user), "one\ntwo\n");
    assert_non_null(strstr(log_of(server, &server->own), "errored running user code after "));
    assert_non_null(
        strstr(log_of(server, &server->own), "finished running user error handling code after "));

    const int64_t codes[] = { 7, 3 };
    spec.accept_return_codes = codes;
    spec.accept_return_code_count = 2;
    assert_string_equal(run_spec(server, &spec, NULL, 0), "\n/x=x\n\ndone");
    assert_processed(server);

    spec.cmd = NULL;
    run_spec(server, &spec, NULL, 0);
    assert_string_equal(server->result.reason, "invalid pipeline transform, no command specified");
    const char *const missing[] = { "nonsense", NULL };
    spec.cmd = missing;
    spec.err_cmd = NULL;
    run_spec(server, &spec, NULL, 0);
    assert_string_equal(server->result.reason,
                        "exec: \"nonsense\": executable file not found in $PATH");
}

static void timeouts_kill(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    const char *const sleeps[] = { "sh", "-c", "sleep 1000 & sleep 1000", NULL };
    WorkerSpec spec = shell(sleeps);
    spec.timeout_ns = 50 * NS_PER_MS;
    run_spec(server, &spec, NULL, 0);
    assert_int_equal(server->result.state, WORKER_FAILED);
    assert_string_equal(server->result.reason, "signal: killed");
    assert_true(server->result.stats.process_ns >= spec.timeout_ns);
    assert_non_null(strstr(log_of(server, &server->own),
                           ": signal: killed because context deadline exceeded\n"));
}

static void cancellation_is_no_result(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    const char *const sleeps[] = { "sleep", "1000", NULL };
    WorkerSpec spec = shell(sleeps);
    WorkerDatum datum = { .id = "d" };
    server->ctx.cancel = cancel_new();
    cancel_set(server->ctx.cancel);
    assert_fails(
        worker_run_datum(&server->ctx, server->worker, &server->io, &spec, &datum, &server->result),
        CANCELLED, "");
    server->ctx.cancel = cancel_unref(server->ctx.cancel);
    run_script(server, "true", NULL, 0);
    assert_processed(server);
}

static void the_environment_is_made(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    const char *const argv[] = {
        "sh", "-c",
        "env | sort > /pfs/out/env; cmp /pfs/.env /pfs/.env; sort /pfs/.env > /pfs/out/file", NULL
    };
    const WorkerPair env[] = { { "A", "1" },
                               { "PACH_JOB_ID", "mine" },
                               { "PATH", "/bin:/usr/bin" } };
    const WorkerPair server_env[] = { { "A_SECRET", "s3cr3t" } };
    const char *const image_env[] = { "A=image", "LANG=C", NULL };
    WorkerInput inputs[] = { file_input("in", "/dir/"), file_input("a-b", "/a") };
    inputs[0].join_on = "j";
    inputs[1].group_by = "g";
    WorkerSpec spec = shell(argv);
    spec.env = env;
    spec.env_count = ARRAY_LEN(env);
    spec.server_env = server_env;
    spec.server_env_count = 1;
    spec.image_env = image_env;
    spec.working_dir = "/tmp";
    setenv("PCV_SERVER_SECRET", "secret", 1);
    const char *out = run_spec(server, &spec, inputs, 2);
    assert_processed(server);
    static const char *const expected[] = {
        "A=1\n",
        "\nA_SECRET=s3cr3t\n",
        "\nLANG=C\n",
        "\nHOME=/root\n",
        "\nHOSTNAME=pod-1\n",
        "\nPWD=/tmp\n",
        "\nPATH=/bin:/usr/bin:/pach-bin\n",
        "\nPACH_JOB_ID=job1\n",
        "\nPACH_OUTPUT_COMMIT_ID=job1\n",
        "\nPACH_DATUM_ID=d1\n",
        "\nPACH_DATUM_in_JOIN_ON=j\n",
        "\nPACH_DATUM_a-b_GROUP_BY=g\n",
        "\nin=/pfs/in/dir\n",
        "\na-b=/pfs/a-b/a\n",
        "\nin_COMMIT=c0ffee\n",
        "\nPPS_PIPELINE_NAME=pipe\n",
        "\nPPS_PROJECT_NAME=p\n",
    };
    const char *file = strstr(out, "\n/file=");
    assert_non_null(file);
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        if (!strstr(file, expected[i]))
            fail_msg("'%s' is not in:%s", expected[i] + 1, file);
    }
    assert_null(strstr(out, "PCV_SERVER_SECRET"));
}

static void links_in_the_output(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    WorkerInput inputs[] = { file_input("in", "/a"), file_input("d", "/dir/"),
                             file_input("in", "/b"), file_input("lazy", "/model/weights") };
    inputs[3].lazy = true;
    assert_string_equal(
        run_script(
            server,
            "cd /pfs/out; ln -s $d/x 1; ln -s ../in/b 2; ln -s /pfs/d 3; ln -s /pfs/in 4;"
            "ln -s /pfs/d/dir/sub 5; echo t > t; ln -s t 6; mkdir f; echo g > f/g; ln -s f 7;"
            "ln -s /pfs/lazy/model/weights 8; ln -s /pfs/lazy 9",
            inputs, 4),
        "\n/1<-d:/dir/x\n/2<-in:/b\n/3/dir<-d:/dir/\n/4/a<-in:/a\n/4/b<-in:/b\n/5<-d:/dir/sub/"
        "\n/6=t\n\n/7/g=g\n\n/8<-lazy:/model/weights\n/9/model/weights<-lazy:/model/weights"
        "\n/f/g=g\n\n/t=t\n\ndone");
    assert_processed(server);
    assert_int_equal(server->result.stats.upload_bytes, 2 + 2);
    const char *host =
        run_script(server, "ln -s /etc/passwd /pfs/out/p; ln -s /pfs/.env /pfs/out/e", NULL, 0);
    assert_processed(server);
    assert_non_null(strstr(host, "\n/p=root:"));
    assert_non_null(strstr(host, "PACH_JOB_ID=job1"));
}

/* Each output makes its datum fail, with a reason that names it. */
static void outputs_that_cannot_be_stored(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    static const struct {
        const char *script, *reason;
    } cases[] = {
        { "ln -s /nowhere l",
          "output \"/l\" is a link to \"/nowhere\": no such file or directory" },
        { "ln -s /usr l", "output \"/l\" is a link to \"/usr\": a folder outside of /pfs" },
        { "ln -s /pfs l", "output \"/l\" is a link to \"/pfs\": a folder outside of /pfs" },
        { "ln -s . l", "output \"/l/l\" is a link in a folder that is linked itself" },
        { "ln -s /etc/shadow l", "output \"/l\" is a link to \"/etc/shadow\": invalid argument" },
        { "ln -s /proc/1/environ l",
          "output \"/l\" is a link to \"/proc/1/environ\": permission denied" },
        { "ln -s /dev/zero l", "output \"/l\" is a link to \"/dev/zero\": invalid argument" },
        { "ln -s l l", "output \"/l\" is a link to \"l\": too many levels of symbolic links" },
        { "mkdir d; cd d; ln -s ../../../.. l",
          "output \"/d/l\" is a link to \"../../../..\": a folder outside of /pfs" },
        { "touch 'a*b'", "cannot upload file produced by the user code because its name cannot be "
                         "represented in PFS: "
                         "path (/a*b) invalid: globbing character (*) not allowed in path" },
        { "printf x > \"$(printf 'a\\377')\"", "only printable ASCII characters allowed" },
        { "truncate -s 15T big", "output is larger than" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *script = text_printf(server->ctx.arena, "cd /pfs/out; %s", cases[i].script);
        assert_string_equal(run_script(server, script, NULL, 0), "");
        assert_int_equal(server->result.state, WORKER_FAILED);
        if (!strstr(server->result.reason, cases[i].reason))
            fail_msg("%s: '%s'", cases[i].script, server->result.reason);
    }
}

static void sockets_devices_and_fifos(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    const char *const argv[] = { "/usr/bin/env", "python3", "-c",
                                 "import socket; socket.socket(socket.AF_UNIX).bind('/pfs/out/s')",
                                 NULL };
    WorkerSpec spec = shell(argv);
    run_spec(server, &spec, NULL, 0);
    if (strcmp(server->result.reason, "exit status 127") != 0)
        assert_string_equal(
            server->result.reason,
            "output \"/s\" is a socket: only files, folders and links can be stored");
    assert_string_equal(run_script(server, "mkfifo /pfs/out/f; echo x > /pfs/out/x", NULL, 0),
                        "\n/x=x\n\ndone");
    assert_processed(server);
    run_script(server, "mknod /pfs/out/d c 1 3", NULL, 0);
    assert_string_equal(server->result.reason, "exit status 1");
}

/* Modes that keep their owner out, and trees deeper than a path can say, are read or removed all
 * the same. */
static void hostile_outputs(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    assert_string_equal(
        run_script(server, "cd /pfs/out; mkdir d; echo x > d/x; chmod 0 d/x d; chmod 0 .", NULL, 0),
        "\n/d/x=x\n\ndone");
    run_script(server,
               "cd /pfs/out; n=0; while [ $n -lt 300 ]; do mkdir 0123456789abcdef; cd "
               "0123456789abcdef; n=$((n+1)); done;"
               "echo x > x",
               NULL, 0);
    assert_int_equal(server->result.state, WORKER_FAILED);
    assert_non_null(strstr(server->result.reason, "has a path longer than"));
    assert_string_equal(run_script(server, "ls -A /pfs/out; echo y > /pfs/out/y", NULL, 0),
                        "\n/y=y\n\ndone");
    assert_string_equal(log_of(server, &server->user), "");
}

static void disk_limits(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    const char *const argv[] = {
        "sh", "-c", "for i in 1 2 3; do head -c 4M /dev/zero > /pfs/out/$i; done; sleep 1000", NULL
    };
    WorkerSpec spec = shell(argv);
    spec.disk_bytes = 6 * MiB;
    run_spec(server, &spec, NULL, 0);
    assert_string_equal(server->result.reason,
                        "signal: killed: /pfs/out is larger than the limit of 6291456 bytes");
}

static void users(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    const char *const argv[] = { "sh", "-c", "id -u; id -g; echo $HOME; cat /pfs/in/a > /pfs/out/a",
                                 NULL };
    WorkerInput input = file_input("in", "/a");
    WorkerSpec spec = shell(argv);
    spec.user = "nobody";
    assert_string_equal(run_spec(server, &spec, &input, 1), "\n/a=content of a\ndone");
    assert_string_equal(log_of(server, &server->user), "65534\n65534\n/nonexistent\n");
    spec.user = "1234:55";
    assert_string_equal(run_spec(server, &spec, &input, 1), "\n/a=content of a\ndone");
    assert_string_equal(log_of(server, &server->user), "1234\n55\n/\n");
    spec.user = "no-such-user";
    run_spec(server, &spec, &input, 1);
    assert_string_equal(
        server->result.reason,
        "guess uid from transform user by reading /etc/passwd: user no-such-user not found");
    spec.user = "nobody:no-such-group";
    run_spec(server, &spec, &input, 1);
    assert_string_equal(server->result.reason,
                        "guess gid from transform user: group no-such-group not found");
}

static void s3_out_has_no_folder(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    const char *const argv[] = { "sh", "-c", "ls -A /pfs", NULL };
    WorkerSpec spec = shell(argv);
    spec.s3_out = true;
    assert_string_equal(run_spec(server, &spec, NULL, 0), "");
    assert_processed(server);
    assert_string_equal(log_of(server, &server->user), ".env\n");
}

static Status finish_fails(WorkerIo *io, Ctx *ctx)
{
    (void)io;
    return FAIL(ctx, UNAVAILABLE, "server is gone");
}

static void a_lost_server_is_no_result(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    const char *const argv[] = { "sh", "-c", "echo x > /pfs/out/x", NULL };
    WorkerSpec spec = shell(argv);
    WorkerInput input = file_input("in", "/a");
    WorkerDatum datum = { .id = "d", .inputs = &input, .input_count = 1 };
    server->io.output_finish = finish_fails;
    assert_fails(
        worker_run_datum(&server->ctx, server->worker, &server->io, &spec, &datum, &server->result),
        UNAVAILABLE, "could not upload the output of datum 'd': server is gone");
    assert_non_null(strstr(log_of(server, &server->output), "abort"));
    server->io.output_finish = output_finish;
    server->fetch_fails = (Status){ STATUS_UNAVAILABLE, NULL };
    input = file_input("in", "/empty");
    assert_fails(
        worker_run_datum(&server->ctx, server->worker, &server->io, &spec, &datum, &server->result),
        UNAVAILABLE, "could not bring input 'in/empty'");
    server->fetch_fails = OK;
    assert_string_equal(run_script(server, "cp /pfs/in/empty /pfs/out/", &input, 1),
                        "\n/empty=\ndone");
}

/* The keeper dies (as the kernel's memory killer may have it): the next datum gets another. */
static void a_dead_keeper_is_replaced(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    run_script(server, "true", NULL, 0);
    char command[64];
    snprintf(command, sizeof(command), "pkill -9 -P %d -x pcv-keeper", (int)getpid());
    if (system(command) != 0) {
        say_case("skipped: no pkill");
        return;
    }
    assert_string_equal(run_script(server, "echo x > /pfs/out/x", NULL, 0), "\n/x=x\n\ndone");
}

/* Without a sandbox: inputs are copies that may be written to, and processes end all the same. */
static void plain_processes(void **state)
{
    SKIP_WITHOUT_SANDBOX(state);
    Server *server = *state;
    WorkerInput inputs[] = { file_input("in", "/a"), file_input("model", "/model/"),
                             file_input("lazy", "/b") };
    inputs[2].lazy = true;
    char *sleep = text_printf(server->ctx.arena, "sleep 1%d", (int)getpid());
    char *find = text_printf(server->ctx.arena, "pgrep -fx '%s' > /dev/null", sleep);
    char *script = text_printf(
        server->ctx.arena,
        "cat $in $lazy /pfs/model/model/weights; echo x >> /pfs/model/model/weights;"
        "setsid sh -c '%s & %s & wait' & until %s; do :; done;"
        "ln -s /pfs/model/model /pfs/out/m; ln -s /etc/passwd /pfs/out/p; echo y > /pfs/out/y",
        sleep, sleep, find);
    for (int i = 0; i < 2; i++) {
        const char *out = run_script(server, script, inputs, 3);
        assert_processed(server);
        assert_non_null(strstr(out, "\n/m<-model:/model/\n/p=root:"));
        assert_non_null(strstr(out, "\n/y=y\n\ndone"));
        assert_non_null(
            strstr(log_of(server, &server->user), "content of acontent of b0123456789"));
        assert_non_null(
            strstr(log_of(server, &server->own), "remaining subprocess of the user code: pid="));
    }
    assert_int_not_equal(system(find), 0);
    const char *const sleeps[] = { "sh", "-c",
                                   text_printf(server->ctx.arena, "setsid %s & %s", sleep, sleep),
                                   NULL };
    WorkerSpec spec = shell(sleeps);
    spec.timeout_ns = 50 * NS_PER_MS;
    run_spec(server, &spec, NULL, 0);
    assert_string_equal(server->result.reason, "signal: killed");
    assert_int_not_equal(system(find), 0);
    spec.root_dir = server->dir;
    WorkerDatum datum = { .id = "d" };
    assert_fails(
        worker_run_datum(&server->ctx, server->worker, &server->io, &spec, &datum, &server->result),
        FAILED_PRECONDITION, "an image needs a sandbox");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_root, teardown)
#define U(name) cmocka_unit_test_setup_teardown(name, setup_user, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(inputs_become_outputs),
        T(every_kind_of_input),
        T(lazy_inputs_are_fetched_only_when_opened),
        T(what_stays_is_not_fetched_again),
        T(overlapping_inputs),
        T(each_datum_sees_its_own_inputs),
        T(failures_and_tries),
        T(timeouts_kill),
        T(cancellation_is_no_result),
        T(the_environment_is_made),
        T(links_in_the_output),
        T(outputs_that_cannot_be_stored),
        T(sockets_devices_and_fifos),
        T(hostile_outputs),
        T(disk_limits),
        T(users),
        T(s3_out_has_no_folder),
        T(a_lost_server_is_no_result),
        T(a_dead_keeper_is_replaced),
        U(inputs_become_outputs),
        U(every_kind_of_input),
        U(lazy_inputs_are_fetched_only_when_opened),
        U(what_stays_is_not_fetched_again),
        U(failures_and_tries),
        U(cancellation_is_no_result),
        U(the_environment_is_made),
        U(links_in_the_output),
        U(outputs_that_cannot_be_stored),
        U(sockets_devices_and_fifos),
        U(hostile_outputs),
        U(users),
        U(s3_out_has_no_folder),
        U(a_dead_keeper_is_replaced),
        cmocka_unit_test_setup_teardown(plain_processes, setup_plain, teardown_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
