/* When a connection is ended, and above all when it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/guard.h"

static const struct http_guard_limits limits = {
    .buffered_bytes_max = 4u << 20, .request_timeout_ms = 30000, .response_timeout_ms = 60000};

static enum http_guard_verdict judge(struct http_guard *guard, const struct http_guard_sample *sample)
{
    return http_guard_judge(guard, sample, &limits);
}

/* A minute of a busy, honest HTTP/2 client: always something on its way, now and then a cancelled stream. */
static void test_honest_client(void **state)
{
    (void)state;
    struct http_guard guard = {0};
    struct http_guard_sample sample = {0};
    for (unsigned i = 0; i < 240; i++) {
        sample.requests += 5000;
        sample.streams = sample.requests + 2;
        sample.receiving = 2;
        sample.in_flight = 50;
        sample.abandoned += 20;
        sample.request_bytes += 5000 * 900;
        sample.received_bytes += 5000 * 700 + (i % 2 ? 200000 : 0);
        sample.oldest_receiving_ms = 40;
        assert_int_equal(judge(&guard, &sample), HTTP_GUARD_FINE);
    }
    assert_true(guard.buffered < 1u << 20);
}

static void test_unfinished_bodies(void **state)
{
    (void)state;
    struct http_guard guard = {0};
    struct http_guard_sample sample = {.receiving = 4, .streams = 4};
    for (unsigned i = 0; i < 4; i++) {
        sample.received_bytes += 1u << 20;
        assert_int_equal(judge(&guard, &sample), HTTP_GUARD_FINE);
    }
    assert_int_equal(guard.buffered, 4u << 20);
    sample.received_bytes += 1;
    assert_int_equal(judge(&guard, &sample), HTTP_GUARD_BUFFERED);
    /* They arrive: nothing is buffered any more. */
    sample = (struct http_guard_sample){.requests = 4,
                                        .streams = 4,
                                        .received_bytes = sample.received_bytes,
                                        .request_bytes = sample.received_bytes};
    assert_int_equal(judge(&guard, &sample), HTTP_GUARD_FINE);
    assert_int_equal(guard.buffered, 0);
    /* HTTP/1 knows exactly. */
    sample.buffered_bytes = (4u << 20) + 1;
    assert_int_equal(judge(&guard, &sample), HTTP_GUARD_BUFFERED);
}

static void test_compression_earns_no_credit(void **state)
{
    (void)state;
    struct http_guard guard = {0};
    struct http_guard_sample sample = {0};
    /* A hundred thousand small requests with large, well compressed headers … */
    for (unsigned i = 0; i < 10; i++) {
        sample.requests += 10000;
        sample.streams = sample.requests;
        sample.request_bytes += UINT64_C(10000) * 8000;
        sample.received_bytes += 10000 * 30;
        assert_int_equal(judge(&guard, &sample), HTTP_GUARD_FINE);
    }
    /* … buy no room for bodies. */
    sample.receiving = 5;
    sample.streams += 5;
    sample.received_bytes += (4u << 20) + 1;
    assert_int_equal(judge(&guard, &sample), HTTP_GUARD_BUFFERED);
}

static void test_rapid_reset_after_dispatch(void **state)
{
    (void)state;
    struct http_guard guard = {0};
    struct http_guard_sample sample = {.requests = 3000, .streams = 3000, .abandoned = 900};
    assert_int_equal(judge(&guard, &sample), HTTP_GUARD_FINE); /* a page was closed */
    sample.requests += 900;
    sample.streams += 900;
    sample.abandoned += 900;
    assert_int_equal(judge(&guard, &sample), HTTP_GUARD_RESETS);
}

static void test_rapid_reset_before_dispatch(void **state)
{
    (void)state;
    struct http_guard guard = {0};
    struct http_guard_sample sample = {0};
    enum http_guard_verdict verdict = HTTP_GUARD_FINE;
    unsigned intervals = 0;
    while (verdict == HTTP_GUARD_FINE && intervals < 100) {
        sample.streams += 500;
        sample.received_bytes += 500 * 42;
        sample.receiving = 1;
        verdict = judge(&guard, &sample);
        intervals++;
    }
    assert_int_equal(verdict, HTTP_GUARD_RESETS);
    assert_in_range(intervals, 2, 4);
}

