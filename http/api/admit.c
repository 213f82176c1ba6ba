/*
 * Neighbouring roots of one tenant count once. Every refusal comes before anything is taken, so that a client
 * who is refused and comes again finds what it would have found. See admit.h.
 */
#include "http/api/admit.h"

#include <inttypes.h>
#include <stdio.h>

#include "http/api/answer.h"
#include "http/api/request.h"
#include "http/api/traffic.h"
#include "http/cors.h"
#include "runtime/base/json.h"
#include "runtime/base/prng.h"

#define NS_PER_S UINT64_C(1000000000)

void api_gate_init(struct api_gate *gate, unsigned shards)
{
    http_throttle_init(&gate->requests, shards);
    http_throttle_init(&gate->tenants, shards);
    gate->subjects = NULL;
    oms_random_bytes(&gate->key, sizeof(gate->key));
}

void api_gate_fini(struct api_gate *gate)
{
    http_throttle_fini(&gate->requests);
    http_throttle_fini(&gate->tenants);
    http_budget_table_destroy(gate->subjects);
}

/* ---- tenants ---- */

/* The tenant that a root field names, or NULL: its task then answers what is wrong with that. */
static inline __attribute__((always_inline)) const struct tenant_version *
tenant_of(const struct api_request *request, size_t root)
{
    const struct oms_value *args = gql_request_root(request->gql, root)->args;
    const struct oms_value *input = args ? oms_value_get_set(args, "input") : NULL;
    const struct oms_value *tenant = args ? oms_value_get_set(input ? input : args, "tenantId") : NULL;
    struct oms_str name;
    if (http_claims_tenant(request->claims, request->tenant_header, tenant ? tenant->text : OMS_STR_NONE,
                           request->as->api->config.single_tenant, &name) != HTTP_TENANT_FINE)
        return NULL;
    return actors_tenant_by_name(request->as->shard, name);
}

/* Whether pages of the request's origin may call the tenant: answers 403 when not. */
static inline __attribute__((always_inline)) bool check_origin(struct api_request *request,
                                                               const struct tenant_version *tenant)
{
    const struct api_config *config = &request->as->api->config;
    return !config->cors || !oms_str_present(http_exchange_header(request->exchange, "origin")) ||
           http_cors_check(config->cors(config->cors_context, rt_shard_index(request->as->shard)),
                           request->exchange, tenant->number);
}

static void seconds_text(uint64_t wait_ns, char text[24])
{
    snprintf(text, 24, "%" PRIu64, wait_ns / NS_PER_S + (wait_ns % NS_PER_S != 0));
}

static __attribute__((noinline)) bool take_requests(struct api_request *request,
                                                    const struct tenant_version *tenant, uint64_t count)
{
    struct api_shard *as = request->as;
    char seconds[24];
    uint64_t wait_ns =
        http_throttle_take_many(&as->gate.requests, tenant->number, tenant->limits.requests_per_second, count,
                                rt_mono_ns(as->api->config.host));
    if (!wait_ns)
        return true;
    as->stats.throttled++;
    seconds_text(wait_ns, seconds);
    struct http_header retry = {OMS_STR("retry-after"), oms_str_of(seconds)};
    http_respond_error_with(request->exchange, 429, &retry, 1, "THROTTLED",
                            "Tenant '%.*s' has more than its %" PRIu64
                            " requests a second: nothing was done; retry in %s s",
                            OMS_STR_ARG(tenant->name), tenant->limits.requests_per_second, seconds);
    return false;
}

/* Whether the tenant may have `count` requests more in this second: answers 429 when not. The operator's are
 * not the tenant's: a tenant that is flooded must still be one that can be suspended. */
static inline bool check_rate(struct api_request *request, const struct tenant_version *tenant,
                              uint64_t count)
{
    if (request->claims->is_operator)
        return true;
    if (tenant->limits.requests_per_second && !take_requests(request, tenant, count))
        return false;
    api_traffic_count(request->as->traffic, tenant->number, count, rt_now_ms(request->as->api->config.host));
    return true;
}

/* ---- cost ---- */

