/*
 * Dead letters, again: an event is fetched from the log by a short reader of its own, and sent once, beside
 * what goes on in order. What fails again stays a dead letter.
 */
#include "http/outhook/outhook_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

void outhook_letters_close(struct outhook_endpoint *ep)
{
    if (ep->letter_open)
        stream_close(&ep->letter_reader);
    ep->letter_open = false;
    ep->redeliver_count = 0;
}

void outhook_letters_add(struct outhook_endpoint *ep, struct ids_cursor at)
{
    for (size_t i = 0; i < ep->redeliver_count; i++)
        if (ep->redeliver[i].commit == at.commit && ep->redeliver[i].ordinal == at.ordinal)
            return;
    if (ep->redeliver_count == OMS_OUTLET_LETTERS_MAX)
        return;
    if (!ep->redeliver)
        ep->redeliver = oms_calloc(OMS_OUTLET_LETTERS_MAX, sizeof(ep->redeliver[0]));
    ep->redeliver[ep->redeliver_count++] = at;
}

static void drop_first(struct outhook_endpoint *ep)
{
    memmove(ep->redeliver, ep->redeliver + 1, --ep->redeliver_count * sizeof(ep->redeliver[0]));
}

/* What the reader has for the first of the queue. */
static void take(struct outhook_endpoint *ep)
{
    struct ids_cursor wanted = ep->redeliver[0];
    const struct outlet_letter *letter = outlet_find_letter(&ep->outlet, wanted);
    struct http_payload *payload;
    bool found = false, passed = false;

    while (!found && !passed && (payload = stream_pop(&ep->letter_reader))) {
        struct ids_cursor at = {payload->commit, payload->ordinal};

        passed = outhook_before(wanted, at);
        found = payload->events && !passed && !outhook_before(at, wanted);
        if (found && letter)
            outhook_deliver(ep, NULL, letter, payload);
        http_payload_release(payload);
    }
    if (!found && !passed && stream_ended(&ep->letter_reader) == STREAM_END_NONE)
        return; /* it comes */
    stream_close(&ep->letter_reader);
    ep->letter_open = false;
    drop_first(ep);
    if (!found || !letter)
        outhook_letters_next(ep);
}

static void wake(struct stream_reader *reader)
{
    struct outhook_endpoint *ep = OMS_CONTAINER_OF(reader, struct outhook_endpoint, letter_reader);

    if (ep->os->stop_ms)
        return;
    take(ep);
    outhook_sender_run(ep->os->sender);
}

static const struct stream_reader_ops letter_ops = {.wake = wake};

void outhook_letters_next(struct outhook_endpoint *ep)
{
    while (ep->redeliver_count && !ep->letter_open && outhook_endpoint_is_on(ep)) {
        struct ids_cursor before = outhook_place_before(ep->redeliver[0]);

        ep->letter_open = outhook_read_from(ep, &ep->letter_reader, &letter_ops, NULL, before);
        if (!ep->letter_open)
            drop_first(ep);
    }
}
