/*
 * Bodies that repeat are made once; the others are printed into the stream's buffer, a few hundred
 * nanoseconds each. Answers are checked as text: the client shares two cores with the server, and parsing
 * every answer as JSON would measure the client. The checks can fail all the same: on "errors", on success
 * that is not true, on another order's id, on a page without its 20 orders.
 */
#include "bench/load/workload.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/hash.h"
#include "runtime/base/prng.h"

#define HOLDS_AHEAD    60    /* on one order at most so many are active (the limit of an order is 100) */
#define IDS_KEPT       65536 /* of created orders */
#define CURSORS        64
#define PAGE_TAG_AFTER (UINT64_C(1) << 32)

struct held_order {
    uint32_t placed;   /* acknowledged: holds HLD-1 … HLD-placed exist or existed */
    uint32_t placing;  /* in flight */
    uint32_t released; /* asked for: HLD-1 … HLD-released */
    bool busy;         /* with several orders each takes one command at a time */
};

struct workload {
    struct load_workload load;
    struct workload_config config;
    struct oms_prng prng;
    char **bodies; /* made once */
    size_t *body_lens;
    size_t body_count;
    /* create */
    uint64_t next_number;
    char **ids;
    size_t id_count;
    /* hold */
    struct held_order *orders;
    /* page */
    char cursors[CURSORS][192];
    unsigned char cursor_stage[CURSORS];
    unsigned cursor_count, cursor_next;
    unsigned stage_count, stage_next;
    uint64_t short_pages;
    size_t constant_length;
};

/* ---- looking at answers ---- */

static bool contains(struct oms_str text, const char *word, size_t len)
{
    return memmem(text.data, text.len, word, len) != NULL;
}

#define HAS(text, literal) contains((text), "" literal, sizeof(literal) - 1)

/* The text between `before` and the next quote, or absent. */
static struct oms_str quoted_after(struct oms_str text, const char *before)
{
    const char *at = memmem(text.data, text.len, before, strlen(before));
    if (!at)
        return OMS_STR_NONE;
    at += strlen(before);
    const char *end = memchr(at, '"', (size_t)(text.data + text.len - at));
    return end ? oms_str_make(at, (size_t)(end - at)) : OMS_STR_NONE;
}

static const char *check_common(unsigned status, struct oms_str body)
{
    if (status == 0)
        return "the stream was reset";
    if (status != 200)
        return "not 200";
    if (HAS(body, "\"errors\""))
        return "errors";
    return NULL;
}

/* ---- constant ---- */

static bool constant_next(void *context, struct load_request *request)
{
    struct workload *workload = context;
    request->body = oms_str_make(workload->bodies[0], workload->body_lens[0]);
    return true;
}

static const char *constant_check(void *context, uint64_t tag, unsigned status, struct oms_str body)
{
    struct workload *workload = context;
    (void)tag;
    if (status != 200)
        return "not 200";
    return body.len == workload->constant_length ? NULL : "another length";
}

/* ---- get ---- */

static bool get_next(void *context, struct load_request *request)
{
    struct workload *workload = context;
    request->tag = oms_prng_below(&workload->prng, workload->body_count);
    request->body = oms_str_make(workload->bodies[request->tag], workload->body_lens[request->tag]);
    return true;
}

static const char *get_check(void *context, uint64_t tag, unsigned status, struct oms_str body)
{
    struct workload *workload = context;
    const char *why = check_common(status, body);
    const char *id = workload->config.order_ids[tag];

    if (why)
        return why;
    return contains(body, id, strlen(id)) ? NULL : "another order, or none";
}

/* ---- create ---- */

static const char create_query[] =
    "mutation Create($input: CreateOrderInput!) { createOrder(input: $input) { created result { success } "
    "order { orderId version stage finalAmount { amount currency } } userErrors { code field message } } }";

