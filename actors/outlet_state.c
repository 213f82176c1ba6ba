/* What an outlet knows, as a pure fold of its changes; see outlet.h. A stored state is one large change. */
#include <stdio.h>

#include "actors/outlet.h"
#include "runtime/base/alloc.h"
#include "runtime/base/wire.h"

void outlet_init(struct outlet *outlet)
{
    *outlet = (struct outlet){0};
}

void outlet_fini(struct outlet *outlet)
{
    oms_free(outlet->pending);
    oms_free(outlet->letters);
    oms_free(outlet->tries);
    *outlet = (struct outlet){0};
}

static bool same(struct ids_cursor a, struct ids_cursor b)
{
    return a.commit == b.commit && a.ordinal == b.ordinal;
}

const struct outlet_letter *outlet_find_letter(const struct outlet *outlet, struct ids_cursor at)
{
    for (size_t i = 0; i < outlet->letter_count; i++)
        if (same(outlet->letters[i].at, at))
            return &outlet->letters[i];
    return NULL;
}

/* ---- writing ---- */

enum {
    OUTLET_VERSION = 1,
    OUTLET_PLACE = 2,
    OUTLET_PENDING = 3,
    OUTLET_LETTER = 4,
    OUTLET_LETTER_GONE = 5,
    OUTLET_TRY = 6,
    OUTLET_DELIVERED = 7,
    OUTLET_GONE_REVISION = 8,
    OUTLET_SUCCESS_AT = 9,
    OUTLET_ERROR_AT = 10,
    OUTLET_ERROR = 11,
    OUTLET_CLEARED = 12,
};
/* Of what lies in the fields above. */
enum {
    ITEM_COMMIT = 1,
    ITEM_ORDINAL = 2,
    ITEM_TRIES = 3,
    ITEM_TIME = 4,
    ITEM_ORDER = 5,
    ITEM_TYPE = 6,
    ITEM_REASON = 7,
    ITEM_DURATION = 8,
    ITEM_STATUS = 9,
};

static void put_cursor(struct ids_cursor at, struct oms_buf *out)
{
    oms_wire_put_u64(out, ITEM_COMMIT, at.commit);
    oms_wire_put_u64(out, ITEM_ORDINAL, at.ordinal);
}

static void put_text(unsigned field, const char *text, struct oms_buf *out)
{
    if (text[0])
        oms_wire_put_str(out, field, oms_str_of(text));
}

void outlet_put_place(struct ids_cursor high, struct oms_buf *out)
{
    size_t mark = oms_wire_begin(out, OUTLET_PLACE);
    put_cursor(high, out);
    oms_wire_end(out, mark);
}

void outlet_put_pending(const struct outlet_pending *pending, struct oms_buf *out)
{
    size_t mark = oms_wire_begin(out, OUTLET_PENDING);
    put_cursor(pending->at, out);
    oms_wire_put_u64(out, ITEM_TRIES, pending->tries);
    oms_wire_put_i64(out, ITEM_TIME, pending->due);
    oms_wire_end(out, mark);
}

void outlet_put_letter(const struct outlet_letter *letter, struct oms_buf *out)
{
    size_t mark = oms_wire_begin(out, OUTLET_LETTER);
    put_cursor(letter->at, out);
    oms_wire_put_u64(out, ITEM_TRIES, letter->tries);
    oms_wire_put_i64(out, ITEM_TIME, letter->since);
    put_text(ITEM_ORDER, letter->order, out);
    put_text(ITEM_TYPE, letter->type, out);
    put_text(ITEM_REASON, letter->reason, out);
    oms_wire_end(out, mark);
}

void outlet_put_letter_gone(struct ids_cursor at, struct oms_buf *out)
{
    size_t mark = oms_wire_begin(out, OUTLET_LETTER_GONE);
    put_cursor(at, out);
    oms_wire_end(out, mark);
}

void outlet_put_try(const struct outlet_try *attempt, struct oms_buf *out)
{
    size_t mark = oms_wire_begin(out, OUTLET_TRY);
    put_cursor(attempt->at, out);
    oms_wire_put_u64(out, ITEM_TRIES, attempt->attempt);
    oms_wire_put_i64(out, ITEM_TIME, attempt->time);
    oms_wire_put_u64(out, ITEM_DURATION, attempt->duration_ms);
    oms_wire_put_u64(out, ITEM_STATUS, attempt->status);
    put_text(ITEM_TYPE, attempt->type, out);
    put_text(ITEM_REASON, attempt->reason, out);
    oms_wire_end(out, mark);
}

