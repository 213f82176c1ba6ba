/*
 * What webhooks may be about: a topic is a row with the command that it stands for and its ready maps.
 */
#ifndef WEBHOOK_TOPIC_H
#define WEBHOOK_TOPIC_H

#include "actors/order_command.h"
#include "http/webhook/provider.h"

enum webhook_action {
    WEBHOOK_CREATE,  /* createOrder */
    WEBHOOK_COMMAND, /* the row's command on an order that is named */
    WEBHOOK_TRACK,   /* a carrier's scan of a shipment that is named by its tracking reference */
    WEBHOOK_FULFIL,  /* goods left or arrived: the shipment is added when the order has none of that reference
                      */
    WEBHOOK_SNAPSHOT, /* the row's snapshot of the tenant */
    WEBHOOK_ACTIONS,
};

/* What a snapshot is of. */
enum webhook_snapshot {
    WEBHOOK_SNAPSHOT_NONE,
    WEBHOOK_SNAPSHOT_WORKFLOW,
    WEBHOOK_SNAPSHOT_ROLEMAP,
    WEBHOOK_SNAPSHOT_USER,  /* roles and grants of one, or a login */
    WEBHOOK_SNAPSHOT_LOGIN, /* of one: their roles */
    WEBHOOK_SNAPSHOT_FULFILLMENT,
};

struct webhook_topic {
    const char *name;
    enum webhook_action action;
    enum order_command_type command;
    enum webhook_snapshot snapshot;
};

/* NULL for a name that is not in the table. */
const struct webhook_topic *webhook_topic_find(struct oms_str name);
/* By place from 0; NULL behind the last. */
const struct webhook_topic *webhook_topic_at(size_t index);
size_t webhook_topic_index(const struct webhook_topic *topic);

/* The ready map (JSON, field_map.h) of a provider's payloads of a topic; absent: it is read by names. */
struct oms_str webhook_ready_map(const struct webhook_provider *provider, const struct webhook_topic *topic);
/* A sample payload (JSON); `tag` makes it differ from others, `tenant` may be absent. Appended. */
void webhook_sample(const struct webhook_provider *provider, const struct webhook_topic *topic,
                    struct oms_str tenant, struct oms_str tag, int64_t now_ms, struct oms_buf *out);

/* What a carrier calls a status, as ours; ORDER_SHIPMENT_NONE for a word that moves nothing. */
enum order_shipment_status webhook_carrier_status(struct oms_str word);

#endif
