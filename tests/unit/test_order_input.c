/* Inputs to commands: every field arrives, every fault is named with its path, equal content has one
 * fingerprint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "actors/money.h"
#include "actors/order_input.h"
#include "actors/order_input_tables.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"

static const struct oms_hash_key id_key = {3, 4};
static const struct principal anna = {.kind = PRINCIPAL_USER, .tenant = 2, .subject = {"anna", 4}};

struct bench {
    struct oms_arena arena;
    struct order_input_context context;
    struct order_command command;
    unsigned char order[IDS_ORDER_SIZE];
    bool known;
    struct refusal_list refusals;
};

static struct bench bench;

static int set_up(void **state)
{
    (void)state;
    memset(&bench, 0, sizeof bench);
    oms_arena_init(&bench.arena, 16384, 8 << 20);
    bench.context = (struct order_input_context){.principal = &anna, .id_key = &id_key, .now_ms = 1000};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    oms_arena_fini(&bench.arena);
    return 0;
}

static bool parse(enum order_command_type type, const char *json)
{
    struct oms_json_error error = {0};
    struct oms_value *value = OMS_ARENA_NEW(&bench.arena, struct oms_value);

    if (oms_json_parse(oms_str_of(json), 32, &bench.arena, value, &error) != OMS_OK)
        fail_msg("%s: %s at %zu", json, error.message, error.offset);
    refusal_list_init(&bench.refusals, &bench.arena);
    return order_input_parse(type, value, &bench.context, &bench.arena, &bench.command, bench.order,
                             &bench.known, &bench.refusals);
}

static bool refused(enum refusal_code code, const char *field, const char *says)
{
    for (size_t i = 0; i < bench.refusals.count; i++) {
        const struct refusal *refusal = &bench.refusals.items[i];
        char text[512];

        snprintf(text, sizeof text, "%.*s", OMS_STR_ARG(refusal->message));
        if (refusal->code == code && oms_str_eq_c(refusal->field, field) && strstr(text, says))
            return true;
    }
    for (size_t i = 0; i < bench.refusals.count; i++)
        print_error("  got %s %.*s: %.*s\n", refusal_code_name(bench.refusals.items[i].code),
                    OMS_STR_ARG(bench.refusals.items[i].field), OMS_STR_ARG(bench.refusals.items[i].message));
    return false;
}

#define LINE                                                                                                 \
    "{\"productSku\":\"A\",\"productName\":\"Apple\",\"vendor\":{\"vendorId\":\"v1\"},\"orderQuantity\":3,"  \
    "\"productPrice\":{\"amount\":\"10.00\",\"currency\":\"USD\"}}"
#define CREATE(more) "{\"customerDetails\":{\"name\":\"Anna\"},\"lineItems\":[" LINE "]" more "}"
#define ID           "\"orderId\":\"ORD-01ARZ3NDEKTSV4RRFFQ69G5FAV\""

static void a_full_creation_arrives(void **state)
{
    const struct order_create_input *in = &bench.command.create;

    (void)state;
    assert_true(
        parse(ORDER_COMMAND_CREATE_ORDER,
              "{\"clientMutationId\":\"c\",\"idempotencyKey\":\"k\",\"tenantId\":\"t\",\"externalRef\":\"R-"
              "1\",\"source\":\"web\","
              "\"placedAt\":\"2016-11-08T00:00:00Z\",\"stage\":\"DRAFT\",\"customerDetails\":{\"customerId\":"
              "\"CG\",\"firstName\":"
              "\"Claire\",\"lastName\":\"Gute\",\"email\":\"c@example.com\",\"phone\":\"1\",\"name\":\"C "
              "G\"},\"destination\":{"
              "\"recipient\":\"r\",\"street\":\"s\",\"line2\":\"l\",\"city\":\"c\",\"state\":\"st\","
              "\"postal\":\"00042\",\"country\":"
              "\"US\",\"phone\":\"2\"},\"billingAddress\":{\"city\":\"b\"},\"lineItems\":[{\"productSku\":"
              "\"A\",\"productName\":\"n\","
              "\"productCategory\":\"cat\",\"vendor\":{\"vendorId\":\"v\",\"name\":\"V\",\"country\":\"DE\"},"
              "\"orderQuantity\":2,"
              "\"productPrice\":{\"amount\":9.90,\"currency\":\"EUR\"},\"discountAmount\":\"1.00\","
              "\"options\":{\"size\":[1,2]},"
              "\"package\":{\"weight\":\"1 "
              "kg\",\"dimensions\":\"1x2\"},\"isFreeGift\":true,\"isTaxable\":false},{\"productSku\":\"B\","
              "\"productName\":\"m\",\"vendor\":{\"vendorId\":\"v\"},\"orderQuantity\":1,\"productPrice\":{"
              "\"amount\":5,\"currency\":"
              "\"EUR\"}}],\"shippingDetails\":{\"method\":\"express\",\"deliveryTime\":\"2 "
              "days\",\"cost\":\"3.50\"},\"paymentDetails\":{"
              "\"method\":\"card\",\"provider\":\"p\",\"paidAmount\":\"5\",\"transactionId\":\"x\","
              "\"status\":\"AUTHORIZED\"},\"coupons\":[{"
              "\"couponCode\":\"SAVE\"}],\"taxesIncluded\":true,\"taxLines\":[{\"title\":\"VAT\",\"rate\":"
              "\"0.19\",\"amount\":\"1.00\"}],"
              "\"taxDetails\":[\"a\",\"b\"],\"offerDetails\":[\"o\"],\"taxAmount\":\"1.00\","
              "\"totalDiscountsFee\":\"1.00\","
              "\"totalAmount\":\"24.80\",\"finalAmount\":\"27.30\",\"notes\":[{\"text\":\"hi\","
              "\"visibleToCustomer\":true}]}"));
    assert_int_equal(bench.refusals.count, 0);
    assert_true(oms_str_eq_c(in->external_ref, "R-1") && oms_str_eq_c(in->source, "web") &&
                in->has_placed_at);
    assert_true(in->placed_at == 1478563200000);
    assert_int_equal(in->stage, ORDER_STAGE_DRAFT);
    assert_true(oms_str_eq_c(in->customer.first_name, "Claire") &&
                oms_str_eq_c(in->customer.email, "c@example.com"));
    assert_true(in->has_destination && oms_str_eq_c(in->destination.postal, "00042") && in->has_billing &&
                oms_str_eq_c(in->billing.city, "b"));
    assert_int_equal(in->line_count, 2);
    assert_true(oms_str_eq_c(in->lines[0].price.text, "9.90") &&
                in->lines[0].price.currency == money_currency_parse(OMS_STR("EUR")));
    assert_true(oms_str_eq_c(in->lines[0].options, "{\"size\":[1,2]}") && in->lines[0].free_gift &&
                in->lines[0].not_taxable && oms_str_eq_c(in->lines[0].vendor.country, "DE"));
    assert_true(!in->lines[1].free_gift && !in->lines[1].not_taxable && in->lines[1].quantity == 1);
    assert_true(oms_str_eq_c(in->lines[0].package.weight, "1 kg") &&
                oms_str_eq_c(in->lines[0].discount.text, "1.00"));
    assert_true(oms_str_eq_c(in->shipping_method, "express") && oms_str_eq_c(in->shipping_cost.text, "3.50"));
    assert_true(in->has_payment && in->payment.status == ORDER_PAYMENT_AUTHORIZED &&
                oms_str_eq_c(in->payment.transaction_id, "x"));
    assert_true(in->coupon_count == 1 && oms_str_eq_c(in->coupons[0], "SAVE") && in->taxes_included);
    assert_true(in->sums.has_tax_lines && in->sums.tax_line_count == 1 &&
                oms_str_eq_c(in->sums.final.text, "27.30"));
    assert_true(in->tax_detail_count == 2 && in->offer_count == 1 && in->note_count == 1 &&
                in->notes[0].visible_to_customer);
    assert_true(bench.command.has_key && oms_str_eq_c(bench.command.idempotency_key, "k") && bench.known);
}

static void the_order_derives_from_reference_key_or_nothing(void **state)
{
    unsigned char first[16];

    (void)state;
    assert_true(
        parse(ORDER_COMMAND_CREATE_ORDER, CREATE(",\"externalRef\":\"R\",\"idempotencyKey\":\"k1\"")));
    memcpy(first, bench.order, 16);
    assert_true(parse(ORDER_COMMAND_CREATE_ORDER, CREATE(",\"externalRef\":\"R\",\"source\":\"api\"")));
    assert_memory_equal(first, bench.order, 16);
    assert_true(parse(ORDER_COMMAND_CREATE_ORDER, CREATE(",\"externalRef\":\"R\",\"source\":\"other\"")));
    assert_memory_not_equal(first, bench.order, 16);
    assert_true(parse(ORDER_COMMAND_CREATE_ORDER, CREATE(",\"idempotencyKey\":\"k1\"")));
    memcpy(first, bench.order, 16);
    assert_true(parse(ORDER_COMMAND_CREATE_ORDER, CREATE(",\"idempotencyKey\":\"k1\"")));
    assert_memory_equal(first, bench.order, 16);
    bench.context.random_lo = 1;
    assert_true(parse(ORDER_COMMAND_CREATE_ORDER, CREATE("")));
    memcpy(first, bench.order, 16);
    bench.context.random_lo = 2;
    assert_true(parse(ORDER_COMMAND_CREATE_ORDER, CREATE("")));
    assert_memory_not_equal(first, bench.order, 16);
    assert_int_equal(bench.command.create.order_id.len, IDS_ORDER_TEXT);
}

static void faults_are_named_with_their_path(void **state)
{
    static const struct {
        enum order_command_type type;
        const char *json;
        enum refusal_code code;
        const char *field, *says;
    } bad[] = {
        {ORDER_COMMAND_CREATE_ORDER, "[]", REFUSAL_INVALID, "", "must be an object"},
        {ORDER_COMMAND_CREATE_ORDER, "{\"lineItems\":[" LINE "]}", REFUSAL_REQUIRED, "customerDetails",
         "required"},
        {ORDER_COMMAND_CREATE_ORDER, "{\"customerDetails\":{}}", REFUSAL_REQUIRED, "lineItems", "required"},
        {ORDER_COMMAND_CREATE_ORDER, "{\"customerDetails\":{},\"lineItems\":null}", REFUSAL_REQUIRED,
         "lineItems", ""},
        {ORDER_COMMAND_CREATE_ORDER, CREATE(",\"lineItms\":[]"), REFUSAL_INVALID, "lineItms",
         "did you mean lineItems?"},
        {ORDER_COMMAND_CREATE_ORDER, CREATE(",\"stage\":\"NEW\""), REFUSAL_INVALID, "stage",
         "DRAFT, PENDING"},
        {ORDER_COMMAND_CREATE_ORDER, CREATE(",\"placedAt\":\"yesterday\""), REFUSAL_INVALID, "placedAt",
         "RFC 3339"},
        {ORDER_COMMAND_CREATE_ORDER, CREATE(",\"taxesIncluded\":\"yes\""), REFUSAL_INVALID, "taxesIncluded",
         "true or"},
        {ORDER_COMMAND_CREATE_ORDER, CREATE(",\"coupons\":[{\"couponCode\":\"a\"},{\"code\":\"b\"}]"),
         REFUSAL_INVALID, "coupons.1.couponCode", "a string"},
        {ORDER_COMMAND_CREATE_ORDER, CREATE(",\"taxDetails\":[\"a\",7]"), REFUSAL_INVALID, "taxDetails.1",
         "a string"},
        {ORDER_COMMAND_CREATE_ORDER, CREATE(",\"taxLines\":[{\"rate\":true}]"), REFUSAL_INVALID,
         "taxLines.0.rate", "decimal"},
        {ORDER_COMMAND_CREATE_ORDER, CREATE(",\"taxLines\":[{}]"), REFUSAL_REQUIRED, "taxLines.0.title", ""},
        {ORDER_COMMAND_CREATE_ORDER, "{\"customerDetails\":{\"name\":1},\"lineItems\":[" LINE "]}",
         REFUSAL_INVALID, "customerDetails.name", "a string"},
        {ORDER_COMMAND_CREATE_ORDER,
         "{\"customerDetails\":{},\"lineItems\":[" LINE
         ",{\"productSku\":\"B\",\"productName\":\"n\",\"vendor\":{},"
         "\"orderQuantity\":1.5,\"productPrice\":{\"amount\":\"1\",\"currency\":\"usd\"}}]}",
         REFUSAL_INVALID, "lineItems.1.orderQuantity", "whole number"},
        {ORDER_COMMAND_CREATE_ORDER,
         "{\"customerDetails\":{},\"lineItems\":[{\"productSku\":\"B\",\"productName\":\"n\",\"vendor\":{},"
         "\"orderQuantity\":1,\"productPrice\":{\"amount\":\"1\",\"currency\":\"usd\"}}]}",
         REFUSAL_INVALID, "lineItems.0.productPrice.currency", "ISO 4217"},
        {ORDER_COMMAND_CREATE_ORDER,
         "{\"customerDetails\":{},\"lineItems\":[{\"productSku\":\"B\",\"productName\":\"n\",\"vendor\":{},"
         "\"orderQuantity\":1,\"productPrice\":{\"currency\":\"USD\"}}]}",
         REFUSAL_REQUIRED, "lineItems.0.productPrice.amount", ""},
        {ORDER_COMMAND_CREATE_ORDER,
         "{\"customerDetails\":{},\"lineItems\":[{\"productSku\":\"B\",\"productName\":\"n\",\"vendor\":{},"
         "\"orderQuantity\":1,\"productPrice\":{\"amount\":\"1\",\"currency\":\"USD\"}}]}",
         REFUSAL_REQUIRED, "lineItems.0.vendor.vendorId", ""},
        {ORDER_COMMAND_CREATE_ORDER, CREATE(",\"idempotencyKey\":\"\""), REFUSAL_INVALID, "idempotencyKey",
         "0 bytes"},
        {ORDER_COMMAND_CREATE_ORDER, CREATE(",\"expectedVersion\":\"\"") "", REFUSAL_NONE, "", ""},
        {ORDER_COMMAND_PLACE_ORDER, "{}", REFUSAL_REQUIRED, "orderId", ""},
        {ORDER_COMMAND_PLACE_ORDER, "{\"orderId\":\"ORD-1\"}", REFUSAL_NOT_FOUND, "orderId", "no such order"},
        {ORDER_COMMAND_PLACE_ORDER, "{" ID ",\"expectedVersion\":0}", REFUSAL_INVALID, "expectedVersion",
         "from 1 on"},
        {ORDER_COMMAND_PLACE_ORDER, "{" ID ",\"reason\":\"x\"}", REFUSAL_INVALID, "reason", "no field"},
        {ORDER_COMMAND_CANCEL_ORDER, "{" ID "}", REFUSAL_REQUIRED, "cancellationReason", ""},
        {ORDER_COMMAND_CONFIRM_SHIPMENT, "{" ID ",\"shipmentId\":\"RET-1\"}", REFUSAL_INVALID, "shipmentId",
         "SHP-1"},
        {ORDER_COMMAND_CONFIRM_SHIPMENT, "{" ID ",\"shipmentId\":0}", REFUSAL_INVALID, "shipmentId", "SHP-1"},
        {ORDER_COMMAND_ADD_SHIPMENT, "{" ID ",\"shipmentItems\":[{\"lineItemId\":\"1\",\"quantity\":-2}]}",
         REFUSAL_INVALID, "shipmentItems.0.quantity", "from 1 to"},
        {ORDER_COMMAND_RECEIVE_RETURN,
         "{" ID ",\"returnId\":\"RET-1\",\"items\":[{\"lineItemId\":\"1\",\"quantity\":-1}]}",
         REFUSAL_INVALID, "items.0.quantity", "not negative"},
        {ORDER_COMMAND_ADD_SHIPMENT, "{" ID ",\"shipmentItems\":[{\"lineItemId\":\"-3\",\"quantity\":1}]}",
         REFUSAL_INVALID, "shipmentItems.0.lineItemId", "an id"},
        {ORDER_COMMAND_ADD_SHIPMENT, "{" ID ",\"shipmentItems\":[]}", REFUSAL_REQUIRED, "shipmentItems",
         "leave shipmentItems out"},
        {ORDER_COMMAND_REQUEST_RETURN, "{" ID ",\"reason\":\"r\",\"items\":[]}", REFUSAL_REQUIRED, "items",
         "leave items out"},
        {ORDER_COMMAND_ADD_SHIPMENT, "{" ID ",\"mode\":\"DRONE\"}", REFUSAL_INVALID, "mode", "PICKUP"},
        {ORDER_COMMAND_PLACE_HOLD, "{" ID ",\"reason\":\"r\",\"blocks\":[\"markAsShipped\",\"ship\"]}",
         REFUSAL_INVALID, "blocks.1", "command's name"},
        {ORDER_COMMAND_REVIEW_ORDER, "{" ID "}", REFUSAL_REQUIRED, "isApproved", ""},
        {ORDER_COMMAND_RECORD_PAYMENT, "{" ID ",\"amount\":\"5\"}", REFUSAL_INVALID, "amount",
         "amount and currency"},
        {ORDER_COMMAND_RECORD_PAYMENT, "{" ID ",\"amount\":{\"amount\":\"5\",\"currency\":\"USD\",\"x\":1}}",
         REFUSAL_INVALID, "amount", "only"},
    };

    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(bad); i++) {
        bool ok = parse(bad[i].type, bad[i].json);

        if (bad[i].code == REFUSAL_NONE)
            continue; /* a creation takes no expectedVersion; the schema refuses it, the parser does not read
                         it */
        assert_false(ok);
        if (!refused(bad[i].code, bad[i].field, bad[i].says))
            fail_msg("%s", bad[i].json);
    }
}

