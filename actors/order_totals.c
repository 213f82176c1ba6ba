/*
 * Sums, allocations and what a unit is worth.
 *
 * Prices are whole minor units, so price × quantity is exact. The one rounding is of a tax computed from a
 * rate: half up, once per line and rate. Everything that is divided (the order's discount over lines, tax
 * over lines, a line's discount and tax over its units) is divided by running totals: part k gets
 * floor(X·S(k)/S) − floor(X·S(k−1)/S), so that shares are never negative, none is more than one minor unit
 * off, and the last one takes the remainder: the parts always add up to the whole.
 *
 *   total = Σ price × quantity (free gifts 0)       discounts = Σ line discounts + the order's own
 *   final = total − discounts + shipping + tax (tax not added when the prices include it)
 */
#include "actors/money.h"
#include "actors/order_internal.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

#define RATE_DIGITS 9
#define RATE_ONE    INT64_C(1000000000)

/* floor(amount × part / whole) for 0 ≤ part ≤ whole; amount ≥ 0: cannot overflow. */
static int64_t running_share(int64_t amount, int64_t part, int64_t whole)
{
    int64_t share = amount;

    if (part < whole)
        OMS_ASSERT(money_share_floor(amount, part, whole, &share));
    return share;
}

/* The part of `amount` that units from … from + quantity − 1 of `whole` bear. */
static int64_t unit_share(int64_t amount, int64_t from, int64_t quantity, int64_t whole)
{
    return running_share(amount, from + quantity, whole) - running_share(amount, from, whole);
}

struct unit_parts {
    int64_t gross, discount, tax;
};

static struct unit_parts parts_of(const struct order_line *line, int64_t from, int64_t quantity)
{
    OMS_ASSERT(from >= 0 && quantity >= 0 && from + quantity <= line->priced_quantity);
    return (struct unit_parts){
        .gross = line->free_gift ? 0 : line->unit_price * quantity,
        .discount =
            unit_share(line->discount + line->allocated_discount, from, quantity, line->priced_quantity),
        .tax = unit_share(line->allocated_tax, from, quantity, line->priced_quantity),
    };
}

static int64_t parts_net(const struct unit_parts *parts, bool taxes_included)
{
    return parts->gross - parts->discount + (taxes_included ? 0 : parts->tax);
}

int64_t order_line_share(const struct order *order, const struct order_line *line, int64_t from,
                         int64_t quantity)
{
    struct unit_parts parts = parts_of(line, from, quantity);

    return parts_net(&parts, order->taxes_included);
}

/* Units cancelled since the last pricing come first in what is shown; which units they were does not matter
 * here. */
static struct unit_parts remaining_parts(const struct order_line *line)
{
    int64_t left = line->quantity - line->cancelled;

    return parts_of(line, line->priced_quantity - left, left);
}

int64_t order_line_total(const struct order_line *line)
{
    return line->free_gift ? 0 : line->unit_price * (line->quantity - line->cancelled);
}

int64_t order_line_net(const struct order *order, const struct order_line *line)
{
    struct unit_parts parts = remaining_parts(line);

    return parts_net(&parts, order->taxes_included);
}

int64_t order_line_discounts(const struct order_line *line)
{
    return remaining_parts(line).discount;
}

int64_t order_line_tax(const struct order_line *line)
{
    return remaining_parts(line).tax;
}

void order_vendor_totals(const struct order *order, struct oms_str vendor_id, struct order_totals *out)
{
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < order->line_count; i++) {
        const struct order_line *line = &order->lines[i];

        if (!oms_str_present(line->vendor.id) || !oms_str_eq(line->vendor.id, vendor_id))
            continue;
        out->total += order_line_total(line);
        out->discounts += order_line_discounts(line);
        out->tax += order_line_tax(line);
        out->final += order_line_net(order, line);
    }
}

/* ---- pricing ---- */

struct pricing {
    struct order_work *work;
    const struct order_price_request *request;
    int64_t total;          /* Σ gross */
    int64_t line_discounts; /* Σ lines' own */
    int64_t order_discount; /* beyond those */
    int64_t net_lines;      /* Σ gross − line discount */
    int64_t discounts;
    int64_t tax;
    int64_t tax_computed; /* of it, by rates: already on the lines */
    int64_t final;
    int64_t shipping_discount;
    int64_t shipping_tax;
};

static bool refuse_overflow(struct order_work *work, const char *field)
{
    return refusal_add(work->refusals, REFUSAL_INVALID, oms_str_of(field),
                       "The sum does not fit: amounts of an order must stay below 9.2e18 minor units");
}

