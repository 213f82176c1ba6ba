/* See store_key.h. */
#include "http/store_key.h"

#include <stdio.h>

#include "http/key_file.h"

enum oms_status http_store_key_load(const char *folder, bool may_make, struct oms_hash_key *out,
                                    struct oms_error *error)
{
    char path[4096 + 32];
    const struct http_key_file file = {
        .path = path, .what = "the store's key", .missing = "there are orders", .size = sizeof(*out)};
    snprintf(path, sizeof(path), "%s/%s", folder, HTTP_STORE_KEY_FILE);
    return http_key_file_load(&file, may_make, out, error);
}
