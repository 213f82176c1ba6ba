/*
 * The parser of documents and of schemas: one grammar (section 2 and 3, Appendix C), one parser.
 *
 * parser.c reads values, types, directives and executable definitions; parser_sdl.c type system definitions.
 * Descent is recursive but bounded: selection sets nest at most OMS_GQL_NESTING_MAX deep, values and types
 * OMS_GQL_DEPTH_MAX.
 */
#ifndef GQL_PARSER_H
#define GQL_PARSER_H

#include "http/graphql/ast.h"
#include "http/graphql/lexer.h"
#include "runtime/base/limits.h"

/* Braces of selection sets, inline fragments included; fields alone are limited by OMS_GQL_DEPTH_MAX in the
 * plan. */

/*
 * Parses a text that may hold executable and type system definitions. The tree lives in `arena` (which has no
 * maximum) and borrows from `source`. tokens_max 0: no limit. OMS_INVALID or OMS_LIMIT with one error added.
 */
OMS_MUST_USE enum oms_status gql_parse(struct oms_str source, uint32_t tokens_max, struct oms_arena *arena,
                                       struct gql_document **out, struct gql_errors *errors);

/* ---- between parser.c and parser_sdl.c ---- */

struct gql_parser {
    struct gql_lexer lexer;
    struct oms_arena *arena;
    struct gql_document *document;
    unsigned depth;
    struct gql_def **definitions_end;
};

bool gql_parse_at(const struct gql_parser *p, enum gql_token_kind kind);
bool gql_parse_at_word(const struct gql_parser *p, const char *word);
/* Steps over the token when it is there. */
bool gql_parse_accept(struct gql_parser *p, enum gql_token_kind kind);
bool gql_parse_accept_word(struct gql_parser *p, const char *word);
/* Steps over the token, which must be there. */
void gql_parse_expect(struct gql_parser *p, enum gql_token_kind kind);
void gql_parse_expect_word(struct gql_parser *p, const char *word);
struct oms_str gql_parse_name(struct gql_parser *p);
/* Fails at the current token: "Expected WHAT, found …". */
void gql_parse_unexpected(struct gql_parser *p, const char *what);
/* A string in front of a definition; absent without one. */
struct oms_str gql_parse_description(struct gql_parser *p);
struct gql_ast_type *gql_parse_type(struct gql_parser *p);
struct gql_lit *gql_parse_value(struct gql_parser *p, bool constant);
struct gql_applied *gql_parse_directives(struct gql_parser *p, bool constant);

/* Reads one type system definition or extension; false when the current word starts none. */
bool gql_parse_definition(struct gql_parser *p, struct oms_str description, uint32_t at);

#endif
