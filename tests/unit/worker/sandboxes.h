/* sandboxes.h - what the tests that run programs share: a slot folder, a sandbox of each level that
 * this machine allows, as root and as nobody, and what a run printed. */
#pragma once

#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testing.h"
#include "worker/sandbox.h"

#define NOBODY 65534

/* Who runs a test's body, and at what level. */
typedef struct As {
    const char *label;
    uid_t uid;
    SandboxLevel level;
    const char *runtime; /* NULL: namespaces of our own */
} As;

typedef struct Runner {
    Ctx ctx;
    const As *as;
    char *dir; /* slot folder */
    SandboxConfig config;
    Sandbox *sandbox;
    Buf out, err, left;
    SandboxExit ended;
} Runner;

static inline void write_text(Ctx *ctx, const char *path, const char *text)
{
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_ok(file_write_all(ctx, fd, text, strlen(text)));
}

/* pcv-init, where it is built: beside the other programs. */
static inline char *runner_init_path(Ctx *ctx)
{
    char self[4096];
    ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);
    assert_true(size > 0);
    self[size] = '\0';
    *strrchr(self, '/') = '\0';
    return text_printf(ctx->arena, "%s/../bin/pcv-init", self);
}

/* A slot with pfs/in/a = "hello" and an empty pfs/out, and a plain config. */
static inline Runner *runner_new(const As *as)
{
    Runner *r = calloc(1, sizeof(*r));
    Ctx *ctx = &r->ctx;
    ctx_init(ctx);
    r->as = as;
    r->dir = scratch_dir(ctx);
    assert_int_equal(chmod(r->dir, 0755), 0);
    assert_ok(file_make_dirs(ctx, text_printf(ctx->arena, "%s/pfs/in", r->dir), 0755));
    assert_ok(file_make_dirs(ctx, text_printf(ctx->arena, "%s/pfs/out", r->dir), 0755));
    write_text(ctx, text_printf(ctx->arena, "%s/pfs/in/a", r->dir), "hello");
    r->config = (SandboxConfig){ .slot_dir = r->dir,
                                 .limits = { .pids = 200, .tmp_bytes = 16 * MiB },
                                 .runtime = as->runtime,
                                 .runtime_init = runner_init_path(ctx),
                                 .level_min = as->level,
                                 .level_max = as->level };
    return r;
}

static inline void runner_open(Runner *r)
{
    sandbox_close(r->sandbox);
    r->sandbox = NULL;
    assert_ok(sandbox_open(&r->ctx, &r->config, &r->sandbox));
    assert_int_equal(sandbox_level(r->sandbox), r->as->level);
}

static inline void runner_free(Runner *r)
{
    sandbox_close(r->sandbox);
    assert_ok(file_remove_tree(&r->ctx, r->dir));
    buf_done(&r->out);
    buf_done(&r->err);
    buf_done(&r->left);
    ctx_done(&r->ctx);
    free(r);
}

static inline void runner_line(void *self, SandboxStream stream, Str line, int64_t wall_ns)
{
    Runner *r = self;
    assert_true(wall_ns > 0);
    Buf *buf = stream == SANDBOX_STDOUT ? &r->out : &r->err;
    buf_add_str(buf, line);
    buf_add_u8(buf, '\n');
}

static inline void runner_left(void *self, Str text)
{
    Runner *r = self;
    buf_add_str(&r->left, text);
    buf_add_u8(&r->left, '\n');
}

static const char *const runner_env[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL
};

static inline void runner_start(Runner *r, SandboxRun *run)
{
    buf_clear(&r->out);
    buf_clear(&r->err);
    buf_clear(&r->left);
    run->env = run->env ? run->env : runner_env;
    run->line = runner_line;
    run->leftover = runner_left;
    run->self = r;
    assert_ok(sandbox_start(&r->ctx, r->sandbox, run));
}

static inline void runner_run(Runner *r, SandboxRun run)
{
    SandboxEvent event;
    runner_start(r, &run);
    assert_ok(sandbox_wait(&r->ctx, r->sandbox, -1, DEADLINE_NONE, &event, &r->ended));
    assert_int_equal(event, SANDBOX_ENDED);
}

static inline const char *runner_text(Runner *r, const Buf *buf)
{
    return str_z(r->ctx.arena, buf_str(buf));
}

/* Runs a shell script; its standard output. */
static inline const char *runner_sh(Runner *r, const char *script)
{
    const char *const argv[] = { "sh", "-c", script, NULL };
    runner_run(r, (SandboxRun){ .argv = argv });
    return runner_text(r, &r->out);
}

static const As everyone[] = {
    { "root, privileged namespaces", 0, SANDBOX_ROOT, NULL },
    { "root, user namespace", 0, SANDBOX_USER, NULL },
    { "nobody, user namespace", NOBODY, SANDBOX_USER, NULL },
    { "root, crun", 0, SANDBOX_ROOT, "crun" },
    { "root, crun in a user namespace", 0, SANDBOX_USER, "crun" },
    { "nobody, crun in a user namespace", NOBODY, SANDBOX_USER, "crun" },
    { "root, runc", 0, SANDBOX_ROOT, "runc" },
    { "nobody, runc in a user namespace", NOBODY, SANDBOX_USER, "runc" },
};

/* Who is not root stays who he is, which is as good as nobody. */
static inline void become(uid_t uid)
{
    gid_t gid = (gid_t)uid;
    if (uid == geteuid() || geteuid() != 0)
        return;
    assert_int_equal(setgroups(0, NULL), 0);
    assert_int_equal(setresgid(gid, gid, gid), 0);
    assert_int_equal(setresuid(uid, uid, uid), 0);
}

/* In a child: opens a sandbox and runs the body. What fails ends the child: it would go on with the
 * other tests, each of which has children of its own. */
static inline _Noreturn void runner_child(const As *as, void (*body)(Runner *r))
{
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    become(as->uid);
    Runner *r = runner_new(as);
    Status s = sandbox_open(&r->ctx, &r->config, &r->sandbox);
    if (s.code == STATUS_FAILED_PRECONDITION) {
        say_case("skipped: %s", status_message(s));
    } else {
        assert_ok(s);
        body(r);
    }
    runner_free(r);
    fflush(NULL);
    _exit(0);
}

/* Who makes the sandboxes of this run of the tests: PCV_TEST_RUNTIME, or we. */
static inline bool is_chosen(const As *as)
{
    const char *chosen = getenv("PCV_TEST_RUNTIME");
    return strcmp(as->runtime ? as->runtime : "", chosen ? chosen : "") == 0;
}

/* Runs body in a child process as each of everyone; what this machine does not allow is skipped
 * with a message. */
static inline void for_everyone(void (*body)(Runner *r))
{
    for (size_t i = 0; i < ARRAY_LEN(everyone); i++) {
        const As *as = &everyone[i];
        if (!is_chosen(as))
            continue;
        if (geteuid() != 0 && as->uid == 0) {
            say_case("skipped: %s: needs root", as->label);
            continue;
        }
        say_case("%s", as->label);
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0)
            runner_child(as, body);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}
