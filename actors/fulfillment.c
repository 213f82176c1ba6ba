/* See fulfillment.h. */
#include "actors/fulfillment.h"

#include "actors/country.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/limits.h"
#include "runtime/base/value.h"
#include "runtime/base/wire.h"

#define PLACE OMS_STR("{tracking}")

/* ---- reading ---- */

struct reading {
    const char *section;
    size_t index;
    struct oms_arena *arena;
    struct refusal_list *refusals;
    const struct oms_value *item;
};

static bool fault(const struct reading *reading, const char *name, const char *what)
{
    return refusal_add(reading->refusals, REFUSAL_INVALID,
                       refusal_field(reading->refusals, "%s.%zu.%s", reading->section, reading->index, name),
                       "%s %s", name, what);
}

static const struct oms_value *field_of(const struct reading *reading, const char *name, const char *snake)
{
    const struct oms_value *value = oms_value_get_set(reading->item, name);

    return value || !snake ? value : oms_value_get_set(reading->item, snake);
}

/* Without control characters, so that a list of names in a message stays one line. */
static bool is_text(const struct oms_value *value, size_t max)
{
    if (value->kind != OMS_VALUE_STRING || !value->text.len || value->text.len > max)
        return false;
    for (size_t i = 0; i < value->text.len; i++)
        if ((unsigned char)value->text.data[i] < ' ' || value->text.data[i] == 0x7f)
            return false;
    return true;
}

static bool read_text(const struct reading *reading, const char *name, size_t max, struct oms_str *out)
{
    const struct oms_value *value = field_of(reading, name, NULL);

    *out = OMS_STR_NONE;
    if (!value)
        return true;
    if (!is_text(value, max))
        return fault(reading, name,
                     "must be a text that is not empty, not too long, and without control characters");
    *out = oms_str_copy(reading->arena, value->text);
    return true;
}

static bool read_id(const struct reading *reading, struct oms_str *out)
{
    if (!field_of(reading, "id", NULL))
        return fault(reading, "id", "is required");
    return read_text(reading, "id", OMS_ID_BYTES_MAX, out);
}

static bool read_active(const struct reading *reading, bool *inactive)
{
    const struct oms_value *value = field_of(reading, "active", NULL);

    if (value && value->kind != OMS_VALUE_BOOL)
        return fault(reading, "active", "must be true or false");
    *inactive = value && !value->boolean;
    return true;
}

static bool check_keys(const struct reading *reading, const char *const *known, size_t count)
{
    if (reading->item->kind != OMS_VALUE_OBJECT)
        return refusal_add(reading->refusals, REFUSAL_INVALID,
                           refusal_field(reading->refusals, "%s.%zu", reading->section, reading->index),
                           "must be an object");
    for (size_t i = 0; i < reading->item->object.count; i++) {
        struct oms_str name = reading->item->object.fields[i].name;
        bool found = false;

        for (size_t k = 0; k < count; k++)
            found = found || oms_str_eq_c(name, known[k]);
        if (!found) {
            const char *near = oms_str_nearest(name, known, count);

            return refusal_add(reading->refusals, REFUSAL_INVALID,
                               refusal_field(reading->refusals, "%s.%zu", reading->section, reading->index),
                               "Unknown key '%.*s'%s%s%s", (int)(name.len > 64 ? 64 : name.len), name.data,
                               near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
    }
    return true;
}

static bool check_list(const struct oms_value *list, const char *section, size_t max,
                       struct refusal_list *refusals)
{
    if (list->kind != OMS_VALUE_LIST)
        return refusal_add(refusals, REFUSAL_INVALID, oms_str_of(section), "%s must be a list", section);
    return list->list.count <= max ||
           refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, oms_str_of(section), "At most %zu %s", max, section);
}

static bool no_memory(struct refusal_list *refusals)
{
    return refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD, "The snapshot is too large");
}

