/* Transfers through the real helper, to a folder of this machine: pieces, lists, writes that appear
 * whole or not at all, and waits that end. */
#include "testing.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "remote/remote.h"

typedef struct Fixture {
    Ctx ctx;
    char folder[32];
    const char *url; /* of the folder */
    RemoteConfig config;
    Remote *remote;
} Fixture;

static Fixture fx;

static int setup(void **state)
{
    (void)state;
    fx = (Fixture){ .folder = "/tmp/pcv-transfer-XXXXXX" };
    ctx_init(&fx.ctx);
    assert_non_null(mkdtemp(fx.folder));
    fx.url = text_printf(fx.ctx.arena, "file://%s", fx.folder);
    fx.config = (RemoteConfig){ .program = process_sibling(&fx.ctx, "../bin/pcv-courier"),
                                .hosts = "",
                                .files = true,
                                .tries = 1,
                                .stall_seconds = 60 };
    fx.remote = remote_new(&fx.config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    remote_free(fx.remote);
    assert_true(status_ok(file_remove_tree(&fx.ctx, fx.folder)));
    ctx_done(&fx.ctx);
    return 0;
}

static const char *key(const char *name)
{
    return text_printf(fx.ctx.arena, "%s/%s", fx.folder, name);
}

static Status put(const char *name, Str data, uint64_t size)
{
    CLEANUP(remote_closep) RemoteOp *op = NULL;
    TRY(remote_put(&fx.ctx, fx.remote, fx.url, key(name), size, &op));
    TRY(remote_write(&fx.ctx, op, str_bytes(data)));
    return remote_finish(&fx.ctx, op);
}

static Status get(const char *name, uint64_t offset, uint64_t size, Buf *out)
{
    CLEANUP(remote_closep) RemoteOp *op = NULL;
    TRY(remote_get(&fx.ctx, fx.remote, fx.url, key(name), offset, size, &op));
    for (;;) {
        Bytes piece;
        TRY(remote_read(&fx.ctx, op, &piece));
        if (!piece.size)
            return OK;
        buf_add_bytes(out, piece);
    }
}

static void what_was_put_is_got_in_pieces(void **state)
{
    (void)state;
    static const struct {
        uint64_t offset, size;
        const char *data;
    } cases[] = {
        { 0, UINT64_MAX, "0123456789" },
        { 3, UINT64_MAX, "3456789" },
        { 3, 4, "3456" },
        { 8, 4, "89" },
        { 10, 1, "" },
        { 20, UINT64_MAX, "" },
    };
    assert_int_equal(put("a", STR("0123456789"), 10).code, STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_done) Buf data = { 0 };
        assert_int_equal(get("a", cases[i].offset, cases[i].size, &data).code, STATUS_OK);
        assert_true(str_eq_c(buf_str(&data), cases[i].data));
    }
}

static void what_is_not_whole_does_not_appear(void **state)
{
    (void)state;
    CLEANUP(buf_done) Buf data = { 0 };
    assert_int_equal(put("b", STR("short"), 6).code, STATUS_INVALID_ARGUMENT);
    assert_int_equal(put("b", STR("too long"), 3).code, STATUS_INVALID_ARGUMENT);
    CLEANUP(remote_closep) RemoteOp *op = NULL;
    assert_int_equal(remote_put(&fx.ctx, fx.remote, fx.url, key("b"), 3, &op).code, STATUS_OK);
    assert_int_equal(remote_write(&fx.ctx, op, str_bytes(STR("yes"))).code, STATUS_OK);
    op = remote_close(op); /* given up */
    assert_int_equal(get("b", 0, UINT64_MAX, &data).code, STATUS_NOT_FOUND);
}