static bool create_next(void *context, struct load_request *request)
{
    struct workload *workload = context;
    uint64_t number = workload->next_number++;
    /* Nine in ten are confirmed; placed over the last 300 days; 50,000 customers, 1,000 SKUs, 20 vendors. */
    const char *stage = number % 20 == 7 ? "DRAFT" : number % 20 == 13 ? "PENDING" : "CONFIRMED";
    uint64_t mixed = oms_mix64(number + 1);
    int len = snprintf(
        request->buffer, LOAD_BUFFER_SIZE,
        "{\"query\":\"%s\",\"variables\":{\"input\":{\"externalRef\":\"%s-%llu\",\"source\":\"bench\","
        "\"placedAt\":\"2026-%02u-%02uT%02u:%02u:%02uZ\",\"stage\":\"%s\","
        "\"customerDetails\":{\"customerId\":\"CUST-%u\",\"name\":\"Ada Example "
        "%u\",\"email\":\"ada%u@example.com\"},"
        "\"destination\":{\"recipient\":\"Ada Example\",\"street\":\"1 Long Street\",\"city\":\"Hamburg\","
        "\"postal\":\"20095\",\"country\":\"DE\"},"
        "\"lineItems\":[{\"productSku\":\"SKU-%u\",\"productName\":\"Bookcase, "
        "oak\",\"vendor\":{\"vendorId\":\"V-%u\"},"
        "\"orderQuantity\":2,\"productPrice\":{\"amount\":\"130.98\",\"currency\":\"EUR\"}},"
        "{\"productSku\":\"SKU-%u\",\"productName\":\"Stacking chair\",\"vendor\":{\"vendorId\":\"V-%u\"},"
        "\"orderQuantity\":3,\"productPrice\":{\"amount\":\"243.98\",\"currency\":\"EUR\"},"
        "\"discountAmount\":\"12.50\"}]}}}",
        create_query, workload->config.run_id, (unsigned long long)number, (unsigned)(1 + mixed % 10),
        (unsigned)(1 + (mixed >> 8) % 28), (unsigned)((mixed >> 16) % 24), (unsigned)((mixed >> 24) % 60),
        (unsigned)((mixed >> 32) % 60), stage, (unsigned)((mixed >> 20) % 50000),
        (unsigned)((mixed >> 20) % 50000), (unsigned)((mixed >> 20) % 50000), (unsigned)(mixed >> 40) % 1000,
        (unsigned)(mixed >> 50) % 20, (unsigned)(mixed >> 30) % 1000, (unsigned)(mixed >> 44) % 20);

    OMS_ASSERT(len > 0 && len < LOAD_BUFFER_SIZE);
    request->body = oms_str_make(request->buffer, (size_t)len);
    request->tag = number;
    return true;
}

static const char *create_check(void *context, uint64_t tag, unsigned status, struct oms_str body)
{
    struct workload *workload = context;
    const char *why = check_common(status, body);

    (void)tag;
    if (why)
        return why;
    if (!HAS(body, "\"success\":true"))
        return "refused";
    if (!HAS(body, "\"created\":true"))
        return "it was there already";
    if (workload->id_count < IDS_KEPT) {
        struct oms_str id = quoted_after(body, "\"orderId\":\"");
        if (!oms_str_present(id))
            return "no order id";
        workload->ids[workload->id_count++] = oms_str_dup(id);
    }
    return NULL;
}

/* ---- hold and release ---- */

static const char hold_query[] =
    "mutation Hold($input: PlaceHoldInput!) { placeHold(input: $input) { result { success "
    "} order { orderId version stage } userErrors { code message } } }";
static const char release_query[] =
    "mutation Release($input: ReleaseHoldInput!) { releaseHold(input: $input) { result "
    "{ success } order { orderId version stage } userErrors { code message } } }";

/* A free order, probing from a random one. */
static struct held_order *free_order(struct workload *workload)
{
    size_t count = workload->config.order_count;
    size_t start = oms_prng_below(&workload->prng, count);

    for (size_t i = 0; i < count; i++) {
        struct held_order *order = &workload->orders[(start + i) % count];
        if (!order->busy)
            return order;
    }
    return NULL;
}

/*
 * Holds are numbered from 1 per order, so after `placed` acknowledged placements HLD-1 … HLD-placed exist,
 * whoever's they are: a release names the lowest that nobody asked to release yet.
 */
