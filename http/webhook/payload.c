/* See payload.h. */
#include "http/webhook/payload.h"

#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

/* ---- the delivery ---- */

static bool take_text(const struct oms_value *object, const char *name, struct oms_str *out,
                      struct refusal_list *refusals)
{
    const struct oms_value *value = oms_value_get_set(object, name);

    if (!value)
        return true;
    if (value->kind != OMS_VALUE_STRING || !value->text.len)
        return refusal_add(refusals, REFUSAL_INVALID, oms_str_of(name), "%s must be a text", name);
    *out = value->text;
    return true;
}

bool webhook_payload_read(const struct webhook_provider *provider, struct oms_str body,
                          struct oms_arena *arena, struct webhook_payload *out, struct refusal_list *refusals)
{
    struct oms_value *tree = OMS_ARENA_NEW(arena, struct oms_value);
    const char *id_field = webhook_provider_id_field(provider);
    struct oms_json_error fault;

    *out = (struct webhook_payload){.tree = tree};
    if (!tree)
        return refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD,
                           "The payload needs too much memory");
    if (oms_json_parse(body, OMS_JSON_DEPTH_MAX, arena, tree, &fault) != OMS_OK)
        return refusal_add(refusals, REFUSAL_INVALID, REFUSAL_NO_FIELD,
                           "The body is no JSON: line %u, column %u: %s", fault.line, fault.column,
                           fault.message);
    if (tree->kind != OMS_VALUE_OBJECT)
        return refusal_add(refusals, REFUSAL_INVALID, REFUSAL_NO_FIELD, "The body must be a JSON object");
    if (!take_text(tree, "tenant_id", &out->tenant, refusals) ||
        (id_field && !take_text(tree, id_field, &out->id, refusals)))
        return false;
    /* Standard Webhooks 1.0 recommends { type, timestamp, data }: what it is about is the data. */
    const struct oms_value *data = oms_value_get_set(tree, "data");
    const struct oms_value *type = oms_value_get_set(tree, "type");
    if (!type) /* an event of an identity service: { event_type, data } */
        type = oms_value_get_set(tree, "event_type");
    if (data && data->kind == OMS_VALUE_OBJECT && type && type->kind == OMS_VALUE_STRING) {
        if (!oms_str_present(out->tenant) && !take_text(data, "tenant_id", &out->tenant, refusals))
            return false;
    }
    return true;
}

/* ---- by names ---- */

/* "product_skus" → "productSkus"; a name without '_' is borrowed. */
static struct oms_str camel(struct oms_str name, struct oms_arena *arena)
{
    char *text;
    size_t len = 0;

    if (!name.len || !memchr(name.data + 1, '_', name.len - 1) || !(text = oms_arena_alloc(arena, name.len)))
        return name;
    for (size_t i = 0; i < name.len; i++) {
        bool joins = name.data[i] == '_' && i > 0 && i + 1 < name.len && name.data[i + 1] >= 'a' &&
                     name.data[i + 1] <= 'z';

        if (joins)
            text[len++] = (char)(name.data[++i] - 'a' + 'A');
        else
            text[len++] = name.data[i];
    }
    return oms_str_make(text, len);
}

struct alias {
    const char *theirs, *ours;
};

static const struct alias order_aliases[] = {{"productSkus", "lineItems"}, {"products", "lineItems"},
                                             {"items", "lineItems"},       {"customer", "customerDetails"},
                                             {"reference", "externalRef"}, {NULL, NULL}};
static const struct alias line_aliases[] = {{"sku", "productSku"},           {"name", "productName"},
                                            {"category", "productCategory"}, {"quantity", "orderQuantity"},
                                            {"price", "productPrice"},       {NULL, NULL}};
static const struct alias other_aliases[] = {{"trackingNumber", "trackingReference"},
                                             {"trackingCode", "trackingReference"},
                                             {"trackingUrl", "shippingReference"},
                                             {"carrier", "provider"},
                                             {"reason", "cancellationReason"},
                                             {"items", "shipmentItems"},
                                             {NULL, NULL}};
static const struct alias item_aliases[] = {
    {"sku", "productSku"}, {"orderQuantity", "quantity"}, {NULL, NULL}};
static const struct alias no_aliases[] = {{NULL, NULL}};

static struct oms_str ours_of(const struct alias *aliases, struct oms_str name)
{
    for (; aliases->theirs; aliases++)
        if (oms_str_eq_c(name, aliases->theirs))
            return oms_str_of(aliases->ours);
    return name;
}

