#include "http/import/import_amount.h"

#include "runtime/base/assert.h"

#define DIGITS_MAX   15
#define DECIMALS_MAX 9
#define QUANTITY_MAX 1000000000

__extension__ typedef __int128 wide;

/* mantissa ÷ 10^decimals */
struct decimal {
    int64_t mantissa;
    unsigned decimals;
};

static wide power_of_ten(unsigned exponent)
{
    wide power = 1;
    while (exponent--)
        power *= 10;
    return power;
}

static bool parse_decimal(struct oms_str text, struct decimal *out)
{
    unsigned digits = 0;
    bool point = false;

    *out = (struct decimal){0, 0};
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '.' && !point && digits > 0 && i + 1 < text.len) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || ++digits > DIGITS_MAX)
            return false;
        out->mantissa = out->mantissa * 10 + (c - '0');
        out->decimals += point;
    }
    return digits > 0 && out->decimals <= DECIMALS_MAX;
}

const char *import_amounts_compute(struct oms_str net_text, struct oms_str discount_text,
                                   struct oms_str quantity_text, unsigned exponent,
                                   struct import_amounts *out, enum import_amount_fault *fault)
{
    struct decimal net, discount, quantity;

    OMS_ASSERT(exponent <= 4);
    *fault = IMPORT_AMOUNT_NET;
    if (!parse_decimal(net_text, &net))
        return "not a plain decimal number";
    *fault = IMPORT_AMOUNT_DISCOUNT;
    if (!parse_decimal(discount_text, &discount))
        return "not a plain decimal number";
    wide one = power_of_ten(discount.decimals);
    if (discount.mantissa >= one)
        return "must be below 1: a fraction of the price";
    *fault = IMPORT_AMOUNT_QUANTITY;
    if (!parse_decimal(quantity_text, &quantity) || quantity.decimals || quantity.mantissa < 1 ||
        quantity.mantissa > QUANTITY_MAX)
        return "not a whole number from 1 to 1,000,000,000";

    /* At most 10^15 × 10^9 × 10^4 above and 10^9 × 10^9 × 10^9 below: fits 127 bits. */
    *fault = IMPORT_AMOUNT_NET;
    wide scale = power_of_ten(net.decimals), minor = power_of_ten(exponent);
    wide above = (wide)net.mantissa * one * minor;
    wide below = scale * (one - discount.mantissa) * quantity.mantissa;
    if (above % below)
        return "gives a unit price that is not whole minor units";
    wide price = above / below;
    /* ⌊x + ½⌋ of net in minor units. */
    wide rounded = (2 * (wide)net.mantissa * minor + scale) / (2 * scale);
    wide gross = price * quantity.mantissa;
    if (gross > INT64_MAX)
        return "too large an amount";
    *out = (struct import_amounts){(int64_t)price, (int64_t)(gross - rounded), quantity.mantissa};
    return NULL;
}
