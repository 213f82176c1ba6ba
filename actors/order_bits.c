/* See order_bits.h. */
#include "actors/order_bits.h"

#include "actors/order_event.h"

unsigned order_bits_stage(struct oms_str word)
{
    enum order_stage stage;
    return order_stage_parse(word, &stage) ? (unsigned)stage : ORDER_BITS_UNKNOWN;
}

unsigned order_bits_fulfillment(struct oms_str word)
{
    enum order_fulfillment_status status;
    return order_fulfillment_status_parse(word, &status) ? (unsigned)status : ORDER_BITS_UNKNOWN;
}

unsigned order_bits_payment(struct oms_str word)
{
    enum order_payment_status status;
    return order_payment_status_parse(word, &status) ? (unsigned)status : ORDER_BITS_UNKNOWN;
}

unsigned order_bits_event(struct oms_str word)
{
    enum order_event_type type = order_event_parse(word);
    return type == ORDER_EVENT_NONE ? ORDER_BITS_UNKNOWN : (unsigned)type;
}

unsigned order_bits_command(struct oms_str word)
{
    enum order_command_type type = order_command_parse(word);
    return type == ORDER_COMMAND_NONE ? ORDER_BITS_UNKNOWN : (unsigned)type;
}

uint64_t order_bits(const struct oms_value *list, const char *name, unsigned (*number)(struct oms_str word),
                    struct refusal_list *refusals)
{
    uint64_t bits = 0;
    for (size_t i = 0; list && i < list->list.count; i++) {
        unsigned n = number(list->list.items[i].text);
        if (n == ORDER_BITS_UNKNOWN)
            refusal_add(refusals, REFUSAL_INVALID, refusal_field(refusals, "filter.%s.%zu", name, i),
                        "%.*s is not known here", OMS_STR_ARG(list->list.items[i].text));
        else
            bits |= UINT64_C(1) << n;
    }
    return bits;
}
