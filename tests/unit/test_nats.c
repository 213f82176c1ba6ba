/* What is said to a broker and what it says, as text; and the stored form of a mark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "actors/mark.h"
#include "http/nats/event_text.h"
#include "http/nats/protocol.h"

static struct oms_arena arena;
static struct oms_buf out;

static int setup(void **state)
{
    (void)state;
    oms_arena_init(&arena, 4096, 1u << 20);
    oms_buf_init(&out, 1u << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    oms_arena_fini(&arena);
    oms_buf_fini(&out);
    return 0;
}

static void assert_text(struct oms_str actual, const char *expected)
{
    if (!oms_str_eq_c(actual, expected))
        print_error("'%.*s' is not '%s'\n", OMS_STR_ARG(actual), expected);
    assert_true(oms_str_eq_c(actual, expected));
}

static const char *written(void)
{
    oms_buf_append_char(&out, '\0');
    out.len--;
    return out.data;
}

/* ---- subjects ---- */

static void test_tokens_go_there_and_back(void **state)
{
    static const struct {
        const char *text, *token;
    } cases[] = {{"shop", "shop"},      {"a.b", "a%2Eb"},       {"a b*>", "a%20b%2A%3E"},
                 {"100%", "100%25"},    {"\xc3\xa9", "%C3%A9"}, {"orders/paid", "orders/paid"},
                 {"\x01\x7f", "%01%7F"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        oms_buf_reset(&out);
        nats_token_write(&out, oms_str_of(cases[i].text));
        assert_text(oms_buf_str(&out), cases[i].token);
        assert_text(nats_token_read(oms_buf_str(&out), &arena), cases[i].text);
    }
    assert_text(nats_token_read(OMS_STR("a%2eb"), &arena), "a.b");
    assert_false(oms_str_present(nats_token_read(OMS_STR("a%2"), &arena)));
    assert_false(oms_str_present(nats_token_read(OMS_STR("a%"), &arena)));
    assert_false(oms_str_present(nats_token_read(OMS_STR("a%zz"), &arena)));
}

static bool match(const char *pattern, const char *subject, struct oms_str *tenant, struct oms_str *topic)
{
    return nats_subject_match(oms_str_of(pattern), oms_str_of(subject), &arena, tenant, topic);
}

static void test_subjects(void **state)
{
    struct oms_str tenant, topic;

    (void)state;
    assert_true(match("in.{tenant}.{topic}", "in.a%2Eb.orders/paid", &tenant, &topic));
    assert_text(tenant, "a.b");
    assert_text(topic, "orders/paid");
    assert_false(match("in.{tenant}.{topic}", "in.a", &tenant, &topic));
    assert_false(match("in.{tenant}.{topic}", "in.a.b.c", &tenant, &topic));
    assert_false(match("in.{tenant}.{topic}", "out.a.b", &tenant, &topic));
    assert_false(match("in.{tenant}.{topic}", "in.a%.b", &tenant, &topic));
    assert_true(match("identity.>", "identity.events.UserLoggedIn", &tenant, &topic));
    assert_false(oms_str_present(tenant) || oms_str_present(topic));
    assert_false(match("identity.>", "identity", &tenant, &topic));
    assert_true(match("identity.*.{tenant}", "identity.x.y", &tenant, &topic));
    assert_text(tenant, "y");
    nats_filter_write(&out, OMS_STR("in.{tenant}.x.{topic}.>"));
    assert_text(oms_buf_str(&out), "in.*.x.*.>");
}

static void test_where_to_acknowledge(void **state)
{
    struct nats_ack_place place;

    (void)state;
    assert_true(nats_ack_place_read(OMS_STR("$JS.ACK.S.C.2.30.4.1700000000000000005.6"), &place));
    assert_text(place.stream, "S");
    assert_text(place.consumer, "C");
    assert_int_equal(place.delivered, 2);
    assert_int_equal(place.sequence, 30);
    assert_true(place.time_ns == UINT64_C(1700000000000000005));
    assert_int_equal(place.pending, 6);
    /* With domain, account and token, as later servers write it. */
    assert_true(nats_ack_place_read(OMS_STR("$JS.ACK.hub.ACC.S.C.1.2.3.4.5.tok"), &place));
    assert_text(place.stream, "S");
    assert_int_equal(place.sequence, 2);
    static const char *const others[] = {"",
                                         "$JS.ACK",
                                         "$JS.ACK.S.C.2.30.4.5",
                                         "$JS.NAK.S.C.2.30.4.5.6",
                                         "$JS.ACK.S.C.x.30.4.5.6",
                                         "$JS.ACK.S.C.-1.30.4.5.6",
                                         "$JS.ACK.1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(nats_ack_place_read(oms_str_of(others[i]), &place));
    assert_false(nats_ack_place_read(OMS_STR_NONE, &place));
}

/* ---- requests and answers ---- */

static void test_requests(void **state)
{
    const struct http_nats_settings settings = {.replicas = 3, .max_age_hours = 1, .duplicate_window_s = 120};
    const struct http_nats_consume consume = {.stream = OMS_STR("S"), .durable = OMS_STR("D")};

    (void)state;
    nats_stream_create_write(&out, OMS_STR("A\"B"), OMS_STR("x.>"), &settings);
    assert_non_null(strstr(written(), "\"name\":\"A\\\"B\",\"subjects\":[\"x.>\"]"));
    assert_non_null(strstr(out.data, "\"max_bytes\":-1,\"max_age\":3600000000000,\"num_replicas\":3,"
                                     "\"duplicate_window\":120000000000"));
    oms_buf_reset(&out);
    nats_consumer_create_write(&out, &consume, OMS_STR("in.*"));
    assert_non_null(strstr(written(), "\"stream_name\":\"S\",\"config\":{\"durable_name\":\"D\","
                                      "\"filter_subject\":\"in.*\""));
    assert_non_null(strstr(out.data, "\"ack_policy\":\"explicit\",\"ack_wait\":30000000000"));
    oms_buf_reset(&out);
    nats_pull_write(&out, 5, 1000, 2000);
    assert_text(oms_buf_str(&out), "{\"batch\":5,\"max_bytes\":1000,\"expires\":2000000000}");
    oms_buf_reset(&out);
    nats_nak_write(&out, 500);
    assert_text(oms_buf_str(&out), "-NAK {\"delay\":500000000}");
}

static void test_answers(void **state)
{
    struct nats_answer answer;

    (void)state;
    assert_true(
        nats_answer_read(OMS_STR("{\"stream\":\"S\",\"seq\":7,\"duplicate\": true}"), &arena, &answer));
    assert_text(answer.stream, "S");
    assert_int_equal(answer.sequence, 7);
    assert_true(answer.duplicate && !answer.error);
    assert_true(nats_answer_read(
        OMS_STR("{\"error\":{\"code\":400,\"err_code\":10070,\"description\":\"wrong\"}}"), &arena, &answer));
    assert_int_equal(answer.error, NATS_ERROR_WRONG_LAST_ID);
    assert_text(answer.message, "wrong");
    assert_true(nats_answer_read(OMS_STR("{\"error\":{}}"), &arena, &answer));
    assert_int_equal(answer.error, 500);
    assert_true(nats_answer_read(OMS_STR("{\"created\":\"2026\",\"state\":{\"first_seq\":3,\"last_seq\":9}}"),
                                 &arena, &answer));
    assert_text(answer.created, "2026");
    assert_int_equal(answer.last, 9);
    /* "NATS/1.0\r\nNats-Msg-Id: shop:c:o\r\n\r\n" */
    assert_true(nats_answer_read(OMS_STR("{\"message\":{\"subject\":\"s\",\"seq\":4,\"hdrs\":"
                                         "\"TkFUUy8xLjANCk5hdHMtTXNnLUlkOiBzaG9wOmM6bw0KDQo=\"}}"),
                                 &arena, &answer));
    assert_int_equal(answer.sequence, 4);
    assert_text(answer.last_id, "shop:c:o");
    assert_true(nats_answer_read(OMS_STR("{\"message\":{\"seq\":4}}"), &arena, &answer));
    assert_false(oms_str_present(answer.last_id));
    assert_false(nats_answer_read(OMS_STR(""), &arena, &answer));
    assert_false(nats_answer_read(OMS_STR("[]"), &arena, &answer));
    assert_false(nats_answer_read(OMS_STR("{\"seq\":"), &arena, &answer));
    assert_false(
        oms_str_present(nats_header_find(OMS_STR("NATS/1.0\r\nX-Nats-Msg-Id: a\r\n"), "Nats-Msg-Id")));
}

/* ---- events ---- */

#define HEAD "{\"data\":{\"tenantEvents\":{\"event\":"
#define EVENT                                                                                                \
    "{\"type\":\"NOTE_ADDED\",\"order\":{\"orderId\":\"ORD-1\",\"stage\":\"DRAFT\"},\"id\":\"x\","           \
    "\"change\":{\"note\":\",\\\"order\\\":{\"}}"

static void test_an_event_is_taken_out(void **state)
{
    struct nats_event_text event;

    (void)state;
    assert_true(nats_event_text_read(OMS_STR(HEAD EVENT "}}}"), &event));
    assert_text(event.json, EVENT);
    assert_text(event.type, "NOTE_ADDED");
    assert_text(event.order_id, "ORD-1");
    static const char *const others[] = {"",
                                         HEAD EVENT,
                                         "{\"errors\":[{\"message\":\"no\"}],\"data\":null}",
                                         HEAD "null}}}",
                                         HEAD "{\"type\":\"A.B\",\"order\":{\"orderId\":\"O\"}}}}}",
                                         HEAD "{\"type\":\"A\",\"order\":{\"orderId\":\"\"}}}}}",
                                         HEAD "{\"type\":\"A\",\"order\":{\"orderId\":\"O"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(nats_event_text_read(oms_str_of(others[i]), &event));
}

static void test_an_event_is_shortened(void **state)
{
    struct nats_event_text event;

    (void)state;
    assert_true(nats_event_text_read(OMS_STR(HEAD EVENT "}}}"), &event));
    assert_true(nats_event_text_shorten(&event, false, &out));
    assert_text(oms_buf_str(&out), "{\"type\":\"NOTE_ADDED\",\"order\":{\"orderId\":\"ORD-1\"},\"id\":\"x\","
                                   "\"change\":{\"note\":\",\\\"order\\\":{\"}}");
    oms_buf_reset(&out);
    assert_true(nats_event_text_shorten(&event, true, &out));
    assert_text(oms_buf_str(&out),
                "{\"type\":\"NOTE_ADDED\",\"order\":{\"orderId\":\"ORD-1\"},\"id\":\"x\",\"change\":{}}");
}

/* ---- marks ---- */

static void test_a_mark_is_stored(void **state)
{
    const struct mark mark = {
        .version = 3, .commit = UINT64_C(1) << 40, .ordinal = 2, .sequence = 99, .stream = "2026-12-01"};
    struct mark back;

    (void)state;
    mark_encode(&mark, &out);
    assert_int_equal(mark_decode(oms_buf_str(&out), &back), OMS_OK);
    assert_true(back.version == 3 && back.commit == mark.commit && back.ordinal == 2 && back.sequence == 99);
    assert_string_equal(back.stream, mark.stream);
    for (size_t len = 0; len < out.len; len++) /* cut anywhere, it is refused or a smaller mark */
        if (mark_decode(oms_str_make(out.data, len), &back) == OMS_OK)
            assert_int_equal(back.version, 3);
    assert_int_equal(mark_decode(OMS_STR(""), &back), OMS_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tokens_go_there_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_subjects, setup, teardown),
        cmocka_unit_test_setup_teardown(test_where_to_acknowledge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_event_is_taken_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_event_is_shortened, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_mark_is_stored, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
