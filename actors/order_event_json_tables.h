/*
 * The tables behind order_event_json.h: an event's fields under their API names, and who sees them. Internal
 * to the two sources that share it.
 */
#ifndef ORDER_EVENT_JSON_TABLES_H
#define ORDER_EVENT_JSON_TABLES_H

#include <stddef.h>

#include "actors/order_event.h"

enum json_kind {
    JSON_TEXT,
    JSON_RAW, /* text that is JSON itself */
    JSON_BOOL,
    JSON_NUMBER, /* i64 */
    JSON_COUNT,  /* u32; 0 is left out */
    JSON_MONEY,
    JSON_TIME, /* 0 is left out */
    JSON_WORD, /* enum, by `words` */
    JSON_PART, /* u32 with a prefix in `prefix`; 0 is left out */
    JSON_STEP, /* u32 index of an activity, shown by its name when the order is there */
    JSON_COMMANDS,
    JSON_OBJECT,
    JSON_LIST,  /* pointer and count of structures */
    JSON_TEXTS, /* pointer and count of texts */
};

/* To who sees only some lines. */
enum json_shown {
    HIDDEN,
    SHOWN,
    SHOWN_OF_WHOLE, /* when all items of the event's shipment are theirs */
};

struct json_table;

struct json_field {
    const char *name;
    uint8_t kind;
    uint8_t for_vendor; /* enum json_shown */
    uint16_t offset;
    uint16_t aux;  /* JSON_LIST, JSON_TEXTS: the count; JSON_OBJECT, JSON_MONEY: a flag that must be set, if
                      not 0 */
    uint16_t line; /* JSON_LIST: offset of the item's line number + 1, by which a vendor's items are told
                      apart; 0: all */
    union {
        const struct json_table *table;
        const char *prefix;
        const char *(*word)(unsigned value);
    };
};

struct json_table {
    size_t size;
    const struct json_field *fields;
    size_t count;
};

/* Who sees which event, beside the staff. */

enum {
    SEEN_BY_CUSTOMER = 1,
    SEEN_BY_VENDOR = 2,     /* whatever lines it touches */
    SEEN_BY_LINE = 4,       /* a vendor, when it touches a line of theirs */
    SEEN_BY_SHIPMENT = 8,   /* a vendor, when the shipment has a line of theirs */
    SEEN_BY_RETURN = 16,    /* a vendor, when the return has a line of theirs */
    SEEN_WHEN_VISIBLE = 32, /* notes: by both when marked so */
    EVERYBODY = SEEN_BY_CUSTOMER | SEEN_BY_VENDOR,
    STAFF = 0,
};

/* Indexed by event type. */
struct order_event_row {
    const struct json_table *table;
    unsigned seen;
};
extern const struct order_event_row order_event_rows[ORDER_EVENT_COUNT];

/* A line as it was added: its rows carry the vendor, so that a list of these needs no order. */
extern const struct json_table order_event_line_table;

#endif
