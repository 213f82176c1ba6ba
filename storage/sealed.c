/* See sealed.h. What a sealed text belongs to is its actor and the version that it makes. */
#include "storage/sealed.h"

#include "runtime/base/assert.h"
#include "runtime/base/wire.h"
#include "runtime/host.h"
#include "storage/keys.h"
#include "storage/vault.h"

#define BELONGS_SIZE (STORE_ADDRESS_KEY_SIZE + 8)

static struct oms_str belongs(const struct rt_address *actor, uint32_t version_from, uint32_t version_to,
                              unsigned char out[BELONGS_SIZE])
{
    store_address_key(actor, out);
    oms_put_be32(out + STORE_ADDRESS_KEY_SIZE, version_from);
    oms_put_be32(out + STORE_ADDRESS_KEY_SIZE + 4, version_to);
    return oms_str_make(out, BELONGS_SIZE);
}

/* 8 bytes at a time, and 4 that are not needed. */
#define DRAWN_SIZE (STORE_VAULT_RANDOM_SIZE + 4)

static void draw(struct rt_host *host, unsigned char out[DRAWN_SIZE])
{
    for (size_t i = 0; i < DRAWN_SIZE; i += 8)
        oms_put_be64(out + i, rt_random(host));
}

void store_unit_seal(const struct store_engine *engine, struct rt_host *host, struct store_unit *unit)
{
    unsigned char own[BELONGS_SIZE], random[DRAWN_SIZE];
    if (!unit->personal.len)
        return;
    OMS_ASSERT(engine->vault);
    draw(host, random);
    size_t mark = store_unit_begin_sealed(unit);
    store_vault_seal(engine->vault, random,
                     belongs(&unit->message.to, unit->version_from, unit->version_to, own),
                     oms_buf_str(&unit->personal), &unit->record, unit->key);
    store_unit_end_event(unit, mark);
    unit->has_key = true;
    memset(random, 0, sizeof(random));
}

enum oms_status store_record_unseal(const struct store_vault *vault, struct oms_str wrapped,
                                    struct oms_arena *arena, struct store_record *record)
{
    unsigned char own[BELONGS_SIZE];
    if (!oms_str_present(record->sealed))
        return OMS_OK;
    record->erased = !oms_str_present(wrapped);
    if (record->erased)
        return OMS_OK;
    if (!vault || record->sealed.len < STORE_VAULT_TAG_SIZE)
        return OMS_CORRUPT;
    size_t len = record->sealed.len - STORE_VAULT_TAG_SIZE;
    char *text = oms_arena_alloc(arena, len + 1);
    if (!text)
        return OMS_LIMIT;
    record->personal = oms_str_make(text, len);
    return store_vault_open(vault, wrapped,
                            belongs(&record->actor, record->version_from, record->version_to, own),
                            record->sealed, text);
}

enum oms_status store_record_open(struct store_engine *engine, struct store_view *view,
                                  struct oms_arena *arena, struct store_record *record)
{
    char bytes[STORE_VAULT_WRAPPED_SIZE];
    struct oms_buf key = {.data = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};
    if (!oms_str_present(record->sealed))
        return OMS_OK;
    enum oms_status status = engine->ops->view_key_get(view, &record->actor, record->commit, &key);
    if (status != OMS_OK && status != OMS_NOT_FOUND)
        return status;
    return store_record_unseal(engine->vault, status == OMS_OK ? oms_buf_str(&key) : OMS_STR_NONE, arena,
                               record);
}

enum oms_status store_record_read(struct store_engine *engine, struct store_view *view, uint16_t partition,
                                  uint64_t commit, struct oms_str value, struct oms_arena *arena,
                                  struct store_record *out)
{
    enum oms_status status = store_record_decode(partition, commit, value, arena, out);
    return status == OMS_OK ? store_record_open(engine, view, arena, out) : status;
}

/* ---- the master key ---- */

/* No actor has it: tenants are numbered from 1 and kinds are small. */
static const struct rt_address nobody = {.tenant = UINT32_MAX, .kind = UINT8_MAX};

static enum oms_status put_check(struct store_engine *engine, struct rt_host *host)
{
    unsigned char random[DRAWN_SIZE], wrapped[STORE_VAULT_WRAPPED_SIZE];
    struct oms_buf none;
    draw(host, random);
    oms_buf_init(&none, 64);
    store_vault_seal(engine->vault, random, OMS_STR(""), OMS_STR(""), &none, wrapped);
    oms_buf_fini(&none);
    const struct store_append append = {.actor = nobody, .key = oms_str_make(wrapped, sizeof(wrapped))};
    return engine->ops->append(engine, &append, 1);
}

static enum oms_status read_check(struct store_engine *engine, struct oms_buf *out)
{
    struct store_view *view = engine->ops->view_open(engine);
    enum oms_status status = engine->ops->view_key_get(view, &nobody, 0, out);
    engine->ops->view_close(view);
    return status;
}

bool store_vault_made(struct store_engine *engine)
{
    char bytes[STORE_VAULT_WRAPPED_SIZE];
    struct oms_buf key = {.data = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};
    return read_check(engine, &key) != OMS_NOT_FOUND;
}

enum oms_status store_vault_check(struct store_engine *engine, struct rt_host *host, struct oms_error *error)
{
    char bytes[STORE_VAULT_WRAPPED_SIZE];
    struct oms_buf key = {.data = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};
    enum oms_status status = read_check(engine, &key);
    if (status == OMS_NOT_FOUND)
        status = host ? put_check(engine, host) : OMS_OK;
    else if (status == OMS_OK && !store_vault_fits(engine->vault, oms_buf_str(&key)))
        return oms_error_set(error, OMS_DENIED,
                             "the master key is not the one that this store was written with");
    if (status != OMS_OK)
        oms_error_set(error, status, "the keys of the log cannot be read or written");
    return status;
}