static bool hold_next(void *context, struct load_request *request)
{
    struct workload *workload = context;
    bool single = workload->config.order_count == 1;
    struct held_order *order = free_order(workload);
    int len;

    if (!order)
        return false;
    size_t index = (size_t)(order - workload->orders);
    bool release = order->released < order->placed;
    if (!release && order->placed + order->placing - order->released >= HOLDS_AHEAD)
        return false;
    if (release) {
        len = snprintf(
            request->buffer, LOAD_BUFFER_SIZE,
            "{\"query\":\"%s\",\"variables\":{\"input\":{\"orderId\":\"%s\",\"holdId\":\"HLD-%u\"}}}",
            release_query, workload->config.order_ids[index], ++order->released);
    } else {
        len = snprintf(
            request->buffer, LOAD_BUFFER_SIZE,
            "{\"query\":\"%s\",\"variables\":{\"input\":{\"orderId\":\"%s\",\"reason\":\"address check\"}}}",
            hold_query, workload->config.order_ids[index]);
        order->placing++;
    }
    OMS_ASSERT(len > 0 && len < LOAD_BUFFER_SIZE);
    order->busy = !single;
    request->body = oms_str_make(request->buffer, (size_t)len);
    request->tag = (uint64_t)index << 1 | release;
    return true;
}

static const char *hold_check(void *context, uint64_t tag, unsigned status, struct oms_str body)
{
    struct workload *workload = context;
    struct held_order *order = &workload->orders[tag >> 1];
    const char *id = workload->config.order_ids[tag >> 1];
    const char *why = check_common(status, body);

    order->busy = false;
    if (!(tag & 1))
        order->placing--;
    if (why)
        return why;
    if (!HAS(body, "\"success\":true"))
        return "refused";
    if (!contains(body, id, strlen(id)))
        return "another order";
    if (!(tag & 1))
        order->placed++;
    return NULL;
}

/* ---- a page of orders ---- */

static const char page_query[] =
    "query Page($stage: [OrderStage!], $after: String) { orders(first: 20, after: $after, filter: { stage: "
    "$stage }) { "
    "nodes { orderId version stage placedAt paymentStatus fulfillmentStatus customerDetails { name } "
    "finalAmount { amount currency } } pageInfo { hasNextPage endCursor } } }";

static bool page_next(void *context, struct load_request *request)
{
    struct workload *workload = context;
    unsigned stage = workload->stage_next++ % workload->stage_count;
    int len;

    if (workload->cursor_count && oms_prng_below(&workload->prng, 2)) {
        unsigned at = (unsigned)oms_prng_below(&workload->prng, workload->cursor_count);
        stage = workload->cursor_stage[at];
        len = snprintf(request->buffer, LOAD_BUFFER_SIZE,
                       "{\"query\":\"%s\",\"variables\":{\"stage\":[\"%s\"],\"after\":\"%s\"}}", page_query,
                       workload->config.stages[stage], workload->cursors[at]);
    } else {
        len = snprintf(request->buffer, LOAD_BUFFER_SIZE,
                       "{\"query\":\"%s\",\"variables\":{\"stage\":[\"%s\"]}}", page_query,
                       workload->config.stages[stage]);
    }
    OMS_ASSERT(len > 0 && len < LOAD_BUFFER_SIZE);
    request->body = oms_str_make(request->buffer, (size_t)len);
    request->tag = stage;
    return true;
}

static unsigned count_of(struct oms_str text, const char *word)
{
    unsigned count = 0;
    size_t len = strlen(word);
    const char *at = text.data, *end = text.data + text.len;

    while (at < end && (at = memmem(at, (size_t)(end - at), word, len)) != NULL) {
        count++;
        at += len;
    }
    return count;
}

static const char *page_check(void *context, uint64_t tag, unsigned status, struct oms_str body)
{
    struct workload *workload = context;
    const char *why = check_common(status, body);
    char wanted[64];

    if (why)
        return why;
    bool more = HAS(body, "\"hasNextPage\":true");
    unsigned count = count_of(body, "\"orderId\":\"ORD-");
    snprintf(wanted, sizeof(wanted), "\"stage\":\"%s\"", workload->config.stages[tag]);
    if (count_of(body, wanted) != count)
        return "an order of another stage";
    if (count > 20)
        return "more than 20 orders";
    struct oms_str cursor = quoted_after(body, "\"endCursor\":\"");
    if (more && !oms_str_present(cursor))
        return "no end cursor";
    if (count < 20 && more)
        workload->short_pages++;
    if (more && cursor.len < sizeof(workload->cursors[0])) {
        unsigned at = workload->cursor_next++ % CURSORS;
        memcpy(workload->cursors[at], cursor.data, cursor.len);
        workload->cursors[at][cursor.len] = '\0';
        workload->cursor_stage[at] = (unsigned char)tag;
        if (workload->cursor_count < CURSORS)
            workload->cursor_count++;
    }
    return NULL;
}

