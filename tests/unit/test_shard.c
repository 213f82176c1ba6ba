/* A shard's turn without threads: delivery, order, fairness, limits, pausing, passivation, and the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "tests/unit/runtime_fixture.h"

static struct {
    unsigned numbers[64]; /* in order of receipt */
    unsigned count;
    unsigned others; /* messages of tenant 1 received so far */
    unsigned others_when_seen;
    struct fixture_message *held[64];
    unsigned held_count;
    unsigned nesting, nesting_max, rounds;
} seen;

static struct fixture fixture;

static struct rt_shard *set_up(unsigned shards)
{
    memset(&seen, 0, sizeof seen);
    fixture_init(&fixture, shards);
    return fixture.host.shards[0];
}

static struct fixture_message *new_messages(unsigned count, struct rt_address to)
{
    struct fixture_message *messages = oms_calloc(count, sizeof *messages);
    for (unsigned i = 0; i < count; i++)
        fixture_message_init(&messages[i], 0, to, i);
    return messages;
}

static unsigned count_results(const struct fixture_message *messages, unsigned count, enum oms_status result)
{
    unsigned found = 0;
    for (unsigned i = 0; i < count; i++)
        found += messages[i].came_home && messages[i].result == result;
    return found;
}

static void record(struct rt_shard *shard, struct fixture_actor *actor, struct fixture_message *message)
{
    (void)actor;
    assert_true(seen.count < OMS_COUNT_OF(seen.numbers));
    seen.numbers[seen.count++] = message->number;
    rt_return(shard, &message->message);
}

