/* The benchmark's checks can fail: each kind of wrong answer is found, and every request is one that is valid
 * then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench/load/workload.h"
#include "runtime/base/arena.h"
#include "runtime/base/json.h"

static char id_a[] = "ORD-AAAA", id_b[] = "ORD-BBBB";
static char *ids[] = {id_a, id_b};

static const struct workload_config config = {
    .seed = 1, .run_id = "T", .order_ids = ids, .order_count = 2, .stages = {"CONFIRMED"}};

static const char *answer(struct workload *workload, uint64_t tag, unsigned status, const char *body)
{
    const struct load_workload *load = workload_load(workload);
    return load->check(load->context, tag, status, oms_str_of(body));
}

static bool next(struct workload *workload, struct load_request *request)
{
    const struct load_workload *load = workload_load(workload);
    return load->next(load->context, request);
}

/* Every body must be JSON; returns variables.input. */
static void assert_is_json(struct oms_str body, const char *member, const char *wanted)
{
    struct oms_arena arena;
    struct oms_value value;
    struct oms_json_error error;

    oms_arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(oms_json_parse(body, 16, &arena, &value, &error), OMS_OK);
    const struct oms_value *variables = oms_value_get(&value, "variables");
    assert_non_null(variables);
    const struct oms_value *input = oms_value_get(variables, "input");
    const struct oms_value *found = oms_value_get(input ? input : variables, member);
    assert_non_null(found);
    if (wanted)
        assert_true(oms_str_eq_c(found->text, wanted));
    oms_arena_fini(&arena);
}

static void test_get(void **state)
{
    struct workload *workload = workload_get(&config);
    struct load_request request = {0};

    (void)state;
    assert_true(next(workload, &request));
    assert_is_json(request.body, "id", ids[request.tag]);
    assert_null(answer(workload, 0, 200, "{\"data\":{\"getOrder\":{\"orderId\":\"ORD-AAAA\"}}}"));
    assert_non_null(answer(workload, 0, 200, "{\"data\":{\"getOrder\":{\"orderId\":\"ORD-BBBB\"}}}"));
    assert_non_null(answer(workload, 0, 200, "{\"data\":{\"getOrder\":null}}"));
    assert_non_null(
        answer(workload, 0, 200, "{\"errors\":[],\"data\":{\"getOrder\":{\"orderId\":\"ORD-AAAA\"}}}"));
    assert_non_null(answer(workload, 0, 503, "ORD-AAAA"));
    assert_non_null(answer(workload, 0, 0, "ORD-AAAA"));
    workload_destroy(workload);
}

static void test_create(void **state)
{
    struct workload *workload = workload_create(&config);
    char buffer[LOAD_BUFFER_SIZE];
    struct load_request request = {.buffer = buffer};
    char *taken[2] = {NULL, NULL};

    (void)state;
    for (unsigned i = 0; i < 500; i++) {
        char wanted[32];
        assert_true(next(workload, &request));
        snprintf(wanted, sizeof(wanted), "T-%u", i);
        assert_is_json(request.body, "externalRef", wanted);
    }
    assert_null(
        answer(workload, 0, 200, "{\"created\":true,\"result\":{\"success\":true},\"orderId\":\"ORD-1\"}"));
    assert_non_null(
        answer(workload, 0, 200, "{\"created\":false,\"result\":{\"success\":true},\"orderId\":\"ORD-1\"}"));
    assert_non_null(
        answer(workload, 0, 200, "{\"created\":true,\"result\":{\"success\":false},\"orderId\":\"ORD-1\"}"));
    assert_int_equal(workload_take_ids(workload, taken, 2), 1);
    assert_string_equal(taken[0], "ORD-1");
    free(taken[0]);
    workload_destroy(workload);
}

static void test_hold_then_release(void **state)
{
    struct workload *workload = workload_hold(&config);
    char buffers[3][LOAD_BUFFER_SIZE];
    struct load_request requests[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        requests[i] = (struct load_request){.buffer = buffers[i]};
    assert_true(next(workload, &requests[0]));
    assert_true(next(workload, &requests[1]));
    assert_false(next(workload, &requests[2])); /* both orders are busy */
    assert_is_json(requests[0].body, "reason", NULL);
    assert_non_null(answer(workload, requests[1].tag, 200, "{\"success\":false}"));
    assert_null(
        answer(workload, requests[0].tag, 200,
               requests[0].tag >> 1 ? "{\"success\":true,\"ORD-BBBB\"}" : "{\"success\":true,\"ORD-AAAA\"}"));
    /* The one that has a hold gets a release of it, the one whose hold was refused another try. */
    assert_true(next(workload, &requests[1]));
    assert_true(next(workload, &requests[2]));
    struct load_request *release = requests[1].tag >> 1 == requests[0].tag >> 1 ? &requests[1] : &requests[2];
    struct load_request *again = release == &requests[1] ? &requests[2] : &requests[1];
    assert_is_json(release->body, "holdId", "HLD-1");
    assert_is_json(again->body, "reason", NULL);
    workload_destroy(workload);
}

static void test_page(void **state)
{
    struct workload *workload = workload_page(&config);
    char buffer[LOAD_BUFFER_SIZE];
    struct load_request request = {.buffer = buffer};
    bool followed = false;

    (void)state;
    assert_true(next(workload, &request));
    assert_is_json(request.body, "stage", NULL);
    assert_non_null(
        answer(workload, 0, 200, "{\"orderId\":\"ORD-1\",\"stage\":\"DRAFT\",\"hasNextPage\":false}"));
    assert_non_null(
        answer(workload, 0, 200, "{\"orderId\":\"ORD-1\",\"stage\":\"CONFIRMED\",\"hasNextPage\":true}"));
    assert_null(
        answer(workload, 0, 200,
               "{\"orderId\":\"ORD-1\",\"stage\":\"CONFIRMED\",\"hasNextPage\":true,\"endCursor\":\"c1\"}"));
    assert_int_equal(workload_short_pages(workload), 1);
    for (unsigned i = 0; i < 50 && !followed; i++) {
        assert_true(next(workload, &request));
        followed = memmem(request.body.data, request.body.len, "\"after\":\"c1\"", 12) != NULL;
    }
    assert_true(followed);
    workload_destroy(workload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_hold_then_release),
        cmocka_unit_test(test_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
