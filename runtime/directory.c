/*
 * The directory: linear probing over tagged pointers (see directory.h).
 *
 * Invariants: an entry lies at its home position or in the unbroken run of full slots behind it; removal
 * closes gaps (backward shift, Knuth volume 3, section 6.4, algorithm R), so there are no tombstones; at most
 * three quarters are full. Home positions come from the tag alone by multiplication, so a capacity need not
 * be a power of two. Over 65,536 slots in a segment (12 million actors a shard) homes only get sparser:
 * slower, still right.
 */
#include "runtime/directory.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define TAG_SHIFT    48
#define POINTER_MASK ((UINT64_C(1) << TAG_SHIFT) - 1)
#define CAPACITY_MIN 8u

_Static_assert(sizeof(void *) == 8, "tags need 64-bit pointers with 16 unused bits");

static struct rt_directory_segment *segment_of(struct rt_directory *directory, uint64_t hash)
{
    return &directory->segments[hash % RT_DIRECTORY_SEGMENTS];
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash / RT_DIRECTORY_SEGMENTS) & 0xffff;
}

static uint32_t home_of(const struct rt_directory_segment *segment, uint32_t tag)
{
    return (uint32_t)((uint64_t)tag * segment->capacity >> 16);
}

static uint32_t after(const struct rt_directory_segment *segment, uint32_t index)
{
    return index + 1 == segment->capacity ? 0 : index + 1;
}

static struct rt_actor *actor_of(uint64_t slot)
{
    return (struct rt_actor *)(uintptr_t)(slot & POINTER_MASK);
}

void rt_directory_init(struct rt_directory *directory)
{
    memset(directory, 0, sizeof *directory);
}

void rt_directory_fini(struct rt_directory *directory)
{
    for (unsigned i = 0; i < RT_DIRECTORY_SEGMENTS; i++)
        oms_free(directory->segments[i].slots);
    memset(directory, 0, sizeof *directory);
}

struct rt_actor *rt_directory_find(const struct rt_directory *directory, const struct rt_address *address,
                                   uint64_t hash)
{
    const struct rt_directory_segment *segment = &directory->segments[hash % RT_DIRECTORY_SEGMENTS];
    uint32_t tag = tag_of(hash);

    if (!segment->capacity)
        return NULL;
    for (uint32_t i = home_of(segment, tag);; i = after(segment, i)) {
        uint64_t slot = segment->slots[i];
        if (!slot)
            return NULL;
        if (slot >> TAG_SHIFT == tag && rt_address_eq(&actor_of(slot)->address, address))
            return actor_of(slot);
    }
}

void rt_directory_prefetch_slot(const struct rt_directory *directory, uint64_t hash)
{
    const struct rt_directory_segment *segment = &directory->segments[hash % RT_DIRECTORY_SEGMENTS];
    if (segment->capacity)
        __builtin_prefetch(&segment->slots[home_of(segment, tag_of(hash))]);
}

void rt_directory_prefetch_actor(const struct rt_directory *directory, uint64_t hash)
{
    const struct rt_directory_segment *segment = &directory->segments[hash % RT_DIRECTORY_SEGMENTS];
    uint32_t tag = tag_of(hash);

    if (!segment->capacity)
        return;
    for (uint32_t i = home_of(segment, tag); segment->slots[i]; i = after(segment, i)) {
        if (segment->slots[i] >> TAG_SHIFT == tag) {
            /* It is rarely aligned to a line; what a message needs lies in 64 bytes. */
            __builtin_prefetch(actor_of(segment->slots[i]));
            __builtin_prefetch((const char *)actor_of(segment->slots[i]) + 63);
            return;
        }
    }
}

static void place(struct rt_directory_segment *segment, uint64_t slot)
{
    uint32_t i = home_of(segment, (uint32_t)(slot >> TAG_SHIFT));
    while (segment->slots[i])
        i = after(segment, i);
    segment->slots[i] = slot;
}

static void resize(struct rt_directory_segment *segment, uint32_t capacity)
{
    struct rt_directory_segment old = *segment;

    OMS_ASSERT(capacity > old.used);
    segment->slots = oms_calloc(capacity, sizeof *segment->slots);
    segment->capacity = capacity;
    for (uint32_t i = 0; i < old.capacity; i++) {
        if (old.slots[i])
            place(segment, old.slots[i]);
    }
    oms_free(old.slots);
}

void rt_directory_insert(struct rt_directory *directory, struct rt_actor *actor, uint64_t hash)
{
    struct rt_directory_segment *segment = segment_of(directory, hash);
    uint64_t pointer = (uint64_t)(uintptr_t)actor;

    OMS_ASSERT(pointer && !(pointer & ~POINTER_MASK));
    if ((uint64_t)(segment->used + 1) * 4 > (uint64_t)segment->capacity * 3)
        resize(segment,
               segment->capacity < CAPACITY_MIN ? CAPACITY_MIN : segment->capacity + segment->capacity / 2);
    place(segment, pointer | (uint64_t)tag_of(hash) << TAG_SHIFT);
    segment->used++;
    directory->count++;
}

/* Closes the gap at `hole`: moves up every later entry of the run that may lie there. */
static void close_gap(struct rt_directory_segment *segment, uint32_t hole)
{
    for (uint32_t i = after(segment, hole); segment->slots[i]; i = after(segment, i)) {
        uint32_t home = home_of(segment, (uint32_t)(segment->slots[i] >> TAG_SHIFT));
        /* An entry whose home is cyclically in (hole, i] would get in front of its home. */
        bool stays = hole < i ? home > hole && home <= i : home > hole || home <= i;
        if (!stays) {
            segment->slots[hole] = segment->slots[i];
            hole = i;
        }
    }
    segment->slots[hole] = 0;
}

void rt_directory_remove(struct rt_directory *directory, struct rt_actor *actor, uint64_t hash)
{
    struct rt_directory_segment *segment = segment_of(directory, hash);
    uint64_t wanted = (uint64_t)(uintptr_t)actor | (uint64_t)tag_of(hash) << TAG_SHIFT;
    uint32_t i = home_of(segment, tag_of(hash));

    while (segment->slots[i] != wanted) {
        OMS_ASSERT(segment->slots[i]);
        i = after(segment, i);
    }
    close_gap(segment, i);
    segment->used--;
    directory->count--;
    if (segment->capacity > CAPACITY_MIN && (uint64_t)segment->used * 6 < segment->capacity)
        resize(segment, segment->capacity / 2);
}
