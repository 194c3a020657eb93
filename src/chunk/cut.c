/* cut.c - where a stream is cut: a gear hash with normalised chunking. README.md has the format.
 *
 *   h = 2h + GEAR[byte]      so h depends on the last 64 bytes alone, its top bits on all of them
 *   cut after a byte where h < limit
 *
 * The limit is low before avg_bytes and high after it, which pulls sizes towards the average. h is
 * warmed up over the 64 bytes before the first place a cut may be, so that whether a place is a cut
 * never depends on how far away the chunk began (only on whether it lies between min and max).
 */
#include "chunk/chunk.h"

const CutParams cut_params_default = { CHUNK_BYTES_MIN, CHUNK_BYTES_AVG, CHUNK_BYTES_MAX };

#define WINDOW_BYTES 64

/* How many bits harder (before avg_bytes) and easier (after) a cut is than once in avg_bytes. */
#define NORMAL_BITS 2

/* GEAR[i] is the i-th number of SplitMix64 with seed 0 (Steele, Lea, Flood: "Fast splittable
 * pseudorandom number generators", OOPSLA 2014), worked out by the compiler. */
#define MIX_SEED(i)   (((i) + 1) * UINT64_C(0x9e3779b97f4a7c15))
#define MIX_FIRST(z)  (((z) ^ (z) >> 30) * UINT64_C(0xbf58476d1ce4e5b9))
#define MIX_SECOND(z) (((z) ^ (z) >> 27) * UINT64_C(0x94d049bb133111eb))
#define MIX_LAST(z)   ((z) ^ (z) >> 31)
#define GEAR_1(i)     MIX_LAST(MIX_SECOND(MIX_FIRST(MIX_SEED((uint64_t)(i)))))
#define GEAR_4(i)     GEAR_1(i), GEAR_1(i + 1), GEAR_1(i + 2), GEAR_1(i + 3)
#define GEAR_16(i)    GEAR_4(i), GEAR_4(i + 4), GEAR_4(i + 8), GEAR_4(i + 12)
#define GEAR_64(i)    GEAR_16(i), GEAR_16(i + 16), GEAR_16(i + 32), GEAR_16(i + 48)

static const uint64_t GEAR[256] = { GEAR_64(0), GEAR_64(64), GEAR_64(128), GEAR_64(192) };

static uint64_t gear_warm_up(const uint8_t *data, size_t at)
{
    uint64_t h = 0;
    for (size_t i = at - MIN(at, (size_t)WINDOW_BYTES); i < at; i++)
        h = (h << 1) + GEAR[data[i]];
    return h;
}

/* The end of the first byte in [from, to) where the hash falls below the limit; 0 when there is
 * none. */
static size_t find_cut(const uint8_t *data, size_t from, size_t to, uint64_t limit)
{
    if (from >= to)
        return 0;
    uint64_t h = gear_warm_up(data, from);
    for (size_t i = from; i < to; i++) {
        h = (h << 1) + GEAR[data[i]];
        if (h < limit)
            return i + 1;
    }
    return 0;
}

static uint64_t cut_limit(size_t once_in_bytes)
{
    return UINT64_MAX / MAX(once_in_bytes, (size_t)1);
}

size_t chunk_cut_more(const CutParams *params, Bytes data, size_t seen, bool is_last)
{
    assert(params->min_bytes >= 1 && params->min_bytes <= params->avg_bytes);
    assert(params->avg_bytes <= params->max_bytes);

    size_t end = MIN(data.size, params->max_bytes);
    size_t from = MAX(params->min_bytes - 1, seen);
    size_t middle = MIN(params->avg_bytes, end);
    size_t cut = find_cut(data.data, from, middle, cut_limit(params->avg_bytes << NORMAL_BITS));
    if (!cut)
        cut = find_cut(data.data, MAX(from, middle), end,
                       cut_limit(params->avg_bytes >> NORMAL_BITS));
    if (cut)
        return cut;
    return is_last || end == params->max_bytes ? end : 0;
}

size_t chunk_cut(const CutParams *params, Bytes data, bool is_last)
{
    return chunk_cut_more(params, data, 0, is_last);
}
