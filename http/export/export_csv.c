/*
 * CSV of an export (RFC 4180: CRLF, quotes doubled): a row per line item, what belongs to the order repeated
 * in each of its rows; an order without lines has one row.
 *
 * A spreadsheet runs a cell that begins with = + - @, a tab or a carriage return as a formula. Such a text
 * gets an apostrophe in front, and so does one that begins with an apostrophe: take one away to have the text
 * as it is. Numbers, instants and our own words are never touched.
 */
#include "actors/money.h"
#include "http/export/export_impl.h"
#include "runtime/base/assert.h"
#include "runtime/base/datetime.h"

void export_csv_text(struct oms_str text, struct oms_buf *out)
{
    bool quote = false;
    if (!text.len)
        return;
    for (size_t i = 0; i < text.len && !quote; i++)
        quote = text.data[i] == ',' || text.data[i] == '"' || text.data[i] == '\r' || text.data[i] == '\n';
    if (quote)
        oms_buf_append_char(out, '"');
    if (text.data[0] != '\0' && strchr("=+-@\t\r'", text.data[0]))
        oms_buf_append_char(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"')
            oms_buf_append_char(out, '"');
        oms_buf_append_char(out, text.data[i]);
    }
    if (quote)
        oms_buf_append_char(out, '"');
}

/* A row on its way: what its columns are made of. */
struct row {
    const struct order *order;
    const struct order_line *line; /* NULL: the order has none */
    bool personal;
    struct oms_str cursor; /* absent in all but the order's last row */
    unsigned exponent;
};

static void put_instant(int64_t ms, struct oms_buf *out)
{
    char text[OMS_DATETIME_TEXT_SIZE];
    oms_buf_append(out, text, oms_datetime_format(ms, text));
}

static void put_money(const struct row *row, int64_t minor, struct oms_buf *out)
{
    char text[MONEY_TEXT_SIZE];
    oms_buf_append(out, text, money_format(minor, row->exponent, text));
}

static void put_word(const char *word, struct oms_buf *out)
{
    if (word)
        oms_buf_append_str(out, oms_str_of(word));
}

#define COLUMN(name, body)                                                                                   \
    static void column_##name(const struct row *row, struct oms_buf *out)                                    \
    {                                                                                                        \
        body;                                                                                                \
    }
#define TEXT(name, text)          COLUMN(name, export_csv_text(row->order->text, out))
#define PERSON(name, text)        COLUMN(name, if (row->personal) export_csv_text(row->order->text, out))
#define AMOUNT(name, amount)      COLUMN(name, put_money(row, row->order->amount, out))
#define LINE_TEXT(name, text)     COLUMN(name, if (row->line) export_csv_text(row->line->text, out))
#define LINE_COUNT(name, count)   COLUMN(name, if (row->line) oms_buf_append_i64(out, row->line->count))
#define LINE_AMOUNT(name, amount) COLUMN(name, if (row->line) put_money(row, amount, out))
#define LINE_FLAG(name, flag)     COLUMN(name, if (row->line) put_word(row->line->flag ? "true" : "false", out))

