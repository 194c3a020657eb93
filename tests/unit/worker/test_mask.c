/* test_mask.c - secrets in a stream: against a naive search of the whole text, however it is cut.
 */
#include "testing.h"

#include "worker/mask.h"

static const char *masked(Ctx *ctx, const MaskSet *set, const char *text)
{
    return str_z(ctx->arena, mask_text(ctx->arena, set, str(text)));
}

static void what_counts_as_a_secret(void **state)
{
    (void)state;
    static const struct {
        const char *label, *value, *text, *out;
    } cases[] = {
        { "plain", "hunter2", "is hunter2!", "is ***!" },
        { "several", "hunter2", "hunter2 hunter2", "*** ***" },
        { "touching", "hunter2", "hunter2hunter2", "***" },
        { "too short", "abc", "abcabc", "abcabc" },
        { "just long enough", "abcd", "abcabcd", "abc***" },
        { "with a newline at its end", "hunter2\n", "hunter2", "***" },
        { "line by line", "first\nsecond\n", "first, second, first\nsecond", "***, ***, ***\n***" },
        { "indented lines", "{\n  \"key\": 1\n}\n", "\"key\": 1", "***" },
        { "overlapping itself", "abab", "xababab", "x***" },
        { "only its beginning", "hunter2", "hunter", "hunter" },
        { "a beginning before it", "aaab", "aaaaab", "aa***" },
        { "empty", "", "anything", "anything" },
    };
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        const Bytes value = str_bytes(str(cases[i].value));
        MaskSet *set = mask_set_new(&value, 1);
        assert_string_equal(masked(&ctx, set, cases[i].text), cases[i].out);
        mask_set_free(set);
    }
}

/* A whole line is decided: who follows a log sees it at once. */
static void a_line_is_never_held_back(void **state)
{
    (void)state;
    const Bytes value = str_bytes(STR("hunter2"));
    MaskSet *set = mask_set_new(&value, 1);
    Masker masker = { 0 };
    Buf out = { 0 };
    masker_add(&masker, set, str_bytes(STR("hunt")), &out);
    assert_int_equal(out.size, 0);
    masker_add(&masker, set, str_bytes(STR("\nx")), &out);
    assert_true(str_eq(buf_str(&out), STR("hunt\nx")));
    masker_add(&masker, set, str_bytes(STR("hun")), &out);
    masker_add(&masker, set, str_bytes(STR("ter2\n")), &out);
    masker_end(&masker, set, &out);
    assert_true(str_eq(buf_str(&out), STR("hunt\nx***\n")));
    masker_done(&masker);
    buf_done(&out);
    mask_set_free(set);
}

/* --- against a naive search ------------------------------------------------------------------- */

#define TEXT_MAX    200
#define SECRETS_MAX 4

typedef struct Sample {
    char text[TEXT_MAX], secrets[SECRETS_MAX][10];
    Bytes values[SECRETS_MAX];
    size_t size, count;
} Sample;

static void fill(uint64_t *seed, char *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = "aaabb\n"[next_rand(seed) % (i % 7 ? 5 : 6)];
}

static void make_sample(uint64_t *seed, Sample *sample)
{
    *sample = (Sample){ .count = 1 + next_rand(seed) % SECRETS_MAX };
    sample->size = next_rand(seed) % TEXT_MAX;
    fill(seed, sample->text, sample->size);
    for (size_t i = 0; i < sample->count; i++) {
        size_t size = 1 + next_rand(seed) % 9;
        fill(seed, sample->secrets[i], size);
        for (size_t c = 0; c < size; c++) /* its lines are another test's */
            sample->secrets[i][c] = sample->secrets[i][c] == '\n' ? 'a' : sample->secrets[i][c];
        sample->values[i] = bytes(sample->secrets[i], size);
    }
}

static void mask_naively(const Sample *sample, Buf *out)
{
    bool hidden[TEXT_MAX + 1] = { 0 };
    for (size_t i = 0; i < sample->count; i++) {
        size_t size = sample->values[i].size;
        for (size_t at = 0; size >= MASK_BYTES_MIN && at + size <= sample->size; at++) {
            if (memcmp(sample->text + at, sample->secrets[i], size) == 0)
                memset(hidden + at, 1, size);
        }
    }
    for (size_t at = 0; at < sample->size; at++) {
        if (!hidden[at])
            buf_add_u8(out, (uint8_t)sample->text[at]);
        else if (!at || !hidden[at - 1])
            buf_add_str(out, STR(MASK_TEXT));
    }
}

static void pieces_mask_as_the_whole(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int round = 0; round < 20000; round++) {
        Sample sample;
        make_sample(&seed, &sample);
        Buf expected = { 0 }, got = { 0 };
        mask_naively(&sample, &expected);
        MaskSet *set = mask_set_new(sample.values, sample.count);
        Masker masker = { 0 };
        for (size_t at = 0, step; at < sample.size; at += step) {
            step = 1 + next_rand(&seed) % 12;
            step = MIN(step, sample.size - at);
            masker_add(&masker, set, bytes(sample.text + at, step), &got);
        }
        masker_end(&masker, set, &got);
        if (!bytes_eq(buf_bytes(&got), buf_bytes(&expected)))
            fail_msg("text %.*s: got " STR_FMT ", not " STR_FMT, (int)sample.size, sample.text,
                     STR_ARG(buf_str(&got)), STR_ARG(buf_str(&expected)));
        masker_done(&masker);
        mask_set_free(set);
        buf_done(&expected);
        buf_done(&got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_counts_as_a_secret),
        cmocka_unit_test(a_line_is_never_held_back),
        cmocka_unit_test(pieces_mask_as_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
