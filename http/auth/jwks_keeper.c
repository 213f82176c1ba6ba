/*
 * Each issuer has a time at which it is due; one timer wakes the keeper for the earliest. Who is wanted goes
 * before who has merely grown old.
 */
#include "http/auth/jwks_keeper.h"

#include <time.h>

#include "http/auth/jwks_fetch.h"
#include "http/metrics.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include "runtime/shard.h"

#define HOME      0
#define POLL_NS   2000000
#define NEVER_MS  INT64_MAX
#define NAME_SIZE 512 /* of a label */

/* An issuer that publishes its keys. */
struct source {
    struct rt_job job; /* under way while `fetching` */
    struct http_jwks *jwks;
    const struct http_issuer *issuer;
    size_t index; /* in the issuers' set */
    bool fetching;
    bool wanted;       /* by a request that waits */
    int64_t due_ms;    /* when not fetching */
    int64_t begun_ms;  /* the last fetch */
    uint64_t begun_ns; /* the same, monotonic */
    int64_t known_ms;  /* the last fetch that succeeded; 0: none */
    unsigned failed;   /* fetches in a row */
    bool asked;        /* one fetch has ended */
    const struct http_key_set *keys;
    /* Filled in by the job: */
    enum oms_status status;
    const struct http_key_set *found;
    int64_t ttl_ms;
    struct oms_error error;
    /* For metrics, read by any thread: */
    _Atomic uint64_t fetches, failures, unknown, key_count;
    _Atomic int64_t known_since_ms;
};

struct http_jwks {
    struct http_jwks_config config;
    struct rt_timer timer;
    unsigned under_way;
    atomic_uint unasked; /* issuers of which no fetch has ended */
    atomic_bool stop;
    struct source *by_index[HTTP_ISSUERS_ALL]; /* NULL: publishes nothing */
    size_t count;
    struct source sources[];
};

static void pump(struct http_jwks *jwks);

/* ---- telling ---- */

/* News on their way to a shard; with a hold on the keys. */
struct delivery {
    struct rt_message message;
    struct http_jwks *jwks;
    struct http_jwks_news news;
};

static void delivery_arrived(struct rt_shard *shard, struct rt_message *message)
{
    struct delivery *delivery = OMS_CONTAINER_OF(message, struct delivery, message);
    const struct http_jwks_config *config = &delivery->jwks->config;
    config->on_news(config->context, shard, &delivery->news);
    http_key_set_release(delivery->news.keys);
    oms_free(delivery);
}

static void tell_all(struct http_jwks *jwks, const struct http_jwks_news *news)
{
    for (unsigned i = 0; i < jwks->config.host->shard_count; i++) {
        struct delivery *delivery = oms_calloc(1, sizeof(*delivery));
        delivery->jwks = jwks;
        delivery->news = *news;
        if (news->keys)
            http_key_set_hold(news->keys);
        delivery->message.home = (uint16_t)i;
        delivery->message.on_return = delivery_arrived;
        rt_post(jwks->config.host, i, &delivery->message);
    }
}

static void tell(struct source *source, enum http_jwks_outcome outcome)
{
    const struct http_jwks_news news = {
        .outcome = outcome, .issuer = source->index, .keys = source->keys, .started_ns = source->begun_ns};
    tell_all(source->jwks, &news);
}

/* ---- fetching ---- */

/* On a pool's thread. */
static void fetch(struct rt_job *job)
{
    struct source *source = OMS_CONTAINER_OF(job, struct source, job);
    const struct http_jwks_config *config = &source->jwks->config;
    struct oms_buf document;
    oms_buf_init(&document, OMS_JWKS_BYTES_MAX);
    source->status =
        config->fetch(source->issuer, &source->jwks->stop, &document, &source->ttl_ms, &source->error);
    if (source->status == OMS_OK) {
        source->found = http_jwks_parse(oms_buf_str(&document), source->issuer->algorithms, &source->error);
        source->status = source->found ? OMS_OK : OMS_INVALID;
    }
    oms_buf_fini(&document);
}

static void replace(struct source *source, const struct http_key_set *keys)
{
    http_key_set_release(source->keys);
    source->keys = keys;
    atomic_store_explicit(&source->key_count, keys ? keys->count : 0, memory_order_relaxed);
}

