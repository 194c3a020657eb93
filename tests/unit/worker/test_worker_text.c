/* test_worker_text.c - lines, ends, and where cgroups are. */
#include <errno.h>
#include <signal.h>

#include "testing.h"
#include "worker/cgroup.h"
#include "worker/exit_text.h"
#include "worker/lines.h"

#define LIMIT 8

static void collect(void *self, Str line)
{
    Buf *all = self;
    buf_add_u8(all, '[');
    buf_add_str(all, line);
    buf_add_u8(all, ']');
}

static void lines_are_cut_and_mended(void **state)
{
    (void)state;
    const struct {
        Str in;
        const char *out;
    } cases[] = {
        {STR(""),                     ""                                  },
        { STR("a"),                   "[a]"                               },
        { STR("a\n"),                 "[a]"                               },
        { STR("\n\n"),                "[][]"                              },
        { STR("a\nb\n\nc"),           "[a][b][][c]"                       },
        { STR("12345678\n1"),         "[12345678][1]"                     },
        { STR("123456789\n"),         "[12345678][9]"                     },
        { STR("1234567890123456789"), "[12345678][90123456][789]"         },
        { STR("1234567\xc3\xa4\n"),   "[1234567][\xc3\xa4]"               },
        { STR("a\0b\n"),              "[a\xef\xbf\xbd"
                         "b]"                     },
        { STR("\xff\xc3\xa4\xc3\n"),  "[\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd]"},
        { STR("\r\n"),                "[\r]"                              },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t step = 1; step <= cases[i].in.size + 1; step++) { /* however the bytes come */
            LineCutter cutter;
            Buf all = { 0 };
            lines_init(&cutter, LIMIT);
            for (size_t at = 0; at < cases[i].in.size; at += step)
                lines_add(&cutter, str_bytes(str_sub(cases[i].in, at, at + step)), collect, &all);
            lines_end(&cutter, collect, &all);
            if (!str_eq_c(buf_str(&all), cases[i].out))
                fail_msg("case %zu by %zu: " STR_FMT, i, step, STR_ARG(buf_str(&all)));
            lines_done(&cutter);
            buf_done(&all);
        }
    }
}

static void ends_in_words(void **state)
{
    (void)state;
    char text[EXIT_TEXT_SIZE];
    exit_text(7 << 8, text);
    assert_string_equal(text, "exit status 7");
    exit_text(SIGKILL, text);
    assert_string_equal(text, "signal: killed");
    exit_text(SIGSEGV | 0x80, text);
    assert_string_equal(text, "signal: segmentation fault (core dumped)");
    exit_text(40, text);
    assert_string_equal(text, "signal: signal 40");
    exit_errno_text(ENOENT, text);
    assert_string_equal(text, "no such file or directory");
    exit_errno_text(ENOEXEC, text);
    assert_string_equal(text, "exec format error");
}

static void cgroups_are_found(void **state)
{
    (void)state;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    const CgroupPlace v1 = {
        STR("5:pids:/box/1\n4:cpu,cpuacct:/box/1\n0::/\n"),
        STR("35 32 0:29 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
            "36 32 0:30 /box /sys/fs/cgroup/cpu rw shared:5 - cgroup cgroup rw,cpu,cpuacct\n"
            "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"),
    };
    const Str v2_mounts =
        STR("26 23 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
    const CgroupPlace v2 = { STR("0::/user.slice/a\n"), v2_mounts };
    const CgroupPlace moved = { STR("0::/user.slice/a/procavia-server\n"), v2_mounts };
    const CgroupPlace no_path = { STR(""), v2_mounts };
    const CgroupPlace no_mount = { STR("0::/user.slice/a\n"), STR("x\n") };
    bool is_v2;
    assert_string_equal(cgroup_find(&ctx, &v1, "pids", &is_v2),
                        "/sys/fs/cgroup/pids/box/1");
    assert_false(is_v2);
    assert_string_equal(cgroup_find(&ctx, &v1, "cpu", &is_v2), "/sys/fs/cgroup/cpu/1");
    assert_string_equal(cgroup_find(&ctx, &v1, "memory", &is_v2),
                        "/sys/fs/cgroup/unified");
    assert_true(is_v2);
    assert_string_equal(cgroup_find(&ctx, &v2, "memory", &is_v2),
                        "/sys/fs/cgroup/user.slice/a");
    assert_string_equal(cgroup_find(&ctx, &moved, "memory", &is_v2),
                        "/sys/fs/cgroup/user.slice/a");
    assert_string_equal(cgroup_find(&ctx, &no_path, "memory", &is_v2), "");
    assert_string_equal(cgroup_find(&ctx, &no_mount, "memory", &is_v2), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_cut_and_mended),
        cmocka_unit_test(ends_in_words),
        cmocka_unit_test(cgroups_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
