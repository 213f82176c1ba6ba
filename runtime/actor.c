/*
 * Resident actors: their place in the directory and in the list that passivation walks.
 *
 * Invariants: an actor is in the directory exactly when it is in the list; one that has messages, runs or is
 * paused is not passivated. The list is in order of residence; an actor that was used since it was last
 * looked at gets a second chance at the newest end, so a message touches no other actor's memory.
 */
#include "runtime/actor.h"

#include "runtime/base/assert.h"
#include "runtime/shard_internal.h"

/* How many actors one call of rt_actor_passivate_idle looks at, per actor that it may passivate. */
#define EXAMINED_PER_PASSIVATED 4u

void rt_actor_init(struct rt_actor *actor, const struct rt_actor_class *class,
                   const struct rt_address *address)
{
    memset(actor, 0, sizeof *actor);
    actor->address = *address;
    actor->class = class;
}

void rt_actor_pause(struct rt_actor *actor)
{
    actor->paused = true;
}

void rt_actor_resume(struct rt_shard *shard, struct rt_actor *actor)
{
    if (!actor->paused)
        return;
    actor->paused = false;
    if (actor->queued && !actor->scheduled)
        rt_runqueue_schedule(&shard->runqueue, rt_runqueue_tenant(&shard->runqueue, actor->address.tenant),
                             actor);
}

struct rt_actor *rt_actor_find(struct rt_shard *shard, const struct rt_address *address)
{
    return rt_directory_find(&shard->directory, address, rt_address_hash(address));
}

static void list_append(struct rt_shard *shard, struct rt_actor *actor)
{
    actor->lru_next = NULL;
    actor->lru_prev = shard->lru_newest;
    if (shard->lru_newest)
        shard->lru_newest->lru_next = actor;
    else
        shard->lru_oldest = actor;
    shard->lru_newest = actor;
}

static void list_unlink(struct rt_shard *shard, struct rt_actor *actor)
{
    if (actor->lru_prev)
        actor->lru_prev->lru_next = actor->lru_next;
    else
        shard->lru_oldest = actor->lru_next;
    if (actor->lru_next)
        actor->lru_next->lru_prev = actor->lru_prev;
    else
        shard->lru_newest = actor->lru_prev;
    actor->lru_prev = actor->lru_next = NULL;
}

void rt_actor_insert(struct rt_shard *shard, struct rt_actor *actor, uint64_t hash)
{
    rt_directory_insert(&shard->directory, actor, hash);
    list_append(shard, actor);
    shard->stats.actors_activated++;
}

void rt_actor_remove(struct rt_shard *shard, struct rt_actor *actor)
{
    rt_directory_remove(&shard->directory, actor, rt_address_hash(&actor->address));
    list_unlink(shard, actor);
}

bool rt_actor_passivate(struct rt_shard *shard, struct rt_actor *actor)
{
    bool running = shard->running == actor;

    if (actor->queued || actor->paused || (actor->scheduled && !running))
        return false;
    if (!actor->class->may_passivate(shard, actor))
        return false;
    rt_actor_remove(shard, actor);
    shard->stats.actors_passivated++;
    if (running)
        shard->running = NULL; /* tells the turn that its actor is gone */
    actor->class->destroy(shard, actor);
    return true;
}

void rt_actor_passivate_idle(struct rt_shard *shard, uint64_t resident_max, unsigned count_max)
{
    uint64_t examine = (uint64_t)count_max * EXAMINED_PER_PASSIVATED;

    while (count_max && examine && shard->directory.count > resident_max) {
        struct rt_actor *actor = shard->lru_oldest;
        bool second_chance = actor->touched || actor == shard->running;

        examine--;
        actor->touched = false;
        if (!second_chance && rt_actor_passivate(shard, actor)) {
            count_max--;
        } else {
            list_unlink(shard, actor);
            list_append(shard, actor);
        }
    }
}
