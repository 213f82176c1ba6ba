/*
 * The directory of a shard: address → resident actor. Internal to runtime/.
 *
 * Made for a million residents: eight bytes a slot, 11 to 16 bytes an actor, and no long stalls. It is 256
 * small open-addressing tables (segments), chosen by eight bits of the address's hash, which grow by half one
 * at a time: a growth moves thousands of entries, never a million. A slot is the actor's pointer with 16
 * further bits of the hash in the upper bits that user space does not use; they give the slot's home position
 * and tell most strangers apart, so that neither a probe nor a growth nor a removal touches actors that it
 * does not look for.
 */
#ifndef RT_DIRECTORY_H
#define RT_DIRECTORY_H

#include "runtime/actor.h"

#define RT_DIRECTORY_SEGMENTS 256

struct rt_directory_segment {
    uint64_t *slots;
    uint32_t capacity;
    uint32_t used;
};

struct rt_directory {
    uint64_t count;
    struct rt_directory_segment segments[RT_DIRECTORY_SEGMENTS];
};

void rt_directory_init(struct rt_directory *directory);
/* The directory must be empty, or its actors are forgotten. */
void rt_directory_fini(struct rt_directory *directory);
/* `hash` is rt_address_hash of the address, which callers have at hand. NULL when not resident. */
struct rt_actor *rt_directory_find(const struct rt_directory *directory, const struct rt_address *address,
                                   uint64_t hash);
/* The actor's address must not be there yet. */
void rt_directory_insert(struct rt_directory *directory, struct rt_actor *actor, uint64_t hash);
/* The actor must be there. */
void rt_directory_remove(struct rt_directory *directory, struct rt_actor *actor, uint64_t hash);
/*
 * For many finds side by side: first asks the processor for the slot that a find will look at, then, some
 * finds later, for the actor that it will most likely return.
 */
void rt_directory_prefetch_slot(const struct rt_directory *directory, uint64_t hash);
void rt_directory_prefetch_actor(const struct rt_directory *directory, uint64_t hash);

#endif
