#include "bench/measure.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/base/alloc.h"
#include "runtime/base/buf.h"

#define SAMPLE_MS 200

struct sampler {
    const struct measure_target *target;
    pthread_t thread;
    atomic_bool stop;
    double lag_max;
};

double measure_metric(const struct measure_target *target, const char *suffix)
{
    struct oms_buf text;
    struct oms_error error;
    unsigned status = 0;
    double value = -1;

    if (!target->has_metrics)
        return value;
    oms_buf_init(&text, 16u << 20);
    if (load_fetch(target->process->port, "GET", "/metrics", target->token, OMS_STR_NONE, &status, &text,
                   &error) == OMS_OK &&
        status == 200)
        oms_buf_append_char(&text, '\0');
    for (char *line = text.data; line && *line;) {
        size_t name = strcspn(line, " {\n");
        if (*line != '#' && name >= strlen(suffix) &&
            memcmp(line + name - strlen(suffix), suffix, strlen(suffix)) == 0) {
            value = strtod(line + strcspn(line, " \n"), NULL);
            break;
        }
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    oms_buf_fini(&text);
    return value;
}

static void *sample(void *argument)
{
    struct sampler *sampler = argument;
    struct timespec pause = {0, SAMPLE_MS * 1000000};

    while (!atomic_load(&sampler->stop)) {
        double lag = measure_metric(sampler->target, "lag_units");
        if (lag > sampler->lag_max)
            sampler->lag_max = lag;
        nanosleep(&pause, NULL);
    }
    return NULL;
}

struct measure_total *measure_total_create(void)
{
    struct measure_total *total = oms_calloc(1, sizeof(*total));
    total->lag_units_max = -1;
    return total;
}

static void add_result(struct load_result *total, const struct load_result *slice)
{
    total->seconds += slice->seconds;
    total->answers += slice->answers;
    if (slice->wrong && !total->wrong)
        memcpy(total->first_wrong, slice->first_wrong, sizeof(total->first_wrong));
    total->wrong += slice->wrong;
    total->unanswered += slice->unanswered;
    total->bytes_in += slice->bytes_in;
    histogram_merge(&total->latency, &slice->latency);
}

enum oms_status measure_slice(const struct measure_target *target, const struct measure_shape *shape,
                              const struct load_workload *workload, struct measure_total *total,
                              struct oms_error *error)
{
    struct load_config config = {.port = target->process->port,
                                 .path = target->path ? target->path : "/graphql",
                                 .token = target->token,
                                 .connections = shape->connections,
                                 .streams = shape->streams,
                                 .warmup_s = shape->warmup_s,
                                 .duration_s = shape->requests_max ? 0 : shape->duration_s,
                                 .rate = shape->rate,
                                 .requests_max = shape->requests_max};
    struct load_result *slice = oms_calloc(1, sizeof(*slice));
    struct sampler sampler = {.target = target, .lag_max = total->lag_units_max};
    double cpu = process_cpu_s(target->process);
    uint64_t begin = load_now_ns();
    bool sampling = target->has_metrics && pthread_create(&sampler.thread, NULL, sample, &sampler) == 0;

    enum oms_status status = load_run(&config, workload, slice, error);
    total->wall_s += (double)(load_now_ns() - begin) / 1e9;
    total->cpu_s += process_cpu_s(target->process) - cpu;
    if (sampling) {
        atomic_store(&sampler.stop, true);
        pthread_join(sampler.thread, NULL);
        total->lag_units_max = sampler.lag_max;
    }
    add_result(&total->result, slice);
    oms_free(slice);
    return status;
}

double measure_rate(const struct measure_total *total)
{
    return total->result.seconds > 0 ? (double)total->result.answers / total->result.seconds : 0;
}
