/* Errors with a place in a source text, and the codes that the engine itself gives. */
#ifndef GQL_ERRORS_H
#define GQL_ERRORS_H

#include "http/graphql/graphql.h"
#include "http/graphql/hint.h"

#define GQL_CODE_PARSE    "GRAPHQL_PARSE_FAILED"
#define GQL_CODE_VALIDATE "GRAPHQL_VALIDATION_FAILED"
#define GQL_CODE_INPUT    "BAD_USER_INPUT"
#define GQL_CODE_LIMIT    "LIMIT_EXCEEDED"
#define GQL_CODE_INTERNAL "INTERNAL"

/* For "%.*s": at most 80 bytes of a name, so that a hostile document does not come back as a long message. */
#define GQL_NAME(s) (int)((s).len < 80 ? (s).len : 80), ((s).data ? (s).data : "")

struct gql_place {
    unsigned line, column;
};

/* Line and column, both from 1, of byte `at`; columns count UTF-16 units, as editors and graphql-js do.
 * Linear in the source. */
struct gql_place gql_place_of(struct oms_str source, uint32_t at);

/* gql_errors_add with the place of `at`. */
struct gql_error *gql_error_at(struct gql_errors *errors, const char *code, struct oms_str source,
                               uint32_t at, const char *format, ...) OMS_PRINTF(5, 6);
/* Adds a second place to an error that gql_error_at returned (NULL is allowed). */
void gql_error_also(struct gql_error *error, struct oms_str source, uint32_t at);

#endif
