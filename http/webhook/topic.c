/* See topic.h: tables, and the samples of `liteoms webhook test`. */
#include "http/webhook/topic.h"

#include "runtime/base/assert.h"
#include "runtime/base/datetime.h"
#include "runtime/base/json.h"

static const struct webhook_topic topics[] = {
    {"tenant_create_order", WEBHOOK_CREATE, ORDER_COMMAND_CREATE_ORDER, WEBHOOK_SNAPSHOT_NONE},
    {"orders/create", WEBHOOK_CREATE, ORDER_COMMAND_CREATE_ORDER, WEBHOOK_SNAPSHOT_NONE},
    {"orders/paid", WEBHOOK_COMMAND, ORDER_COMMAND_RECORD_PAYMENT, WEBHOOK_SNAPSHOT_NONE},
    {"orders/cancelled", WEBHOOK_COMMAND, ORDER_COMMAND_CANCEL_ORDER, WEBHOOK_SNAPSHOT_NONE},
    {"fulfillments/create", WEBHOOK_FULFIL, ORDER_COMMAND_TRACK_SHIPMENT, WEBHOOK_SNAPSHOT_NONE},
    {"fulfillments/update", WEBHOOK_FULFIL, ORDER_COMMAND_TRACK_SHIPMENT, WEBHOOK_SNAPSHOT_NONE},
    {"shipment_tracker", WEBHOOK_TRACK, ORDER_COMMAND_TRACK_SHIPMENT, WEBHOOK_SNAPSHOT_NONE},
    {"tenant_workflow_update", WEBHOOK_SNAPSHOT, ORDER_COMMAND_NONE, WEBHOOK_SNAPSHOT_WORKFLOW},
    {"tenant_rolemap_update", WEBHOOK_SNAPSHOT, ORDER_COMMAND_NONE, WEBHOOK_SNAPSHOT_ROLEMAP},
    {"user_authorization_update", WEBHOOK_SNAPSHOT, ORDER_COMMAND_NONE, WEBHOOK_SNAPSHOT_USER},
    {"user_logged_in", WEBHOOK_SNAPSHOT, ORDER_COMMAND_NONE, WEBHOOK_SNAPSHOT_LOGIN},
    {"fulfillment_update", WEBHOOK_SNAPSHOT, ORDER_COMMAND_NONE, WEBHOOK_SNAPSHOT_FULFILLMENT},
};

const struct webhook_topic *webhook_topic_at(size_t index)
{
    return index < OMS_COUNT_OF(topics) ? &topics[index] : NULL;
}

const struct webhook_topic *webhook_topic_find(struct oms_str name)
{
    for (size_t i = 0; i < OMS_COUNT_OF(topics); i++)
        if (oms_str_eq_c(name, topics[i].name))
            return &topics[i];
    return NULL;
}

size_t webhook_topic_index(const struct webhook_topic *topic)
{
    return (size_t)(topic - topics);
}

/* ---- carriers' words ---- */

static const struct {
    const char *word;
    enum order_shipment_status status;
} carrier_words[] = {
    {"confirmed", ORDER_SHIPMENT_CONFIRMED},
    {"pre_transit", ORDER_SHIPMENT_CONFIRMED},
    {"label_created", ORDER_SHIPMENT_CONFIRMED},
    {"label_printed", ORDER_SHIPMENT_CONFIRMED},
    {"label_purchased", ORDER_SHIPMENT_CONFIRMED},
    {"manifested", ORDER_SHIPMENT_CONFIRMED},
    {"in_transit", ORDER_SHIPMENT_IN_TRANSIT},
    {"transit", ORDER_SHIPMENT_IN_TRANSIT},
    {"shipped", ORDER_SHIPMENT_IN_TRANSIT},
    {"dispatched", ORDER_SHIPMENT_IN_TRANSIT},
    {"picked_up", ORDER_SHIPMENT_IN_TRANSIT},
    {"success", ORDER_SHIPMENT_IN_TRANSIT}, /* a storefront's fulfillment: it has been sent */
    {"out_for_delivery", ORDER_SHIPMENT_IN_TRANSIT},
    {"attempted_delivery", ORDER_SHIPMENT_IN_TRANSIT},
    {"available_for_pickup", ORDER_SHIPMENT_IN_TRANSIT},
    {"ready_for_pickup", ORDER_SHIPMENT_IN_TRANSIT},
    {"delivered", ORDER_SHIPMENT_DELIVERED},
    {"failed", ORDER_SHIPMENT_FAILED},
    {"failure", ORDER_SHIPMENT_FAILED},
    {"error", ORDER_SHIPMENT_FAILED},
    {"lost", ORDER_SHIPMENT_FAILED},
    {"damaged", ORDER_SHIPMENT_FAILED},
    {"return_to_sender", ORDER_SHIPMENT_RETURNED_TO_SENDER},
    {"returned_to_sender", ORDER_SHIPMENT_RETURNED_TO_SENDER},
    {"returned", ORDER_SHIPMENT_RETURNED_TO_SENDER},
};

