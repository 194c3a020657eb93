/* test_cut.c - cuts tile the input, stay in bounds, depend on content only, and never change. */
#include "testing.h"

#include "chunk/chunk.h"

static const CutParams small = { 256, 1024, 4096 };

static uint8_t *random_data(size_t size, uint64_t seed)
{
    uint8_t *data = test_malloc(size);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(next_rand(&seed) >> 32);
    return data;
}

/* Ends of all chunks; returns how many. */
static size_t cut_all(const CutParams *params, Bytes data, size_t *ends)
{
    size_t count = 0;
    for (size_t at = 0, n; at < data.size; at += n) {
        n = chunk_cut(params, bytes(data.data + at, data.size - at), true);
        ends[count++] = at + n;
    }
    return count;
}

static void bounds(void **state)
{
    (void)state;
    static const uint8_t zeros[5000];
    static const struct {
        const char *label;
        size_t size;
        bool is_last;
        size_t cut;
    } cases[] = {
        { "nothing", 0, true, 0 },
        { "nothing yet", 0, false, 0 },
        { "under min, more to come", 100, false, 0 },
        { "under min, all there is", 100, true, 100 },
        { "no cut: needs more", 4095, false, 0 },
        { "no cut: max applies", 4096, false, 4096 },
        { "no cut: max applies beyond", 5000, false, 4096 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        assert_int_equal(chunk_cut(&small, bytes(zeros, cases[i].size), cases[i].is_last),
                         cases[i].cut);
    }
}

static void sizes_are_near_the_average(void **state)
{
    (void)state;
    size_t size = 4 * MiB, *ends = test_malloc(size / small.min_bytes * sizeof(*ends));
    uint8_t *data = random_data(size, 1);
    size_t count = cut_all(&small, bytes(data, size), ends);
    for (size_t i = 0, at = 0; i < count; at = ends[i++]) {
        assert_true(ends[i] - at <= small.max_bytes);
        assert_true(ends[i] - at >= small.min_bytes || i == count - 1);
    }
    assert_in_range(size / count, 900, 1400);
    test_free(data);
    test_free(ends);
}

/* A stream in random pieces is cut as it is when whole; what was seen is not needed again. */
static void pieces_do_not_matter(void **state)
{
    (void)state;
    size_t size = 100 * 1000, ends[500], seed = 5;
    uint8_t *data = random_data(size, 2);
    size_t count = cut_all(&small, bytes(data, size), ends);
    for (size_t i = 0, start = 0, have = 0, seen = 0; start < size;) {
        have += next_rand(&seed) % 700;
        have = MIN(have, size);
        size_t n = chunk_cut_more(&small, bytes(data + start, have - start), seen, have == size);
        seen = n ? 0 : have - start;
        if (n) {
            assert_true(i < count);
            assert_int_equal(start + n, ends[i++]);
            start += n;
        }
    }
    test_free(data);
}

/* An insertion moves only the cuts near it. */
static void an_edit_is_local(void **state)
{
    (void)state;
    size_t size = 200 * 1000, before[1000], after[1000];
    uint8_t *data = random_data(size, 3), *edited = test_malloc(size + 1);
    memcpy(edited, data, size / 2);
    edited[size / 2] = 'x';
    memcpy(edited + size / 2 + 1, data + size / 2, size - size / 2);
    size_t n = cut_all(&small, bytes(data, size), before),
           m = cut_all(&small, bytes(edited, size + 1), after);
    size_t head = 0, tail = 0;
    while (head < n && head < m && before[head] == after[head])
        head++;
    while (tail < n && tail < m && before[n - 1 - tail] + 1 == after[m - 1 - tail])
        tail++;
    assert_true(before[head] >= size / 2);
    assert_true(head + tail + 6 >= n);
    test_free(data);
    test_free(edited);
}

/* The format is frozen: these cuts of this data, forever. */
static void golden_cuts(void **state)
{
    (void)state;
    static const size_t expected[] = { 293, 1413, 2099, 3417, 4655, 5686, 6561, 6900, 8014, 8192 };
    size_t size = 8 * 1024, ends[64];
    uint8_t *data = random_data(size, 42);
    size_t count = cut_all(&small, bytes(data, size), ends);
    assert_int_equal(count, ARRAY_LEN(expected));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(ends[i], expected[i]);
    test_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds),
        cmocka_unit_test(sizes_are_near_the_average),
        cmocka_unit_test(pieces_do_not_matter),
        cmocka_unit_test(an_edit_is_local),
        cmocka_unit_test(golden_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