/* A given sum must be the one that we find. */
static bool check_given(struct order_work *work, const char *field, struct order_amount given,
                        int64_t expected)
{
    int64_t amount;

    if (!oms_str_present(given.text))
        return true;
    if (!order_field_amount(work, "", field, given, &amount))
        return false;
    if (amount == expected)
        return true;
    return refusal_add(work->refusals, REFUSAL_TOTALS_MISMATCH, oms_str_of(field), "%s is %s, expected %s",
                       field, order_money(work, amount).text, order_money(work, expected).text);
}

static int64_t gross_of(const struct order_line *line)
{
    return line->free_gift ? 0 : line->unit_price * line->priced_quantity;
}

static bool sum_lines(struct pricing *p)
{
    for (size_t i = 0; i < p->request->line_count; i++) {
        const struct order_line *line = &p->request->lines[i];
        int64_t gross = 0;

        if ((!line->free_gift && !money_mul(line->unit_price, line->priced_quantity, &gross)) ||
            !money_add(p->total, gross, &p->total))
            return refuse_overflow(p->work, "totalAmount");
        if (line->discount > gross)
            return refusal_add(p->work->refusals, REFUSAL_INVALID,
                               refusal_field(p->work->refusals, "lineItems.%zu.discountAmount", i),
                               "The discount %s is more than the line's price %s",
                               order_money(p->work, line->discount).text, order_money(p->work, gross).text);
        p->line_discounts += line->discount; /* ≤ total: cannot overflow */
    }
    p->net_lines = p->total - p->line_discounts;
    return check_given(p->work, "totalAmount", p->request->sums->total, p->total);
}

static bool sum_discounts(struct pricing *p)
{
    const struct order_sums_input *sums = p->request->sums;
    const struct order *before = p->request->before;
    int64_t bearable;

    p->discounts = p->line_discounts;
    if (oms_str_present(sums->discounts.text)) {
        if (!order_field_amount(p->work, "", "totalDiscountsFee", sums->discounts, &p->discounts))
            return false;
        if (p->discounts < p->line_discounts)
            return refusal_add(
                p->work->refusals, REFUSAL_TOTALS_MISMATCH, REFUSAL_FIELD("totalDiscountsFee"),
                "totalDiscountsFee is %s, expected at least %s: the discounts of the lines count",
                order_money(p->work, p->discounts).text, order_money(p->work, p->line_discounts).text);
    } else if (before && before->discount_given) {
        return refusal_add(p->work->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("totalDiscountsFee"),
                           "The order has a discount of its own: give the new totalDiscountsFee");
    }
    p->order_discount = p->discounts - p->line_discounts;
    if (!money_add(p->net_lines, p->request->shipping, &bearable))
        return refuse_overflow(p->work, "shippingDetails.cost");
    if (p->order_discount > bearable)
        return refusal_add(p->work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("totalDiscountsFee"),
                           "Discounts of %s are more than lines and shipping cost",
                           order_money(p->work, p->discounts).text);
    return true;
}

static void allocate_discount(struct pricing *p)
{
    int64_t goods = p->order_discount < p->net_lines ? p->order_discount : p->net_lines;
    int64_t weight = 0, given = 0;

    for (size_t i = 0; i < p->request->line_count; i++) {
        struct order_line *line = &p->request->lines[i];
        int64_t upto;

        weight += gross_of(line) - line->discount;
        upto = p->net_lines ? running_share(goods, weight, p->net_lines) : 0;
        line->allocated_discount = upto - given;
        line->allocated_tax = 0;
        given = upto;
    }
    p->shipping_discount = p->order_discount - goods;
}

static int64_t net_of(const struct order_line *line)
{
    return gross_of(line) - line->discount - line->allocated_discount;
}

/* ---- tax ---- */

static bool read_rate(struct order_work *work, const char *prefix, struct oms_str text, bool computes,
                      int64_t *out)
{
    *out = 0;
    if (money_parse(text, RATE_DIGITS, out) != MONEY_PARSE_OK || *out < 0)
        return refusal_add(
            work->refusals, REFUSAL_INVALID, order_path(work, prefix, "rate"),
            "A rate is a decimal fraction with at most 9 decimals, such as 0.0825 for 8.25 %%");
    if (computes && *out > RATE_ONE)
        return refusal_add(
            work->refusals, REFUSAL_INVALID, order_path(work, prefix, "rate"),
            "A rate above 1 would be over 100 %%: write 8.25 %% as 0.0825, or give the amount");
    return true;
}

/* Tax by `rate` on every taxable line, rounded half up once per line. all_rates: of all computed tax lines.
 */
static bool compute_tax(struct pricing *p, int64_t rate, int64_t all_rates, int64_t *sum)
{
    int64_t whole = p->request->taxes_included ? RATE_ONE + all_rates : RATE_ONE;

    *sum = 0;
    for (size_t i = 0; i < p->request->line_count; i++) {
        struct order_line *line = &p->request->lines[i];
        int64_t tax;

        if (!line->taxable)
            continue;
        if (!money_share(net_of(line), rate, whole, &tax) || !money_add(*sum, tax, sum) ||
            !money_add(line->allocated_tax, tax, &line->allocated_tax))
            return refuse_overflow(p->work, "taxAmount");
    }
    return true;
}