/* Case, and '-' or ' ' for '_', make no difference. */
static bool same_word(struct oms_str word, const char *known)
{
    if (word.len != strlen(known))
        return false;
    for (size_t i = 0; i < word.len; i++) {
        char c = word.data[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        else if (c == '-' || c == ' ')
            c = '_';
        if (c != known[i])
            return false;
    }
    return true;
}

enum order_shipment_status webhook_carrier_status(struct oms_str word)
{
    for (size_t i = 0; i < OMS_COUNT_OF(carrier_words); i++)
        if (same_word(word, carrier_words[i].word))
            return carrier_words[i].status;
    return ORDER_SHIPMENT_NONE;
}

/* ---- ready maps ---- */

static const char shopify_create[] =
    "{ \"externalRef\": { \"$text\": \"$.id\" },"
    "  \"placedAt\": { \"$first\": [\"$.processed_at\", \"$.created_at\"] },"
    "  \"customerDetails\": {"
    "    \"customerId\": { \"$text\": \"$.customer.id\" },"
    "    \"firstName\": { \"$first\": [\"$.customer.first_name\", \"$.billing_address.first_name\","
    "                              \"$.shipping_address.first_name\"] },"
    "    \"lastName\": { \"$first\": [\"$.customer.last_name\", \"$.billing_address.last_name\","
    "                             \"$.shipping_address.last_name\"] },"
    "    \"email\": { \"$first\": [\"$.email\", \"$.contact_email\", \"$.customer.email\"] },"
    "    \"phone\": { \"$first\": [\"$.phone\", \"$.customer.phone\"] } },"
    "  \"destination\": {"
    "    \"recipient\": \"$.shipping_address.name\", \"street\": \"$.shipping_address.address1\","
    "    \"line2\": \"$.shipping_address.address2\", \"city\": \"$.shipping_address.city\","
    "    \"state\": { \"$first\": [\"$.shipping_address.province_code\", \"$.shipping_address.province\"] },"
    "    \"postal\": { \"$text\": \"$.shipping_address.zip\" },"
    "    \"country\": { \"$first\": [\"$.shipping_address.country_code\", \"$.shipping_address.country\"] },"
    "    \"phone\": \"$.shipping_address.phone\" },"
    "  \"billingAddress\": {"
    "    \"recipient\": \"$.billing_address.name\", \"street\": \"$.billing_address.address1\","
    "    \"line2\": \"$.billing_address.address2\", \"city\": \"$.billing_address.city\","
    "    \"state\": { \"$first\": [\"$.billing_address.province_code\", \"$.billing_address.province\"] },"
    "    \"postal\": { \"$text\": \"$.billing_address.zip\" },"
    "    \"country\": { \"$first\": [\"$.billing_address.country_code\", \"$.billing_address.country\"] },"
    "    \"phone\": \"$.billing_address.phone\" },"
    "  \"lineItems\": { \"$each\": \"$.line_items\", \"item\": {"
    "    \"productSku\": { \"$text\": [\"$.sku\", \"$.variant_id\", \"$.product_id\", \"$.id\"] },"
    "    \"productName\": { \"$first\": [\"$.name\", \"$.title\"] },"
    "    \"vendor\": { \"vendorId\": { \"$first\": [\"$.vendor\"], \"default\": \"shopify\" } },"
    "    \"orderQuantity\": { \"$integer\": \"$.quantity\" },"
    "    \"productPrice\": { \"amount\": \"$.price\", \"currency\": \"$$.currency\" },"
    "    \"isTaxable\": \"$.taxable\" } },"
    "  \"shippingDetails\": {"
    "    \"method\": \"$.shipping_lines[0].title\","
    "    \"cost\": { \"$first\": [\"$.total_shipping_price_set.shop_money.amount\","
    "                         \"$.shipping_lines[0].price\"] } },"
    "  \"coupons\": { \"$each\": \"$.discount_codes\", \"item\": { \"couponCode\": \"$.code\" } },"
    "  \"taxesIncluded\": \"$.taxes_included\","
    "  \"taxLines\": { \"$each\": \"$.tax_lines\", \"item\": {"
    "    \"title\": \"$.title\", \"rate\": \"$.rate\", \"amount\": \"$.price\" } },"
    "  \"totalDiscountsFee\": \"$.total_discounts\","
    "  \"finalAmount\": \"$.total_price\" }";

static const char shopify_paid[] =
    "{ \"externalRef\": { \"$text\": \"$.id\" },"
    "  \"amount\": { \"amount\": { \"$first\": [\"$.total_price\", \"$.current_total_price\"] },"
    "              \"currency\": \"$.currency\" },"
    "  \"method\": { \"$first\": [\"$.payment_gateway_names[0]\", \"$.gateway\"], \"default\": \"shopify\" },"
    "  \"provider\": { \"$value\": \"shopify\" },"
    "  \"transactionId\": { \"$text\": [\"$.checkout_id\", \"$.id\"] },"
    "  \"occurredAt\": { \"$first\": [\"$.processed_at\", \"$.updated_at\"] } }";

static const char shopify_cancelled[] = "{ \"externalRef\": { \"$text\": \"$.id\" },"
                                        "  \"cancellationReason\": { \"$first\": [\"$.cancel_reason\"], "
                                        "\"default\": \"cancelled in the shop\" } }";

static const char shopify_fulfilled[] =
    "{ \"externalRef\": { \"$text\": \"$.order_id\" },"
    "  \"trackingReference\": { \"$text\": [\"$.tracking_number\", \"$.tracking_numbers[0]\", \"$.name\","
    "                                   \"$.id\"] },"
    "  \"status\": { \"$first\": [\"$.shipment_status\", \"$.status\"] },"
    "  \"occurredAt\": { \"$first\": [\"$.updated_at\", \"$.created_at\"] },"
    "  \"provider\": \"$.tracking_company\","
    "  \"shippingReference\": { \"$first\": [\"$.tracking_url\", \"$.tracking_urls[0]\"] },"
    "  \"shipmentItems\": { \"$each\": \"$.line_items\", \"item\": {"
    "    \"productSku\": { \"$text\": [\"$.sku\", \"$.variant_id\", \"$.product_id\", \"$.id\"] },"
    "    \"quantity\": { \"$integer\": \"$.quantity\" } } } }";

static const char easypost_tracker[] =
    "{ \"trackingReference\": { \"$text\": \"$.result.tracking_code\" },"
    "  \"status\": \"$.result.status\","
    "  \"occurredAt\": { \"$first\": [\"$.result.updated_at\", \"$.created_at\"] },"
    "  \"provider\": \"$.result.carrier\","
    "  \"shippingReference\": \"$.result.public_url\" }";

static const struct {
    const char *provider, *topic, *map;
} ready[] = {
    {"shopify", "orders/create", shopify_create},
    {"shopify", "tenant_create_order", shopify_create},
    {"shopify", "orders/paid", shopify_paid},
    {"shopify", "orders/cancelled", shopify_cancelled},
    {"shopify", "fulfillments/create", shopify_fulfilled},
    {"shopify", "fulfillments/update", shopify_fulfilled},
    {"easypost", "shipment_tracker", easypost_tracker},
};

struct oms_str webhook_ready_map(const struct webhook_provider *provider, const struct webhook_topic *topic)
{
    for (size_t i = 0; i < OMS_COUNT_OF(ready); i++)
        if (strcmp(ready[i].provider, webhook_provider_name(provider)) == 0 &&
            strcmp(ready[i].topic, topic->name) == 0)
            return oms_str_of(ready[i].map);
    return OMS_STR_NONE;
}

/* ---- samples ---- */

static void put_tenant(struct oms_buf *out, struct oms_str tenant)
{
    if (!tenant.len)
        return;
    oms_buf_append_lit(out, ",\"tenant_id\":");
    oms_json_write_string(out, tenant);
}

static void sample_create(bool shopify, struct oms_str tenant, struct oms_str tag, struct oms_buf *out)
{
    if (shopify) {
        oms_buf_appendf(
            out,
            "{\"id\":\"%.*s\",\"currency\":\"EUR\",\"email\":\"ada@example.com\",\"total_price\":\"21.70\","
            "\"total_discounts\":\"0.00\",\"taxes_included\":true,\"customer\":{\"id\":207119551,"
            "\"first_name\":\"Ada\",\"last_name\":\"Byron\"},\"shipping_address\":{\"name\":\"Ada Byron\","
            "\"address1\":\"Hauptstr. 1\",\"city\":\"Berlin\",\"zip\":\"10115\",\"country_code\":\"DE\"},"
            "\"line_items\":[{\"id\":866550311,\"sku\":\"TEA\",\"name\":\"Tea\",\"vendor\":\"tea-house\","
            "\"quantity\":2,\"price\":\"8.40\",\"taxable\":true}],\"shipping_lines\":[{\"title\":"
            "\"Standard\","
            "\"price\":\"4.90\"}]}",
            OMS_STR_ARG(tag));
        return;
    }
    oms_buf_appendf(
        out,
        "{\"external_ref\":\"%.*s\",\"customer_details\":{\"name\":\"Ada Byron\",\"email\":"
        "\"ada@example.com\"},\"destination\":{\"city\":\"Berlin\",\"country\":\"DE\"},\"product_skus\":["
        "{\"product_sku\":\"TEA\",\"product_name\":\"Tea\",\"vendor\":{\"vendor_id\":\"tea-house\"},"
        "\"order_quantity\":2,\"product_price\":{\"amount\":\"8.40\",\"currency\":\"EUR\"}}]",
        OMS_STR_ARG(tag));
    put_tenant(out, tenant);
    oms_buf_append_char(out, '}');
}

static void sample_track(bool easypost, struct oms_str tenant, struct oms_str tag, const char *now,
                         struct oms_buf *out)
{
    if (easypost) {
        oms_buf_appendf(out,
                        "{\"id\":\"evt_%.*s\",\"object\":\"Event\",\"description\":\"tracker.updated\","
                        "\"result\":{\"object\":\"Tracker\",\"tracking_code\":\"%.*s\",\"status\":"
                        "\"in_transit\",\"carrier\":\"UPS\",\"updated_at\":\"%s\"}}",
                        OMS_STR_ARG(tag), OMS_STR_ARG(tag), now);
        return;
    }
    oms_buf_appendf(out, "{\"tracking_number\":\"%.*s\",\"status\":\"in_transit\",\"occurred_at\":\"%s\"",
                    OMS_STR_ARG(tag), now);
    put_tenant(out, tenant);
    oms_buf_append_char(out, '}');
}

static void sample_other(const struct webhook_topic *topic, bool shopify, struct oms_str tenant,
                         struct oms_str tag, const char *now, struct oms_buf *out)
{
    const char *ref = !shopify ? "external_ref" : topic->action == WEBHOOK_FULFIL ? "order_id" : "id";

    oms_buf_appendf(out, "{\"%s\":\"%.*s\"", ref, OMS_STR_ARG(tag));
    if (topic->command == ORDER_COMMAND_RECORD_PAYMENT && shopify)
        oms_buf_append_lit(out, ",\"total_price\":\"21.70\",\"currency\":\"EUR\",\"gateway\":\"card\"");
    else if (topic->command == ORDER_COMMAND_RECORD_PAYMENT)
        oms_buf_appendf(out,
                        ",\"amount\":{\"amount\":\"16.80\",\"currency\":\"EUR\"},\"method\":\"card\","
                        "\"provider\":\"sample\",\"transaction_id\":\"%.*s\"",
                        OMS_STR_ARG(tag));
    else if (topic->command == ORDER_COMMAND_CANCEL_ORDER && shopify)
        oms_buf_append_lit(out, ",\"cancel_reason\":\"customer\"");
    else if (topic->command == ORDER_COMMAND_CANCEL_ORDER)
        oms_buf_append_lit(out, ",\"cancellation_reason\":\"customer\"");
    else
        oms_buf_appendf(out, ",\"tracking_number\":\"T-%.*s\",\"status\":\"success\",\"%s\":\"%s\"",
                        OMS_STR_ARG(tag), shopify ? "updated_at" : "occurred_at", now);
    if (!shopify)
        put_tenant(out, tenant);
    oms_buf_append_char(out, '}');
}

/* Of which nothing but itself could be changed: a sample that is sent by mistake does no harm. */
static void sample_snapshot(enum webhook_snapshot snapshot, struct oms_str tenant, struct oms_str tag,
                            struct oms_buf *out)
{
    switch (snapshot) {
    case WEBHOOK_SNAPSHOT_WORKFLOW:
        oms_buf_append_lit(out, "{\"workflow\":{\"steps\":[{\"stage\":\"CONFIRMED\",\"stepName\":\"pack\","
                                "\"activityStatus\":\"Packing\",\"sequence\":1,\"optional\":true}]}");
        break;
    case WEBHOOK_SNAPSHOT_ROLEMAP:
        oms_buf_append_lit(out, "{\"rows\":[{\"role\":\"admin\",\"permissions\":[\"*\"]},{\"role\":\"staff\","
                                "\"permissions\":[\"get_order\",\"mark_as_shipped\"]}]");
        break;
    case WEBHOOK_SNAPSHOT_USER:
        oms_buf_appendf(out,
                        "{\"user\":\"%.*s\",\"roles\":[],\"grants\":[{\"permission\":\"get_order\","
                        "\"scope\":{\"customer_id\":\"%.*s\"}}]",
                        OMS_STR_ARG(tag), OMS_STR_ARG(tag));
        break;
    case WEBHOOK_SNAPSHOT_LOGIN:
        oms_buf_appendf(
            out, "{\"event_type\":\"UserLoggedIn\",\"data\":{\"sub\":\"%.*s\",\"roles\":[\"customer\"]}",
            OMS_STR_ARG(tag));
        break;
    case WEBHOOK_SNAPSHOT_FULFILLMENT:
        oms_buf_append_lit(out, "{\"carriers\":[{\"id\":\"ups\",\"name\":\"UPS\",\"tracking_url_template\":"
                                "\"https://www.ups.com/track?tracknum={tracking}\"}]");
        break;
    case WEBHOOK_SNAPSHOT_NONE:
        OMS_UNREACHABLE();
    }
    put_tenant(out, tenant);
    oms_buf_append_char(out, '}');
}

void webhook_sample(const struct webhook_provider *provider, const struct webhook_topic *topic,
                    struct oms_str tenant, struct oms_str tag, int64_t now_ms, struct oms_buf *out)
{
    bool shopify = strcmp(webhook_provider_name(provider), "shopify") == 0;
    bool easypost = strcmp(webhook_provider_name(provider), "easypost") == 0;
    char now[OMS_DATETIME_TEXT_SIZE];

    oms_datetime_format(now_ms, now);
    if (topic->action == WEBHOOK_SNAPSHOT)
        sample_snapshot(topic->snapshot, tenant, tag, out);
    else if (topic->action == WEBHOOK_CREATE)
        sample_create(shopify, tenant, tag, out);
    else if (topic->action == WEBHOOK_TRACK)
        sample_track(easypost, tenant, tag, now, out);
    else
        sample_other(topic, shopify, tenant, tag, now, out);
}
