#include "http/import/import_seen.h"

#include "runtime/base/alloc.h"
#include "runtime/base/prng.h"

void import_seen_init(struct import_seen *seen)
{
    *seen = (struct import_seen){NULL, 0, 0, {0, 0}};
    oms_random_bytes(&seen->key, sizeof(seen->key));
}

void import_seen_fini(struct import_seen *seen)
{
    oms_free(seen->slots);
}

static struct oms_hash128 hash_of(const struct import_seen *seen, struct oms_str text)
{
    struct oms_hash128 hash = oms_siphash128(&seen->key, text.data, text.len);
    if (hash.lo == 0 && hash.hi == 0)
        hash.lo = 1;
    return hash;
}

/* The slot of the hash, or the free one where it would go. The table always has free ones. */
static struct oms_hash128 *slot_of(const struct import_seen *seen, struct oms_hash128 hash)
{
    size_t at = hash.lo & (seen->capacity - 1);

    while ((seen->slots[at].lo || seen->slots[at].hi) &&
           (seen->slots[at].lo != hash.lo || seen->slots[at].hi != hash.hi))
        at = (at + 1) & (seen->capacity - 1);
    return &seen->slots[at];
}

static void grow(struct import_seen *seen)
{
    struct import_seen old = *seen;

    seen->capacity = old.capacity ? old.capacity * 2 : 1024;
    seen->slots = oms_calloc(seen->capacity, sizeof(*seen->slots));
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i].lo || old.slots[i].hi)
            *slot_of(seen, old.slots[i]) = old.slots[i];
    oms_free(old.slots);
}

bool import_seen_has(const struct import_seen *seen, struct oms_str text)
{
    if (seen->count == 0)
        return false;
    const struct oms_hash128 *slot = slot_of(seen, hash_of(seen, text));
    return slot->lo || slot->hi;
}

void import_seen_add(struct import_seen *seen, struct oms_str text)
{
    if ((seen->count + 1) * 4 > seen->capacity * 3)
        grow(seen);
    struct oms_hash128 hash = hash_of(seen, text);
    struct oms_hash128 *slot = slot_of(seen, hash);
    if (!slot->lo && !slot->hi)
        seen->count++;
    *slot = hash;
}
