/*
 * String values. A quoted string without a backslash is borrowed from the source; others are decoded into the
 * arena, where they are never longer than they were written. Escapes must describe Unicode scalar values: a
 * pair of \u surrogates is one, a lone one is an error. Block strings lose their common indentation and their
 * blank first and last lines (BlockStringValue in section 2.9.4).
 */
#include "http/graphql/lexer_string.h"

#include "http/graphql/memory.h"
#include "runtime/base/utf8.h"

uint32_t gql_decode_utf8(struct oms_str source, size_t at)
{
    const unsigned char *s = (const unsigned char *)source.data + at;

    if (s[0] < 0x80)
        return s[0];
    if (s[0] < 0xE0)
        return (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu);
    if (s[0] < 0xF0)
        return (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
    return (s[0] & 0x07u) << 18 | (s[1] & 0x3Fu) << 12 | (s[2] & 0x3Fu) << 6 | (s[3] & 0x3Fu);
}

static int gql_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Four hex digits at `at`; -1 when they are not there. */
static int32_t gql_hex4(struct oms_str s, size_t at)
{
    int32_t value = 0;

    if (s.len < 4 || at > s.len - 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        int digit = gql_hex(s.data[at + i]);
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static bool gql_is_scalar_value(uint32_t c)
{
    return c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);
}

/* The escape whose 'u' is at `*at`; moves behind it. False when it is no scalar value. */
static bool gql_unescape_unicode(struct oms_str s, size_t *at, uint32_t *out)
{
    size_t next = *at + 1;
    int32_t lead, trail;

    if (next < s.len && s.data[next] == '{') {
        uint32_t value = 0;
        size_t digits = 0;
        for (next++; next < s.len && gql_hex(s.data[next]) >= 0; next++, digits++) {
            value = value << 4 | (uint32_t)gql_hex(s.data[next]);
            if (value > 0x10FFFF)
                return false;
        }
        if (digits == 0 || next >= s.len || s.data[next] != '}')
            return false;
        *at = next + 1;
        *out = value;
        return gql_is_scalar_value(value);
    }
    lead = gql_hex4(s, next);
    if (lead < 0)
        return false;
    *at = next + 4;
    *out = (uint32_t)lead;
    if (lead >= 0xD800 && lead <= 0xDBFF && *at + 1 < s.len && s.data[*at] == '\\' &&
        s.data[*at + 1] == 'u') {
        trail = gql_hex4(s, *at + 2);
        if (trail >= 0xDC00 && trail <= 0xDFFF) {
            *out = 0x10000u + ((uint32_t)(lead - 0xD800) << 10) + (uint32_t)(trail - 0xDC00);
            *at += 6;
            return true;
        }
    }
    return gql_is_scalar_value(*out);
}

/* Decodes the inside of a quoted string, source[start, end), in which a character stands behind each
 * backslash. */
static void gql_decode_string(struct gql_lexer *lexer, size_t start, size_t end)
{
    static const char marks[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    struct oms_str inside = oms_str_make(lexer->source.data + start, end - start);
    char *out = gql_calloc(lexer->arena, 1, inside.len);
    size_t len = 0;

    for (size_t at = 0; at < inside.len;) {
        char c = inside.data[at];
        if (c != '\\') {
            out[len++] = c;
            at++;
            continue;
        }
        uint32_t escape_at = (uint32_t)(start + at), code_point;
        c = inside.data[++at]; /* there is one: the scan stepped over it */
        const char *mark = c ? strchr(marks, c) : NULL;
        if (mark) {
            out[len++] = values[mark - marks];
            at++;
        } else if (c == 'u') {
            if (!gql_unescape_unicode(inside, &at, &code_point)) {
                gql_lexer_fail(lexer, escape_at, "Invalid Unicode escape in a string.");
                return;
            }
            len += oms_utf8_encode(code_point, out + len);
        } else {
            gql_lexer_fail(lexer, escape_at, "Invalid escape in a string.");
            return;
        }
    }
    lexer->token.text = oms_str_make(out, len);
}

static void gql_lex_quoted(struct gql_lexer *lexer, size_t start)
{
    const char *s = lexer->source.data;
    size_t at = start + 1, end = lexer->source.len;
    bool escaped = false;

    while (at < end && s[at] != '"' && s[at] != '\n' && s[at] != '\r') {
        if (s[at] == '\\') {
            escaped = true;
            at++;
            if (at >= end || s[at] == '\n' || s[at] == '\r') {
                at--; /* nothing is escaped: the backslash ends it */
                break;
            }
        }
        at++;
    }
    if (at >= end || s[at] != '"') {
        if (escaped)
            gql_decode_string(lexer, start + 1, at); /* a bad escape is what the author should see first */
        gql_lexer_fail(lexer, (uint32_t)at, "Unterminated string.");
        return;
    }
    lexer->token.kind = GQL_TOKEN_STRING;
    lexer->next = at + 1;
    if (escaped)
        gql_decode_string(lexer, start + 1, at);
    else
        lexer->token.text = oms_str_make(s + start + 1, at - start - 1);
}

/* The end of the line that starts at `at`, without its terminator. */
static size_t gql_line_end(struct oms_str raw, size_t at)
{
    while (at < raw.len && raw.data[at] != '\n' && raw.data[at] != '\r')
        at++;
    return at;
}

static size_t gql_line_next(struct oms_str raw, size_t end)
{
    if (end + 1 < raw.len && raw.data[end] == '\r' && raw.data[end + 1] == '\n')
        return end + 2;
    return end + 1;
}

static size_t gql_indent(struct oms_str raw, size_t start, size_t end)
{
    size_t at = start;

    while (at < end && (raw.data[at] == ' ' || raw.data[at] == '\t'))
        at++;
    return at - start;
}

/* BlockStringValue: `out` has room for raw.len bytes. */
static size_t gql_block_value(struct oms_str raw, char *out)
{
    size_t common = SIZE_MAX, first = SIZE_MAX, last = 0, line = 0, len = 0, at, end;

    for (at = 0; at <= raw.len; at = gql_line_next(raw, end), line++) {
        end = gql_line_end(raw, at);
        size_t indent = gql_indent(raw, at, end);
        if (indent == end - at)
            continue;
        if (line > 0 && indent < common)
            common = indent;
        if (first == SIZE_MAX)
            first = line;
        last = line;
    }
    line = 0;
    for (at = 0; at <= raw.len && first != SIZE_MAX; at = gql_line_next(raw, end), line++) {
        end = gql_line_end(raw, at);
        if (line < first || line > last)
            continue;
        size_t from = at;
        if (line > 0 && common != SIZE_MAX)
            from += common < end - at ? common : end - at;
        if (line > first)
            out[len++] = '\n';
        memcpy(out + len, raw.data + from, end - from);
        len += end - from;
    }
    return len;
}

static void gql_lex_block(struct gql_lexer *lexer, size_t start)
{
    const char *s = lexer->source.data;
    size_t at = start + 3, end = lexer->source.len, len = 0;
    char *raw, *out;

    for (;; at++) {
        if (end - at < 3) {
            gql_lexer_fail(lexer, (uint32_t)end, "Unterminated block string.");
            return;
        }
        if (memcmp(s + at, "\"\"\"", 3) == 0)
            break;
        if (end - at >= 4 && memcmp(s + at, "\\\"\"\"", 4) == 0)
            at += 3;
    }
    raw = gql_calloc(lexer->arena, 1, at - start);
    for (size_t i = start + 3; i < at; i++) {
        if (at - i >= 4 && memcmp(s + i, "\\\"\"\"", 4) == 0)
            i++;
        raw[len++] = s[i];
    }
    out = gql_calloc(lexer->arena, 1, len);
    lexer->token.kind = GQL_TOKEN_STRING;
    lexer->token.text = oms_str_make(out, gql_block_value(oms_str_make(raw, len), out));
    lexer->next = at + 3;
}

void gql_lex_string(struct gql_lexer *lexer, size_t start)
{
    struct oms_str source = lexer->source;

    if (source.len - start >= 3 && memcmp(source.data + start, "\"\"\"", 3) == 0)
        gql_lex_block(lexer, start);
    else
        gql_lex_quoted(lexer, start);
}