struct reading {
    struct oms_arena *arena;
    struct refusal_list *refusals;
    size_t made;
};

static bool too_much(struct reading *reading)
{
    return refusal_add(reading->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD,
                       "The payload has more in it than a webhook may bring");
}

/* The fields of one object under our names; what is in them is borrowed. false when two would be one. */
static bool rename_fields(struct reading *reading, const struct alias *aliases, const struct oms_value *from,
                          struct oms_value *out)
{
    size_t count = from->object.count;

    out->kind = OMS_VALUE_OBJECT;
    out->object.count = 0;
    out->object.fields = oms_arena_calloc(reading->arena, count + 2, sizeof(struct oms_field));
    reading->made += count;
    if (!out->object.fields || reading->made > OMS_WEBHOOK_VALUES_MAX)
        return too_much(reading);
    for (size_t i = 0; i < count; i++) {
        struct oms_str name = ours_of(aliases, camel(from->object.fields[i].name, reading->arena));

        for (size_t k = 0; k < out->object.count && k < 64; k++)
            if (oms_str_eq(out->object.fields[k].name, name))
                return refusal_add(reading->refusals, REFUSAL_INVALID, oms_str_copy(reading->arena, name),
                                   "is there twice, under two names");
        out->object.fields[out->object.count++] = (struct oms_field){name, from->object.fields[i].value};
    }
    return true;
}

static struct oms_value *field_of(struct oms_value *object, const char *name)
{
    for (size_t i = 0; object->kind == OMS_VALUE_OBJECT && i < object->object.count; i++)
        if (oms_str_eq_c(object->object.fields[i].name, name))
            return &object->object.fields[i].value;
    return NULL;
}

/* Takes a field out; what it was, or kind NULL. */
static struct oms_value remove_field(struct oms_value *object, const char *name)
{
    struct oms_value *field = field_of(object, name), value = {.kind = OMS_VALUE_NULL};

    if (!field)
        return value;
    struct oms_field *whole = OMS_CONTAINER_OF(field, struct oms_field, value);
    value = *field;
    size_t at = (size_t)(whole - object->object.fields);
    memmove(whole, whole + 1, (object->object.count - at - 1) * sizeof(*whole));
    object->object.count--;
    return value;
}

/* There is room for two more in what rename_fields made. */
static void add_field(struct oms_value *object, const char *name, struct oms_value value)
{
    object->object.fields[object->object.count++] = (struct oms_field){oms_str_of(name), value};
}

/* An object's own fields, where it has one of that name: renamed, in place. */
static bool rename_inner(struct reading *reading, const struct alias *aliases, struct oms_value *value)
{
    struct oms_value renamed;

    if (!value || value->kind != OMS_VALUE_OBJECT)
        return true;
    if (!rename_fields(reading, aliases, value, &renamed))
        return false;
    *value = renamed;
    return true;
}

/* A copy of the list, whose objects are renamed. */
static bool rename_items(struct reading *reading, const struct alias *aliases, struct oms_value *list)
{
    if (!list || list->kind != OMS_VALUE_LIST)
        return true;
    struct oms_value *items = oms_arena_calloc(reading->arena, list->list.count + 1, sizeof(*items));
    reading->made += list->list.count;
    if (!items || reading->made > OMS_WEBHOOK_VALUES_MAX)
        return too_much(reading);
    for (size_t i = 0; i < list->list.count; i++) {
        items[i] = list->list.items[i];
        if (!rename_inner(reading, aliases, &items[i]))
            return false;
    }
    list->list.items = items;
    return true;
}

/* `{ "amount", "currency" }` of a bare price beside a currency. */
static bool complete_price(struct reading *reading, struct oms_value *line, struct oms_value currency)
{
    struct oms_value *price = field_of(line, "productPrice"), own = remove_field(line, "currency");

    price = field_of(line, "productPrice");
    if (own.kind == OMS_VALUE_NULL)
        own = currency;
    if (!price || (price->kind != OMS_VALUE_STRING && price->kind != OMS_VALUE_NUMBER))
        return true;
    struct oms_field *fields = oms_arena_calloc(reading->arena, 2, sizeof(*fields));
    if (!fields)
        return too_much(reading);
    fields[0] = (struct oms_field){OMS_STR("amount"), *price};
    fields[1] = (struct oms_field){OMS_STR("currency"), own};
    *price =
        (struct oms_value){.kind = OMS_VALUE_OBJECT, .object = {fields, own.kind == OMS_VALUE_NULL ? 1 : 2}};
    return true;
}