static uint64_t lower(uint64_t max, uint64_t other)
{
    return other && (!max || other < max) ? other : max;
}

uint64_t api_cost_max(const struct http_graphql_settings *settings)
{
    return lower(lower(settings->cost_max, settings->tenant_cost.capacity), settings->subject_cost.capacity);
}

void api_cost_write(const struct api_request *request, struct oms_buf *out)
{
    const struct api_cost *cost = &request->cost;
    oms_buf_appendf(out, "\"cost\":{\"requested\":%" PRIu64 ",\"throttle\":", cost->requested);
    if (cost->budget)
        oms_buf_appendf(out, "{\"max\":%" PRIu64 ",\"available\":%" PRIu64 ",\"restoreRate\":%" PRIu64 "}}",
                        cost->budget->capacity, cost->available,
                        /* what this connection's shard restores */
                        (cost->budget->restore + request->as->api->shard_count - 1) /
                            request->as->api->shard_count);
    else
        oms_buf_append_lit(out, "null}");
}

static void respond_throttled(struct api_request *request, const char *whose, struct oms_str who,
                              uint64_t wait_ns)
{
    struct oms_buf *out = &request->exchange->out;
    char seconds[24], text[512];
    seconds_text(wait_ns, seconds);
    struct http_header retry = {OMS_STR("retry-after"), oms_str_of(seconds)};
    snprintf(text, sizeof(text),
             "Throttled: the request costs %" PRIu64 ", %s '%.*s' has %" PRIu64
             " left: nothing was done; retry in %s s",
             request->cost.requested, whose, OMS_STR_ARG(who), request->cost.available, seconds);
    request->as->stats.throttled++;
    oms_buf_reset(out);
    oms_buf_append_lit(out, "{\"errors\":[{\"message\":");
    oms_json_write_string(out, oms_str_of(text));
    oms_buf_append_lit(out, ",\"extensions\":{\"code\":\"THROTTLED\"}}],\"extensions\":{");
    api_cost_write(request, out);
    oms_buf_append_lit(out, "}}");
    api_answer(request->exchange, request->media, 429, &retry, 1);
}

/* One bucket of the request's cost. */
struct purse {
    const struct http_budget *budget;
    uint64_t *full_ns;
};

/* What is left in it, for the client; the scarcer one counts. */
static void note(struct api_request *request, const struct purse *purse, uint64_t now_ns)
{
    uint64_t available =
        http_budget_available(purse->budget, request->as->api->shard_count, *purse->full_ns, now_ns);
    if (request->cost.budget && request->cost.available <= available)
        return;
    request->cost.budget = purse->budget;
    request->cost.available = available;
}

/* The nanoseconds until the purse has the cost. */
static uint64_t wait_of(struct api_request *request, const struct purse *purse, uint64_t now_ns)
{
    uint64_t wait_ns = http_budget_wait(purse->budget, request->as->api->shard_count, *purse->full_ns,
                                        request->cost.requested, now_ns);
    if (wait_ns) {
        request->cost.budget = NULL;
        note(request, purse, now_ns);
    }
    return wait_ns;
}

static void pay(struct api_request *request, const struct purse *purse, uint64_t now_ns)
{
    *purse->full_ns = http_budget_take(purse->budget, request->as->api->shard_count, *purse->full_ns,
                                       request->cost.requested, now_ns);
    note(request, purse, now_ns);
}

/* The subject's bucket: a person is one in each tenant that their token names first. */
static uint64_t *subject_place(struct api_request *request, const struct tenant_version *tenant)
{
    struct api_gate *gate = &request->as->gate;
    const struct http_claims *claims = request->claims;
    struct oms_siphash state;
    uint32_t number = tenant ? tenant->number : UINT32_MAX;
    if (!gate->subjects)
        gate->subjects = http_budget_table_create();
    oms_siphash_init(&state, &gate->key);
    oms_siphash_update(&state, &number, sizeof(number));
    oms_siphash_update(&state, claims->issuer.data, claims->issuer.len);
    oms_siphash_update(&state, "", 1); /* between the two: "a" + "bc" is not "ab" + "c" */
    oms_siphash_update(&state, claims->subject.data, claims->subject.len);
    return http_budget_table_place(gate->subjects, oms_siphash_final(&state).lo);
}

