/* Routes, methods, refusals, and error bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/cors.h"
#include "http/router.h"
#include "http_fixture.h"

static const char *handled;

static void handle(struct http_exchange *exchange, void *context)
{
    handled = context;
    http_respond(exchange, 200, "text/plain", NULL, 0);
}

static struct http_router *make_router(void)
{
    static char exact[] = "exact", below[] = "below", deeper[] = "deeper";
    const struct http_route routes[] = {
        {"/webhook/", 1u << HTTP_POST, handle, below},
        {"/graphql", 1u << HTTP_GET | 1u << HTTP_POST, handle, exact},
        {"/webhook/deep/", 1u << HTTP_POST, handle, deeper},
    };
    struct http_router *router = http_router_create(1, NULL);
    for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++)
        http_router_add(router, &routes[i]);
    return router;
}

static unsigned ask(struct http_router *router, struct fake_exchange *fake, const char *method,
                    const char *path)
{
    handled = NULL;
    fake_begin(fake, method, path);
    http_router_handle(&fake->exchange, router);
    assert_int_equal(fake->answers, 1);
    return fake->status;
}

static void test_longest_path_wins(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        unsigned status;
        const char *handler;
    } cases[] = {
        {"POST", "/graphql", 200, "exact"},      {"HEAD", "/graphql", 200, "exact"},
        {"POST", "/graphql/", 404, NULL},        {"POST", "/graphqlx", 404, NULL},
        {"POST", "/webhook/a/b", 200, "below"},  {"POST", "/webhook/", 200, "below"},
        {"POST", "/webhook", 404, NULL},         {"POST", "/webhook/deep/x", 200, "deeper"},
        {"POST", "/webhook/deep", 200, "below"}, {"POST", "/", 404, NULL},
        {"GET", "/webhook/a", 405, NULL},        {"BREW", "/graphql", 405, NULL},
        {"get", "/graphql", 405, NULL},          {"POST", "/GraphQL", 404, NULL},
    };
    struct http_router *router = make_router();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct fake_exchange fake;
        assert_int_equal(ask(router, &fake, cases[i].method, cases[i].path), cases[i].status);
        assert_true((handled == NULL) == (cases[i].handler == NULL));
        if (handled)
            assert_string_equal(handled, cases[i].handler);
        fake_end(&fake);
    }
    http_router_destroy(router);
}

static void test_errors_say_what(void **state)
{
    (void)state;
    struct http_router *router = make_router();
    struct fake_exchange fake;
    ask(router, &fake, "DELETE", "/graphql");
    assert_string_equal(fake_answer(&fake, "allow"), "GET, HEAD, POST");
    assert_string_equal(fake.content_type, "application/json; charset=utf-8");
    assert_non_null(strstr(fake.body, "\"code\":\"METHOD_NOT_ALLOWED\""));
    fake_end(&fake);
    ask(router, &fake, "GET", "/nothing");
    assert_string_equal(fake.body, "{\"errors\":[{\"message\":\"there is nothing at this path\","
                                   "\"extensions\":{\"code\":\"NOT_FOUND\"}}]}");
    fake_end(&fake);
    http_router_destroy(router);
}

static void test_refusals_come_first(void **state)
{
    (void)state;
    struct http_router *router = make_router();
    struct fake_exchange fake;
    fake_begin(&fake, "POST", "/graphql");
    fake.exchange.refusal = 503;
    handled = NULL;
    http_router_handle(&fake.exchange, router);
    assert_int_equal(fake.status, 503);
    assert_string_equal(fake_answer(&fake, "retry-after"), "1");
    assert_null(handled);
    fake_end(&fake);
    fake_begin(&fake, "POST", "/graphql");
    fake.exchange.refusal = 413;
    http_router_handle(&fake.exchange, router);
    assert_int_equal(fake.status, 413);
    assert_null(handled);
    fake_end(&fake);
    http_router_destroy(router);
}

static void test_cross_origin(void **state)
{
    (void)state;
    const struct oms_str origin = OMS_STR("https://shop.example");
    struct http_router *router = make_router();
    struct http_cors *cors = http_cors_create(false);
    struct fake_exchange fake;
    http_cors_set(cors, 1, &origin, 1);
    http_router_set_cors(router, 0, cors);

    fake_begin(&fake, "OPTIONS", "/graphql");
    fake_header(&fake, "origin", "https://shop.example");
    fake_header(&fake, "access-control-request-method", "POST");
    http_router_handle(&fake.exchange, router);
    assert_int_equal(fake.status, 204);
    assert_string_equal(fake_answer(&fake, "access-control-allow-methods"), "GET, HEAD, POST");
    fake_end(&fake);

    /* A page must be able to read an error. */
    fake_begin(&fake, "GET", "/nothing");
    fake_header(&fake, "origin", "https://shop.example");
    http_router_handle(&fake.exchange, router);
    assert_int_equal(fake.status, 404);
    assert_string_equal(fake_answer(&fake, "access-control-allow-origin"), "https://shop.example");
    fake_end(&fake);

    /* OPTIONS that is no preflight is a method like any other. */
    assert_int_equal(ask(router, &fake, "OPTIONS", "/graphql"), 405);
    fake_end(&fake);
    http_router_destroy(router);
    http_cors_destroy(cors);
}

static void test_error_text(void **state)
{
    (void)state;
    struct fake_exchange fake;
    char text[1024];
    fake_begin(&fake, "GET", "/");
    oms_buf_append_lit(&fake.exchange.out, "half an answer");
    http_respond_error(&fake.exchange, 400, "BAD", "a \"%s\"", "quote");
    assert_string_equal(fake.body,
                        "{\"errors\":[{\"message\":\"a \\\"quote\\\"\",\"extensions\":{\"code\":\"BAD\"}}]}");
    fake_end(&fake);
    /* A message that is cut off in the middle of a character stays valid UTF-8. */
    for (size_t i = 0; i + 2 < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa4", 3);
    fake_begin(&fake, "GET", "/");
    http_respond_error(&fake.exchange, 400, "BAD", "%s", text);
    assert_null(strchr(strstr(fake.body, "\xc3\xa4\""), '\xff'));
    assert_non_null(strstr(fake.body, "\xc3\xa4\",\"extensions\""));
    fake_end(&fake);
}

static void test_response_over_its_maximum(void **state)
{
    (void)state;
    struct fake_exchange fake;
    char block[4096] = {0};
    fake_begin(&fake, "GET", "/");
    for (unsigned i = 0; i < 300; i++)
        oms_buf_append(&fake.exchange.out, block, sizeof(block));
    http_respond(&fake.exchange, 200, "text/plain", NULL, 0);
    assert_int_equal(fake.answers, 1);
    assert_int_equal(fake.status, 500);
    assert_non_null(strstr(fake.body, "LIMIT_EXCEEDED"));
    fake_end(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longest_path_wins),   cmocka_unit_test(test_errors_say_what),
        cmocka_unit_test(test_refusals_come_first), cmocka_unit_test(test_cross_origin),
        cmocka_unit_test(test_error_text),          cmocka_unit_test(test_response_over_its_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
