/*
 * The tables behind order_input.h: which input fields a command has, and where they go. Internal to the
 * parser and the fingerprint, which walk the same rows, so that no field can be parsed and forgotten in the
 * fingerprint.
 */
#ifndef ORDER_INPUT_TABLES_H
#define ORDER_INPUT_TABLES_H

#include <stddef.h>

#include "actors/order_command.h"

enum order_input_kind {
    INPUT_TEXT,
    INPUT_COUNT,     /* whole number → i64 */
    INPUT_REF_COUNT, /* the same; not below 0, and −1 when not given */
    INPUT_BOOL,
    INPUT_BOOL_NOT,     /* stored inverted: the default is true */
    INPUT_BOOL_TRUE,    /* the default is true */
    INPUT_BOOL_FLAG,    /* bool with a "was given" flag at `aux` */
    INPUT_DECIMAL,      /* → order_amount without currency */
    INPUT_MONEY,        /* { amount currency } → order_amount */
    INPUT_DECIMAL_TEXT, /* → oms_str as written */
    INPUT_INSTANT,      /* RFC 3339 → ms; a "was given" flag at `aux` when not 0 */
    INPUT_PART,         /* "SHP-3" or 3 → u32; prefix in `prefix` */
    INPUT_JSON,         /* any value → compact JSON text; a string is taken as a JSON string */
    INPUT_ENUM,         /* by `parse` → unsigned */
    INPUT_COMMANDS,     /* list of command names → set */
    INPUT_OBJECT,       /* structure in place; a "was given" flag at `aux` when not 0 */
    INPUT_LIST,  /* list of structures: pointer, count at `aux`, "was given" flag at `flag` when not 0 */
    INPUT_TEXTS, /* list of texts: pointer, count at `aux` */
    INPUT_CODES, /* list of { couponCode }: pointer, count at `aux` */
};

struct order_input_table;

struct order_input_field {
    const char *name;
    uint8_t name_len;
    uint8_t kind;
    bool required;
    uint16_t offset;
    uint16_t aux;
    uint16_t flag;
    uint32_t max; /* items of a list; bytes of JSON */
    union {
        const struct order_input_table *table;
        const char *prefix;
        bool (*parse)(struct oms_str text, unsigned *out);
    };
    const char *expected; /* INPUT_ENUM: the words, for the message; INPUT_LIST: why it may not be empty;
                             INPUT_REF_COUNT: what is taken, when it is not from 1 */
};

struct order_input_table {
    size_t size;
    const struct order_input_field *fields;
    size_t count;
};

/* The rows of a command's own fields (offsets in struct order_command); NULL for the system's own commands,
 * but for trackShipment, which carriers' webhooks bring.
 */
const struct order_input_table *order_input_table_of(enum order_command_type type);

#endif
