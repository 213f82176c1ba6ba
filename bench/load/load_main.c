/*
 * One workload against a running server, for profiling and for a look at one thing:
 *
 *   liteoms-load PORT TOKEN constant|create|get|hold|single|page|webhook [CONNECTIONS [STREAMS [SECONDS
 * [RATE]]]]
 *
 * webhook takes the secret of tenant `demo`'s provider wss for TOKEN. get, hold and single first make the
 * orders that they use (10,000, or one).
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/load/webhook_workload.h"
#include "bench/load/workload.h"
#include "runtime/base/alloc.h"

#define ORDERS 10000

static char *ids[ORDERS];

static int report(const struct load_result *result)
{
    printf("%.0f answers/s over %.1f s; us: p50 %.0f, p99 %.0f, p99.9 %.0f, max %.0f; %llu wrong, %llu "
           "unanswered\n",
           (double)result->answers / result->seconds, result->seconds,
           (double)histogram_quantile(&result->latency, 0.5) / 1e3,
           (double)histogram_quantile(&result->latency, 0.99) / 1e3,
           (double)histogram_quantile(&result->latency, 0.999) / 1e3, (double)result->latency.max_ns / 1e3,
           (unsigned long long)result->wrong, (unsigned long long)result->unanswered);
    if (result->wrong)
        fprintf(stderr, "the first wrong one: %s\n", result->first_wrong);
    return result->wrong || result->unanswered;
}

static int run(const struct load_config *config, struct workload *workload)
{
    static struct load_result result;
    struct oms_error error;

    if (load_run(config, workload_load(workload), &result, &error) != OMS_OK) {
        fprintf(stderr, "liteoms-load: %s\n", error.message);
        return 1;
    }
    return report(&result);
}

static int make_orders(struct load_config config, const struct workload_config *made, size_t count)
{
    struct workload *workload = workload_create(made);
    config.rate = 0;
    config.requests_max = count;
    config.duration_s = 0;
    int failed = run(&config, workload);
    if (workload_take_ids(workload, ids, count) != count)
        failed = 1;
    workload_destroy(workload);
    return failed;
}

static double argument(int argc, char **argv, int index, double normal)
{
    return argc > index ? strtod(argv[index], NULL) : normal;
}

int main(int argc, char **argv)
{
    struct load_config config = {.path = "/graphql", .warmup_s = 1};
    char run_id[32];
    struct workload_config what = {.seed = 1,
                                   .run_id = run_id,
                                   .order_ids = ids,
                                   .order_count = ORDERS,
                                   .stages = {"CONFIRMED", "PENDING", "DRAFT"}};
    struct workload *workload = NULL;

    if (argc < 4) {
        fprintf(stderr,
                "usage: liteoms-load PORT TOKEN constant|create|get|hold|single|page|webhook [CONNECTIONS "
                "[STREAMS [SECONDS [RATE]]]]\n");
        return 2;
    }
    const char *name = argv[3];
    config.port = (uint16_t)strtoul(argv[1], NULL, 10);
    config.token = *argv[2] ? argv[2] : NULL;
    config.connections = (unsigned)argument(argc, argv, 4, 32);
    config.streams = (unsigned)argument(argc, argv, 5, 4);
    config.duration_s = argument(argc, argv, 6, 8);
    config.rate = argument(argc, argv, 7, 0);
    if (config.connections < 1 || config.streams < 1 || config.streams > 100) {
        fprintf(stderr, "liteoms-load: 1 or more connections, 1 to 100 streams\n");
        return 2;
    }
    snprintf(run_id, sizeof(run_id), "L%llx", (unsigned long long)time(NULL));
    if (strcmp(name, "single") == 0)
        what.order_count = 1;
    bool needs_orders = strcmp(name, "get") == 0 || strcmp(name, "hold") == 0 || strcmp(name, "single") == 0;
    if (needs_orders && make_orders(config, &what, what.order_count) != 0)
        return 1;
    what.first = 100000000;
    if (strcmp(name, "constant") == 0)
        workload = workload_constant(600);
    else if (strcmp(name, "create") == 0)
        workload = workload_create(&what);
    else if (strcmp(name, "get") == 0)
        workload = workload_get(&what);
    else if (strcmp(name, "hold") == 0 || strcmp(name, "single") == 0)
        workload = workload_hold(&what);
    else if (strcmp(name, "page") == 0)
        workload = workload_page(&what);
    if (strcmp(name, "webhook") == 0) {
        struct webhook_workload hooks;
        struct load_workload load;
        static struct load_result result;
        struct oms_error error;

        webhook_workload_init(&hooks, config.token ? config.token : "", run_id, &load);
        config.path = "/webhook/wss/demo/tenant_create_order";
        config.token = NULL;
        if (load_run(&config, &load, &result, &error) == OMS_OK)
            return report(&result);
        fprintf(stderr, "liteoms-load: %s\n", error.message);
        return 1;
    }
    if (!workload) {
        fprintf(stderr, "liteoms-load: no workload named %s\n", name);
        return 2;
    }
    int failed = run(&config, workload);
    workload_destroy(workload);
    for (size_t i = 0; i < ORDERS; i++)
        oms_free(ids[i]);
    return failed;
}
