/*
 * How many streams one person has on a shard.
 *
 * Who reads the whole tenant shares its topics with others who do. Who is limited to some orders, as
 * customers and vendors are, has topics of their own, which every event of the tenant is matched with: so
 * these people may have a bounded number each, and one of them does not slow down the tenant.
 */
#include "http/stream/stream_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/hash.h"

#define BUCKETS 4096 /* a power of two */

struct stream_subject {
    struct stream_subject *next;
    uint32_t tenant;
    unsigned streams;
    size_t issuer_len, len;
    char text[]; /* issuer and subject */
};

static struct stream_subject **bucket_of(struct stream_shard *ss, uint32_t tenant, struct oms_str subject)
{
    static const struct oms_hash_key key = {UINT64_C(0x7375626a65637473), UINT64_C(0x6f6e652073686172)};
    uint64_t hash = oms_siphash64(&key, subject.data, subject.len) ^ oms_mix64(tenant + UINT64_C(1));
    if (!ss->subjects)
        ss->subjects = oms_calloc(BUCKETS, sizeof(*ss->subjects));
    return &ss->subjects[hash & (BUCKETS - 1)];
}

static bool is_person(const struct stream_subject *entry, uint32_t tenant, const struct http_claims *claims)
{
    return entry->tenant == tenant && entry->issuer_len == claims->issuer.len &&
           entry->len == claims->issuer.len + claims->subject.len &&
           memcmp(entry->text, claims->issuer.data, claims->issuer.len) == 0 &&
           memcmp(entry->text + entry->issuer_len, claims->subject.data, claims->subject.len) == 0;
}

static struct stream_subject *entry_create(uint32_t tenant, const struct http_claims *claims)
{
    size_t len = claims->issuer.len + claims->subject.len;
    struct stream_subject *entry = oms_calloc(1, sizeof(*entry) + len);
    entry->tenant = tenant;
    entry->issuer_len = claims->issuer.len;
    entry->len = len;
    memcpy(entry->text, claims->issuer.data, claims->issuer.len);
    memcpy(entry->text + entry->issuer_len, claims->subject.data, claims->subject.len);
    return entry;
}

bool stream_subject_take(struct stream_shard *ss, uint32_t tenant, const struct http_claims *claims)
{
    struct stream_subject **bucket = bucket_of(ss, tenant, claims->subject), *entry = *bucket;
    while (entry && !is_person(entry, tenant, claims))
        entry = entry->next;
    if (entry && entry->streams >= OMS_STREAMS_SUBJECT_MAX)
        return false;
    if (!entry) {
        entry = entry_create(tenant, claims);
        entry->next = *bucket;
        *bucket = entry;
    }
    entry->streams++;
    return true;
}

void stream_subject_give(struct stream_shard *ss, uint32_t tenant, const struct http_claims *claims)
{
    struct stream_subject **at = bucket_of(ss, tenant, claims->subject);
    while (*at && !is_person(*at, tenant, claims))
        at = &(*at)->next;
    struct stream_subject *entry = *at;
    OMS_ASSERT(entry && entry->streams > 0);
    if (--entry->streams)
        return;
    *at = entry->next;
    oms_free(entry);
}

void stream_subjects_fini(struct stream_shard *ss)
{
    for (size_t i = 0; ss->subjects && i < BUCKETS; i++) {
        for (struct stream_subject *entry = ss->subjects[i], *next; entry; entry = next) {
            next = entry->next;
            oms_free(entry);
        }
    }
    oms_free(ss->subjects);
}
