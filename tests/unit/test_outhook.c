/* Webhooks out: which addresses are special, URLs, signatures, pauses, and the stored form of an outlet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "actors/outlet.h"
#include "http/outhook/address.h"
#include "http/outhook/event.h"
#include "http/outhook/signing.h"
#include "runtime/base/buf.h"

/* ---- addresses ---- */

static struct outhook_address address_of(const char *text)
{
    struct outhook_address address;

    if (!outhook_address_parse(oms_str_of(text), &address))
        fail_msg("%s is an address", text);
    return address;
}

static void test_special_addresses_are_refused(void **state)
{
    static const char *const special[] = {"0.0.0.0",
                                          "0.255.255.255",
                                          "10.0.0.0",
                                          "10.255.255.255",
                                          "100.64.0.0",
                                          "100.127.255.255",
                                          "127.0.0.1",
                                          "127.255.255.255",
                                          "169.254.169.254",
                                          "172.16.0.0",
                                          "172.31.255.255",
                                          "192.0.0.1",
                                          "192.0.2.1",
                                          "192.88.99.1",
                                          "192.168.0.0",
                                          "192.168.255.255",
                                          "198.18.0.1",
                                          "198.19.255.255",
                                          "198.51.100.7",
                                          "203.0.113.9",
                                          "224.0.0.1",
                                          "239.255.255.255",
                                          "240.0.0.1",
                                          "255.255.255.255",
                                          "::",
                                          "::1",
                                          "::7f00:1",
                                          "::ffff:10.0.0.1",
                                          "::ffff:127.0.0.1",
                                          "::ffff:0:127.0.0.1",
                                          "64:ff9b::7f00:1",
                                          "64:ff9b::10.0.0.1",
                                          "64:ff9b:1::1",
                                          "100::1",
                                          "2001::1",
                                          "2001:1ff::1",
                                          "2001:db8::1",
                                          "2002:7f00:1::",
                                          "2002:a00:1::1",
                                          "3fff::1",
                                          "5f00::1",
                                          "fc00::1",
                                          "fdff::1",
                                          "fe80::1",
                                          "febf::1",
                                          "fec0::1",
                                          "ff02::1",
                                          "8000::1",
                                          "1::1",
                                          "2002:c0a8:101::1"};
    static const char *const ordinary[] = {
        "1.1.1.1",         "9.255.255.255", "11.0.0.0",        "100.63.255.255",   "100.128.0.0",
        "126.255.255.255", "128.0.0.0",     "169.253.255.255", "172.15.255.255",   "172.32.0.0",
        "192.167.255.255", "192.169.0.0",   "198.17.255.255",  "198.20.0.0",       "223.255.255.255",
        "2606:4700::1111", "2a00::1",       "2001:4860::1",    "64:ff9b::1.1.1.1", "2002:101:101::1",
        "::ffff:1.1.1.1"};
    const struct outhook_policy none = {0}, all = {.allow_private = true};

    (void)state;
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        struct outhook_address address = address_of(special[i]);
        if (!outhook_address_special(&address) || outhook_address_allowed(&none, &address))
            fail_msg("%s is special", special[i]);
        assert_true(outhook_address_allowed(&all, &address));
    }
    for (size_t i = 0; i < sizeof ordinary / sizeof *ordinary; i++) {
        struct outhook_address address = address_of(ordinary[i]);
        if (outhook_address_special(&address))
            fail_msg("%s is %s", ordinary[i], outhook_address_special(&address));
        assert_true(outhook_address_allowed(&none, &address));
    }
}

static void test_ranges_allow(void **state)
{
    static const char *const bad[] = {"",           "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/-1", "10.0.0.0/",
                                      "fd00::/129", "10.0.0",      "name",       "::1/64"};
    static const char *const in[] = {"10.1.0.0", "10.1.255.255", "fd12::1", "192.168.7.7",
                                     "64:ff9b::10.1.2.3"};
    static const char *const out[] = {"10.0.255.255", "10.2.0.0", "fd13::1", "192.168.7.8", "127.0.0.1"};
    struct outhook_range ranges[3];
    struct outhook_policy policy = {.ranges = ranges, .range_count = 3};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (outhook_range_parse(oms_str_of(bad[i]), &ranges[0]))
            fail_msg("'%s' is no range", bad[i]);
    assert_true(outhook_range_parse(OMS_STR("10.1.0.0/16"), &ranges[0]));
    assert_true(outhook_range_parse(OMS_STR("fd12::/16"), &ranges[1]));
    assert_true(outhook_range_parse(OMS_STR("192.168.7.7"), &ranges[2]));
    for (size_t i = 0; i < sizeof in / sizeof *in; i++) {
        struct outhook_address address = address_of(in[i]);
        if (!outhook_address_allowed(&policy, &address))
            fail_msg("%s is allowed", in[i]);
    }
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
        struct outhook_address address = address_of(out[i]);
        if (outhook_address_allowed(&policy, &address))
            fail_msg("%s is not allowed", out[i]);
    }
    policy.allow_loopback = true;
    struct outhook_address here = address_of("127.0.0.1"), mapped = address_of("::ffff:127.0.0.1"),
                           there = address_of("10.0.0.1");
    assert_true(outhook_address_allowed(&policy, &here));
    assert_true(outhook_address_allowed(&policy, &mapped));
    assert_false(outhook_address_allowed(&policy, &there));
}