static void assert_seen_in_order(unsigned count)
{
    assert_int_equal(seen.count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(seen.numbers[i], i);
}

/* ---- delivery and order ---- */

/* A long queue of actors: what those in its middle need is fetched before their turn, and what that points
 * to. */
static void test_fetches_ahead(void **state)
{
    (void)state;
    struct rt_shard *shard = set_up(1);
    struct fixture_message *messages[20];
    struct rt_address to[20];

    for (unsigned i = 0; i < 20; i++) {
        to[i] = fixture_address(&fixture.host, 0, 1, i + 1);
        messages[i] = new_messages(1, to[i]);
        rt_send(shard, &messages[i]->message);
    }
    fixture_run(&fixture);
    for (unsigned i = 0; i < 20; i++) {
        const struct fixture_actor *actor = (const struct fixture_actor *)rt_actor_find(shard, &to[i]);
        assert_int_equal(actor->received, 1);
        if (i >= 8 && i < 12)
            assert_true(actor->fetched && actor->fetched_near);
        oms_free(messages[i]);
    }
    fixture_fini(&fixture);
}

static void test_local_round_trip(void **state)
{
    (void)state;
    struct rt_shard *shard = set_up(1);
    struct rt_address to = fixture_address(&fixture.host, 0, 1, 1);
    struct fixture_message *messages = new_messages(10, to);

    fixture_behaviour.receive = record;
    assert_null(rt_actor_find(shard, &to));
    for (unsigned i = 0; i < 10; i++)
        rt_send(shard, &messages[i].message);
    assert_int_equal(seen.count, 0); /* never from inside rt_send */
    fixture_run(&fixture);
    assert_seen_in_order(10);
    assert_int_equal(count_results(messages, 10, OMS_OK), 10);
    assert_non_null(rt_actor_find(shard, &to));
    const struct rt_shard_stats *stats = rt_shard_stats(shard);
    assert_int_equal(stats->messages, 10);
    assert_int_equal(stats->returns, 10);
    assert_int_equal(stats->actors_live, 1);
    assert_int_equal(stats->actors_activated, 1);
    assert_int_equal(stats->queued, 0);
    fixture_fini(&fixture);
    assert_int_equal(fixture_behaviour.destroyed, 1);
    oms_free(messages);
}

static struct fixture_message *to_self;

static void send_to_self(struct rt_shard *shard, struct fixture_actor *actor)
{
    (void)actor;
    rt_send(shard, &to_self[0].message);
}

/* What an actor sends itself while it is made comes before what it sends itself later. */
static void record_and_send_second(struct rt_shard *shard, struct fixture_actor *actor,
                                   struct fixture_message *message)
{
    if (message->number == 100) {
        rt_send(shard, &to_self[1].message);
        rt_return(shard, &message->message);
    } else {
        record(shard, actor, message);
    }
}

static void test_order_through_activation(void **state)
{
    (void)state;
    struct rt_shard *shard = set_up(1);
    struct rt_address to = fixture_address(&fixture.host, 0, 1, 1);
    struct fixture_message first;

    to_self = new_messages(2, to);
    fixture_behaviour.activated = send_to_self;
    fixture_behaviour.receive = record_and_send_second;
    fixture_message_init(&first, 0, to, 100);
    rt_send(shard, &first.message);
    fixture_run(&fixture);
    assert_seen_in_order(2);
    fixture_fini(&fixture);
    oms_free(to_self);
}

static void test_refused_activation(void **state)
{
    (void)state;
    struct rt_shard *shard = set_up(1);
    struct rt_address to = fixture_address(&fixture.host, 0, 1, 1);
    struct fixture_message *messages = new_messages(2, to);

    fixture_behaviour.refuse_activation = true;
    rt_send(shard, &messages[0].message);
    fixture_run(&fixture);
    assert_int_equal(messages[0].result, OMS_BUSY);
    fixture_behaviour.refuse_activation = false;
    rt_send(shard, &messages[1].message);
    fixture_run(&fixture);
    assert_int_equal(messages[1].result, OMS_OK);
    fixture_fini(&fixture);
    oms_free(messages);
}

static void test_across_shards_in_one_push(void **state)
{
    (void)state;
    struct rt_shard *shard = set_up(2);
    struct rt_address to = fixture_address(&fixture.host, 1, 1, 1);
    struct fixture_message *messages = new_messages(20, to);
    struct rt_mailbox *inbox = &rt_shard_port(fixture.host.shards[1])->mailbox;
    int64_t wait_ms;

    fixture_behaviour.receive = record;
    for (unsigned i = 0; i < 20; i++)
        rt_send(shard, &messages[i].message);
    assert_int_equal(rt_mailbox_depth(inbox), 0); /* held back until the end of the turn */
    assert_false(rt_shard_step(shard, &wait_ms));
    assert_int_equal(rt_mailbox_depth(inbox), 20);
    rt_shard_step(fixture.host.shards[1], &wait_ms);
    assert_seen_in_order(20);
    assert_int_equal(count_results(messages, 20, OMS_OK), 0); /* they are on their way */
    rt_shard_step(shard, &wait_ms);
    assert_int_equal(count_results(messages, 20, OMS_OK), 20);
    fixture_fini(&fixture);
    oms_free(messages);
}

static void test_from_outside(void **state)
{
    (void)state;
    set_up(2);
    struct rt_address nobody = {.kind = RT_ACTOR_ORDER};
    struct fixture_message posted, returned;

    fixture_message_init(&posted, 0, nobody, 0);
    fixture_message_init(&returned, 1, nobody, 1);
    rt_post(&fixture.host, 1, &posted.message);
    returned.message.status = OMS_IO; /* the worker's verdict is kept */
    rt_return_from_outside(&fixture.host, &returned.message);
    fixture_run(&fixture);
    assert_true(posted.came_home);
    assert_int_equal(posted.message.home, 1);
    assert_int_equal(posted.result, OMS_OK);
    assert_int_equal(returned.result, OMS_IO);
    fixture_fini(&fixture);
}

/* A message that is sent again whenever it comes home: each callback runs on a flat stack. */
static void send_again(struct rt_shard *shard, struct fixture_message *message)
{
    seen.nesting++;
    if (seen.nesting > seen.nesting_max)
        seen.nesting_max = seen.nesting;
    message->came_home = false;
    if (++seen.rounds < 100000)
        rt_send(shard, &message->message);
    seen.nesting--;
}

static void test_no_nesting(void **state)
{
    (void)state;
    struct rt_shard *shard = set_up(1);
    struct fixture_message message;

    fixture_behaviour.came_home = send_again;
    fixture_message_init(&message, 0, fixture_address(&fixture.host, 0, 1, 1), 0);
    rt_send(shard, &message.message);
    fixture_run(&fixture);
    assert_int_equal(seen.rounds, 100000);
    assert_int_equal(seen.nesting_max, 1);
    fixture_fini(&fixture);
}

static void test_turn_is_bounded(void **state)
{
    (void)state;
    struct rt_shard *shard = set_up(1);
    enum { COUNT = 3000 };
    struct fixture_message *messages = new_messages(COUNT, fixture_address(&fixture.host, 0, 1, 1));
    int64_t wait_ms;
    uint64_t before = 0;

    for (unsigned i = 0; i < COUNT; i++)
        rt_send(shard, &messages[i].message);
    while (rt_shard_step(shard, &wait_ms)) {
        assert_true(rt_shard_stats(shard)->messages - before <= OMS_SHARD_TURN_MESSAGES);
        before = rt_shard_stats(shard)->messages;
    }
    assert_int_equal(count_results(messages, COUNT, OMS_OK), COUNT);
    fixture_fini(&fixture);
    oms_free(messages);
}

/* ---- hooks ---- */

static unsigned hook_order;

static void first_hook(struct rt_shard *shard, void *context)
{
    (void)shard;
    assert_int_equal(hook_order % 2, 0);
    hook_order++;
    ++*(unsigned *)context;
}

static void second_hook(struct rt_shard *shard, void *context)
{
    struct fixture_message *message = context;
    assert_int_equal(hook_order % 2, 1);
    hook_order++;
    if (!message->came_home && hook_order == 2)
        rt_send(shard, &message->message);
}

static void test_hooks(void **state)
{
    (void)state;
    struct rt_shard *shard = set_up(2);
    struct rt_address nobody = {.kind = RT_ACTOR_ORDER};
    struct fixture_message posted, batched;
    unsigned calls = 0;
    int64_t wait_ms;

    hook_order = 0;
    rt_shard_set_context(shard, RT_SLOT_ACTORS, &calls);
    assert_ptr_equal(rt_shard_context(shard, RT_SLOT_ACTORS), &calls);
    assert_null(rt_shard_context(shard, RT_SLOT_HTTP));
    fixture_message_init(&posted, 0, nobody, 0);
    fixture_message_init(&batched, 0, fixture_address(&fixture.host, 1, 1, 1), 0);
    rt_shard_on_turn_end(shard, first_hook, &calls);
    rt_shard_on_turn_end(shard, second_hook, &batched);
    rt_shard_step(shard, &wait_ms);
    assert_int_equal(calls, 0); /* nothing happened */
    rt_post(&fixture.host, 0, &posted.message);
    rt_shard_step(shard, &wait_ms);
    assert_int_equal(calls, 1);
    /* What the hook sent left with the same turn. */
    assert_int_equal(rt_mailbox_depth(&rt_shard_port(fixture.host.shards[1])->mailbox), 1);
    fixture_run(&fixture);
    assert_true(batched.came_home);
    fixture_fini(&fixture);
}

/* ---- fairness ---- */

static void count_others(struct rt_shard *shard, struct fixture_actor *actor, struct fixture_message *message)
{
    if (actor->actor.address.tenant == 99)
        seen.others_when_seen = seen.others;
    else
        seen.others++;
    rt_return(shard, &message->message);
}

/* `flooders` tenants with full queues; tenant 99's one message waits for at most one quantum of each. */
static void flood(unsigned flooders)
{
    struct rt_shard *shard = set_up(1);
    enum { EACH = 8000 };
    struct fixture_message *messages = oms_calloc((size_t)EACH * flooders, sizeof *messages);
    struct fixture_message quiet;
    int64_t wait_ms;

    fixture_behaviour.receive = count_others;
    for (unsigned i = 0; i < EACH * flooders; i++) {
        uint32_t tenant = 1 + i % flooders;
        fixture_message_init(&messages[i], 0, fixture_address(&fixture.host, 0, tenant, i / flooders % 50),
                             i);
        rt_send(shard, &messages[i].message);
    }
    rt_shard_step(shard, &wait_ms);
    unsigned before = seen.others;
    fixture_message_init(&quiet, 0, fixture_address(&fixture.host, 0, 99, 0), 0);
    rt_send(shard, &quiet.message);
    while (!quiet.came_home)
        rt_shard_step(shard, &wait_ms);
    assert_true(seen.others_when_seen - before <= flooders * OMS_TENANT_QUANTUM);
    assert_true(seen.others_when_seen < EACH * flooders / 2);
    fixture_run(&fixture);
    assert_int_equal(count_results(messages, EACH * flooders, OMS_OK), EACH * flooders);
    fixture_fini(&fixture);
    oms_free(messages);
}

static void test_tenants_are_fair(void **state)
{
    (void)state;
    flood(1);
    flood(7);
}

static void count_until_the_last(struct rt_shard *shard, struct fixture_actor *actor,
                                 struct fixture_message *message)
{
    (void)actor;
    if (message->number == 5000)
        seen.others_when_seen = seen.others;
    else
        seen.others++;
    rt_return(shard, &message->message);
}

static void test_actors_of_a_tenant_are_fair(void **state)
{
    (void)state;
    struct rt_shard *shard = set_up(1);
    enum { COUNT = 5000 };
    struct fixture_message *messages = new_messages(COUNT, fixture_address(&fixture.host, 0, 1, 1));
    struct fixture_message quiet;
    int64_t wait_ms;

    fixture_behaviour.receive = count_until_the_last;
    fixture_message_init(&quiet, 0, fixture_address(&fixture.host, 0, 1, 2), COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        rt_send(shard, &messages[i].message);
    rt_send(shard, &quiet.message);
    rt_shard_step(shard, &wait_ms);
    assert_true(quiet.came_home);
    assert_int_equal(seen.others_when_seen, OMS_ACTOR_TURN_MESSAGES);
    fixture_run(&fixture);
    fixture_fini(&fixture);
    oms_free(messages);
}

static void test_many_tenants_come_and_go(void **state)
{
    (void)state;
    struct rt_shard *shard = set_up(1);
    struct fixture_message message;

    for (uint32_t tenant = 0; tenant < 5000; tenant++) {
        fixture_message_init(&message, 0, fixture_address(&fixture.host, 0, tenant * 7919, 1), 0);
        rt_send(shard, &message.message);
        fixture_run(&fixture);
        assert_true(message.came_home);
    }
    assert_true(shard->runqueue.capacity <= 64); /* idle ones were swept */
    fixture_fini(&fixture);
}

/* ---- limits ---- */

static void pause_new(struct rt_shard *shard, struct fixture_actor *actor)
{
    (void)shard;
    rt_actor_pause(&actor->actor);
}

static void test_mailbox_limit_and_reserve(void **state)
{
    (void)state;
    struct rt_shard *shard = set_up(1);
    enum { COUNT = OMS_ACTOR_MAILBOX_MAX + 100, PLAIN = OMS_ACTOR_MAILBOX_MAX - OMS_ACTOR_MAILBOX_MAX / 10 };
    struct rt_address to = fixture_address(&fixture.host, 0, 1, 1);
    struct fixture_message *plain = new_messages(COUNT, to), *own = new_messages(COUNT, to);

    fixture_behaviour.activated = pause_new;
    for (unsigned i = 0; i < COUNT; i++)
        rt_send(shard, &plain[i].message);
    fixture_run(&fixture);
    assert_int_equal(count_results(plain, COUNT, OMS_BUSY), COUNT - PLAIN);
    assert_true(plain[PLAIN].came_home && !plain[PLAIN - 1].came_home); /* the late ones are refused */
    for (unsigned i = 0; i < COUNT; i++) {
        own[i].message.flags |= RT_MESSAGE_SYSTEM;
        rt_send(shard, &own[i].message);
    }
    fixture_run(&fixture);
    assert_int_equal(count_results(own, COUNT, OMS_BUSY), COUNT - (OMS_ACTOR_MAILBOX_MAX - PLAIN));
    assert_int_equal(rt_shard_stats(shard)->queued, OMS_ACTOR_MAILBOX_MAX);

    rt_actor_resume(shard, rt_actor_find(shard, &to));
    fixture_run(&fixture);
    assert_int_equal(count_results(plain, COUNT, OMS_OK), PLAIN);
    assert_int_equal(count_results(own, COUNT, OMS_OK), OMS_ACTOR_MAILBOX_MAX - PLAIN);
    assert_int_equal(rt_shard_stats(shard)->queued, 0);
    fixture_fini(&fixture);
    oms_free(plain);
    oms_free(own);
}

static void test_tenant_limit_and_reserve(void **state)
{
    (void)state;
    struct rt_shard *shard = set_up(1);
    enum {
        COUNT = OMS_TENANT_IN_FLIGHT_MAX + 100,
        PLAIN = OMS_TENANT_IN_FLIGHT_MAX - OMS_TENANT_IN_FLIGHT_MAX / 10
    };
    struct fixture_message *messages = oms_calloc(COUNT, sizeof *messages);
    struct fixture_message own, other;

    fixture_behaviour.activated = pause_new;
    for (unsigned i = 0; i < COUNT; i++) {
        fixture_message_init(&messages[i], 0, fixture_address(&fixture.host, 0, 1, i % 16), i);
        rt_send(shard, &messages[i].message);
    }
    fixture_message_init(&own, 0, fixture_address(&fixture.host, 0, 1, 1), 0);
    own.message.flags |= RT_MESSAGE_SYSTEM;
    rt_send(shard, &own.message);
    fixture_message_init(&other, 0, fixture_address(&fixture.host, 0, 2, 1), 0);
    rt_send(shard, &other.message);
    fixture_run(&fixture);
    assert_int_equal(count_results(messages, COUNT, OMS_BUSY), COUNT - PLAIN);
    assert_false(own.came_home);   /* the reserve took it */
    assert_false(other.came_home); /* another tenant's room is its own */
    assert_int_equal(rt_shard_stats(shard)->refused, COUNT - PLAIN);
    fixture_fini(&fixture);
    assert_int_equal(count_results(messages, COUNT, OMS_CLOSED), PLAIN);
    assert_int_equal(own.result, OMS_CLOSED);
    oms_free(messages);
}

/* ---- pausing ---- */

static void pause_at_three(struct rt_shard *shard, struct fixture_actor *actor,
                           struct fixture_message *message)
{
    unsigned number = message->number;
    record(shard, actor, message);
    if (number == 3)
        rt_actor_pause(&actor->actor);
}

static void test_pause_and_resume(void **state)
{
    (void)state;
    struct rt_shard *shard = set_up(1);
    struct rt_address to = fixture_address(&fixture.host, 0, 1, 1);
    struct fixture_message *messages = new_messages(8, to);

    fixture_behaviour.receive = pause_at_three;
    for (unsigned i = 0; i < 7; i++)
        rt_send(shard, &messages[i].message);
    fixture_run(&fixture);
    assert_int_equal(seen.count, 4);
    struct rt_actor *actor = rt_actor_find(shard, &to);
    assert_false(rt_actor_passivate(shard, actor));
    rt_send(shard, &messages[7].message);
    fixture_run(&fixture);
    assert_int_equal(seen.count, 4);
    rt_actor_resume(shard, actor);
    rt_actor_resume(shard, actor); /* again: nothing */
    fixture_run(&fixture);
    assert_seen_in_order(8);

    rt_actor_pause(actor); /* with an empty mailbox */
    rt_actor_resume(shard, actor);
    assert_int_equal(fixture_run(&fixture), 0);
    fixture_fini(&fixture);
    oms_free(messages);
}

/* ---- passivation ---- */

static void touch(struct rt_shard *shard, struct rt_address to)
{
    struct fixture_message message;
    fixture_message_init(&message, 0, to, 0);
    rt_send(shard, &message.message);
    fixture_run(&fixture);
    assert_true(message.came_home);
}

static void test_passivate_longest_idle(void **state)
{
    (void)state;
    struct rt_shard *shard = set_up(1);
    enum { COUNT = 100 };
    struct rt_address addresses[COUNT];

    for (unsigned i = 0; i < COUNT; i++) {
        addresses[i] = fixture_address(&fixture.host, 0, 1, i);
        touch(shard, addresses[i]);
    }
    rt_actor_passivate_idle(shard, COUNT, COUNT); /* not more than the maximum: nothing */
    assert_int_equal(rt_shard_stats(shard)->actors_live, COUNT);
    /* One round in which all have their second chance, then the first half is used again. */
    rt_actor_passivate_idle(shard, COUNT - 1, COUNT / 4);
    for (unsigned i = 0; i < COUNT / 2; i++)
        touch(shard, addresses[i]);
    rt_actor_passivate_idle(shard, COUNT / 2, COUNT);
    assert_int_equal(rt_shard_stats(shard)->actors_live, COUNT / 2);
    for (unsigned i = 0; i < COUNT; i++)
        assert_true((rt_actor_find(shard, &addresses[i]) != NULL) == (i < COUNT / 2));
    assert_int_equal(fixture_behaviour.destroyed, COUNT / 2);

    rt_actor_passivate_idle(shard, 0, 10); /* at most so many a call, and the oldest of them */
    assert_int_equal(rt_shard_stats(shard)->actors_live, COUNT / 2 - 10);
    for (unsigned i = 0; i < COUNT; i++)
        assert_true((rt_actor_find(shard, &addresses[i]) != NULL) == (i >= 10 && i < COUNT / 2));
    touch(shard, addresses[COUNT - 1]); /* back again */
    assert_non_null(rt_actor_find(shard, &addresses[COUNT - 1]));
    fixture_fini(&fixture);
}

static void test_who_may_not_go(void **state)
{
    (void)state;
    struct rt_shard *shard = set_up(1);
    struct rt_address to = fixture_address(&fixture.host, 0, 1, 1);
    struct fixture_message message;

    touch(shard, to);
    struct rt_actor *actor = rt_actor_find(shard, &to);
    struct fixture_actor *fixture_actor = (struct fixture_actor *)actor;
    fixture_actor->stays = true;
    for (unsigned i = 0; i < 5; i++)
        rt_actor_passivate_idle(shard, 0, 10);
    assert_ptr_equal(rt_actor_find(shard, &to), actor);
    fixture_actor->stays = false;
    rt_actor_pause(actor);
    fixture_message_init(&message, 0, to, 0);
    rt_send(shard, &message.message);
    fixture_run(&fixture);
    rt_actor_resume(shard, actor);
    assert_false(rt_actor_passivate(shard, actor)); /* it has mail */
    fixture_run(&fixture);
    assert_true(rt_actor_passivate(shard, actor));
    assert_null(rt_actor_find(shard, &to));
    fixture_fini(&fixture);
}

static void go_yourself(struct rt_shard *shard, struct fixture_actor *actor, struct fixture_message *message)
{
    bool last = message->number == 2;
    record(shard, actor, message);
    assert_int_equal(rt_actor_passivate(shard, &actor->actor), last);
}

static void test_passivate_itself(void **state)
{
    (void)state;
    struct rt_shard *shard = set_up(1);
    struct rt_address to = fixture_address(&fixture.host, 0, 1, 1);
    struct fixture_message *messages = new_messages(3, to);

    fixture_behaviour.receive = go_yourself;
    for (unsigned i = 0; i < 3; i++)
        rt_send(shard, &messages[i].message);
    fixture_run(&fixture);
    assert_seen_in_order(3);
    assert_null(rt_actor_find(shard, &to));
    assert_int_equal(fixture_behaviour.destroyed, 1);
    assert_int_equal(rt_shard_stats(shard)->queued, 0);
    fixture_fini(&fixture);
    oms_free(messages);
}

/* ---- forwarding ---- */

static struct rt_address forward_to;

/* The first actor that a message meets passes it on; the second answers. */
static void pass_on(struct rt_shard *shard, struct fixture_actor *actor, struct fixture_message *message)
{
    if (rt_address_eq(&message->message.to, &forward_to)) {
        assert_int_equal(rt_shard_of(&fixture.host, &forward_to), rt_shard_index(shard));
        record(shard, actor, message);
        return;
    }
    message->message.to = forward_to;
    message->message.status = OMS_BUSY; /* whatever it was, it travels as OMS_OK */
    rt_forward(shard, &message->message);
}

/* From shard 0 by an actor of shard `by` to one of shard `to`: it comes home to 0, with the last actor's
 * answer. */
static void check_forward(unsigned by, unsigned to)
{
    struct rt_shard *shard = set_up(3);
    struct fixture_message *messages = new_messages(20, fixture_address(&fixture.host, by, 1, 1));

    forward_to = fixture_address(&fixture.host, to, 1, 2);
    fixture_behaviour.receive = pass_on;
    for (unsigned i = 0; i < 20; i++)
        rt_send(shard, &messages[i].message);
    fixture_run(&fixture);
    assert_seen_in_order(20);
    assert_int_equal(count_results(messages, 20, OMS_OK), 20);
    assert_int_equal(rt_shard_stats(shard)->returns, 20);
    fixture_fini(&fixture);
    oms_free(messages);
}

static void test_forward(void **state)
{
    (void)state;
    check_forward(0, 0);
    check_forward(0, 1);
    check_forward(1, 1);
    check_forward(1, 0);
    check_forward(1, 2);
}

/* Who cannot be reached is said at home, not to the actor that passed it on. */
static void test_forward_to_a_closed_shard(void **state)
{
    (void)state;
    struct rt_shard *shard = set_up(3);
    struct fixture_message message;

    fixture_message_init(&message, 0, fixture_address(&fixture.host, 1, 1, 1), 0);
    forward_to = fixture_address(&fixture.host, 2, 1, 2);
    fixture_behaviour.receive = pass_on;
    rt_shard_close(fixture.host.shards[2]);
    rt_send(shard, &message.message);
    fixture_run(&fixture);
    assert_true(message.came_home);
    assert_int_equal(message.result, OMS_CLOSED);
    assert_int_equal(seen.count, 0);
    fixture_fini(&fixture);
}

/* ---- the end ---- */

static void test_close(void **state)
{
    (void)state;
    struct rt_shard *shard = set_up(2);
    struct fixture_message *waiting = new_messages(5, fixture_address(&fixture.host, 1, 1, 1));
    struct fixture_message late;

    fixture_behaviour.activated = pause_new;
    for (unsigned i = 0; i < 5; i++)
        rt_send(shard, &waiting[i].message);
    fixture_run(&fixture);
    rt_shard_close(fixture.host.shards[1]);
    fixture_message_init(&late, 0, fixture_address(&fixture.host, 1, 1, 2), 0);
    rt_send(shard, &late.message);
    fixture_run(&fixture);
    assert_int_equal(count_results(waiting, 5, OMS_CLOSED), 5);
    assert_int_equal(late.result, OMS_CLOSED);
    fixture_fini(&fixture);
    oms_free(waiting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fetches_ahead),
        cmocka_unit_test(test_local_round_trip),
        cmocka_unit_test(test_order_through_activation),
        cmocka_unit_test(test_refused_activation),
        cmocka_unit_test(test_across_shards_in_one_push),
        cmocka_unit_test(test_from_outside),
        cmocka_unit_test(test_no_nesting),
        cmocka_unit_test(test_turn_is_bounded),
        cmocka_unit_test(test_hooks),
        cmocka_unit_test(test_tenants_are_fair),
        cmocka_unit_test(test_actors_of_a_tenant_are_fair),
        cmocka_unit_test(test_many_tenants_come_and_go),
        cmocka_unit_test(test_mailbox_limit_and_reserve),
        cmocka_unit_test(test_tenant_limit_and_reserve),
        cmocka_unit_test(test_pause_and_resume),
        cmocka_unit_test(test_passivate_longest_idle),
        cmocka_unit_test(test_who_may_not_go),
        cmocka_unit_test(test_passivate_itself),
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_forward_to_a_closed_shard),
        cmocka_unit_test(test_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
