/*
 * The bump allocator of requests, messages and parses.
 *
 * Chunks are taken from the heap, each twice the last up to CHUNK_SIZE_MAX, so that a small request costs one
 * malloc and a large one few. A request for more than a chunk gets a chunk of its own, put behind the newest,
 * whose free bytes stay in use. Every chunk remembers the size that init asked for: a reset starts again from
 * it, and keeps only the chunk of that size, so that one huge request does not fatten a recycled arena.
 *
 * Invariants: [next, end) lies in the first chunk of the list; `used` is the sum of the chunks and <= max.
 * Under AddressSanitizer free bytes are poisoned, so that a use after reset or past an odd end is found.
 */
#include "runtime/base/arena.h"

#include <stdint.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(pointer, size)   __asan_poison_memory_region((pointer), (size))
#define UNPOISON(pointer, size) __asan_unpoison_memory_region((pointer), (size))
#else
#define POISON(pointer, size)   ((void)(pointer), (void)(size))
#define UNPOISON(pointer, size) ((void)(pointer), (void)(size))
#endif

#define CHUNK_SIZE_MIN 256u
#define CHUNK_SIZE_MAX (256u << 10)

struct oms_arena_chunk {
    struct oms_arena_chunk *older;
    size_t size;       /* bytes, with this header */
    size_t start_size; /* chunk_size of oms_arena_init */
    bool alone;        /* made for one large allocation */
    uint64_t bytes[];
};

_Static_assert(offsetof(struct oms_arena_chunk, bytes) % 8 == 0, "allocations are 8-byte aligned");

#define HEADER offsetof(struct oms_arena_chunk, bytes)

void oms_arena_init(struct oms_arena *arena, size_t chunk_size, size_t max)
{
    *arena = (struct oms_arena){.chunk_size =
                                    chunk_size < CHUNK_SIZE_MIN ? CHUNK_SIZE_MIN : chunk_size & ~(size_t)7,
                                .max = max & ~(size_t)7};
}

static size_t next_chunk_size(size_t size)
{
    return size < CHUNK_SIZE_MAX ? size * 2 : size;
}

static void chunk_free(struct oms_arena *arena, struct oms_arena_chunk *chunk)
{
    arena->used -= chunk->size;
    UNPOISON(chunk->bytes, chunk->size - HEADER);
    oms_free(chunk);
}

static void chunk_open(struct oms_arena *arena, struct oms_arena_chunk *chunk)
{
    arena->next = (char *)chunk->bytes;
    arena->end = (char *)chunk + chunk->size;
    POISON(arena->next, (size_t)(arena->end - arena->next));
}

void oms_arena_fini(struct oms_arena *arena)
{
    while (arena->chunks) {
        struct oms_arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->older;
        chunk_free(arena, chunk);
    }
    OMS_ASSERT(arena->used == 0);
    *arena = (struct oms_arena){0};
}

void oms_arena_reset(struct oms_arena *arena)
{
    struct oms_arena_chunk *kept = NULL;
    struct oms_arena_chunk *chunk = arena->chunks;
    arena->exhausted = false;
    if (!chunk)
        return;
    arena->chunk_size = chunk->start_size;
    while (chunk) {
        struct oms_arena_chunk *older = chunk->older;
        bool keep = !chunk->alone && chunk->size <= chunk->start_size;
        if (keep && kept)
            chunk_free(arena, kept); /* the oldest one: a newer one may be the short rest below the maximum */
        if (keep)
            kept = chunk;
        else
            chunk_free(arena, chunk);
        chunk = older;
    }
    arena->chunks = kept;
    arena->next = arena->end = NULL;
    if (kept) {
        kept->older = NULL;
        chunk_open(arena, kept);
        arena->chunk_size = next_chunk_size(arena->chunk_size);
    }
}

static struct oms_arena_chunk *chunk_create(struct oms_arena *arena, size_t size, bool alone)
{
    struct oms_arena_chunk *chunk = oms_malloc(size);
    chunk->older = NULL;
    chunk->size = size;
    chunk->start_size = arena->chunks ? arena->chunks->start_size : arena->chunk_size;
    chunk->alone = alone;
    arena->used += size;
    arena->chunk_size = next_chunk_size(arena->chunk_size);
    return chunk;
}

/* A chunk of its own for a large allocation, behind the newest chunk, so that the newest one's rest stays in
 * use. */
static void *alloc_alone(struct oms_arena *arena, size_t size)
{
    struct oms_arena_chunk *chunk = chunk_create(arena, HEADER + size, true);
    if (arena->chunks) {
        chunk->older = arena->chunks->older;
        arena->chunks->older = chunk;
    } else {
        arena->chunks = chunk;
        arena->next = arena->end = (char *)chunk + chunk->size;
    }
    return chunk->bytes;
}

/* `size` is a multiple of 8. Kept out of line: the common case is a few instructions. */
static __attribute__((noinline)) void *alloc_slow(struct oms_arena *arena, size_t size)
{
    size_t room = arena->max - arena->used;
    if (room < HEADER || size > room - HEADER) {
        arena->exhausted = true;
        return NULL;
    }
    if (HEADER + size > (arena->chunks ? arena->chunk_size / 2 : arena->chunk_size))
        return alloc_alone(arena, size);
    size_t chunk_size = arena->chunk_size < room ? arena->chunk_size : room;
    struct oms_arena_chunk *chunk = chunk_create(arena, chunk_size & ~(size_t)7, false);
    chunk->older = arena->chunks;
    arena->chunks = chunk;
    chunk_open(arena, chunk);
    void *result = arena->next;
    UNPOISON(result, size);
    arena->next += size;
    return result;
}

void *oms_arena_alloc(struct oms_arena *arena, size_t size)
{
    if (__builtin_expect(size > PTRDIFF_MAX - 8, 0)) {
        arena->exhausted = true;
        return NULL;
    }
    /* A zero-size allocation still has an address of its own. */
    size_t rounded = size ? (size + 7) & ~(size_t)7 : 8;
    if (__builtin_expect((size_t)(arena->end - arena->next) < rounded, 0))
        return alloc_slow(arena, rounded);
    void *result = arena->next;
    arena->next += rounded;
    UNPOISON(result, size ? size : 1);
    return result;
}

void *oms_arena_calloc(struct oms_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        arena->exhausted = true;
        return NULL;
    }
    void *result = oms_arena_alloc(arena, bytes);
    if (result)
        memset(result, 0, bytes);
    return result;
}
