/*
 * The codec of units of work: a few tagged fields (wire.h) and a CRC-32C over them, in the last four bytes,
 * big endian.
 *
 * The checksum is ours although the engine has its own: a record is also read from memory by the
 * materialiser, travels into backups and will travel to other machines, and each of these hands it on only
 * when it is whole. Field numbers are never reused: a record written today is read by every later version,
 * which skips what it does not know. The partition and the commit number are the record's key and not in it,
 * since only the committer knows them.
 */
#include "storage/unit.h"

#include "runtime/base/assert.h"
#include "runtime/base/hash.h"
#include "runtime/base/limits.h"
#include "runtime/base/wire.h"
#include "storage/keys.h"

enum unit_field {
    UNIT_FORMAT = 1,
    UNIT_ADDRESS = 2,
    UNIT_VERSION_FROM = 3,
    UNIT_VERSION_TO = 4,
    UNIT_TIME = 5,
    UNIT_EPOCH = 6,
    UNIT_META = 7,
    UNIT_EVENT = 8,
    UNIT_SEALED = 9,
    UNIT_DESTROYS = 10,
};

#define UNIT_FORMAT_NOW 1u
#define CRC_BYTES       4u

uint16_t store_partition_of(uint32_t tenant)
{
    return (uint16_t)(oms_mix64(tenant) % OMS_PARTITIONS);
}

void store_unit_begin(struct store_unit *unit, const struct rt_address *actor, uint32_t version_from,
                      uint32_t version_to, int64_t time_ms)
{
    unsigned char address[STORE_ADDRESS_KEY_SIZE];
    struct oms_buf *out = &unit->record;
    unit->message.to = *actor;
    unit->version_from = version_from;
    unit->version_to = version_to;
    unit->time_ms = time_ms;
    store_address_key(actor, address);
    oms_buf_reset(out);
    oms_buf_reset(&unit->personal);
    unit->has_key = unit->destroys = false;
    oms_wire_put_u64(out, UNIT_FORMAT, UNIT_FORMAT_NOW);
    oms_wire_put_bytes(out, UNIT_ADDRESS, address, sizeof(address));
    oms_wire_put_u64(out, UNIT_VERSION_FROM, version_from);
    oms_wire_put_u64(out, UNIT_VERSION_TO, version_to);
    oms_wire_put_i64(out, UNIT_TIME, time_ms);
}

void store_unit_put_meta(struct store_unit *unit, struct oms_str meta)
{
    oms_wire_put_str(&unit->record, UNIT_META, meta);
}

size_t store_unit_begin_event(struct store_unit *unit)
{
    return oms_wire_begin(&unit->record, UNIT_EVENT);
}

void store_unit_end_event(struct store_unit *unit, size_t mark)
{
    oms_wire_end(&unit->record, mark);
}

size_t store_unit_begin_sealed(struct store_unit *unit)
{
    return oms_wire_begin(&unit->record, UNIT_SEALED);
}

void store_unit_put_destroys(struct store_unit *unit)
{
    unit->destroys = true;
    oms_wire_put_u64(&unit->record, UNIT_DESTROYS, 1);
}

enum oms_status store_unit_end(struct store_unit *unit)
{
    struct oms_buf *out = &unit->record;
    unsigned char crc[CRC_BYTES];
    oms_put_be32(crc, oms_crc32c(0, out->data, out->len));
    oms_buf_append(out, crc, sizeof(crc));
    return out->overflow || unit->personal.overflow ? OMS_LIMIT : OMS_OK;
}

bool store_record_intact(struct oms_str value)
{
    if (value.len <= CRC_BYTES)
        return false;
    size_t len = value.len - CRC_BYTES;
    return oms_get_be32((const unsigned char *)value.data + len) == oms_crc32c(0, value.data, len);
}

static bool read_number(const struct oms_wire *wire, struct store_record *out)
{
    switch (wire->field) {
    case UNIT_FORMAT:
        return wire->number == UNIT_FORMAT_NOW;
    case UNIT_VERSION_FROM:
        out->version_from = (uint32_t)wire->number;
        return wire->number <= UINT32_MAX;
    case UNIT_VERSION_TO:
        out->version_to = (uint32_t)wire->number;
        return wire->number <= UINT32_MAX;
    case UNIT_TIME:
        out->time_ms = oms_wire_i64(wire);
        return true;
    case UNIT_EPOCH:
        out->epoch = wire->number;
        return true;
    case UNIT_DESTROYS:
        out->destroys = wire->number != 0;
        return true;
    default:
        return true;
    }
}

static bool read_address(struct oms_str bytes, struct rt_address *out)
{
    if (bytes.len != STORE_ADDRESS_KEY_SIZE)
        return false;
    store_address_read((const unsigned char *)bytes.data, out);
    return true;
}

/* All but the events, which are only counted. */
static bool read_head(struct oms_str fields, struct store_record *out)
{
    struct oms_wire wire;
    bool addressed = false;
    oms_wire_read(&wire, fields);
    while (oms_wire_next(&wire)) {
        if (!wire.is_bytes) {
            if (!read_number(&wire, out))
                return false;
        } else if (wire.field == UNIT_ADDRESS) {
            if (!read_address(wire.bytes, &out->actor))
                return false;
            addressed = true;
        } else if (wire.field == UNIT_META) {
            out->meta = wire.bytes;
        } else if (wire.field == UNIT_SEALED) {
            out->sealed = wire.bytes;
        } else if (wire.field == UNIT_EVENT) {
            out->event_count++;
        }
    }
    return !wire.corrupt && addressed && out->version_to >= out->version_from;
}

static bool read_events(struct oms_str fields, struct oms_arena *arena, struct store_record *out)
{
    struct oms_wire wire;
    size_t count = 0;
    out->events = oms_arena_calloc(arena, out->event_count, sizeof(*out->events));
    if (!out->events)
        return false;
    oms_wire_read(&wire, fields);
    while (oms_wire_next(&wire))
        if (wire.is_bytes && wire.field == UNIT_EVENT)
            out->events[count++] = wire.bytes;
    OMS_ASSERT(count == out->event_count);
    return true;
}

enum oms_status store_record_decode(uint16_t partition, uint64_t commit, struct oms_str value,
                                    struct oms_arena *arena, struct store_record *out)
{
    memset(out, 0, sizeof(*out));
    out->partition = partition;
    out->commit = commit;
    if (!store_record_intact(value))
        return OMS_CORRUPT;
    struct oms_str fields = {value.data, value.len - CRC_BYTES};
    if (!read_head(fields, out))
        return OMS_CORRUPT;
    if (out->event_count && !read_events(fields, arena, out))
        return OMS_CORRUPT;
    return OMS_OK;
}

enum oms_status store_record_peek(struct oms_str value, struct rt_address *out)
{
    struct oms_wire wire;
    if (value.len <= CRC_BYTES)
        return OMS_CORRUPT;
    oms_wire_read(&wire, oms_str_make(value.data, value.len - CRC_BYTES));
    while (oms_wire_next(&wire))
        if (wire.is_bytes && wire.field == UNIT_ADDRESS)
            return read_address(wire.bytes, out) ? OMS_OK : OMS_CORRUPT;
    return OMS_CORRUPT;
}