static bool read_warehouse(const struct reading *reading, struct fulfillment_warehouse *out)
{
    static const char *const known[] = {"id", "name", "address", "city", "country", "active"};
    const struct oms_value *country;

    if (!check_keys(reading, known, OMS_COUNT_OF(known)) || !read_id(reading, &out->id) ||
        !read_text(reading, "name", OMS_NAME_BYTES_MAX, &out->name) ||
        !read_text(reading, "address", OMS_TEXT_BYTES_MAX, &out->address) ||
        !read_text(reading, "city", OMS_NAME_BYTES_MAX, &out->city) || !read_active(reading, &out->inactive))
        return false;
    out->country = OMS_STR_NONE;
    if (!(country = field_of(reading, "country", NULL)))
        return true;
    out->country = country->kind == OMS_VALUE_STRING ? country_parse(country->text) : OMS_STR_NONE;
    return oms_str_present(out->country) ||
           fault(reading, "country", "must be an ISO 3166 code or an English name");
}

bool fulfillment_read_warehouses(const struct oms_value *list, struct oms_arena *arena,
                                 struct fulfillment *out, struct refusal_list *refusals)
{
    struct fulfillment_warehouse *items;

    if (!check_list(list, "warehouses", OMS_WAREHOUSES_MAX, refusals))
        return false;
    if (!(items = oms_arena_calloc(arena, list->list.count + 1, sizeof *items)))
        return no_memory(refusals);
    for (size_t i = 0; i < list->list.count; i++) {
        const struct reading reading = {"warehouses", i, arena, refusals, &list->list.items[i]};
        const struct fulfillment before = {.warehouses = items, .warehouse_count = i};

        if (!read_warehouse(&reading, &items[i]))
            return false;
        if (fulfillment_warehouse(&before, items[i].id))
            return fault(&reading, "id", "is that of another one");
    }
    out->warehouses = items;
    out->warehouse_count = list->list.count;
    return !arena->exhausted || no_memory(refusals);
}

/* Where a reference goes in; an http(s) URL of printable ASCII. */
static bool read_template(const struct reading *reading, struct oms_str *out)
{
    const struct oms_value *value = field_of(reading, "trackingUrlTemplate", "tracking_url_template");
    bool fine;

    *out = OMS_STR_NONE;
    if (!value)
        return true;
    fine = is_text(value, OMS_URL_BYTES_MAX) && (oms_str_starts(value->text, OMS_STR("https://")) ||
                                                 oms_str_starts(value->text, OMS_STR("http://")));
    for (size_t i = 0; fine && i < value->text.len; i++)
        fine = !memchr(" \"<>\\@", value->text.data[i], 6) && (unsigned char)value->text.data[i] < 0x7f;
    if (!fine || !memmem(value->text.data, value->text.len, PLACE.data, PLACE.len))
        return fault(
            reading, "trackingUrlTemplate",
            "must be an http or https URL with {tracking} in it, such as https://carrier.example/{tracking}");
    *out = oms_str_copy(reading->arena, value->text);
    return true;
}

static bool read_levels(const struct reading *reading, struct fulfillment_carrier *out)
{
    const struct oms_value *list = field_of(reading, "serviceLevels", "service_levels");
    struct oms_str *levels;

    if (!list)
        return true;
    if (list->kind != OMS_VALUE_LIST || list->list.count > OMS_CARRIER_LEVELS_MAX)
        return fault(reading, "serviceLevels", "must be a list of at most 50 names");
    levels = oms_arena_calloc(reading->arena, list->list.count + 1, sizeof *levels);
    if (!levels)
        return no_memory(reading->refusals);
    for (size_t i = 0; i < list->list.count; i++) {
        if (!is_text(&list->list.items[i], OMS_ID_BYTES_MAX))
            return fault(reading, "serviceLevels", "must be a list of names of at most 128 bytes");
        levels[i] = oms_str_copy(reading->arena, list->list.items[i].text);
    }
    out->service_levels = levels;
    out->service_level_count = list->list.count;
    return true;
}

static bool read_carrier(const struct reading *reading, struct fulfillment_carrier *out)
{
    static const char *const known[] = {
        "id",     "name",           "serviceLevels",        "trackingUrlTemplate",
        "active", "service_levels", "tracking_url_template"};

    return check_keys(reading, known, OMS_COUNT_OF(known)) && read_id(reading, &out->id) &&
           read_text(reading, "name", OMS_NAME_BYTES_MAX, &out->name) &&
           read_active(reading, &out->inactive) && read_template(reading, &out->tracking_url_template) &&
           read_levels(reading, out);
}

bool fulfillment_read_carriers(const struct oms_value *list, struct oms_arena *arena, struct fulfillment *out,
                               struct refusal_list *refusals)
{
    struct fulfillment_carrier *items;