/* `{ "vendorId" }` of a bare vendor or vendor_id; a name of the SKU where there is none. */
static bool complete_line(struct reading *reading, struct oms_value *line, struct oms_value currency)
{
    struct oms_value *vendor, id, *sku;

    if (line->kind != OMS_VALUE_OBJECT)
        return true; /* the command's parser says what is wrong */
    if (!complete_price(reading, line, currency))
        return false;
    id = remove_field(line, "vendorId");
    vendor = field_of(line, "vendor");
    if (vendor && vendor->kind == OMS_VALUE_STRING)
        id = *vendor;
    else if (vendor && !rename_inner(reading, no_aliases, vendor))
        return false;
    if (id.kind != OMS_VALUE_NULL && (!vendor || vendor->kind == OMS_VALUE_STRING)) {
        struct oms_field *fields = oms_arena_calloc(reading->arena, 1, sizeof(*fields));
        if (!fields)
            return too_much(reading);
        fields[0] = (struct oms_field){OMS_STR("vendorId"), id};
        if (!vendor)
            add_field(line, "vendor", (struct oms_value){.kind = OMS_VALUE_NULL});
        *field_of(line, "vendor") = (struct oms_value){.kind = OMS_VALUE_OBJECT, .object = {fields, 1}};
    }
    sku = field_of(line, "productSku");
    if (sku && !field_of(line, "productName"))
        add_field(line, "productName", *sku);
    return true;
}

static bool read_order_by_names(struct reading *reading, const struct oms_value *payload,
                                struct oms_value *out)
{
    static const char *const objects[] = {"destination", "billingAddress", "shippingDetails",
                                          "paymentDetails"};
    struct oms_value currency, *lines;

    if (!rename_fields(reading, order_aliases, payload, out) ||
        !rename_inner(reading, no_aliases, field_of(out, "customerDetails")) ||
        !rename_items(reading, line_aliases, field_of(out, "lineItems")) ||
        !rename_items(reading, no_aliases, field_of(out, "taxLines")) ||
        !rename_items(reading, no_aliases, field_of(out, "coupons")) ||
        !rename_items(reading, no_aliases, field_of(out, "notes")))
        return false;
    for (size_t i = 0; i < OMS_COUNT_OF(objects); i++)
        if (!rename_inner(reading, no_aliases, field_of(out, objects[i])))
            return false;
    currency = remove_field(out, "currency");
    lines = field_of(out, "lineItems");
    for (size_t i = 0; lines && lines->kind == OMS_VALUE_LIST && i < lines->list.count; i++)
        if (!complete_line(reading, &lines->list.items[i], currency))
            return false;
    return true;
}

static bool read_other_by_names(struct reading *reading, const struct oms_value *payload,
                                struct oms_value *out)
{
    return rename_fields(reading, other_aliases, payload, out) &&
           rename_inner(reading, no_aliases, field_of(out, "amount")) &&
           rename_items(reading, item_aliases, field_of(out, "shipmentItems"));
}

static bool read_by_names(struct reading *reading, const struct webhook_payload *payload, bool creates,
                          struct oms_value *out)
{
    const struct oms_value *tree = payload->tree, *data = oms_value_get_set(tree, "data"),
                           *type = oms_value_get_set(tree, "type");
    bool ok;

    if (data && data->kind == OMS_VALUE_OBJECT && type && type->kind == OMS_VALUE_STRING)
        tree = data;
    ok = creates ? read_order_by_names(reading, tree, out) : read_other_by_names(reading, tree, out);
    if (ok) {
        (void)remove_field(out, "tenantId");
        (void)remove_field(out, "clientMutationId");
    }
    return ok;
}

/* ---- the update ---- */

/* Takes a text out of the input; a number counts as its digits. */
static bool take_name(struct reading *reading, struct oms_value *input, const char *name, struct oms_str *out)
{
    struct oms_value value = remove_field(input, name);

    if (value.kind == OMS_VALUE_NULL)
        return true;
    if ((value.kind != OMS_VALUE_STRING && value.kind != OMS_VALUE_NUMBER) || !value.text.len ||
        value.text.len > OMS_ID_BYTES_MAX)
        return refusal_add(reading->refusals, REFUSAL_INVALID, oms_str_of(name),
                           "%s must be a text of 1 to %d bytes", name, OMS_ID_BYTES_MAX);
    *out = value.text;
    return true;
}

