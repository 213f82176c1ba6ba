/*
 * A filter's list of words as a set of bits: shared by the filters of orders and of events. A word becomes
 * the bit of its enum's number, so a set is as wide as the enum (events and commands need 64).
 */
#ifndef ORDER_BITS_H
#define ORDER_BITS_H

#include <stdint.h>

#include "actors/refusal.h"
#include "runtime/base/value.h"

#define ORDER_BITS_UNKNOWN 64u /* no word's number */

/* The number of a word, or ORDER_BITS_UNKNOWN. */
unsigned order_bits_stage(struct oms_str word);
unsigned order_bits_fulfillment(struct oms_str word);
unsigned order_bits_payment(struct oms_str word);
unsigned order_bits_event(struct oms_str word);
unsigned order_bits_command(struct oms_str word);

/*
 * The bits of a list of strings (NULL: none). Unknown words cannot come here through the schema; they are
 * refused all the same (INVALID at filter.<name>.<index>), since a filter that ignored one would show too
 * much.
 */
uint64_t order_bits(const struct oms_value *list, const char *name, unsigned (*number)(struct oms_str word),
                    struct refusal_list *refusals);

#endif
