/*
 * Arena allocation that cannot fail, for the engine's own arenas: those of schemas and documents have no
 * maximum of their own, because what goes into them is bounded by the limits on documents (tokens, depth,
 * plan steps). Memory of a request comes from the host's arena, which has a maximum: there use
 * oms_arena_alloc and check.
 */
#ifndef GQL_MEMORY_H
#define GQL_MEMORY_H

#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/assert.h"

#define GQL_ARENA_UNBOUNDED (SIZE_MAX / 2)

static inline void *gql_calloc(struct oms_arena *arena, size_t count, size_t size)
{
    /* One byte at least, so that an empty array still has an address. */
    void *memory = oms_arena_calloc(arena, count ? count : 1, size);

    OMS_ASSERT(memory);
    return memory;
}

#define GQL_NEW(arena, type)          ((type *)gql_calloc((arena), 1, sizeof(type)))
#define GQL_ARRAY(arena, type, count) ((type *)gql_calloc((arena), (count), sizeof(type)))

#endif