void outlet_put_sums(const struct outlet *outlet, struct oms_buf *out)
{
    oms_wire_put_u64(out, OUTLET_DELIVERED, outlet->delivered);
    oms_wire_put_u64(out, OUTLET_GONE_REVISION, outlet->gone_revision);
    oms_wire_put_i64(out, OUTLET_SUCCESS_AT, outlet->success_at);
    oms_wire_put_i64(out, OUTLET_ERROR_AT, outlet->error_at);
    oms_wire_put_str(out, OUTLET_ERROR, oms_str_of(outlet->error));
}

void outlet_put_cleared(struct oms_buf *out)
{
    oms_wire_put_u64(out, OUTLET_CLEARED, 1);
}

void outlet_encode(const struct outlet *outlet, struct oms_buf *out)
{
    oms_wire_put_u64(out, OUTLET_VERSION, outlet->version);
    outlet_put_place(outlet->high, out);
    for (size_t i = 0; i < outlet->pending_count; i++)
        outlet_put_pending(&outlet->pending[i], out);
    for (size_t i = 0; i < outlet->letter_count; i++)
        outlet_put_letter(&outlet->letters[i], out);
    for (size_t i = 0; i < outlet->try_count; i++)
        outlet_put_try(&outlet->tries[i], out);
    outlet_put_sums(outlet, out);
}

/* ---- reading ---- */

/* The union of what an item may have. */
struct item {
    struct ids_cursor at;
    uint64_t tries, duration, status;
    int64_t time;
    struct oms_str order, type, reason;
};

static bool read_item(struct oms_str bytes, struct item *out)
{
    struct oms_wire wire;

    *out = (struct item){0};
    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        if (wire.field == ITEM_COMMIT)
            out->at.commit = wire.number;
        else if (wire.field == ITEM_ORDINAL)
            out->at.ordinal = (uint32_t)wire.number;
        else if (wire.field == ITEM_TRIES)
            out->tries = wire.number;
        else if (wire.field == ITEM_TIME)
            out->time = oms_wire_i64(&wire);
        else if (wire.field == ITEM_DURATION)
            out->duration = wire.number;
        else if (wire.field == ITEM_STATUS)
            out->status = wire.number;
        else if (wire.field == ITEM_ORDER && wire.is_bytes)
            out->order = wire.bytes;
        else if (wire.field == ITEM_TYPE && wire.is_bytes)
            out->type = wire.bytes;
        else if (wire.field == ITEM_REASON && wire.is_bytes)
            out->reason = wire.bytes;
    }
    return !wire.corrupt;
}

#define TAKE_TEXT(to, from) snprintf((to), sizeof(to), "%.*s", OMS_STR_ARG(from))

/* Room for one more. */
static void *grow(void *items, size_t size, size_t count, size_t *cap)
{
    if (count < *cap)
        return items;
    *cap = *cap ? *cap * 2 : 8;
    return oms_reallocarray(items, *cap, size);
}

static void add_pending(struct outlet *outlet, const struct item *item)
{
    outlet->pending =
        grow(outlet->pending, sizeof(outlet->pending[0]), outlet->pending_count, &outlet->pending_cap);
    outlet->pending[outlet->pending_count++] =
        (struct outlet_pending){.at = item->at, .tries = (uint32_t)item->tries, .due = item->time};
}

static void drop_letter(struct outlet *outlet, struct ids_cursor at)
{
    size_t kept = 0;

    for (size_t i = 0; i < outlet->letter_count; i++)
        if (!same(outlet->letters[i].at, at))
            outlet->letters[kept++] = outlet->letters[i];
    outlet->letter_count = kept;
}

static void add_letter(struct outlet *outlet, const struct item *item)
{
    drop_letter(outlet, item->at); /* given up again */
    outlet->letters =
        grow(outlet->letters, sizeof(outlet->letters[0]), outlet->letter_count, &outlet->letter_cap);
    struct outlet_letter *letter = &outlet->letters[outlet->letter_count++];
    *letter = (struct outlet_letter){.at = item->at, .tries = (uint32_t)item->tries, .since = item->time};
    TAKE_TEXT(letter->order, item->order);
    TAKE_TEXT(letter->type, item->type);
    TAKE_TEXT(letter->reason, item->reason);
}

