/*
 * Tokens of GraphQL text (section 2.1), one at a time.
 *
 * The source must be valid UTF-8 (gql_parse checks it first). Names, numbers and strings without escapes
 * borrow from the source; decoded strings live in the arena. After a failure the lexer stays at GQL_TOKEN_EOF
 * with `failed` set and one error reported, so that a parser needs no check per token.
 */
#ifndef GQL_LEXER_H
#define GQL_LEXER_H

#include "http/graphql/graphql.h"

enum gql_token_kind {
    GQL_TOKEN_EOF,
    GQL_TOKEN_BANG,
    GQL_TOKEN_DOLLAR,
    GQL_TOKEN_AMP,
    GQL_TOKEN_PAREN_L,
    GQL_TOKEN_PAREN_R,
    GQL_TOKEN_SPREAD,
    GQL_TOKEN_COLON,
    GQL_TOKEN_EQUALS,
    GQL_TOKEN_AT,
    GQL_TOKEN_BRACKET_L,
    GQL_TOKEN_BRACKET_R,
    GQL_TOKEN_BRACE_L,
    GQL_TOKEN_PIPE,
    GQL_TOKEN_BRACE_R,
    GQL_TOKEN_NAME,
    GQL_TOKEN_INT,
    GQL_TOKEN_FLOAT,
    GQL_TOKEN_STRING,
};

struct gql_token {
    enum gql_token_kind kind;
    uint32_t at;         /* byte offset of its first character */
    struct oms_str text; /* name, number as written, decoded string */
};

struct gql_lexer {
    struct oms_str source;
    size_t next; /* byte offset behind the current token */
    struct gql_token token;
    uint32_t tokens;
    uint32_t tokens_max; /* 0: no limit */
    struct oms_arena *arena;
    struct gql_errors *errors;
    bool failed;
    bool limited; /* failed because of tokens_max */
};

/* Stands before the first token. All pointers are borrowed. */
void gql_lexer_init(struct gql_lexer *lexer, struct oms_str source, uint32_t tokens_max,
                    struct oms_arena *arena, struct gql_errors *errors);
/* Moves to the next token. */
void gql_lexer_next(struct gql_lexer *lexer);
/* Reports a syntax error at byte `at` unless one was reported, and stops. */
void gql_lexer_fail(struct gql_lexer *lexer, uint32_t at, const char *format, ...) OMS_PRINTF(3, 4);

#endif
