/*
 * Documents of any bytes: prepare, bind, execute on the shop of the tests. What stands behind a NUL byte is
 * the variables' JSON; without one they are some of a few that fit often. A response must always be one JSON
 * object with data or errors, whose places lie in the document. A document that starts with "schema" feeds
 * the SDL side instead.
 */
#include <stdint.h>
#include <stdlib.h>

#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "tests/unit/graphql_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_schema(struct oms_str sdl)
{
    struct gql_schema_config config = gqf_config("");
    struct gql_schema *schema;
    struct oms_error error;

    config.sdl = sdl;
    if (gql_schema_create(&config, &schema, &error) == OMS_OK)
        gql_schema_destroy(schema);
    else
        OMS_ASSERT(error.message[0]);
}

/* The places of an error lie in `text`, which has `lines` lines. */
static void check_places(const struct oms_value *error, struct oms_str text, int64_t lines)
{
    const struct oms_value *places = oms_value_get(error, "locations");

    OMS_ASSERT(oms_value_get(error, "message")->text.len > 0);
    for (size_t i = 0; places && i < places->list.count; i++) {
        const struct oms_value *line = oms_value_get(&places->list.items[i], "line");
        const struct oms_value *column = oms_value_get(&places->list.items[i], "column");
        int64_t at_line, at_column;
        OMS_ASSERT(oms_str_to_i64(line->text, &at_line) == OMS_OK && at_line >= 1 && at_line <= lines);
        OMS_ASSERT(oms_str_to_i64(column->text, &at_column) == OMS_OK && at_column >= 1 &&
                   at_column <= (int64_t)text.len + 1);
    }
}

static void check_errors(const struct oms_value *errors, struct oms_str text)
{
    int64_t lines = 1;

    for (size_t i = 0; i < text.len; i++)
        lines += text.data[i] == '\n' || text.data[i] == '\r';
    for (size_t i = 0; errors && i < errors->list.count; i++)
        check_places(&errors->list.items[i], text, lines);
}

static void check_response(const struct gqf *f, struct oms_str text)
{
    struct oms_arena arena;
    struct oms_value response;
    struct oms_json_error error;

    oms_arena_init(&arena, 4096, 64u << 20);
    OMS_ASSERT(!f->out.overflow);
    OMS_ASSERT(oms_json_parse(oms_buf_str(&f->out), 128, &arena, &response, &error) == OMS_OK);
    OMS_ASSERT(oms_value_get(&response, "data") || oms_value_get(&response, "errors"));
    check_errors(oms_value_get(&response, "errors"), text);
    oms_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gqf f;
    static const struct oms_str variables[] = {
        {NULL, 0},
        {"{\"a\":true,\"b\":1,\"c\":\"x\",\"d\":[1,2],\"e\":{\"from\":1},\"id\":\"b1\"}", 59},
        {"{\"a\":false,\"b\":null,\"c\":\"LARGE\",\"d\":null,\"e\":{\"id\":1},\"id\":4}", 61}};
    const uint8_t *nul = memchr(data, 0, size);
    struct oms_str text = oms_str_make(data, nul ? (size_t)(nul - data) : size);

    if (!f.schema)
        gqf_init(&f);
    if (oms_str_starts(text, OMS_STR("schema"))) {
        fuzz_schema(text);
        return 0;
    }
    if (nul)
        gqf_run_bytes(&f, text, oms_str_make(nul + 1, size - text.len - 1), OMS_STR_NONE);
    else
        gqf_run_bytes(&f, text, variables[size % 3], OMS_STR_NONE);
    check_response(&f, text);
    return 0;
}
