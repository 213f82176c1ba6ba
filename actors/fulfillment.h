/*
 * FulfillmentSnapshot: the warehouses and carriers that a tenant ships with, as another system has told them.
 * A part of the tenant's version (tenant_snapshot.h), immutable.
 *
 * Decisions read it (order_decide_shipment.c): where it names warehouses, a shipment's warehouse is one of
 * the active ones, and so for carriers; where it names none, anything goes. A carrier's template makes the
 * tracking URL that nobody gave.
 */
#ifndef FULFILLMENT_H
#define FULFILLMENT_H

#include "actors/refusal.h"
#include "runtime/base/arena.h"

struct oms_buf;
struct oms_value;

struct fulfillment_warehouse {
    struct oms_str id;
    struct oms_str name, address, city, country; /* absent: not told; country: ISO 3166 alpha-2 */
    bool inactive;
};

struct fulfillment_carrier {
    struct oms_str id;
    struct oms_str name;                  /* absent: not told */
    struct oms_str tracking_url_template; /* absent: not told; has "{tracking}" in it */
    const struct oms_str *service_levels;
    size_t service_level_count;
    bool inactive;
};

struct fulfillment {
    const struct fulfillment_warehouse *warehouses;
    size_t warehouse_count;
    const struct fulfillment_carrier *carriers;
    size_t carrier_count;
};

/*
 * Reads a section: a list of { id, name, address, city, country, active } or of { id, name, serviceLevels,
 * trackingUrlTemplate, active }, names as the API or in snake case. Everything is copied into the arena;
 * nothing else of `out` changes. False with refusals, whose fields begin with "warehouses" or "carriers".
 */
bool fulfillment_read_warehouses(const struct oms_value *list, struct oms_arena *arena,
                                 struct fulfillment *out, struct refusal_list *refusals);
bool fulfillment_read_carriers(const struct oms_value *list, struct oms_arena *arena, struct fulfillment *out,
                               struct refusal_list *refusals);

/* By id or name, case aside; NULL when there is none. */
const struct fulfillment_warehouse *fulfillment_warehouse(const struct fulfillment *all, struct oms_str name);
const struct fulfillment_carrier *fulfillment_carrier(const struct fulfillment *all, struct oms_str name);
/* The template with the reference, percent-encoded, in its place; absent when there is no template, or the
 * URL would be longer than a URL may be. */
struct oms_str fulfillment_tracking_url(const struct fulfillment_carrier *carrier, struct oms_str reference,
                                        struct oms_arena *arena);

/* The stored form of a section, appended; equal sections give equal bytes. */
void fulfillment_encode_warehouses(const struct fulfillment *all, struct oms_buf *out);
void fulfillment_encode_carriers(const struct fulfillment *all, struct oms_buf *out);
/* Reads what both wrote into the arena. */
OMS_MUST_USE enum oms_status fulfillment_decode(struct oms_str bytes, struct oms_arena *arena,
                                                struct fulfillment *out);

#endif
