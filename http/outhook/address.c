/* See address.h. */
#include "http/outhook/address.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <string.h>

#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

#define MAPPED_BITS      96
#define LOOPBACK         "a loopback address"
#define ADDRESS_TEXT_MAX 63

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

struct outhook_address outhook_address_v4(const unsigned char bytes[4])
{
    struct outhook_address address;

    memcpy(address.bytes, mapped, sizeof mapped);
    memcpy(address.bytes + 12, bytes, 4);
    return address;
}

struct outhook_address outhook_address_v6(const unsigned char bytes[16])
{
    struct outhook_address address;

    memcpy(address.bytes, bytes, 16);
    return address;
}

bool outhook_address_parse(struct oms_str text, struct outhook_address *out)
{
    char copy[ADDRESS_TEXT_MAX + 1];
    unsigned char v4[4];

    if (text.len > ADDRESS_TEXT_MAX)
        return false;
    if (text.len)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, v4) == 1) {
        *out = outhook_address_v4(v4);
        return true;
    }
    return inet_pton(AF_INET6, copy, out->bytes) == 1;
}

static bool bit(const struct outhook_address *address, unsigned index)
{
    return address->bytes[index / 8] >> (7 - index % 8) & 1;
}

bool outhook_range_parse(struct oms_str text, struct outhook_range *out)
{
    const char *slash = text.len ? memchr(text.data, '/', text.len) : NULL;
    struct oms_str address = slash ? oms_str_make(text.data, (size_t)(slash - text.data)) : text;
    bool is_v4;
    int64_t bits;

    if (!outhook_address_parse(address, &out->first))
        return false;
    is_v4 = memchr(address.data, ':', address.len) == NULL;
    bits = is_v4 ? 32 : 128;
    if (slash && (oms_str_to_i64(oms_str_make(slash + 1, text.len - address.len - 1), &bits) != OMS_OK ||
                  bits < 0 || bits > (is_v4 ? 32 : 128)))
        return false;
    out->bits = (unsigned)bits + (is_v4 ? MAPPED_BITS : 0);
    for (unsigned i = out->bits; i < 128; i++)
        if (bit(&out->first, i))
            return false; /* it looks like one thing and means another */
    return true;
}

static bool within(const struct outhook_address *address, const struct outhook_range *range)
{
    unsigned whole = range->bits / 8, rest = range->bits % 8;

    if (memcmp(address->bytes, range->first.bytes, whole) != 0)
        return false;
    return !rest || ((address->bytes[whole] ^ range->first.bytes[whole]) >> (8 - rest)) == 0;
}

/* ---- what is special ---- */

struct special {
    unsigned char first[16];
    unsigned bits;
    const char *what;
};

#define V4(a, b, c, d, bits, what)                                                                           \
    {                                                                                                        \
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, (a), (b), (c), (d)}, MAPPED_BITS + (bits), (what)         \
    }

/* The first that fits says what it is. */
static const struct special specials[] = {
    V4(0, 0, 0, 0, 8, "an address of this network"),
    V4(10, 0, 0, 0, 8, "a private address"),
    V4(100, 64, 0, 0, 10, "an address of carrier-grade NAT"),
    V4(127, 0, 0, 0, 8, LOOPBACK),
    V4(169, 254, 0, 0, 16, "a link-local address"),
    V4(172, 16, 0, 0, 12, "a private address"),
    V4(192, 0, 0, 0, 24, "an address of protocols"),
    V4(192, 0, 2, 0, 24, "an address of documentation"),
    V4(192, 88, 99, 0, 24, "an address of 6to4 relays"),
    V4(192, 168, 0, 0, 16, "a private address"),
    V4(198, 18, 0, 0, 15, "an address of benchmarks"),
    V4(198, 51, 100, 0, 24, "an address of documentation"),
    V4(203, 0, 113, 0, 24, "an address of documentation"),
    V4(224, 0, 0, 0, 4, "a multicast address"),
    V4(240, 0, 0, 0, 4, "a reserved or broadcast address"),
    {{[15] = 1}, 128, LOOPBACK},
    {{0}, 96, "an unspecified or IPv4-compatible address"},
    {{0x01, 0x00}, 64, "a discard-only address"},
    {{0x00, 0x64, 0xff, 0x9b, 0, 1}, 48, "an address of local NAT64"},
    {{0x20, 0x01, 0, 0}, 23, "an address of protocols (Teredo and others)"},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, "an address of documentation"},
    {{0x3f, 0xff}, 20, "an address of documentation"},
    {{0x5f, 0x00}, 16, "an address of segment routing"},
    {{0xfc}, 7, "a unique local address"},
    {{0xfe, 0x80}, 10, "a link-local address"},
    {{0xfe, 0xc0}, 10, "a site-local address"},
    {{0xff}, 8, "a multicast address"},
};

