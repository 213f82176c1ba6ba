/*
 * The parameters of a GraphQL request, however they came: a POST's JSON body or a GET's query (GraphQL over
 * HTTP, "Request Parameters").
 */
#ifndef API_PARAMS_H
#define API_PARAMS_H

#include "http/api/negotiate.h"
#include "http/exchange.h"
#include "runtime/base/value.h"

/* Text and trees live in the exchange's arena. */
struct api_params {
    struct oms_str query;               /* the document */
    struct oms_str operation_name;      /* absent: none */
    const struct oms_value *variables;  /* an object, or NULL */
    const struct oms_value *extensions; /* an object, or NULL */
};

/* Fills `out`, or answers what is wrong with the request, as `media`, and returns false. */
bool api_params_read(struct http_exchange *exchange, enum api_media media, struct api_params *out);

#endif
