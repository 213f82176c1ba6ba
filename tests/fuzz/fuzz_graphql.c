/*
 * Documents of any bytes: prepare, bind with variables made from the same bytes, execute on the shop of the
 * tests. A response must always be one JSON object with data or errors. A document that starts with "schema"
 * feeds the SDL side instead.
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

static void check_response(const struct gqf *f)
{
    struct oms_arena arena;
    struct oms_value response;
    struct oms_json_error error;

    oms_arena_init(&arena, 4096, 64u << 20);
    OMS_ASSERT(!f->out.overflow);
    OMS_ASSERT(oms_json_parse(oms_buf_str(&f->out), 128, &arena, &response, &error) == OMS_OK);
    OMS_ASSERT(oms_value_get(&response, "data") || oms_value_get(&response, "errors"));
    oms_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gqf f;
    static const struct oms_str variables[] = {
        {NULL, 0},
        {"{\"a\":true,\"b\":1,\"c\":\"x\",\"d\":[1,2],\"e\":{\"from\":1},\"id\":\"b1\"}", 59},
        {"{\"a\":false,\"b\":null,\"c\":\"LARGE\",\"d\":null,\"e\":{\"id\":1},\"id\":4}", 61}};
    struct oms_str text = oms_str_make(data, size);

    if (!f.schema)
        gqf_init(&f);
    if (oms_str_starts(text, OMS_STR("schema"))) {
        fuzz_schema(text);
        return 0;
    }
    gqf_run_bytes(&f, text, variables[size % 3], OMS_STR_NONE);
    check_response(&f);
    return 0;
}
