/* The lexer's strings (section 2.9.4): quoted strings with escapes, and block strings. */
#ifndef GQL_LEXER_STRING_H
#define GQL_LEXER_STRING_H

#include "http/graphql/lexer.h"

/* Reads the string that starts with the quote at `start` into lexer->token, or fails. */
void gql_lex_string(struct gql_lexer *lexer, size_t start);
/* The code point at byte `at` of valid UTF-8. */
uint32_t gql_decode_utf8(struct oms_str source, size_t at);
bool gql_is_name_start(int c);

#endif
