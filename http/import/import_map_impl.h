/*
 * What the parts of a map share: import_map_compile.c (text → instructions), import_map.c (loading, binding
 * to a header), import_map_write.c (row → JSON) and import_map_value.c (what a leaf's columns come to).
 */
#ifndef IMPORT_MAP_IMPL_H
#define IMPORT_MAP_IMPL_H

#include "http/import/import_map.h"
#include "runtime/base/arena.h"
#include "runtime/base/value.h"

#define IMPORT_MAP_DEPTH_MAX      8
#define IMPORT_MAP_NODES_MAX      256
#define IMPORT_MAP_COLUMNS_MAX    256
#define IMPORT_MAP_CONDITIONS_MAX 64
#define IMPORT_MAP_WORDS_MAX      64 /* of one $word, and of one condition's list */
#define IMPORT_MAP_SKIPS_MAX      16
#define IMPORT_NODE_COLUMNS_MAX   8
#define IMPORT_MAP_BYTES_MAX      (1u << 20)
#define IMPORT_COLUMN_UNBOUND                                                                                \
    SIZE_MAX /* also of an optional column that the file lacks: it reads as empty                            \
              */

enum import_op {
    IMPORT_OP_OBJECT,
    IMPORT_OP_LIST,
    IMPORT_OP_TEXT, /* of the first column that is not empty */
    IMPORT_OP_DATE,
    IMPORT_OP_DAY,
    IMPORT_OP_INSTANT,
    IMPORT_OP_INTEGER,
    IMPORT_OP_DECIMAL,
    IMPORT_OP_BOOLEAN,
    IMPORT_OP_WORD,
    IMPORT_OP_SUM,
    IMPORT_OP_EQUALS,
    IMPORT_OP_CONST,
    IMPORT_OP_UNIT_PRICE,
    IMPORT_OP_LINE_DISCOUNT,
};

/* A word of the file and the JSON that stands for it; absent: nothing does. */
struct import_word {
    struct oms_str word, json;
};

/* Whether a column is among some values, or not empty (without values). Of an option it is known at once. */
struct import_condition {
    bool known, holds; /* an option's */
    bool negated;
    bool any; /* of a column without values: it is not empty */
    unsigned column;
    struct oms_str *values;
    unsigned value_count;
};

/* Conditions of the map that must all hold. */
struct import_conditions {
    unsigned first, count;
};

/* One instruction; a container is followed by its children up to `end`. */
struct import_node {
    enum import_op op;
    struct oms_str name; /* member of its object; absent in a list */
    unsigned end;
    /* Into import_map.columns. Prices: net, discount, quantity. Sums: what is added, taken off, and divided
     * by. */
    unsigned columns[IMPORT_NODE_COLUMNS_MAX];
    unsigned column_count;
    unsigned added; /* SUM, EQUALS: so many of them are added; the others are taken off */
    bool divided;   /* SUM: the last column divides */
    bool of_order;  /* line: the columns are those of the order's first row */
    bool required;
    const char *format;    /* of dates */
    int offset_minutes;    /* of instants without one */
    struct oms_str text;   /* JSON of a constant; of other leaves: what stands for an empty one, or absent */
    struct oms_str prefix; /* before the text */
    struct oms_str strip;  /* characters that do not count at its beginning */
    const struct import_word *words;
    unsigned word_count;
    struct import_conditions when; /* of an object */
};

struct import_template {
    struct import_node nodes[IMPORT_MAP_NODES_MAX];
    unsigned count;
};

struct import_column {
    struct oms_str name;
    bool optional;
    size_t bound; /* number in the header */
};

/* Orders that are left out. */
struct import_skip {
    struct import_conditions when;
    const char *because;
};

struct import_map {
    struct oms_arena arena; /* the map's tree and everything that points into it */
    struct oms_buf text;    /* of the file */
    const char *name;
    char delimiter;
    bool json_lines;
    bool first_row;    /* only an order's first row has the order's columns */
    unsigned exponent; /* of the option currency */
    unsigned group;    /* column */
    struct import_column columns[IMPORT_MAP_COLUMNS_MAX];
    unsigned column_count;
    size_t order_columns[IMPORT_MAP_COLUMNS_MAX]; /* bound numbers */
    size_t order_column_count;
    struct import_condition conditions[IMPORT_MAP_CONDITIONS_MAX];
    unsigned condition_count;
    struct import_skip skips[IMPORT_MAP_SKIPS_MAX];
    unsigned skip_count;
    struct import_template order, line;
};

/* The text of a ready map, or absent; `next` 0, 1, … lists their names until NULL. */
struct oms_str import_map_ready(const char *name);
const char *import_map_ready_name(unsigned next);

/* Fills a map, whose name is set, from its text's tree. `error` names the place in the map. */
OMS_MUST_USE enum oms_status import_map_compile(struct import_map *map, const struct oms_value *root,
                                                const struct import_option *options, size_t option_count,
                                                struct oms_error *error);

/* ---- import_map_value.c ---- */

/* A column's text in a row; empty where the file lacks an optional column. */
struct oms_str import_map_field(const struct import_map *map, const struct oms_str *fields, unsigned column);
bool import_conditions_hold(const struct import_map *map, const struct import_conditions *conditions,
                            const struct oms_str *fields);
/* "2020-05-12 10:32:11 -0400" and the like, or RFC 3339; `offset_minutes` counts where the text has none. */
OMS_MUST_USE enum oms_status import_instant_parse(struct oms_str text, int offset_minutes, int64_t *out_ms);
/* "+02:00", "-0400", "Z" as minutes. */
bool import_offset_parse(struct oms_str text, int *out_minutes);
/*
 * A SUM's result as a decimal in `out` (with a NUL), or a static text that says what is wrong, with the
 * number of the column at fault among the node's in *which. Columns that are empty count as zero; when all
 * that are added are, *empty is true and there is no result.
 */
const char *import_sum(const struct import_map *map, const struct import_node *node,
                       const struct oms_str *fields, char out[48], bool *empty, unsigned *which);
/* The same for EQUALS: *out tells. */
const char *import_equals(const struct import_map *map, const struct import_node *node,
                          const struct oms_str *fields, bool *out, bool *empty, unsigned *which);

#endif
