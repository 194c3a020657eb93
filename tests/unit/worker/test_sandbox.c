/* test_sandbox.c - what user code can and cannot do, tried by user code. */
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/event.h"
#include "sandboxes.h"

#ifdef __x86_64__
#define ARCH "x86_64"
#else
#define ARCH "other"
#endif

static void basics(Runner *r)
{
    assert_string_equal(
        runner_sh(r, "cat /pfs/in/a; echo; echo made > /pfs/out/b; pwd; id -u; umask"),
        "hello\n/\n0\n0022\n");
    assert_int_equal(r->ended.end, SANDBOX_EXITED);
    assert_int_equal(r->ended.value, 0);
    Buf made = { 0 };
    assert_ok(file_read_path(&r->ctx, text_printf(r->ctx.arena, "%s/pfs/out/b", r->dir), &made));
    assert_true(str_eq_c(buf_str(&made), "made\n"));
    buf_done(&made);
}

static void runs_programs(void **state)
{
    (void)state;
    for_everyone(basics);
}

/* Each is a script that must fail; one that works prints "escaped". */
static const char *const escapes[] = {
    "echo x > /pfs/in/a",
    "echo x > /pfs/in/b",
    "rm /pfs/in/a",
    "chmod 777 /pfs/in/a",
    "mv /pfs/in /pfs/inn",
    "ln /pfs/in/a /pfs/out/a",
    "exec 3<>/pfs/in/a",
    "echo x > /pfs/c",
    "echo x > /usr/x",
    "echo x > /x",
    "echo x > /dev/x",
    "echo x > /sys/kernel/x",
    "echo x > /sys/kernel/mm/ksm/run",
    "echo x > /proc/sys/kernel/core_pattern",
    "echo b > /proc/sysrq-trigger",
    "mount -t tmpfs none /tmp",
    "mount -o remount,rw /pfs",
    "umount /proc",
    "unshare -r true",
    "unshare -m true",
    "nsenter -t 1 -m true",
    "chroot / true",
    "hostname other",
    "mknod /tmp/disk b 254 0 && head -c1 /tmp/disk",
    "head -c1 /dev/mem",
    "head -c1 /dev/vda || head -c1 /dev/sda",
    "head -c1 /etc/shadow | grep .",
    "head -c1 /proc/kcore",
    "head -c1 /proc/1/environ",
    "readlink /proc/1/fd/0",
    "for i in 0 1 2 3 4 5 6 7 8 9; do echo x > /proc/1/fd/$i && break; done",
    "ls /proc/1/root/",
    "kill -9 1 && false",
    "ls -A /run /tmp /var/tmp | grep -v : | grep .",
};

static void no_escape(Runner *r)
{
    for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
        const char *script = text_printf(r->ctx.arena, "{ %s; } && echo escaped", escapes[i]);
        runner_sh(r, script);
        if (strstr(runner_text(r, &r->out), "escaped"))
            fail_msg("%s: '%s' worked: %s", r->as->label, escapes[i], runner_text(r, &r->out));
        assert_int_equal(r->ended.end, SANDBOX_EXITED);
    }
}

static void user_code_cannot_escape(void **state)
{
    (void)state;
    for_everyone(no_escape);
}

/* Calls that a shell has no words for. */
static void forbidden_calls(Runner *r)
{
    static const char script[] = "import ctypes, os\n"
                                 "c = ctypes.CDLL(None, use_errno=True)\n"
                                 "def call(name, n, *args):\n"
                                 "    ctypes.set_errno(0)\n"
                                 "    print(name, c.syscall(n, *args), ctypes.get_errno())\n"
                                 "call('ptrace', 101, 16, os.getppid(), 0, 0)\n"
                                 "call('process_vm_readv', 310, os.getpid(), 0, 0, 0, 0, 0)\n"
                                 "call('keyctl', 250, 0, -3, 0)\n"
                                 "call('bpf', 321, 0, 0, 0)\n"
                                 "call('open_by_handle_at', 304, 0, 0, 0)\n"
                                 "call('io_uring_setup', 425, 1, 0)\n"
                                 "call('clone', 56, 0x10000000, 0, 0, 0, 0)\n"
                                 "call('unshare', 272, 0x10000000)\n"
                                 "call('setns', 308, 0, 0)\n"
                                 "call('clone3', 435, 0, 0)\n"
                                 "call('vsock', 41, 40, 1, 0)\n";
    const char *const argv[] = { "/usr/bin/env", "python3", "-c", script, NULL };
    if (strcmp(ARCH, "x86_64") != 0) {
        say_case("skipped: system call numbers are x86_64's");
        return;
    }
    runner_run(r, (SandboxRun){ .argv = argv });
    if (r->ended.value == 127) {
        print_message("# skipped: %s", runner_text(r, &r->err));
        return;
    }
    assert_string_equal(runner_text(r, &r->out),
                        "ptrace -1 1\nprocess_vm_readv -1 1\nkeyctl -1 1\nbpf -1 1\n"
                        "open_by_handle_at -1 1\nio_uring_setup -1 1\nclone -1 1\n"
                        "unshare -1 1\nsetns -1 1\nclone3 -1 38\nvsock -1 97\n");
}