static void every_fault_is_listed_at_once(void **state)
{
    (void)state;
    assert_false(
        parse(ORDER_COMMAND_CREATE_ORDER,
              "{\"customerDetails\":{\"name\":1},\"stage\":\"X\",\"lineItems\":[{}],\"placedAt\":5}"));
    assert_true(bench.refusals.count >= 8);
}

static void lists_are_bounded(void **state)
{
    static char json[1 << 16];
    size_t len;

    (void)state;
    len = (size_t)snprintf(json, sizeof json, "{" ID ",\"cancellationReason\":\"r\",\"productSkus\":[");
    for (int i = 0; i < 501; i++)
        len += (size_t)snprintf(json + len, sizeof json - len, "%s{}", i ? "," : "");
    snprintf(json + len, sizeof json - len, "]}");
    assert_false(parse(ORDER_COMMAND_CANCEL_LINE_ITEMS, json));
    assert_true(refused(REFUSAL_LIMIT_EXCEEDED, "productSkus", "501 items, at most 500"));
}

/* Whichever bound it is over, the refusal names the one that counts. */
static void json_is_bounded(void **state)
{
    static char json[1 << 18], filler[1 << 17];

    (void)state;
    memset(filler, 'x', sizeof filler - 1);
    snprintf(
        json, sizeof json,
        "{\"customerDetails\":{\"name\":\"N\"},\"lineItems\":[{\"productSku\":\"B\",\"productName\":\"n\","
        "\"vendor\":{\"vendorId\":\"v\"},\"orderQuantity\":1,"
        "\"productPrice\":{\"amount\":\"1\",\"currency\":\"USD\"},\"options\":{\"engraving\":\"%s\"}}]}",
        filler);
    assert_false(parse(ORDER_COMMAND_CREATE_ORDER, json));
    assert_true(refused(REFUSAL_INVALID, "lineItems.0.options", "at most 4096 are accepted"));
    snprintf(json, sizeof json, "{" ID ",\"stepName\":\"s\",\"userInput\":\"%s\"}", filler);
    assert_false(parse(ORDER_COMMAND_COMPLETE_ACTIVITY, json));
    assert_true(refused(REFUSAL_INVALID, "userInput", "at most 4000 are accepted"));
}

