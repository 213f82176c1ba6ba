/* The ready maps: texts of the same language as a map file, so that each is an example of it as well. */
#include "http/import/import_map_impl.h"

#include "runtime/base/assert.h"

/* The "Sample - Superstore" sales report: a row per line, sales after discount, US dates. Profit is ignored.
 */
static const char superstore[] =
    "{\n"
    "  \"name\": \"superstore\",\n"
    "  \"options\": { \"currency\": \"USD\", \"vendor\": \"superstore\" },\n"
    "  \"group\": \"Order ID\",\n"
    "  \"order\": {\n"
    "    \"externalRef\": \"Order ID\",\n"
    "    \"placedAt\": { \"$date\": \"Order Date\", \"format\": \"M/D/YYYY\" },\n"
    "    \"customerDetails\": { \"customerId\": \"Customer ID\", \"name\": \"Customer Name\" },\n"
    "    \"destination\": {\n"
    "      \"city\": \"City\", \"state\": \"State\", \"postal\": \"Postal Code\", \"country\": \"Country\"\n"
    "    },\n"
    "    \"shippingDetails\": { \"method\": \"Ship Mode\" },\n"
    "    \"notes\": [\n"
    "      { \"text\": { \"$date\": \"Ship Date\", \"format\": \"M/D/YYYY\", \"as\": \"day\",\n"
    "                  \"prefix\": \"Ship date: \" } }\n"
    "    ]\n"
    "  },\n"
    "  \"line\": {\n"
    "    \"productSku\": \"Product ID\",\n"
    "    \"productName\": \"Product Name\",\n"
    "    \"productCategory\": \"Category\",\n"
    "    \"vendor\": { \"vendorId\": { \"$option\": \"vendor\" } },\n"
    "    \"orderQuantity\": { \"$integer\": \"Quantity\" },\n"
    "    \"productPrice\": {\n"
    "      \"amount\": { \"$unitPrice\": { \"net\": \"Sales\", \"discount\": \"Discount\", \"quantity\": "
    "\"Quantity\" } },\n"
    "      \"currency\": { \"$option\": \"currency\" }\n"
    "    },\n"
    "    \"discountAmount\": {\n"
    "      \"$lineDiscount\": { \"net\": \"Sales\", \"discount\": \"Discount\", \"quantity\": \"Quantity\" "
    "}\n"
    "    }\n"
    "  }\n"
    "}\n";

/* Every line of the file is a CreateOrderInput; its source, when it names none, is the map's name. */
static const char jsonl[] = "{ \"name\": \"jsonl\", \"format\": \"jsonl\" }\n";

static const struct {
    const char *name, *text;
} ready[] = {{"superstore", superstore}, {"jsonl", jsonl}};

struct oms_str import_map_ready(const char *name)
{
    for (unsigned i = 0; i < OMS_COUNT_OF(ready); i++)
        if (strcmp(ready[i].name, name) == 0)
            return oms_str_of(ready[i].text);
    return OMS_STR_NONE;
}

const char *import_map_ready_name(unsigned next)
{
    return next < OMS_COUNT_OF(ready) ? ready[next].name : NULL;
}
