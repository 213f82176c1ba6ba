/* GraphQL text from what the engine holds. */
#ifndef GQL_PRINT_H
#define GQL_PRINT_H

#include "http/graphql/ast.h"

/* A constant value as it may stand in a document, on one line: [1, { a: "b" }]. */
void gql_print_literal(const struct gql_lit *lit, struct oms_buf *out);

#endif
