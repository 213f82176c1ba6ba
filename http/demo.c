/* What a server has when it starts. See demo.h. */
#include "http/demo.h"

#include <pthread.h>

#include "actors/order_call.h"
#include "actors/order_input.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"

/* ---- waiting for messages to come home, off the shards ---- */

struct latch {
    pthread_mutex_t mutex;
    pthread_cond_t done;
    unsigned left;
};

static void latch_init(struct latch *latch, unsigned count)
{
    pthread_mutex_init(&latch->mutex, NULL);
    pthread_cond_init(&latch->done, NULL);
    latch->left = count;
}

static void latch_count(struct latch *latch)
{
    pthread_mutex_lock(&latch->mutex);
    if (--latch->left == 0)
        pthread_cond_signal(&latch->done);
    pthread_mutex_unlock(&latch->mutex);
}

static void latch_wait(struct latch *latch)
{
    pthread_mutex_lock(&latch->mutex);
    while (latch->left)
        pthread_cond_wait(&latch->done, &latch->mutex);
    pthread_mutex_unlock(&latch->mutex);
    pthread_mutex_destroy(&latch->mutex);
    pthread_cond_destroy(&latch->done);
}

/* ---- tenants ---- */

struct tenant_job {
    struct rt_message start; /* carries the job to shard 0 */
    struct tenant_call call;
    struct oms_buf config;
    struct oms_str name;
    bool exists; /* before the call */
    struct latch *latch;
};

static void tenant_home(struct rt_shard *shard, struct rt_message *message)
{
    (void)shard;
    latch_count(OMS_CONTAINER_OF(message, struct tenant_job, call.message)->latch);
}

static void tenant_start(struct rt_shard *shard, struct rt_message *message)
{
    struct tenant_job *job = OMS_CONTAINER_OF(message, struct tenant_job, start);
    job->exists = actors_tenant_by_name(shard, job->name) != NULL;
    tenant_call_send(shard, &job->call);
}

/*
 * Sends one tenant's version to its actor and waits for it. On a full disk a tenant that exists stays as it
 * is, and a new one has to wait: what is there can be read, and the next start with room brings it up to
 * date.
 */
static enum oms_status put_tenant(struct rt_host *host, const struct tenant_version *version,
                                  struct oms_error *error)
{
    struct tenant_job job = {.start = {.on_return = tenant_start}, .name = version->name};
    struct latch latch;
    latch_init(&latch, 1);
    job.latch = &latch;
    oms_buf_init(&job.config, OMS_TENANT_STATE_BYTES_MAX);
    tenant_version_encode(version, &job.config);
    tenant_call_init(&job.call);
    job.call.config = oms_buf_str(&job.config);
    job.call.message.on_return = tenant_home;
    rt_post(host, 0, &job.start);
    latch_wait(&latch);
    enum oms_status status = job.call.message.status != OMS_OK ? job.call.message.status : job.call.status;
    tenant_call_fini(&job.call);
    oms_buf_fini(&job.config);
    if (status == OMS_NO_SPACE) {
        OMS_LOG(OMS_LOG_WARN, job.exists ? "server.tenant_kept" : "server.tenant_missing",
                OMS_LOG_STR("tenant", version->name),
                OMS_LOG_TEXT("reason",
                             job.exists
                                 ? "the disk is full: its settings are those of the last start"
                                 : "the disk is full: it is new and not served until a start with room"));
        return OMS_OK;
    }
    if (status != OMS_OK)
        return oms_error_set(error, status, "tenant '%.*s' cannot be stored: %s", OMS_STR_ARG(version->name),
                             oms_status_name(status));
    return OMS_OK;
}

/*
 * The demo tenant's workflow shows the language (docs/workflow.md) without being in the way of an ordinary
 * order: the built-in steps, one more for gifts, with a deadline, and conditions of returns and refunds.
 */
static const char demo_tenant[] =
    "{\"name\":\"" HTTP_DEMO_TENANT "\",\"workflow\":{\"steps\":["
    "{\"stage\":\"PENDING\",\"stepName\":\"confirm_order\",\"activityStatus\":\"AwaitingConfirmation\","
    "\"sequence\":10},"
    "{\"stage\":\"CONFIRMED\",\"stepName\":\"review_order\",\"activityStatus\":\"AwaitingReview\","
    "\"sequence\":10,"
    "\"optional\":true},"
    "{\"stage\":\"CONFIRMED\",\"stepName\":\"pick_and_pack\",\"activityStatus\":\"AwaitingPicking\","
    "\"sequence\":20,"
    "\"optional\":true},"
    "{\"stage\":\"CONFIRMED\",\"stepName\":\"gift_wrap\",\"activityStatus\":\"AwaitingWrapping\","
    "\"sequence\":30,"
    "\"when\":[{\"field\":\"productSku\",\"op\":\"matches\",\"value\":\"^GIFT-\"}],\"dueIn\":\"P1D\","
    "\"onDue\":\"skip\"},"
    "{\"stage\":\"CONFIRMED\",\"stepName\":\"mark_as_shipped\",\"activityStatus\":\"AwaitingShipment\","
    "\"sequence\":40},"
    "{\"stage\":\"SHIPPED\",\"stepName\":\"mark_as_completed\",\"activityStatus\":\"AwaitingCompletion\","
    "\"sequence\":10},"
    "{\"stage\":\"COMPLETED\",\"stepName\":\"request_return\",\"sequence\":10,\"conditions\":{\"days_to_"
    "return\":30,"
    "\"non_returnable_sku_patterns\":[\"^GIFT-CARD\"]}},"
    "{\"stage\":\"COMPLETED\",\"stepName\":\"process_refund\",\"sequence\":20,\"conditions\":{"
    "\"restocking_fee_percent\":0}}],"
    "\"defaults\":{\"days_to_return\":30,\"allow_partial_return\":true,\"auto_approve\":false}}}";

