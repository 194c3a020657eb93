/* test_put_known.c - what a put may pass over, and what it may not. The server's side is played: it
 * answers InspectCommit with the head that a test sets. */
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "testing.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cmd/pcv/put_known.h"
#include "cmd/pcv/ref.h"
#include "codec/pb.h"

#define HOUR_S 3600

typedef struct Fixture {
    Ctx ctx;
    WireServer *server;
    const char *head, *parent; /* NULL: the branch has no head */
    bool open;
    char dir[64];
    int dir_fd;
    Cli cli;
    PfsV2__Commit *branch;
} Fixture;

static Status answer_head(void *self, Ctx *ctx, WireCall *call)
{
    const Fixture *f = self;
    CLEANUP(buf_done) Buf request = { 0 };
    bool end;
    TRY(wire_recv(ctx, call, &request, &end));
    if (!f->head)
        return FAIL(ctx, NOT_FOUND, "no head");
    PfsV2__CommitInfo *info = PB_NEW(ctx, pfs_v2__commit_info, PfsV2__CommitInfo);
    info->commit = PB_NEW(ctx, pfs_v2__commit, PfsV2__Commit);
    info->commit->id = arena_strdup(ctx->arena, f->head);
    if (f->parent) {
        info->parent_commit = PB_NEW(ctx, pfs_v2__commit, PfsV2__Commit);
        info->parent_commit->id = arena_strdup(ctx->arena, f->parent);
    }
    if (!f->open)
        info->finished = PB_NEW(ctx, google__protobuf__timestamp, Google__Protobuf__Timestamp);
    return wire_send(ctx, call, pb_pack_bytes(ctx, &info->base));
}

