/* Configuration files: whatever stands in one, it is read or refused with a message of one line. */
#include <stddef.h>
#include <stdint.h>

#include "http/config.h"
#include "runtime/base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_config config;
    struct oms_error error = {OMS_OK, ""};
    http_config_init(&config);
    enum oms_status status = http_config_parse(&config, oms_str_make(data, size), "/nowhere", &error);
    if (status == OMS_OK)
        OMS_ASSERT(config.shards <= 64 &&
                   oms_str_present(config.tls_cert) == oms_str_present(config.tls_key));
    else
        OMS_ASSERT(error.message[0] && error.status == status);
    http_config_fini(&config);
    return 0;
}