/* Reads the tax lines of the input; amounts given or computed. */
static bool read_tax_lines(struct pricing *p, struct order_tax_line *out)
{
    const struct order_sums_input *sums = p->request->sums;
    int64_t rates[OMS_ORDER_TAX_LINES_MAX], all_rates = 0;
    char prefix[ORDER_PREFIX_SIZE];
    bool ok = true;

    for (size_t i = 0; i < sums->tax_line_count; i++) {
        const struct order_tax_line_input *in = &sums->tax_lines[i];

        order_prefix(prefix, "taxLines.", i);
        out[i] = (struct order_tax_line){in->title, in->rate, 0, !oms_str_present(in->amount.text)};
        rates[i] = 0;
        ok &= order_field_text(p->work, prefix, "title", in->title, ORDER_NAME_TEXT);
        if (oms_str_present(in->rate))
            ok &= read_rate(p->work, prefix, in->rate, out[i].computed, &rates[i]);
        else if (out[i].computed)
            ok = refusal_add(p->work->refusals, REFUSAL_REQUIRED, order_path(p->work, prefix, "amount"),
                             "Give the tax line's amount, or its rate");
        if (out[i].computed)
            all_rates += rates[i];
        else
            ok &= order_field_amount(p->work, prefix, "amount", in->amount, &out[i].amount);
    }
    for (size_t i = 0; ok && i < sums->tax_line_count; i++) {
        if (out[i].computed) {
            ok = compute_tax(p, rates[i], all_rates, &out[i].amount) &&
                 money_add(p->tax_computed, out[i].amount, &p->tax_computed);
        }
        if (ok && !money_add(p->tax, out[i].amount, &p->tax))
            ok = refuse_overflow(p->work, "taxAmount");
    }
    return ok;
}

/* On an edit whose input says nothing of tax: rates are applied again, given amounts must be given anew. */
static bool repeat_tax(struct pricing *p, struct order_pricing *out)
{
    const struct order *before = p->request->before;
    struct order_tax_line *lines;
    int64_t rates[OMS_ORDER_TAX_LINES_MAX], all_rates = 0;

    if (before->tax_given)
        return refusal_add(p->work->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("taxAmount"),
                           "The order's tax was given as an amount: give the new taxAmount or taxLines");
    lines = order_work_alloc(p->work, before->tax_line_count, sizeof(*lines));
    if (!lines)
        return false;
    out->tax_lines = lines;
    out->tax_line_count = before->tax_line_count;
    for (size_t i = 0; i < before->tax_line_count; i++) {
        lines[i] = before->tax_lines[i];
        rates[i] = 0;
        if (lines[i].computed && !read_rate(p->work, "taxLines.", lines[i].rate, true, &rates[i]))
            return false;
        all_rates += rates[i];
    }
    for (size_t i = 0; i < before->tax_line_count; i++)
        if (!compute_tax(p, rates[i], all_rates, &lines[i].amount) ||
            !money_add(p->tax, lines[i].amount, &p->tax))
            return false;
    p->tax_computed = p->tax;
    return true;
}

static bool sum_tax(struct pricing *p, struct order_pricing *out)
{
    const struct order_sums_input *sums = p->request->sums;
    bool lines_given = sums->tax_line_count || sums->has_tax_lines;
    struct order_tax_line *lines;

    if (sums->tax_line_count > OMS_ORDER_TAX_LINES_MAX)
        return refusal_add(p->work->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("taxLines"),
                           "An order has at most %d tax lines", OMS_ORDER_TAX_LINES_MAX);
    if (!lines_given && !oms_str_present(sums->tax.text))
        return p->request->before ? repeat_tax(p, out) : true;
    if (lines_given) {
        lines = order_work_alloc(p->work, sums->tax_line_count, sizeof(*lines));
        if (!lines || !read_tax_lines(p, lines))
            return false;
        out->tax_lines = lines;
        out->tax_line_count = sums->tax_line_count;
        if (sums->tax_line_count && !check_given(p->work, "taxAmount", sums->tax, p->tax))
            return false;
    }
    if (!sums->tax_line_count && oms_str_present(sums->tax.text) &&
        !order_field_amount(p->work, "", "taxAmount", sums->tax, &p->tax))
        return false;
    out->tax_given = p->tax != p->tax_computed;
    return true;
}

/* What was given as an amount goes to the taxable lines by their net; to all when none is; else to shipping.
 */
