/*
 * An event as a delivery carries it: Standard Webhooks' payload around the API's OrderEvent. Pure functions,
 * any thread.
 */
#ifndef OUTHOOK_EVENT_H
#define OUTHOOK_EVENT_H

#include "actors/ids.h"
#include "runtime/base/buf.h"

/* The subscription that is delivered, with a variable "filter"; and the same for one event alone. */
extern const char outhook_event_document[];

struct outhook_event_text {
    struct oms_str json; /* of the event; borrowed from the payload, like the rest */
    struct oms_str type, at, id, order_id;
};

/* Takes the event out of a payload of the subscription; false for any other text. */
bool outhook_event_read(struct oms_str payload, struct outhook_event_text *out);
/* Appends { "type": "order.shipped", "timestamp": …, "data": the event }. */
void outhook_event_write(const struct outhook_event_text *event, struct oms_buf *out);
/* Appends a sample of such a payload, of type "webhook.test". */
void outhook_sample_write(int64_t now_ms, struct oms_buf *out);

#endif