static void test_slow_cancelling_is_fine(void **state)
{
    (void)state;
    struct http_guard guard = {0};
    struct http_guard_sample sample = {0};
    for (unsigned i = 0; i < 2400; i++) { /* ten minutes, 80 a second */
        sample.requests += 20;
        sample.streams += 20;
        sample.abandoned += 20;
        assert_int_equal(judge(&guard, &sample), HTTP_GUARD_FINE);
    }
}

static void test_noise(void **state)
{
    (void)state;
    struct http_guard guard = {0};
    struct http_guard_sample sample = {0};
    for (unsigned i = 0; i + 1 < HTTP_GUARD_NOISE_STRIKES; i++) {
        sample.received_bytes += HTTP_GUARD_NOISE_BYTES + 1;
        assert_int_equal(judge(&guard, &sample), HTTP_GUARD_FINE);
    }
    sample.received_bytes += HTTP_GUARD_NOISE_BYTES + 1;
    assert_int_equal(judge(&guard, &sample), HTTP_GUARD_NOISE);
    /* A quiet time is forgiven. */
    guard = (struct http_guard){.last_received = sample.received_bytes};
    for (unsigned i = 0; i < 100; i++) {
        sample.received_bytes += i % 2 ? HTTP_GUARD_NOISE_BYTES + 1 : 100;
        assert_int_equal(judge(&guard, &sample), HTTP_GUARD_FINE);
    }
}

/* Who reads streams answers every DATA frame with two WINDOW_UPDATE frames, 26 bytes for 109 at least. */
static void test_readers_of_streams_are_no_noise(void **state)
{
    (void)state;
    struct http_guard guard = {0};
    struct http_guard_sample sample = {0};
    for (unsigned i = 0; i < 100; i++) {
        sample.sent_bytes += 100000 * 109;
        sample.received_bytes += 100000 * 26;
        assert_int_equal(judge(&guard, &sample), HTTP_GUARD_FINE);
    }
    /* A flood of pings gets as much back as it sends, and is one all the same. */
    enum http_guard_verdict verdict = HTTP_GUARD_FINE;
    for (unsigned i = 0; i < HTTP_GUARD_NOISE_STRIKES && verdict == HTTP_GUARD_FINE; i++) {
        sample.sent_bytes += 2 * HTTP_GUARD_NOISE_BYTES;
        sample.received_bytes += 2 * HTTP_GUARD_NOISE_BYTES;
        verdict = judge(&guard, &sample);
    }
    assert_int_equal(verdict, HTTP_GUARD_NOISE);
}

static void test_slow_ones(void **state)
{
    (void)state;
    struct http_guard guard = {0};
    struct http_guard_sample sample = {.receiving = 1, .streams = 1, .oldest_receiving_ms = 30000};
    assert_int_equal(judge(&guard, &sample), HTTP_GUARD_FINE);
    sample.oldest_receiving_ms = 30001;
    assert_int_equal(judge(&guard, &sample), HTTP_GUARD_SLOW_REQUEST);
    sample.in_flight = 1; /* its answer is waited for, but not for ever */
    assert_int_equal(judge(&guard, &sample), HTTP_GUARD_FINE);
    sample.oldest_receiving_ms = 60001;
    assert_int_equal(judge(&guard, &sample), HTTP_GUARD_SLOW_REQUEST);
    sample = (struct http_guard_sample){.requests = 1, .streams = 1, .oldest_unsent_ms = 60001};
    assert_int_equal(judge(&guard, &sample), HTTP_GUARD_SLOW_RESPONSE);
    for (unsigned i = 0; i < HTTP_GUARD_VERDICTS; i++)
        assert_non_null(http_guard_verdict_name((enum http_guard_verdict)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest_client),
        cmocka_unit_test(test_unfinished_bodies),
        cmocka_unit_test(test_compression_earns_no_credit),
        cmocka_unit_test(test_rapid_reset_after_dispatch),
        cmocka_unit_test(test_rapid_reset_before_dispatch),
        cmocka_unit_test(test_slow_cancelling_is_fine),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_readers_of_streams_are_no_noise),
        cmocka_unit_test(test_slow_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
