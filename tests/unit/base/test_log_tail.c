/* The newest lines are there, whole and in order, wherever the ring's end falls. */
#include "base/event.h"
#include "base/log.h"
#include "testing.h"

#define ROOM 1024

typedef struct Fixture {
    Ctx ctx;
    LogTail *tail;
} Fixture;

static int set_up(void **state)
{
    static Fixture fixture;
    ctx_init(&fixture.ctx);
    fixture.tail = log_tail_new(ROOM);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    log_set_tail(NULL);
    fixture->tail = log_tail_free(fixture->tail);
    ctx_done(&fixture->ctx);
    return 0;
}

static char *numbered(Ctx *ctx, int number)
{
    return text_printf(ctx->arena, "line %d%.*s", number, number % 40,
                       "........................................");
}

/* A reader that keeps up sees every line; one that begins late, the newest without a gap. */
static void lines_come_in_order(void **state)
{
    Fixture *fx = *state;
    uint64_t following = 0, late = 0;
    LogTailLine line;
    for (int i = 0; i < 500; i++) {
        log_tail_add(fx->tail, i, str(numbered(&fx->ctx, i)));
        assert_true(log_tail_next(&fx->ctx, fx->tail, &following, &line));
        assert_string_equal(line.text.data, numbered(&fx->ctx, i));
        assert_int_equal(line.at_ns, i);
        assert_false(log_tail_next(&fx->ctx, fx->tail, &following, &line));
    }
    int first = -1, next = -1, n = 0;
    for (; log_tail_next(&fx->ctx, fx->tail, &late, &line); n++) {
        int number = (int)line.at_ns;
        assert_string_equal(line.text.data, numbered(&fx->ctx, number));
        assert_int_equal(number, next < 0 ? number : next);
        first = first < 0 ? number : first;
        next = number + 1;
    }
    assert_int_equal(next, 500);
    assert_in_range(n, ROOM / 80, ROOM / 20); /* as many as fit */
}

static void long_lines_are_cut(void **state)
{
    Fixture *fx = *state;
    char *text = arena_must(fx->ctx.arena, 5 * ROOM);
    memset(text, 'x', 5 * ROOM);
    uint64_t cursor = 0;
    LogTailLine line;
    log_tail_add(fx->tail, 1, (Str){ text, 5 * ROOM });
    assert_true(log_tail_next(&fx->ctx, fx->tail, &cursor, &line));
    assert_int_equal(line.text.size, ROOM / 4);
}

static void what_is_logged_is_kept(void **state)
{
    Fixture *fx = *state;
    uint64_t cursor = 0;
    LogTailLine line;
    log_set_tail(fx->tail);
    LOG_INFO(&fx->ctx, "the door opened", "by=%s", "wind");
    assert_true(log_tail_next(&fx->ctx, fx->tail, &cursor, &line));
    assert_non_null(strstr(line.text.data, "info  the door opened by=wind"));
    assert_null(strchr(line.text.data, '\n'));
}

/* Whoever waits is not woken for what it has, and ends when it is not wanted any more. */
static void waiting_ends(void **state)
{
    Fixture *fx = *state;
    log_tail_add(fx->tail, 1, STR("one"));
    assert_ok(log_tail_wait(&fx->ctx, fx->tail, 0));
    uint64_t cursor = 0;
    LogTailLine line;
    assert_true(log_tail_next(&fx->ctx, fx->tail, &cursor, &line));
    fx->ctx.cancel = cancel_new();
    cancel_set(fx->ctx.cancel);
    Status waited = log_tail_wait(&fx->ctx, fx->tail, cursor);
    fx->ctx.cancel = cancel_unref(fx->ctx.cancel);
    assert_int_equal(waited.code, STATUS_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_come_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_lines_are_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_logged_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(waiting_ends, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
