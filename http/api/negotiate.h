/*
 * Media types of the GraphQL endpoint: what a client accepts (RFC 9110 section 12.5.1, with quality values
 * and parameters) and what its body claims to be (section 8.3). Pure functions of header texts.
 */
#ifndef API_NEGOTIATE_H
#define API_NEGOTIATE_H

#include <stdbool.h>

#include "runtime/base/str.h"

/* How a request is answered. */
enum api_media {
    API_MEDIA_NONE,             /* none that we have: 406 */
    API_MEDIA_JSON,             /* application/json: faults of a document are 200 */
    API_MEDIA_GRAPHQL_RESPONSE, /* application/graphql-response+json: an answer without data is 4xx or 5xx */
    API_MEDIA_EVENT_STREAM,     /* text/event-stream: the graphql-sse protocol */
};

struct api_accepted {
    enum api_media media;
    bool streams; /* takes text/event-stream as well, if only as its second choice */
};

/*
 * The type that the client wants most. Without a header, and where ranges such as any type leave the choice,
 * it is JSON; of types that it names with one quality the newer of the JSON types, and a stream only before
 * nothing else: clients name it at the end of every request's list.
 */
struct api_accepted api_negotiate(struct oms_str accept);

/* The Content-Type of an answer in JSON: also for API_MEDIA_NONE and API_MEDIA_EVENT_STREAM. Static storage.
 */
const char *api_media_type(enum api_media media);

enum api_body_type {
    API_BODY_JSON,
    API_BODY_OTHER,   /* another type, or none named */
    API_BODY_CHARSET, /* JSON in a charset that is not UTF-8 (RFC 8259 section 8.1) */
};
enum api_body_type api_body_type(struct oms_str content_type);

#endif
