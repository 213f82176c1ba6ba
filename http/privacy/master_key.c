/* See master_key.h. */
#include "http/privacy/master_key.h"

#include <stdio.h>
#include <string.h>

#include "http/key_file.h"
#include "storage/sealed.h"

enum oms_status http_master_key_open(const char *folder, const char *file, struct rt_host *host,
                                     struct store_engine *engine, struct store_vault **out,
                                     struct oms_error *error)
{
    char path[4096 + 32];
    unsigned char master[STORE_VAULT_KEY_SIZE];
    const struct http_key_file key = {.path = path,
                                      .what = "the master key",
                                      .missing = "the store was written with one",
                                      .size = sizeof(master)};
    bool sealed = store_vault_made(engine);
    *out = NULL;
    if (!sealed && !host)
        return OMS_OK;
    if (file)
        snprintf(path, sizeof(path), "%s", file);
    else
        snprintf(path, sizeof(path), "%s/%s", folder, HTTP_MASTER_KEY_FILE);
    enum oms_status status = http_key_file_load(&key, !sealed, master, error);
    if (status != OMS_OK)
        return status;
    *out = store_vault_create(master);
    memset(master, 0, sizeof(master));
    engine->vault = *out;
    status = store_vault_check(engine, host, error);
    if (status == OMS_DENIED)
        oms_error_set(error, status, "the master key '%s' is not the one that this store was written with",
                      path);
    return status;
}
