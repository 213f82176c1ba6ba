/* Names and copies of principals; see principal.h. */
#include "actors/principal.h"

#include "runtime/base/arena.h"
#include "runtime/base/assert.h"

const char *principal_kind_name(enum principal_kind kind)
{
    static const char *const names[PRINCIPAL_KIND_COUNT] = {
        [PRINCIPAL_USER] = "USER",   [PRINCIPAL_API_KEY] = "API_KEY", [PRINCIPAL_WEBHOOK] = "WEBHOOK",
        [PRINCIPAL_TIMER] = "TIMER", [PRINCIPAL_IMPORT] = "IMPORT",   [PRINCIPAL_SYSTEM] = "SYSTEM",
    };

    OMS_ASSERT((unsigned)kind < PRINCIPAL_KIND_COUNT);
    return names[kind];
}

static bool copy_str(struct oms_arena *arena, struct oms_str from, struct oms_str *to)
{
    *to = oms_str_copy(arena, from);
    return oms_str_present(*to) || !oms_str_present(from);
}

bool principal_copy(const struct principal *principal, struct oms_arena *arena, struct principal *out)
{
    struct oms_str *roles = NULL;

    *out = *principal;
    if (principal->role_count) {
        roles = oms_arena_calloc(arena, principal->role_count, sizeof *roles);
        if (!roles)
            return false;
        for (size_t i = 0; i < principal->role_count; i++)
            if (!copy_str(arena, principal->roles[i], &roles[i]))
                return false;
    }
    out->roles = roles;
    out->own = NULL; /* the shard that evaluates has its own */
    return copy_str(arena, principal->subject, &out->subject) &&
           copy_str(arena, principal->display_name, &out->display_name) &&
           copy_str(arena, principal->vendor_id, &out->vendor_id) &&
           copy_str(arena, principal->customer_id, &out->customer_id);
}
