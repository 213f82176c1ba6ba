/* A prepared document and a request on it, as the engine's own sources see them. */
#ifndef GQL_REQUEST_H
#define GQL_REQUEST_H

#include "http/graphql/ast.h"
#include "http/graphql/plan.h"

/*
 * Holds the document, its annotated tree (for plans of other masks) and its plans. Counted, not atomically:
 * only the thread that prepared it holds, binds and releases. Once a request is bound, what it reads is never
 * changed.
 */
struct gql_prepared {
    const struct gql_schema *schema;
    struct gql_document *document;
    struct oms_arena arena;
    uint32_t holds;
    size_t bytes; /* fixed when prepared, room for kept variants included */
};

/* Arguments that were coerced for a request. */
struct gql_bound_args {
    const struct oms_value *args; /* an object; NULL when they were refused */
    struct oms_str problem;       /* why */
    uint32_t at;                  /* of the value that was refused, in the document */
};

struct gql_request {
    const struct gql_prepared *prepared;
    const struct gql_operation_ast *operation;
    const struct gql_plan *plan;
    const struct gql_root *roots;
    const struct gql_bound_args *slots; /* by gql_step.slot */
};

/* Of one document: tree, plans and room for variants. */

/* Plans of one operation that are kept for other requests. */

#endif
