/* Buckets of chained entries and a list by age, as in plan_cache.c; and the news to the other shards. */
#include "http/api/persisted.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/base/prng.h"

struct persisted_entry {
    struct persisted_entry *chain;
    struct persisted_entry *newer, *older;
    struct http_digest digest;
    size_t len;
    char document[];
};

/* A document on its way round the shards. Made and freed by its home; the others copy what they keep. */
struct persisted_news {
    struct rt_message message;
    struct persisted *home;
    struct persisted_news *next, *previous;
    unsigned at; /* index of the shard that it is on its way to */
    struct http_digest digest;
    size_t len;
    char document[];
};

void persisted_init(struct persisted *persisted, struct rt_shard *shard, struct persisted *const *all,
                    unsigned count_all, size_t count_max, size_t bytes_max)
{
    *persisted = (struct persisted){
        .shard = shard, .all = all, .count_all = count_all, .count_max = count_max, .bytes_max = bytes_max};
    oms_random_bytes(&persisted->key, sizeof(persisted->key));
    for (persisted->bucket_count = 16; persisted->bucket_count < count_max;)
        persisted->bucket_count *= 2;
    persisted->buckets = oms_calloc(persisted->bucket_count, sizeof(struct persisted_entry *));
}

/* ---- entries ---- */

static size_t bytes_of(size_t len)
{
    return sizeof(struct persisted_entry) + len;
}

static struct persisted_entry **chain_of(struct persisted *persisted, const struct http_digest *digest)
{
    uint64_t hash = oms_siphash64(&persisted->key, digest->bytes, sizeof(digest->bytes));
    return &persisted->buckets[hash & (persisted->bucket_count - 1)];
}

static void unlink_age(struct persisted *persisted, struct persisted_entry *entry)
{
    *(entry->newer ? &entry->newer->older : &persisted->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &persisted->oldest) = entry->newer;
}

static void link_newest(struct persisted *persisted, struct persisted_entry *entry)
{
    entry->newer = NULL;
    entry->older = persisted->newest;
    *(persisted->newest ? &persisted->newest->newer : &persisted->oldest) = entry;
    persisted->newest = entry;
}

static void drop(struct persisted *persisted, struct persisted_entry *entry)
{
    struct persisted_entry **at = chain_of(persisted, &entry->digest);
    while (*at != entry)
        at = &(*at)->chain;
    *at = entry->chain;
    unlink_age(persisted, entry);
    persisted->count--;
    persisted->bytes -= bytes_of(entry->len);
    oms_free(entry);
}

static struct persisted_entry *find(struct persisted *persisted, const struct http_digest *digest)
{
    struct persisted_entry *entry = *chain_of(persisted, digest);
    while (entry && !http_digest_eq(&entry->digest, digest))
        entry = entry->chain;
    if (entry && entry != persisted->newest) {
        unlink_age(persisted, entry);
        link_newest(persisted, entry);
    }
    return entry;
}

/* False when it was there, or is too large to be kept. */
static bool keep(struct persisted *persisted, const struct http_digest *digest, struct oms_str document)
{
    size_t bytes = bytes_of(document.len);
    if (!persisted->count_max || bytes > persisted->bytes_max / 4 || find(persisted, digest))
        return false;
    while (persisted->oldest &&
           (persisted->count == persisted->count_max || persisted->bytes + bytes > persisted->bytes_max)) {
        drop(persisted, persisted->oldest);
        persisted->evictions++;
    }
    struct persisted_entry *entry = oms_malloc(bytes);
    entry->digest = *digest;
    entry->len = document.len;
    memcpy(entry->document, document.data, document.len);
    struct persisted_entry **chain = chain_of(persisted, digest);
    entry->chain = *chain;
    *chain = entry;
    link_newest(persisted, entry);
    persisted->count++;
    persisted->bytes += bytes;
    return true;
}

/* ---- news ---- */

static void send_on(struct persisted_news *news)
{
    struct persisted *home = news->home;
    news->at = (news->at + 1) % home->count_all;
    rt_post(rt_shard_host(home->shard), news->at, &news->message);
}

static void news_destroy(struct persisted_news *news)
{
    struct persisted *home = news->home;
    *(news->previous ? &news->previous->next : &home->under_way) = news->next;
    if (news->next)
        news->next->previous = news->previous;
    home->under_way_count--;
    oms_free(news);
}

/* On the shard `at`. */
static void news_arrived(struct rt_shard *shard, struct rt_message *message)
{
    struct persisted_news *news = OMS_CONTAINER_OF(message, struct persisted_news, message);
    struct persisted *here = news->home->all[rt_shard_index(shard)];
    if (here == news->home) {
        news_destroy(news);
        return;
    }
    (void)keep(here, &news->digest, oms_str_make(news->document, news->len));
    send_on(news);
}

/* A flood of new documents is not passed on: they are learnt again where they are asked for. */
static void tell(struct persisted *persisted, const struct http_digest *digest, struct oms_str document)
{
    if (persisted->count_all == 1 || persisted->under_way_count == OMS_GQL_PERSISTED_NEWS_MAX)
        return;
    struct persisted_news *news = oms_calloc(1, sizeof(*news) + document.len);
    news->message.on_return = news_arrived;
    news->home = persisted;
    news->at = rt_shard_index(persisted->shard);
    news->message.home = (uint16_t)news->at;
    news->digest = *digest;
    news->len = document.len;
    memcpy(news->document, document.data, document.len);
    news->next = persisted->under_way;
    if (news->next)
        news->next->previous = news;
    persisted->under_way = news;
    persisted->under_way_count++;
    send_on(news);
}

/* ---- what others call ---- */

void persisted_fini(struct persisted *persisted)
{
    while (persisted->under_way)
        news_destroy(persisted->under_way);
    while (persisted->oldest)
        drop(persisted, persisted->oldest);
    oms_free(persisted->buckets);
}

struct oms_str persisted_get(struct persisted *persisted, const struct http_digest *digest)
{
    struct persisted_entry *entry = find(persisted, digest);
    if (!entry) {
        persisted->misses++;
        return OMS_STR_NONE;
    }
    persisted->hits++;
    return oms_str_make(entry->document, entry->len);
}

void persisted_put(struct persisted *persisted, const struct http_digest *digest, struct oms_str document)
{
    if (!keep(persisted, digest, document))
        return;
    persisted->registered++;
    tell(persisted, digest, document);
}
