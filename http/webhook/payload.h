/*
 * From a webhook's payload to an update: which order or shipment it is about, and the input of a command.
 *
 * A payload is read by a field map, or, without one, by its names: those of the API in snake case
 * (external_ref, customer_details, product_skus …) or as the API has them. An update has a stored form, since
 * one may have to wait.
 */
#ifndef WEBHOOK_PAYLOAD_H
#define WEBHOOK_PAYLOAD_H

#include "actors/refusal.h"
#include "http/webhook/field_map.h"
#include "http/webhook/topic.h"
#include "runtime/base/buf.h"

struct webhook_update {
    enum webhook_action action;
    enum order_command_type command;
    enum webhook_snapshot snapshot; /* SNAPSHOT: `input` is the payload, or what the map made of it */
    /* What it is about; absent where it does not say. A reference goes with a source. */
    struct oms_str order_id;
    struct oms_str external_ref, source;
    struct oms_str tracking_reference;
    struct oms_value input;    /* of the command, without the order's id; FULFIL: of trackShipment */
    struct oms_value shipment; /* FULFIL: of addShipment */
};

struct webhook_payload {
    const struct oms_value *tree;
    struct oms_str id;     /* the delivery's, where the provider puts one into the payload; absent: none */
    struct oms_str tenant; /* tenant_id, where the payload names one; absent: none */
};

/*
 * Parses the body and takes out what concerns the delivery. false with refusals: no JSON object, a tenant_id
 * or an id that is no text.
 */
bool webhook_payload_read(const struct webhook_provider *provider, struct oms_str body,
                          struct oms_arena *arena, struct webhook_payload *out,
                          struct refusal_list *refusals);

/*
 * Makes the update; `map` NULL: by names. Everything lives in the arena or is borrowed from the body. false
 * with refusals.
 */
bool webhook_payload_map(const struct webhook_payload *payload, const struct webhook_provider *provider,
                         const struct webhook_topic *topic, const struct field_map *map,
                         struct oms_arena *arena, struct webhook_update *out, struct refusal_list *refusals);

/* The stored form, compact JSON; and back. */
void webhook_update_write(const struct webhook_update *update, struct oms_buf *out);
OMS_MUST_USE enum oms_status webhook_update_read(struct oms_str bytes, struct oms_arena *arena,
                                                 struct webhook_update *out);

#endif
