/* Messages from outside are checked before protobuf-c sees them; copies are deep and equal. */
#include "one_ctx.h"

#include "codec/pb.h"
#include "pps/pps.pb-c.h"

static PpsV2__Transform *example(void)
{
    PpsV2__Transform *t = PB_NEW(&ctx, pps_v2__transform, PpsV2__Transform);
    t->image = arena_strdup(ctx.arena, "ubuntu");
    t->n_cmd = 2;
    t->cmd = ARENA_NEW(ctx.arena, char *, 2);
    t->cmd[0] = arena_strdup(ctx.arena, "sh");
    t->cmd[1] = arena_strdup(ctx.arena, "é");
    t->debug = true;
    return t;
}

static void round_trips_in_the_arena(void **state)
{
    (void)state;
    PpsV2__Transform *t = example(), *back;
    Bytes packed = pb_pack_bytes(&ctx, &t->base);
    assert_ok(PB_UNPACK(&ctx, pps_v2__transform, packed, &back));
    assert_string_equal(back->image, "ubuntu");
    assert_string_equal(back->cmd[1], "é");
    assert_true(pb_equal(&t->base, &back->base));
    PpsV2__Transform *copy = PB_CLONE(&ctx, PpsV2__Transform, t);
    assert_ptr_not_equal(copy->image, t->image);
    assert_true(pb_equal(&t->base, &copy->base));
    copy->debug = false;
    assert_false(pb_equal(&t->base, &copy->base));
    assert_null(pb_clone(&ctx, NULL));
    assert_true(pb_equal(NULL, NULL));
    assert_false(pb_equal(NULL, &t->base));
}

static void malformed_bytes_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        Bytes data;
        const char *message;
    } cases[] = {
#define B(text) { (const uint8_t *)text, sizeof(text) - 1 }
        { "length past the end", B("\x0a\x05x"), "pps_v2.Transform: a field is cut short" },
        { "length past 2^63", B("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"), "cut short" },
        { "varint without end", B("\x50\xff"), "cut short" },
        { "key without end", B("\xff"), "bad field number" },
        { "field 0", B("\x02\x00"), "bad field number" },
        { "group", B("\x0b\x0c"), "of unknown kind" },
        { "not UTF-8", B("\x0a\x01\xff"), "string field 'image' contains invalid UTF-8" },
        { "NUL", B("\x0a\x02x\x00"), "string field 'image' contains a NUL character" },
        { "in a list", B("\x12\x01\xff"), "string field 'cmd'" },
        { "string as number", B("\x08\x01"), "a field has the wrong type" },
#undef B
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        PpsV2__Transform *out;
        say_case("%s", cases[i].label);
        assert_fails(PB_UNPACK(&ctx, pps_v2__transform, cases[i].data, &out), INVALID_ARGUMENT,
                     cases[i].message);
    }
}

/* An input of a cross of a cross of … */
static Bytes nested_inputs(unsigned levels)
{
    const ProtobufCFieldDescriptor *cross =
        protobuf_c_message_descriptor_get_field_by_name(&pps_v2__input__descriptor, "cross");
    Buf inner = { 0 };
    for (unsigned i = 0; i < levels; i++) {
        Buf outer = { 0 };
        buf_add_varint(&outer, cross->id << 3 | 2);
        buf_add_varint(&outer, inner.size);
        buf_add_bytes(&outer, buf_bytes(&inner));
        buf_done(&inner);
        inner = outer;
    }
    Bytes copy = bytes(arena_memdup(ctx.arena, inner.data, inner.size), inner.size);
    buf_done(&inner);
    return copy;
}

static void nesting_is_limited(void **state)
{
    (void)state;
    PpsV2__Input *input;
    assert_ok(PB_UNPACK(&ctx, pps_v2__input, nested_inputs(PB_DEPTH_MAX - 1), &input));
    assert_fails(PB_UNPACK(&ctx, pps_v2__input, nested_inputs(PB_DEPTH_MAX), &input),
                 INVALID_ARGUMENT, "nested too deep");
    assert_fails(PB_UNPACK(&ctx, pps_v2__input, nested_inputs(3000), &input), INVALID_ARGUMENT,
                 "nested too deep");
}

static void a_small_arena_is_an_error(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new(16 * KiB);
    Ctx small = ctx;
    small.arena = arena;
    CLEANUP(buf_done) Buf data = { 0 };
    for (int i = 0; i < 20000; i++)
        buf_add(&data, "\x12\x01x", 3);
    PpsV2__Transform *out;
    assert_int_equal(PB_UNPACK(&small, pps_v2__transform, buf_bytes(&data), &out).code,
                     STATUS_RESOURCE_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips_in_the_arena),
        cmocka_unit_test(malformed_bytes_are_refused),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(a_small_arena_is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
