/* Walking a table over a structure; see order_pack.h. */
#include "actors/order_pack.h"

static const void *at(const void *object, size_t offset)
{
    return (const char *)object + offset;
}

static int64_t load_i64(const void *object, size_t offset)
{
    int64_t value;

    memcpy(&value, at(object, offset), sizeof value);
    return value;
}

/* Differences wrap, so that any two values make one. */
static int64_t difference(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t sum(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static bool same_hash(struct oms_hash128 a, struct oms_hash128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

/* Presence counts: an absent name and an empty one are two things. */
static bool same_text(struct oms_str a, struct oms_str b)
{
    return oms_str_present(a) == oms_str_present(b) && oms_str_eq(a, b);
}

/* ---- sealed texts: each a length and its bytes; a number is the place of the length, plus 1 ---- */

uint64_t order_pack_seal(struct oms_buf *seal, struct oms_str text)
{
    uint64_t number = seal->len + 1;

    oms_wire_put_varint(seal, text.len);
    oms_buf_append_str(seal, text);
    return number;
}

struct oms_str order_pack_unseal(struct oms_str sealed, uint64_t number)
{
    struct oms_str text = OMS_STR_NONE;
    struct oms_wire wire;

    if (!oms_str_present(sealed))
        return ORDER_ERASED;
    if (number == 0 || number > sealed.len)
        return OMS_STR_NONE;
    oms_wire_read(&wire, oms_str_make(sealed.data + number - 1, sealed.len - (size_t)(number - 1)));
    return order_pack_list_item(&wire, &text) ? text : OMS_STR_NONE;
}

/* ---- writing ---- */

#define NUMBER_BYTES_MAX 12 /* a tag below 128 and a varint */

/* oms_wire_put_u64 for a field below 64, whose tag takes one byte. */
static inline void put_u64(struct oms_buf *out, unsigned number, uint64_t value)
{
    unsigned char *to;

    if (__builtin_expect(number >= 64 || out->cap - out->len < NUMBER_BYTES_MAX, 0)) {
        oms_wire_put_u64(out, number, value);
        return;
    }
    to = (unsigned char *)out->data + out->len;
    *to++ = (unsigned char)(number << 1);
    for (; value >= 0x80; value >>= 7)
        *to++ = (unsigned char)(value | 0x80);
    *to++ = (unsigned char)value;
    out->len = (size_t)((char *)to - out->data);
}

static inline void put_i64(struct oms_buf *out, unsigned number, int64_t value)
{
    put_u64(out, number, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

/* oms_wire_put_str for a present text whose tag and length take a byte each. */
static inline void put_text(struct oms_buf *out, unsigned number, struct oms_str text)
{
    char *to;

    if (__builtin_expect(number >= 64 || text.len >= 0x80 || out->cap - out->len < text.len + 2, 0)) {
        oms_wire_put_str(out, number, text);
        return;
    }
    to = out->data + out->len;
    to[0] = (char)(number << 1 | 1);
    to[1] = (char)text.len;
    memcpy(to + 2, text.data, text.len);
    out->len += text.len + 2;
}

static void write_word(struct oms_buf *out, unsigned number, struct oms_str text)
{
    unsigned word = order_word_number(text);

    if (word)
        put_u64(out, number, word);
    else
        put_text(out, number, text);
}

static void write_hash(const struct order_pack *pack, struct oms_buf *out, unsigned number,
                       const void *object)
{
    struct oms_hash128 hash;
    unsigned char bytes[16];

    memcpy(&hash, object, sizeof hash);
    if (!hash.lo && !hash.hi)
        return;
    if (same_hash(hash, pack->fingerprint)) {
        put_u64(out, number, 1);
        return;
    }
    oms_put_be64(bytes, hash.hi);
    oms_put_be64(bytes + 8, hash.lo);
    oms_wire_put_bytes(out, number, bytes, sizeof bytes);
}

static void write_record(const struct order_pack *pack, const struct order_pack_table *table,
                         const void *object, struct oms_buf *out, unsigned number)
{
    size_t before = out->len, mark = oms_wire_begin(out, number);

    order_pack_write(pack, table, object, out);
    if (out->len == mark && !out->overflow)
        out->len = before;
    else
        oms_wire_end(out, mark);
}

static void write_customer(const struct order_pack *pack, const struct order_actor *actor,
                           struct oms_buf *out, unsigned number)
{
    struct order_pack own = *pack;

    own.own = true;
    write_record(&own, &order_pack_actor, actor, out, number);
}

static void write_actor(const struct order_pack *pack, const struct order_actor *actor, struct oms_buf *out,
                        unsigned number)
{
    const struct order_actor *own = pack->actor;

    if (own && own != actor && own->kind == actor->kind && same_text(own->subject, actor->subject) &&
        same_text(own->display_name, actor->display_name) && oms_str_present(own->subject))
        put_u64(out, number, 1);
    else if (pack->seal && oms_str_present(pack->customer) && oms_str_eq(actor->subject, pack->customer))
        write_customer(pack, actor, out, number);
    else
        write_record(pack, &order_pack_actor, actor, out, number);
}

/* One field of bytes: a count, then each item with its length before it. */
static void write_records(const struct order_pack *pack, const struct order_pack_table *table,
                          const void *items, size_t count, struct oms_buf *out, unsigned number)
{
    size_t mark, item_mark;

    if (!count)
        return;
    mark = oms_wire_begin(out, number);
    oms_wire_put_varint(out, count);
    for (size_t i = 0; i < count; i++) {
        oms_buf_append_char(out, 0);
        item_mark = out->len;
        order_pack_write(pack, table, at(items, i * table->size), out);
        oms_wire_end(out, item_mark);
    }
    oms_wire_end(out, mark);
}

static void write_texts(const struct oms_str *texts, size_t count, struct oms_buf *out, unsigned number)
{
    size_t mark;

    if (!count)
        return;
    mark = oms_wire_begin(out, number);
    oms_wire_put_varint(out, count);
    for (size_t i = 0; i < count; i++) {
        oms_wire_put_varint(out, texts[i].len);
        oms_buf_append_str(out, texts[i]);
    }
    oms_wire_end(out, mark);
}

/* The kinds whose value lies behind a pointer or in a structure. */
static void write_part(const struct order_pack *pack, const struct order_pack_field *field,
                       const void *object, struct oms_buf *out, unsigned number)
{
    const void *place = at(object, field->offset);
    const void *items;
    size_t count;

    switch ((enum order_pack_kind)field->kind) {
    case PACK_HASH:
        write_hash(pack, out, number, place);
        return;
    case PACK_ACTOR:
        write_actor(pack, place, out, number);
        return;
    case PACK_RECORD:
        write_record(pack, field->table, place, out, number);
        return;
    case PACK_RECORDS:
        memcpy(&items, place, sizeof items);
        memcpy(&count, at(object, field->aux), sizeof count);
        write_records(pack, field->table, items, count, out, number);
        return;
    case PACK_TEXTS:
        memcpy(&items, place, sizeof items);
        memcpy(&count, at(object, field->aux), sizeof count);
        write_texts(items, count, out, number);
        return;
    default:
        OMS_UNREACHABLE();
    }
}

/* Three bits of stage, three of outcome, two flags: an order has several of these, mostly waiting. */
static uint64_t pack_activity(const struct order_activity *activity)
{
    return (uint64_t)activity->stage | (uint64_t)activity->outcome << 3 | (uint64_t)activity->optional << 6 |
           (uint64_t)activity->overdue << 7;
}

static bool unpack_activity(uint64_t number, struct order_activity *activity)
{
    unsigned stage = number & 7, outcome = number >> 3 & 7;

    activity->stage = (enum order_stage)stage;
    activity->outcome = (enum order_outcome)outcome;
    activity->optional = number >> 6 & 1;
    activity->overdue = number >> 7 & 1;
    return number < 256 && stage < ORDER_STAGE_COUNT && outcome < ORDER_OUTCOME_COUNT;
}

static void write_personal(const struct order_pack *pack, struct oms_buf *out, unsigned number,
                           struct oms_str text, bool sealed)
{
    if (sealed)
        put_u64(out, number, order_pack_seal(pack->seal, text));
    else
        put_text(out, number, text);
}

/* One field that is there (or may be, where the probe cannot tell). */
static inline void write_field(const struct order_pack *pack, const struct order_pack_field *field,
                               const void *object, struct oms_buf *out, unsigned number)
{
    const void *place = at(object, field->offset);
    int64_t value;

    switch ((enum order_pack_kind)field->kind) {
    case PACK_TEXT:
        put_text(out, number, *(const struct oms_str *)place);
        return;
    case PACK_PERSONAL:
    case PACK_PERSONAL_JSON:
    case PACK_OWN:
        write_personal(pack, out, number, *(const struct oms_str *)place,
                       pack->seal && (field->kind != PACK_OWN || pack->own));
        return;
    case PACK_I64:
        put_i64(out, number, load_i64(object, field->offset));
        return;
    case PACK_U32:
    case PACK_ENUM:
        put_u64(out, number, *(const uint32_t *)place);
        return;
    case PACK_I64_FROM:
        value = difference(load_i64(object, field->offset), load_i64(object, field->aux));
        if (value)
            put_i64(out, number, value);
        return;
    case PACK_TIME:
        put_i64(out, number, difference(load_i64(object, field->offset), pack->base_time));
        return;
    case PACK_BOOL:
    case PACK_BOOL_NOT:
        put_u64(out, number, 1);
        return;
    case PACK_ACTIVITY:
        put_u64(out, number, pack_activity(object));
        return;
    case PACK_U16:
        put_u64(out, number, *(const uint16_t *)place);
        return;
    case PACK_U64:
        put_u64(out, number, *(const uint64_t *)place);
        return;
    case PACK_I32:
        put_i64(out, number, *(const int32_t *)place);
        return;
    case PACK_WORD:
        write_word(out, number, *(const struct oms_str *)place);
        return;
    default:
        write_part(pack, field, object, out, number);
    }
}

/* Whether the writer may pass over the field without asking for its kind. The two tables that are too small
 * to be probed have fields that are always worth a look. */
static inline bool is_absent(const struct order_pack_field *field, const void *object, bool probed)
{
    uint64_t probe;

    if (!probed)
        return !*(const uint32_t *)at(object, field->offset);
    memcpy(&probe, at(object, field->probe), sizeof probe);
    return (probe & field->mask) == field->absent;
}

void order_pack_write(const struct order_pack *pack, const struct order_pack_table *table, const void *object,
                      struct oms_buf *out)
{
    const struct order_pack_field *end = table->fields + table->count;
    bool probed = table->size >= sizeof(uint64_t);

    for (const struct order_pack_field *field = table->fields + 1; field < end; field++)
        if (!is_absent(field, object, probed))
            write_field(pack, field, object, out, (unsigned)(field - table->fields));
}

bool order_pack_row_absent(const struct order_pack_table *table, unsigned number, const void *object)
{
    return is_absent(&table->fields[number], object, table->size >= sizeof(uint64_t));
}

void order_pack_write_row(const struct order_pack *pack, const struct order_pack_table *table,
                          unsigned number, const void *object, struct oms_buf *out)
{
    const struct order_pack_field *field = &table->fields[number];

    if (!is_absent(field, object, table->size >= sizeof(uint64_t)))
        write_field(pack, field, object, out, number);
}

bool order_pack_is_flat(const struct order_pack_table *table)
{
    for (unsigned number = 1; number < table->count; number++) {
        const struct order_pack_field *field = &table->fields[number];

        if (field->kind == PACK_RECORDS || field->kind == PACK_TEXTS ||
            (field->kind == PACK_RECORD && !order_pack_is_flat(field->table)))
            return false;
    }
    return true;
}

/* ---- reading ---- */

static bool read_hash(const struct order_pack *pack, const struct oms_wire *wire, void *place)
{
    struct oms_hash128 hash = pack->fingerprint;
    const unsigned char *in = (const unsigned char *)wire->bytes.data;

    if (wire->is_bytes) {
        if (wire->bytes.len != 16)
            return false;
        hash = (struct oms_hash128){.hi = oms_get_be64(in), .lo = oms_get_be64(in + 8)};
    } else if (wire->number != 1) {
        return false;
    }
    memcpy(place, &hash, sizeof hash);
    return true;
}

static enum oms_status read_actor(const struct order_pack *pack, const struct oms_wire *wire, void *place)
{
    if (wire->is_bytes)
        return order_pack_read(pack, &order_pack_actor, wire->bytes, place);
    if (wire->number != 1 || !pack->actor)
        return OMS_CORRUPT;
    memcpy(place, pack->actor, sizeof *pack->actor);
    return OMS_OK;
}

/* The count at the head of a list; every item takes at least one byte. */
bool order_pack_list_begin(struct oms_wire *list, struct oms_str source, size_t *count)
{
    uint64_t n;

    oms_wire_read(list, source);
    n = oms_wire_varint(list);
    if (list->corrupt || n > (uint64_t)(list->end - list->next))
        return false;
    *count = (size_t)n;
    return true;
}

/* One length-prefixed item. */
bool order_pack_list_item(struct oms_wire *list, struct oms_str *item)
{
    uint64_t len = oms_wire_varint(list);

    if (list->corrupt || len > (uint64_t)(list->end - list->next))
        return false;
    *item = oms_str_make(list->next, (size_t)len);
    list->next += len;
    return true;
}

static enum oms_status read_records(const struct order_pack *pack, const struct order_pack_field *field,
                                    struct oms_str source, void *object)
{
    enum oms_status status = OMS_OK;
    struct oms_wire list;
    struct oms_str item;
    size_t count;
    char *items;

    if (!order_pack_list_begin(&list, source, &count))
        return OMS_CORRUPT;
    items = oms_arena_calloc(pack->arena, count ? count : 1, field->table->size);
    if (!items)
        return OMS_LIMIT;
    for (size_t i = 0; status == OMS_OK && i < count; i++) {
        if (!order_pack_list_item(&list, &item))
            return OMS_CORRUPT;
        status = order_pack_read(pack, field->table, item, items + i * field->table->size);
    }
    memcpy((char *)object + field->offset, &items, sizeof items);
    memcpy((char *)object + field->aux, &count, sizeof count);
    return status;
}

static enum oms_status read_texts(const struct order_pack *pack, const struct order_pack_field *field,
                                  struct oms_str source, void *object)
{
    struct oms_wire list;
    struct oms_str *texts;
    size_t count;

    if (!order_pack_list_begin(&list, source, &count))
        return OMS_CORRUPT;
    texts = oms_arena_calloc(pack->arena, count ? count : 1, sizeof *texts);
    if (!texts)
        return OMS_LIMIT;
    for (size_t i = 0; i < count; i++)
        if (!order_pack_list_item(&list, &texts[i]))
            return OMS_CORRUPT;
    memcpy((char *)object + field->offset, &texts, sizeof texts);
    memcpy((char *)object + field->aux, &count, sizeof count);
    return OMS_OK;
}

static bool read_personal(const struct order_pack *pack, const struct oms_wire *wire, struct oms_str *out)
{
    *out = order_pack_unseal(pack->sealed, wire->number);
    return oms_str_present(*out);
}

static bool read_word(const struct oms_wire *wire, struct oms_str *out)
{
    *out = order_word_text(wire->number);
    return oms_str_present(*out);
}

/* Values of less than 64 bits: stored when they fit. */
static bool store_u32(void *place, uint64_t number, uint64_t limit)
{
    uint32_t value = (uint32_t)number;

    memcpy(place, &value, sizeof value);
    return number < limit;
}

static bool store_i64(void *place, int64_t value)
{
    memcpy(place, &value, sizeof value);
    return true;
}

/* Fields that are numbers on the wire. */
static bool read_number(const struct order_pack *pack, const struct order_pack_field *field,
                        const struct oms_wire *wire, void *place)
{
    int64_t value = oms_wire_i64(wire);

    switch ((enum order_pack_kind)field->kind) {
    case PACK_BOOL:
    case PACK_BOOL_NOT: /* turned at the end, where an absent one is true */
        *(bool *)place = wire->number != 0;
        return true;
    case PACK_ACTIVITY:
        return unpack_activity(wire->number, place);
    case PACK_U16:
        *(uint16_t *)place = (uint16_t)wire->number;
        return wire->number <= UINT16_MAX;
    case PACK_U32:
        return store_u32(place, wire->number, UINT64_C(1) << 32);
    case PACK_ENUM:
        return store_u32(place, wire->number, field->aux);
    case PACK_U64:
        return store_i64(place, (int64_t)wire->number);
    case PACK_I32:
        return value >= INT32_MIN && value <= INT32_MAX &&
               store_u32(place, (uint32_t)value, UINT64_C(1) << 32);
    case PACK_TIME:
        return store_i64(place, sum(value, pack->base_time));
    case PACK_I64:
    case PACK_I64_FROM: /* its base is added at the end */
        return store_i64(place, value);
    case PACK_WORD:
        return read_word(wire, place);
    case PACK_PERSONAL:
    case PACK_OWN:
        return read_personal(pack, wire, place);
    case PACK_PERSONAL_JSON:
        if (!oms_str_present(pack->sealed)) {
            *(struct oms_str *)place = ORDER_ERASED_JSON;
            return true;
        }
        return read_personal(pack, wire, place);
    case PACK_HASH:
        return read_hash(pack, wire, place);
    case PACK_ACTOR:
        return read_actor(pack, wire, place) == OMS_OK;
    case PACK_NONE:
        return true;
    default:
        return false;
    }
}

/* Fields that are bytes on the wire. */
static enum oms_status read_bytes(const struct order_pack *pack, const struct order_pack_field *field,
                                  const struct oms_wire *wire, void *object)
{
    void *place = (char *)object + field->offset;

    switch ((enum order_pack_kind)field->kind) {
    case PACK_TEXT:
    case PACK_PERSONAL:
    case PACK_PERSONAL_JSON:
    case PACK_OWN:
    case PACK_WORD:
        memcpy(place, &wire->bytes, sizeof wire->bytes);
        return OMS_OK;
    case PACK_HASH:
        return read_hash(pack, wire, place) ? OMS_OK : OMS_CORRUPT;
    case PACK_ACTOR:
        return read_actor(pack, wire, place);
    case PACK_RECORD:
        return order_pack_read(pack, field->table, wire->bytes, place);
    case PACK_RECORDS:
        return read_records(pack, field, wire->bytes, object);
    case PACK_TEXTS:
        return read_texts(pack, field, wire->bytes, object);
    case PACK_NONE:
        return OMS_OK;
    default:
        return OMS_CORRUPT;
    }
}

/* oms_wire_next for the usual field, whose tag and number or length take a byte each; the rest goes there. */
static inline bool next_field(struct oms_wire *wire)
{
    const unsigned char *in = wire->next;

    if (wire->end - in < 2 || in[0] >= 0x80 || in[1] >= 0x80 || ((in[0] & 1) && wire->end - in - 2 < in[1]))
        return oms_wire_next(wire);
    wire->field = in[0] >> 1;
    wire->is_bytes = in[0] & 1;
    wire->number = in[1];
    wire->next = in + 2;
    if (wire->is_bytes) {
        wire->bytes = oms_str_make(in + 2, in[1]);
        wire->next += in[1];
    }
    return true;
}

/* Adds what PACK_I64_FROM rows are counted from, where an absent difference is none, and turns PACK_BOOL_NOT.
 */
static void add_bases(const struct order_pack_table *table, void *object)
{
    for (unsigned number = 1; number < table->count; number++) {
        const struct order_pack_field *field = &table->fields[number];

        if (field->kind == PACK_I64_FROM) {
            int64_t value = sum(load_i64(object, field->offset), load_i64(object, field->aux));

            memcpy((char *)object + field->offset, &value, sizeof value);
        } else if (field->kind == PACK_BOOL_NOT) {
            bool *flag = (bool *)((char *)object + field->offset);

            *flag = !*flag;
        }
    }
}

static inline enum oms_status read_field(const struct order_pack *pack, const struct order_pack_field *field,
                                         const struct oms_wire *wire, void *object)
{
    if (wire->is_bytes)
        return read_bytes(pack, field, wire, object);
    return read_number(pack, field, wire, (char *)object + field->offset) ? OMS_OK : OMS_CORRUPT;
}

enum oms_status order_pack_read(const struct order_pack *pack, const struct order_pack_table *table,
                                struct oms_str source, void *object)
{
    enum oms_status status;
    struct oms_wire wire;

    oms_wire_read(&wire, source);
    while (next_field(&wire)) {
        if (wire.field >= table->count)
            continue;
        status = read_field(pack, &table->fields[wire.field], &wire, object);
        if (status != OMS_OK)
            return status;
    }
    if (wire.corrupt)
        return OMS_CORRUPT;
    if (table->has_from)
        add_bases(table, object);
    return OMS_OK;
}

enum oms_status order_pack_read_traced(const struct order_pack *pack, const struct order_pack_table *table,
                                       struct oms_str source, void *object, struct order_pack_trace *trace)
{
    enum oms_status status;
    struct oms_wire wire;

    oms_wire_read(&wire, source);
    for (const unsigned char *begin = wire.next; next_field(&wire); begin = wire.next) {
        if (wire.field >= table->count)
            continue;
        if (trace->fields[wire.field].data)
            return OMS_CORRUPT;
        trace->fields[wire.field] = oms_str_make(begin, (size_t)(wire.next - begin));
        if (wire.field == trace->packed)
            continue;
        status = read_field(pack, &table->fields[wire.field], &wire, object);
        if (status != OMS_OK)
            return status;
    }
    if (wire.corrupt)
        return OMS_CORRUPT;
    if (table->has_from)
        add_bases(table, object);
    return OMS_OK;
}
