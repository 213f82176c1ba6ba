/*
 * Several requests in one exchange: a JSON array in, a JSON array out, in the same order. They run one after
 * the other, so that each sees what the one before did; limits of a request hold for all of them together.
 */
#ifndef API_BATCH_H
#define API_BATCH_H

#include "http/api/request.h"

/*
 * Reads, binds, admits and runs the requests of `list` (not NULL) and answers the exchange, now or later.
 * Takes over the hold of `first`, a request of the exchange without parameters, which serves as the pattern
 * of all. Refuses arrays that the configuration does not allow, and an Idempotency-Key header that would
 * stand for several mutations.
 */
void api_batch_start(struct api_request *first, const struct oms_value *list);
/* A request of the batch is done: writes its answer and goes on. */
void api_batch_answered(struct api_request *request);

#endif