TEXT(orderId, order_id)
TEXT(externalRef, external_ref)
TEXT(source, source)
COLUMN(version, oms_buf_append_u64(out, row->order->version))
COLUMN(placedAt, put_instant(row->order->placed_at, out))
COLUMN(stage, put_word(order_stage_name(row->order->stage), out))
COLUMN(fulfillmentStatus, put_word(order_fulfillment_status_name(row->order->fulfillment), out))
COLUMN(paymentStatus, put_word(order_payment_status_name(row->order->payment), out))
COLUMN(activityStatus, export_csv_text(order_activity_status(row->order), out))
PERSON(customerId, customer.customer_id)
PERSON(customerName, customer.name)
PERSON(customerEmail, customer.email)
PERSON(customerPhone, customer.phone)
PERSON(recipient, destination.recipient)
PERSON(street, destination.street)
PERSON(line2, destination.line2)
PERSON(city, destination.city)
TEXT(state, destination.state)
PERSON(postal, destination.postal)
TEXT(country, destination.country)
PERSON(destinationPhone, destination.phone)
COLUMN(currency, char code[4]; money_currency_text(row->order->currency, code); put_word(code, out))
AMOUNT(totalAmount, totals.total)
AMOUNT(totalDiscountsFee, totals.discounts)
AMOUNT(taxAmount, totals.tax)
AMOUNT(shippingCost, shipping.cost)
AMOUNT(finalAmount, totals.final)
AMOUNT(paidAmount, paid)
AMOUNT(refundedAmount, refunded)
AMOUNT(refundDue, refund_due)
TEXT(shippingMethod, shipping.method)
TEXT(shippingReference, shipping_reference)
PERSON(cancellationReason, cancellation_reason)
COLUMN(dateCreated, put_instant(row->order->created_at, out))
COLUMN(dateModified, put_instant(row->order->modified_at, out))
LINE_COUNT(lineItemId, id)
LINE_TEXT(productSku, sku)
LINE_TEXT(productName, name)
LINE_TEXT(productCategory, category)
LINE_TEXT(vendorId, vendor.id)
LINE_TEXT(vendorName, vendor.name)
LINE_COUNT(orderQuantity, quantity)
LINE_COUNT(cancelledQuantity, cancelled)
LINE_COUNT(allocatedQuantity, allocated)
LINE_COUNT(shippedQuantity, shipped)
LINE_COUNT(deliveredQuantity, delivered)
LINE_COUNT(returnedQuantity, returned)
LINE_AMOUNT(productPrice, row->line->unit_price)
LINE_AMOUNT(discountAmount, row->line->discount)
LINE_AMOUNT(lineTotalAmount, order_line_total(row->line))
LINE_FLAG(isFreeGift, free_gift)
LINE_FLAG(isTaxable, taxable)
COLUMN(cursor, oms_buf_append_str(out, row->cursor))

static const struct {
    const char *name;
    void (*put)(const struct row *row, struct oms_buf *out);
} columns[] = {
#define C(name)                                                                                              \
    {                                                                                                        \
#name, column_##name                                                                                 \
    }
    C(orderId),
    C(externalRef),
    C(source),
    C(version),
    C(placedAt),
    C(stage),
    C(fulfillmentStatus),
    C(paymentStatus),
    C(activityStatus),
    C(customerId),
    C(customerName),
    C(customerEmail),
    C(customerPhone),
    C(recipient),
    C(street),
    C(line2),
    C(city),
    C(state),
    C(postal),
    C(country),
    C(destinationPhone),
    C(currency),
    C(totalAmount),
    C(totalDiscountsFee),
    C(taxAmount),
    C(shippingCost),
    C(finalAmount),
    C(paidAmount),
    C(refundedAmount),
    C(refundDue),
    C(shippingMethod),
    C(shippingReference),
    C(cancellationReason),
    C(dateCreated),
    C(dateModified),
    C(lineItemId),
    C(productSku),
    C(productName),
    C(productCategory),
    C(vendorId),
    C(vendorName),
    C(orderQuantity),
    C(cancelledQuantity),
    C(allocatedQuantity),
    C(shippedQuantity),
    C(deliveredQuantity),
    C(returnedQuantity),
    C(productPrice),
    C(discountAmount),
    C(lineTotalAmount),
    C(isFreeGift),
    C(isTaxable),
    C(cursor),
#undef C
};

void export_csv_head(struct oms_buf *out)
{
    for (size_t i = 0; i < OMS_COUNT_OF(columns); i++) {
        if (i)
            oms_buf_append_char(out, ',');
        put_word(columns[i].name, out);
    }
    oms_buf_append_lit(out, "\r\n");
}

void export_csv_order(const struct order *order, bool personal, struct oms_str cursor, struct oms_buf *out)
{
    struct row row = {.order = order, .personal = personal, .exponent = money_exponent(order->currency)};
    size_t rows = order->line_count ? order->line_count : 1;
    for (size_t i = 0; i < rows; i++) {
        row.line = order->line_count ? &order->lines[i] : NULL;
        row.cursor = i + 1 == rows ? cursor : OMS_STR_NONE;
        for (size_t k = 0; k < OMS_COUNT_OF(columns); k++) {
            if (k)
                oms_buf_append_char(out, ',');
            columns[k].put(&row, out);
        }
        oms_buf_append_lit(out, "\r\n");
    }
}