static void succeed(struct source *source, int64_t now_ms)
{
    const struct http_key_set *found = source->found;
    bool changed = !source->keys || !http_key_set_same(found, source->keys);
    source->found = NULL;
    source->failed = 0;
    source->known_ms = now_ms;
    source->due_ms = now_ms + source->ttl_ms;
    atomic_store_explicit(&source->known_since_ms, now_ms, memory_order_relaxed);
    if (changed) {
        OMS_LOG(found->count ? OMS_LOG_INFO : OMS_LOG_WARN, "jwks.keys_changed",
                OMS_LOG_STR("issuer", source->issuer->issuer), OMS_LOG_U64("keys", found->count),
                OMS_LOG_U64("skipped", found->skipped),
                OMS_LOG_TEXT("first_skipped", found->skipped_why ? found->skipped_why : "none"));
        replace(source, found);
    } else {
        http_key_set_release(found); /* the shards keep what they have */
    }
    tell(source, HTTP_JWKS_FETCHED);
}

/* A quarter more at random, so that servers that lost an issuer together do not come back together. */
static int64_t backoff_ms(const struct source *source)
{
    int64_t wait_ms = (int64_t)source->issuer->jwks.refetch_interval_s * 1000;
    for (unsigned i = 1; i < source->failed && wait_ms < OMS_JWKS_RETRY_MAX_MS; i++)
        wait_ms *= 2;
    if (wait_ms > OMS_JWKS_RETRY_MAX_MS)
        wait_ms = OMS_JWKS_RETRY_MAX_MS;
    return wait_ms + (int64_t)(rt_random(source->jwks->config.host) % (uint64_t)(wait_ms / 4 + 1));
}

static void fail(struct source *source, int64_t now_ms)
{
    int64_t stale_ms = (int64_t)source->issuer->jwks.stale_s * 1000;
    source->failed++;
    source->due_ms = now_ms + backoff_ms(source);
    atomic_fetch_add_explicit(&source->failures, 1, memory_order_relaxed);
    OMS_LOG(OMS_LOG_WARN, "jwks.fetch_failed", OMS_LOG_STR("issuer", source->issuer->issuer),
            OMS_LOG_TEXT("reason", source->error.message), OMS_LOG_U64("in_a_row", source->failed),
            OMS_LOG_U64("keys_known", source->keys ? source->keys->count : 0));
    if (source->keys && now_ms - source->known_ms > stale_ms) {
        OMS_LOG(OMS_LOG_ERROR, "jwks.keys_stale", OMS_LOG_STR("issuer", source->issuer->issuer),
                OMS_LOG_U64("stale_s", source->issuer->jwks.stale_s));
        replace(source, NULL);
    }
    tell(source, HTTP_JWKS_FAILED);
}

static void fetch_returned(struct rt_shard *shard, struct rt_message *message)
{
    struct source *source = OMS_CONTAINER_OF(message, struct source, job.message);
    struct http_jwks *jwks = source->jwks;
    int64_t now_ms = rt_now_ms(jwks->config.host);
    (void)shard;
    source->fetching = false;
    jwks->under_way--;
    if (message->status != OMS_OK) /* the pool did not run it */
        source->status = oms_error_set(&source->error, message->status, "the server is busy");
    if (source->status == OMS_CLOSED || atomic_load_explicit(&jwks->stop, memory_order_relaxed)) {
        http_key_set_release(source->found);
        source->found = NULL;
    } else if (source->status == OMS_OK) {
        succeed(source, now_ms);
    } else {
        fail(source, now_ms);
    }
    if (!source->asked) {
        source->asked = true;
        /* Release: behind the news, which whoever waits for this wants to be told. */
        atomic_fetch_sub_explicit(&jwks->unasked, 1, memory_order_release);
    }
    pump(jwks);
}

