/* arena.c - blocks in a list, newest first; a mark remembers the block and how much of it was
 * used. */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

/* The address sanitizer knows what is not given out: a use after a rewind is a report. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

typedef struct Block {
    struct Block *older;
    size_t size; /* of data[] */
    size_t used;
    max_align_t data[];
} Block;

struct Arena {
    Block *newest;
    size_t limit_bytes;
    size_t total_bytes; /* given out, with padding */
};

#define BLOCK_BYTES_MIN (8 * KiB - sizeof(Block))
#define BLOCK_BYTES_MAX (1 * MiB)
#define ALIGN           _Alignof(max_align_t)

static Block *block_new(size_t size, Block *older)
{
    Block *block = malloc(sizeof(Block) + size);
    if (!block)
        return NULL;
    block->older = older;
    block->size = size;
    block->used = 0;
    ASAN_POISON_MEMORY_REGION(block->data, size);
    return block;
}

Arena *arena_new(size_t limit_bytes)
{
    Arena *arena = malloc(sizeof(*arena));
    if (!arena)
        abort();
    arena->newest = NULL;
    arena->limit_bytes = limit_bytes ? limit_bytes : ARENA_LIMIT_DEFAULT;
    arena->total_bytes = 0;
    return arena;
}

Arena *arena_free(Arena *arena)
{
    if (!arena)
        return NULL;
    while (arena->newest) {
        Block *older = arena->newest->older;
        free(arena->newest);
        arena->newest = older;
    }
    free(arena);
    return NULL;
}

/* The next block doubles, so a long request costs few mallocs, up to a size that malloc gives
 * back. */
static size_t next_block_bytes(const Arena *arena, size_t need)
{
    size_t size = arena->newest ? MIN(arena->newest->size * 2, BLOCK_BYTES_MAX) : BLOCK_BYTES_MIN;
    return MAX(size, need);
}

void *arena_alloc(Arena *arena, size_t size)
{
    if (fault_fires(FAULT_ALLOC))
        return NULL;
    if (size > arena->limit_bytes)
        return NULL;
    size_t need = (size + ALIGN - 1) / ALIGN * ALIGN;
    if (need > arena->limit_bytes - MIN(arena->total_bytes, arena->limit_bytes))
        return NULL;

    Block *block = arena->newest;
    if (!block || block->size - block->used < need) {
        block = block_new(next_block_bytes(arena, need), arena->newest);
        if (!block)
            return NULL;
        arena->newest = block;
    }
    void *p = (char *)block->data + block->used;
    block->used += need;
    arena->total_bytes += need;
    ASAN_UNPOISON_MEMORY_REGION(p, size);
    return memset(p, 0, size);
}

void *arena_must(Arena *arena, size_t size)
{
    fault_pause();
    void *p = arena_alloc(arena, size);
    fault_resume();
    if (!p)
        abort();
    return p;
}

void *arena_alloc_array(Arena *arena, size_t item_size, size_t count)
{
    size_t size;
    if (__builtin_mul_overflow(item_size, count, &size))
        return NULL;
    return arena_alloc(arena, size);
}

char *arena_strndup(Arena *arena, const char *text, size_t size)
{
    char *copy = arena_must(arena, size + 1);
    if (size)
        memcpy(copy, text, size);
    return copy;
}

char *arena_strdup(Arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

void *arena_memdup(Arena *arena, const void *data, size_t size)
{
    void *copy = arena_must(arena, size);
    if (size)
        memcpy(copy, data, size);
    return copy;
}

ArenaMark arena_mark(const Arena *arena)
{
    return (ArenaMark){ arena->newest, arena->newest ? arena->newest->used : 0,
                        arena->total_bytes };
}

void arena_rewind(Arena *arena, ArenaMark mark)
{
    while (arena->newest != mark.block) {
        assert(arena->newest);
        Block *older = arena->newest->older;
        free(arena->newest);
        arena->newest = older;
    }
    if (arena->newest) {
        arena->newest->used = mark.used;
        ASAN_POISON_MEMORY_REGION((char *)arena->newest->data + mark.used,
                                  arena->newest->size - mark.used);
    }
    arena->total_bytes = mark.total;
}

size_t arena_used_bytes(const Arena *arena)
{
    return arena->total_bytes;
}
