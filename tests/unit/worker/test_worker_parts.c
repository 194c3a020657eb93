/* test_worker_parts.c - the pieces that need no sandbox: users, the content cache, hostile
 * folders. */
#include <sys/stat.h>
#include <unistd.h>

#include "testing.h"
#include "worker/folder.h"
#include "worker/input_cache.h"
#include "worker/spares.h"
#include "worker/user.h"

static void users_are_looked_up(void **state)
{
    (void)state;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    const UserFiles files = {
        .has_passwd = true,
        .passwd = STR("root:x:0:0:root:/root:/bin/sh\njo:x:1000:1001:Jo:/home/jo:/bin/sh\n"
                      "bad:x:one:two::/:\nhomeless:x:7:8:::\n"),
        .group = STR("root:x:0:\nstaff:x:50:jo\n")
    };
    const struct {
        const char *user;
        uint32_t uid, gid;
        const char *home;
    } good[] = {
        {"",          0,    0,    "/root"   },
        { "jo",       1000, 1001, "/home/jo"},
        { "1000",     1000, 1001, "/home/jo"},
        { "jo:staff", 1000, 50,   "/home/jo"},
        { "jo:50",    1000, 50,   "/home/jo"},
        { "1000:5",   1000, 5,    "/home/jo"},
        { "jo:77",    1000, 77,   "/home/jo"},
        { "4000",     4000, 0,    "/"       },
        { "4000:5",   4000, 5,    "/"       },
        { "homeless", 7,    8,    "/"       },
    };
    UserIds ids;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        say_case("'%s'", good[i].user);
        assert_ok(user_resolve(&ctx, &files, good[i].user, &ids));
        assert_int_equal(ids.uid, good[i].uid);
        assert_int_equal(ids.gid, good[i].gid);
        assert_string_equal(ids.home, good[i].home);
    }
    assert_fails(user_resolve(&ctx, &files, "who", &ids), NOT_FOUND, "user who not found");
    assert_fails(user_resolve(&ctx, &files, "who:staff", &ids), NOT_FOUND,
                 "user who:staff not found");
    assert_fails(user_resolve(&ctx, &files, "jo:none", &ids), NOT_FOUND, "group none not found");
    assert_fails(user_resolve(&ctx, &files, "bad", &ids), NOT_FOUND, "bad row of user bad");
    const UserFiles none = { .passwd = STR(""), .group = STR("") };
    assert_ok(user_resolve(&ctx, &none, "who", &ids));
    assert_int_equal(ids.uid, 0);
}

/* A scratch folder with cache/ and slot/ in it. */
typedef struct Disk {
    Ctx ctx;
    char *dir;
    int slot_fd;
    InputCache *cache;
} Disk;

