/* Payloads: the text of an event, where its JSON lies, and holds on many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "http/payload.h"

static void check_event(const char *name, struct oms_str id, const char *json, const char *text)
{
    struct http_payload *payload = http_payload_event(name, id, oms_str_of(json));
    assert_int_equal(payload->len, strlen(text));
    assert_true(oms_str_eq_c(http_payload_text(payload), text));
    assert_true(oms_str_eq_c(http_payload_json(payload), json));
    assert_int_equal(payload->commit, 0);
    assert_int_equal(payload->events, 0);
    http_payload_release(payload);
}

static void test_events(void **state)
{
    (void)state;
    check_event("next", OMS_STR("42.1"), "{\"data\":{}}", "event: next\nid: 42.1\ndata: {\"data\":{}}\n\n");
    check_event("next", OMS_STR_NONE, "{}", "event: next\ndata: {}\n\n");
    check_event("complete", OMS_STR_NONE, "", "event: complete\ndata: \n\n");
    /* An empty id is one: it forgets the last (HTML standard, section 9.2.6). */
    check_event("next", OMS_STR(""), "{}", "event: next\nid: \ndata: {}\n\n");
}

static void test_nothing_to_release(void **state)
{
    (void)state;
    http_payload_release(NULL);
    struct http_payload *payload = http_payload_create(0);
    assert_int_equal(http_payload_text(payload).len, 0);
    http_payload_release(payload);
}

#define THREADS 4
#define ROUNDS  10000

/* Takes holds and gives them back, and one more at the end: its own. */
static void *share(void *arg)
{
    struct http_payload *payload = arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct http_payload *mine = http_payload_hold(payload);
        assert_int_equal(mine->bytes[i % mine->len], 'x');
        http_payload_release(mine);
    }
    http_payload_release(payload);
    return NULL;
}

static void test_holds_of_threads(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    struct http_payload *payload = http_payload_create(1000);
    memset(payload->bytes, 'x', payload->len);
    for (unsigned i = 0; i < THREADS; i++) {
        http_payload_hold(payload);
        assert_int_equal(pthread_create(&threads[i], NULL, share, payload), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&payload->holds), 1); /* a lost count would leak it or free it twice */
    http_payload_release(payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_nothing_to_release),
        cmocka_unit_test(test_holds_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
