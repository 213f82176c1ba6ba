/*
 * The stored form of an order's state, of its notes, and the keys of what lies beside it. See order_codec.h.
 *
 * A frozen order must be small, since a million of them may lie in memory: instants are stored as their
 * distance from the creation, the order's id as its 16 bytes, who created it and what it was created from are
 * named once. Thawing copies the bytes into the order's arena once, and all text points in there.
 *
 * Field 1 comes first, because instants are counted from it.
 */
#include <stdatomic.h>

#include "actors/ids.h"
#include "actors/money.h"
#include "actors/order_codec.h"
#include "actors/order_pack.h"

enum {
    STATE_CREATED_AT = 1,
    STATE_FINGERPRINT = 2,
    STATE_CREATED_BY = 3,
    STATE_ID = 4,      /* 16 bytes of a canonical id */
    STATE_ID_TEXT = 5, /* any other */
    STATE_REST = 6,    /* from here on by table */
    STATE_RELEASED_HOLDS = 40,
};

static const struct order_pack_field state_rows[] = {
    PACK_TEXT_AT(6, struct order, external_ref),
    PACK_WORD_AT(7, struct order, source),
    PACK_U64_AT(8, struct order, version),
    PACK_U64_AT(9, struct order, event_count),
    PACK_U32_AT(10, struct order, workflow_version),
    PACK_U16_AT(11, struct order, currency),
    PACK_ENUM_AT(12, struct order, stage, ORDER_STAGE_COUNT),
    PACK_TIME_AT(13, struct order, placed_at),
    PACK_TIME_AT(14, struct order, modified_at),
    PACK_RECORD_AT(15, struct order, customer, order_pack_customer),
    PACK_RECORD_WHEN(16, struct order, destination, has_destination, order_pack_address),
    PACK_RECORD_WHEN(17, struct order, billing, has_billing, order_pack_address),
    PACK_BOOL_AT(18, struct order, has_destination),
    PACK_BOOL_AT(19, struct order, has_billing),
    PACK_BOOL_AT(20, struct order, taxes_included),
    PACK_BOOL_AT(21, struct order, tax_given),
    PACK_BOOL_AT(22, struct order, discount_given),
    PACK_RECORDS_AT(23, struct order, lines, line_count, order_pack_line),
    PACK_U32_AT(24, struct order, line_next),
    PACK_RECORD_AT(25, struct order, shipping, order_pack_shipping),
    PACK_TEXTS_AT(26, struct order, coupons, coupon_count),
    PACK_TEXTS_AT(27, struct order, offers, offer_count),
    PACK_RECORDS_AT(28, struct order, tax_lines, tax_line_count, order_pack_tax_line),
    PACK_TEXTS_AT(29, struct order, tax_details, tax_detail_count),
    PACK_RECORD_AT(30, struct order, totals, order_pack_totals),
    PACK_I64_AT(31, struct order, paid),
    PACK_I64_AT(32, struct order, refunded),
    PACK_I64_AT(33, struct order, refund_reserved),
    PACK_RECORDS_AT(34, struct order, payments, payment_count, order_pack_payment),
    PACK_RECORDS_AT(35, struct order, shipments, shipment_count, order_pack_shipment),
    PACK_RECORDS_AT(36, struct order, returns, return_count, order_pack_return),
    PACK_RECORDS_AT(37, struct order, refunds, refund_count, order_pack_refund),
    PACK_RECORDS_AT(38, struct order, activities, activity_count, order_pack_activity),
    PACK_RECORDS_AT(39, struct order, holds, hold_count, order_pack_hold),
    PACK_RECORDS_AT(STATE_RELEASED_HOLDS, struct order, released_holds, released_hold_count, order_pack_hold),
    PACK_U32_AT(41, struct order, hold_next),
    PACK_U32_AT(42, struct order, note_count),
    PACK_TEXT_AT(43, struct order, cancellation_reason),
    PACK_TEXT_AT(44, struct order, shipping_reference),
    PACK_RECORDS_AT(45, struct order, keys, key_count, order_pack_key),
    PACK_TIME_AT(46, struct order, erased_at),
    PACK_U64_AT(47, struct order, erased_event),
    PACK_U32_AT(48, struct order, notes_erased),
};
static PACK_TABLE(pack_state, struct order, state_rows);
_Static_assert(OMS_COUNT_OF(state_rows) == ORDER_STATE_FIELDS, "an origin has a place for each");

