/* The fields of Subscription, as live streams see them: the `host` of their bindings. */
#ifndef API_SUBSCRIPTION_H
#define API_SUBSCRIPTION_H

#include "http/api/request.h"

enum api_subscription { API_ORDER_EVENTS = 1, API_TENANT_EVENTS };

struct api_subscription_op {
    struct api_root_op root; /* answers that a stream is needed, for requests that ask for none */
    enum api_subscription field;
};

#endif
