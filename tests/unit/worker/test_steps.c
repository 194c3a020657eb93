/* test_steps.c - plans as text, and lists of steps as bytes. */
#include <sched.h>

#include "testing.h"
#include "worker/plan.h"

static const HostEntry entries[] = {
    {"usr",         NULL     },
    { "bin",        "usr/bin"},
    { "proc",       NULL     },
    { "run",        NULL     },
    { "etc",        NULL     },
    { "lost+found", NULL     },
};

static char *template_text(Ctx *ctx, const SandboxConfig *config, SandboxLevel level)
{
    static const char *const devices[] = { "/dev/nvidia0" };
    static const char *const hidden[] = { "/var/lib/data" };
    HostFacts facts = { .entries = entries,
                        .entry_count = ARRAY_LEN(entries),
                        .devices = devices,
                        .device_count = 1,
                        .resolv_conf = "/run/resolve/resolv.conf",
                        .hidden = hidden,
                        .hidden_count = 1 };
    PlanBase base = { .config = config, .level = level, .privileged = level == SANDBOX_ROOT };
    StepList steps;
    steps_init(&steps, ctx->arena);
    plan_template(&base, &facts, &steps);
    return steps_text(ctx->arena, &steps);
}

#define DEVICES                                                                                    \
    "tmpfs /dev 65536 0755\n"                                                                      \
    "bind /dev/null <- /dev/null devices optional\n"                                               \
    "bind /dev/zero <- /dev/zero devices optional\n"                                               \
    "bind /dev/full <- /dev/full devices optional\n"                                               \
    "bind /dev/random <- /dev/random devices optional\n"                                           \
    "bind /dev/urandom <- /dev/urandom devices optional\n"                                         \
    "bind /dev/tty <- /dev/tty devices optional\n"

#define DEVICE_LINKS                                                                               \
    "symlink /dev/fd <- /proc/self/fd\n"                                                           \
    "symlink /dev/stdin <- /proc/self/fd/0\n"                                                      \
    "symlink /dev/stdout <- /proc/self/fd/1\n"                                                     \
    "symlink /dev/stderr <- /proc/self/fd/2\n"                                                     \
    "symlink /dev/ptmx <- pts/ptmx\n"                                                              \
    "mkdir /dev/shm 0755\n"                                                                        \
    "mkdir /dev/pts 0755\n"                                                                        \
    "devpts /dev/pts optional\n"                                                                   \
    "read-only /dev\n"

static void the_hosts_root(void **state)
{
    (void)state;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    SandboxConfig config = { .slot_dir = "/w/slot" };
    assert_string_equal(template_text(&ctx, &config, SANDBOX_ROOT),
                        "unshare mount uts\n"
                        "private\n"
                        "root /w/slot/root\n"
                        "bind /usr <- /usr recursive ro\n"
                        "symlink /bin <- usr/bin\n"
                        "bind /etc <- /etc recursive ro\n"
                        "mkdir /proc 0755\n"
                        "bind /sys <- /sys recursive ro optional\n"
                        "mkdir /run 0755\n"
                        "mkdir /tmp 1777\n" DEVICES DEVICE_LINKS
                        "bind /run/resolve/resolv.conf <- /run/resolve/resolv.conf ro optional\n"
                        "mask /var/lib/data\n"
                        "bind /pfs <- /w/slot/pfs ro\n"
                        "read-only /\n"
                        "pivot\n");
    assert_string_equal(template_text(&ctx, &config, SANDBOX_NONE), "");
}

static void an_image_with_everything(void **state)
{
    (void)state;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    const SandboxFile files[] = {
        {"/secrets/a/key",    bytes("k",  1)},
        { "/secrets/a/other", bytes("kk", 2)},
    };
    SandboxConfig config = { .slot_dir = "/w/slot",
                             .root_dir = "/images/1",
                             .files = files,
                             .file_count = ARRAY_LEN(files),
                             .hostname = "pod",
                             .uid = 7,
                             .gid = 8,
                             .no_network = true,
                             .gpu = true };
    assert_string_equal(
        template_text(&ctx, &config, SANDBOX_USER),
        "unshare user mount uts network\n"
        "map-ids 7 8\n"
        "loopback\n"
        "hostname pod\n"
        "private\n"
        "root /w/slot/root\n"
        "bind /usr <- /images/1/usr recursive ro\n"
        "symlink /bin <- usr/bin\n"
        "bind /etc <- /images/1/etc recursive ro\n"
        "bind /proc <- /proc recursive\n"
        "bind /sys <- /sys recursive ro optional\n"
        "mkdir /run 0755\n"
        "mkdir /tmp 1777\n" DEVICES
        "bind /dev/nvidia0 <- /dev/nvidia0 recursive devices optional\n" DEVICE_LINKS
        "bind /etc/hosts <- /etc/hosts ro optional\n"
        "bind /etc/resolv.conf <- /run/resolve/resolv.conf ro optional\n"
        "bind /pfs <- /w/slot/pfs ro\n"
        "tmpfs /secrets/a 4194304 0755\n"
        "file /secrets/a/key (1 bytes)\n"
        "file /secrets/a/other (2 bytes)\n"
        "read-only /secrets/a\n"
        "read-only /\n"
        "pivot\n");
}