static void dangerous_calls_are_denied(void **state)
{
    (void)state;
    for_everyone(forbidden_calls);
}

static void nothing_stays(Runner *r)
{
    runner_sh(r,
              "echo x > /tmp/x; echo x > /var/tmp/x; echo x > /dev/shm/x; ipcmk -M 100 >/dev/null");
    assert_string_equal(runner_text(r, &r->err), "");
    assert_string_equal(runner_sh(r, "ls /tmp /var/tmp /dev/shm | grep x; ipcs -m | grep -c 0x"),
                        "0\n");
}

static void runs_share_nothing(void **state)
{
    (void)state;
    for_everyone(nothing_stays);
}

static void hides(Runner *r)
{
    setenv("PCV_TEST_SECRET", "secret", 1);
    const char *const hidden[] = { "/usr/share", "/etc/passwd", "/nowhere" };
    r->config.hidden = hidden;
    r->config.hidden_count = ARRAY_LEN(hidden);
    runner_open(r);
    assert_string_equal(runner_sh(r, "ls -A /usr/share; cat /etc/passwd"), "");
    assert_string_equal(runner_text(r, &r->err), "");
    assert_string_equal(runner_sh(r, "env | grep -c SECRET; cat /proc/*/environ | grep -c SECRET"),
                        "0\n0\n");
    assert_string_equal(runner_sh(r, text_printf(r->ctx.arena, "ls %s", r->dir)), "");
}

static void hidden_paths_and_the_environment_are_not_seen(void **state)
{
    (void)state;
    for_everyone(hides);
}

