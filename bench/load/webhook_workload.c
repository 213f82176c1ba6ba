/* See webhook_workload.h. */
#include "bench/load/webhook_workload.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#include "runtime/base/assert.h"
#include "runtime/base/encoding.h"

static int order_body(const struct webhook_workload *workload, char *out)
{
    return snprintf(
        out, LOAD_BUFFER_SIZE,
        "{\"external_ref\":\"%s-%llu\",\"customer_details\":{\"customer_id\":\"CUST-%u\",\"name\":\"Ada "
        "Example\",\"email\":\"ada@example.com\"},\"destination\":{\"city\":\"Hamburg\",\"postal\":\"20095\","
        "\"country\":\"DE\"},\"product_skus\":[{\"product_sku\":\"SKU-%u\",\"product_name\":\"Bookcase, "
        "oak\",\"vendor\":{\"vendor_id\":\"V-%u\"},\"order_quantity\":2,\"product_price\":{\"amount\":\"130."
        "98\","
        "\"currency\":\"EUR\"}},{\"product_sku\":\"SKU-%u\",\"product_name\":\"Stacking chair\",\"vendor\":{"
        "\"vendor_id\":\"V-%u\"},\"order_quantity\":3,\"product_price\":{\"amount\":\"243.98\",\"currency\":"
        "\"EUR\"}}]}",
        workload->run_id, (unsigned long long)workload->next, (unsigned)(workload->next % 50000),
        (unsigned)(workload->next % 1000), (unsigned)(workload->next % 20),
        (unsigned)(workload->next * 7 % 1000), (unsigned)(workload->next * 3 % 20));
}

static int payment_body(const struct webhook_workload *workload, char *out)
{
    return snprintf(
        out, LOAD_BUFFER_SIZE,
        "{\"order_id\":\"%s\",\"amount\":{\"amount\":\"0.01\",\"currency\":\"EUR\"},\"method\":\"card\","
        "\"provider\":\"bank\",\"transaction_id\":\"%s-%llu\"}",
        workload->order_ids[workload->next % workload->order_count], workload->run_id,
        (unsigned long long)workload->next);
}

static bool next(void *context, struct load_request *request)
{
    struct webhook_workload *workload = context;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    int len =
        workload->order_ids ? payment_body(workload, request->buffer) : order_body(workload, request->buffer);

    OMS_ASSERT(len > 0 && len < LOAD_BUFFER_SIZE);
    OMS_ASSERT(HMAC(EVP_sha256(), workload->secret, (int)strlen(workload->secret), request->buffer,
                    (size_t)len, digest, &digest_len) &&
               digest_len == 32);
    oms_hex_encode(digest, digest_len, workload->signature);
    request->body = oms_str_make(request->buffer, (size_t)len);
    request->tag = workload->next++;
    request->header_name = "x-wss-signature";
    request->header_value = workload->signature;
    return true;
}

static const char *check(void *context, uint64_t tag, unsigned status, struct oms_str body)
{
    static const char done[] = "{\"status\":\"applied\",";

    (void)context;
    (void)tag;
    if (status != 200)
        return "not 200";
    return body.len > sizeof(done) && memcmp(body.data, done, sizeof(done) - 1) == 0 ? NULL : "not applied";
}

void webhook_workload_init(struct webhook_workload *workload, const char *secret, const char *run_id,
                           struct load_workload *load)
{
    *workload = (struct webhook_workload){.secret = secret, .run_id = run_id};
    *load = (struct load_workload){.context = workload, .next = next, .check = check};
}

void webhook_workload_pay(struct webhook_workload *workload, char **order_ids, size_t order_count)
{
    workload->order_ids = order_ids;
    workload->order_count = order_count;
}
