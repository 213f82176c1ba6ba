/* See inbox_state.h. */
#include "actors/inbox_state.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/datetime.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/wire.h"

void inbox_init(struct inbox *inbox)
{
    *inbox = (struct inbox){.number_next = 1};
}

void inbox_fini(struct inbox *inbox)
{
    for (size_t i = 0; i < inbox->count; i++)
        oms_free(inbox->items[i].block);
    oms_free(inbox->items);
    *inbox = (struct inbox){0};
}

struct inbox_entry *inbox_find(const struct inbox *inbox, struct oms_hash128 key)
{
    for (size_t i = inbox->count; i > 0; i--)
        if (inbox->items[i - 1].key.lo == key.lo && inbox->items[i - 1].key.hi == key.hi)
            return &inbox->items[i - 1];
    return NULL;
}

struct inbox_entry *inbox_find_number(const struct inbox *inbox, uint32_t number)
{
    for (size_t i = 0; i < inbox->count; i++)
        if (inbox->items[i].number == number)
            return &inbox->items[i];
    return NULL;
}

static bool in_vain(const struct inbox_entry *entry)
{
    return entry->phase == INBOX_EXPIRED || entry->phase == INBOX_FAILED;
}

/* How many entries waited in vain beyond those that are kept for people. */
static size_t excess_of(const struct inbox *inbox)
{
    size_t count = 0;

    for (size_t i = 0; i < inbox->count; i++)
        count += in_vain(&inbox->items[i]);
    return count > OMS_INBOX_WAITING_MAX ? count - OMS_INBOX_WAITING_MAX : 0;
}

/* A repeat is promised the first answer for a day; what waited in vain is kept longer, but not without end.
 */
static bool is_old(const struct inbox_entry *entry, int64_t now_ms, size_t *excess)
{
    int64_t since = entry->settled_at > entry->at ? entry->settled_at : entry->at;

    if (entry->phase == INBOX_WAITING || now_ms - since <= OMS_IDEMPOTENCY_KEEP_MS)
        return false;
    if (!in_vain(entry) || now_ms - since > OMS_INBOX_EXPIRED_KEEP_MS)
        return true;
    if (!*excess)
        return false;
    --*excess;
    return true;
}

bool inbox_has_room(const struct inbox *inbox, bool waits, int64_t now_ms)
{
    size_t kept = 0, excess = excess_of(inbox);

    if (waits && inbox->waiting >= OMS_INBOX_WAITING_MAX)
        return false;
    for (size_t i = 0; i < inbox->count; i++)
        kept += !is_old(&inbox->items[i], now_ms, &excess);
    return kept < OMS_INBOX_ENTRIES_MAX;
}

int64_t inbox_due(const struct inbox *inbox)
{
    for (size_t i = 0; inbox->waiting && i < inbox->count; i++)
        if (inbox->items[i].phase == INBOX_WAITING)
            return inbox->items[i].at;
    return 0;
}

/* ---- fields ---- */

enum {
    ENTRY_NUMBER = 1,
    ENTRY_PHASE = 2,
    ENTRY_KEY = 3, /* 16 bytes, then the content's 16 */
    ENTRY_AT = 4,
    ENTRY_SETTLED_AT = 5,
    ENTRY_EXPIRES_AT = 6,
    ENTRY_STATUS = 7,
    ENTRY_ANSWER = 8,
    ENTRY_PROVIDER = 9,
    ENTRY_TOPIC = 10,
    ENTRY_UPDATE = 11,
    ENTRY_REASON = 12,
};

static void put_entry(const struct inbox_entry *entry, struct oms_buf *out)
{
    unsigned char hashes[32];

    oms_put_be64(hashes, entry->key.hi);
    oms_put_be64(hashes + 8, entry->key.lo);
    oms_put_be64(hashes + 16, entry->content.hi);
    oms_put_be64(hashes + 24, entry->content.lo);
    oms_wire_put_u64(out, ENTRY_NUMBER, entry->number);
    oms_wire_put_u64(out, ENTRY_PHASE, entry->phase);
    oms_wire_put_bytes(out, ENTRY_KEY, hashes, sizeof(hashes));
    oms_wire_put_i64(out, ENTRY_AT, entry->at);
    if (entry->settled_at)
        oms_wire_put_i64(out, ENTRY_SETTLED_AT, entry->settled_at);
    if (entry->expires_at)
        oms_wire_put_i64(out, ENTRY_EXPIRES_AT, entry->expires_at);
    oms_wire_put_u64(out, ENTRY_STATUS, entry->status);
    oms_wire_put_str(out, ENTRY_ANSWER, entry->answer);
    oms_wire_put_str(out, ENTRY_PROVIDER, entry->provider);
    oms_wire_put_str(out, ENTRY_TOPIC, entry->topic);
    oms_wire_put_str(out, ENTRY_UPDATE, entry->update);
    oms_wire_put_str(out, ENTRY_REASON, entry->reason);
}