static void ends(Runner *r)
{
    static const struct {
        const char *script;
        SandboxEnd end;
        int value;
        const char *text;
    } cases[] = {
        { "exit 0", SANDBOX_EXITED, 0, "exit status 0" },
        { "exit 3", SANDBOX_EXITED, 3, "exit status 3" },
        { "exit 255", SANDBOX_EXITED, 255, "exit status 255" },
        { "kill -9 $$", SANDBOX_SIGNALED, SIGKILL, "signal: killed" },
        { "kill -11 $$", SANDBOX_SIGNALED, SIGSEGV, "signal: segmentation fault" },
        { "kill -TERM $$", SANDBOX_SIGNALED, SIGTERM, "signal: terminated" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        runner_sh(r, cases[i].script);
        assert_int_equal(r->ended.end, cases[i].end);
        assert_int_equal(r->ended.value, cases[i].value);
        assert_string_equal(r->ended.text, cases[i].text);
    }
}

static void ends_are_told(void **state)
{
    (void)state;
    for_everyone(ends);
}

static void not_started(Runner *r)
{
    static const struct {
        const char *program, *cwd, *text;
    } cases[] = {
        { "nonsense", "/", "exec: \"nonsense\": executable file not found in $PATH" },
        { "/no/such", "/", "fork/exec /no/such: no such file or directory" },
        { "/etc/passwd", "/", "fork/exec /etc/passwd: permission denied" },
        { "/usr", "/", "fork/exec /usr: permission denied" },
        { "/bin/true", "/no/such", "fork/exec /bin/true: no such file or directory" },
        { "", "/", "exec: \"\": executable file not found in $PATH" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *const argv[] = { cases[i].program, NULL };
        runner_run(r, (SandboxRun){ .argv = argv, .cwd = cases[i].cwd });
        assert_int_equal(r->ended.end, SANDBOX_NOT_STARTED);
        assert_string_equal(r->ended.text, cases[i].text);
    }
}

static void programs_that_cannot_be_run(void **state)
{
    (void)state;
    for_everyone(not_started);
}

static void input_and_place(Runner *r)
{
    const char *const argv[] = { "sh", "-c", "cat; pwd; cat /dev/stdin | wc -c", NULL };
    Str in = STR("one\ntwo\n");
    runner_run(r, (SandboxRun){ .argv = argv, .cwd = "/pfs/out", .stdin_bytes = str_bytes(in) });
    assert_string_equal(runner_text(r, &r->out), "one\ntwo\n/pfs/out\n8\n");
    assert_string_equal(
        runner_sh(r, "cat; ls -l /proc/self/fd | grep -c -- '->'; echo e > /dev/stderr"), "4\n");
    assert_string_equal(runner_text(r, &r->err), "e\n");
}

static void stdin_cwd_and_descriptors(void **state)
{
    (void)state;
    for_everyone(input_and_place);
}

static void prints(Runner *r)
{
    const char *out =
        runner_sh(r, "seq 1 10000; seq 10001 20000 >&2; printf 'a\\000b\\377c\\n\\nend'");
    char *expected = arena_must(r->ctx.arena, 128 * KiB), *at = expected;
    for (int i = 1; i <= 10000; i++)
        at += sprintf(at, "%d\n", i);
    strcpy(at, "a\xef\xbf\xbd"
               "b\xef\xbf\xbd"
               "c\n\nend\n");
    assert_string_equal(out, expected);
    at = expected;
    for (int i = 10001; i <= 20000; i++)
        at += sprintf(at, "%d\n", i);
    assert_string_equal(runner_text(r, &r->err), expected);
}

static void every_line_comes_once(void **state)
{
    (void)state;
    for_everyone(prints);
}

/* Processes that left the group and the session, and hold the output open, end with the main
 * one. */
static void leaves_processes(Runner *r)
{
    int64_t start = clock_mono_ns();
    runner_sh(r, "sleep 1000 & setsid sh -c 'sleep 1001 & sleep 1002' & (setsid sleep 1003 &);"
                 "until [ $(cat /proc/[0-9]*/comm 2>/dev/null | grep -c sleep) = 4 ]; do :; done; "
                 "echo done");
    assert_string_equal(runner_text(r, &r->out), "done\n");
    assert_true(clock_mono_ns() - start < 20 * NS_PER_SEC);
    assert_non_null(strstr(runner_text(r, &r->left), "comm=sleep cmdline=sleep 1000"));
    assert_string_equal(runner_sh(r, "set -- /proc/[0-9]*; echo $#"), "2\n");
}

static void leftovers_are_killed(void **state)
{
    (void)state;
    for_everyone(leaves_processes);
}

/* State and parent of a process, from proc_pid_stat(5); 'X': it is gone. */
static char state_of(pid_t pid, pid_t *out_parent)
{
    char path[64], text[512] = "", state = 'X';
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    const char *name_end = size > 0 ? strrchr(text, ')') : NULL;
    int parent = 0;
    if (name_end)
        sscanf(name_end, ") %c %d", &state, &parent);
    *out_parent = parent;
    return state;
}

/* A living child of the process; 0: it has none. */
static pid_t child_of(pid_t pid)
{
    DIR *dir = opendir("/proc");
    pid_t child = 0, parent;
    assert_non_null(dir);
    for (struct dirent *entry; !child && (entry = readdir(dir));) {
        pid_t other = (pid_t)atoi(entry->d_name);
        char state = other ? state_of(other, &parent) : 'X';
        if (state != 'X' && state != 'Z' && parent == pid)
            child = other;
    }
    closedir(dir);
    return child;
}

/* What stands ready for the next run, which is there a moment after a run has ended, is killed. */
static void loses_pid_1(Runner *r)
{
    if (r->as->runtime) /* nothing stands ready */
        return;
    runner_sh(r, "true");
    pid_t keeper = child_of(getpid()), standing, parent;
    assert_int_not_equal(keeper, 0);
    while (!(standing = child_of(keeper)))
        sched_yield();
    assert_int_equal(kill(standing, SIGKILL), 0);
    for (char state = ' '; state != 'Z' && state != 'X';)
        state = state_of(standing, &parent);
    assert_string_equal(runner_sh(r, "echo $$"), "2\n");
}

static void a_pid_1_that_stood_ready_is_replaced(void **state)
{
    (void)state;
    for_everyone(loses_pid_1);
}

static void fork_bomb(Runner *r)
{
    int64_t start = clock_mono_ns();
    runner_sh(r, "n=0; while [ $n -lt 1000 ]; do sleep 1000 & n=$((n+1)); done; echo all");
    assert_null(strstr(runner_text(r, &r->out), "all"));
    assert_string_equal(runner_sh(r, "echo alive"), "alive\n");
    assert_true(clock_mono_ns() - start < 20 * NS_PER_SEC);
}

static void fork_bombs_are_bounded(void **state)
{
    (void)state;
    for_everyone(fork_bomb);
}

static void fills_tmp(Runner *r)
{
    runner_sh(r, "head -c 32M /dev/zero > /tmp/big && echo all");
    assert_string_equal(runner_text(r, &r->out), "");
    assert_non_null(strstr(runner_text(r, &r->err), "No space left"));
}

static void tmp_is_bounded(void **state)
{
    (void)state;
    for_everyone(fills_tmp);
}

static void killed_in_time(Runner *r)
{
    const char *const argv[] = { "sh", "-c", "trap '' TERM; sleep 1000 & echo up; wait; sleep 1000",
                                 NULL };
    SandboxRun run = { .argv = argv };
    SandboxEvent event;
    runner_start(r, &run);
    assert_ok(
        sandbox_wait(&r->ctx, r->sandbox, -1, clock_mono_ns() + 50 * NS_PER_MS, &event, &r->ended));
    assert_int_equal(event, SANDBOX_DEADLINE);
    sandbox_kill(r->sandbox);
    assert_ok(sandbox_wait(&r->ctx, r->sandbox, -1, DEADLINE_NONE, &event, &r->ended));
    assert_int_equal(event, SANDBOX_ENDED);
    assert_string_equal(r->ended.text, "signal: killed");

    runner_start(r, &run);
    r->ctx.deadline_ns = clock_mono_ns() + 50 * NS_PER_MS;
    assert_fails(sandbox_wait(&r->ctx, r->sandbox, -1, DEADLINE_NONE, &event, &r->ended),
                 DEADLINE_EXCEEDED, "");
    r->ctx.deadline_ns = DEADLINE_NONE;

    runner_start(r, &run);
    r->ctx.cancel = cancel_new();
    cancel_set(r->ctx.cancel);
    assert_fails(sandbox_wait(&r->ctx, r->sandbox, -1, DEADLINE_NONE, &event, &r->ended), CANCELLED,
                 "");
    r->ctx.cancel = cancel_unref(r->ctx.cancel);

    int wake = eventfd(1, EFD_CLOEXEC);
    runner_start(r, &run);
    assert_ok(sandbox_wait(&r->ctx, r->sandbox, wake, DEADLINE_NONE, &event, &r->ended));
    assert_int_equal(event, SANDBOX_WOKEN);
    close(wake);
    assert_string_equal((sandbox_kill(r->sandbox), ""), "");
    assert_ok(sandbox_wait(&r->ctx, r->sandbox, -1, DEADLINE_NONE, &event, &r->ended));
    assert_string_equal(runner_sh(r, "echo next"), "next\n");
}

static void deadlines_and_cancellation_kill(void **state)
{
    (void)state;
    for_everyone(killed_in_time);
}

static void other_user(Runner *r)
{
    r->config.uid = 1234;
    r->config.gid = 2345;
    if (geteuid() == 0 && r->as->level == SANDBOX_ROOT)
        assert_int_equal(chown(text_printf(r->ctx.arena, "%s/pfs/out", r->dir), 1234, 2345), 0);
    runner_open(r);
    assert_string_equal(
        runner_sh(r, "id -u; id -g; cat /pfs/in/a; echo; echo x > /pfs/out/x && cat /pfs/out/x;"
                     "echo y > /tmp/y; echo e > /dev/stderr"),
        "1234\n2345\nhello\nx\n");
    assert_string_equal(runner_text(r, &r->err), "e\n");
    runner_sh(r, "chown 0 /pfs/out && echo changed");
    assert_string_equal(runner_text(r, &r->out), "");
}

static void runs_as_another_user(void **state)
{
    (void)state;
    for_everyone(other_user);
}

static void as_root(Runner *r)
{
    assert_string_equal(
        runner_sh(r, "touch /pfs/out/o && chown 1000:1000 /pfs/out/o && echo pretended;"
                     "grep CapEff /proc/self/status; grep NoNewPrivs /proc/self/status"),
        "pretended\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n");
}

static void root_inside_has_no_privilege(void **state)
{
    (void)state;
    for_everyone(as_root);
}

static void with_files(Runner *r)
{
    const SandboxFile files[] = {
        { "/secrets/one/key", { (const uint8_t *)"k\0y", 3 } },
        { "/secrets/one/other", { (const uint8_t *)"o", 1 } },
        { "/secrets/two/key", { (const uint8_t *)"2", 1 } },
    };
    r->config.files = files;
    r->config.file_count = ARRAY_LEN(files);
    r->config.hostname = "pod-1";
    r->config.no_network = true;
    runner_open(r);
    const char *const hostname_argv[] = { "hostname", NULL };
    runner_run(r, (SandboxRun){ .argv = hostname_argv, .hostname = "run-2" });
    assert_string_equal(runner_text(r, &r->out), r->as->runtime ? "pod-1\n" : "run-2\n");
    assert_string_equal(
        runner_sh(r, "wc -c < /secrets/one/key; cat /secrets/one/other /secrets/two/key; echo;"
                     "echo x > /secrets/one/key; hostname; grep -c : /proc/net/dev"),
        "3\no2\npod-1\n1\n");
    const SandboxFile misplaced = { "/etc/no-such-folder/key", { (const uint8_t *)"k", 1 } };
    r->config.files = &misplaced;
    r->config.file_count = 1;
    r->sandbox = sandbox_close(r->sandbox);
    assert_fails(sandbox_open(&r->ctx, &r->config, &r->sandbox), FAILED_PRECONDITION,
                 "/etc/no-such-folder");
}

/* Each run has a /tmp of its own, which must not hide what was mounted below. */
static void with_files_in_tmp(Runner *r)
{
    const SandboxFile files[] = {
        { "/tmp/secret/key", { (const uint8_t *)"t", 1 } },
        { "/var/tmp/secret/key", { (const uint8_t *)"v", 1 } },
        { "/dev/shm/secret/key", { (const uint8_t *)"s", 1 } },
    };
    r->config.files = files;
    r->config.file_count = ARRAY_LEN(files);
    runner_open(r);
    for (int run = 0; run < 2; run++)
        assert_string_equal(runner_sh(r,
                                      "cd /tmp; cat secret/key /var/tmp/secret/key "
                                      "/dev/shm/secret/key; ls /tmp; echo w > /tmp/w; cat /tmp/w"),
                            "tvssecret\nw\n");
    runner_sh(r, "echo x > /tmp/secret/other && echo written");
    assert_string_equal(runner_text(r, &r->out), "");
}

static void secrets_below_tmp_are_seen(void **state)
{
    (void)state;
    for_everyone(with_files_in_tmp);
}

static void files_hostname_and_network(void **state)
{
    (void)state;
    for_everyone(with_files);
}

/* An image that tries to get its mounts onto the host: links where folders should be. */
static void image(Runner *r)
{
    const char *root = text_printf(r->ctx.arena, "%s/image", r->dir);
    static const char *const dirs[] = { "bin", "etc", "var", "usr", "lib", "lib64" };
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        assert_ok(file_make_dirs(&r->ctx, text_printf(r->ctx.arena, "%s/%s", root, dirs[i]), 0755));
    const char *copy =
        text_printf(r->ctx.arena,
                    "cp /bin/sh /bin/cat /bin/ls %s/bin && cp -L /lib64/ld-linux* %s/lib64 && "
                    "for l in $(ldd /bin/sh /bin/ls | grep -o '/[^ ]*so[^ ]*' | sort -u); do "
                    "mkdir -p %s${l%%/*} && cp -L $l %s$l; done",
                    root, root, root, root);
    if (system(copy) != 0) {
        say_case("skipped: no image could be made of this host's shell");
        return;
    }
    assert_int_equal(
        symlink("../../../../../../etc", text_printf(r->ctx.arena, "%s/var/tmp", root)), 0);
    assert_int_equal(symlink("/proc/1/root", text_printf(r->ctx.arena, "%s/out", root)), 0);
    write_text(&r->ctx, text_printf(r->ctx.arena, "%s/etc/name", root), "image");
    r->config.root_dir = root;
    runner_open(r);
    assert_string_equal(
        runner_sh(r, "ls -d /*; cat /pfs/in/a; ls /out/"),
        "/bin\n/dev\n/etc\n/lib\n/lib64\n/out\n/pfs\n/proc\n/run\n/sys\n/tmp\n/usr\n/var\nhello\n");
}

static void an_image_is_a_root(void **state)
{
    (void)state;
    for_everyone(image);
}

static void resolves(Runner *r)
{
    const char *const paths[] = { "/pfs/out/in",  "/pfs/out/passwd", "/pfs/out/gone",
                                  "/pfs/out/dir", "/pfs/out/shadow", "/pfs/out/dev" };
    runner_sh(r, "cd /pfs/out; ln -s ../in/a in; ln -s /etc/passwd passwd; ln -s /gone gone; ln -s "
                 "/pfs/in dir;"
                 "ln -s /etc/shadow shadow; ln -s /dev/zero dev");
    SandboxTarget targets[ARRAY_LEN(paths)];
    assert_ok(sandbox_resolve(&r->ctx, r->sandbox, paths, ARRAY_LEN(paths), targets));
    assert_string_equal(targets[0].real, "/pfs/in/a");
    assert_int_equal(targets[0].fd, -1);
    assert_string_equal(targets[1].real, "/etc/passwd");
    assert_true(targets[1].fd >= 0);
    assert_string_equal(targets[2].why, "no such file or directory");
    assert_string_equal(targets[3].real, "/pfs/in");
    assert_true(targets[3].is_dir);
    assert_int_equal(targets[4].fd, -1);
    assert_string_equal(targets[5].why, "invalid argument");
    close(targets[1].fd);
}

static void links_are_followed_as_the_user(void **state)
{
    (void)state;
    for_everyone(resolves);
}

/* Each time, and only where it was so: a runtime's cgroups come and go with its containers. */
static void out_of_memory_is_told(Runner *r)
{
    for (int i = 0; i < 3; i++) {
        runner_sh(r, "head -c 500M /dev/zero | tail -c 400M > /dev/null");
        assert_string_equal(r->ended.text, "exit status 137");
        assert_true(r->ended.out_of_memory);
        runner_sh(r, "exit 137");
        assert_false(r->ended.out_of_memory);
    }
}

static void too_much_memory(Runner *r)
{
    r->config.limits.memory_bytes = 64 * MiB;
    runner_open(r);
    runner_sh(r, "head -c 500M /dev/zero | tail -c 400M > /dev/null; echo $?");
    if (strcmp(runner_text(r, &r->out), "0\n") == 0)
        fail_msg("%s: 400 MiB fit into 64 (%s)", r->as->label, sandbox_warnings(r->sandbox));
    if (!strstr(sandbox_warnings(r->sandbox), "for the memory limit"))
        out_of_memory_is_told(r);
}

static void memory_is_bounded(void **state)
{
    (void)state;
    for_everyone(too_much_memory);
}

static void refuses_less(void **state)
{
    (void)state;
    static const As plain = { "plain", 0, SANDBOX_NONE, NULL };
    Runner *r = runner_new(&plain);
    r->config.level_min = SANDBOX_USER;
    assert_fails(sandbox_open(&r->ctx, &r->config, &r->sandbox), FAILED_PRECONDITION,
                 "could not open a sandbox");
    runner_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_programs),
        cmocka_unit_test(user_code_cannot_escape),
        cmocka_unit_test(dangerous_calls_are_denied),
        cmocka_unit_test(runs_share_nothing),
        cmocka_unit_test(hidden_paths_and_the_environment_are_not_seen),
        cmocka_unit_test(ends_are_told),
        cmocka_unit_test(programs_that_cannot_be_run),
        cmocka_unit_test(stdin_cwd_and_descriptors),
        cmocka_unit_test(every_line_comes_once),
        cmocka_unit_test(leftovers_are_killed),
        cmocka_unit_test(a_pid_1_that_stood_ready_is_replaced),
        cmocka_unit_test(fork_bombs_are_bounded),
        cmocka_unit_test(tmp_is_bounded),
        cmocka_unit_test(deadlines_and_cancellation_kill),
        cmocka_unit_test(runs_as_another_user),
        cmocka_unit_test(root_inside_has_no_privilege),
        cmocka_unit_test(files_hostname_and_network),
        cmocka_unit_test(secrets_below_tmp_are_seen),
        cmocka_unit_test(an_image_is_a_root),
        cmocka_unit_test(links_are_followed_as_the_user),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(refuses_less),
    };
    cmocka_set_test_filter(getenv("PCV_TEST_FILTER")); /* a pattern of names; NULL: all */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
