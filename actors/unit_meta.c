/* The wire form of a unit's meta. Field numbers are stored: append only. See unit_meta.h. */
#include "actors/unit_meta.h"

#include "actors/order.h"
#include "actors/order_codec.h"
#include "actors/order_pack.h"
#include "runtime/base/assert.h"
#include "runtime/base/wire.h"

enum {
    META_SEQUENCE = 1,
    META_ACTOR_KIND = 2,
    META_ACTOR_SUBJECT = 3,
    META_ACTOR_NAME = 4,
    META_COMMAND = 5,
    META_KEY_TEXT = 6,
    META_KEY_HASH = 7, /* 16 bytes: key, then 16: fingerprint */
};

/* A text, or its number among the unit's personal ones. */
static void put_name(struct store_unit *unit, struct oms_buf *out, unsigned field, struct oms_str text,
                     bool sealed)
{
    if (sealed && oms_str_present(text))
        oms_wire_put_u64(out, field, order_pack_seal(&unit->personal, text));
    else
        oms_wire_put_str(out, field, text);
}

void unit_meta_put(struct store_unit *unit, const struct order_event_meta *meta, struct oms_str customer)
{
    bool own = oms_str_present(customer) && oms_str_eq(meta->actor.subject, customer);
    char inline_bytes[2048];
    struct oms_buf out = {.data = inline_bytes, .cap = sizeof(inline_bytes), .max = sizeof(inline_bytes)};
    oms_wire_put_u64(&out, META_SEQUENCE, meta->sequence);
    oms_wire_put_u64(&out, META_ACTOR_KIND, meta->actor.kind);
    put_name(unit, &out, META_ACTOR_SUBJECT, meta->actor.subject, own);
    put_name(unit, &out, META_ACTOR_NAME, meta->actor.display_name, own);
    oms_wire_put_u64(&out, META_COMMAND, meta->command);
    if (meta->has_key) {
        unsigned char hashes[32];
        oms_put_be64(hashes, meta->key.hi);
        oms_put_be64(hashes + 8, meta->key.lo);
        oms_put_be64(hashes + 16, meta->fingerprint.hi);
        oms_put_be64(hashes + 24, meta->fingerprint.lo);
        oms_wire_put_str(&out, META_KEY_TEXT, meta->idempotency_key);
        oms_wire_put_bytes(&out, META_KEY_HASH, hashes, sizeof(hashes));
    }
    OMS_ASSERT(!out.overflow); /* subjects, names and keys are bounded where they come in */
    store_unit_put_meta(unit, oms_buf_str(&out));
}

static bool read_hashes(struct oms_str bytes, struct order_event_meta *out)
{
    const unsigned char *in = (const unsigned char *)bytes.data;
    if (bytes.len != 32)
        return false;
    out->has_key = true;
    out->key = (struct oms_hash128){.hi = oms_get_be64(in), .lo = oms_get_be64(in + 8)};
    out->fingerprint = (struct oms_hash128){.hi = oms_get_be64(in + 16), .lo = oms_get_be64(in + 24)};
    return true;
}

static bool read_name(const struct store_record *record, const struct oms_wire *wire, struct oms_str *out)
{
    *out = wire->is_bytes ? wire->bytes : order_pack_unseal(record->personal, wire->number);
    return oms_str_present(*out);
}

enum oms_status unit_meta_read(const struct store_record *record, struct order_event_meta *out)
{
    struct oms_wire wire;
    bool ok = true;
    *out = (struct order_event_meta){.version = record->version_to, .time = record->time_ms};
    oms_wire_read(&wire, record->meta);
    while (oms_wire_next(&wire)) {
        switch (wire.field) {
        case META_SEQUENCE:
            out->sequence = wire.number;
            break;
        case META_ACTOR_KIND:
            ok = ok && wire.number < PRINCIPAL_KIND_COUNT;
            out->actor.kind = (enum principal_kind)wire.number;
            break;
        case META_ACTOR_SUBJECT:
            ok = ok && read_name(record, &wire, &out->actor.subject);
            break;
        case META_ACTOR_NAME:
            ok = ok && read_name(record, &wire, &out->actor.display_name);
            break;
        case META_COMMAND:
            ok = ok && wire.number > 0 && wire.number < ORDER_COMMAND_COUNT;
            out->command = (enum order_command_type)wire.number;
            break;
        case META_KEY_TEXT:
            out->idempotency_key = wire.bytes;
            break;
        case META_KEY_HASH:
            ok = ok && read_hashes(wire.bytes, out);
            break;
        default:
            break;
        }
    }
    return ok && !wire.corrupt ? OMS_OK : OMS_CORRUPT;
}

enum oms_status unit_fold(const struct store_record *record, size_t ordinal_max, struct oms_arena *scratch,
                          struct order *order)
{
    struct order_event_meta meta;
    enum oms_status status = unit_meta_read(record, &meta);
    for (size_t i = 0; status == OMS_OK && i < record->event_count && i <= ordinal_max; i++) {
        struct order_event event;
        status = order_event_open(record->events[i], record->personal, scratch, &event);
        if (status == OMS_OK) {
            order_apply(order, &event, &meta);
            meta.sequence++;
        }
    }
    return status;
}
