/*
 * JSON as the input of every command: parsing ends in a command or in refusals, never in both or neither, and
 * is the same twice. The first byte chooses the command; workflows and tenants are fed the same tree.
 */
#include <stdint.h>

#include "actors/order_input.h"
#include "actors/tenant.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_command(enum order_command_type type, const struct oms_value *input, struct oms_arena *arena)
{
    static const struct oms_hash_key key = {1, 2};
    static const struct principal principal = {.kind = PRINCIPAL_USER, .tenant = 1, .subject = {"s", 1}};
    struct order_input_context context = {.principal = &principal, .id_key = &key, .now_ms = 1};
    struct order_command first, second;
    unsigned char order[IDS_ORDER_SIZE];
    struct refusal_list refusals;
    bool known, ok;

    refusal_list_init(&refusals, arena);
    ok = order_input_parse(type, input, &context, arena, &first, order, &known, &refusals);
    OMS_ASSERT(ok == (refusals.count == 0));
    for (size_t i = 0; i < refusals.count; i++)
        OMS_ASSERT(refusals.items[i].code != REFUSAL_NONE && refusals.items[i].message.len);
    refusal_list_init(&refusals, arena);
    OMS_ASSERT(ok == order_input_parse(type, input, &context, arena, &second, order, &known, &refusals));
    if (ok)
        OMS_ASSERT(first.fingerprint.lo == second.fingerprint.lo &&
                   first.fingerprint.hi == second.fingerprint.hi);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tenant_version *tenant;
    struct oms_json_error fault;
    struct oms_error error;
    struct oms_arena arena;
    struct oms_value input;
    struct workflow workflow;

    if (size < 1)
        return 0;
    oms_arena_init(&arena, 4096, 32u << 20);
    if (oms_json_parse(oms_str_make(data + 1, size - 1), 32, &arena, &input, &fault) == OMS_OK) {
        unsigned choice = data[0] % (ORDER_COMMAND_LAST_PUBLIC + 2);

        if (choice == 0)
            (void)!workflow_build(&input, 1, &arena, &workflow, &error);
        else if (choice > ORDER_COMMAND_LAST_PUBLIC && tenant_parse(&input, &tenant, &error) == OMS_OK)
            tenant_version_release(tenant);
        else if (choice <= ORDER_COMMAND_LAST_PUBLIC)
            fuzz_command((enum order_command_type)choice, &input, &arena);
    }
    oms_arena_fini(&arena);
    return 0;
}