static enum oms_status put_demo(struct rt_host *host, struct oms_error *error)
{
    struct oms_json_error fault;
    struct tenant_version *version;
    struct oms_value config;
    struct oms_arena arena;
    oms_arena_init(&arena, 16384, OMS_REQUEST_ARENA_BYTES_MAX);
    enum oms_status status =
        oms_json_parse(oms_str_of(demo_tenant), OMS_JSON_DEPTH_MAX, &arena, &config, &fault);
    OMS_ASSERT(status == OMS_OK);
    status = tenant_parse(&config, &version, error);
    OMS_ASSERT(status == OMS_OK);
    status = put_tenant(host, version, error);
    tenant_version_release(version);
    oms_arena_fini(&arena);
    return status;
}

static enum oms_status put_default(struct rt_host *host, struct oms_str name, struct oms_error *error)
{
    struct tenant_version *version = tenant_create_default(name);
    enum oms_status status = put_tenant(host, version, error);
    tenant_version_release(version);
    return status;
}

enum oms_status http_demo_tenants(struct actors_system *system, struct rt_host *host,
                                  const struct http_config *config, struct oms_error *error)
{
    enum oms_status status = OMS_OK;
    bool demo = false, single = false;
    (void)system;
    for (size_t i = 0; status == OMS_OK && i < config->tenant_count; i++) {
        struct tenant_version *version;
        struct oms_error fault;
        status = tenant_parse(&config->tenants[i], &version, &fault);
        if (status != OMS_OK)
            return oms_error_set(error, status, "tenants[%zu]: %s", i, fault.message);
        demo = demo || oms_str_eq_c(version->name, HTTP_DEMO_TENANT);
        single = single || oms_str_eq(version->name, config->single_tenant);
        status = put_tenant(host, version, error);
        tenant_version_release(version);
    }
    if (status == OMS_OK && config->dev && !demo)
        status = put_demo(host, error);
    if (status == OMS_OK && config->single_tenant.len && !single &&
        !(config->dev && oms_str_eq_c(config->single_tenant, HTTP_DEMO_TENANT)))
        status = put_default(host, config->single_tenant, error);
    return status;
}

/* ---- sample orders ---- */

/* Inputs of createOrder; the reference makes a repeat harmless. */
static const char *const samples[] = {
    "{\"externalRef\":\"DEMO-1001\",\"source\":\"demo\",\"customerDetails\":{\"customerId\":\"ada\",\"name\":"
    "\"Ada Byron\",\"email\":\"ada@example.com\"},\"destination\":{\"recipient\":\"Ada Byron\",\"street\":"
    "\"12 St James Square\",\"city\":\"London\",\"postal\":\"SW1Y 4JH\",\"country\":\"GB\"},\"lineItems\":["
    "{\"productSku\":\"TEA-EARL-100\",\"productName\":\"Earl Grey, 100 "
    "g\",\"vendor\":{\"vendorId\":\"tea-house\","
    "\"name\":\"The Tea "
    "House\",\"country\":\"GB\"},\"orderQuantity\":2,\"productPrice\":{\"amount\":\"7.50\","
    "\"currency\":\"GBP\"}},{\"productSku\":\"CUP-BLUE\",\"productName\":\"Blue "
    "cup\",\"vendor\":{\"vendorId\":"
    "\"potter\",\"name\":\"Potter & Daughter\"},\"orderQuantity\":1,\"productPrice\":{\"amount\":\"12.00\","
    "\"currency\":\"GBP\"}}],\"shippingDetails\":{\"method\":\"Standard\",\"cost\":\"3.20\"}}",
    "{\"externalRef\":\"DEMO-1002\",\"source\":\"demo\",\"stage\":\"PENDING\",\"customerDetails\":{"
    "\"customerId\":"
    "\"grace\",\"name\":\"Grace "
    "Hopper\",\"email\":\"grace@example.com\"},\"destination\":{\"city\":\"Arlington\","
    "\"state\":\"VA\",\"postal\":\"22201\",\"country\":\"US\",\"street\":\"1 Navy Yard\"},\"lineItems\":[{"
    "\"productSku\":\"BOOK-COBOL\",\"productName\":\"COBOL for "
    "everybody\",\"productCategory\":\"Books\",\"vendor\":"
    "{\"vendorId\":\"bookshop\"},\"orderQuantity\":1,\"productPrice\":{\"amount\":\"24.90\",\"currency\":"
    "\"USD\"},"
    "\"discountAmount\":\"2.50\"}],\"taxLines\":[{\"title\":\"Sales tax\",\"rate\":\"0.06\"}]}",
    "{\"externalRef\":\"DEMO-1003\",\"source\":\"demo\",\"customerDetails\":{\"customerId\":\"alan\","
    "\"name\":"
    "\"Alan Turing\"},\"destination\":{\"city\":\"Wilmslow\",\"country\":\"United Kingdom\",\"postal\":\"SK9 "
    "1AA\"},"
    "\"lineItems\":[{\"productSku\":\"APPLE-6\",\"productName\":\"Apples, six\",\"vendor\":{\"vendorId\":"
    "\"orchard\"},\"orderQuantity\":3,\"productPrice\":{\"amount\":\"2.10\",\"currency\":\"GBP\"}}],"
    "\"paymentDetails\":{\"method\":\"card\",\"provider\":\"demo-pay\",\"paidAmount\":\"6.30\","
    "\"transactionId\":"
    "\"T-1003\"}}",
};

