/* The fields of Subscription and what their streams carry. http/stream runs them; here are their bindings. */
#include "http/api/subscription.h"
#include "runtime/base/assert.h"

/* ---- StreamItem ---- */

static bool item_cursor(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct api_stream_item *p = parent;
    (void)x;
    if (!p->event && !p->commit)
        return api_write_name(out, "0"); /* a checkpoint before the first commit */
    return api_write_cursor(out, p->commit, p->ordinal);
}

static const void *item_event(struct gql_exec *x, const void *parent)
{
    (void)x;
    return ((const struct api_stream_item *)parent)->event;
}

/* ---- roots ---- */

/* The endpoint hands subscriptions to a stream before it starts any root; this is for one that came
 * elsewhere. */
static void start_without_stream(struct api_task *task)
{
    api_task_fail(task, "BAD_USER_INPUT",
                  "A subscription needs a stream: accept text/event-stream, or use a WebSocket");
}

static const struct api_subscription_op op_order_events = {{start_without_stream, ORDER_COMMAND_NONE},
                                                           API_ORDER_EVENTS},
                                        op_tenant_events = {{start_without_stream, ORDER_COMMAND_NONE},
                                                            API_TENANT_EVENTS};

#define ROOT(field, op)                                                                                      \
    {                                                                                                        \
        (field), GQL_ROOT, 0,                                                                                \
        {                                                                                                    \
            .host = &(op)                                                                                    \
        }                                                                                                    \
    }
static const struct gql_binding bindings[] = {
    ROOT("Subscription.orderEvents", op_order_events),
    ROOT("Subscription.tenantEvents", op_tenant_events),
    API_LEAF("StreamItem.cursor", item_cursor),
    API_OBJECT("StreamItem.event", item_event),
};

void api_bind_subscriptions(struct api_bindings *to)
{
    api_bindings_add(to, bindings, OMS_COUNT_OF(bindings));
}