static void lists_and_deletes(void **state)
{
    (void)state;
    static const char *const names[] = { "d/1", "d/e/2", "d/f" };
    CLEANUP(buf_done) Buf listed = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(put(names[i], STR("xy"), 2).code, STATUS_OK);
    assert_int_equal(remote_delete(&fx.ctx, fx.remote, fx.url, key("d/f")).code, STATUS_OK);
    assert_int_equal(remote_delete(&fx.ctx, fx.remote, fx.url, key("d/f")).code, STATUS_OK);
    CLEANUP(remote_closep) RemoteOp *op = NULL;
    const char *prefix = text_printf(fx.ctx.arena, "%s/d", fx.url);
    assert_int_equal(remote_list(&fx.ctx, fx.remote, prefix, &op).code, STATUS_OK);
    for (;;) {
        RemoteObject object;
        assert_int_equal(remote_next(&fx.ctx, op, &object).code, STATUS_OK);
        if (!object.key.size)
            break;
        Str below = str_sub(object.key, strlen(fx.folder), object.key.size);
        buf_printf(&listed, STR_FMT "=%d ", STR_ARG(below), (int)object.size);
    }
    assert_true(str_eq_c(buf_str(&listed), "/d/1=2 /d/e/2=2 "));
}

/* The helper waits for content that never comes. */
static void a_wait_ends(void **state)
{
    (void)state;
    CLEANUP(remote_closep) RemoteOp *op = NULL;
    RemoteObject object;
    assert_int_equal(remote_put(&fx.ctx, fx.remote, fx.url, key("c"), 3, &op).code, STATUS_OK);
    fx.ctx.deadline_ns = clock_mono_ns() + 20 * NS_PER_MS;
    assert_int_equal(remote_next(&fx.ctx, op, &object).code, STATUS_DEADLINE_EXCEEDED);
    fx.ctx.deadline_ns = DEADLINE_NONE;
    fx.ctx.cancel = cancel_new();
    cancel_set(fx.ctx.cancel);
    assert_int_equal(remote_next(&fx.ctx, op, &object).code, STATUS_CANCELLED);
    fx.ctx.cancel = cancel_unref(fx.ctx.cancel);
}

static void many_run_at_once(void **state)
{
    (void)state;
    static RemoteOp *ops[REMOTE_OPS_MAX];
    assert_int_equal(put("m", STR("m"), 1).code, STATUS_OK);
    for (size_t i = 0; i < REMOTE_OPS_MAX; i++)
        assert_true(
            status_ok(remote_get(&fx.ctx, fx.remote, fx.url, key("m"), 0, UINT64_MAX, &ops[i])));
    for (size_t i = REMOTE_OPS_MAX; i-- > 0;) {
        Bytes piece;
        assert_int_equal(remote_read(&fx.ctx, ops[i], &piece).code, STATUS_OK);
        assert_true(str_eq_c(bytes_str(piece), "m"));
        assert_int_equal(remote_read(&fx.ctx, ops[i], &piece).code, STATUS_OK);
        assert_int_equal(piece.size, 0);
        remote_close(ops[i]);
    }
}

static void without_a_helper_nothing_is_available(void **state)
{
    (void)state;
    RemoteUrl url;
    const RemoteConfig none = { .hosts = "" }, no_files = { .program = "x", .hosts = "" };
    assert_int_equal(remote_check(&fx.ctx, &none, "s3://b/k", &url).code, STATUS_UNIMPLEMENTED);
    assert_int_equal(remote_check(&fx.ctx, &no_files, fx.url, &url).code, STATUS_UNIMPLEMENTED);
    RemoteConfig missing = fx.config;
    missing.program = "/nonexistent/pcv-courier";
    CLEANUP(remote_freep) Remote *remote = remote_new(&missing);
    CLEANUP(remote_closep) RemoteOp *op = NULL;
    Status s = remote_get(&fx.ctx, remote, fx.url, key("a"), 0, 1, &op);
    assert_string_equal(status_message(s),
                        "could not start '/nonexistent/pcv-courier': no such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_got_in_pieces),
        cmocka_unit_test(what_is_not_whole_does_not_appear),
        cmocka_unit_test(lists_and_deletes),
        cmocka_unit_test(a_wait_ends),
        cmocka_unit_test(many_run_at_once),
        cmocka_unit_test(without_a_helper_nothing_is_available),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
