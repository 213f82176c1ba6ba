/* The type of an answer by the Accept header, and what a body's Content-Type says. */
#include "http/api/negotiate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "runtime/base/assert.h"

static void accept(void **state)
{
    static const struct {
        const char *header;
        enum api_media media;
        bool streams;
    } cases[] = {
        {NULL, API_MEDIA_JSON, false},
        {"*/*", API_MEDIA_JSON, false},
        {"application/*", API_MEDIA_JSON, false},
        {"application/json", API_MEDIA_JSON, false},
        {"Application/JSON ; Charset=UTF-8", API_MEDIA_JSON, false},
        {"application/json; charset=\"utf8\"", API_MEDIA_JSON, false},
        {"application/json; charset=iso-8859-1", API_MEDIA_NONE, false},
        {"application/json; charset=iso-8859-1, */*", API_MEDIA_JSON, false},
        {"application/graphql-response+json", API_MEDIA_GRAPHQL_RESPONSE, false},
        {"application/graphql-response+json; charset=utf-8, application/json;q=0.9",
         API_MEDIA_GRAPHQL_RESPONSE, false},
        {"application/json, application/graphql-response+json", API_MEDIA_GRAPHQL_RESPONSE, false},
        {"application/json, application/graphql-response+json;q=0.9", API_MEDIA_JSON, false},
        {"application/json;q=0.1, application/graphql-response+json;q=0.01", API_MEDIA_JSON, false},
        {"application/json;q=0.5, */*", API_MEDIA_GRAPHQL_RESPONSE, false},
        {"application/json;q=0, */*", API_MEDIA_GRAPHQL_RESPONSE, false},
        {"application/json;q=0.000, application/graphql-response+json;q=0", API_MEDIA_NONE, false},
        {"*/*;q=0", API_MEDIA_NONE, false},
        {"*/*;q=0, application/json;q=0.001", API_MEDIA_JSON, false},
        {"text/html", API_MEDIA_NONE, false},
        {"text/html, application/xhtml+xml, */*;q=0.8", API_MEDIA_JSON, false},
        {"application/jsonx", API_MEDIA_NONE, false},
        {"application/json; profile=\"a,text/event-stream;q=1\"", API_MEDIA_JSON, false},
        {"application/json; profile=\"never closed", API_MEDIA_JSON, false},
        {"application/json; profile=\"ends in \\", API_MEDIA_JSON, false},
        {"application/json;q=x", API_MEDIA_JSON, false},
        {"application/json;q=", API_MEDIA_JSON, false},
        {",, ,application/json", API_MEDIA_JSON, false},
        {"", API_MEDIA_JSON, false},
        {";", API_MEDIA_NONE, false},
        {"text/event-stream", API_MEDIA_EVENT_STREAM, true},
        {"text/event-stream, application/json;q=0.5", API_MEDIA_EVENT_STREAM, true},
        {"text/event-stream, multipart/mixed", API_MEDIA_EVENT_STREAM, true},
        {"text/event-stream;q=0", API_MEDIA_NONE, false},
        {"application/json, text/event-stream", API_MEDIA_JSON, true},
        {"application/graphql-response+json, application/graphql+json, application/json, text/event-stream, "
         "multipart/mixed",
         API_MEDIA_GRAPHQL_RESPONSE, true},
        {"text/event-stream, */*", API_MEDIA_JSON, true},
        {"text/event-stream, */*;q=0.1", API_MEDIA_EVENT_STREAM, true},
    };
    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(cases); i++) {
        struct api_accepted got = api_negotiate(oms_str_of(cases[i].header));
        if (got.media != cases[i].media || got.streams != cases[i].streams)
            fail_msg("Accept: %s gives %d, streams %d", cases[i].header, (int)got.media, (int)got.streams);
    }
}

static void body(void **state)
{
    static const struct {
        const char *header;
        enum api_body_type type;
    } cases[] = {
        {NULL, API_BODY_OTHER},
        {"", API_BODY_OTHER},
        {"application/json", API_BODY_JSON},
        {"APPLICATION/json", API_BODY_JSON},
        {" application/json ", API_BODY_JSON},
        {"application/json; charset=utf-8", API_BODY_JSON},
        {"application/json;charset=\"UTF-8\"; x=y", API_BODY_JSON},
        {"application/json; profile=1", API_BODY_JSON},
        {"application/json; charset=utf-16", API_BODY_CHARSET},
        {"application/json; x=y; charset=latin1", API_BODY_CHARSET},
        {"application/jsonp", API_BODY_OTHER},
        {"application/graphql", API_BODY_OTHER},
        {"text/plain", API_BODY_OTHER},
        {"application/x-www-form-urlencoded", API_BODY_OTHER},
    };
    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(cases); i++)
        if (api_body_type(oms_str_of(cases[i].header)) != cases[i].type)
            fail_msg("Content-Type: %s", cases[i].header);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(api_media_type(API_MEDIA_JSON), "application/json; charset=utf-8");
    assert_string_equal(api_media_type(API_MEDIA_NONE), "application/json; charset=utf-8");
    assert_string_equal(api_media_type(API_MEDIA_GRAPHQL_RESPONSE),
                        "application/graphql-response+json; charset=utf-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept),
        cmocka_unit_test(body),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