/* Takes the cost out of the subject's and the tenant's budgets; answers 429 when one has not got it. */
static bool take_cost(struct api_request *request, const struct tenant_version *tenant)
{
    const struct http_graphql_settings *settings = &request->as->api->config.graphql;
    uint64_t now_ns = rt_mono_ns(request->as->api->config.host), wait_ns;
    struct purse subject = {.budget = settings->subject_cost.capacity ? &settings->subject_cost : NULL};
    struct purse whole = {.budget = settings->tenant_cost.capacity && tenant ? &settings->tenant_cost : NULL};
    if (subject.budget) {
        subject.full_ns = subject_place(request, tenant);
        wait_ns = wait_of(request, &subject, now_ns);
        if (wait_ns) {
            respond_throttled(request, "the subject", request->claims->subject, wait_ns);
            return false;
        }
    }
    if (whole.budget) {
        whole.full_ns = http_throttle_place(&request->as->gate.tenants, tenant->number);
        wait_ns = wait_of(request, &whole, now_ns);
        if (wait_ns) {
            respond_throttled(request, "the tenant", tenant->name, wait_ns);
            return false;
        }
        pay(request, &whole, now_ns);
    }
    if (subject.budget)
        pay(request, &subject, now_ns);
    return true;
}

static __attribute__((noinline)) bool check_budgets(struct api_request *request,
                                                    const struct tenant_version *tenant, uint64_t sum)
{
    uint64_t own = request->cost.requested;
    request->cost.requested = sum; /* of a batch, whose first request pays for all */
    if (!take_cost(request, tenant))
        return false;
    request->cost.requested = own;
    return true;
}

/* ---- all of it ---- */

/* Origins and rates of the tenants of many roots; `first` becomes the first tenant. */
static __attribute__((noinline)) bool check_tenants(struct api_request *const *requests, size_t count,
                                                    const struct tenant_version **first)
{
    const struct tenant_version *last = NULL;
    uint64_t requests_of_last = 0;
    for (size_t i = 0; i < count; i++) {
        const struct tenant_version *counted = NULL; /* in this request */
        for (size_t root = 0; root < requests[i]->root_count; root++) {
            const struct tenant_version *tenant = tenant_of(requests[i], root);
            if (!tenant || tenant == counted)
                continue;
            if (tenant != last) {
                if ((last && !check_rate(requests[i], last, requests_of_last)) ||
                    !check_origin(requests[i], tenant))
                    return false;
                requests_of_last = 0;
                last = tenant;
                *first = *first ? *first : tenant;
            }
            counted = tenant;
            requests_of_last++;
        }
    }
    return !last || check_rate(requests[0], last, requests_of_last);
}

static bool check_tenant(struct api_request *request, const struct tenant_version **out)
{
    const struct tenant_version *tenant = tenant_of(request, 0);
    *out = tenant;
    return !tenant || (check_origin(request, tenant) && check_rate(request, tenant, 1));
}

bool api_admit(struct api_request *const *requests, size_t count, uint64_t cost)
{
    struct api_request *payer = requests[0];
    struct api_stats *stats = &payer->as->stats;
    const struct http_graphql_settings *settings = &payer->as->api->config.graphql;
    const struct tenant_version *tenant = NULL;
    /* Nearly every request is one with one root. */
    if (count == 1 && payer->root_count == 1 ? !check_tenant(payer, &tenant)
                                             : !check_tenants(requests, count, &tenant))
        return false;
    if ((settings->tenant_cost.capacity || settings->subject_cost.capacity) &&
        !check_budgets(payer, tenant, cost))
        return false;
    unsigned bucket = cost <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(cost - 1); /* cost <= 2^bucket */
    stats->cost_sum += cost;
    stats->costs[bucket < HTTP_METRICS_BUCKETS ? bucket : HTTP_METRICS_BUCKETS - 1]++;
    return true;
}
