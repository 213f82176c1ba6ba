/*
 * JSON (RFC 8259): request bodies and configuration in, response bytes out. Written here because numbers must
 * keep their text (value.h), trees must live in the request's arena, a parse is paid on every request, and a
 * configuration's faults are told with line and column. The claims of tokens are read by jansson (http/auth).
 *
 * Strict: UTF-8 only, no duplicate names, no trailing text, no byte order mark, lone surrogate escapes refused.
 * No recursion; `depth_max` bounds nesting.
 */
#ifndef OMS_BASE_JSON_H
#define OMS_BASE_JSON_H

#include "runtime/base/value.h"

struct oms_json_error {
    size_t offset;       /* byte in the text */
    unsigned line, column; /* from 1; column counts bytes */
    const char *message; /* static: "expected ',' or '}'" */
};

/*
 * Strings without escapes borrow from `text`, which must outlive the tree. OMS_INVALID with `error` filled, or
 * OMS_LIMIT for depth or an exhausted arena (message says which).
 */
OMS_MUST_USE enum oms_status oms_json_parse(struct oms_str text, unsigned depth_max, struct oms_arena *arena,
                                            struct oms_value *out, struct oms_json_error *error);

/* Appends a quoted, escaped JSON string; `s` is valid UTF-8. */
void oms_json_write_string(struct oms_buf *out, struct oms_str s);

#endif
