/*
 * A map from names to pointers for the schema and for documents.
 *
 * Documents choose their own names, so the hash is keyed (SipHash): nobody can make chains long on purpose.
 * Memory comes from an arena and is never returned; a map only grows and lives as long as its arena. Keys are
 * borrowed. Nothing iterates over a map, so its order never shows in an answer.
 */
#ifndef GQL_MAP_H
#define GQL_MAP_H

#include "runtime/base/arena.h"
#include "runtime/base/hash.h"
#include "runtime/base/str.h"

struct gql_map_entry {
    struct oms_str name;
    uint64_t hash;
    void *value; /* NULL: free */
};

struct gql_map {
    struct oms_arena *arena;
    const struct oms_hash_key *key;
    struct gql_map_entry *entries;
    size_t count;
    size_t cap; /* 0 or a power of two */
};

/* Takes no memory yet; arena and key outlive the map. */
void gql_map_init(struct gql_map *map, struct oms_arena *arena, const struct oms_hash_key *key);
/* The value of `name`, NULL when there is none. */
void *gql_map_get(const struct gql_map *map, struct oms_str name);
/* Adds `value` (not NULL) unless the name is there; returns the value that was there, else NULL. */
void *gql_map_add(struct gql_map *map, struct oms_str name, void *value);
/* Forgets all names, keeps the memory. */
void gql_map_clear(struct gql_map *map);

#endif
