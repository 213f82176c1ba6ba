/* /graphiql: types, packing, ETags, what is not there, and who gets the development token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/assets.h"
#include "http_fixture.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

static struct http_router *router;
static struct http_assets *assets;
static struct fake_exchange fake;
static bool minting;

static bool mint(void *context, struct oms_buf *out)
{
    if (context != &minting || !minting)
        return false;
    oms_buf_append_lit(out, "a.token");
    return true;
}

static void make(bool dev)
{
    const struct http_assets_config config = {.token = dev ? mint : NULL, .context = &minting};
    minting = true;
    router = http_router_create(1, NULL);
    assets = http_assets_create(&config);
    http_assets_add_routes(router, assets);
}

static void unmake(void)
{
    http_router_destroy(router);
    http_assets_destroy(assets);
}

/* Asks with up to two headers; the answer stays in `fake` until fake_end. */
static void ask(const char *method, const char *path, const char *name, const char *value)
{
    fake_begin(&fake, method, path);
    fake.exchange.out.max = OMS_RESPONSE_BYTES_MAX; /* as in the server */
    fake.exchange.peer = OMS_STR("127.0.0.1:40000");
    fake.exchange.authority = OMS_STR("127.0.0.1:8080");
    if (name)
        fake_header(&fake, name, value);
    http_router_handle(&fake.exchange, router);
    assert_int_equal(fake.answers, 1);
}

