/*
 * Any bytes to the JSON parser. What it accepts must survive writing and parsing again unchanged; what it
 * refuses must have a message and a place in the text.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/json.h"
#include "runtime/base/utf8.h"

#define DEPTH_MAX 12
#define ARENA_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct oms_value *value)
{
    struct oms_arena arena;
    struct oms_buf first, second;
    struct oms_value again;
    oms_arena_init(&arena, 4096, 16 * ARENA_MAX);
    oms_buf_init(&first, 16 << 20);
    oms_buf_init(&second, 16 << 20);
    oms_value_write_json(value, &first);
    OMS_ASSERT(!first.overflow);
    OMS_ASSERT(oms_utf8_valid(oms_buf_str(&first)));
    OMS_ASSERT(oms_json_parse(oms_buf_str(&first), DEPTH_MAX, &arena, &again, NULL) == OMS_OK);
    oms_value_write_json(&again, &second);
    OMS_ASSERT(oms_str_eq(oms_buf_str(&first), oms_buf_str(&second)));
    oms_buf_fini(&first);
    oms_buf_fini(&second);
    oms_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct oms_arena arena;
    struct oms_value value;
    struct oms_json_error error = {0};
    oms_arena_init(&arena, 1024, ARENA_MAX);
    enum oms_status status = oms_json_parse(oms_str_make(data, size), DEPTH_MAX, &arena, &value, &error);
    if (status == OMS_OK) {
        check_round_trip(&value);
    } else {
        OMS_ASSERT(status == OMS_INVALID || status == OMS_LIMIT);
        OMS_ASSERT(error.message && error.offset <= size && error.line >= 1 && error.column >= 1);
    }
    oms_arena_fini(&arena);
    return 0;
}