static void add_try(struct outlet *outlet, const struct item *item)
{
    if (outlet->try_count == OMS_OUTLET_TRIES_MAX) {
        memmove(outlet->tries, outlet->tries + 1, (outlet->try_count - 1) * sizeof(outlet->tries[0]));
        outlet->try_count--;
    }
    outlet->tries = grow(outlet->tries, sizeof(outlet->tries[0]), outlet->try_count, &outlet->try_cap);
    struct outlet_try *attempt = &outlet->tries[outlet->try_count++];
    *attempt = (struct outlet_try){.at = item->at,
                                   .time = item->time,
                                   .attempt = (uint32_t)item->tries,
                                   .duration_ms = (uint32_t)item->duration,
                                   .status = (unsigned)item->status};
    TAKE_TEXT(attempt->type, item->type);
    TAKE_TEXT(attempt->reason, item->reason);
}

/* By the change's time and nothing else, so that every fold of the same log comes to the same state. */
static void forget_old(struct outlet *outlet, int64_t time_ms)
{
    size_t first =
        outlet->letter_count > OMS_OUTLET_LETTERS_MAX ? outlet->letter_count - OMS_OUTLET_LETTERS_MAX : 0;

    while (first < outlet->letter_count &&
           outlet->letters[first].since < time_ms - OMS_OUTLET_LETTERS_KEEP_MS)
        first++;
    if (!first)
        return;
    outlet->letter_count -= first;
    memmove(outlet->letters, outlet->letters + first, outlet->letter_count * sizeof(outlet->letters[0]));
}

static enum oms_status apply_item(struct outlet *outlet, const struct oms_wire *wire)
{
    struct item item;

    if (!wire->is_bytes || !read_item(wire->bytes, &item))
        return OMS_CORRUPT;
    switch (wire->field) {
    case OUTLET_PLACE:
        outlet->high = item.at;
        outlet->pending_count = 0;
        return OMS_OK;
    case OUTLET_PENDING:
        add_pending(outlet, &item);
        return OMS_OK;
    case OUTLET_LETTER:
        add_letter(outlet, &item);
        return OMS_OK;
    case OUTLET_LETTER_GONE:
        drop_letter(outlet, item.at);
        return OMS_OK;
    default:
        add_try(outlet, &item);
        return OMS_OK;
    }
}

static enum oms_status apply_field(struct outlet *outlet, const struct oms_wire *wire)
{
    switch (wire->field) {
    case OUTLET_VERSION:
        outlet->version = (uint32_t)wire->number;
        return OMS_OK;
    case OUTLET_DELIVERED:
        outlet->delivered = wire->number;
        return OMS_OK;
    case OUTLET_GONE_REVISION:
        outlet->gone_revision = (uint32_t)wire->number;
        return OMS_OK;
    case OUTLET_SUCCESS_AT:
        outlet->success_at = oms_wire_i64(wire);
        return OMS_OK;
    case OUTLET_ERROR_AT:
        outlet->error_at = oms_wire_i64(wire);
        return OMS_OK;
    case OUTLET_ERROR:
        TAKE_TEXT(outlet->error, wire->bytes);
        return wire->is_bytes ? OMS_OK : OMS_CORRUPT;
    case OUTLET_CLEARED:
        outlet_fini(outlet);
        return OMS_OK;
    case OUTLET_PLACE:
    case OUTLET_PENDING:
    case OUTLET_LETTER:
    case OUTLET_LETTER_GONE:
    case OUTLET_TRY:
        return apply_item(outlet, wire);
    default:
        return OMS_OK;
    }
}

static enum oms_status apply_all(struct outlet *outlet, struct oms_str bytes)
{
    enum oms_status status = OMS_OK;
    struct oms_wire wire;

    oms_wire_read(&wire, bytes);
    while (status == OMS_OK && oms_wire_next(&wire))
        status = apply_field(outlet, &wire);
    return status == OMS_OK && wire.corrupt ? OMS_CORRUPT : status;
}

enum oms_status outlet_apply(struct outlet *outlet, struct oms_str change, int64_t time_ms)
{
    enum oms_status status = apply_all(outlet, change);

    forget_old(outlet, time_ms);
    return status;
}

enum oms_status outlet_decode(struct oms_str bytes, struct outlet *outlet)
{
    enum oms_status status = apply_all(outlet, bytes);

    return status == OMS_OK && !outlet->version ? OMS_CORRUPT : status;
}
