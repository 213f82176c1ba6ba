/* What the engine's own resolvers (introspection) may ask of an execution beyond the public functions. */
#ifndef GQL_EXECUTE_H
#define GQL_EXECUTE_H

#include "http/graphql/request.h"

const struct gql_schema *gql_exec_schema(const struct gql_exec *x);
/* The field that is being resolved, and its coerced arguments (NULL when it has none): for hosts whose
 * resolvers are made from a schema instead of written. */
const struct gql_field *gql_exec_field(const struct gql_exec *x);
const struct oms_value *gql_exec_args(const struct gql_exec *x);

#endif
