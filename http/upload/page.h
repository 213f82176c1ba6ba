/*
 * A page of an upload's report: what became of the rows, an entry for each order and for each row that
 * belongs to none, in the file's order. Stored beside the upload's state; it is also the form of the first
 * faults in the state itself.
 *
 * An entry is a length and then: result, number of rows, number and line of the first row, how much further
 * down each other row stands, the reference; an order's id (16 bytes) unless it was refused; code, field and
 * message unless it was created or existed. Numbers are varints, texts a length and bytes. A reader skips
 * what an entry has behind that.
 */
#ifndef UPLOAD_PAGE_H
#define UPLOAD_PAGE_H

#include "actors/ids.h"
#include "http/import/import_orders.h"
#include "runtime/base/wire.h"

/* Numbers are stored: append only. */
enum upload_entry_result {
    UPLOAD_ENTRY_CREATED = 1, /* in a dry run: would be */
    UPLOAD_ENTRY_EXISTING = 2,
    UPLOAD_ENTRY_OTHER = 3, /* exists with other content, and was left as it is */
    UPLOAD_ENTRY_REFUSED = 4,
    UPLOAD_ENTRY_SKIPPED = 5, /* the map leaves it out */
};

struct upload_entry {
    enum upload_entry_result result;
    uint64_t row_count;
    struct oms_str ref; /* absent: a row that belongs to no order */
    bool has_id;
    unsigned char id[IDS_ORDER_SIZE];
    struct oms_str code, field, message;
};

void upload_page_put(const struct upload_entry *entry, const struct import_row_place *rows,
                     struct oms_buf *out);

struct upload_page_reader {
    struct oms_wire wire;
    struct oms_wire rows; /* of the current entry */
    uint64_t rows_left, next_number, next_line;
    bool first_row;
};

void upload_page_read(struct upload_page_reader *reader, struct oms_str page);
/* False at the end, or on corruption (reader->wire.corrupt). Text is borrowed from the page. */
bool upload_page_next(struct upload_page_reader *reader, struct upload_entry *out);
/* The rows of the current entry, one by one. */
bool upload_page_row(struct upload_page_reader *reader, struct import_row_place *out);

/* "created", "existing", "exists_other", "refused", "skipped"; static. */
const char *upload_entry_word(enum upload_entry_result result);

#endif
