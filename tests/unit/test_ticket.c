/* Tickets: once, for a minute, never longer than the token; and texts that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/auth/ticket.h"
#include "runtime/base/limits.h"

#define NOW 1000000

static struct http_claims *claims_of(const char *subject, int64_t expires_ms)
{
    static struct oms_str tenants[2], roles[1];
    struct http_claims *claims = http_claims_create();
    tenants[0] = OMS_STR("shop");
    tenants[1] = OMS_STR("annex");
    roles[0] = OMS_STR("staff");
    claims->subject = oms_str_copy(&claims->arena, oms_str_of(subject));
    claims->expires_ms = expires_ms;
    claims->tenants = tenants;
    claims->tenant_count = 2;
    claims->roles = roles;
    claims->role_count = 1;
    return claims;
}

static void issue(struct http_tickets *tickets, const char *subject, int64_t now_ms, char *text)
{
    struct http_claims *claims = claims_of(subject, NOW + 3600000);
    int64_t expires_ms;
    assert_int_equal(http_ticket_issue(tickets, claims, now_ms, text, &expires_ms), OMS_OK);
    assert_int_equal(expires_ms, now_ms + OMS_TICKET_MS);
    http_claims_release(claims); /* the ticket has a copy */
}

static const struct http_claims *redeem(struct http_tickets *tickets, const char *text, int64_t now_ms)
{
    struct http_ticket ticket;
    assert_true(http_ticket_parse(oms_str_of(text), &ticket));
    assert_int_equal(ticket.shard, 7);
    return http_ticket_redeem(tickets, &ticket, now_ms);
}

static void redeemed_once(void **state)
{
    char first[HTTP_TICKET_TEXT_SIZE], second[HTTP_TICKET_TEXT_SIZE];
    struct http_tickets *tickets = http_tickets_create(7);
    (void)state;
    issue(tickets, "sue", NOW, first);
    issue(tickets, "tom", NOW, second);
    assert_string_not_equal(first, second);
    const struct http_claims *tom = redeem(tickets, second, NOW + 1), *sue = redeem(tickets, first, NOW + 1);
    assert_true(oms_str_eq_c(tom->subject, "tom") && oms_str_eq_c(sue->subject, "sue"));
    assert_int_equal(sue->tenant_count, 2);
    assert_true(oms_str_eq_c(sue->tenants[1], "annex") && oms_str_eq_c(sue->roles[0], "staff"));
    assert_null(redeem(tickets, first, NOW + 1));
    assert_null(redeem(tickets, second, NOW + 1));
    http_claims_release(tom);
    http_claims_release(sue);
    http_tickets_destroy(tickets);
}

static void too_old(void **state)
{
    char text[HTTP_TICKET_TEXT_SIZE];
    struct http_tickets *tickets = http_tickets_create(7);
    struct http_claims *claims = claims_of("sue", NOW + 5000);
    int64_t expires_ms;
    (void)state;
    issue(tickets, "sue", NOW, text);
    assert_null(redeem(tickets, text, NOW + OMS_TICKET_MS));
    /* Never longer than the token itself. */
    assert_int_equal(http_ticket_issue(tickets, claims, NOW, text, &expires_ms), OMS_OK);
    assert_int_equal(expires_ms, NOW + 5000);
    assert_null(redeem(tickets, text, NOW + 5000));
    http_claims_release(claims);
    http_tickets_destroy(tickets);
}

static void bounded(void **state)
{
    char text[HTTP_TICKET_TEXT_SIZE];
    struct http_tickets *tickets = http_tickets_create(7);
    struct http_claims *claims = claims_of("sue", NOW + 3600000);
    int64_t expires_ms;
    (void)state;
    for (unsigned i = 0; i < OMS_TICKETS_SUBJECT_MAX; i++)
        assert_int_equal(http_ticket_issue(tickets, claims, NOW, text, &expires_ms), OMS_OK);
    assert_int_equal(http_ticket_issue(tickets, claims, NOW, text, &expires_ms), OMS_BUSY);
    for (unsigned i = OMS_TICKETS_SUBJECT_MAX; i < OMS_TICKETS_MAX; i++) {
        char subject[16];
        (void)snprintf(subject, sizeof(subject), "sue-%u", i);
        issue(tickets, subject, NOW, text);
    }
    struct http_claims *tom = claims_of("tom", NOW + 3600000);
    assert_int_equal(http_ticket_issue(tickets, tom, NOW, text, &expires_ms), OMS_BUSY);
    http_claims_release(tom);
    assert_int_equal(http_ticket_issue(tickets, claims, NOW + OMS_TICKET_MS, text, &expires_ms), OMS_OK);
    const struct http_claims *sue = redeem(tickets, text, NOW + OMS_TICKET_MS);
    assert_non_null(sue);
    http_claims_release(sue);
    http_claims_release(claims);
    http_tickets_destroy(tickets);
}

static void texts(void **state)
{
    static const char *const bad[] = {"",
                                      "tkt",
                                      "tkt-",
                                      "tkt-1",
                                      "tkt-1-",
                                      "tkt--0123456789abcdef0123456789abcdef",
                                      "tkt-1-0123456789abcdef0123456789abcde",
                                      "tkt-1-0123456789abcdef0123456789abcdef0",
                                      "tkt-1-0123456789abcdef0123456789abcdeg",
                                      "tkt-1-0123456789ABCDEF0123456789ABCDEF",
                                      "tkt-1234-0123456789abcdef0123456789abcdef",
                                      "TKT-1-0123456789abcdef0123456789abcdef"};
    struct http_ticket ticket;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(http_ticket_parse(oms_str_of(bad[i]), &ticket));
    assert_true(http_ticket_parse(OMS_STR("tkt-63-0123456789abcdef0123456789abcdef"), &ticket));
    assert_int_equal(ticket.shard, 63);
    assert_int_equal(ticket.secret[15], 0xef);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redeemed_once),
        cmocka_unit_test(too_old),
        cmocka_unit_test(bounded),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
