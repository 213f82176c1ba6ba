/* The URL is taken apart by the library that will fetch it, so that the two cannot read it differently. */
#include "http/auth/jwks_url.h"

#include <arpa/inet.h>
#include <curl/curl.h>

#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

/* 127.0.0.0/8, ::1 and "localhost", which curl never asks a name server for. */
static bool is_loopback(const char *host)
{
    struct in_addr address;
    if (inet_pton(AF_INET, host, &address) == 1)
        return ntohl(address.s_addr) >> 24 == 127;
    return strcmp(host, "[::1]") == 0 || strcmp(host, "localhost") == 0;
}

static bool has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return has;
}

static const char *fault_of(CURLU *url, bool allow_http)
{
    char *scheme = NULL, *host = NULL;
    const char *why = NULL;
    if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        why = "must be a URL such as https://login.example/keys";
    else if (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)
        why = "must be an https URL";
    else if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
        why = "must not hold a user or a password: keys are public";
    else if (has_part(url, CURLUPART_FRAGMENT))
        why = "must not hold a fragment";
    else if (strcmp(scheme, "http") == 0 && !allow_http && !is_loopback(host))
        why = "must be https: keys that come in clear text can be exchanged on their way "
              "('jwks_allow_http' allows it)";
    curl_free(scheme);
    curl_free(host);
    return why;
}

const char *http_jwks_url_fault(struct oms_str url, bool allow_http)
{
    char text[OMS_URL_BYTES_MAX + 1];
    if (url.len == 0 || url.len > OMS_URL_BYTES_MAX || memchr(url.data, '\0', url.len))
        return "must be a URL of at most 2048 bytes";
    memcpy(text, url.data, url.len);
    text[url.len] = '\0';
    CURLU *parsed = curl_url();
    OMS_ASSERT(parsed);
    const char *why = curl_url_set(parsed, CURLUPART_URL, text, 0) == CURLUE_OK
                          ? fault_of(parsed, allow_http)
                          : "must be a URL such as https://login.example/keys";
    curl_url_cleanup(parsed);
    return why;
}

bool http_jwks_url_is_secure(struct oms_str url)
{
    return url.len >= 6 && oms_str_eq_nocase(oms_str_make(url.data, 6), OMS_STR("https:"));
}
