/*
 * The fingerprint of a command: a keyed hash over its canonical content, by the same tables that parsed it.
 *
 * Canonical: only what is there, each field under its row's number and with its length; an empty text is an
 * absent one; a decimal without the zeros that change nothing, so that 10, "10.00" and 1e1 are one amount.
 * Keyed, since it is stored for as long as the order and must not let anybody guess what it was made of.
 */
#include <stddef.h>

#include "actors/order_input.h"
#include "actors/order_input_tables.h"
#include "runtime/base/assert.h"
#include "runtime/base/wire.h"

#define DECIMAL_DIGITS_MAX 64
#define EXPONENT_MAX       10000

/* Small pieces are gathered, so that the hash runs over long ones. */
struct printer {
    struct oms_siphash state;
    size_t len;
    unsigned char bytes[512];
};

static void flush(struct printer *to)
{
    oms_siphash_update(&to->state, to->bytes, to->len);
    to->len = 0;
}

/* Where `len` bytes (a few) go; the caller counts what it has put there. */
static unsigned char *room_for(struct printer *to, size_t len)
{
    if (len > sizeof to->bytes - to->len)
        flush(to);
    return to->bytes + to->len;
}

static void add_bytes(struct printer *to, const void *data, size_t len)
{
    if (len > sizeof to->bytes) {
        flush(to);
        oms_siphash_update(&to->state, data, len);
        return;
    }
    if (len)
        memcpy(room_for(to, len), data, len);
    to->len += len;
}

/* A varint: the same number has one form, and no other number begins with it. */
static void add_number(struct printer *to, uint64_t number)
{
    unsigned char *out = room_for(to, 10);

    for (; number >= 0x80; number >>= 7)
        *out++ = (unsigned char)(number | 0x80);
    *out++ = (unsigned char)number;
    to->len = (size_t)(out - to->bytes);
}

static void add_row(struct printer *to, size_t row, unsigned kind)
{
    unsigned char *out = room_for(to, 2);

    out[0] = (unsigned char)row;
    out[1] = (unsigned char)kind;
    to->len += 2;
}

static void add_text(struct printer *to, struct oms_str text)
{
    add_number(to, text.len);
    add_bytes(to, text.data, text.len);
}

/* ---- decimals ---- */

struct decimal {
    bool negative;
    char digits[DECIMAL_DIGITS_MAX]; /* without zeros at either end */
    size_t count;
    long exponent; /* value = 0.digits × 10^exponent */
};

static bool read_exponent(struct oms_str text, size_t at, long *out)
{
    int64_t value;

    if (at < text.len && text.data[at] == '+')
        at++;
    if (oms_str_to_i64(oms_str_make(text.data + at, text.len - at), &value) != OMS_OK ||
        value > EXPONENT_MAX || value < -EXPONENT_MAX)
        return false;
    *out = (long)value;
    return true;
}

/* false for what is no number or has too many digits: it is then taken as text (and refused later). */
static bool read_decimal(struct oms_str text, struct decimal *out)
{
    bool point = false, any = false;
    long exponent = 0;
    size_t i = 0;

    *out = (struct decimal){.negative = text.len && text.data[0] == '-'};
    for (i = out->negative; i < text.len; i++) {
        char c = text.data[i];

        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            break;
        any = true;
        if (out->count == 0 && c == '0') {
            out->exponent -= point;
            continue;
        }
        if (out->count == DECIMAL_DIGITS_MAX)
            return false;
        out->digits[out->count++] = c;
        out->exponent += !point;
    }
    if (!any || (i < text.len &&
                 ((text.data[i] != 'e' && text.data[i] != 'E') || !read_exponent(text, i + 1, &exponent))))
        return false;
    while (out->count && out->digits[out->count - 1] == '0')
        out->count--;
    out->exponent = out->count ? out->exponent + exponent : 0;
    out->negative = out->negative && out->count;
    return true;
}

static void add_decimal(struct printer *to, struct oms_str text)
{
    struct decimal decimal;

    if (!read_decimal(text, &decimal)) {
        add_text(to, text);
        return;
    }
    add_number(to, (uint64_t)(decimal.exponent + 2 * EXPONENT_MAX) << 1 | decimal.negative);
    add_text(to, oms_str_make(decimal.digits, decimal.count));
}

/* ---- rows ---- */

