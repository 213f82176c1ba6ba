/* "<as of, hexadecimal>.<the list's cursor>": opaque for clients, checked by the list itself. */
#include <inttypes.h>
#include <stdio.h>

#include "http/export/export_impl.h"
#include "runtime/base/assert.h"

size_t export_cursor_write(const struct export_cursor *cursor, char out[EXPORT_CURSOR_TEXT_MAX])
{
    int len = snprintf(out, EXPORT_CURSOR_TEXT_MAX, "%" PRIx64 ".", (uint64_t)cursor->as_of_ms);
    OMS_ASSERT(len > 0 && cursor->len <= EXPORT_CURSOR_MAX);
    memcpy(out + len, cursor->text, cursor->len);
    return (size_t)len + cursor->len;
}

bool export_cursor_parse(struct oms_str text, struct export_cursor *out)
{
    uint64_t ms = 0;
    size_t i = 0;
    for (; i < text.len && text.data[i] != '.'; i++) {
        char c = text.data[i];
        if (i == 12 || !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) /* 12 digits: 8,900 years */
            return false;
        ms = ms << 4 | (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    if (i == 0 || i + 1 >= text.len || text.len - i - 1 > EXPORT_CURSOR_MAX)
        return false;
    out->as_of_ms = (int64_t)ms;
    out->len = text.len - i - 1;
    memcpy(out->text, text.data + i + 1, out->len);
    return true;
}
