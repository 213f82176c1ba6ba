/*
 * The parameters of a GraphQL request, however they came: a POST's JSON body or a GET's query (GraphQL over
 * HTTP, "Request Parameters").
 */
#ifndef API_PARAMS_H
#define API_PARAMS_H

#include "http/exchange.h"
#include "http/graphql/graphql.h"
#include "runtime/base/value.h"

/* Text and trees live in the exchange's arena. */
struct api_params {
    struct oms_str query;               /* the document; absent with extensions.persistedQuery */
    struct oms_str operation_name;      /* absent: none */
    const struct oms_value *variables;  /* an object, or NULL */
    const struct oms_value *extensions; /* an object, or NULL */
    bool any_document;                  /* the caller wrote the allow-list: it does not hold for them */
    const struct oms_value *batch;      /* instead of all of them: a list of requests, from a POST */
};

/* Why a request cannot run, for whoever answers it. */
struct api_problem {
    struct gql_errors *errors;
    unsigned status; /* of the answer; 0: as the media type has it for faults of documents */
};

/* Records a problem, and returns false. */
bool api_problem(struct api_problem *problem, unsigned status, const char *code, const char *format, ...)
    OMS_PRINTF(4, 5);

/* Fills `out`, or records what is wrong with the request and returns false. */
bool api_params_read(struct http_exchange *exchange, struct api_params *out, struct api_problem *problem);
/* The same for one request of a batch. */
bool api_params_read_item(const struct oms_value *item, struct api_params *out, struct api_problem *problem);

#endif