/* ---- freezing ---- */

static void put_hash(struct oms_buf *out, unsigned field, struct oms_hash128 hash)
{
    unsigned char bytes[16];

    if (!hash.lo && !hash.hi)
        return;
    oms_put_be64(bytes, hash.hi);
    oms_put_be64(bytes + 8, hash.lo);
    oms_wire_put_bytes(out, field, bytes, sizeof bytes);
}

/* A canonical id has its 16 bytes and nothing else to say: capitals only. */
static void put_id(struct oms_buf *out, struct oms_str text)
{
    unsigned char id[IDS_ORDER_SIZE];
    bool canonical = ids_order_parse(text, id) == OMS_OK;

    for (size_t i = 0; canonical && i < text.len; i++)
        canonical = text.data[i] < 'a';
    if (canonical)
        oms_wire_put_bytes(out, STATE_ID, id, sizeof id);
    else
        oms_wire_put_str(out, STATE_ID_TEXT, text);
}

void order_freeze(const struct order *order, struct oms_buf *out)
{
    struct order_pack pack = {.base_time = order->created_at,
                              .actor = &order->created_by,
                              .fingerprint = order->content_fingerprint};
    static const struct order_pack bare = {0};
    size_t mark;

    OMS_ASSERT(order->version > 0);
    (void)oms_buf_reserve(out, 512);
    oms_wire_put_i64(out, STATE_CREATED_AT, order->created_at);
    put_hash(out, STATE_FINGERPRINT, order->content_fingerprint);
    mark = oms_wire_begin(out, STATE_CREATED_BY);
    order_pack_write(&bare, &order_pack_actor, &order->created_by, out);
    oms_wire_end(out, mark);
    put_id(out, order->order_id);
    order_pack_write(&pack, &pack_state, order, out);
}

/* ---- thawing ---- */

static bool read_id(struct order *order, struct oms_str bytes)
{
    char *text;

    if (bytes.len != IDS_ORDER_SIZE)
        return false;
    text = oms_arena_alloc(&order->arena, IDS_ORDER_TEXT + 1);
    if (!text)
        return false;
    ids_order_text((const unsigned char *)bytes.data, text);
    order->order_id = oms_str_make(text, IDS_ORDER_TEXT);
    return true;
}

static bool read_head_field(struct order *order, const struct oms_wire *wire)
{
    static const struct order_pack bare = {0};
    const unsigned char *in = (const unsigned char *)wire->bytes.data;

    switch (wire->field) {
    case STATE_CREATED_AT:
        order->created_at = oms_wire_i64(wire);
        return !wire->is_bytes;
    case STATE_FINGERPRINT:
        if (wire->bytes.len != 16)
            return false;
        order->content_fingerprint = (struct oms_hash128){.hi = oms_get_be64(in), .lo = oms_get_be64(in + 8)};
        return true;
    case STATE_CREATED_BY:
        return wire->is_bytes &&
               order_pack_read(&bare, &order_pack_actor, wire->bytes, &order->created_by) == OMS_OK;
    case STATE_ID:
        return read_id(order, wire->bytes);
    case STATE_ID_TEXT:
        order->order_id = wire->bytes;
        return wire->is_bytes;
    default:
        return true;
    }
}

