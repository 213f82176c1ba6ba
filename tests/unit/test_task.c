/*
 * What a task of a request shows when the tenant changes under it. A reply to a change says that it works
 * everywhere; so what comes home after it must not rest on the version before. (Of a document with several
 * roots, those that were home already stay.)
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

#define SEEDS     60
#define STEPS_MAX 200000

#define OPEN   "{\"name\":\"shop\"}"
#define CLOSED "{\"name\":\"shop\",\"rolemap\":[{\"role\":\"staff\",\"permissions\":[\"add_note\"]}]}"

#define CREATE                                                                                               \
    "mutation { createOrder(input: { externalRef: \"R-1\", notes: [{ text: \"hidden\" }], "                  \
    "customerDetails: { name: \"N\" }, destination: { city: \"Leeds\", country: \"GB\" }, "                  \
    "lineItems: [{ productSku: \"S\", productName: \"P\", vendor: { vendorId: \"v\" }, orderQuantity: 1, "   \
    "productPrice: { amount: \"1\", currency: \"GBP\" } }] }) { order { orderId } userErrors { message } } " \
    "}"

static const char *const reads[] = {
    "{ orders { nodes { orderId } } }",
    "{ ordersCount { count } }",
    "{ tenantEventLog { nodes { order { orderId } } } }",
    "{ order(by: { externalRef: { ref: \"R-1\" } }) { orderId events { nodes { id } } } }",
};

/* Whether the change was answered before the read, which then tells nothing. */
static bool race(uint64_t seed, const char *read)
{
    struct api_lab lab;
    struct fake_exchange made, answer;
    struct api_lab_change change;
    bool changed_first = false;

    api_lab_init(&lab, seed, OPEN);
    api_lab_ask(&lab, &made, CREATE);
    assert_non_null(strstr(made.body, "ORD-"));
    fake_end(&made);
    api_lab_send(&lab, &answer, read);
    api_lab_change(&lab, &change, CLOSED);
    for (unsigned steps = 0; !answer.answers || !change.home; steps++) {
        assert_true(steps < STEPS_MAX);
        changed_first = changed_first || (change.home && !answer.answers);
        assert_true(rt_host_sim_step(lab.host));
    }
    assert_int_equal(answer.status, 200);
    if (strstr(answer.body, "errors"))
        fail_msg("%s", answer.body);
    if (changed_first && (strstr(answer.body, "ORD-") || strstr(answer.body, "\"count\":1")))
        fail_msg("seed %u: shown after the withdrawal was answered: %s", (unsigned)seed, answer.body);
    fake_end(&answer);
    api_lab_change_fini(&change);
    api_lab_fini(&lab);
    return changed_first;
}

static void a_withdrawal_works_from_its_answer_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
        unsigned changed_first = 0;

        for (uint64_t seed = 1; seed <= SEEDS; seed++)
            changed_first += race(seed, reads[i]);
        /* Else nothing was tried; and some reads were first. */
        assert_in_range(changed_first, 1, SEEDS - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_withdrawal_works_from_its_answer_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
