/* UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, at most U+10FFFF. */
#ifndef OMS_BASE_UTF8_H
#define OMS_BASE_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/str.h"

bool oms_utf8_valid(struct oms_str s);
/* Bytes of the longest prefix that is valid: where the first fault is. */
size_t oms_utf8_valid_prefix(struct oms_str s);
/* Code points of valid UTF-8. */
size_t oms_utf8_length(struct oms_str s);
/* Writes 1 to 4 bytes, returns how many; code_point must be a Unicode scalar value. */
size_t oms_utf8_encode(uint32_t code_point, char out[4]);

#endif
