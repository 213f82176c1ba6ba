/*
 * A bump allocator: many small allocations with one lifetime, freed together. One owner, one thread at a time.
 *
 * An arena has a maximum; over it oms_arena_alloc returns NULL and `exhausted` stays set, so that a parser can
 * check once at its end. The first chunk may be kept over a reset, so that a recycled request allocates nothing.
 */
#ifndef OMS_BASE_ARENA_H
#define OMS_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct oms_arena_chunk;

struct oms_arena {
    struct oms_arena_chunk *chunks; /* newest first */
    char *next;                     /* free bytes of the newest chunk: [next, end) */
    char *end;
    size_t chunk_size; /* of the next chunk */
    size_t used;       /* bytes of all chunks */
    size_t max;        /* bytes of all chunks at most */
    bool exhausted;
};

/* No memory is taken before the first allocation. chunk_size and max are bytes. */
void oms_arena_init(struct oms_arena *arena, size_t chunk_size, size_t max);
/* Frees all chunks. The arena can be used again after another init. */
void oms_arena_fini(struct oms_arena *arena);
/* Forgets all allocations, keeps the oldest chunk for the next use, clears `exhausted`. */
void oms_arena_reset(struct oms_arena *arena);
/* 8-byte aligned, not cleared; NULL over the maximum. */
void *oms_arena_alloc(struct oms_arena *arena, size_t size);
/* The same, cleared, for an array; checks the product. */
void *oms_arena_calloc(struct oms_arena *arena, size_t count, size_t size);

#define OMS_ARENA_NEW(arena, type) ((type *)oms_arena_calloc((arena), 1, sizeof(type)))

#endif
