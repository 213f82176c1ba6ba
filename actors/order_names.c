/*
 * Words of the order's enums and ids: one table per enum, read in both directions.
 *
 * The tables are the only place where a number of ours meets a word of the API; a missing word is caught by
 * the static sizes and by the round-trip test.
 */
#include <stdio.h>

#include "actors/order_event.h"
#include "runtime/base/assert.h"

static const char *const stage_names[ORDER_STAGE_COUNT] = {NULL,      "DRAFT",     "PENDING",  "CONFIRMED",
                                                           "SHIPPED", "COMPLETED", "CANCELLED"};
static const char *const fulfillment_names[ORDER_FULFILLMENT_COUNT] = {
    "UNFULFILLED", "PARTIALLY_SHIPPED", "SHIPPED", "PARTIALLY_DELIVERED", "DELIVERED"};
static const char *const payment_names[ORDER_PAYMENT_STATUS_COUNT] = {
    "PENDING", "PARTIALLY_PAID", "PAID", "PARTIALLY_REFUNDED", "REFUNDED", "CANCELLED"};
static const char *const shipment_names[ORDER_SHIPMENT_STATUS_COUNT] = {
    NULL, "PENDING", "CONFIRMED", "IN_TRANSIT", "DELIVERED", "CANCELLED", "FAILED", "RETURNED_TO_SENDER"};
static const char *const mode_names[ORDER_SHIPMENT_MODE_COUNT] = {NULL, "PICKUP", "DROPOFF", "WAREHOUSE"};
static const char *const entry_names[ORDER_PAYMENT_ENTRY_STATUS_COUNT] = {NULL, "AUTHORIZED", "CAPTURED",
                                                                          "FAILED", "VOIDED"};
static const char *const return_names[ORDER_RETURN_STATUS_COUNT] = {
    NULL, "REQUESTED", "APPROVED", "RECEIVED", "CLOSED", "REJECTED", "CANCELLED"};
static const char *const refund_names[ORDER_REFUND_STATUS_COUNT] = {NULL, "PENDING", "SUCCEEDED", "FAILED"};
static const char *const outcome_names[ORDER_OUTCOME_COUNT] = {"WAITING",  "DONE",    "APPROVED",
                                                               "REJECTED", "SKIPPED", "NOT_APPLICABLE"};
static const char *const event_names[ORDER_EVENT_COUNT] = {NULL,
#define X(name, number) #name,
                                                           ORDER_EVENT_LIST(X)
#undef X
};

static const struct order_command_info commands[ORDER_COMMAND_COUNT] = {
#define PERMISSION_EXPIRE_HOLD                 PERMISSION_COUNT
#define PERMISSION_STEP_DUE                    PERMISSION_COUNT
#define PERMISSION_TRACK_SHIPMENT              PERMISSION_COUNT
#define PERMISSION_MIGRATE_WORKFLOW            PERMISSION_COUNT
#define PERMISSION_ERASE_CUSTOMER              PERMISSION_COUNT
#define X(name, number, mutation, word, input) [number] = {mutation, word, input, PERMISSION_##name},
    ORDER_COMMAND_LIST(X)
#undef X
#undef PERMISSION_EXPIRE_HOLD
#undef PERMISSION_STEP_DUE
#undef PERMISSION_TRACK_SHIPMENT
#undef PERMISSION_MIGRATE_WORKFLOW
#undef PERMISSION_ERASE_CUSTOMER
};

_Static_assert(ORDER_COMMAND_COUNT <= 64, "a set of commands is one word");

/* The word of `value`, or a visible stand-in for a number that has none. */
static const char *word_of(const char *const *names, unsigned count, unsigned value)
{
    return value < count && names[value] ? names[value] : "NONE";
}

static bool word_find(const char *const *names, unsigned count, struct oms_str word, unsigned *out)
{
    for (unsigned i = 0; i < count; i++)
        if (names[i] && oms_str_eq_nocase(word, oms_str_of(names[i]))) {
            *out = i;
            return true;
        }
    return false;
}

#define ORDER_WORDS(prefix, type, names)                                                                     \
    const char *order_##prefix##_name(enum type value)                                                       \
    {                                                                                                        \
        return word_of(names, OMS_COUNT_OF(names), (unsigned)value);                                         \
    }                                                                                                        \
    bool order_##prefix##_parse(struct oms_str name, enum type *out)                                         \
    {                                                                                                        \
        unsigned value;                                                                                      \
                                                                                                             \
        if (!word_find(names, OMS_COUNT_OF(names), name, &value))                                            \
            return false;                                                                                    \
        *out = (enum type)value;                                                                             \
        return true;                                                                                         \
    }

ORDER_WORDS(stage, order_stage, stage_names)
ORDER_WORDS(fulfillment_status, order_fulfillment_status, fulfillment_names)
ORDER_WORDS(payment_status, order_payment_status, payment_names)
ORDER_WORDS(shipment_status, order_shipment_status, shipment_names)
ORDER_WORDS(shipment_mode, order_shipment_mode, mode_names)
ORDER_WORDS(payment_entry_status, order_payment_entry_status, entry_names)
ORDER_WORDS(return_status, order_return_status, return_names)
ORDER_WORDS(refund_status, order_refund_status, refund_names)
ORDER_WORDS(outcome, order_outcome, outcome_names)

const char *order_event_name(enum order_event_type type)
{
    return word_of(event_names, ORDER_EVENT_COUNT, (unsigned)type);
}

enum order_event_type order_event_parse(struct oms_str name)
{
    for (unsigned i = 1; i < ORDER_EVENT_COUNT; i++)
        if (oms_str_eq_c(name, event_names[i]))
            return (enum order_event_type)i;
    return ORDER_EVENT_NONE;
}

const struct order_command_info *order_command_info(enum order_command_type type)
{
    OMS_ASSERT(type > ORDER_COMMAND_NONE && type < ORDER_COMMAND_COUNT);
    return &commands[type];
}

enum order_command_type order_command_parse(struct oms_str name)
{
    for (unsigned i = 1; i < ORDER_COMMAND_COUNT; i++)
        if (oms_str_eq_c(name, commands[i].mutation) || oms_str_eq_c(name, commands[i].word))
            return (enum order_command_type)i;
    return ORDER_COMMAND_NONE;
}

size_t order_part_id(const char *prefix, uint32_t number, char out[ORDER_PART_ID_SIZE])
{
    int len = snprintf(out, ORDER_PART_ID_SIZE, "%s-%u", prefix, (unsigned)number);

    OMS_ASSERT(len > 0 && len < ORDER_PART_ID_SIZE);
    return (size_t)len;
}

bool order_part_parse(struct oms_str text, const char *prefix, uint32_t *out)
{
    struct oms_str head = oms_str_of(prefix);
    uint64_t number = 0;

    if (text.len > head.len && text.data[head.len] == '-' &&
        oms_str_eq_nocase(oms_str_make(text.data, head.len), head))
        text = oms_str_make(text.data + head.len + 1, text.len - head.len - 1);
    if (text.len == 0 || text.len > 10 || text.data[0] == '0')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (number > UINT32_MAX)
        return false;
    *out = (uint32_t)number;
    return true;
}
