/*
 * CollectFields (section 6.3.2) at planning time: the fields that a list of selection sets asks of one object
 * type, in response order, under one mask. Fields with one response name become one entry with all their
 * sets.
 */
#ifndef GQL_PLAN_COLLECT_H
#define GQL_PLAN_COLLECT_H

#include "http/graphql/plan.h"

struct gql_collected {
    struct gql_collected *next;
    const struct gql_selection
        *first; /* validation saw that all others are the same field with the same arguments */
    const struct gql_set **sets;
    uint32_t set_count, set_cap;
};

struct gql_collector {
    const struct gql_schema *schema;
    const struct gql_operation_ast *operation;
    const unsigned char *mask;     /* NULL: everything */
    uint32_t *mask_count;          /* with mask NULL: counts and numbers the variables asked */
    struct oms_arena *arena;       /* of the results, until the next call */
    uint32_t *stamp;               /* of gql_fragment.stamp, shared by all collections of a document */
    uint32_t visits;               /* selections looked at so far */
    const struct gql_lit *refused; /* a variable that was null where a condition needs it; NULL: none */
};

/* The fields of `sets` on `type`, an object type; NULL when none is left. */
struct gql_collected *gql_collect(struct gql_collector *c, const struct gql_type *type,
                                  const struct gql_set **sets, uint32_t count);

#endif