static bool is_packed(void)
{
    const unsigned char *bytes = (const unsigned char *)fake.exchange.out.data;
    return fake.exchange.out.len > 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

static void test_files_and_their_types(void **state)
{
    static const struct {
        const char *path, *type, *begins;
        size_t bytes_min;
    } cases[] = {
        {"/graphiql", "text/html; charset=utf-8", "<!doctype html>", 200},
        {"/graphiql/page.js", "text/javascript; charset=utf-8", "// The page's own part", 2000},
        {"/graphiql/libraries.js", "text/javascript; charset=utf-8", "/**", 500000},
        {"/graphiql/style.css", "text/css; charset=utf-8", "", 20000},
        {"/graphiql/notices.txt", "text/plain; charset=utf-8", "The program carries GraphiQL", 20000},
    };
    (void)state;
    make(false);
    for (size_t i = 0; i < OMS_COUNT_OF(cases); i++) {
        ask("GET", cases[i].path, NULL, NULL);
        assert_int_equal(fake.status, 200);
        assert_string_equal(fake.content_type, cases[i].type);
        assert_true(oms_str_starts(oms_buf_str(&fake.exchange.out), oms_str_of(cases[i].begins)));
        assert_true(fake.exchange.out.len > cases[i].bytes_min);
        assert_string_equal(fake_answer(&fake, "x-content-type-options"), "nosniff");
        assert_string_equal(fake_answer(&fake, "cache-control"), "no-cache");
        assert_string_equal(fake_answer(&fake, "vary"), "accept-encoding");
        assert_null(fake_answer(&fake, "content-encoding"));
        assert_non_null(strstr(fake_answer(&fake, "content-security-policy"), "default-src 'none'"));
        assert_non_null(strstr(fake_answer(&fake, "content-security-policy"), "frame-ancestors 'none'"));
        fake_end(&fake);
    }
    unmake();
}

static void test_what_takes_gzip_gets_it(void **state)
{
    static const struct {
        const char *accepts;
        bool packed;
    } cases[] = {
        {"gzip", true},          {"deflate, gzip;q=0.5, br", true},
        {"GZIP ; q=1.0", true},  {"br, *", true},
        {"*;q=0", false},        {"gzip;q=0, *", false},
        {"gzip;q=0.000", false}, {"identity", false},
        {"gzipped", false},      {"", false},
    };
    (void)state;
    make(false);
    for (size_t i = 0; i < OMS_COUNT_OF(cases); i++) {
        ask("GET", "/graphiql/page.js", "accept-encoding", cases[i].accepts);
        assert_int_equal(fake.status, 200);
        assert_int_equal(is_packed(), cases[i].packed);
        assert_int_equal(fake_answer(&fake, "content-encoding") != NULL, cases[i].packed);
        fake_end(&fake);
    }
    unmake();
}

/* An answer's ETag, copied. */
static void etag_of(const char *path, const char *accepts, char out[64])
{
    ask("GET", path, "accept-encoding", accepts);
    snprintf(out, 64, "%s", fake_answer(&fake, "etag"));
    fake_end(&fake);
}

static void test_etags(void **state)
{
    char plain[64], packed[64], other[64], list[256];
    (void)state;
    make(false);
    etag_of("/graphiql/page.js", "identity", plain);
    etag_of("/graphiql/page.js", "gzip", packed);
    etag_of("/graphiql/style.css", "identity", other);
    assert_string_not_equal(plain, packed); /* two representations */
    assert_string_not_equal(plain, other);

    snprintf(list, sizeof(list), "\"x\", W/%s", plain);
    const char *const holds[] = {plain, list, "*"};
    for (size_t i = 0; i < OMS_COUNT_OF(holds); i++) {
        ask("GET", "/graphiql/page.js", "if-none-match", holds[i]);
        assert_int_equal(fake.status, 304);
        assert_int_equal(fake.exchange.out.len, 0);
        assert_string_equal(fake_answer(&fake, "etag"), plain);
        fake_end(&fake);
    }
    const char *const stale[] = {packed, other, "", "\"\"", "x"};
    for (size_t i = 0; i < OMS_COUNT_OF(stale); i++) {
        ask("GET", "/graphiql/page.js", "if-none-match", stale[i]);
        assert_int_equal(fake.status, 200);
        fake_end(&fake);
    }
    unmake();
}

static void test_what_is_not_there(void **state)
{
    static const char *const paths[] = {"/graphiql/nothing",    "/graphiql/page.js/",
                                        "/graphiql/PAGE.JS",    "/graphiql/page.js.gz",
                                        "/graphiql/../graphql", "/graphiql/index.html"};
    (void)state;
    make(true);
    for (size_t i = 0; i < OMS_COUNT_OF(paths); i++) {
        ask("GET", paths[i], NULL, NULL);
        assert_int_equal(fake.status, 404);
        fake_end(&fake);
    }
    ask("POST", "/graphiql", NULL, NULL);
    assert_int_equal(fake.status, 405);
    fake_end(&fake);
    ask("GET", "/graphiql/", NULL, NULL);
    assert_int_equal(fake.status, 308);
    assert_string_equal(fake_answer(&fake, "location"), "../graphiql");
    fake_end(&fake);
    unmake();
}

static void test_head_is_a_get_without_the_body(void **state)
{
    char etag[64];
    (void)state;
    make(false);
    etag_of("/graphiql", "identity", etag);
    ask("HEAD", "/graphiql", NULL, NULL);
    assert_int_equal(fake.status, 200);
    assert_string_equal(fake_answer(&fake, "etag"), etag);
    assert_true(fake.exchange.out.len > 200); /* the carrier counts it and sends none */
    fake_end(&fake);
    unmake();
}

static bool body_holds(const char *text)
{
    return strstr(fake.body, text) != NULL;
}

static void test_the_token_is_for_this_page_on_this_machine(void **state)
{
    static const struct {
        const char *peer, *host, *name, *value;
        bool given;
    } cases[] = {
        {"127.0.0.1:5", "127.0.0.1:8080", NULL, NULL, true},
        {"[::1]:5", "[::1]:8080", NULL, NULL, true},
        {"127.0.0.1:5", "LocalHost", NULL, NULL, true},
        {"127.0.0.1:5", "127.0.0.1:8080", "origin", "http://127.0.0.1:8080", true},
        {"127.0.0.1:5", "127.0.0.1:8080", "sec-fetch-site", "same-origin", true},
        {"10.0.0.7:5", "127.0.0.1:8080", NULL, NULL, false},
        {"127.0.0.1:5", "orders.example", NULL, NULL, false},
        {"127.0.0.1:5", "localhost.example", NULL, NULL, false},
        {"127.0.0.1:5", "127.0.0.1.example:8080", NULL, NULL, false},
        {"127.0.0.1:5", "127.0.0.1:8080", "origin", "http://127.0.0.1:9090", false},
        {"127.0.0.1:5", "127.0.0.1:8080", "origin", "null", false},
        {"127.0.0.1:5", "127.0.0.1:8080", "origin", "https://shop.example", false},
        {"127.0.0.1:5", "127.0.0.1:8080", "sec-fetch-site", "cross-site", false},
        {"127.0.0.1:5", "127.0.0.1:8080", "sec-fetch-site", "same-site", false},
    };
    (void)state;
    make(true);
    for (size_t i = 0; i < OMS_COUNT_OF(cases); i++) {
        fake_begin(&fake, "GET", "/graphiql/token");
        fake.exchange.peer = oms_str_of(cases[i].peer);
        fake.exchange.authority = oms_str_of(cases[i].host);
        if (cases[i].name)
            fake_header(&fake, cases[i].name, cases[i].value);
        http_router_handle(&fake.exchange, router);
        assert_int_equal(fake.status, 200);
        assert_string_equal(fake_answer(&fake, "cache-control"), "no-store");
        if (body_holds("a.token") != cases[i].given)
            print_error("case %zu: %s\n", i, fake.body);
        assert_int_equal(body_holds("a.token"), cases[i].given);
        assert_int_equal(body_holds("{\"token\":null,\"reason\":\"A token is"), !cases[i].given);
        fake_end(&fake);
    }
    minting = false;
    ask("GET", "/graphiql/token", NULL, NULL);
    assert_true(body_holds("{\"token\":null,\"reason\":\"No token could be made"));
    fake_end(&fake);
    unmake();
}

static void test_there_is_no_token_without_development_mode(void **state)
{
    (void)state;
    make(false);
    ask("GET", "/graphiql/token", NULL, NULL);
    assert_int_equal(fake.status, 200);
    assert_string_equal(fake.body, "{\"token\":null,\"reason\":\"\"}\n");
    fake_end(&fake);
    unmake();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_and_their_types),
        cmocka_unit_test(test_what_takes_gzip_gets_it),
        cmocka_unit_test(test_etags),
        cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_head_is_a_get_without_the_body),
        cmocka_unit_test(test_the_token_is_for_this_page_on_this_machine),
        cmocka_unit_test(test_there_is_no_token_without_development_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
