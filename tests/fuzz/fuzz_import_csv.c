/* Any bytes as a CSV file and as JSON Lines, cut in two anywhere: no crash, and every order given is valid
 * JSON. */
#include "http/import/import_orders.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char small_map[] =
    "{\"name\":\"small\",\"options\":{\"currency\":\"USD\"},\"group\":\"o\",\"order\":{\"externalRef\":\"o\","
    "\"placedAt\":{"
    "\"$date\":\"d\",\"format\":\"M/D/"
    "YYYY\",\"prefix\":\"x\"}},\"line\":{\"productSku\":\"s\",\"a\":{\"$unitPrice\":{"
    "\"net\":\"n\",\"discount\":\"f\",\"quantity\":\"q\"}}}}";

static bool on_order(void *context, const struct import_order *order)
{
    struct oms_value value;
    struct oms_json_error error;
    struct oms_arena arena;

    (void)context;
    oms_arena_init(&arena, 4096, 64 << 20);
    OMS_ASSERT(oms_json_parse(order->input, 70, &arena, &value, &error) == OMS_OK);
    OMS_ASSERT(value.kind == OMS_VALUE_OBJECT);
    oms_arena_fini(&arena);
    return true;
}

static bool on_refused(void *context, const struct import_refusal *refusal)
{
    (void)context;
    OMS_ASSERT(refusal->row_count > 0 && refusal->code && refusal->message);
    return true;
}

static void read_as(const char *map_text, const char *header, const uint8_t *data, size_t size)
{
    struct import_orders_sink sink = {NULL, on_order, on_refused};
    struct import_map *map = NULL;
    struct oms_error error;
    size_t cut = size ? data[0] % (size + 1) : 0;

    OMS_ASSERT(import_map_parse("fuzz", oms_str_of(map_text), NULL, 0, &map, &error) == OMS_OK);
    struct import_orders *orders = import_orders_create(map, &sink);
    enum oms_status status = import_orders_feed(orders, header, strlen(header));
    if (status == OMS_OK)
        status = import_orders_feed(orders, data, cut);
    if (status == OMS_OK)
        status = import_orders_feed(orders, data + cut, size - cut);
    if (status == OMS_OK)
        status = import_orders_finish(orders);
    OMS_ASSERT(status == OMS_OK || (status == OMS_INVALID && import_orders_error(orders)[0]));
    import_orders_destroy(orders);
    import_map_destroy(map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_as(small_map, "o,d,s,n,f,q\n", data, size);
    read_as(small_map, "", data, size);
    read_as("{\"name\":\"l\",\"format\":\"jsonl\"}", "", data, size);
    return 0;
}
