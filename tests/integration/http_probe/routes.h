/* The probe's routes that stay open. */
#ifndef HTTP_PROBE_ROUTES_H
#define HTTP_PROBE_ROUTES_H

struct http_router;

/* /stream, /subscribe, /publish, /stream-counts: see stream_routes.c. */
void probe_add_stream_routes(struct http_router *router);
/* /ws: see websocket_routes.c. */
void probe_add_websocket_routes(struct http_router *router);

#endif
