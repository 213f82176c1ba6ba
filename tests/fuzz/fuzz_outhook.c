/* What webhooks out read: addresses, ranges, URLs, secrets, Retry-After, payloads of events, stored outlets.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "actors/outlet.h"
#include "http/outhook/address.h"
#include "http/outhook/event.h"
#include "http/outhook/signing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read is written as it was read. */
static void outlet(struct oms_str text)
{
    struct outlet first, second;
    struct oms_buf once, twice;

    outlet_init(&first);
    outlet_init(&second);
    oms_buf_init(&once, 64u << 20);
    oms_buf_init(&twice, 64u << 20);
    if (outlet_decode(text, &first) == OMS_OK) {
        outlet_encode(&first, &once);
        if (outlet_decode(oms_buf_str(&once), &second) != OMS_OK)
            abort();
        outlet_encode(&second, &twice);
        if (!oms_str_eq(oms_buf_str(&once), oms_buf_str(&twice)))
            abort();
    }
    outlet_fini(&first);
    outlet_fini(&second);
    oms_buf_fini(&once);
    oms_buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct outhook_policy policy = {.allow_http = size & 1};
    struct oms_str text = oms_str_make(data, size);
    struct outhook_address address;
    struct outhook_range range;
    struct outhook_event_text event;
    struct outhook_key key;
    struct oms_buf out;

    oms_buf_init(&out, 16u << 20);
    if (outhook_address_parse(text, &address))
        (void)outhook_address_allowed(&policy, &address);
    (void)outhook_range_parse(text, &range);
    (void)outhook_url_fault(text, &policy);
    (void)outhook_key_parse(text, &key);
    if (outhook_retry_after_ms(text, 1000000000000) < 0)
        abort();
    if (outhook_event_read(text, &event))
        outhook_event_write(&event, &out);
    outlet(text);
    oms_buf_fini(&out);
    return 0;
}