static void begin(struct source *source)
{
    struct http_jwks *jwks = source->jwks;
    source->fetching = true;
    source->wanted = false;
    source->begun_ms = rt_now_ms(jwks->config.host);
    source->begun_ns = rt_mono_ns(jwks->config.host);
    source->found = NULL;
    source->error.message[0] = '\0';
    source->job = (struct rt_job){.message = {.home = HOME, .on_return = fetch_returned}, .run = fetch};
    jwks->under_way++;
    atomic_fetch_add_explicit(&source->fetches, 1, memory_order_relaxed);
    jwks->config.host->ops->offload(jwks->config.host, RT_POOL_SLOW, &source->job);
}

/* ---- whose turn it is ---- */

static bool goes_before(const struct source *a, const struct source *b)
{
    return a->wanted != b->wanted ? a->wanted : a->due_ms < b->due_ms;
}

static struct source *next_due(struct http_jwks *jwks, int64_t now_ms)
{
    struct source *best = NULL;
    for (size_t i = 0; i < jwks->count; i++) {
        struct source *source = &jwks->sources[i];
        if (!source->fetching && source->due_ms <= now_ms && (!best || goes_before(source, best)))
            best = source;
    }
    return best;
}

/* Begins what is due, and sleeps until something will be. */
static void pump(struct http_jwks *jwks)
{
    struct rt_shard *home = jwks->config.host->shards[HOME];
    struct source *source;
    int64_t now_ms = rt_now_ms(jwks->config.host), first_ms = NEVER_MS;
    if (atomic_load_explicit(&jwks->stop, memory_order_relaxed)) {
        rt_timer_stop(home, &jwks->timer);
        return;
    }
    while (jwks->under_way < OMS_JWKS_FETCHES_MAX && (source = next_due(jwks, now_ms)))
        begin(source);
    for (size_t i = 0; i < jwks->count; i++)
        if (!jwks->sources[i].fetching && jwks->sources[i].due_ms < first_ms)
            first_ms = jwks->sources[i].due_ms;
    /* With all places taken the next return pumps. */
    if (first_ms != NEVER_MS && jwks->under_way < OMS_JWKS_FETCHES_MAX)
        rt_timer_start(home, &jwks->timer, first_ms);
    else
        rt_timer_stop(home, &jwks->timer);
}

static void fire(struct rt_shard *shard, struct rt_timer *timer)
{
    (void)shard;
    pump(OMS_CONTAINER_OF(timer, struct http_jwks, timer));
}

/* ---- being asked ---- */

struct wish {
    struct rt_message message;
    struct source *source;
};

static void wish_arrived(struct rt_shard *shard, struct rt_message *message)
{
    struct wish *wish = OMS_CONTAINER_OF(message, struct wish, message);
    struct source *source = wish->source;
    int64_t earliest_ms = source->begun_ms + (int64_t)source->issuer->jwks.refetch_interval_s * 1000;
    (void)shard;
    oms_free(wish);
    if (source->fetching) /* its news will tell whether they help */
        return;
    source->wanted = true;
    if (earliest_ms < source->due_ms)
        source->due_ms = earliest_ms;
    pump(source->jwks);
}

void http_jwks_count_unknown(struct http_jwks *jwks, size_t issuer)
{
    atomic_fetch_add_explicit(&jwks->by_index[issuer]->unknown, 1, memory_order_relaxed);
}

void http_jwks_want(struct http_jwks *jwks, size_t issuer)
{
    struct source *source = jwks->by_index[issuer];
    struct wish *wish = oms_calloc(1, sizeof(*wish));
    OMS_ASSERT(source);
    wish->source = source;
    wish->message.home = HOME;
    wish->message.on_return = wish_arrived;
    rt_post(jwks->config.host, HOME, &wish->message);
}

/* ---- life ---- */

struct http_jwks *http_jwks_create(const struct http_jwks_config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->issuers->count; i++)
        count += http_issuer_publishes(config->issuers->items[i]);
    if (!count)
        return NULL;
    struct http_jwks *jwks = oms_calloc(1, sizeof(*jwks) + count * sizeof(jwks->sources[0]));
    jwks->config = *config;
    if (!jwks->config.fetch) {
        jwks->config.fetch = http_jwks_fetch;
        http_jwks_fetch_prepare();
    }
    for (size_t i = 0; i < config->issuers->count; i++) {
        if (!http_issuer_publishes(config->issuers->items[i]))
            continue;
        struct source *source = &jwks->sources[jwks->count++];
        *source = (struct source){.jwks = jwks, .issuer = config->issuers->items[i], .index = i};
        jwks->by_index[i] = source;
    }
    atomic_init(&jwks->unasked, (unsigned)count);
    jwks->timer.fire = fire;
    rt_timer_start(config->host->shards[HOME], &jwks->timer, rt_now_ms(config->host));
    return jwks;
}

