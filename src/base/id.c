/* id.c - see id.h. */
#include "base/id.h"

#include <ctype.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *out, size_t size)
{
    for (uint8_t *to = out; size;) {
        ssize_t got = getrandom(to, size, 0);
        if (got < 0)
            continue; /* EINTR: the only failure with these arguments */
        to += got;
        size -= (size_t)got;
    }
}

/* splitmix64 (Steele, Lea, Flood 2014), seeded once a thread. */
uint64_t random_u64(void)
{
    static _Thread_local uint64_t state;
    if (!state)
        random_bytes(&state, sizeof(state));
    uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

Id id_new(void)
{
    uint8_t raw[16];
    random_bytes(raw, sizeof(raw));
    raw[6] = (uint8_t)(0x40 | (raw[6] & 0x0f));
    raw[8] = (uint8_t)(0x80 | (raw[8] & 0x3f));
    Id id;
    hex_encode(raw, sizeof(raw), id.text);
    return id;
}

bool id_is_v4(Str text)
{
    if (text.size != ID_SIZE - 1 || text.data[12] != '4')
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!isxdigit((unsigned char)text.data[i]))
            return false;
    }
    return true;
}
