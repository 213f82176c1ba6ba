/*
 * The way from a request's parameters to a prepared document: the plan cache, documents that clients
 * registered by their hash, and the operator's list of those that may run.
 */
#ifndef API_DOCUMENTS_H
#define API_DOCUMENTS_H

#include "http/api/allow_list.h"
#include "http/api/params.h"
#include "http/api/persisted.h"
#include "http/api/plan_cache.h"

struct api_documents {
    const struct gql_schema *schema;
    const struct allow_list *allow_list; /* NULL: every document may run */
    struct plan_cache *plans;            /* the shard's */
    struct persisted persisted;
};

/*
 * The prepared document with a hold for the caller. `params->query` becomes its text where only a hash came;
 * it stays valid until the next call. False with a problem: the document's own faults,
 * PERSISTED_QUERY_NOT_FOUND and PERSISTED_QUERY_NOT_SUPPORTED (which Apollo's clients take to mean: send the
 * text), or PERSISTED_QUERY_REQUIRED where the list does not have it. On the shard.
 */
bool api_documents_get(struct api_documents *documents, struct api_params *params, struct gql_prepared **out,
                       struct api_problem *problem);

#endif