void http_jwks_destroy(struct http_jwks *jwks)
{
    if (!jwks)
        return;
    for (size_t i = 0; i < jwks->count; i++) {
        OMS_ASSERT(!jwks->sources[i].fetching);
        http_key_set_release(jwks->sources[i].keys);
    }
    oms_free(jwks);
}

void http_jwks_wait_first(struct http_jwks *jwks, unsigned ms)
{
    const struct timespec nap = {.tv_nsec = POLL_NS};
    if (!jwks)
        return;
    uint64_t end_ns = rt_mono_ns(jwks->config.host) + (uint64_t)ms * 1000000;
    /* Acquire: the news of those fetches were posted before what the caller does next. */
    while (atomic_load_explicit(&jwks->unasked, memory_order_acquire) &&
           rt_mono_ns(jwks->config.host) < end_ns)
        nanosleep(&nap, NULL);
}

void http_jwks_stop(struct http_jwks *jwks)
{
    const struct http_jwks_news news = {.outcome = HTTP_JWKS_CLOSING};
    if (!jwks)
        return;
    atomic_store_explicit(&jwks->stop, true, memory_order_relaxed);
    tell_all(jwks, &news);
}

/* ---- metrics ---- */

/* issuer="…", escaped as the text format wants it. */
static void write_label(const struct source *source, char out[NAME_SIZE])
{
    struct oms_str name = source->issuer->issuer;
    size_t len = (size_t)(stpcpy(out, "issuer=\"") - out);
    for (size_t i = 0; i < name.len && len < NAME_SIZE - 4; i++) {
        char c = name.data[i];
        if (c == '"' || c == '\\' || c == '\n')
            out[len++] = '\\';
        out[len++] = c;
        if (c == '\n')
            out[len - 1] = 'n';
    }
    memcpy(out + len, "\"", 2);
}

static uint64_t value_of(const struct source *source, unsigned metric, int64_t now_ms)
{
    int64_t since_ms = atomic_load_explicit(&source->known_since_ms, memory_order_relaxed);
    switch (metric) {
    case 0:
        return atomic_load_explicit(&source->fetches, memory_order_relaxed);
    case 1:
        return atomic_load_explicit(&source->failures, memory_order_relaxed);
    case 2:
        return atomic_load_explicit(&source->unknown, memory_order_relaxed);
    case 3:
        return atomic_load_explicit(&source->key_count, memory_order_relaxed);
    default:
        return since_ms && now_ms > since_ms ? (uint64_t)(now_ms - since_ms) / 1000 : 0;
    }
}

void http_jwks_write_metrics(void *context, struct oms_buf *out)
{
    static const struct {
        const char *name, *type, *help;
    } metrics[] = {
        {"liteoms_jwks_fetches_total", "counter", "Fetches of published keys begun."},
        {"liteoms_jwks_fetch_failures_total", "counter", "Fetches of published keys that failed."},
        {"liteoms_jwks_unknown_kids_total", "counter", "Tokens whose key was not known."},
        {"liteoms_jwks_keys", "gauge", "Published keys that count."},
        {"liteoms_jwks_age_seconds", "gauge", "Since the last successful fetch; 0 before the first."},
    };
    struct http_jwks *jwks = context;
    int64_t now_ms = rt_now_ms(jwks->config.host);
    char label[NAME_SIZE];
    for (unsigned m = 0; m < OMS_COUNT_OF(metrics); m++) {
        http_metrics_write_head(out, metrics[m].name, metrics[m].type, metrics[m].help);
        for (size_t i = 0; i < jwks->count; i++) {
            write_label(&jwks->sources[i], label);
            http_metrics_write_u64(out, metrics[m].name, label, value_of(&jwks->sources[i], m, now_ms));
        }
    }
}
