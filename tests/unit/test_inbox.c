/* A lane of an inbox as a fold: adding, settling, forgetting, and the same state from bytes and from events.
 */
#include "actors/inbox_state.h"
#include "runtime/base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define HOUR INT64_C(3600000)

static struct inbox inbox;

static int set_up(void **state)
{
    (void)state;
    inbox_init(&inbox);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    inbox_fini(&inbox);
    return 0;
}

static struct oms_hash128 hash(uint64_t number)
{
    return (struct oms_hash128){.lo = number, .hi = number * 7};
}

static void add(uint64_t key, enum inbox_phase phase, int64_t at)
{
    struct inbox_entry entry = {
        .number = inbox.number_next,
        .phase = phase,
        .key = hash(key),
        .content = hash(key + 1000000),
        .at = at,
        .expires_at = phase == INBOX_WAITING ? at + HOUR : 0,
        .status = phase == INBOX_WAITING ? 202 : 409,
        .answer = OMS_STR("{\"status\":\"x\"}"),
        .provider = OMS_STR("wss"),
        .topic = OMS_STR("shipment_tracker"),
        .update = phase == INBOX_WAITING ? OMS_STR("{\"a\":1}") : OMS_STR_NONE,
    };
    struct oms_buf event;
    oms_buf_init(&event, 1 << 20);
    inbox_put_added(&entry, &event);
    assert_int_equal(inbox_apply(&inbox, oms_buf_str(&event), at), OMS_OK);
    oms_buf_fini(&event);
    inbox.version++;
}

static enum oms_status settle(uint32_t number, enum inbox_phase phase, int64_t at)
{
    struct oms_buf event;
    oms_buf_init(&event, 1 << 20);
    inbox_put_settled(number, phase, 0, OMS_STR("because"), &event);
    enum oms_status status = inbox_apply(&inbox, oms_buf_str(&event), at);
    oms_buf_fini(&event);
    inbox.version++;
    return status;
}

static void a_refusal_is_remembered_for_a_day(void **state)
{
    (void)state;
    add(1, INBOX_REFUSED, HOUR);
    const struct inbox_entry *entry = inbox_find(&inbox, hash(1));
    assert_non_null(entry);
    assert_int_equal(entry->status, 409);
    assert_true(oms_str_eq_c(entry->answer, "{\"status\":\"x\"}"));
    assert_true(entry->content.lo == hash(1000001).lo);
    add(2, INBOX_REFUSED, 25 * HOUR);
    assert_non_null(inbox_find(&inbox, hash(1)));
    add(3, INBOX_REFUSED, 25 * HOUR + 1);
    assert_null(inbox_find(&inbox, hash(1)));
    assert_non_null(inbox_find(&inbox, hash(2)));
}

static void what_waits_is_due_until_it_is_settled(void **state)
{
    (void)state;
    assert_int_equal(inbox_due(&inbox), 0);
    add(1, INBOX_REFUSED, 5);
    add(2, INBOX_WAITING, 6);
    add(3, INBOX_WAITING, 7);
    assert_int_equal(inbox_due(&inbox), 6);
    assert_int_equal(settle(2, INBOX_APPLIED, 8), OMS_OK);
    assert_int_equal(inbox_due(&inbox), 7);
    assert_false(oms_str_present(inbox_find_number(&inbox, 2)->update));
    assert_int_equal(settle(3, INBOX_EXPIRED, 9), OMS_OK);
    assert_int_equal(inbox_due(&inbox), 0);
    /* It can be replayed: the update is kept. */
    assert_true(oms_str_eq_c(inbox_find_number(&inbox, 3)->update, "{\"a\":1}"));
    assert_int_equal(settle(3, INBOX_WAITING, 10), OMS_OK);
    assert_int_equal(inbox_due(&inbox), 7);
    /* Settling what was forgotten, or never was, is no fault of the log. */
    assert_int_equal(settle(77, INBOX_EXPIRED, 11), OMS_OK);
    assert_int_equal(settle(3, (enum inbox_phase)9, 11), OMS_CORRUPT);
}