static void test_urls(void **state)
{
    static const char *const good[] = {"https://example.com/", "https://example.com:8443/a?b=c",
                                       "https://1.1.1.1/", "https://[2606:4700::1111]/x",
                                       "HTTPS://EXAMPLE.COM"};
    static const char *const bad[] = {"",
                                      "example.com",
                                      "https://",
                                      "ftp://example.com/",
                                      "http://example.com/",
                                      "file:///etc/passwd",
                                      "https://u@example.com/",
                                      "https://u:p@example.com/",
                                      "https://example.com/#x",
                                      "https://exa mple.com/",
                                      "https://example.com/\n",
                                      "https://2130706433/",
                                      "https://0x7f.1/",
                                      "https://0177.0.0.1/",
                                      "https://127.1/",
                                      "https://[::ffff:127.0.0.1]/",
                                      "https://[::1]/",
                                      "https://169.254.169.254/latest",
                                      "https://\xc3\xbc.example/",
                                      "gopher://example.com/"};
    const struct outhook_policy none = {0}, clear = {.allow_http = true};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (outhook_url_fault(oms_str_of(good[i]), &none))
            fail_msg("%s: %s", good[i], outhook_url_fault(oms_str_of(good[i]), &none));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!outhook_url_fault(oms_str_of(bad[i]), &none))
            fail_msg("%s is refused", bad[i]);
    assert_null(outhook_url_fault(OMS_STR("http://example.com/"), &clear));
    assert_non_null(outhook_url_fault(OMS_STR("http://10.0.0.1/"), &clear));
}

/* ---- signatures: the example of the standard's own documentation ---- */

