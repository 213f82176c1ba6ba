/* What the engine's own resolvers (introspection) may ask of an execution beyond the public functions. */
#ifndef GQL_EXECUTE_H
#define GQL_EXECUTE_H

#include "http/graphql/request.h"

const struct gql_schema *gql_exec_schema(const struct gql_exec *x);

#endif