static void what_waits_is_never_forgotten_and_what_expired_is_kept_a_week(void **state)
{
    (void)state;
    add(1, INBOX_WAITING, 0);
    add(2, INBOX_WAITING, 1);
    assert_int_equal(settle(2, INBOX_EXPIRED, 2), OMS_OK);
    add(3, INBOX_REFUSED, 6 * 24 * HOUR);
    assert_non_null(inbox_find(&inbox, hash(2)));
    add(4, INBOX_REFUSED, 8 * 24 * HOUR);
    assert_null(inbox_find(&inbox, hash(2)));
    assert_non_null(inbox_find(&inbox, hash(1)));
}

static void a_lane_is_bounded(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < OMS_INBOX_WAITING_MAX; i++)
        add(i, INBOX_WAITING, 1);
    assert_false(inbox_has_room(&inbox, true, 2));
    assert_true(inbox_has_room(&inbox, false, 2));
    for (uint64_t i = OMS_INBOX_WAITING_MAX; i < OMS_INBOX_ENTRIES_MAX; i++)
        add(i, INBOX_REFUSED, 1);
    assert_false(inbox_has_room(&inbox, false, 2));
    assert_true(inbox_has_room(&inbox, false, 25 * HOUR));
}

static void a_full_lane_forgets_what_waited_in_vain(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < OMS_INBOX_ENTRIES_MAX; i++) {
        add(i, INBOX_WAITING, 1);
        assert_int_equal(settle(i + 1, INBOX_EXPIRED, 1), OMS_OK);
    }
    assert_false(inbox_has_room(&inbox, false, 2 * HOUR));
    assert_true(inbox_has_room(&inbox, false, 25 * HOUR));
    add(5000, INBOX_REFUSED, 25 * HOUR);
    assert_int_equal(inbox.count, OMS_INBOX_WAITING_MAX + 1);
    assert_null(inbox_find(&inbox, hash(0)));
    assert_non_null(inbox_find(&inbox, hash(OMS_INBOX_ENTRIES_MAX - 1)));
}

static void bytes_and_back(void **state)
{
    (void)state;
    struct oms_buf first, second;
    struct inbox copy;
    add(1, INBOX_REFUSED, 5);
    add(2, INBOX_WAITING, 6);
    add(3, INBOX_WAITING, 7);
    assert_int_equal(settle(3, INBOX_FAILED, 9), OMS_OK);
    oms_buf_init(&first, 1 << 20);
    oms_buf_init(&second, 1 << 20);
    inbox_encode(&inbox, &first);
    inbox_init(&copy);
    assert_int_equal(inbox_decode(oms_buf_str(&first), &copy), OMS_OK);
    inbox_encode(&copy, &second);
    assert_true(oms_str_eq(oms_buf_str(&first), oms_buf_str(&second)));
    assert_int_equal(copy.waiting, 1);
    assert_int_equal(copy.version, inbox.version);
    assert_true(oms_str_eq_c(inbox_find_number(&copy, 3)->reason, "because"));
    inbox_fini(&copy);
    for (size_t len = 0; len < first.len; len++) { /* truncated anywhere: refused, or a shorter list */
        inbox_init(&copy);
        (void)!inbox_decode(oms_str_make(first.data, len), &copy);
        inbox_fini(&copy);
    }
    inbox_init(&copy);
    assert_int_equal(inbox_decode(OMS_STR("\x1b\xff\xff"), &copy), OMS_CORRUPT);
    inbox_fini(&copy);
    oms_buf_fini(&first);
    oms_buf_fini(&second);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_refusal_is_remembered_for_a_day),
        TEST(what_waits_is_due_until_it_is_settled),
        TEST(what_waits_is_never_forgotten_and_what_expired_is_kept_a_week),
        TEST(a_lane_is_bounded),
        TEST(a_full_lane_forgets_what_waited_in_vain),
        TEST(bytes_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