static void test_signature(void **state)
{
    struct outhook_signer *signer = outhook_signer_create();
    struct outhook_key key;
    struct oms_buf out;
    char secret[OUTHOOK_SECRET_TEXT_SIZE], other[OUTHOOK_SECRET_TEXT_SIZE];

    (void)state;
    oms_buf_init(&out, 256);
    assert_true(outhook_key_parse(OMS_STR("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &key));
    for (int i = 0; i < 2; i++) { /* the second time on a context that was used */
        oms_buf_reset(&out);
        outhook_sign(signer, &key, OMS_STR("msg_p5jXN8AQM9LWM0D4loKWxJek"), 1614265330,
                     OMS_STR("{\"test\": 2432232314}"), &out);
        assert_true(oms_str_eq_c(oms_buf_str(&out), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }
    assert_false(outhook_key_parse(OMS_STR("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &key));
    assert_false(outhook_key_parse(OMS_STR("whsec_c2hvcnQ="), &key));
    assert_false(outhook_key_parse(OMS_STR("whsec_!"), &key));
    outhook_secret_make(secret);
    outhook_secret_make(other);
    assert_true(outhook_key_parse(oms_str_make(secret, sizeof secret), &key));
    assert_int_equal(key.len, 32);
    assert_memory_not_equal(secret, other, sizeof secret);
    oms_buf_fini(&out);
    outhook_signer_destroy(signer);
}

static void test_names(void **state)
{
    char out[48], small[8];

    (void)state;
    outhook_type_name(OMS_STR("ORDER_SHIPPED"), out, sizeof out);
    assert_string_equal(out, "order.shipped");
    outhook_type_name(OMS_STR("LINE_ITEMS_ADDED"), out, sizeof out);
    assert_string_equal(out, "line_items.added");
    outhook_type_name(OMS_STR("LONELY"), out, sizeof out);
    assert_string_equal(out, "lonely");
    outhook_type_name(OMS_STR("ORDER_SHIPPED"), small, sizeof small);
    assert_string_equal(small, "order.s");
}

static void test_pauses(void **state)
{
    int64_t longest = 0;

    (void)state;
    for (unsigned attempt = 2; attempt < 80; attempt++) {
        int64_t most = outhook_pause_ms(attempt, 5000, 43200000, UINT64_MAX / 3 * 2);
        assert_true(most > 0 && most <= 43200000);
        for (uint64_t random = 0; random < 50; random++) {
            int64_t pause = outhook_pause_ms(attempt, 5000, 43200000, oms_mix64(random));
            assert_true(pause > 0 && pause <= 43200000);
            longest = pause > longest ? pause : longest;
        }
    }
    assert_true(longest > 43200000 / 2);
    assert_true(outhook_pause_ms(2, 5000, 43200000, 4999) == 5000);
    assert_true(outhook_pause_ms(2, 5000, 43200000, 5000) == 1);
    assert_true(outhook_pause_ms(3, 5000, 43200000, 9999) == 10000);
    assert_true(outhook_pause_ms(16, 1, 1, 12345) == 1);
}

static void test_retry_after(void **state)
{
    const int64_t now_ms = 1000000000000;

    (void)state;
    assert_true(outhook_retry_after_ms(OMS_STR("120"), now_ms) == 120000);
    assert_true(outhook_retry_after_ms(OMS_STR(" 5 "), now_ms) == 5000);
    assert_true(outhook_retry_after_ms(OMS_STR("99999999999999"), now_ms) == OMS_OUTHOOK_RETRY_AFTER_MAX_MS);
    assert_true(outhook_retry_after_ms(OMS_STR("-5"), now_ms) == 0);
    assert_true(outhook_retry_after_ms(OMS_STR("soon"), now_ms) == 0);
    assert_true(outhook_retry_after_ms(OMS_STR(""), now_ms) == 0);
    assert_true(outhook_retry_after_ms(OMS_STR("Sun, 09 Sep 2001 01:47:40 GMT"), now_ms) == 60000);
    assert_true(outhook_retry_after_ms(OMS_STR("Sun, 09 Sep 2001 01:40:40 GMT"), now_ms) == 0);
}

/* ---- events ---- */

#define EVENT                                                                                                \
    "{\"type\":\"HOLD_PLACED\",\"at\":\"2026-01-01T00:00:00.000Z\",\"id\":\"abc\",\"order\":{\"orderId\":"   \
    "\"ORD-1\",\"x\":1},\"change\":{}}"

static void test_events(void **state)
{
    struct outhook_event_text event;
    struct oms_buf out;

    (void)state;
    oms_buf_init(&out, 4096);
    assert_true(outhook_event_read(OMS_STR("{\"data\":{\"tenantEvents\":{\"event\":" EVENT "}}}"), &event));
    outhook_event_write(&event, &out);
    assert_true(oms_str_eq_c(
        oms_buf_str(&out),
        "{\"type\":\"hold.placed\",\"timestamp\":\"2026-01-01T00:00:00.000Z\",\"data\":" EVENT "}"));
    assert_true(oms_str_eq_c(event.order_id, "ORD-1"));
    assert_true(oms_str_eq_c(event.id, "abc"));
    assert_false(outhook_event_read(OMS_STR(""), &event));
    assert_false(outhook_event_read(OMS_STR("{\"data\":{\"tenantEvents\":{\"event\":null}}}"), &event));
    assert_false(outhook_event_read(OMS_STR("{\"data\":{\"tenantEvents\":{\"event\":{\"type\":\"X"), &event));
    oms_buf_fini(&out);
}

/* ---- the outlet ---- */

static struct outlet_letter letter_at(uint64_t commit, int64_t since)
{
    return (struct outlet_letter){.at = {commit, 1},
                                  .tries = 3,
                                  .since = since,
                                  .order = "ORD-1",
                                  .type = "order.shipped",
                                  .reason = "the answer is 500"};
}

static void apply(struct outlet *outlet, struct oms_buf *change, int64_t time_ms)
{
    assert_false(change->overflow);
    assert_int_equal(outlet_apply(outlet, oms_buf_str(change), time_ms), OMS_OK);
    outlet->version++;
    oms_buf_reset(change);
}

static void test_outlet_folds(void **state)
{
    const struct outlet_pending pending[] = {{{5, 0}, 0, 0}, {{7, 2}, 4, 123456}};
    struct outlet_try attempt = {.at = {5, 0},
                                 .time = 99,
                                 .attempt = 2,
                                 .duration_ms = 12,
                                 .status = 500,
                                 .type = "order.shipped",
                                 .reason = "the answer is 500"};
    struct outlet outlet, again;
    struct outlet_letter letter = letter_at(3, 1000);
    struct oms_buf change, bytes, repeat;

    (void)state;
    outlet_init(&outlet);
    outlet_init(&again);
    oms_buf_init(&change, 1u << 20);
    oms_buf_init(&bytes, 1u << 20);
    oms_buf_init(&repeat, 1u << 20);
    outlet_put_place((struct ids_cursor){9, 3}, &change);
    outlet_put_pending(&pending[0], &change);
    outlet_put_pending(&pending[1], &change);
    outlet_put_letter(&letter, &change);
    for (int i = 0; i < OMS_OUTLET_TRIES_MAX + 5; i++) {
        attempt.attempt = (uint32_t)i;
        outlet_put_try(&attempt, &change);
    }
    outlet.delivered = 7;
    outlet.error_at = 55;
    outlet_put_sums(&outlet, &change);
    apply(&outlet, &change, 1000);
    assert_int_equal(outlet.pending_count, 2);
    assert_int_equal(outlet.pending[1].tries, 4);
    assert_int_equal(outlet.try_count, OMS_OUTLET_TRIES_MAX);
    assert_int_equal(outlet.tries[0].attempt, 5);
    assert_int_equal(outlet.letter_count, 1);
    assert_string_equal(outlet_find_letter(&outlet, (struct ids_cursor){3, 1})->reason, "the answer is 500");

    outlet_encode(&outlet, &bytes);
    assert_int_equal(outlet_decode(oms_buf_str(&bytes), &again), OMS_OK);
    outlet_encode(&again, &repeat);
    assert_true(oms_str_eq(oms_buf_str(&bytes), oms_buf_str(&repeat)));
    assert_int_equal(again.version, 1);
    assert_int_equal(again.delivered, 7);

    /* A new place forgets what was pending; letters stay until they are gone. */
    outlet_put_place((struct ids_cursor){12, 0}, &change);
    apply(&outlet, &change, 2000);
    assert_int_equal(outlet.pending_count, 0);
    assert_int_equal(outlet.letter_count, 1);
    outlet_put_letter_gone(letter.at, &change);
    apply(&outlet, &change, 2000);
    assert_int_equal(outlet.letter_count, 0);
    outlet_put_cleared(&change);
    apply(&outlet, &change, 2000);
    assert_int_equal(outlet.high.commit, 0);
    outlet_fini(&outlet);
    outlet_fini(&again);
    oms_buf_fini(&change);
    oms_buf_fini(&bytes);
    oms_buf_fini(&repeat);
}

static void test_letters_are_bounded(void **state)
{
    const int64_t week = OMS_OUTLET_LETTERS_KEEP_MS;
    struct outlet outlet;
    struct oms_buf change;

    (void)state;
    outlet_init(&outlet);
    oms_buf_init(&change, 8u << 20);
    for (unsigned i = 0; i < OMS_OUTLET_LETTERS_MAX + 10; i++) {
        struct outlet_letter letter = letter_at(i + 1, i);
        outlet_put_letter(&letter, &change);
    }
    apply(&outlet, &change, 5000);
    assert_int_equal(outlet.letter_count, OMS_OUTLET_LETTERS_MAX);
    assert_int_equal(outlet.letters[0].at.commit, 11);
    outlet_put_place((struct ids_cursor){1, 0}, &change);
    apply(&outlet, &change, 20 + week);
    assert_int_equal(outlet.letters[0].since, 20);
    struct outlet_letter again = letter_at(21, 77);
    outlet_put_letter(&again, &change); /* once, however often */
    apply(&outlet, &change, 20 + week);
    assert_int_equal(outlet.letters[outlet.letter_count - 1].at.commit, 21);
    assert_int_equal(outlet.letters[0].at.commit, 22);
    outlet_fini(&outlet);
    oms_buf_fini(&change);
}

static void test_foreign_bytes_are_refused(void **state)
{
    static const char *const bad[] = {"\xff", "\x05\x7f", "\x04\x01", "\x05\x02\x02\xff"};
    struct outlet outlet;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        outlet_init(&outlet);
        assert_int_equal(outlet_apply(&outlet, oms_str_of(bad[i]), 0), OMS_CORRUPT);
        outlet_fini(&outlet);
    }
    outlet_init(&outlet);
    assert_int_equal(outlet_decode(OMS_STR(""), &outlet), OMS_CORRUPT);
    outlet_fini(&outlet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_special_addresses_are_refused),
        cmocka_unit_test(test_ranges_allow),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_pauses),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_outlet_folds),
        cmocka_unit_test(test_letters_are_bounded),
        cmocka_unit_test(test_foreign_bytes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
