/*
 * A field map: how a foreign payload becomes an input of ours, as data that a merchant can write.
 *
 * A map has the shape of what it makes. A text is a path into the payload ("$.customer.email",
 * "$.lines[0].sku"; within an $each "$" is the item and "$$" the whole payload). An object whose first key
 * begins with '$' says how:
 *   { "$first": [path, …] }               the first path at which something is
 *   { "$text": path or list }             a number or boolean as text: ids
 *   { "$integer": path or list }          a text of digits as a whole number
 *   { "$value": anything }                a constant
 *   { "$word": path or list, "words": { "open": "CONFIRMED" }, "else": "PENDING" }
 *   { "$each": path, "item": map }        a list, item by item
 * "default" beside any of them stands in when nothing is found. What is not found, or null, is left out, and
 * so is an object of which nothing is left. Compiled once; applying is bounded by the map's depth and by
 * OMS_WEBHOOK_VALUES_MAX, and changes neither map nor payload: any thread.
 */
#ifndef WEBHOOK_FIELD_MAP_H
#define WEBHOOK_FIELD_MAP_H

#include "runtime/base/arena.h"
#include "runtime/base/str.h"
#include "runtime/base/value.h"

struct field_map;
struct refusal_list;

/* The map lives in the arena and borrows text from `source`. OMS_INVALID with the place and the fault. */
OMS_MUST_USE enum oms_status field_map_compile(const struct oms_value *source, struct oms_arena *arena,
                                               const struct field_map **out, struct oms_error *error);
/*
 * Makes the input; text is borrowed from payload and map. false with a refusal for a value that cannot be
 * taken as the map says, or when too much would be made.
 */
bool field_map_apply(const struct field_map *map, const struct oms_value *payload, struct oms_arena *arena,
                     struct oms_value *out, struct refusal_list *refusals);

/* The value at a path such as "$.a.b[0]"; NULL when there is none, or it is null, or the path is none. */
const struct oms_value *field_map_at(const struct oms_value *payload, const char *path);

#endif