static void what_is_not_said_has_its_default(void **state)
{
    (void)state;
    assert_true(parse(ORDER_COMMAND_CREATE_ORDER, CREATE("")));
    assert_int_equal(bench.command.create.stage, ORDER_STAGE_CONFIRMED);
    assert_true(oms_str_eq_c(bench.command.create.source, "api"));
    assert_true(parse(ORDER_COMMAND_CANCEL_LINE_ITEMS,
                      "{" ID ",\"cancellationReason\":\"r\",\"productSkus\":[{\"lineItemId\":"
                      "\"2\"}]}"));
    assert_true(bench.command.cancel.refs[0].quantity < 0);
    assert_int_equal(bench.command.cancel.refs[0].line_item_id, 2);
    assert_true(parse(ORDER_COMMAND_RECEIVE_RETURN,
                      "{" ID ",\"returnId\":\"ret-1\",\"items\":[{\"lineItemId\":1}]}"));
    assert_true(bench.command.returns.items[0].restock && bench.command.returns.items[0].ref.quantity < 0);
    assert_true(parse(ORDER_COMMAND_FAIL_SHIPMENT, "{" ID ",\"shipmentId\":3}"));
    assert_int_equal(bench.command.shipment.status, ORDER_SHIPMENT_FAILED);
    assert_int_equal(bench.command.shipment.shipment, 3);
    assert_true(parse(ORDER_COMMAND_PLACE_HOLD, "{" ID ",\"reason\":\"r\",\"blocks\":[\"markAsShipped\"]}"));
    assert_true(bench.command.hold.blocks == ORDER_COMMAND_BIT(ORDER_COMMAND_MARK_AS_SHIPPED));
    assert_true(parse(ORDER_COMMAND_REVIEW_ORDER, "{" ID ",\"isApproved\":false}"));
    assert_true(bench.command.step.has_is_approved && !bench.command.step.is_approved);
}

