/* files.c - which files come: a function of the state of one generator. */
#include "load/load_priv.h"

/* splitmix64 (Steele, Lea, Flood 2014): any state is a good one. */
uint64_t load_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int64_t load_between(uint64_t *state, int64_t min, int64_t max)
{
    uint64_t range = (uint64_t)(max - min) + 1; /* not 0: max - min < INT64_MAX */
    return min + (int64_t)(load_random(state) % range);
}

void load_fill(uint64_t *state, uint8_t *out, size_t size)
{
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        const uint64_t word = load_random(state);
        memcpy(out + at, &word, MIN(size - at, sizeof(word)));
    }
}

static int64_t next_size(const RandomFiles *spec, uint64_t *random)
{
    int64_t weight = 0;
    for (size_t i = 0; i < spec->n_sizes; i++)
        weight += spec->sizes[i]->prob;
    int64_t draw = weight ? load_between(random, 0, weight - 1) : 0;
    size_t i = 0;
    while (i + 1 < spec->n_sizes && draw >= spec->sizes[i]->prob)
        draw -= spec->sizes[i++]->prob;
    return load_between(random, spec->sizes[i]->min, spec->sizes[i]->max);
}

/* Names of folders have no '-', those of files have one: a path is never both. */
static void next_folder(LoadFiles *files, uint64_t *random)
{
    const Procavia__Load__Directory *spec = files->spec->directory;
    const Procavia__Load__Sizes *depth = spec ? spec->depth : NULL;
    int64_t levels = depth ? load_between(random, depth->min, depth->max) : 0;
    buf_clear(&files->folder);
    buf_add_u8(&files->folder, '/');
    for (int64_t i = 0; i < levels; i++)
        buf_printf(&files->folder, "%08x/", (unsigned)load_random(random));
    files->left = spec ? MAX(spec->run, INT64_C(1)) : 1;
}

int64_t load_next_file(LoadFiles *files, uint64_t *random, int64_t serial, Buf *out_path)
{
    if (!files->left)
        next_folder(files, random);
    files->left--;
    buf_clear(out_path);
    buf_add_str(out_path, buf_str(&files->folder));
    if (files->spec->increment_path)
        buf_printf(out_path, "file-%012llu", (unsigned long long)serial);
    else
        buf_printf(out_path, "%08x-%llu", (unsigned)load_random(random),
                   (unsigned long long)serial);
    return next_size(files->spec, random);
}
