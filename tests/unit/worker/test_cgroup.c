/* Both layouts of cgroups, on a tree of plain files: what is written where, and what is read. What
 * a kernel makes of it is tested by test_sandbox.c, where the machine has the layout. */
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testing.h"
#include "worker/cgroup.h"

typedef struct Tree {
    Ctx ctx;
    char *dir; /* where the only hierarchy is mounted */
    CgroupPlace place;
    Buf warnings;
} Tree;

static const SandboxLimits limits = { .memory_bytes = 64 * MiB, .cpu_millis = 1500, .pids = 30 };

static char *path_of(Tree *tree, const char *path)
{
    return text_printf(tree->ctx.arena, "%s/%s", tree->dir, path);
}

static void put(Tree *tree, const char *path, const char *text)
{
    AUTO_FD fd = open(path_of(tree, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_ok(file_write_all(&tree->ctx, fd, text, strlen(text)));
}

static const char *get(Tree *tree, const char *path)
{
    CLEANUP(buf_done) Buf text = { 0 };
    assert_ok(file_read_path(&tree->ctx, path_of(tree, path), &text));
    return str_z(tree->ctx.arena, buf_str(&text));
}

static void make(Tree *tree, const char *path)
{
    assert_ok(file_make_dirs(&tree->ctx, path_of(tree, path), 0755));
}

static void tree_open(Tree *tree, const char *self_cgroup, const char *type)
{
    *tree = (Tree){ 0 };
    ctx_init(&tree->ctx);
    tree->dir = scratch_dir(&tree->ctx);
    tree->place =
        (CgroupPlace){ str(self_cgroup),
                       str(text_printf(tree->ctx.arena, "30 20 0:25 / %s rw - %s x rw,%s\n",
                                       tree->dir, type, "memory,pids,cpu")) };
}

static void tree_close(Tree *tree)
{
    assert_ok(file_remove_tree(&tree->ctx, tree->dir));
    buf_done(&tree->warnings);
    ctx_done(&tree->ctx);
}

/* The kernel makes a cgroup's files with its folder; here they are there before. Of the next cgroup
 * of this process, the nth. */
static const char *expect_cgroup(Tree *tree, const char *parent, const char *const *files)
{
    static unsigned nth;
    const char *folder =
        text_printf(tree->ctx.arena, "%s/procavia-%d-%u", parent, (int)getpid(), nth++);
    make(tree, folder);
    for (; *files; files++)
        put(tree, text_printf(tree->ctx.arena, "%s/%s", folder, *files), "");
    return folder;
}

static const char *file_in(Tree *tree, const char *folder, const char *name)
{
    return text_printf(tree->ctx.arena, "%s/%s", folder, name);
}

static void one_tree_for_all(void **state)
{
    (void)state;
    static const char *const files[] = { "memory.max", "memory.swap.max", "pids.max",
                                         "cpu.max",    "cgroup.procs",    NULL };
    Tree tree;
    tree_open(&tree, "0::/unit\n", "cgroup2");
    make(&tree, "unit");
    put(&tree, "unit/cgroup.subtree_control", "");
    const char *folder = expect_cgroup(&tree, "unit", files);
    Cgroup *cgroup = cgroup_new(&tree.ctx, &tree.place, &limits, false, &tree.warnings);
    assert_int_equal(tree.warnings.size, 0);
    assert_string_equal(get(&tree, file_in(&tree, folder, "memory.max")), "67108864");
    assert_string_equal(get(&tree, file_in(&tree, folder, "memory.swap.max")), "0");
    assert_string_equal(get(&tree, file_in(&tree, folder, "pids.max")), "32");
    assert_string_equal(get(&tree, file_in(&tree, folder, "cpu.max")), "150000 100000");
    /* one write a controller; a plain file keeps the last */
    assert_int_equal(strncmp(get(&tree, "unit/cgroup.subtree_control"), "+cpu", 4), 0);
    assert_int_equal(cgroup_adopt(cgroup, 1234), 0);
    assert_string_equal(get(&tree, file_in(&tree, folder, "cgroup.procs")), "1234");

    assert_int_equal(cgroup_oom_kills(cgroup, true), 0);
    put(&tree, file_in(&tree, folder, "memory.events"),
        "low 0\nhigh 0\nmax 31\noom 2\noom_kill 2\noom_group_kill 0\n");
    make(&tree, file_in(&tree, folder, "r1")); /* of a runtime: counted above already */
    put(&tree, file_in(&tree, folder, "r1/memory.events"), "oom 1\noom_kill 1\n");
    assert_int_equal(cgroup_oom_kills(cgroup, true), 2);
    cgroup_free(cgroup);
    tree_close(&tree);
}

static void a_tree_a_controller(void **state)
{
    (void)state;
    static const char *const files[] = { "memory.limit_in_bytes",
                                         "memory.memsw.limit_in_bytes",
                                         "pids.max",
                                         "cpu.cfs_period_us",
                                         "cpu.cfs_quota_us",
                                         "cgroup.procs",
                                         NULL };
    Tree tree;
    tree_open(&tree, "4:memory,pids,cpu:/box\n", "cgroup");
    const char *folder = expect_cgroup(&tree, "box", files);
    Cgroup *cgroup = cgroup_new(&tree.ctx, &tree.place, &limits, false, &tree.warnings);
    assert_int_equal(tree.warnings.size, 0);
    assert_string_equal(get(&tree, file_in(&tree, folder, "memory.limit_in_bytes")), "67108864");
    assert_string_equal(get(&tree, file_in(&tree, folder, "memory.memsw.limit_in_bytes")),
                        "67108864");
    assert_string_equal(get(&tree, file_in(&tree, folder, "pids.max")), "32");
    assert_string_equal(get(&tree, file_in(&tree, folder, "cpu.cfs_period_us")), "100000");
    assert_string_equal(get(&tree, file_in(&tree, folder, "cpu.cfs_quota_us")), "150000");

    put(&tree, file_in(&tree, folder, "memory.oom_control"),
        "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
    make(&tree, file_in(&tree, folder, "r1"));
    put(&tree, file_in(&tree, folder, "r1/memory.oom_control"), "under_oom 0\noom_kill 3\n");
    assert_int_equal(cgroup_oom_kills(cgroup, false), 1);
    assert_int_equal(cgroup_oom_kills(cgroup, true), 4);
    cgroup_free(cgroup);
    tree_close(&tree);
}

/* In v2 a runtime's container goes beside the keeper, below the limits. */
static void room_for_a_runtime(void **state)
{
    (void)state;
    static const char *const files[] = { "memory.max", "pids.max", "cpu.max", NULL };
    Tree tree;
    tree_open(&tree, "0::/unit\n", "cgroup2");
    const char *folder = expect_cgroup(&tree, "unit", files);
    make(&tree, file_in(&tree, folder, "keeper"));
    put(&tree, file_in(&tree, folder, "keeper/cgroup.procs"), "");
    Cgroup *cgroup = cgroup_new(&tree.ctx, &tree.place, &limits, true, &tree.warnings);
    assert_int_equal(cgroup_adopt(cgroup, 1234), 0);
    assert_string_equal(get(&tree, file_in(&tree, folder, "keeper/cgroup.procs")), "1234");
    assert_string_equal(cgroup_for_container(&tree.ctx, cgroup), ""); /* not where runtimes look */
    cgroup_free(cgroup);
    tree_close(&tree);
}

/* What a worker that was killed left, with what its runtime left in that. */
static void the_dead_are_swept(void **state)
{
    (void)state;
    Tree tree;
    tree_open(&tree, "0::/unit\n", "cgroup2");
    pid_t dead = fork();
    if (dead == 0)
        _exit(0);
    assert_int_equal(waitpid(dead, NULL, 0), dead);
    const char *left = text_printf(tree.ctx.arena, "unit/procavia-%d-0", (int)dead);
    const char *mine = text_printf(tree.ctx.arena, "unit/procavia-%d-99", (int)getpid());
    make(&tree, file_in(&tree, left, "run"));
    make(&tree, file_in(&tree, left, "keeper"));
    make(&tree, mine);
    make(&tree, "unit/procavia-server");
    cgroup_sweep(&tree.ctx, &tree.place);
    assert_int_equal(access(path_of(&tree, left), F_OK), -1);
    assert_int_equal(access(path_of(&tree, mine), F_OK), 0);
    assert_int_equal(access(path_of(&tree, "unit/procavia-server"), F_OK), 0);
    tree_close(&tree);
}

/* A controller that is not given to those below has no files there. */
static void what_cannot_be_held_is_told(void **state)
{
    (void)state;
    static const char *const files[] = { "pids.max", "cgroup.procs", NULL };
    Tree tree;
    tree_open(&tree, "0::/unit\n", "cgroup2");
    expect_cgroup(&tree, "unit", files);
    Cgroup *cgroup = cgroup_new(&tree.ctx, &tree.place, &limits, false, &tree.warnings);
    const char *told = str_z(tree.ctx.arena, buf_str(&tree.warnings));
    assert_string_equal(told, "no writable cgroup for the memory limit: No such file or directory\n"
                              "no writable cgroup for the cpu limit: No such file or directory\n");
    assert_false(cgroup_holds(cgroup, CGROUP_MEMORY));
    assert_true(cgroup_holds(cgroup, CGROUP_PIDS));
    assert_int_equal(cgroup_oom_kills(cgroup, true), 0);
    cgroup_free(cgroup);
    tree_close(&tree);
}

static void the_server_makes_room(void **state)
{
    (void)state;
    static const struct {
        const char *label, *type, *procs;
        bool moves;
    } cases[] = {
        { "alone in its unit", "domain\n", "%d\n", true },
        { "with others, as in a shell", "domain\n", "%d\n77\n", false },
        { "others only", "domain\n", "77\n", false },
        { "nobody", "domain\n", "", false },
        { "in the root, which may have", NULL, "%d\n", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        Tree tree;
        char procs[64];
        tree_open(&tree, "0::/unit\n", "cgroup2");
        make(&tree, "unit/procavia-server");
        put(&tree, "unit/procavia-server/cgroup.procs", "");
        if (cases[i].type)
            put(&tree, "unit/cgroup.type", cases[i].type);
        if (strstr(cases[i].procs, "%d"))
            snprintf(procs, sizeof(procs), "%d%s", (int)getpid(), cases[i].procs + strlen("%d"));
        else
            snprintf(procs, sizeof(procs), "%s", cases[i].procs);
        put(&tree, "unit/cgroup.procs", procs);
        cgroup_make_room(&tree.ctx, &tree.place);
        const char *moved = get(&tree, "unit/procavia-server/cgroup.procs");
        snprintf(procs, sizeof(procs), "%d", (int)getpid());
        assert_string_equal(moved, cases[i].moves ? procs : "");
        tree_close(&tree);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_tree_for_all),
        cmocka_unit_test(a_tree_a_controller),
        cmocka_unit_test(room_for_a_runtime),
        cmocka_unit_test(the_dead_are_swept),
        cmocka_unit_test(what_cannot_be_held_is_told),
        cmocka_unit_test(the_server_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
