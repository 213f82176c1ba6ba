/* What import_map.c (text → instructions) and import_map_write.c (row → JSON) share. */
#ifndef IMPORT_MAP_IMPL_H
#define IMPORT_MAP_IMPL_H

#include "http/import/import_map.h"
#include "runtime/base/arena.h"

#define IMPORT_MAP_DEPTH_MAX   8
#define IMPORT_MAP_NODES_MAX   256
#define IMPORT_MAP_COLUMNS_MAX 256
#define IMPORT_COLUMN_UNBOUND  SIZE_MAX

enum import_op {
    IMPORT_OP_OBJECT,
    IMPORT_OP_LIST,
    IMPORT_OP_TEXT,
    IMPORT_OP_DATE,
    IMPORT_OP_DAY,
    IMPORT_OP_INTEGER,
    IMPORT_OP_DECIMAL,
    IMPORT_OP_BOOLEAN,
    IMPORT_OP_CONST,
    IMPORT_OP_UNIT_PRICE,
    IMPORT_OP_LINE_DISCOUNT,
};

/* One instruction; a container is followed by its children up to `end`. */
struct import_node {
    enum import_op op;
    struct oms_str name; /* member of its object; absent in a list */
    unsigned end;
    unsigned columns[3]; /* into import_map.columns; net, discount, quantity for prices */
    const char *format;  /* of dates */
    struct oms_str text; /* JSON of a constant */
    struct oms_str prefix;
    bool required;
};

struct import_template {
    struct import_node nodes[IMPORT_MAP_NODES_MAX];
    unsigned count;
};

struct import_column {
    struct oms_str name;
    size_t bound; /* number in the header */
};

struct import_map {
    struct oms_arena arena; /* the map's tree and everything that points into it */
    struct oms_buf text;    /* of the file */
    const char *name;
    char delimiter;
    bool json_lines;
    unsigned exponent; /* of the option currency */
    unsigned group;    /* column */
    struct import_column columns[IMPORT_MAP_COLUMNS_MAX];
    unsigned column_count;
    size_t order_columns[IMPORT_MAP_COLUMNS_MAX]; /* bound numbers */
    size_t order_column_count;
    struct import_template order, line;
};

/* The text of a ready map, or absent; `next` 0, 1, … lists their names until NULL. */
struct oms_str import_map_ready(const char *name);
const char *import_map_ready_name(unsigned next);

#endif
