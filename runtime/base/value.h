/*
 * A tree of plain data: what JSON, GraphQL literals and variables, CSV rows and field maps all become before the
 * domain reads them. It lives in an arena and borrows text from there or from its source; immutable once built.
 *
 * Numbers keep their text: money is parsed textually and never passes through floating point.
 */
#ifndef OMS_BASE_VALUE_H
#define OMS_BASE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/str.h"

struct oms_arena;
struct oms_buf;

enum oms_value_kind {
    OMS_VALUE_NULL,
    OMS_VALUE_BOOL,
    OMS_VALUE_INT,    /* `integer`; what a schema's Int coerces to */
    OMS_VALUE_NUMBER, /* `text`: a JSON number token as it was written */
    OMS_VALUE_STRING, /* `text`: decoded UTF-8 */
    OMS_VALUE_ENUM,   /* `text`: a GraphQL enum value's name */
    OMS_VALUE_LIST,
    OMS_VALUE_OBJECT,
};

struct oms_field;

struct oms_value {
    enum oms_value_kind kind;
    union {
        bool boolean;
        int64_t integer;
        struct oms_str text;
        struct {
            struct oms_value *items;
            size_t count;
        } list;
        struct {
            struct oms_field *fields; /* in source order; in schema order after coercion; names are unique */
            size_t count;
        } object;
    };
};

struct oms_field {
    struct oms_str name;
    struct oms_value value;
};

/* The value of `name`, or NULL when absent or when `object` is no object. A JSON null is a value, not absent. */
const struct oms_value *oms_value_get(const struct oms_value *object, const char *name);
/* The same, but NULL for a null as well. */
const struct oms_value *oms_value_get_set(const struct oms_value *object, const char *name);
/* Appends compact JSON. Enums are written as strings. */
void oms_value_write_json(const struct oms_value *value, struct oms_buf *out);
/* A deep copy whose text lives in `arena`; false when it is exhausted. */
bool oms_value_copy(const struct oms_value *value, struct oms_arena *arena, struct oms_value *out);

#endif