/* The fields before the table's; *rest is what follows them. */
static bool read_head(struct order *order, struct oms_str bytes, struct oms_str *rest)
{
    struct oms_wire wire;
    const unsigned char *end = (const unsigned char *)bytes.data + bytes.len;

    oms_wire_read(&wire, bytes);
    *rest = oms_str_make(end, 0);
    for (;;) {
        const unsigned char *before = wire.next;

        if (!oms_wire_next(&wire))
            return !wire.corrupt;
        if (wire.field >= STATE_REST) {
            *rest = oms_str_make(before, (size_t)(end - before));
            return true;
        }
        if (!read_head_field(order, &wire))
            return false;
    }
}

/* ---- what a decoded state must keep, so that the order's functions may rely on it ---- */

static bool lines_hold(const struct order *order)
{
    for (size_t i = 0; i < order->line_count; i++) {
        const struct order_line *line = &order->lines[i];

        if (line->id == 0 || line->id >= order->line_next || (i && line->id <= order->lines[i - 1].id))
            return false;
        if (line->quantity < 1 || line->quantity > INT32_MAX || line->cancelled < 0 || line->shipped < 0 ||
            line->delivered < 0 || line->return_open < 0 || line->returned < 0 ||
            line->settled_quantity < 0 || line->allocated < 0 || line->cancelled > line->quantity ||
            line->allocated > line->quantity - line->cancelled || line->shipped > line->allocated ||
            line->delivered > line->shipped || line->return_open > line->shipped ||
            line->returned > line->shipped - line->return_open)
            return false;
    }
    return true;
}

static bool items_hold(const struct order *order, const struct order_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!order_find_line(order, items[i].line) || items[i].quantity < 0 || items[i].quantity > INT32_MAX)
            return false;
    return true;
}

/* Parts are numbered 1, 2, … in their order. */
static bool parts_hold(const struct order *order)
{
    for (size_t i = 0; i < order->payment_count; i++)
        if (order->payments[i].id != i + 1 || order->payments[i].amount < 0)
            return false;
    for (size_t i = 0; i < order->shipment_count; i++)
        if (order->shipments[i].id != i + 1 ||
            !items_hold(order, order->shipments[i].items, order->shipments[i].item_count))
            return false;
    for (size_t i = 0; i < order->return_count; i++) {
        if (order->returns[i].id != i + 1)
            return false;
        for (size_t k = 0; k < order->returns[i].item_count; k++)
            if (!order_find_line(order, order->returns[i].items[k].line))
                return false;
    }
    for (size_t i = 0; i < order->refund_count; i++)
        if (order->refunds[i].id != i + 1 || order->refunds[i].return_id > order->return_count)
            return false;
    for (size_t i = 0; i < order->hold_count; i++)
        if (order->holds[i].id == 0 || order->holds[i].id >= order->hold_next)
            return false;
    return true;
}

/* The sums that order_derive makes stay within an int64_t. */
static bool money_holds(const struct order *order)
{
    int64_t kept = order->totals.final, rest;

    if (order->totals.final < 0 || order->paid < 0 || order->refunded < 0 || order->refund_reserved < 0 ||
        !money_sub(order->paid, order->refunded, &rest) || rest < order->refund_reserved)
        return false;
    for (size_t i = 0; i < order->return_count; i++)
        if (order->returns[i].value < 0 || order->returns[i].refunded < 0 ||
            !money_sub(kept, order->returns[i].value, &kept))
            return false;
    for (size_t i = 0; i < order->refund_count; i++)
        if (order->refunds[i].fee < 0 || !money_add(kept, order->refunds[i].fee, &kept))
            return false;
    return true;
}

static bool state_holds(const struct order *order)
{
    return order->version > 0 && order->event_count > 0 && order->line_next > 0 && order->hold_next > 0 &&
           order->stage != ORDER_STAGE_NONE && money_currency_known(order->currency) &&
           oms_str_present(order->order_id) && lines_hold(order) && parts_hold(order) && money_holds(order);
}