static void disk_open(Disk *disk, uint64_t bytes_max)
{
    ctx_init(&disk->ctx);
    disk->dir = scratch_dir(&disk->ctx);
    char *cache = text_printf(disk->ctx.arena, "%s/cache", disk->dir);
    char *slot = text_printf(disk->ctx.arena, "%s/slot", disk->dir);
    assert_ok(file_make_dirs(&disk->ctx, cache, 0755));
    assert_ok(file_make_dirs(&disk->ctx, slot, 0755));
    disk->slot_fd = open(slot, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(disk->slot_fd >= 0);
    disk->cache = input_cache_new(cache, bytes_max);
}

static void disk_close(Disk *disk)
{
    input_cache_free(disk->cache);
    close(disk->slot_fd);
    assert_ok(file_remove_tree(&disk->ctx, disk->dir));
    ctx_done(&disk->ctx);
}

static void write_file(Disk *disk, const char *name, size_t size)
{
    AUTO_FD fd = openat(disk->slot_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
}

static bool is_cached(Disk *disk, const char *hash, bool copy)
{
    bool placed;
    unlinkat(disk->slot_fd, "probe", 0);
    assert_ok(input_cache_place(&disk->ctx, disk->cache, str_bytes(str(hash)), disk->slot_fd,
                                "probe", copy, &placed));
    return placed;
}

static void the_cache_keeps_what_was_used_last(void **state)
{
    (void)state;
    Disk disk;
    disk_open(&disk, 3 * MiB);
    for (int i = 0; i < 3; i++) {
        char name[8];
        snprintf(name, sizeof(name), "f%d", i);
        write_file(&disk, name, 1 * MiB);
        input_cache_add(&disk.ctx, disk.cache, str_bytes(str(name)), disk.slot_fd, name, i == 1);
    }
    assert_int_equal(input_cache_bytes(disk.cache), 3 * MiB);
    assert_true(is_cached(&disk, "f0", false));
    write_file(&disk, "f3", 1 * MiB);
    input_cache_add(&disk.ctx, disk.cache, str_bytes(STR("f3")), disk.slot_fd, "f3", false);
    assert_false(is_cached(&disk, "f1", false));
    assert_true(is_cached(&disk, "f0", true));
    assert_true(is_cached(&disk, "f2", false));
    struct stat slot, probe;
    assert_int_equal(fstatat(disk.slot_fd, "f2", &slot, 0), 0);
    assert_int_equal(fstatat(disk.slot_fd, "probe", &probe, 0), 0);
    assert_int_equal(slot.st_ino, probe.st_ino);
    assert_false(is_cached(&disk, "", false)); /* no hash, no entry */
    write_file(&disk, "big", 9 * MiB);         /* larger than the cache: it alone stays */
    input_cache_add(&disk.ctx, disk.cache, str_bytes(STR("big")), disk.slot_fd, "big", false);
    assert_true(is_cached(&disk, "big", false));
    assert_false(is_cached(&disk, "f0", false));
    disk_close(&disk);
}

static void the_cache_grows(void **state)
{
    (void)state;
    Disk disk;
    disk_open(&disk, 1 * GiB);
    write_file(&disk, "one", 0);
    for (int i = 0; i < 3000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%d", i);
        input_cache_add(&disk.ctx, disk.cache, str_bytes(str(name)), disk.slot_fd, "one", false);
    }
    assert_true(is_cached(&disk, "n0", false) && is_cached(&disk, "n2999", false) &&
                !is_cached(&disk, "n3000", false));
    disk_close(&disk);
}

static ino_t inode_of(const Disk *disk, const char *name)
{
    struct stat st;
    assert_int_equal(fstatat(disk->slot_fd, name, &st, 0), 0);
    return st.st_ino;
}

/* Puts a file aside, at once or when it is settled. */
static void keep(Spares *spares, const Disk *disk, const char *name, bool settle)
{
    assert_true(spares_keep(spares, disk->slot_fd, name));
    if (settle)
        spares_settle(spares);
}

static void a_spare_file_serves_again_unless_it_is_open(void **state)
{
    (void)state;
    for (int settle = 0; settle < 2; settle++) {
        say_case("%s", settle ? "put aside" : "left where it is");
        Disk disk;
        disk_open(&disk, 1 * MiB);
        Spares *spares = spares_new(text_printf(disk.ctx.arena, "%s/spares", disk.dir));
        assert_int_equal(spares_take(spares, disk.slot_fd, "none"), -1);
        write_file(&disk, "a", 3);
        write_file(&disk, "b", 3);
        write_file(&disk, "taken", 3);
        ino_t b = inode_of(&disk, "b");
        AUTO_FD reader = openat(disk.slot_fd, "a", O_RDONLY); /* holds it open */
        (void)reader;
        keep(spares, &disk, "a", settle);
        assert_int_equal(spares_take(spares, disk.slot_fd, "c"), -1); /* somebody reads it */
        assert_int_equal(faccessat(disk.slot_fd, "a", F_OK, 0), -1);

        keep(spares, &disk, "b", settle);
        AUTO_FD fd = spares_take(spares, disk.slot_fd, "c");
        assert_true(fd >= 0);
        assert_int_equal(inode_of(&disk, "c"), b);
        fd_closep(&fd);
        keep(spares, &disk, "c", settle);
        assert_int_equal(spares_take(spares, disk.slot_fd, "taken"), -1);
        assert_int_equal(faccessat(disk.slot_fd, "c", F_OK, 0), -1);

        keep(spares, &disk, "taken", settle); /* and serves for what has its own name */
        AUTO_FD again = spares_take(spares, disk.slot_fd, "taken");
        assert_true(again >= 0);
        spares_free(spares);
        disk_close(&disk);
    }
}

static void files_that_wait_for_their_use_are_gone_when_settled(void **state)
{
    (void)state;
    Disk disk;
    disk_open(&disk, 1 * MiB);
    Spares *spares = spares_new(text_printf(disk.ctx.arena, "%s/spares", disk.dir));
    write_file(&disk, "a", 3);
    write_file(&disk, "b", 3);
    ino_t a = inode_of(&disk, "a"), b = inode_of(&disk, "b");
    assert_true(spares_keep(spares, disk.slot_fd, "a"));
    assert_true(spares_keep(spares, disk.slot_fd, "b"));
    assert_false(spares_keep(spares, disk.slot_fd, "b")); /* it is not there any more */
    spares_settle(spares);
    spares_settle(spares);
    assert_int_equal(faccessat(disk.slot_fd, "a", F_OK, 0), -1);
    AUTO_FD first = spares_take(spares, disk.slot_fd, "c");
    AUTO_FD second = spares_take(spares, disk.slot_fd, "d");
    assert_true(first >= 0 && second >= 0);
    assert_int_equal(inode_of(&disk, "c"), b);
    assert_int_equal(inode_of(&disk, "d"), a);
    assert_int_equal(spares_take(spares, disk.slot_fd, "e"), -1);
    spares_free(spares);
    disk_close(&disk);
}

static bool keep_folder(void *spares, int dir_fd, const char *name)
{
    return spares_keep_folder(spares, dir_fd, name);
}

/* What a removal has emptied is the next folder that is made. */
static void an_emptied_folder_serves_again(void **state)
{
    (void)state;
    Disk disk;
    disk_open(&disk, 1 * MiB);
    Spares *spares = spares_new(text_printf(disk.ctx.arena, "%s/spares", disk.dir));
    struct stat st;
    assert_int_equal(spares_make_folder(spares, disk.slot_fd, "in"), 0);
    assert_int_equal(mkdirat(disk.slot_fd, "in/below", 0700), 0);
    assert_int_equal(mkdirat(disk.slot_fd, "in/below/deep", 0700), 0);
    ino_t in = inode_of(&disk, "in"), below = inode_of(&disk, "in/below");
    assert_ok(folder_remove_keeping(&disk.ctx, disk.slot_fd, "in", keep_folder, spares));
    assert_int_equal(faccessat(disk.slot_fd, "in", F_OK, 0), -1);

    assert_int_equal(spares_make_folder(spares, disk.slot_fd, "out"), 0);
    assert_int_equal(inode_of(&disk, "out"), in);
    assert_int_equal(fstatat(disk.slot_fd, "out", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    assert_int_equal(unlinkat(disk.slot_fd, "out", AT_REMOVEDIR), 0); /* it is empty */

    assert_int_equal(spares_make_folder(spares, disk.slot_fd, "taken"), 0);
    assert_int_equal(inode_of(&disk, "taken"), below);
    assert_int_equal(spares_make_folder(spares, disk.slot_fd, "taken"), -1);
    spares_free(spares);
    disk_close(&disk);
}

static void folders_of_any_shape_go(void **state)
{
    (void)state;
    Disk disk;
    disk_open(&disk, 0);
    assert_int_equal(mkdirat(disk.slot_fd, "d", 0755), 0);
    write_file(&disk, "d/a", 100 * KiB);
    assert_int_equal(symlinkat("/etc", disk.slot_fd, "d/link"), 0);
    assert_int_equal(mkdirat(disk.slot_fd, "d/shut", 0755), 0);
    write_file(&disk, "d/shut/b", 0);
    assert_int_equal(fchmodat(disk.slot_fd, "d/shut", 0, 0), 0);
    AUTO_FD d = folder_open(disk.slot_fd, "d", O_RDONLY | O_DIRECTORY);
    assert_true(folder_disk_bytes(&disk.ctx, d) < 1 * MiB);
    assert_int_equal(folder_open(disk.slot_fd, "d/link/passwd", O_RDONLY), -1);
    assert_int_equal(folder_open(disk.slot_fd, "d/../../x", O_RDONLY), -1);
    int deep = dup(d);
    for (int i = 0; i < 3000; i++) { /* deeper than PATH_MAX can name */
        assert_int_equal(mkdirat(deep, "deep", 0755), 0);
        int below = openat(deep, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(deep);
        deep = below;
    }
    close(deep);
    assert_ok(folder_remove(&disk.ctx, disk.slot_fd, "d"));
    assert_ok(folder_remove(&disk.ctx, disk.slot_fd, "d"));
    assert_int_equal(faccessat(disk.slot_fd, "d", F_OK, AT_SYMLINK_NOFOLLOW), -1);
    disk_close(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_are_looked_up),
        cmocka_unit_test(the_cache_keeps_what_was_used_last),
        cmocka_unit_test(the_cache_grows),
        cmocka_unit_test(a_spare_file_serves_again_unless_it_is_open),
        cmocka_unit_test(files_that_wait_for_their_use_are_gone_when_settled),
        cmocka_unit_test(an_emptied_folder_serves_again),
        cmocka_unit_test(folders_of_any_shape_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