static int set_up(void **state)
{
    Fixture *f = calloc(1, sizeof(*f));
    ctx_init(&f->ctx);
    strcpy(f->dir, "/tmp/test-put-known-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const WireConfig config = { .listen = "127.0.0.1:0", .handle = answer_head, .self = f };
    assert_ok(wire_server_start(&f->ctx, &config, &f->server));
    setenv("PCV_ADDRESS", wire_server_address(f->server), 1);
    setenv("XDG_CACHE_HOME", text_printf(f->ctx.arena, "%s/cache", f->dir), 1);
    f->cli = (Cli){ .ctx = &f->ctx };
    PfsV2__File *file;
    assert_ok(ref_file(&f->ctx, "default", "images@master:/", &file));
    f->branch = file->commit;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *f = *state;
    clock_set_wall(0);
    wire_client_close(f->cli.client);
    wire_server_stop(f->server, 1000);
    close(f->dir_fd);
    assert_ok(file_remove_tree(&f->ctx, f->dir));
    ctx_done(&f->ctx);
    free(f);
    return 0;
}

static PutKnown *open_known(Fixture *f)
{
    return put_known_open(&f->cli, f->branch, STR("/"), f->dir);
}

/* Writes a file, and sets the clock to so many seconds later: nobody can set the time of an inode's
 * change. */
static struct stat write_at(Fixture *f, const char *name, const char *text, int64_t seconds_later)
{
    struct stat st;
    AUTO_FD fd = openat(f->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_ok(file_write_all(&f->ctx, fd, text, strlen(text)));
    assert_int_equal(fstat(fd, &st), 0);
    clock_set_wall((st.st_ctim.tv_sec + seconds_later) * NS_PER_SEC);
    return st;
}

/* A put of one file, "a", onto `before`, which makes the commit `after`. */
static void put_a(Fixture *f, const char *before, const char *after, const struct stat *st)
{
    bool again;
    f->head = before;
    f->parent = NULL;
    CLEANUP(put_known_freep) PutKnown *known = open_known(f);
    assert_non_null(known);
    put_known_add(known, STR("/a"), st);
    f->head = after;
    f->parent = before;
    assert_ok(put_known_finish(known, &again));
    assert_false(again);
}

static bool has_a(Fixture *f)
{
    CLEANUP(put_known_freep) PutKnown *known = open_known(f);
    return put_known_has(known, f->dir_fd, "a", STR("/a"), NULL);
}

static void test_passes_over_what_did_not_change(void **state)
{
    Fixture *f = *state;
    struct stat st = write_at(f, "a", "one", HOUR_S);
    put_a(f, NULL, "c1", &st);
    assert_true(has_a(f));
    write_at(f, "a", "other", HOUR_S);
    assert_false(has_a(f));
}

static void test_looks_at_many_files_ahead(void **state)
{
    enum { FILES = 1500 };
    Fixture *f = *state;
    const char **names = ARENA_NEW(f->ctx.arena, const char *, FILES);
    struct stat st = write_at(f, "a", "one", HOUR_S);
    put_a(f, NULL, "c1", &st);
    for (size_t i = 0; i < FILES; i++)
        names[i] = i % 3 ? "a" : i % 2 ? "folder/" : "gone";
    CLEANUP(put_known_freep) PutKnown *known = open_known(f);
    assert_null(put_known_look(known, f->dir_fd, names, 3));
    KnownStat *seen = put_known_look(known, f->dir_fd, names, FILES);
    assert_non_null(seen);
    for (size_t i = 0; i < FILES; i++)
        assert_int_equal(seen[i].is_file, i % 3 != 0);
    assert_true(put_known_has(known, f->dir_fd, "a", STR("/a"), &seen[FILES - 1]));
    free(seen);
}

static void test_keeps_what_it_passed_over(void **state)
{
    Fixture *f = *state;
    bool again;
    struct stat st = write_at(f, "a", "one", HOUR_S);
    put_a(f, NULL, "c1", &st);
    {
        CLEANUP(put_known_freep) PutKnown *known = open_known(f);
        assert_true(put_known_has(known, f->dir_fd, "a", STR("/a"), NULL));
        f->parent = "c1";
        f->head = "c2";
        assert_ok(put_known_finish(known, &again));
        assert_false(again);
    }
    assert_true(has_a(f));
}

static void test_trusts_no_other_head(void **state)
{
    Fixture *f = *state;
    struct stat st = write_at(f, "a", "one", HOUR_S);
    put_a(f, NULL, "c1", &st);
    f->head = "c2";
    assert_false(has_a(f));
    f->head = "c1";
    f->open = true;
    assert_null(open_known(f));
}

static void test_asks_again_when_somebody_came_between(void **state)
{
    Fixture *f = *state;
    bool again;
    struct stat st = write_at(f, "a", "one", HOUR_S);
    put_a(f, NULL, "c1", &st);
    CLEANUP(put_known_freep) PutKnown *known = open_known(f);
    assert_true(put_known_has(known, f->dir_fd, "a", STR("/a"), NULL));
    f->head = "c3";
    f->parent = "c2";
    assert_ok(put_known_finish(known, &again));
    assert_true(again);
}

static void test_leaves_out_what_changed_just_now(void **state)
{
    Fixture *f = *state;
    struct stat st = write_at(f, "a", "one", 1);
    put_a(f, NULL, "c1", &st);
    assert_false(has_a(f));
}

static const char *cache_file(Fixture *f)
{
    const char *out = NULL;
    const char *dir = text_printf(f->ctx.arena, "%s/cache/procavia", f->dir);
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] != '.')
            out = text_printf(f->ctx.arena, "%s/%s", dir, e->d_name);
    }
    closedir(d);
    return out;
}

static void test_believes_no_damaged_file(void **state)
{
    Fixture *f = *state;
    struct stat st = write_at(f, "a", "one", HOUR_S);
    put_a(f, NULL, "c1", &st);
    CLEANUP(buf_done) Buf whole = { 0 };
    assert_ok(file_read_path(&f->ctx, cache_file(f), &whole));
    for (size_t i = 0; i < whole.size; i++) {
        Buf bad = { 0 };
        buf_add_bytes(&bad, buf_bytes(&whole));
        bad.data[i] ^= 1;
        assert_ok(file_replace(&f->ctx, cache_file(f), buf_bytes(&bad), 0600));
        assert_false(has_a(f));
        assert_ok(file_replace(&f->ctx, cache_file(f), bytes(whole.data, i), 0600));
        assert_false(has_a(f));
        buf_done(&bad);
    }
}

static void test_knows_nothing_of_a_commit(void **state)
{
    Fixture *f = *state;
    f->head = "c1";
    f->branch->id = arena_strdup(f->ctx.arena, "c1");
    assert_null(open_known(f));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_passes_over_what_did_not_change),
        TEST(test_looks_at_many_files_ahead),
        TEST(test_keeps_what_it_passed_over),
        TEST(test_trusts_no_other_head),
        TEST(test_asks_again_when_somebody_came_between),
        TEST(test_leaves_out_what_changed_just_now),
        TEST(test_believes_no_damaged_file),
        TEST(test_knows_nothing_of_a_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
