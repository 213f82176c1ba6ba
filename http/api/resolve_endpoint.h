/* Value of the type WebhookEndpoint: what the tenant says of it, and how its deliveries stand. */
#ifndef API_RESOLVE_ENDPOINT_H
#define API_RESOLVE_ENDPOINT_H

#include "actors/tenant_endpoint.h"
#include "http/outhook/call.h"

struct api_endpoint {
    const struct tenant_endpoint *endpoint;
    struct outhook_call look; /* its view is shown */
};

#endif
