/* arena.h - memory by lifetime: a bump allocator with a byte limit, freed whole at its end.
 *
 * An arena belongs to one request, one job step or one CLI run, and to one thread at a time. A loop
 * over a stream takes a mark and rewinds on each turn, so that its memory does not grow with the
 * stream.
 */
#pragma once

#include "base/base.h"

typedef struct Arena Arena;
typedef struct ArenaMark {
    void *block;
    size_t used;
    size_t total;
} ArenaMark;

/* A new arena that gives out at most limit_bytes (0: ARENA_LIMIT_DEFAULT). Never NULL: aborts when
 * the system has no memory for its first page. */
Arena *arena_new(size_t limit_bytes);
Arena *arena_free(Arena *arena); /* NULL is fine; always returns NULL */
static inline void arena_freep(Arena **arena)
{
    *arena = arena_free(*arena);
}

#define ARENA_LIMIT_DEFAULT (512 * MiB)

/* size bytes, zeroed, aligned for any type; NULL past the limit or when memory is out. size 0 gives
 * a valid pointer. */
void *arena_alloc(Arena *arena, size_t size);

/* Like arena_alloc, but aborts instead of NULL: for small, bounded pieces (a path, a message),
 * where a caller could do nothing sensible and the limit is there to catch a bug. */
void *arena_must(Arena *arena, size_t size);

/* Zeroed array of n T; NULL past the limit or when n * sizeof(T) overflows. */
#define ARENA_NEW(arena, T, n) ((T *)arena_alloc_array((arena), sizeof(T), (n)))
/* One zeroed T; aborts past the limit. */
#define ARENA_ONE(arena, T) ((T *)arena_must((arena), sizeof(T)))
void *arena_alloc_array(Arena *arena, size_t item_size, size_t count);

/* Copies of text and bytes; abort past the limit. */
char *arena_strdup(Arena *arena, const char *text);
char *arena_strndup(Arena *arena, const char *text, size_t size);
void *arena_memdup(Arena *arena, const void *data, size_t size);

ArenaMark arena_mark(const Arena *arena);
void arena_rewind(Arena *arena, ArenaMark mark); /* frees all that was given out after the mark */
size_t arena_used_bytes(const Arena *arena);