/* The carrier's word, and what it means to us. */
static bool take_carrier_status(struct reading *reading, struct oms_value *input)
{
    struct oms_value word = remove_field(input, "status");

    if (word.kind == OMS_VALUE_NULL)
        return refusal_add(reading->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("status"),
                           "status is required");
    if (word.kind != OMS_VALUE_STRING || !word.text.len || word.text.len > OMS_NAME_BYTES_MAX)
        return refusal_add(reading->refusals, REFUSAL_INVALID, REFUSAL_FIELD("status"),
                           "status must be a text: the carrier's word");
    enum order_shipment_status status = webhook_carrier_status(word.text);
    (void)remove_field(input, "carrierStatus");
    struct oms_field *fields = oms_arena_calloc(reading->arena, input->object.count + 3, sizeof(*fields));
    if (!fields)
        return too_much(reading);
    memcpy(fields, input->object.fields, input->object.count * sizeof(*fields));
    input->object.fields = fields;
    add_field(input, "carrierStatus", word);
    if (status != ORDER_SHIPMENT_NONE)
        add_field(input, "status",
                  (struct oms_value){.kind = OMS_VALUE_STRING,
                                     .text = oms_str_of(order_shipment_status_name(status))});
    return true;
}

static struct oms_value text_value(struct oms_str text)
{
    return (struct oms_value){.kind = OMS_VALUE_STRING, .text = text};
}

static bool take_tracking(struct reading *reading, struct webhook_update *out)
{
    if (!take_name(reading, &out->input, "trackingReference", &out->tracking_reference))
        return false;
    if (!oms_str_present(out->tracking_reference))
        return refusal_add(reading->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("trackingReference"),
                           "trackingReference is required: the carrier's number of the shipment");
    if (!take_carrier_status(reading, &out->input))
        return false;
    add_field(&out->input, "trackingReference", text_value(out->tracking_reference));
    return true;
}

/* What addShipment needs, should the order have no shipment of the reference. */
static bool take_shipment(struct reading *reading, struct webhook_update *out)
{
    struct oms_field *fields = oms_arena_calloc(reading->arena, 3, sizeof(*fields));
    struct oms_value items = remove_field(&out->input, "shipmentItems"),
                     *provider = field_of(&out->input, "provider");

    if (!fields)
        return too_much(reading);
    out->shipment = (struct oms_value){.kind = OMS_VALUE_OBJECT, .object = {fields, 0}};
    if (items.kind != OMS_VALUE_NULL)
        add_field(&out->shipment, "shipmentItems", items);
    if (provider)
        add_field(&out->shipment, "provider", *provider);
    add_field(&out->shipment, "trackingReference", text_value(out->tracking_reference));
    return true;
}

/* A constant of the map is not to be changed. */
static bool own_fields(struct reading *reading, struct oms_value *object)
{
    struct oms_field *fields = oms_arena_calloc(reading->arena, object->object.count + 1, sizeof(*fields));

    if (!fields)
        return too_much(reading);
    if (object->object.count)
        memcpy(fields, object->object.fields, object->object.count * sizeof(*fields));
    object->object.fields = fields;
    return true;
}

static bool take_target(struct reading *reading, struct webhook_update *out)
{
    bool needs_order = out->action == WEBHOOK_COMMAND || out->action == WEBHOOK_FULFIL;

    if (!take_name(reading, &out->input, "orderId", &out->order_id) ||
        !take_name(reading, &out->input, "externalRef", &out->external_ref) ||
        !take_name(reading, &out->input, "source", &out->source))
        return false;
    if (needs_order && !oms_str_present(out->order_id) && !oms_str_present(out->external_ref))
        return refusal_add(reading->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("externalRef"),
                           "externalRef is required (or orderId): the order that this is about");
    return true;
}

/* A snapshot's reader takes the payload as it is, or what is told about in it. */
static const struct oms_value *snapshot_tree(const struct oms_value *tree)
{
    const struct oms_value *data = oms_value_get_set(tree, "data"), *type = oms_value_get_set(tree, "type");

    return data && data->kind == OMS_VALUE_OBJECT && type && type->kind == OMS_VALUE_STRING ? data : tree;
}

