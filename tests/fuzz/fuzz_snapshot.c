/*
 * Snapshots from outside, and their stored forms. The first byte chooses: JSON as a user, a login, a rolemap
 * or the sections of fulfillment, where reading ends in a value or in refusals, and what was read is the same
 * after it was stored; or any bytes as a stored user or stored fulfillment.
 */
#include <stdint.h>

#include "actors/tenant_snapshot.h"
#include "actors/user.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_user(const struct user_update *update)
{
    struct user_version next, *stored;
    struct oms_buf bytes, again;

    if (user_follow(NULL, update, 1700000000000, &next) != USER_CHANGED)
        return;
    oms_buf_init(&bytes, OMS_USER_BYTES_MAX);
    oms_buf_init(&again, OMS_USER_BYTES_MAX);
    user_version_encode(&next, &bytes);
    if (!bytes.overflow) {
        OMS_ASSERT(user_version_decode(oms_buf_str(&bytes), 1, &stored) == OMS_OK);
        OMS_ASSERT(user_grants_same(&next, stored));
        user_version_encode(stored, &again);
        OMS_ASSERT(oms_str_eq(oms_buf_str(&bytes), oms_buf_str(&again)));
        user_version_release(stored);
    }
    oms_buf_fini(&bytes);
    oms_buf_fini(&again);
}

/* A tenant's version that took it is the same after it was stored. */
static void check_tenant(bool rolemap, const struct oms_value *tree, struct refusal_list *refusals)
{
    struct tenant_version *wanted = tenant_create_default(OMS_STR("shop"));
    struct tenant_snapshot snapshot = {.origin = WORKFLOW_WEBHOOK, .version = 1, .now_ms = 1700000000000};
    bool ok = rolemap ? tenant_version_set_rolemap(wanted, tree, &snapshot, refusals)
                      : tenant_version_set_fulfillment(wanted, tree, &snapshot, refusals);

    OMS_ASSERT(ok == (refusals->count == 0));
    if (ok && !wanted->arena.exhausted) {
        struct tenant_version *copy = tenant_version_copy(wanted);

        OMS_ASSERT(tenant_version_same(wanted, copy));
        tenant_version_release(copy);
    }
    tenant_version_release(wanted);
}

static void check_json(unsigned kind, struct oms_str text, struct oms_arena *arena)
{
    struct user_update update = {.user = OMS_STR_NONE};
    struct refusal_list refusals;
    struct oms_json_error fault;
    struct oms_value tree;
    bool ok;

    if (oms_json_parse(text, 16, arena, &tree, &fault) != OMS_OK)
        return;
    refusal_list_init(&refusals, arena);
    if (kind >= 2) {
        check_tenant(kind == 2, &tree, &refusals);
        return;
    }
    ok = kind ? user_login_parse(&tree, OMS_STR_NONE, arena, &update, &refusals)
              : user_update_parse(&tree, arena, &update, &refusals);
    OMS_ASSERT(ok == (refusals.count == 0));
    if (ok)
        check_user(&update);
}

static void check_bytes(bool user, struct oms_str bytes, struct oms_arena *arena)
{
    struct user_version *stored;
    struct fulfillment known;

    if (user && user_version_decode(bytes, 1, &stored) == OMS_OK)
        user_version_release(stored);
    if (!user)
        (void)!fulfillment_decode(bytes, arena, &known);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct oms_arena arena;

    if (!size)
        return 0;
    struct oms_str rest = oms_str_make(data + 1, size - 1);
    oms_arena_init(&arena, 4096, OMS_REQUEST_ARENA_BYTES_MAX);
    if (data[0] % 6 < 4)
        check_json(data[0] % 6, rest, &arena);
    else
        check_bytes(data[0] % 6 == 4, rest, &arena);
    oms_arena_fini(&arena);
    return 0;
}