/* What the lists' counts say of their memory, what must hold, and what is derived. */
static enum oms_status finish_thaw(struct order *order)
{
    order->line_cap = order->line_count;
    order->payment_cap = order->payment_count;
    order->shipment_cap = order->shipment_count;
    order->return_cap = order->return_count;
    order->refund_cap = order->refund_count;
    order->hold_cap = order->hold_count;
    order->released_hold_cap = order->released_hold_count;
    order->key_cap = order->key_count;
    if (!state_holds(order))
        return OMS_CORRUPT;
    order_derive(order);
    return OMS_OK;
}

/* Copies the bytes into the order and reads the head: the pack for the rest, and where that stands. */
static bool begin_thaw(struct oms_str bytes, struct order *order, struct order_pack *pack,
                       struct oms_str *rest)
{
    OMS_ASSERT(order->version == 0);
    struct oms_str own = oms_str_copy(&order->arena, oms_str_make(bytes.data ? bytes.data : "", bytes.len));

    if (!oms_str_present(own) || !read_head(order, own, rest))
        return false;
    *pack = (struct order_pack){.base_time = order->created_at,
                                .actor = &order->created_by,
                                .fingerprint = order->content_fingerprint,
                                .arena = &order->arena};
    return true;
}

enum oms_status order_thaw(struct oms_str bytes, struct order *order)
{
    struct order_pack pack;
    struct oms_str rest;

    if (!begin_thaw(bytes, order, &pack, &rest) || order_pack_read(&pack, &pack_state, rest, order) != OMS_OK)
        return OMS_CORRUPT;
    return finish_thaw(order);
}

/* ---- thawing for a fold ---- */

/* A released hold that was not read: no number, and its bytes as the reason. */
static bool is_packed(const struct order_hold *hold)
{
    return hold->id == 0;
}

static bool read_released(struct order *order, struct oms_str field)
{
    struct oms_wire wire, list;
    struct oms_str item;
    size_t count;

    if (!oms_str_present(field))
        return true;
    oms_wire_read(&wire, field);
    if (!oms_wire_next(&wire) || !wire.is_bytes || !order_pack_list_begin(&list, wire.bytes, &count))
        return false;
    /* One more than there are: the release of another is what mostly comes. */
    order->released_holds = oms_arena_calloc(&order->arena, count + 1, sizeof *order->released_holds);
    if (!order->released_holds)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!order_pack_list_item(&list, &item))
            return false;
        order->released_holds[i].reason = item;
    }
    order->released_hold_count = count;
    return true;
}

/*
 * The fields that can be compared by their bytes, as bits: records and lists of records without lists of
 * their own, and lists of texts (no text is ever changed in its place). Worked out once; two threads that do
 * it at the same time find the same.
 */
static uint64_t comparable(void)
{
    static _Atomic uint64_t known;
    uint64_t bits = atomic_load_explicit(&known, memory_order_relaxed);

    if (bits)
        return bits;
    for (unsigned number = STATE_REST; number < ORDER_STATE_FIELDS; number++) {
        const struct order_pack_field *row = &state_rows[number];

        if (row->kind == PACK_TEXTS ||
            ((row->kind == PACK_RECORD || row->kind == PACK_RECORDS) && order_pack_is_flat(row->table)))
            bits |= UINT64_C(1) << number;
    }
    bits &= ~(UINT64_C(1) << STATE_RELEASED_HOLDS);
    atomic_store_explicit(&known, bits, memory_order_relaxed);
    return bits;
}

/* Bytes of the list behind the pointer of a row. */
static size_t list_bytes(const struct order_pack_field *row, const struct order *order)
{
    size_t count;

    memcpy(&count, (const char *)order + row->aux, sizeof count);
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): every list but one of texts has its table */
    return count * (row->kind == PACK_TEXTS ? sizeof(struct oms_str) : row->table->size);
}

static const void *list_at(const struct order_pack_field *row, const struct order *order)
{
    const void *items;

    memcpy(&items, (const char *)order + row->offset, sizeof items);
    return items;
}

