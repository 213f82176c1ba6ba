/*
 * Prices out of what a sales report has: the amount that was paid for a line, its discount as a fraction, and
 * its quantity. Exact: decimals are parsed as text and computed in 128-bit integers, nothing is floating
 * point.
 *
 *   unit price    = net ÷ (1 − discount) ÷ quantity, which must be whole minor units
 *   line discount = unit price × quantity − net, where net is rounded half up to minor units
 */
#ifndef IMPORT_AMOUNT_H
#define IMPORT_AMOUNT_H

#include "runtime/base/str.h"

struct import_amounts {
    int64_t unit_price;    /* minor units */
    int64_t line_discount; /* minor units */
    int64_t quantity;
};

/* Which of the inputs is at fault. */
enum import_amount_fault { IMPORT_AMOUNT_NET, IMPORT_AMOUNT_DISCOUNT, IMPORT_AMOUNT_QUANTITY };

/*
 * `exponent`: decimals of the currency, at most 4. NULL on success; else why not (static text), with the
 * input at fault in *fault. Inputs are plain decimals without sign or exponent, at most 15 digits.
 */
const char *import_amounts_compute(struct oms_str net, struct oms_str discount, struct oms_str quantity,
                                   unsigned exponent, struct import_amounts *out,
                                   enum import_amount_fault *fault);

#endif
