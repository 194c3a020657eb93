/* replay.c - runs a fuzz target over its corpus folder, and over seeded random inputs made from it, so that
 * the properties are checked on every `make test` without a fuzzer. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "fuzz/fuzz.h"

#define RANDOM_ROUNDS 2000
#define INPUT_BYTES_MAX (64 * 1024)

static uint64_t state = 0x9e3779b97f4a7c15u;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static void mutate(uint8_t *data, size_t *size)
{
    for (uint64_t changes = 1 + next_random() % 8; changes; changes--) {
        if (*size == 0 || next_random() % 8 == 0) {
            if (*size < INPUT_BYTES_MAX)
                data[(*size)++] = (uint8_t)next_random();
        } else if (next_random() % 8 == 0) {
            *size -= next_random() % (*size + 1) / 4;
        } else {
            data[next_random() % *size] = (uint8_t)next_random();
        }
    }
}

static size_t read_file(const char *folder, const char *name, uint8_t *out)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return 0;
    size_t size = fread(out, 1, INPUT_BYTES_MAX, f);
    fclose(f);
    return size;
}

/* A copy on the heap of exactly this size, so that a sanitizer sees a read past its end. */
static void run_one(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact)
        abort();
    if (size)
        memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static void run_file(const char *folder, const char *name)
{
    static uint8_t data[INPUT_BYTES_MAX];
    size_t whole = read_file(folder, name, data);
    run_one(data, whole);
    for (int round = 0; round < RANDOM_ROUNDS / 10; round++) {
        size_t size = read_file(folder, name, data);
        mutate(data, &size);
        run_one(data, size);
    }
}

int main(int argc, char **argv)
{
    static uint8_t data[INPUT_BYTES_MAX];
    for (int round = 0; round < RANDOM_ROUNDS; round++) {
        size_t size = next_random() % 256;
        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t)next_random();
        run_one(data, size);
    }
    DIR *dir = argc > 1 ? opendir(argv[1]) : NULL;
    int files = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        run_file(argv[1], entry->d_name);
        files++;
    }
    if (dir)
        closedir(dir);
    printf("replayed %d corpus files\n", files);
    return 0;
}