struct order_job {
    struct rt_message start;
    struct actors_system *system;
    struct order_call call;
    struct order_command command;
    struct refusal_list refusals;
    struct principal principal;
    const char *sample;
    bool refused;
    struct latch *latch;
};

static void order_render(struct order_call *call, const struct order_reply *reply)
{
    OMS_CONTAINER_OF(call, struct order_job, call)->refused = reply->refusals && reply->refusals->count;
}

static void order_home(struct rt_shard *shard, struct rt_message *message)
{
    (void)shard;
    latch_count(OMS_CONTAINER_OF(message, struct order_job, call.message)->latch);
}

/* On shard 0: parses the sample and sends it to its order. */
static void order_start(struct rt_shard *shard, struct rt_message *message)
{
    struct order_job *job = OMS_CONTAINER_OF(message, struct order_job, start);
    const struct tenant_version *tenant = actors_tenant_by_name(shard, OMS_STR(HTTP_DEMO_TENANT));
    struct oms_value *input = OMS_ARENA_NEW(&job->call.arena, struct oms_value);
    struct oms_json_error fault;
    unsigned char id[IDS_ORDER_SIZE];
    bool known;
    enum oms_status parsed =
        oms_json_parse(oms_str_of(job->sample), OMS_JSON_DEPTH_MAX, &job->call.arena, input, &fault);
    OMS_ASSERT(parsed == OMS_OK);
    if (!tenant) { /* see put_tenant */
        job->call.message.status = OMS_NOT_FOUND;
        latch_count(job->latch);
        return;
    }
    job->principal = (struct principal){
        .kind = PRINCIPAL_SYSTEM, .tenant = tenant->number, .display_name = OMS_STR("LiteOMS demo")};
    struct order_input_context context = {.principal = &job->principal, .id_key = actors_id_key(job->system)};
    refusal_list_init(&job->refusals, &job->call.arena);
    bool fine = order_input_parse(ORDER_COMMAND_CREATE_ORDER, input, &context, &job->call.arena,
                                  &job->command, id, &known, &job->refusals);
    OMS_ASSERT(fine);
    job->call.kind = ORDER_CALL_COMMAND;
    job->call.principal = &job->principal;
    job->call.command = &job->command;
    job->call.command_type = ORDER_COMMAND_CREATE_ORDER;
    job->call.render = order_render;
    job->call.message.on_return = order_home;
    ids_order_address(tenant->number, id, &job->call.message.to);
    order_call_send(shard, &job->call);
}

enum oms_status http_demo_orders(struct actors_system *system, struct rt_host *host, struct oms_error *error)
{
    struct order_job jobs[OMS_COUNT_OF(samples)];
    struct latch latch;
    enum oms_status status = OMS_OK;
    latch_init(&latch, OMS_COUNT_OF(samples));
    memset(jobs, 0, sizeof(jobs));
    for (size_t i = 0; i < OMS_COUNT_OF(samples); i++) {
        jobs[i].system = system;
        jobs[i].sample = samples[i];
        jobs[i].latch = &latch;
        jobs[i].start.on_return = order_start;
        oms_arena_init(&jobs[i].call.arena, 8192, OMS_REQUEST_ARENA_BYTES_MAX);
        rt_post(host, 0, &jobs[i].start);
    }
    latch_wait(&latch);
    for (size_t i = 0; i < OMS_COUNT_OF(samples); i++) {
        /* CONFLICT would mean that somebody gave a sample's reference to an order of their own: theirs to
         * keep. */
        if (jobs[i].call.message.status != OMS_OK || jobs[i].call.result != ORDER_CALL_DONE)
            status = OMS_BUSY;
        oms_arena_fini(&jobs[i].call.arena);
    }
    if (status != OMS_OK)
        return oms_error_set(error, status,
                             "the sample orders of tenant '" HTTP_DEMO_TENANT "' cannot be placed");
    return OMS_OK;
}
