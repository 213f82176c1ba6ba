/* Answers for people: tables of text, and whole answers as JSON. */
#ifndef HTTP_MANAGE_MANAGE_TABLE_H
#define HTTP_MANAGE_MANAGE_TABLE_H

#include <stdio.h>

#include "runtime/base/value.h"

struct manage_column {
    const char *title;
    const char *path; /* of names with dots: "usage.openOrders"; a list is shown with commas */
};

/* Prints the objects of the list under a line of titles (unless told not to), each column as wide as it
 * needs. */
void manage_table_print(FILE *out, const struct oms_value *list, const struct manage_column *columns,
                        size_t count, bool titles);
/* Prints one object, a line per column. */
void manage_record_print(FILE *out, const struct oms_value *object, const struct manage_column *columns,
                         size_t count);
void manage_json_print(FILE *out, const struct oms_value *value);

#endif
