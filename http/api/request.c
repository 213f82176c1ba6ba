/* The course of one request: tasks out, results in, one answer. See request.h. */
#include "http/api/request.h"

#include "http/api/answer.h"
#include "http/api/batch.h"
#include "http/api/fan.h"
#include "runtime/base/limits.h"

static void add_errors(struct gql_errors *to, const struct gql_errors *from)
{
    for (size_t i = 0; i < from->count; i++) {
        struct gql_error *error = gql_errors_add(to, from->items[i].code, "%s", "");
        if (error)
            *error = from->items[i];
    }
    to->truncated = to->truncated || from->truncated;
}

/* Behind the response that was just written: what it has cost. */
static void write_cost(const struct api_request *request, struct oms_buf *out)
{
    if (out->overflow)
        return;
    out->len--; /* the brace that closes the response */
    oms_buf_append_lit(out, ",\"extensions\":{");
    api_cost_write(request, out);
    oms_buf_append_lit(out, "}}");
}

void api_request_write(struct api_request *request)
{
    struct oms_buf *out = &request->exchange->out;
    for (size_t i = 0; i < request->root_count; i++) {
        struct api_task *task = request->tasks[i];
        if (!task)
            continue;
        request->results[i].outcome = task->outcome;
        request->results[i].json = oms_buf_str(&task->call.out);
        add_errors(&request->errors, &task->errors);
    }
    gql_respond(request->gql, request->results, &request->errors, out);
    if (request->cost.wanted)
        write_cost(request, out);
    request->as->stats.errors += request->errors.count != 0;
    for (size_t i = 0; i < request->root_count; i++)
        if (request->tasks[i])
            api_task_recycle(request->tasks[i]);
    api_request_drop(request);
}

/* Everything is in: one response for all roots. */
static void answer(struct api_request *request)
{
    struct http_exchange *exchange = request->exchange;
    if (request->batch) {
        api_batch_answered(request);
        return;
    }
    oms_buf_reset(&exchange->out);
    api_request_write(request);
    if (exchange->out.overflow)
        http_respond_error(exchange, 500, "RESPONSE_TOO_LARGE",
                           "The answer is larger than %u bytes: ask for less", OMS_RESPONSE_BYTES_MAX);
    else
        api_answer(exchange, request->media, 200, NULL, 0);
}

static void start_root(struct api_request *request, size_t index)
{
    const struct gql_root *root = gql_request_root(request->gql, index);
    struct api_task *task = api_task_take(request, index);
    request->tasks[index] = task;
    request->pending++;
    if (root->host) {
        ((const struct api_root_op *)root->host)->start(task);
        return;
    }
    task->outcome = gql_execute_meta(request->gql, index, &task->call.out, &task->errors);
    api_task_finish(task);
}

/* Starts the next mutation, one at a time, so that each sees what the one before did (section 6.2.2). */
static void go_on(struct api_request *request)
{
    while (request->pending == 1 && request->next_root < request->root_count)
        start_root(request, request->next_root++);
}

void api_task_finish(struct api_task *task)
{
    if (task->part_of) {
        api_fan_finish(task);
        return;
    }
    struct api_request *request = task->request;
    if (--request->pending != 0)
        return;
    request->pending = 1;
    go_on(request);
    if (--request->pending == 0)
        answer(request);
}

void api_request_start(struct api_request *request)
{
    request->pending = 1;
    if (gql_request_operation(request->gql) == GQL_MUTATION) {
        request->as->stats.mutations++;
        go_on(request);
    } else {
        request->as->stats.queries++;
        while (request->next_root < request->root_count)
            start_root(request, request->next_root++);
    }
    if (--request->pending == 0)
        answer(request);
}
