/* See query_string.h. */
#include "http/query_string.h"

#include "runtime/base/arena.h"
#include "runtime/base/utf8.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A '%' that no two hex digits follow stands for itself, as browsers read it. */
static struct oms_str decode(struct oms_str text, struct oms_arena *arena)
{
    char *out = oms_arena_alloc(arena, text.len + 1);
    size_t len = 0;
    if (!out)
        return OMS_STR_NONE;
    for (size_t i = 0; i < text.len; i++) {
        int high, low;
        if (text.data[i] == '%' && text.len - i > 2 && (high = hex_digit(text.data[i + 1])) >= 0 &&
            (low = hex_digit(text.data[i + 2])) >= 0) {
            out[len++] = (char)(high << 4 | low);
            i += 2;
        } else {
            out[len++] = text.data[i] == '+' ? ' ' : text.data[i];
        }
    }
    out[len] = '\0';
    struct oms_str decoded = oms_str_make(out, len);
    return oms_utf8_valid(decoded) ? decoded : OMS_STR_NONE;
}

struct oms_str http_query_get(struct oms_str query, const char *name, struct oms_arena *arena)
{
    size_t name_len = strlen(name);
    for (size_t start = 0, i = 0; oms_str_present(query) && i <= query.len; i++) {
        if (i < query.len && query.data[i] != '&')
            continue;
        struct oms_str pair = oms_str_make(query.data + start, i - start);
        if (pair.len > name_len && memcmp(pair.data, name, name_len) == 0 && pair.data[name_len] == '=')
            return decode(oms_str_make(pair.data + name_len + 1, pair.len - name_len - 1), arena);
        start = i + 1;
    }
    return OMS_STR_NONE;
}