static const char *const test_argv[] = { "sh", "-c", "true", NULL };
static const char *const test_env[] = { "A=1", "B=2", NULL };

static char *run_text(Ctx *ctx, PlanBase base)
{
    SandboxRun run = { .argv = test_argv, .env = test_env, .cwd = "/pfs" };
    StepList steps;
    steps_init(&steps, ctx->arena);
    plan_run(&base, &run, &steps);
    return steps_text(ctx->arena, &steps);
}

static char *fresh_text(Ctx *ctx, PlanBase base)
{
    StepList steps;
    steps_init(&steps, ctx->arena);
    plan_fresh(&base, &steps);
    return steps_text(ctx->arena, &steps);
}

static void a_run(void **state)
{
    (void)state;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    SandboxConfig config = {
        .uid = 5, .gid = 6, .limits = {.tmp_bytes = 100, .pids = 9, .memory_bytes = 99}
    };
    PlanBase base = { .config = &config,
                      .level = SANDBOX_ROOT,
                      .privileged = true,
                      .pids_elsewhere = true,
                      .seccomp = bytes("12345678", 8) };
    const char *fresh = "proc /proc\n"
                        "tmpfs /tmp 100 1777\n"
                        "tmpfs /var/tmp 100 1777 optional\n"
                        "tmpfs /dev/shm 100 1777\n";
    const char *mounts = "bind /pfs/out <- /pfs/out\n";
    const char *program = "env A=1\nenv B=2\narg sh\narg -c\narg true\nexec /pfs\n";
    assert_string_equal(fresh_text(&ctx, base),
                        text_printf(ctx.arena,
                                    "%sfork\nno-bound\nids 5 6\nno-caps\nseccomp (8 bytes)\n",
                                    fresh));
    assert_string_equal(run_text(&ctx, base),
                        text_printf(ctx.arena, "%sfork\nsession\nrlimit 4 0\nrlimit 9 99\n%s",
                                    mounts, program));
    base.level = SANDBOX_USER;
    base.privileged = base.pids_elsewhere = false;
    base.memory_elsewhere = true;
    assert_string_equal(
        fresh_text(&ctx, base),
        text_printf(ctx.arena, "%sfork\nno-bound\nno-caps\nseccomp (8 bytes)\n", fresh));
    assert_string_equal(run_text(&ctx, base),
                        text_printf(ctx.arena, "%sfork\nsession\nrlimit 4 0\nrlimit 6 9\n%s",
                                    mounts, program));
    base.by_runtime = true; /* its containers begin with their run */
    assert_string_equal(fresh_text(&ctx, base), "");
    assert_string_equal(
        run_text(&ctx, base),
        text_printf(ctx.arena,
                    "%s%sunshare user\nmap-ids 5 6\nfork\nsession\nrlimit 4 0\nrlimit 6 9\n"
                    "no-bound\nno-caps\nseccomp (8 bytes)\n%s",
                    fresh, mounts, program));
    base.by_runtime = false;
    base.level = SANDBOX_NONE;
    base.seccomp = (Bytes){ 0 };
    assert_string_equal(fresh_text(&ctx, base), "fork\nno-caps\n");
    assert_string_equal(
        run_text(&ctx, base),
        text_printf(ctx.arena, "fork\nsession\nrlimit 4 0\nrlimit 6 9\n%s", program));
}

static void steps_survive_the_wire(void **state)
{
    (void)state;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    StepList in, out;
    steps_init(&in, ctx.arena);
    for (int op = 0; op < STEP_OP_COUNT; op++)
        steps_add(&in, (Step){ .op = (StepOp)op,
                               .flags = (unsigned)op,
                               .number = UINT64_MAX >> op,
                               .extra = (uint64_t)op << 40,
                               .path = op % 2 ? "/a path" : NULL,
                               .source = "source",
                               .data = bytes("d\0ta", op % 3 ? 4 : 0) });
    CLEANUP(buf_done) Buf encoded = { 0 };
    steps_encode(&in, &encoded);
    assert_ok(steps_decode(&ctx, buf_bytes(&encoded), &out));
    CLEANUP(buf_done) Buf again = { 0 };
    steps_encode(&out, &again);
    assert_true(bytes_eq(buf_bytes(&encoded), buf_bytes(&again)));
    for (size_t size = 0; size < encoded.size; size++) {
        if (!status_ok(steps_decode(&ctx, bytes(encoded.data, size), &out)))
            assert_fails(steps_decode(&ctx, bytes(encoded.data, size), &out), DATA_LOSS,
                         "list of steps");
        else
            assert_true(out.count < in.count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hosts_root),
        cmocka_unit_test(an_image_with_everything),
        cmocka_unit_test(a_run),
        cmocka_unit_test(steps_survive_the_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