static bool allocate_tax(struct pricing *p)
{
    int64_t rest = p->tax - p->tax_computed, base = 0, weight = 0, given = 0;
    bool only_taxable = true;

    for (size_t i = 0; i < p->request->line_count; i++)
        if (p->request->lines[i].taxable)
            base += net_of(&p->request->lines[i]);
    if (!base) {
        only_taxable = false;
        for (size_t i = 0; i < p->request->line_count; i++)
            base += net_of(&p->request->lines[i]);
    }
    if (!base) {
        p->shipping_tax = rest;
        return true;
    }
    for (size_t i = 0; i < p->request->line_count; i++) {
        struct order_line *line = &p->request->lines[i];
        int64_t upto;

        if (only_taxable && !line->taxable)
            continue;
        weight += net_of(line);
        upto = running_share(rest, weight, base);
        if (!money_add(line->allocated_tax, upto - given, &line->allocated_tax))
            return refuse_overflow(p->work, "taxAmount");
        given = upto;
    }
    return true;
}

static bool sum_final(struct pricing *p)
{
    int64_t before_tax;

    if (!money_add(p->total - p->discounts, p->request->shipping, &before_tax))
        return refuse_overflow(p->work, "finalAmount");
    p->final = before_tax;
    if (p->request->taxes_included) {
        if (p->tax > before_tax)
            return refusal_add(p->work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("taxAmount"),
                               "A tax of %s cannot be included in %s", order_money(p->work, p->tax).text,
                               order_money(p->work, before_tax).text);
    } else if (!money_add(before_tax, p->tax, &p->final)) {
        return refuse_overflow(p->work, "finalAmount");
    }
    if (p->final < 0)
        return refusal_add(p->work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("finalAmount"),
                           "The final amount would be negative: %s", order_money(p->work, p->final).text);
    return check_given(p->work, "finalAmount", p->request->sums->final, p->final);
}

static bool write_pricing(struct pricing *p, struct order_pricing *out)
{
    struct order_line_price *prices = order_work_alloc(p->work, p->request->line_count, sizeof(*prices));

    if (!prices)
        return false;
    for (size_t i = 0; i < p->request->line_count; i++) {
        const struct order_line *line = &p->request->lines[i];

        prices[i] = (struct order_line_price){line->id, line->priced_quantity, line->discount,
                                              line->allocated_discount, line->allocated_tax};
    }
    out->lines = prices;
    out->line_count = p->request->line_count;
    out->discount_given = p->order_discount != 0;
    out->totals = (struct order_totals){
        .total = p->total,
        .discounts = p->discounts,
        .tax = p->tax,
        .shipping = p->request->shipping,
        .final = p->final,
        .shipping_discount = p->shipping_discount,
        .shipping_tax = p->shipping_tax,
    };
    return true;
}

bool order_price(struct order_work *work, const struct order_price_request *request,
                 struct order_pricing *out)
{
    struct pricing p = {.work = work, .request = request};

    memset(out, 0, sizeof(*out));
    if (!sum_lines(&p) || !sum_discounts(&p))
        return false;
    allocate_discount(&p);
    return sum_tax(&p, out) && allocate_tax(&p) && sum_final(&p) && write_pricing(&p, out);
}

/* ---- cancellation ---- */

/* The tax lines shrink with the tax, each by its share. */
static bool shrink_tax_lines(struct order_work *work, struct order_pricing *out)
{
    const struct order *order = work->order;
    struct order_tax_line *lines;
    int64_t weight = 0, given = 0, before = order->totals.tax;

    if (!order->tax_line_count)
        return true;
    lines = order_work_alloc(work, order->tax_line_count, sizeof(*lines));
    if (!lines)
        return false;
    for (size_t i = 0; i < order->tax_line_count; i++) {
        int64_t upto;

        lines[i] = order->tax_lines[i];
        weight += lines[i].amount;
        upto = before ? running_share(out->totals.tax, weight, before) : 0;
        lines[i].amount = upto - given;
        given = upto;
    }
    out->tax_lines = lines;
    out->tax_line_count = order->tax_line_count;
    return true;
}

bool order_price_cancelled(struct order_work *work, const struct order_item *items, size_t count,
                           struct order_pricing *out)
{
    const struct order *order = work->order;

    memset(out, 0, sizeof(*out));
    out->totals = order->totals;
    out->tax_given = order->tax_given;
    out->discount_given = order->discount_given;
    for (size_t i = 0; i < count; i++) {
        const struct order_line *line = order_find_line(order, items[i].line);
        struct unit_parts parts = parts_of(line, line->settled_quantity, items[i].quantity);

        out->totals.total -= parts.gross;
        out->totals.discounts -= parts.discount;
        out->totals.tax -= parts.tax;
        out->totals.final -= parts_net(&parts, order->taxes_included);
    }
    return shrink_tax_lines(work, out);
}
