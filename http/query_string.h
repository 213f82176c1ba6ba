/* Parameters of a URL's query (application/x-www-form-urlencoded, URL standard section 5.1). */
#ifndef HTTP_QUERY_STRING_H
#define HTTP_QUERY_STRING_H

#include "runtime/base/str.h"

struct oms_arena;

/*
 * The first value of `name`, decoded ('+' is a blank, %XX a byte) into the arena; absent when there is none,
 * when the value is not UTF-8, or when the arena is exhausted. `query` may be absent.
 */
struct oms_str http_query_get(struct oms_str query, const char *name, struct oms_arena *arena);

#endif
