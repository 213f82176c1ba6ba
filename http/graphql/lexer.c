/*
 * The lexer. Strings are scanned once to find their end and whether they need decoding; most do not and are
 * borrowed. Decoding of string escapes and block strings is in lexer_string.c.
 */
#include "http/graphql/lexer.h"

#include <stdarg.h>
#include <stdio.h>

#include "http/graphql/errors.h"
#include "http/graphql/lexer_string.h"

void gql_lexer_init(struct gql_lexer *lexer, struct oms_str source, uint32_t tokens_max,
                    struct oms_arena *arena, struct gql_errors *errors)
{
    *lexer = (struct gql_lexer){.source = source,
                                .tokens_max = tokens_max,
                                .arena = arena,
                                .errors = errors,
                                .token = {.text = source}};
}

void gql_lexer_fail(struct gql_lexer *lexer, uint32_t at, const char *format, ...)
{
    char text[256];
    va_list args;

    if (!lexer->failed) {
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        gql_error_at(lexer->errors, lexer->limited ? GQL_CODE_LIMIT : GQL_CODE_PARSE, lexer->source, at, "%s",
                     text);
    }
    lexer->failed = true;
    lexer->token.kind = GQL_TOKEN_EOF;
    lexer->next = lexer->source.len;
}

static int gql_peek(const struct gql_lexer *lexer, size_t at)
{
    return at < lexer->source.len ? (unsigned char)lexer->source.data[at] : -1;
}

bool gql_is_name_start(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool gql_is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* The offset of the next significant character (section 2.1.7: white space, commas, comments, byte order
 * mark). */
static size_t gql_skip_ignored(const struct gql_lexer *lexer)
{
    const char *s = lexer->source.data;
    size_t at = lexer->next, end = lexer->source.len;

    while (at < end) {
        char c = s[at];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',') {
            at++;
        } else if (c == '#') {
            while (at < end && s[at] != '\n' && s[at] != '\r')
                at++;
        } else if (end - at >= 3 && memcmp(s + at, "\xEF\xBB\xBF", 3) == 0) {
            at += 3;
        } else {
            break;
        }
    }
    return at;
}

/* A character for an error message: itself when printable ASCII, else its code point. */
static void gql_describe_char(const struct gql_lexer *lexer, size_t at, char out[16])
{
    int c = gql_peek(lexer, at);

    if (c < 0)
        snprintf(out, 16, "end of text");
    else if (c >= 0x20 && c < 0x7F)
        snprintf(out, 16, "'%c'", c);
    else
        snprintf(out, 16, "U+%04X", (unsigned)gql_decode_utf8(lexer->source, at));
}

static size_t gql_skip_digits(struct gql_lexer *lexer, size_t at)
{
    char found[16];

    if (!gql_is_digit(gql_peek(lexer, at))) {
        gql_describe_char(lexer, at, found);
        gql_lexer_fail(lexer, (uint32_t)at, "Invalid number: expected a digit, found %s.", found);
        return at;
    }
    while (gql_is_digit(gql_peek(lexer, at)))
        at++;
    return at;
}

/* Sections 2.9.1 and 2.9.2. */
static void gql_lex_number(struct gql_lexer *lexer, size_t start)
{
    size_t at = start;
    enum gql_token_kind kind = GQL_TOKEN_INT;
    char found[16];

    if (gql_peek(lexer, at) == '-')
        at++;
    if (gql_peek(lexer, at) == '0')
        at++; /* a digit behind it fails below */
    else
        at = gql_skip_digits(lexer, at);
    if (!lexer->failed && gql_peek(lexer, at) == '.') {
        kind = GQL_TOKEN_FLOAT;
        at = gql_skip_digits(lexer, at + 1);
    }
    if (!lexer->failed && (gql_peek(lexer, at) | 0x20) == 'e') {
        kind = GQL_TOKEN_FLOAT;
        at++;
        if (gql_peek(lexer, at) == '+' || gql_peek(lexer, at) == '-')
            at++;
        at = gql_skip_digits(lexer, at);
    }
    if (lexer->failed)
        return;
    if (gql_is_digit(gql_peek(lexer, at)) || gql_peek(lexer, at) == '.' ||
        gql_is_name_start(gql_peek(lexer, at))) {
        gql_describe_char(lexer, at, found);
        gql_lexer_fail(lexer, (uint32_t)at, "Invalid number: unexpected %s.", found);
        return;
    }
    lexer->token.kind = kind;
    lexer->token.text = oms_str_make(lexer->source.data + start, at - start);
    lexer->next = at;
}

static void gql_lex_name(struct gql_lexer *lexer, size_t start)
{
    const char *s = lexer->source.data;
    size_t at = start + 1;

    while (at < lexer->source.len && (gql_is_name_start((unsigned char)s[at]) || gql_is_digit(s[at])))
        at++;
    lexer->token.kind = GQL_TOKEN_NAME;
    lexer->token.text = oms_str_make(s + start, at - start);
    lexer->next = at;
}

static void gql_lex_punctuator(struct gql_lexer *lexer, size_t at)
{
    static const char marks[] = "!$&():=@[]{|}";
    static const enum gql_token_kind kinds[] = {
        GQL_TOKEN_BANG,    GQL_TOKEN_DOLLAR, GQL_TOKEN_AMP,    GQL_TOKEN_PAREN_L,   GQL_TOKEN_PAREN_R,
        GQL_TOKEN_COLON,   GQL_TOKEN_EQUALS, GQL_TOKEN_AT,     GQL_TOKEN_BRACKET_L, GQL_TOKEN_BRACKET_R,
        GQL_TOKEN_BRACE_L, GQL_TOKEN_PIPE,   GQL_TOKEN_BRACE_R};
    int c = gql_peek(lexer, at);
    const char *mark = c > 0 ? strchr(marks, c) : NULL;
    char found[16];

    if (mark) {
        lexer->token.kind = kinds[mark - marks];
        lexer->next = at + 1;
    } else if (c == '.' && gql_peek(lexer, at + 1) == '.' && gql_peek(lexer, at + 2) == '.') {
        lexer->token.kind = GQL_TOKEN_SPREAD;
        lexer->next = at + 3;
    } else {
        gql_describe_char(lexer, at, found);
        gql_lexer_fail(lexer, (uint32_t)at, "Unexpected character %s%s.", found,
                       c == '\'' ? "; strings are written with double quotes" : "");
        return;
    }
    lexer->token.text = oms_str_make(lexer->source.data + at, lexer->next - at);
}

void gql_lexer_next(struct gql_lexer *lexer)
{
    size_t at;
    int c;

    if (lexer->failed)
        return;
    at = gql_skip_ignored(lexer);
    lexer->token.at = (uint32_t)at;
    c = gql_peek(lexer, at);
    if (c < 0) {
        lexer->token.kind = GQL_TOKEN_EOF;
        lexer->next = at;
        return;
    }
    if (lexer->tokens_max && lexer->tokens == lexer->tokens_max) {
        lexer->limited = true;
        gql_lexer_fail(lexer, (uint32_t)at, "The document has more than %u tokens.", lexer->tokens_max);
        return;
    }
    lexer->tokens++;
    if (gql_is_name_start(c))
        gql_lex_name(lexer, at);
    else if (c == '-' || gql_is_digit(c))
        gql_lex_number(lexer, at);
    else if (c == '"')
        gql_lex_string(lexer, at);
    else
        gql_lex_punctuator(lexer, at);
}