/* What the state is now, to be compared with later. False when memory is exhausted. */
static bool keep_origin(struct order *order, struct order_origin *origin)
{
    for (uint64_t left = comparable(); left; left &= left - 1) {
        unsigned number = (unsigned)__builtin_ctzll(left);
        const struct order_pack_field *row = &state_rows[number];

        if (!origin->fields[number].data || row->kind == PACK_RECORD)
            continue;
        size_t bytes = list_bytes(row, order);
        void *copy = oms_arena_alloc(&order->arena, bytes);
        if (!copy)
            return false;
        origin->lists[number] = memcpy(copy, list_at(row, order), bytes);
    }
    memcpy(&origin->order, order, sizeof *order);
    return true;
}

enum oms_status order_thaw_traced(struct oms_str bytes, struct order *order, struct order_origin *origin)
{
    struct order_pack_trace trace = {.fields = origin->fields, .packed = STATE_RELEASED_HOLDS};
    struct order_pack pack;
    struct oms_str rest;

    memset(origin->fields, 0, sizeof origin->fields);
    memset(origin->lists, 0, sizeof origin->lists);
    if (!begin_thaw(bytes, order, &pack, &rest) ||
        order_pack_read_traced(&pack, &pack_state, rest, order, &trace) != OMS_OK ||
        !read_released(order, origin->fields[STATE_RELEASED_HOLDS]))
        return OMS_CORRUPT;
    size_t room = order->released_hold_count ? order->released_hold_count + 1 : 0;
    enum oms_status status = finish_thaw(order);
    order->released_hold_cap = room;
    if (status == OMS_OK && !keep_origin(order, origin))
        status = OMS_LIMIT;
    /* begin_thaw's copy of the bytes: the head is all before the rest. */
    origin->head = oms_str_make(rest.data - (bytes.len - rest.len), bytes.len - rest.len);
    return status;
}

static void write_released(const struct order_pack *pack, const struct order *order, struct oms_buf *out)
{
    size_t mark = oms_wire_begin(out, STATE_RELEASED_HOLDS);
    oms_wire_put_varint(out, order->released_hold_count);
    for (size_t i = 0; i < order->released_hold_count; i++) {
        const struct order_hold *hold = &order->released_holds[i];

        if (is_packed(hold)) {
            oms_wire_put_varint(out, hold->reason.len);
            oms_buf_append_str(out, hold->reason);
            continue;
        }
        oms_buf_append_char(out, 0);
        size_t item_mark = out->len;
        order_pack_write(pack, &order_pack_hold, hold, out);
        oms_wire_end(out, item_mark);
    }
    oms_wire_end(out, mark);
}

/* Whether a comparable field is as it was, so that its bytes are. */
static bool is_unchanged(unsigned number, const struct order *order, const struct order_origin *origin)
{
    const struct order_pack_field *row = &state_rows[number];
    const void *now = (const char *)order + row->offset;
    const void *was = (const char *)&origin->order + row->offset;
    size_t bytes = row->table ? row->table->size : 0;

    if (!origin->fields[number].data)
        return false;
    if (row->kind != PACK_RECORD) {
        bytes = list_bytes(row, order);
        now = list_at(row, order);
        was = origin->lists[number];
        if (bytes != list_bytes(row, &origin->order))
            return false;
    }
    return memcmp(now, was, bytes) == 0;
}

void order_refreeze(const struct order *order, const struct order_origin *origin, struct oms_buf *out)
{
    struct order_pack pack = {.base_time = order->created_at,
                              .actor = &order->created_by,
                              .fingerprint = order->content_fingerprint};

    uint64_t may_be_copied = comparable();

    (void)oms_buf_reserve(out, 512);
    oms_buf_append_str(out, origin->head);
    for (unsigned number = STATE_REST; number < ORDER_STATE_FIELDS; number++) {
        if (order_pack_row_absent(&pack_state, number, order))
            continue;
        if (number == STATE_RELEASED_HOLDS)
            write_released(&pack, order, out);
        else if ((may_be_copied >> number & 1) && is_unchanged(number, order, origin))
            oms_buf_append_str(out, origin->fields[number]);
        else
            order_pack_write_row(&pack, &pack_state, number, order, out);
    }
}

