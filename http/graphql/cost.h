/*
 * What a document asks of the server, before it runs: every object counts 1, a scalar nothing, a connection
 * its page. An estimate from above for pages (they may be short) and an assumption for other lists.
 *
 * Reckoned with the plan, from the bottom up, in a time linear in its fields. Only what hangs on the size of
 * a page that a variable gives is reckoned again for each request, so a document without such variables costs
 * a request nothing.
 */
#ifndef GQL_COST_H
#define GQL_COST_H

#include "http/graphql/plan.h"

/*
 * Sums up the object from its steps, whose own objects have been summed up before, and chains it in the plan
 * when it depends on variables. Of a root object also sets the plan's cost.
 *
 * - A field of object type costs 1 and what is selected on the object. On an interface or union the dearest
 * of the types counts.
 * - A connection (a field with an argument `first` or `last`) multiplies the lists on its object (nodes,
 * edges) by that page size, by OMS_PAGE_SIZE_DEFAULT without one.
 * - Any other list counts OMS_GQL_COST_LIST items.
 */
void gql_cost_object(struct gql_plan *plan, struct gql_plan_object *object);

#endif
