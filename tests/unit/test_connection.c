/* The two owners of an exchange in every order, recycling, and which connection is judged how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/connection.h"

static struct http_connections connections;
static struct http_slots slots;
static int request; /* stands for the carrier's */

static int set_up(void **state)
{
    (void)state;
    connections = (struct http_connections){NULL, 0};
    http_slots_init(&slots, NULL, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    while (connections.first)
        http_connection_destroy(&connections, connections.first);
    http_slots_fini(&slots);
    return 0;
}

static struct http_connection *connect_peer(const char *peer)
{
    struct http_connection *connection = http_connection_create(&connections);
    connection->peer_len = strlen(peer);
    memcpy(connection->peer, peer, connection->peer_len);
    return connection;
}

static void test_answered_then_disposed(void **state)
{
    (void)state;
    struct http_connection *connection = connect_peer("192.0.2.1:5");
    struct http_slot *first = http_slot_take(&slots, connection, &request, 10);
    struct http_slot *second = http_slot_take(&slots, connection, &request, 11);
    assert_true(oms_str_eq_c(first->exchange.peer, "192.0.2.1:5"));
    assert_int_equal(first->exchange.started_ns, 10);
    assert_int_equal(slots.in_flight, 2);
    assert_int_equal(connection->sample.in_flight, 2);
    oms_buf_append_lit(&first->exchange.out, "text");
    assert_true(http_slot_answered(first, 20));
    assert_true(http_slot_answered(second, 21));
    assert_int_equal(slots.in_flight, 0);
    assert_ptr_equal(connection->unsent.first, first);
    assert_false(http_slot_disposed(first, 40)); /* out of order is fine too */
    assert_ptr_equal(connection->unsent.first, second);
    assert_false(http_slot_disposed(second, 40));
    assert_null(connection->unsent.first);
    assert_int_equal(connection->slots, 0);
    assert_int_equal(connection->sample.abandoned, 0);
    /* Both are taken again, the last one first, and empty. */
    assert_ptr_equal(http_slot_take(&slots, connection, &request, 30), second);
    assert_ptr_equal(http_slot_take(&slots, connection, &request, 30), first);
    assert_int_equal(first->exchange.out.len, 0);
    assert_int_equal(first->answered_ns, 0);
    assert_true(http_slot_answered(first, 31) && http_slot_answered(second, 31));
    http_slot_disposed(first, 40);
    http_slot_disposed(second, 40);
}

static void test_disposed_then_answered(void **state)
{
    (void)state;
    struct http_connection *connection = connect_peer("x");
    struct http_slot *slot = http_slot_take(&slots, connection, &request, 10);
    assert_false(slot->exchange.gone);
    assert_true(http_slot_disposed(slot, 40));
    assert_true(slot->exchange.gone);
    assert_int_equal(connection->slots, 0);
    assert_int_equal(connection->sample.abandoned, 1);
    assert_int_equal(connection->sample.in_flight, 0);
    assert_int_equal(slots.in_flight, 1);
    /* The connection may go while the handler still works. */
    http_connection_destroy(&connections, connection);
    assert_true(oms_str_eq_c(slot->exchange.peer, "x"));
    assert_false(http_slot_answered(slot, 20));
    assert_int_equal(slots.in_flight, 0);
    assert_int_equal(slots.free_count, 1);
}

static struct http_connection *ended;
static enum http_guard_verdict reason;

static void end(struct http_connection *connection, enum http_guard_verdict verdict)
{
    ended = connection;
    reason = verdict;
    connection->ended = true;
}

static unsigned cuts;

static void cut(struct http_slot *slot)
{
    assert_int_equal(slot->sending_ns, 0);
    cuts++;
}

static const struct http_sentence sentence = {end, cut};

static void test_judgement(void **state)
{
    const struct http_guard_limits limits = {
        .buffered_bytes_max = 1000, .request_timeout_ms = 1000, .response_timeout_ms = 1000};
    struct http_connection *worst, *small = connect_peer("small"), *large = connect_peer("large"),
                                   *slow = connect_peer("slow"), *quiet = connect_peer("quiet");
    (void)state;
    ended = NULL;
    assert_int_equal(http_connections_judge(&connections, &limits, 1, &sentence, &worst), 0);
    assert_null(worst);
    small->sample.buffered_bytes = 300;
    large->sample.buffered_bytes = 900;
    struct http_slot *slot = http_slot_take(&slots, slow, &request, 1);
    assert_true(http_slot_answered(slot, 1000000));
    assert_int_equal(http_connections_judge(&connections, &limits, 1001000000, &sentence, &worst), 1200);
    assert_ptr_equal(worst, large);
    assert_null(ended);
    assert_int_equal(http_connections_judge(&connections, &limits, 1002000000, &sentence, &worst), 1200);
    assert_ptr_equal(ended, slow);
    assert_int_equal(reason, HTTP_GUARD_SLOW_RESPONSE);
    ended = NULL;
    large->sample.buffered_bytes = 1001;
    assert_int_equal(http_connections_judge(&connections, &limits, 1003000000, &sentence, &worst), 300);
    assert_ptr_equal(ended, large); /* and the one that is ended already is let be */
    assert_int_equal(reason, HTTP_GUARD_BUFFERED);
    assert_ptr_equal(worst, small);
    assert_false(quiet->ended);
    http_slot_disposed(slot, 40);
}

/* A large answer may take longer than the timeout while it is being read, but not without end. */
static void test_a_slow_reader(void **state)
{
    const struct http_guard_limits limits = {
        .buffered_bytes_max = 1000, .request_timeout_ms = 1000, .response_timeout_ms = 1000};
    struct http_connection *worst, *connection = connect_peer("x");
    struct http_slot *slot = http_slot_take(&slots, connection, &request, 1);
    unsigned seconds = 0;
    (void)state;
    ended = NULL;
    assert_true(http_slot_answered(slot, 1));
    while (!ended && seconds < 100) {
        connection->sample.sent_bytes += 10;
        http_connections_judge(&connections, &limits, ++seconds * 1000000000ull, &sentence, &worst);
    }
    assert_int_equal(seconds, 11);
    http_slot_disposed(slot, 1);
}

/* ---- streams ---- */

static unsigned gone;

static void on_ready(struct http_exchange *exchange, void *context)
{
    (void)exchange;
    (void)context;
    fail(); /* the carrier's to call */
}

static void on_gone(struct http_exchange *exchange, void *context)
{
    assert_true(exchange->gone);
    assert_ptr_equal(context, &gone);
    gone++;
}

static const struct http_stream_events stream_events = {on_ready, on_gone};

static struct http_slot *begin(struct http_connection *connection, uint64_t now_ns)
{
    struct http_slot *slot = http_slot_take(&slots, connection, &request, now_ns);
    slot->exchange.path = oms_str_copy(&slot->exchange.arena, OMS_STR("/stream"));
    oms_buf_append_lit(&slot->exchange.out, "text");
    assert_true(http_slot_streams(slot, &stream_events, &gone, now_ns));
    slot->stream = &request;
    http_slot_slim(slot);
    return slot;
}

static void test_a_stream_keeps_little(void **state)
{
    (void)state;
    struct http_connection *connection = connect_peer("192.0.2.1:5");
    struct http_slot *slot = begin(connection, 10);
    assert_true(sizeof(*slot) <= 1024);
    assert_null(slot->exchange.arena.chunks);
    assert_null(slot->exchange.out.data);
    assert_false(oms_str_present(slot->exchange.path));
    assert_true(oms_str_eq_c(slot->exchange.peer, "192.0.2.1:5"));
    assert_int_equal(slots.in_flight, 0);
    assert_int_equal(slots.streams, 1);
    assert_int_equal(connection->sample.in_flight, 0);
    assert_int_equal(connection->streams, 1);
    http_slot_silence(slot); /* ended by its handler */
    gone = 0;
    assert_false(http_slot_disposed(slot, 20));
    assert_int_equal(gone, 0);
    assert_int_equal(slots.streams, 0);
    assert_int_equal(connection->sample.abandoned, 0);
    /* The slot serves the next request like any other. */
    assert_ptr_equal(http_slot_take(&slots, connection, &request, 30), slot);
    assert_null(slot->stream);
    assert_non_null(oms_arena_alloc(&slot->exchange.arena, 100));
    assert_true(http_slot_answered(slot, 31));
    http_slot_disposed(slot, 32);
}

static void test_a_stream_whose_client_goes(void **state)
{
    (void)state;
    struct http_connection *connection = connect_peer("x");
    struct http_slot *early = begin(connection, 10), *late = begin(connection, 10);
    http_slot_sending(early, 11);
    gone = 0;
    assert_false(http_slot_disposed(early, 20));
    assert_int_equal(gone, 1);
    assert_null(connection->sending.first);
    assert_int_equal(connection->sample.abandoned, 1); /* it counts as a reset */
    assert_false(http_slot_disposed(late, 2000000000));
    assert_int_equal(gone, 2);
    assert_int_equal(connection->sample.abandoned, 1); /* but this is how streams end */
}

static void test_a_client_that_went_before(void **state)
{
    (void)state;
    struct http_connection *connection = connect_peer("x");
    struct http_slot *slot = http_slot_take(&slots, connection, &request, 10);
    gone = 0;
    assert_true(http_slot_disposed(slot, 11));
    assert_false(http_slot_streams(slot, &stream_events, &gone, 12));
    assert_int_equal(gone, 0);
    assert_int_equal(slots.streams, 0);
    assert_int_equal(slots.in_flight, 0);
    assert_int_equal(slots.free_count, 1);
}

static void test_stalled_streams_are_cut(void **state)
{
    const struct http_guard_limits limits = {
        .buffered_bytes_max = 1000, .request_timeout_ms = 1000, .response_timeout_ms = 1000};
    struct http_connection *worst, *connection = connect_peer("x");
    struct http_slot *idle = begin(connection, 1), *first = begin(connection, 1),
                     *second = begin(connection, 1);
    (void)state;
    ended = NULL;
    cuts = 0;
    http_slot_sending(first, 1000000);
    http_slot_sending(second, 2000000);
    http_slot_sending(first, 500000000); /* the first send was taken meanwhile, this is another one */
    http_connections_judge(&connections, &limits, 1001000000, &sentence, &worst);
    assert_int_equal(cuts, 0);
    http_connections_judge(&connections, &limits, 1003000000, &sentence, &worst);
    assert_int_equal(cuts, 1);
    assert_ptr_equal(connection->sending.first, first);
    http_slot_sent(first);
    http_slot_sent(first); /* may be said twice */
    http_connections_judge(&connections, &limits, 900000000000, &sentence, &worst);
    assert_int_equal(cuts, 1);
    assert_null(ended);
    http_slot_disposed(idle, 1);
    http_slot_disposed(first, 1);
    http_slot_disposed(second, 1);
}

static void test_a_connection_that_takes_nothing(void **state)
{
    const struct http_guard_limits limits = {
        .buffered_bytes_max = 1000, .request_timeout_ms = 1000, .response_timeout_ms = 1000};
    struct http_connection *worst, *connection = connect_peer("x");
    (void)state;
    ended = NULL;
    for (unsigned i = 0; i < 10; i++) { /* it is full at every look, but moves */
        connection->unwritten_bytes = 500 + i;
        http_connections_judge(&connections, &limits, i * 900000000ull, &sentence, &worst);
        assert_null(ended);
    }
    http_connections_judge(&connections, &limits, 9 * 900000000ull + 1001000000, &sentence, &worst);
    assert_ptr_equal(ended, connection);
    assert_int_equal(reason, HTTP_GUARD_SLOW_RESPONSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answered_then_disposed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_disposed_then_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_judgement, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_slow_reader, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stream_keeps_little, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stream_whose_client_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_client_that_went_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stalled_streams_are_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_connection_that_takes_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