/* ---- notes ---- */

void order_note_encode(const struct order_note *note, struct oms_buf *out)
{
    static const struct order_pack pack = {0};

    order_pack_write(&pack, &order_pack_note, note, out);
}

enum oms_status order_note_decode(struct oms_str bytes, struct order_note *out)
{
    static const struct order_pack pack = {0};

    memset(out, 0, sizeof *out);
    return order_pack_read(&pack, &order_pack_note, bytes, out) == OMS_OK && out->id ? OMS_OK : OMS_CORRUPT;
}

static bool reserve_notes(struct order *order)
{
    size_t cap = order->note_cap * 2;
    struct order_note *notes;

    if (order->notes_held < order->note_cap)
        return true;
    if (cap < order->note_count)
        cap = order->note_count;
    notes = oms_arena_calloc(&order->arena, cap, sizeof *notes);
    if (!notes)
        return false;
    if (order->notes_held)
        memcpy(notes, order->notes, order->notes_held * sizeof *notes);
    order->notes = notes;
    order->note_cap = cap;
    return true;
}

enum oms_status order_note_merge(struct order *order, struct oms_str bytes)
{
    struct oms_str own = oms_str_copy(&order->arena, bytes);
    struct order_note note;

    if (!oms_str_present(own) || order_note_decode(own, &note) != OMS_OK || note.id > order->note_count)
        return OMS_CORRUPT;
    if (order->notes_held && note.id != order->notes[order->notes_held - 1].id + 1)
        return OMS_CORRUPT;
    if (!reserve_notes(order))
        return OMS_LIMIT;
    order->notes[order->notes_held++] = note;
    return OMS_OK;
}

/* ---- keys ---- */

void order_aside_key(const struct rt_address *order, enum order_aside_kind kind, uint64_t sequence,
                     unsigned char out[ORDER_ASIDE_KEY_SIZE])
{
    store_address_key(order, out);
    out[STORE_ADDRESS_KEY_SIZE] = (unsigned char)kind;
    oms_put_be64(out + STORE_ADDRESS_KEY_SIZE + 1, sequence);
}

enum oms_status order_aside_key_read(struct oms_str key, struct rt_address *order, unsigned *kind,
                                     uint64_t *sequence)
{
    const unsigned char *in = (const unsigned char *)key.data;

    if (key.len != ORDER_ASIDE_KEY_SIZE)
        return OMS_CORRUPT;
    store_address_read(in, order);
    *kind = in[STORE_ADDRESS_KEY_SIZE];
    *sequence = oms_get_be64(in + STORE_ADDRESS_KEY_SIZE + 1);
    return OMS_OK;
}

void order_timer_key(const struct rt_address *order, const struct order_timer *timer,
                     unsigned char out[ORDER_TIMER_KEY_SIZE])
{
    oms_put_be64(out, (uint64_t)timer->at);
    store_address_key(order, out + 8);
    out[8 + STORE_ADDRESS_KEY_SIZE] = (unsigned char)timer->command;
    oms_put_be32(out + 8 + STORE_ADDRESS_KEY_SIZE + 1, timer->part);
}

bool order_timer_read(struct oms_str key, struct rt_address *order, struct order_timer *out)
{
    const unsigned char *in = (const unsigned char *)key.data;
    unsigned command;

    if (key.len != ORDER_TIMER_KEY_SIZE)
        return false;
    command = in[8 + STORE_ADDRESS_KEY_SIZE];
    if (command == 0 || command >= ORDER_COMMAND_COUNT)
        return false;
    store_address_read(in + 8, order);
    *out = (struct order_timer){.at = (int64_t)oms_get_be64(in),
                                .command = (enum order_command_type)command,
                                .part = oms_get_be32(in + 8 + STORE_ADDRESS_KEY_SIZE + 1)};
    return true;
}