/* ---- making ---- */

static struct workload *make(const struct workload_config *config,
                             bool (*next)(void *, struct load_request *),
                             const char *(*check)(void *, uint64_t, unsigned, struct oms_str))
{
    struct workload *workload = oms_calloc(1, sizeof(*workload));

    if (config)
        workload->config = *config;
    oms_prng_seed(&workload->prng, workload->config.seed);
    workload->load = (struct load_workload){workload, next, check};
    return workload;
}

static void add_body(struct workload *workload, const char *text)
{
    workload->bodies[workload->body_count] = oms_strdup(text);
    workload->body_lens[workload->body_count++] = strlen(text);
}

struct workload *workload_constant(size_t length)
{
    struct workload *workload = make(NULL, constant_next, constant_check);
    char body[1024];

    /* As long as a request of (e). */
    workload->bodies = oms_calloc(1, sizeof(char *));
    workload->body_lens = oms_calloc(1, sizeof(size_t));
    snprintf(body, sizeof(body),
             "{\"query\":\"%s\",\"variables\":{\"input\":{\"orderId\":\"%s\",\"reason\":\"%s\"}}}",
             hold_query, "ORD-01J00000000000000000000000", "address check");
    add_body(workload, body);
    workload->constant_length = length;
    return workload;
}

struct workload *workload_get(const struct workload_config *config)
{
    struct workload *workload = make(config, get_next, get_check);
    char body[1024];

    OMS_ASSERT(config->order_count > 0);
    workload->bodies = oms_calloc(config->order_count, sizeof(char *));
    workload->body_lens = oms_calloc(config->order_count, sizeof(size_t));
    for (size_t i = 0; i < config->order_count; i++) {
        snprintf(
            body, sizeof(body),
            "{\"query\":\"query Get($id: ID!) { getOrder(orderId: $id) { orderId version externalRef source "
            "placedAt stage fulfillmentStatus paymentStatus activityStatus currency dateCreated dateModified "
            "totalAmount { amount } finalAmount { amount } customerDetails { name } } }\","
            "\"variables\":{\"id\":\"%s\"}}",
            config->order_ids[i]);
        add_body(workload, body);
    }
    return workload;
}

struct workload *workload_create(const struct workload_config *config)
{
    struct workload *workload = make(config, create_next, create_check);
    workload->next_number = config->first;
    workload->ids = oms_calloc(IDS_KEPT, sizeof(char *));
    return workload;
}

struct workload *workload_hold(const struct workload_config *config)
{
    struct workload *workload = make(config, hold_next, hold_check);
    OMS_ASSERT(config->order_count > 0);
    workload->orders = oms_calloc(config->order_count, sizeof(*workload->orders));
    return workload;
}

struct workload *workload_page(const struct workload_config *config)
{
    struct workload *workload = make(config, page_next, page_check);
    while (workload->stage_count < 4 && config->stages[workload->stage_count])
        workload->stage_count++;
    OMS_ASSERT(workload->stage_count > 0);
    return workload;
}

void workload_destroy(struct workload *workload)
{
    if (!workload)
        return;
    for (size_t i = 0; i < workload->body_count; i++)
        oms_free(workload->bodies[i]);
    for (size_t i = 0; i < workload->id_count; i++)
        oms_free(workload->ids[i]);
    oms_free(workload->bodies);
    oms_free(workload->body_lens);
    oms_free(workload->ids);
    oms_free(workload->orders);
    oms_free(workload);
}

const struct load_workload *workload_load(const struct workload *workload)
{
    return &workload->load;
}

size_t workload_take_ids(struct workload *workload, char **ids, size_t max)
{
    size_t count = workload->id_count < max ? workload->id_count : max;
    memcpy(ids, workload->ids, count * sizeof(*ids));
    memmove(workload->ids, workload->ids + count, (workload->id_count - count) * sizeof(*ids));
    workload->id_count -= count;
    return count;
}

uint64_t workload_short_pages(const struct workload *workload)
{
    return workload->short_pages;
}