static bool read_hashes(struct oms_str bytes, struct inbox_entry *entry)
{
    const unsigned char *in = (const unsigned char *)bytes.data;

    if (bytes.len != 32)
        return false;
    entry->key = (struct oms_hash128){.hi = oms_get_be64(in), .lo = oms_get_be64(in + 8)};
    entry->content = (struct oms_hash128){.hi = oms_get_be64(in + 16), .lo = oms_get_be64(in + 24)};
    return true;
}

/* Text borrows from the bytes. */
static enum oms_status read_entry(struct oms_str bytes, struct inbox_entry *out)
{
    struct oms_str *texts[] = {&out->answer, &out->provider, &out->topic, &out->update, &out->reason};
    bool keyed = false, ok = true;
    struct oms_wire wire;

    *out = (struct inbox_entry){0};
    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        if (wire.field == ENTRY_NUMBER)
            out->number = (uint32_t)wire.number;
        else if (wire.field == ENTRY_PHASE)
            out->phase = (enum inbox_phase)wire.number;
        else if (wire.field == ENTRY_KEY)
            keyed = read_hashes(wire.bytes, out);
        else if (wire.field == ENTRY_AT)
            out->at = oms_wire_i64(&wire);
        else if (wire.field == ENTRY_SETTLED_AT)
            out->settled_at = oms_wire_i64(&wire);
        else if (wire.field == ENTRY_EXPIRES_AT)
            out->expires_at = oms_wire_i64(&wire);
        else if (wire.field == ENTRY_STATUS)
            out->status = (unsigned)wire.number;
        else if (wire.field >= ENTRY_ANSWER && wire.field <= ENTRY_REASON && wire.is_bytes)
            *texts[wire.field - ENTRY_ANSWER] = wire.bytes;
    }
    ok = !wire.corrupt && keyed && out->number && out->phase >= INBOX_REFUSED && out->phase <= INBOX_FAILED;
    return ok ? OMS_OK : OMS_CORRUPT;
}

/* ---- changes ---- */

/* Gives the entry's texts a block of its own. */
static void own(struct inbox_entry *entry)
{
    struct oms_str *texts[] = {&entry->answer, &entry->provider, &entry->topic, &entry->update,
                               &entry->reason};
    size_t len = 0;

    for (size_t i = 0; i < OMS_COUNT_OF(texts); i++)
        len += texts[i]->len;
    char *block = oms_malloc(len + 1), *at = block;
    for (size_t i = 0; i < OMS_COUNT_OF(texts); i++) {
        if (!oms_str_present(*texts[i]))
            continue;
        if (texts[i]->len)
            memcpy(at, texts[i]->data, texts[i]->len);
        texts[i]->data = at;
        at += texts[i]->len;
    }
    oms_free(entry->block);
    entry->block = block;
}

static void append(struct inbox *inbox, const struct inbox_entry *entry)
{
    if (inbox->count == inbox->cap) {
        inbox->cap = inbox->cap ? inbox->cap * 2 : 8;
        inbox->items = oms_reallocarray(inbox->items, inbox->cap, sizeof(inbox->items[0]));
    }
    struct inbox_entry *place = &inbox->items[inbox->count++];
    *place = *entry;
    place->block = NULL;
    own(place);
    inbox->waiting += place->phase == INBOX_WAITING;
}

static void forget_old(struct inbox *inbox, int64_t now_ms)
{
    size_t kept = 0, excess = excess_of(inbox);

    for (size_t i = 0; i < inbox->count; i++) {
        if (is_old(&inbox->items[i], now_ms, &excess))
            oms_free(inbox->items[i].block);
        else
            inbox->items[kept++] = inbox->items[i];
    }
    inbox->count = kept;
}

/* ---- events ---- */

enum { EVENT_ADDED = 1, EVENT_SETTLED = 2 };
enum { SETTLED_NUMBER = 1, SETTLED_PHASE = 2, SETTLED_EXPIRES_AT = 3, SETTLED_REASON = 4 };

void inbox_put_added(const struct inbox_entry *entry, struct oms_buf *out)
{
    size_t mark = oms_wire_begin(out, EVENT_ADDED);
    put_entry(entry, out);
    oms_wire_end(out, mark);
}

void inbox_put_settled(uint32_t number, enum inbox_phase phase, int64_t expires_at, struct oms_str reason,
                       struct oms_buf *out)
{
    size_t mark = oms_wire_begin(out, EVENT_SETTLED);
    oms_wire_put_u64(out, SETTLED_NUMBER, number);
    oms_wire_put_u64(out, SETTLED_PHASE, phase);
    if (expires_at)
        oms_wire_put_i64(out, SETTLED_EXPIRES_AT, expires_at);
    oms_wire_put_str(out, SETTLED_REASON, reason);
    oms_wire_end(out, mark);
}

static enum oms_status apply_added(struct inbox *inbox, struct oms_str bytes)
{
    struct inbox_entry entry;
    enum oms_status status = read_entry(bytes, &entry);

