/*
 * Sends the same requests again and again and compares every answer with the one that it must be, byte for
 * byte: the client of engine_compare, whose servers must all say the same.
 *
 *   liteoms-replay PORT TOKEN BODIES ANSWERS CONNECTIONS STREAMS WARM_UP_S SECONDS
 *
 * STREAMS 0: HTTP/1.1, one request at a time on each connection; else HTTP/2 in clear text. BODIES and
 * ANSWERS hold a JSON text a line; the n-th answer belongs to the n-th body. TOKEN may be empty. Prints one
 * line of JSON; the exit status is 1 when an answer was wrong or missing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/engine_compare/http1.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define FILE_BYTES_MAX (64u << 20)

struct lines {
    char *text;
    struct oms_str *items;
    size_t count;
};

struct replay {
    struct lines bodies, answers;
    size_t next;
};

static bool read_lines(const char *name, struct lines *lines)
{
    FILE *file = fopen(name, "re");
    if (!file)
        return false;
    lines->text = oms_malloc(FILE_BYTES_MAX);
    size_t len = fread(lines->text, 1, FILE_BYTES_MAX, file);
    fclose(file);
    lines->count = 0;
    for (size_t i = 0; i < len; i++)
        lines->count += lines->text[i] == '\n';
    lines->items = oms_calloc(lines->count + 1, sizeof(lines->items[0]));
    size_t count = 0;
    for (size_t start = 0, i = 0; i < len; i++) {
        if (lines->text[i] != '\n')
            continue;
        lines->items[count++] = oms_str_make(lines->text + start, i - start);
        start = i + 1;
    }
    return lines->count > 0 && len < FILE_BYTES_MAX;
}

static void free_lines(struct lines *lines)
{
    oms_free(lines->text);
    oms_free(lines->items);
}

static bool next(void *context, struct load_request *request)
{
    struct replay *replay = context;
    request->tag = replay->next++ % replay->bodies.count;
    request->body = replay->bodies.items[request->tag];
    return true;
}

static const char *check(void *context, uint64_t tag, unsigned status, struct oms_str body)
{
    const struct replay *replay = context;
    if (status != 200)
        return "the status is not 200";
    return oms_str_eq(body, replay->answers.items[tag]) ? NULL : "another answer than expected";
}

static int measure(struct replay *replay, const struct load_config *config)
{
    static struct load_result result;
    const struct load_workload load = {replay, next, check};
    struct oms_error error = {OMS_OK, ""};
    enum oms_status status = config->streams ? load_run(config, &load, &result, &error)
                                             : http1_run(config, &load, &result, &error);
    if (status != OMS_OK) {
        fprintf(stderr, "liteoms-replay: %s\n", error.message);
        return 1;
    }
    if (result.wrong)
        fprintf(stderr, "liteoms-replay: the first wrong one: %s\n", result.first_wrong);
    printf("{\"answers\":%llu,\"seconds\":%.3f,\"wrong\":%llu,\"unanswered\":%llu,\"p50_us\":%.0f,\"p99_us\":"
           "%.0f}\n",
           (unsigned long long)result.answers, result.seconds, (unsigned long long)result.wrong,
           (unsigned long long)result.unanswered, (double)histogram_quantile(&result.latency, 0.5) / 1e3,
           (double)histogram_quantile(&result.latency, 0.99) / 1e3);
    return result.wrong || result.unanswered || !result.answers;
}

int main(int argc, char **argv)
{
    struct replay replay = {.next = 0};
    if (argc != 9) {
        fprintf(stderr,
                "usage: liteoms-replay PORT TOKEN BODIES ANSWERS CONNECTIONS STREAMS WARM_UP_S SECONDS\n");
        return 2;
    }
    struct load_config config = {.port = (uint16_t)strtoul(argv[1], NULL, 10),
                                 .path = "/graphql",
                                 .token = *argv[2] ? argv[2] : NULL,
                                 .connections = (unsigned)strtoul(argv[5], NULL, 10),
                                 .streams = (unsigned)strtoul(argv[6], NULL, 10),
                                 .warmup_s = strtod(argv[7], NULL),
                                 .duration_s = strtod(argv[8], NULL)};
    int failed = 1;
    if (!read_lines(argv[3], &replay.bodies) || !read_lines(argv[4], &replay.answers) ||
        replay.bodies.count != replay.answers.count)
        fprintf(stderr, "liteoms-replay: %s and %s must have the same number of lines\n", argv[3], argv[4]);
    else
        failed = measure(&replay, &config);
    free_lines(&replay.bodies);
    free_lines(&replay.answers);
    return failed;
}
