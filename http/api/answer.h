/* The ways in which the endpoint answers: the bytes in exchange->out, as the type that was negotiated. */
#ifndef API_ANSWER_H
#define API_ANSWER_H

#include "http/api/negotiate.h"
#include "http/exchange.h"

/*
 * Answers with exchange->out and ends the handler's use of the exchange. A stream of events has the status
 * 200 whatever happened and carries the answer as its one event, also a fault's: a browser's EventSource
 * shows nothing of a response with another status.
 */
void api_answer(struct http_exchange *exchange, enum api_media media, unsigned status,
                const struct http_header *headers, size_t header_count);
/* Answers a request that cannot be run: one error, in the negotiated type. */
void api_refuse(struct http_exchange *exchange, enum api_media media, unsigned status, const char *code,
                const char *format, ...) OMS_PRINTF(5, 6);

#endif
