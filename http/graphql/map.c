/*
 * Open addressing with linear probing, at most half full. A small map (up to eight names) is searched without
 * hashing, which is the usual case for arguments and input fields.
 */
#include "http/graphql/map.h"

#include "http/graphql/memory.h"
#include "runtime/base/assert.h"

#define GQL_MAP_SMALL 8

void gql_map_init(struct gql_map *map, struct oms_arena *arena, const struct oms_hash_key *key)
{
    *map = (struct gql_map){.arena = arena, .key = key};
}

void gql_map_clear(struct gql_map *map)
{
    if (map->count)
        memset(map->entries, 0, map->cap * sizeof(*map->entries));
    map->count = 0;
}

static bool gql_map_is_small(const struct gql_map *map)
{
    return map->cap <= GQL_MAP_SMALL;
}

/* The entry of `name`, or the free one where it belongs; needs a free entry. */
static struct gql_map_entry *gql_map_probe(const struct gql_map *map, struct oms_str name, uint64_t hash)
{
    size_t mask = map->cap - 1;

    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct gql_map_entry *entry = &map->entries[i];
        if (!entry->value || (entry->hash == hash && oms_str_eq(entry->name, name)))
            return entry;
    }
}

static uint64_t gql_map_hash(const struct gql_map *map, struct oms_str name)
{
    return oms_siphash64(map->key, name.data, name.len);
}

void *gql_map_get(const struct gql_map *map, struct oms_str name)
{
    if (gql_map_is_small(map)) {
        for (size_t i = 0; i < map->count; i++) {
            if (oms_str_eq(map->entries[i].name, name))
                return map->entries[i].value;
        }
        return NULL;
    }
    return gql_map_probe(map, name, gql_map_hash(map, name))->value;
}

static void gql_map_grow(struct gql_map *map)
{
    struct gql_map_entry *old = map->entries;
    size_t old_cap = map->cap;

    map->cap = old_cap ? old_cap * 4 : GQL_MAP_SMALL;
    map->entries = gql_calloc(map->arena, map->cap, sizeof(*map->entries));
    for (size_t i = 0; i < old_cap; i++) {
        if (!old[i].value)
            continue;
        old[i].hash = gql_map_hash(map, old[i].name);
        *gql_map_probe(map, old[i].name, old[i].hash) = old[i];
    }
}

static void *gql_map_add_small(struct gql_map *map, struct oms_str name, void *value)
{
    for (size_t i = 0; i < map->count; i++) {
        if (oms_str_eq(map->entries[i].name, name))
            return map->entries[i].value;
    }
    if (map->count == map->cap)
        gql_map_grow(map);
    if (!gql_map_is_small(map))
        return gql_map_add(map, name, value);
    map->entries[map->count++] = (struct gql_map_entry){name, 0, value};
    return NULL;
}

void *gql_map_add(struct gql_map *map, struct oms_str name, void *value)
{
    struct gql_map_entry *entry;
    uint64_t hash;

    OMS_ASSERT(value);
    if (gql_map_is_small(map))
        return gql_map_add_small(map, name, value);
    if (map->count * 2 >= map->cap)
        gql_map_grow(map);
    hash = gql_map_hash(map, name);
    entry = gql_map_probe(map, name, hash);
    if (entry->value)
        return entry->value;
    *entry = (struct gql_map_entry){name, hash, value};
    map->count++;
    return NULL;
}
