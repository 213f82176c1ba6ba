/*
 * Everything that can be said before is said before: a batch that asks too much as a whole is refused as a
 * whole, and nothing of it has run. A request with a fault of its own is answered in its place. See batch.h.
 */
#include "http/api/batch.h"

#include <inttypes.h>

#include "http/api/answer.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

struct api_batch {
    struct http_exchange *exchange;
    enum api_media media;
    size_t count, next;
    bool busy;    /* a request is under way */
    bool running; /* go_on is on the stack: a request that is answered at once does not go in again */
    struct api_request *items[];
};

/* ---- running ---- */

static void finish(struct api_batch *batch)
{
    struct http_exchange *exchange = batch->exchange;
    oms_buf_append_char(&exchange->out, ']');
    if (exchange->out.overflow)
        http_respond_error(exchange, 500, "RESPONSE_TOO_LARGE",
                           "The answer is larger than %u bytes: ask for less", OMS_RESPONSE_BYTES_MAX);
    else
        api_answer(exchange, batch->media, 200, NULL, 0);
}

static void start_next(struct api_batch *batch)
{
    struct api_request *request = batch->items[batch->next],
                       *before = batch->next ? batch->items[batch->next - 1] : NULL;
    oms_buf_append_char(&batch->exchange->out, batch->next ? ',' : '[');
    batch->next++;
    if (before)
        request->rows = before->rows; /* what one has looked at, the next one cannot */
    if (!request->gql) {
        gql_respond(NULL, NULL, &request->errors, &batch->exchange->out);
        return;
    }
    batch->busy = true;
    api_request_start(request);
}

static void go_on(struct api_batch *batch)
{
    if (batch->running)
        return;
    batch->running = true;
    while (!batch->busy && batch->next < batch->count)
        start_next(batch);
    batch->running = false;
    if (!batch->busy)
        finish(batch);
}

void api_batch_answered(struct api_request *request)
{
    struct api_batch *batch = request->batch;
    api_request_write(request);
    batch->busy = false;
    go_on(batch);
}

/* ---- before ---- */

/* What the requests that can run come to. */
struct sum {
    struct api_request **ready;
    size_t count, roots, mutations;
    uint64_t cost;
    bool refused; /* answered, and nothing may be touched any more */
};

static bool make_items(struct api_batch *batch, struct api_request *first, const struct oms_value *list,
                       struct sum *sum)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct api_params params;
        struct api_request *item =
            api_request_create(first->as, first->exchange, first->claims, first->media);
        if (!item)
            return false;
        (void)http_claims_hold(item->claims);
        batch->items[i] = item;
        item->batch = batch;
        if (!api_params_read_item(&list->list.items[i], &params, &item->problem) ||
            !api_request_ready(item, &params)) {
            item->gql = NULL;
            item->as->stats.errors++;
            api_request_drop(item);
            continue;
        }
        enum gql_operation operation = gql_request_operation(item->gql);
        sum->ready[sum->count++] = item;
        sum->roots += item->root_count;
        sum->mutations += operation == GQL_MUTATION ? item->root_count : 0;
        sum->cost += item->cost.requested;
    }
    return true;
}

/* Limits of a request, for all of them. A subscription has no place in an array. */
static bool check_sum(struct api_request *first, const struct sum *sum)
{
    struct api_problem *problem = &first->problem;
    uint64_t cost_max = first->as->api->cost_max;
    for (size_t i = 0; i < sum->count; i++)
        if (gql_request_operation(sum->ready[i]->gql) == GQL_SUBSCRIPTION)
            return api_problem(problem, 400, "BAD_REQUEST", "A subscription cannot stand in a batch");
    if (sum->roots > OMS_GQL_ROOT_FIELDS_MAX)
        return api_problem(problem, 0, "LIMIT_EXCEEDED", "The batch has %zu root fields; %d are the most",
                           sum->roots, OMS_GQL_ROOT_FIELDS_MAX);
    if (cost_max && sum->cost > cost_max)
        return api_problem(problem, 0, "MAX_COST_EXCEEDED",
                           "The batch costs %" PRIu64 ", which is more than the %" PRIu64 " of a request",
                           sum->cost, cost_max);
    if (sum->mutations > 1 && oms_str_present(http_exchange_header(first->exchange, "idempotency-key")))
        return api_problem(problem, 400, "BAD_REQUEST",
                           "The header Idempotency-Key names one mutation, the batch has %zu: give each its "
                           "idempotencyKey in the input",
                           sum->mutations);
    return true;
}

/* Takes what the requests cost. A refusal answers the exchange, in which all of them live: what they hold is
 * known here before. */
static bool admit(struct api_request *first, struct sum *sum)
{
    struct gql_prepared *prepared[HTTP_GRAPHQL_BATCH_MAX];
    const struct http_claims *claims = first->claims;
    size_t count = sum->count;
    if (count == 0)
        return true;
    OMS_ASSERT(count <= HTTP_GRAPHQL_BATCH_MAX);
    for (size_t i = 0; i < count; i++)
        prepared[i] = sum->ready[i]->prepared;
    if (api_admit(sum->ready, count, sum->cost)) {
        for (size_t i = 1; i < count; i++) {
            sum->ready[i]->cost.budget = sum->ready[0]->cost.budget;
            sum->ready[i]->cost.available = sum->ready[0]->cost.available;
        }
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        gql_prepared_release(prepared[i]);
        http_claims_release(claims);
    }
    http_claims_release(claims);
    sum->refused = true;
    return false;
}

static bool check_length(struct api_request *first, size_t count)
{
    unsigned max = first->as->api->config.graphql.batch_max;
    if (count == 0)
        return api_problem(&first->problem, 400, "BAD_REQUEST", "The array of requests is empty");
    if (max == 0)
        return api_problem(
            &first->problem, 400, "BATCH_NOT_SUPPORTED",
            "Arrays of requests are not answered here (graphql.batch_max is 0): send them one by "
            "one, they share a connection");
    return count <= max || api_problem(&first->problem, 400, "LIMIT_EXCEEDED",
                                       "The array has %zu requests; %u are the most", count, max);
}

void api_batch_start(struct api_request *first, const struct oms_value *list)
{
    struct http_exchange *exchange = first->exchange;
    size_t count = list->list.count;
    if (!check_length(first, count)) {
        api_request_refuse(first);
        return;
    }
    struct api_batch *batch =
        oms_arena_calloc(&exchange->arena, 1, sizeof(*batch) + count * sizeof(batch->items[0]));
    struct sum sum = {.ready = oms_arena_calloc(&exchange->arena, count, sizeof(struct api_request *))};
    if (batch)
        *batch = (struct api_batch){.exchange = exchange, .media = first->media, .count = count};
    if (!batch || !sum.ready || !make_items(batch, first, list, &sum))
        (void)api_problem(&first->problem, 503, "BUSY", "The request needs too much memory");
    else if (check_sum(first, &sum) && admit(first, &sum)) {
        api_request_drop(first);
        oms_buf_reset(&exchange->out);
        go_on(batch);
        return;
    }
    if (sum.refused)
        return;
    for (size_t i = 0; i < sum.count; i++)
        api_request_drop(sum.ready[i]);
    api_request_refuse(first);
}