    if (!check_list(list, "carriers", OMS_CARRIERS_MAX, refusals))
        return false;
    if (!(items = oms_arena_calloc(arena, list->list.count + 1, sizeof *items)))
        return no_memory(refusals);
    for (size_t i = 0; i < list->list.count; i++) {
        const struct reading reading = {"carriers", i, arena, refusals, &list->list.items[i]};
        const struct fulfillment before = {.carriers = items, .carrier_count = i};

        if (!read_carrier(&reading, &items[i]))
            return false;
        if (fulfillment_carrier(&before, items[i].id))
            return fault(&reading, "id", "is that of another one");
    }
    out->carriers = items;
    out->carrier_count = list->list.count;
    return !arena->exhausted || no_memory(refusals);
}

/* ---- looking up ---- */

static bool is_called(struct oms_str id, struct oms_str name, struct oms_str asked)
{
    return oms_str_eq_nocase(id, asked) || (oms_str_present(name) && oms_str_eq_nocase(name, asked));
}

const struct fulfillment_warehouse *fulfillment_warehouse(const struct fulfillment *all, struct oms_str name)
{
    for (size_t i = 0; i < all->warehouse_count; i++)
        if (is_called(all->warehouses[i].id, all->warehouses[i].name, name))
            return &all->warehouses[i];
    return NULL;
}

const struct fulfillment_carrier *fulfillment_carrier(const struct fulfillment *all, struct oms_str name)
{
    for (size_t i = 0; i < all->carrier_count; i++)
        if (is_called(all->carriers[i].id, all->carriers[i].name, name))
            return &all->carriers[i];
    return NULL;
}

/* RFC 3986 section 2.3: what needs no escape. */
static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static size_t put_encoded(char *out, struct oms_str text)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (is_unreserved(c)) {
            out[len++] = (char)c;
        } else {
            out[len++] = '%';
            out[len++] = hex[c >> 4];
            out[len++] = hex[c & 15];
        }
    }
    return len;
}

struct oms_str fulfillment_tracking_url(const struct fulfillment_carrier *carrier, struct oms_str reference,
                                        struct oms_arena *arena)
{
    struct oms_str from = carrier ? carrier->tracking_url_template : OMS_STR_NONE;
    const char *place = oms_str_present(from) ? memmem(from.data, from.len, PLACE.data, PLACE.len) : NULL;
    size_t before, behind, len;
    char *text;

    if (!place || !reference.len || reference.len > OMS_ID_BYTES_MAX ||
        !(text = oms_arena_alloc(arena, from.len + 3 * reference.len)))
        return OMS_STR_NONE;
    before = (size_t)(place - from.data);
    behind = from.len - before - PLACE.len;
    memcpy(text, from.data, before);
    len = before + put_encoded(text + before, reference);
    memcpy(text + len, place + PLACE.len, behind);
    len += behind;
    return len <= OMS_URL_BYTES_MAX ? oms_str_make(text, len) : OMS_STR_NONE;
}

/* ---- codec: numbers are stored ---- */

enum { SECTION_WAREHOUSE = 1, SECTION_CARRIER = 2 };
enum {
    PART_ID = 1,
    PART_NAME = 2,
    PART_INACTIVE = 3,
    PART_ADDRESS = 4,
    PART_CITY = 5,
    PART_COUNTRY = 6,
    PART_TEMPLATE = 7,
    PART_LEVEL = 8
};

void fulfillment_encode_warehouses(const struct fulfillment *all, struct oms_buf *out)
{
    for (size_t i = 0; i < all->warehouse_count; i++) {
        const struct fulfillment_warehouse *from = &all->warehouses[i];
        size_t mark = oms_wire_begin(out, SECTION_WAREHOUSE);

        oms_wire_put_str(out, PART_ID, from->id);
        oms_wire_put_str(out, PART_NAME, from->name);
        oms_wire_put_u64(out, PART_INACTIVE, from->inactive);
        oms_wire_put_str(out, PART_ADDRESS, from->address);
        oms_wire_put_str(out, PART_CITY, from->city);
        oms_wire_put_str(out, PART_COUNTRY, from->country);
        oms_wire_end(out, mark);
    }
}