static const char *find(const struct outhook_address *address)
{
    for (size_t i = 0; i < OMS_COUNT_OF(specials); i++) {
        struct outhook_range range = {.bits = specials[i].bits};

        memcpy(range.first.bytes, specials[i].first, 16);
        if (within(address, &range))
            return specials[i].what;
    }
    return NULL;
}

/* The IPv4 address that travels inside an IPv6 one: NAT64 (RFC 6052) and 6to4 (RFC 3056). */
static bool inner(const struct outhook_address *address, struct outhook_address *out)
{
    static const unsigned char nat64[12] = {0x00, 0x64, 0xff, 0x9b};

    if (memcmp(address->bytes, nat64, sizeof nat64) == 0)
        *out = outhook_address_v4(address->bytes + 12);
    else if (address->bytes[0] == 0x20 && address->bytes[1] == 0x02)
        *out = outhook_address_v4(address->bytes + 2);
    else
        return false;
    return true;
}

const char *outhook_address_special(const struct outhook_address *address)
{
    struct outhook_address within_it;

    if (inner(address, &within_it))
        return find(&within_it);
    if (memcmp(address->bytes, mapped, sizeof mapped) != 0 && (address->bytes[0] & 0xe0) != 0x20) {
        const char *what = find(address);
        return what ? what : "no global unicast address";
    }
    return find(address);
}

bool outhook_address_allowed(const struct outhook_policy *policy, const struct outhook_address *address)
{
    struct outhook_address within_it;

    const char *what = outhook_address_special(address);

    if (policy->allow_private || !what || (policy->allow_loopback && strcmp(what, LOOPBACK) == 0))
        return true;
    for (size_t i = 0; i < policy->range_count; i++)
        if (within(address, &policy->ranges[i]) ||
            (inner(address, &within_it) && within(&within_it, &policy->ranges[i])))
            return true;
    return false;
}

/* ---- URLs ---- */

static const char *check_host(const char *host, const struct outhook_policy *policy)
{
    struct outhook_address address;
    struct oms_str text = oms_str_of(host);

    if (!text.len)
        return "has no host";
    if (text.len > 2 && text.data[0] == '[')
        text = oms_str_make(text.data + 1, text.len - 2);
    if (outhook_address_parse(text, &address) && !outhook_address_allowed(policy, &address))
        return "must not be a private or special address: the operator can allow it (webhooks_out)";
    return NULL;
}

static const char *check_parts(CURLU *parts, const struct outhook_policy *policy)
{
    char *scheme = NULL, *host = NULL, *user = NULL, *fragment = NULL;
    const char *why = NULL;

    if (curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        why = "must be an absolute URL such as https://example.com/hooks";
    else if (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)
        why = "must be https";
    else if (strcmp(scheme, "http") == 0 && !policy->allow_http)
        why = "must be https: clear text needs the operator's allow_http (webhooks_out)";
    else if (curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_OK)
        why = "must not carry a user or password: deliveries are signed instead";
    else if (curl_url_get(parts, CURLUPART_FRAGMENT, &fragment, 0) == CURLUE_OK)
        why = "must not have a fragment";
    else
        why = check_host(host, policy);
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_free(fragment);
    return why;
}

const char *outhook_url_fault(struct oms_str url, const struct outhook_policy *policy)
{
    char copy[OMS_URL_BYTES_MAX + 1];
    const char *why;
    CURLU *parts;

    if (!url.len || url.len > OMS_URL_BYTES_MAX)
        return "must have 1 to 2048 bytes";
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.data[i] <= ' ' || (unsigned char)url.data[i] >= 0x7f)
            return "must have no white space, control characters or characters beyond ASCII: write them as "
                   "%XX";
    memcpy(copy, url.data, url.len);
    copy[url.len] = '\0';
    parts = curl_url();
    OMS_ASSERT(parts);
    why = curl_url_set(parts, CURLUPART_URL, copy, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK
              ? check_parts(parts, policy)
              : "must be an absolute URL such as https://example.com/hooks";
    curl_url_cleanup(parts);
    return why;
}
