/*
 * From a file's bytes to orders: CSV rows are grouped by the map's column, JSON Lines are an order each.
 *
 * Rows of one order are consecutive; a row whose order has been closed by another's is NON_CONTIGUOUS. An
 * order with a row that cannot be used is refused whole, since an order without one of its lines is worse
 * than none; for the same reason a row that cannot be read at all takes the orders on both its sides with it.
 * Memory is bounded by the largest order, plus 32 bytes for each order seen.
 */
#ifndef IMPORT_ORDERS_H
#define IMPORT_ORDERS_H

#include "http/import/import_map.h"

struct import_orders;

/* A row of the file: its number (0 when it could not be read) and its physical line. */
struct import_row_place {
    uint64_t number, line;
};

struct import_order {
    struct oms_str ref;   /* external reference, or the group's key */
    struct oms_str input; /* CreateOrderInput as JSON */
    const struct import_row_place *rows;
    size_t row_count;
};

struct import_refusal {
    struct oms_str ref; /* absent when the row could not be read */
    const struct import_row_place *rows;
    size_t row_count;
    const char *code;
    struct oms_str field; /* the column, or absent */
    const char *message;
    bool skipped; /* no fault: the map leaves such orders out */
};

/* What is passed is valid during the call. Each returns false to stop: import_orders_feed then answers
 * OMS_CLOSED. */
struct import_orders_sink {
    void *context;
    bool (*order)(void *context, const struct import_order *order);
    bool (*refused)(void *context, const struct import_refusal *refusal);
};

/* The map is borrowed (and bound to the file's header); the sink is copied. */
struct import_orders *import_orders_create(struct import_map *map, const struct import_orders_sink *sink);
void import_orders_destroy(struct import_orders *orders);
/* OMS_INVALID: the header is not usable (see import_orders_error); OMS_CLOSED: the sink stopped. Both are
 * final. */
OMS_MUST_USE enum oms_status import_orders_feed(struct import_orders *orders, const void *data, size_t len);
OMS_MUST_USE enum oms_status import_orders_finish(struct import_orders *orders);

/*
 * Going on later: all that must be kept of a reader is its header row's bytes, its place, the bytes of the
 * file from there to where it has read, and the keys of the orders that it has closed.
 */
struct import_orders_place {
    uint64_t offset, line, row;
    uint64_t poison_line; /* of a row that could not be read, before; 0: none */
    bool after_cr;
};
/* Behind the last order that was closed and the last row that belongs to none: the next one's first byte. */
void import_orders_place(const struct import_orders *orders, struct import_orders_place *out);
/* The length of the header row, with what is before it; 0: not read yet, or there is none (JSON Lines). */
uint64_t import_orders_header_len(const struct import_orders *orders);
/*
 * In a new reader, which has been fed the header row: the next bytes stand at `place`. What is fed now tells
 * of refusals again that it told of before the place was taken; the caller knows how far it had been.
 */
void import_orders_seek(struct import_orders *orders, const struct import_orders_place *place);
/* The order of this key was closed before. */
void import_orders_add_closed(struct import_orders *orders, struct oms_str key);
size_t import_orders_closed_count(const struct import_orders *orders);

const char *import_orders_error(const struct import_orders *orders);

#endif