bool webhook_payload_map(const struct webhook_payload *payload, const struct webhook_provider *provider,
                         const struct webhook_topic *topic, const struct field_map *map,
                         struct oms_arena *arena, struct webhook_update *out, struct refusal_list *refusals)
{
    struct reading reading = {.arena = arena, .refusals = refusals};
    bool creates = topic->action == WEBHOOK_CREATE;

    memset(out, 0, sizeof(*out));
    out->action = topic->action;
    out->command = topic->command;
    out->snapshot = topic->snapshot;
    out->source = oms_str_of(webhook_provider_name(provider));
    if (topic->action == WEBHOOK_SNAPSHOT && !map) {
        out->input = *snapshot_tree(payload->tree);
        return true;
    }
    if (map ? !field_map_apply(map, payload->tree, arena, &out->input, refusals)
            : !read_by_names(&reading, payload, creates, &out->input))
        return false;
    if (out->input.kind != OMS_VALUE_OBJECT)
        return refusal_add(refusals, REFUSAL_INVALID, REFUSAL_NO_FIELD, "The map makes no object");
    if (topic->action == WEBHOOK_SNAPSHOT)
        return true;
    if (!own_fields(&reading, &out->input))
        return false;
    if (creates) /* its reference and source are the input's own; keys are the delivery's */
        return (void)remove_field(&out->input, "idempotencyKey"), true;
    (void)remove_field(&out->input, "idempotencyKey");
    (void)remove_field(&out->input, "expectedVersion");
    if (!take_target(&reading, out))
        return false;
    if ((out->action == WEBHOOK_TRACK || out->action == WEBHOOK_FULFIL) && !take_tracking(&reading, out))
        return false;
    return out->action != WEBHOOK_FULFIL || take_shipment(&reading, out);
}

/* ---- the stored form ---- */

static void put_text(struct oms_buf *out, const char *name, struct oms_str text)
{
    if (!oms_str_present(text))
        return;
    oms_buf_appendf(out, ",\"%s\":", name);
    oms_json_write_string(out, text);
}

void webhook_update_write(const struct webhook_update *update, struct oms_buf *out)
{
    oms_buf_appendf(out, "{\"action\":%u,\"command\":\"%s\"", (unsigned)update->action,
                    order_command_info(update->command)->mutation);
    put_text(out, "orderId", update->order_id);
    put_text(out, "externalRef", update->external_ref);
    put_text(out, "source", update->source);
    put_text(out, "trackingReference", update->tracking_reference);
    oms_buf_append_lit(out, ",\"input\":");
    oms_value_write_json(&update->input, out);
    if (update->action == WEBHOOK_FULFIL) {
        oms_buf_append_lit(out, ",\"shipment\":");
        oms_value_write_json(&update->shipment, out);
    }
    oms_buf_append_char(out, '}');
}

static struct oms_str text_of(const struct oms_value *object, const char *name)
{
    const struct oms_value *value = oms_value_get_set(object, name);

    return value && value->kind == OMS_VALUE_STRING ? value->text : OMS_STR_NONE;
}

enum oms_status webhook_update_read(struct oms_str bytes, struct oms_arena *arena, struct webhook_update *out)
{
    const struct oms_value *action, *input, *shipment;
    struct oms_json_error fault;
    struct oms_value tree;
    int64_t number;

    memset(out, 0, sizeof(*out));
    if (oms_json_parse(bytes, OMS_JSON_DEPTH_MAX + 4, arena, &tree, &fault) != OMS_OK)
        return OMS_CORRUPT;
    action = oms_value_get(&tree, "action");
    input = oms_value_get(&tree, "input");
    shipment = oms_value_get(&tree, "shipment");
    if (!action || action->kind != OMS_VALUE_NUMBER || oms_str_to_i64(action->text, &number) != OMS_OK ||
        number < 0 || number >= WEBHOOK_SNAPSHOT || !input || input->kind != OMS_VALUE_OBJECT)
        return OMS_CORRUPT;
    out->action = (enum webhook_action)number;
    out->command = order_command_parse(text_of(&tree, "command"));
    out->order_id = text_of(&tree, "orderId");
    out->external_ref = text_of(&tree, "externalRef");
    out->source = text_of(&tree, "source");
    out->tracking_reference = text_of(&tree, "trackingReference");
    out->input = *input;
    if (shipment)
        out->shipment = *shipment;
    return out->command == ORDER_COMMAND_NONE || (out->action == WEBHOOK_FULFIL && !shipment) ? OMS_CORRUPT
                                                                                              : OMS_OK;
}
