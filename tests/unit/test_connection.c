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
    assert_ptr_equal(connection->unsent_first, first);
    assert_false(http_slot_disposed(first)); /* out of order is fine too */
    assert_ptr_equal(connection->unsent_first, second);
    assert_false(http_slot_disposed(second));
    assert_null(connection->unsent_first);
    assert_int_equal(connection->slots, 0);
    assert_int_equal(connection->sample.abandoned, 0);
    /* Both are taken again, the last one first, and empty. */
    assert_ptr_equal(http_slot_take(&slots, connection, &request, 30), second);
    assert_ptr_equal(http_slot_take(&slots, connection, &request, 30), first);
    assert_int_equal(first->exchange.out.len, 0);
    assert_int_equal(first->answered_ns, 0);
    assert_true(http_slot_answered(first, 31) && http_slot_answered(second, 31));
    http_slot_disposed(first);
    http_slot_disposed(second);
}

static void test_disposed_then_answered(void **state)
{
    (void)state;
    struct http_connection *connection = connect_peer("x");
    struct http_slot *slot = http_slot_take(&slots, connection, &request, 10);
    assert_false(slot->exchange.gone);
    assert_true(http_slot_disposed(slot));
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

static void test_judgement(void **state)
{
    const struct http_guard_limits limits = {
        .buffered_bytes_max = 1000, .request_timeout_ms = 1000, .response_timeout_ms = 1000};
    struct http_connection *worst, *small = connect_peer("small"), *large = connect_peer("large"),
                                   *slow = connect_peer("slow"), *quiet = connect_peer("quiet");
    (void)state;
    ended = NULL;
    assert_int_equal(http_connections_judge(&connections, &limits, 1, end, &worst), 0);
    assert_null(worst);
    small->sample.buffered_bytes = 300;
    large->sample.buffered_bytes = 900;
    struct http_slot *slot = http_slot_take(&slots, slow, &request, 1);
    assert_true(http_slot_answered(slot, 1000000));
    assert_int_equal(http_connections_judge(&connections, &limits, 1001000000, end, &worst), 1200);
    assert_ptr_equal(worst, large);
    assert_null(ended);
    assert_int_equal(http_connections_judge(&connections, &limits, 1002000000, end, &worst), 1200);
    assert_ptr_equal(ended, slow);
    assert_int_equal(reason, HTTP_GUARD_SLOW_RESPONSE);
    ended = NULL;
    large->sample.buffered_bytes = 1001;
    assert_int_equal(http_connections_judge(&connections, &limits, 1003000000, end, &worst), 300);
    assert_ptr_equal(ended, large); /* and the one that is ended already is let be */
    assert_int_equal(reason, HTTP_GUARD_BUFFERED);
    assert_ptr_equal(worst, small);
    assert_false(quiet->ended);
    http_slot_disposed(slot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answered_then_disposed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_disposed_then_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_judgement, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