static void add_object(struct printer *to, const struct order_input_table *table, const void *object);

static void add_list(struct printer *to, const struct order_input_field *field, size_t row,
                     const void *object)
{
    bool given = false;
    const char *items;
    size_t count;

    memcpy(&items, (const char *)object + field->offset, sizeof items);
    memcpy(&count, (const char *)object + field->aux, sizeof count);
    if (field->flag)
        memcpy(&given, (const char *)object + field->flag, sizeof given);
    if (!count && !given)
        return;
    add_row(to, row, field->kind);
    add_number(to, count);
    for (size_t i = 0; i < count; i++) {
        if (field->kind == INPUT_LIST)
            add_object(to, field->table, items + i * field->table->size);
        else
            add_text(to, ((const struct oms_str *)(const void *)items)[i]);
    }
}

static void add_texts_of(struct printer *to, const struct order_input_field *field, size_t row,
                         const void *place)
{
    struct order_amount amount;
    struct oms_str text;

    if (field->kind == INPUT_DECIMAL || field->kind == INPUT_MONEY) {
        memcpy(&amount, place, sizeof amount);
        if (!amount.text.len)
            return;
        add_row(to, row, field->kind);
        add_number(to, amount.currency);
        add_decimal(to, amount.text);
        return;
    }
    memcpy(&text, place, sizeof text);
    if (!text.len)
        return;
    add_row(to, row, field->kind);
    if (field->kind == INPUT_DECIMAL_TEXT)
        add_decimal(to, text);
    else
        add_text(to, text);
}

static void add_numbers_of(struct printer *to, const struct order_input_field *field, size_t row,
                           const void *object)
{
    const void *place = (const char *)object + field->offset;
    bool flag = false, given = false;
    uint64_t number = 0;
    uint32_t small;

    switch ((enum order_input_kind)field->kind) {
    case INPUT_BOOL:
    case INPUT_BOOL_NOT:
    case INPUT_BOOL_TRUE:
    case INPUT_BOOL_FLAG:
        memcpy(&flag, place, sizeof flag);
        number = flag;
        break;
    case INPUT_PART:
    case INPUT_ENUM:
        memcpy(&small, place, sizeof small);
        number = small;
        break;
    default:
        memcpy(&number, place, sizeof number);
        break;
    }
    if ((field->kind == INPUT_BOOL_FLAG || field->kind == INPUT_INSTANT) && field->aux)
        memcpy(&given, (const char *)object + field->aux, sizeof given);
    if (!number && !given)
        return;
    add_row(to, row, field->kind);
    add_number(to, number);
}

/* Tables nest a few levels deep and are static, so this recursion is bounded by the code. */
static void add_object(struct printer *to, const struct order_input_table *table, const void *object)
{
    bool given;

    for (size_t row = 0; row < table->count; row++) {
        const struct order_input_field *field = &table->fields[row];
        const void *place = (const char *)object + field->offset;

        switch ((enum order_input_kind)field->kind) {
        case INPUT_TEXT:
        case INPUT_JSON:
        case INPUT_DECIMAL_TEXT:
        case INPUT_DECIMAL:
        case INPUT_MONEY:
            add_texts_of(to, field, row, place);
            break;
        case INPUT_OBJECT:
            given = true;
            if (field->aux)
                memcpy(&given, (const char *)object + field->aux, sizeof given);
            if (given) {
                add_row(to, row, field->kind);
                add_object(to, field->table, place);
            }
            break;
        case INPUT_LIST:
        case INPUT_TEXTS:
        case INPUT_CODES:
            add_list(to, field, row, object);
            break;
        default:
            add_numbers_of(to, field, row, object);
        }
    }
    add_row(to, table->count, 0xff); /* an object's end, so that its fields are nobody else's */
}

struct oms_hash128 order_input_fingerprint(const struct oms_hash_key *key,
                                           const struct order_command *command)
{
    const struct order_input_table *table = order_input_table_of(command->type);
    struct printer to = {.len = 0};

    OMS_ASSERT(table);
    oms_siphash_init(&to.state, key);
    add_text(&to, OMS_STR("order-command"));
    add_number(&to, ORDER_FINGERPRINT_VERSION);
    add_number(&to, command->type);
    add_number(&to, command->has_expected_version ? command->expected_version : 0);
    add_object(&to, table, command);
    flush(&to);
    return oms_siphash_final(&to.state);
}
