/*
 * An event as it is published: the JSON of the API's OrderEvent with its order. Pure functions, any thread.
 */
#ifndef NATS_EVENT_TEXT_H
#define NATS_EVENT_TEXT_H

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"

/* The subscription whose payloads are published. Its event begins with the type and the order's id. */
extern const char nats_event_document[];

struct nats_event_text {
    struct oms_str json; /* of the event; borrowed from the payload */
    struct oms_str type, order_id;
};

/* Takes the event out of a payload of the subscription; false for any other text. */
bool nats_event_text_read(struct oms_str payload, struct nats_event_text *out);
/*
 * Appends the event without what makes it large: of the order only its id, and without the change when
 * `bare`. false when there is no memory for it.
 */
bool nats_event_text_shorten(const struct nats_event_text *event, bool bare, struct oms_buf *out);

#endif
