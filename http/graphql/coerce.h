/*
 * Input coercion (section 3's "Input Coercion", 6.1.2, 6.4.1): JSON variables and literals to oms_value
 * trees.
 *
 * Results: Int is OMS_VALUE_INT, Float OMS_VALUE_NUMBER, String and ID OMS_VALUE_STRING, enums
 * OMS_VALUE_ENUM, input objects have schema order with defaults applied and absent fields left out. Values
 * live in `arena`, which may run out: then coercion fails with `exhausted` set. Recursion is bounded by
 * OMS_GQL_VALUE_DEPTH_MAX.
 */
#ifndef GQL_COERCE_H
#define GQL_COERCE_H

#include "http/graphql/types.h"
#include "runtime/base/limits.h"

/* Names of the schema and five hints of it fit; what does not is cut. */
#define GQL_COERCION_MESSAGE_SIZE 768

/* A variable's value in one request. */
struct gql_bound {
    const struct oms_value *given; /* as it came; NULL when it did not */
    bool present;
    struct oms_value value;
};

struct gql_coercion {
    struct oms_arena *arena;
    const struct gql_operation_ast *operation; /* whose variables literals may use; NULL: constants only */
    const struct gql_bound *bound;             /* by variable index */
    bool exhausted;
    unsigned depth;
    char message[GQL_COERCION_MESSAGE_SIZE]; /* after a failure: what is wrong, ending in a full stop */
    struct gql_coercion_step {
        struct oms_str name; /* absent: an index */
        size_t index;
    } path[OMS_GQL_VALUE_DEPTH_MAX]; /* where, as far as depth */
};

/* The path is left as it is: it is read only as far as depth. */
void gql_coercion_init(struct gql_coercion *c, struct oms_arena *arena,
                       const struct gql_operation_ast *operation, const struct gql_bound *bound);
/* A JSON value (from variables) to `type`. False with message and path. */
bool gql_coerce_value(struct gql_coercion *c, const struct oms_value *in, const struct gql_typeref *type,
                      struct oms_value *out);
/* A validated literal to `type`. */
bool gql_coerce_literal(struct gql_coercion *c, const struct gql_lit *lit, const struct gql_typeref *type,
                        struct oms_value *out);
/* The arguments of a field or directive as an object. */
bool gql_coerce_args(struct gql_coercion *c, const struct gql_input *inputs, uint32_t count,
                     const struct gql_arg *args, struct oms_value *out);
/* The place in the document of the failure of gql_coerce_args on `args`. */
uint32_t gql_coercion_at(const struct gql_coercion *c, const struct gql_arg *args);
/* Writes where the failure is: ".lines[0].sku", or nothing at the top. Returns `out`. */
const char *gql_coercion_place(const struct gql_coercion *c, char out[160]);

/* ---- leaf types (coerce_leaf.c) ---- */

/*
 * Checks and converts *value, which is JSON or (literal) what gql_literal_leaf made, in place. `type` is a
 * scalar or an enum. False with a message.
 */
bool gql_coerce_leaf(const struct gql_type *type, struct oms_value *value, bool literal,
                     struct oms_arena *arena, char message[GQL_COERCION_MESSAGE_SIZE]);
/* A number, string, boolean, null or enum literal as a value. */
struct oms_value gql_literal_leaf(const struct gql_lit *lit);

#endif
