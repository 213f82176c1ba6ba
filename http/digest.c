/* See digest.h. */
#include "http/digest.h"

#include <openssl/evp.h>

#include "runtime/base/assert.h"
#include "runtime/base/encoding.h"

struct http_digest http_digest_of(struct oms_str text)
{
    struct http_digest digest;
    unsigned len = 0;
    int done = EVP_Digest(text.data, text.len, digest.bytes, &len, EVP_sha256(), NULL);
    OMS_ASSERT(done == 1 && len == sizeof(digest.bytes));
    return digest;
}

bool http_digest_parse(struct oms_str hex, struct http_digest *out)
{
    return hex.len == 2 * sizeof(out->bytes) && oms_hex_decode(hex, out->bytes, sizeof(out->bytes)) == OMS_OK;
}
