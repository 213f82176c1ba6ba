/*
 * createOrders under the simulation host: many schedules, writes that fail and disks that are full. Every
 * order of a batch gets an answer in its place, and an order's trouble is told with its place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api_lab.h"
#include "runtime/host_sim.h"
#include "storage/engine.h"

#define SEEDS 40
#define ITEMS 6

/* clang-format off */
#define ORDER(ref, quantity)                                                                                  \
    "{ externalRef: \"" ref "\", customerDetails: { name: \"N\" }, destination: { city: \"Leeds\", country: " \
    "\"GB\" }, lineItems: [{ productSku: \"S\", productName: \"P\", vendor: { vendorId: \"v\" }, "            \
    "orderQuantity: " quantity ", productPrice: { amount: \"1\", currency: \"GBP\" } }] }"
/* The third one is refused; the fifth is the first one again. */
#define BATCH                                                                                                 \
    "mutation { createOrders(input: { orders: [" ORDER("A", "1") "," ORDER("B", "1") "," ORDER("C", "0") ","  \
    ORDER("D", "1") "," ORDER("A", "1") "," ORDER("F", "1") "] }) { result { success message } results { "    \
    "index created order { externalRef EXTRA } userErrors { code field } } } }"
/* clang-format on */

/* The batch with `extra` in the selection of its orders. */
static void ask(struct api_lab *lab, struct fake_exchange *fake, const char *extra)
{
    char text[sizeof(BATCH) + 64];
    const char *at = strstr(BATCH, "EXTRA");
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - BATCH), BATCH, extra, at + 5);
    api_lab_ask(lab, fake, text);
}

static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        n++;
    return n;
}

static void every_order_is_answered_in_its_place(void **state)
{
    static const char *const extras[] = {"", "notes { text }", "events(first: 1) { nodes { version } }"};
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct api_lab lab;
        struct fake_exchange fake;
        api_lab_init(&lab, seed, "{\"name\":\"shop\"}");
        ask(&lab, &fake, extras[seed % 3]);
        for (unsigned i = 0; i < ITEMS; i++) {
            char index[24];
            snprintf(index, sizeof(index), "{\"index\":%u,", i);
            assert_int_equal(count(fake.body, index), 1);
        }
        assert_int_equal(count(fake.body, "\"created\":true"), 4);
        assert_int_equal(count(fake.body, "\"externalRef\":\"A\""), 2);
        assert_int_equal(count(fake.body, "\"userErrors\":[]"), 5);
        assert_non_null(
            strstr(fake.body, "[\"input\",\"orders\",\"2\",\"lineItems\",\"0\",\"orderQuantity\"]"));
        assert_non_null(strstr(fake.body, "1 of 6 orders were refused"));
        assert_non_null(strstr(fake.body, "{\"index\":0,\"created\":true"));
        assert_non_null(strstr(fake.body, "{\"index\":4,\"created\":false,\"order\":{\"externalRef\":\"A\""));
        assert_null(strstr(fake.body, "\"errors\""));
        fake_end(&fake);
        api_lab_fini(&lab);
    }
}

static void a_write_that_fails_is_told_for_its_orders(void **state)
{
    unsigned partly = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct api_lab lab;
        struct fake_exchange fake;
        api_lab_init(&lab, seed, "{\"name\":\"shop\"}");
        store_memory_faults(lab.memory)->append_fails_lost = 1 + (unsigned)seed % 2;
        ask(&lab, &fake, "");
        unsigned unknown = count(fake.body, "\"OUTCOME_UNKNOWN\""),
                 made = count(fake.body, "\"created\":true"), busy = count(fake.body, "\"BUSY\"");
        assert_int_equal(fake.status, 200);
        assert_int_equal(count(fake.body, "{\"index\":"), ITEMS);
        assert_int_equal(
            count(fake.body, "\"INVALID\"") + unknown + made + busy +
                count(fake.body, "\"created\":false,\"order\":{\"externalRef\":\"A\"},\"userErrors\":[]"),
            ITEMS);
        if (unknown)
            assert_true(count(fake.body, "\"field\":[\"input\",\"orders\",\"") >= unknown);
        partly += unknown && made;
        fake_end(&fake);
        api_lab_fini(&lab);
    }
    assert_in_range(partly, 1, SEEDS);
}

static void a_full_disk_refuses_each(void **state)
{
    struct api_lab lab;
    struct fake_exchange fake;
    (void)state;
    api_lab_init(&lab, 1, "{\"name\":\"shop\"}");
    store_memory_faults(lab.memory)->free_bytes = 0;
    ask(&lab, &fake, "");
    fake_end(&fake); /* the first one after which the committer looks at the disk */
    ask(&lab, &fake, "");
    assert_int_equal(count(fake.body, "{\"index\":"), ITEMS);
    assert_true(count(fake.body, "\"BUSY\"") + count(fake.body, "\"userErrors\":[]") >= ITEMS - 1);
    fake_end(&fake);
    api_lab_fini(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_is_answered_in_its_place),
        cmocka_unit_test(a_write_that_fails_is_told_for_its_orders),
        cmocka_unit_test(a_full_disk_refuses_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