void fulfillment_encode_carriers(const struct fulfillment *all, struct oms_buf *out)
{
    for (size_t i = 0; i < all->carrier_count; i++) {
        const struct fulfillment_carrier *from = &all->carriers[i];
        size_t mark = oms_wire_begin(out, SECTION_CARRIER);

        oms_wire_put_str(out, PART_ID, from->id);
        oms_wire_put_str(out, PART_NAME, from->name);
        oms_wire_put_u64(out, PART_INACTIVE, from->inactive);
        oms_wire_put_str(out, PART_TEMPLATE, from->tracking_url_template);
        for (size_t k = 0; k < from->service_level_count; k++)
            oms_wire_put_str(out, PART_LEVEL, from->service_levels[k]);
        oms_wire_end(out, mark);
    }
}

static bool decode_warehouse(struct oms_str bytes, struct oms_arena *arena, struct fulfillment_warehouse *out)
{
    struct oms_wire wire;

    out->id = out->name = out->address = out->city = out->country = OMS_STR_NONE;
    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        struct oms_str *const places[] = {
            [PART_ID] = &out->id,           [PART_NAME] = &out->name, [PART_INACTIVE] = NULL,
            [PART_ADDRESS] = &out->address, [PART_CITY] = &out->city, [PART_COUNTRY] = &out->country};

        if (wire.field == PART_INACTIVE)
            out->inactive = wire.number != 0;
        else if (wire.field >= PART_ID && wire.field <= PART_COUNTRY)
            *places[wire.field] = oms_str_copy(arena, wire.bytes);
    }
    return !wire.corrupt && oms_str_present(out->id);
}

static bool decode_carrier(struct oms_str bytes, struct oms_arena *arena, struct fulfillment_carrier *out)
{
    struct oms_str *levels = NULL;
    size_t count = 0;
    struct oms_wire wire;

    out->id = out->name = out->tracking_url_template = OMS_STR_NONE;
    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire))
        count += wire.field == PART_LEVEL;
    if (count > OMS_CARRIER_LEVELS_MAX || !(levels = oms_arena_calloc(arena, count + 1, sizeof *levels)))
        return false;
    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        if (wire.field == PART_ID)
            out->id = oms_str_copy(arena, wire.bytes);
        else if (wire.field == PART_NAME)
            out->name = oms_str_copy(arena, wire.bytes);
        else if (wire.field == PART_TEMPLATE)
            out->tracking_url_template = oms_str_copy(arena, wire.bytes);
        else if (wire.field == PART_INACTIVE)
            out->inactive = wire.number != 0;
        else if (wire.field == PART_LEVEL)
            levels[out->service_level_count++] = oms_str_copy(arena, wire.bytes);
    }
    out->service_levels = levels;
    return !wire.corrupt && oms_str_present(out->id);
}

enum oms_status fulfillment_decode(struct oms_str bytes, struct oms_arena *arena, struct fulfillment *out)
{
    struct fulfillment_warehouse *warehouses;
    struct fulfillment_carrier *carriers;
    size_t warehouse_count = 0, carrier_count = 0;
    struct oms_wire wire;
    bool fine = true;

    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        warehouse_count += wire.field == SECTION_WAREHOUSE;
        carrier_count += wire.field == SECTION_CARRIER;
    }
    if (wire.corrupt || warehouse_count > OMS_WAREHOUSES_MAX || carrier_count > OMS_CARRIERS_MAX)
        return OMS_CORRUPT;
    warehouses = oms_arena_calloc(arena, warehouse_count + 1, sizeof *warehouses);
    carriers = oms_arena_calloc(arena, carrier_count + 1, sizeof *carriers);
    if (!warehouses || !carriers)
        return OMS_LIMIT;
    *out = (struct fulfillment){.warehouses = warehouses, .carriers = carriers};
    oms_wire_read(&wire, bytes);
    while (fine && oms_wire_next(&wire)) {
        if (wire.field == SECTION_WAREHOUSE)
            fine = decode_warehouse(wire.bytes, arena, &warehouses[out->warehouse_count++]);
        else if (wire.field == SECTION_CARRIER)
            fine = decode_carrier(wire.bytes, arena, &carriers[out->carrier_count++]);
    }
    return !fine || wire.corrupt ? OMS_CORRUPT : arena->exhausted ? OMS_LIMIT : OMS_OK;
}