    if (status != OMS_OK || entry.number < inbox->number_next)
        return OMS_CORRUPT;
    inbox->number_next = entry.number + 1;
    append(inbox, &entry);
    return OMS_OK;
}

static enum oms_status apply_settled(struct inbox *inbox, struct oms_str bytes, int64_t time_ms)
{
    struct oms_str reason = OMS_STR_NONE;
    uint64_t number = 0, phase = 0;
    struct inbox_entry *entry;
    int64_t expires_at = 0;
    struct oms_wire wire;

    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        if (wire.field == SETTLED_NUMBER)
            number = wire.number;
        else if (wire.field == SETTLED_PHASE)
            phase = wire.number;
        else if (wire.field == SETTLED_EXPIRES_AT)
            expires_at = oms_wire_i64(&wire);
        else if (wire.field == SETTLED_REASON && wire.is_bytes)
            reason = wire.bytes;
    }
    entry = number <= UINT32_MAX ? inbox_find_number(inbox, (uint32_t)number) : NULL;
    if (wire.corrupt || phase < INBOX_WAITING || phase > INBOX_FAILED)
        return OMS_CORRUPT;
    if (!entry)
        return OMS_OK; /* forgotten by this very event's time */
    inbox->waiting -= entry->phase == INBOX_WAITING;
    entry->phase = (enum inbox_phase)phase;
    inbox->waiting += entry->phase == INBOX_WAITING;
    entry->settled_at = time_ms;
    entry->expires_at = expires_at ? expires_at : entry->expires_at;
    entry->reason = reason;
    if (entry->phase == INBOX_APPLIED)
        entry->update = OMS_STR_NONE;
    own(entry);
    return OMS_OK;
}

enum oms_status inbox_apply(struct inbox *inbox, struct oms_str event, int64_t time_ms)
{
    enum oms_status status = OMS_CORRUPT;
    struct oms_wire wire;

    forget_old(inbox, time_ms);
    oms_wire_read(&wire, event);
    while (oms_wire_next(&wire)) {
        if (wire.field == EVENT_ADDED && wire.is_bytes)
            status = apply_added(inbox, wire.bytes);
        else if (wire.field == EVENT_SETTLED && wire.is_bytes)
            status = apply_settled(inbox, wire.bytes, time_ms);
    }
    return wire.corrupt ? OMS_CORRUPT : status;
}

/* ---- the stored form ---- */

enum { INBOX_VERSION = 1, INBOX_NUMBER_NEXT = 2, INBOX_ENTRY = 3 };

void inbox_encode(const struct inbox *inbox, struct oms_buf *out)
{
    oms_wire_put_u64(out, INBOX_VERSION, inbox->version);
    oms_wire_put_u64(out, INBOX_NUMBER_NEXT, inbox->number_next);
    for (size_t i = 0; i < inbox->count; i++) {
        size_t mark = oms_wire_begin(out, INBOX_ENTRY);
        put_entry(&inbox->items[i], out);
        oms_wire_end(out, mark);
    }
}

enum oms_status inbox_decode(struct oms_str bytes, struct inbox *inbox)
{
    struct inbox_entry entry;
    struct oms_wire wire;

    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        if (wire.field == INBOX_VERSION) {
            inbox->version = (uint32_t)wire.number;
        } else if (wire.field == INBOX_NUMBER_NEXT) {
            inbox->number_next = (uint32_t)wire.number;
        } else if (wire.field == INBOX_ENTRY) {
            if (!wire.is_bytes || read_entry(wire.bytes, &entry) != OMS_OK)
                return OMS_CORRUPT;
            append(inbox, &entry);
        }
    }
    return wire.corrupt || !inbox->version || !inbox->number_next ? OMS_CORRUPT : OMS_OK;
}

/* ---- for people ---- */

static void put_time(struct oms_buf *out, const char *name, int64_t ms)
{
    char text[OMS_DATETIME_TEXT_SIZE];

    oms_datetime_format(ms, text);
    oms_buf_appendf(out, ",\"%s\":\"%s\"", name, text);
}

void inbox_write_json(const struct inbox_entry *entry, unsigned lane, struct oms_buf *out)
{
    static const char *const phases[] = {"", "refused", "waiting", "applied", "expired", "failed"};

    oms_buf_appendf(out, "{\"id\":\"%u-%u\",\"state\":\"%s\",\"provider\":", lane, (unsigned)entry->number,
                    phases[entry->phase]);
    oms_json_write_string(out, entry->provider);
    oms_buf_append_lit(out, ",\"topic\":");
    oms_json_write_string(out, entry->topic);
    put_time(out, "receivedAt", entry->at);
    put_time(out, "expiresAt", entry->expires_at);
    if (oms_str_present(entry->reason)) {
        oms_buf_append_lit(out, ",\"reason\":");
        oms_json_write_string(out, entry->reason);
    }
    oms_buf_append_lit(out, ",\"update\":");
    oms_buf_append_str(out, oms_str_present(entry->update) ? entry->update : OMS_STR("null"));
    oms_buf_append_char(out, '}');
}
