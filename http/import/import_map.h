/*
 * Import maps: which column of a file becomes which field of CreateOrderInput.
 *
 * A map is JSON (docs/import-maps.md has the language): `order` and `line` are templates of the input whose
 * leaves are a column's name or an object with one operation, such as {"$date": "Order Date", "format":
 * "M/D/YYYY"}. A ready map is a built-in text of the same language (`superstore`). Loading compiles the
 * templates into flat lists of instructions, binding to a file's header resolves the columns, and writing
 * turns a row into JSON without recursion. A leaf whose column is empty is left out, and so is an object or
 * list that ends up empty.
 */
#ifndef IMPORT_MAP_H
#define IMPORT_MAP_H

#include <stdint.h>

#include "runtime/base/buf.h"

struct import_map;

#define IMPORT_MAP_OPTIONS_MAX 16

/* A value given on the command line for {"$option": name}. */
struct import_option {
    const char *name, *value;
};

/* Why a row cannot become part of an order. `message` is complete without the others. */
struct import_fault {
    const char *code;     /* a UserErrorCode: "INVALID", "REQUIRED" */
    struct oms_str field; /* the column; borrowed from the map */
    char message[256];
};

/*
 * `name_or_file`: a ready map's name, or a file with a map. Unknown options are errors: the map says which it
 * has. The message names the place in the map.
 */
OMS_MUST_USE enum oms_status import_map_load(const char *name_or_file, const struct import_option *options,
                                             size_t option_count, struct import_map **out,
                                             struct oms_error *error);
/* The same from text, named `name` in messages. */
OMS_MUST_USE enum oms_status import_map_parse(const char *name, struct oms_str text,
                                              const struct import_option *options, size_t option_count,
                                              struct import_map **out, struct oms_error *error);
void import_map_destroy(struct import_map *map);

/* The source of its orders. Lives as long as the map, like what follows. */
const char *import_map_name(const struct import_map *map);
char import_map_delimiter(const struct import_map *map);
/* True: no CSV but JSON Lines, each line a CreateOrderInput of its own (the ready map `jsonl`). */
bool import_map_is_json_lines(const struct import_map *map);

/* Finds every column of the map in a header; the message names a missing one and the nearest there is. */
OMS_MUST_USE enum oms_status import_map_bind(struct import_map *map, const struct oms_str *header,
                                             size_t count, struct oms_error *error);
/* The bound number of the column that groups rows to orders. */
size_t import_map_group_column(const struct import_map *map);
/* The columns that the order template uses: they must not differ between the rows of an order. */
size_t import_map_order_columns(const struct import_map *map, const size_t **columns);
/* True: an order's first row has them, its other rows may leave them empty. */
bool import_map_first_row_only(const struct import_map *map);
/* Why an order with this first row is left out (static as long as the map), or NULL. */
const char *import_map_skips(const struct import_map *map, const struct oms_str *fields);
struct oms_str import_map_column_name(const struct import_map *map, size_t column);

/* Appends the members of the input (with source; without braces and lineItems): "\"externalRef\":\"…\",…". */
OMS_MUST_USE enum oms_status import_map_write_order(const struct import_map *map,
                                                    const struct oms_str *fields, struct oms_buf *out,
                                                    struct import_fault *fault);
/*
 * Appends one item of lineItems, with braces. OMS_INVALID with `fault` when the row does not allow it.
 * `first`: the order's first row; only its order columns (import_map_order_columns) are looked at.
 */
OMS_MUST_USE enum oms_status import_map_write_line(const struct import_map *map, const struct oms_str *fields,
                                                   const struct oms_str *first, struct oms_buf *out,
                                                   struct import_fault *fault);

/* Reads "11/8/2018" by "M/D/YYYY" and the like (Y, M, D fields with one separator); midnight UTC in ms. */
OMS_MUST_USE enum oms_status import_date_parse(const char *format, struct oms_str text, int64_t *out_ms);

#endif