static struct oms_hash128 print_of(enum order_command_type type, const char *json)
{
    assert_true(parse(type, json));
    return bench.command.fingerprint;
}

static bool same(struct oms_hash128 a, struct oms_hash128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

static void equal_content_has_one_fingerprint(void **state)
{
    static const char *const equal[] = {
        CREATE(""),
        CREATE(",\"stage\":\"CONFIRMED\",\"source\":\"api\""),
        CREATE(",\"idempotencyKey\":\"k\",\"clientMutationId\":\"c\",\"tenantId\":\"t\""),
        CREATE(",\"externalRef\":\"\",\"taxesIncluded\":false,\"coupons\":[]"),
        "{\"lineItems\":[{\"orderQuantity\":3,\"productPrice\":{\"currency\":\"USD\",\"amount\":10},"
        "\"vendor\":{\"vendorId\":"
        "\"v1\"},\"productName\":\"Apple\",\"productSku\":\"A\",\"isTaxable\":true}],\"customerDetails\":{"
        "\"name\":\"Anna\"}}",
        "{\"customerDetails\":{\"name\":\"Anna\",\"email\":null},\"lineItems\":[{\"productSku\":\"A\","
        "\"productName\":\"Apple\","
        "\"vendor\":{\"vendorId\":\"v1\"},\"orderQuantity\":3,\"productPrice\":{\"amount\":1e1,\"currency\":"
        "\"USD\"}}]}",
    };
    static const char *const other[] = {
        CREATE(",\"stage\":\"DRAFT\""),
        CREATE(",\"source\":\"web\""),
        CREATE(",\"destination\":{}"),
        CREATE(",\"taxLines\":[]"),
        CREATE(",\"placedAt\":\"2016-11-08T00:00:00Z\""),
        CREATE(",\"placedAt\":\"1970-01-01T00:00:00Z\""),
        CREATE(",\"totalAmount\":\"30\""),
        CREATE(",\"totalAmount\":\"-30\""),
        CREATE(",\"finalAmount\":\"30\""),
        CREATE(",\"finalAmount\":\"3\""),
        CREATE(",\"coupons\":[{\"couponCode\":\"ab\"},{\"couponCode\":\"c\"}]"),
        CREATE(",\"coupons\":[{\"couponCode\":\"a\"},{\"couponCode\":\"bc\"}]"),
        "{\"customerDetails\":{\"name\":\"Anna\"},\"lineItems\":[" LINE "," LINE "]}",
        "{\"customerDetails\":{\"firstName\":\"Anna\"},\"lineItems\":[" LINE "]}",
    };
    struct oms_hash128 first = print_of(ORDER_COMMAND_CREATE_ORDER, equal[0]), prints[OMS_COUNT_OF(other)];

    (void)state;
    for (size_t i = 1; i < OMS_COUNT_OF(equal); i++)
        assert_true(same(first, print_of(ORDER_COMMAND_CREATE_ORDER, equal[i])));
    for (size_t i = 0; i < OMS_COUNT_OF(other); i++) {
        prints[i] = print_of(ORDER_COMMAND_CREATE_ORDER, other[i]);
        assert_false(same(first, prints[i]));
        for (size_t k = 0; k < i; k++)
            assert_false(same(prints[k], prints[i]));
    }
}

static void fingerprints_are_of_their_command(void **state)
{
    (void)state;
    assert_false(same(print_of(ORDER_COMMAND_PLACE_ORDER, "{" ID "}"),
                      print_of(ORDER_COMMAND_CONFIRM_ORDER, "{" ID "}")));
    assert_false(same(print_of(ORDER_COMMAND_PLACE_ORDER, "{" ID "}"),
                      print_of(ORDER_COMMAND_PLACE_ORDER, "{" ID ",\"expectedVersion\":2}")));
    assert_false(same(print_of(ORDER_COMMAND_REVIEW_ORDER, "{" ID ",\"isApproved\":false}"),
                      print_of(ORDER_COMMAND_REVIEW_ORDER, "{" ID ",\"isApproved\":true}")));
}

static void the_header_gives_the_key(void **state)
{
    struct oms_hash128 key;

    (void)state;
    bench.context.header_key = OMS_STR("h");
    assert_true(parse(ORDER_COMMAND_PLACE_ORDER, "{" ID "}"));
    assert_true(bench.command.has_key && oms_str_eq_c(bench.command.idempotency_key, "h"));
    key = bench.command.key;
    assert_true(parse(ORDER_COMMAND_PLACE_ORDER, "{" ID ",\"idempotencyKey\":\"h\"}"));
    assert_true(same(key, bench.command.key));
    assert_true(parse(ORDER_COMMAND_CONFIRM_ORDER, "{" ID "}"));
    assert_false(same(key, bench.command.key));
    assert_false(parse(ORDER_COMMAND_PLACE_ORDER, "{" ID ",\"idempotencyKey\":\"other\"}"));
    assert_true(refused(REFUSAL_INVALID, "idempotencyKey", "header"));
}

static void every_public_command_has_a_table(void **state)
{
    (void)state;
    for (unsigned type = 1; type < ORDER_COMMAND_COUNT; type++) {
        const struct order_input_table *table = order_input_table_of((enum order_command_type)type);

        /* trackShipment is the server's own, but comes as data: from carriers' webhooks. */
        assert_true((table != NULL) ==
                    (type <= ORDER_COMMAND_LAST_PUBLIC || type == ORDER_COMMAND_TRACK_SHIPMENT));
        assert_true(!table || table->count <= 64);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_full_creation_arrives),
        TEST(the_order_derives_from_reference_key_or_nothing),
        TEST(faults_are_named_with_their_path),
        TEST(every_fault_is_listed_at_once),
        TEST(lists_are_bounded),
        TEST(json_is_bounded),
        TEST(what_is_not_said_has_its_default),
        TEST(equal_content_has_one_fingerprint),
        TEST(fingerprints_are_of_their_command),
        TEST(the_header_gives_the_key),
        TEST(every_public_command_has_a_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
