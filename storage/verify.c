/*
 * Verification: is what is stored what the log says?
 *
 * The derived families always equal the fold of the log up to their applied positions. So the log is folded
 * up to these positions into a scratch engine, by the same fold and projector, and both are compared key by
 * key; timelines are compared as the sequences that they mean, since they may have been cut into other runs.
 * The rest of the log, which the next start will replay, is checked record by record. Nothing is written to
 * the store.
 */
#include <inttypes.h>
#include <stdio.h>

#include "runtime/base/alloc.h"
#include "runtime/base/wire.h"
#include "storage/keys.h"
#include "storage/replay.h"
#include "storage/timeline.h"

static const char *const family_names[STORE_FAMILY_COUNT] = {"state", "aside",  "timeline",
                                                             "terms", "timers", "meta"};

/*
 * Actors whose keys are destroyed behind the applied position, as a crash may leave them: what is stored
 * still has their texts, the log no longer, and the next start erases. They are not compared.
 */
struct erased {
    unsigned char (*items)[STORE_ADDRESS_KEY_SIZE];
    size_t count, cap;
};

static void erased_add(struct erased *erased, const struct rt_address *actor)
{
    if (erased->count == erased->cap) {
        erased->cap = erased->cap ? erased->cap * 2 : 16;
        erased->items = oms_reallocarray(erased->items, erased->cap, sizeof(erased->items[0]));
    }
    store_address_key(actor, erased->items[erased->count++]);
}

/* Whether the key is of one of them: it begins with the actor, or, a term, ends with the actor's own key. */
static bool erased_has(const struct erased *erased, enum store_family family, struct oms_str key)
{
    for (size_t i = 0; i < erased->count; i++) {
        const unsigned char *actor = erased->items[i];
        if (family == STORE_TERMS
                ? key.len > 16 && memcmp(key.data + key.len - 16, actor + 5, 16) == 0
                : key.len >= STORE_ADDRESS_KEY_SIZE && memcmp(key.data, actor, STORE_ADDRESS_KEY_SIZE) == 0)
            return true;
    }
    return false;
}

/* ---- differences ---- */

static void differ(struct store_verify_report *report, enum store_family family, struct oms_str key,
                   const char *what)
{
    char hex[2 * 40 + 1];
    size_t len = key.len < 40 ? key.len : 40;
    if (report->differences++)
        return;
    for (size_t i = 0; i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned char)key.data[i]);
    hex[2 * len] = '\0';
    snprintf(report->first_difference, sizeof(report->first_difference), "%s %s%s %s", family_names[family],
             hex, key.len > len ? "…" : "", what);
}

/* Two views that are walked side by side. */
struct pair {
    const struct store_engine_ops *ops[2];
    struct store_iter *iters[2];
};

static struct pair pair_open(struct store_engine *const engines[2], struct store_view *const views[2],
                             enum store_family family)
{
    struct pair pair;
    for (int side = 0; side < 2; side++) {
        pair.ops[side] = engines[side]->ops;
        pair.iters[side] = engines[side]->ops->iter_open(views[side], family, OMS_STR_NONE, OMS_STR_NONE);
    }
    return pair;
}

static void pair_close(struct pair *pair)
{
    for (int side = 0; side < 2; side++)
        pair->ops[side]->iter_close(pair->iters[side]);
}

/* Side 0 is what is stored, side 1 what it should be. */
static enum oms_status compare_family(struct pair *pair, enum store_family family,
                                      const struct erased *erased, struct store_verify_report *report)
{
    struct oms_str keys[2], values[2];
    enum oms_status status[2];
    for (;;) {
        bool stored = pair->ops[0]->iter_item(pair->iters[0], &keys[0], &values[0], &status[0]);
        bool wanted = pair->ops[1]->iter_item(pair->iters[1], &keys[1], &values[1], &status[1]);
        if (status[0] != OMS_OK || status[1] != OMS_OK)
            return status[0] != OMS_OK ? status[0] : status[1];
        if (!stored && !wanted)
            return OMS_OK;
        int order = !stored ? 1 : !wanted ? -1 : oms_str_compare(keys[0], keys[1]);
        report->keys_compared++;
        if (erased->count && erased_has(erased, family, keys[order > 0]))
            ; /* see there */
        else if (order < 0)
            differ(report, family, keys[0], "should not be there");
        else if (order > 0)
            differ(report, family, keys[1], "is missing");
        else if (!oms_str_eq(values[0], values[1]))
            differ(report, family, keys[0], "has another value");
        if (order <= 0)
            pair->ops[0]->iter_next(pair->iters[0]);
        if (order >= 0)
            pair->ops[1]->iter_next(pair->iters[1]);
    }
}

/* ---- timelines ---- */

/* One side's position: an address and an item of its timeline. */
struct cursor {
    const struct store_engine_ops *ops;
    struct store_iter *iter;
    struct store_timeline_run run;
    bool in_run, there;
    unsigned char address[STORE_ADDRESS_KEY_SIZE];
};

static enum oms_status cursor_next(struct cursor *cursor)
{
    struct oms_str key, value;
    enum oms_status status;
    for (;;) {
        cursor->there = cursor->in_run && store_timeline_run_next(&cursor->run);
        if (cursor->there)
            return OMS_OK;
        if (cursor->in_run && cursor->run.corrupt)
            return OMS_CORRUPT;
        if (cursor->in_run)
            cursor->ops->iter_next(cursor->iter);
        if (!cursor->ops->iter_item(cursor->iter, &key, &value, &status))
            return status;
        if (key.len != STORE_TIMELINE_KEY_SIZE)
            return OMS_CORRUPT;
        memcpy(cursor->address, key.data, sizeof(cursor->address));
        store_timeline_run_read(&cursor->run, key, value);
        cursor->in_run = true;
    }
}

static int cursor_order(const struct cursor *a, const struct cursor *b)
{
    if (!a->there || !b->there)
        return a->there ? -1 : 1;
    int order = memcmp(a->address, b->address, sizeof(a->address));
    if (order)
        return order;
    return a->run.item.commit < b->run.item.commit ? -1 : a->run.item.commit > b->run.item.commit;
}

static enum oms_status compare_timelines(struct pair *pair, struct store_verify_report *report)
{
    struct cursor sides[2] = {{.ops = pair->ops[0], .iter = pair->iters[0]},
                              {.ops = pair->ops[1], .iter = pair->iters[1]}};
    enum oms_status status = cursor_next(&sides[0]);
    if (status == OMS_OK)
        status = cursor_next(&sides[1]);
    while (status == OMS_OK && (sides[0].there || sides[1].there)) {
        int order = cursor_order(&sides[0], &sides[1]);
        struct oms_str address = oms_str_make(sides[order > 0].address, STORE_ADDRESS_KEY_SIZE);
        report->keys_compared++;
        if (order)
            differ(report, STORE_TIMELINE, address, order < 0 ? "has a commit too many" : "lacks a commit");
        else if (sides[0].run.item.version_to != sides[1].run.item.version_to)
            differ(report, STORE_TIMELINE, address, "has another version");
        if (order <= 0)
            status = cursor_next(&sides[0]);
        if (order >= 0 && status == OMS_OK)
            status = cursor_next(&sides[1]);
    }
    return status;
}

/* ---- the log ---- */

/* Behind the applied position: decoded only. The next start folds them. */
static enum oms_status check_tail(struct store_replay *replay, uint16_t partition, uint64_t from,
                                  struct erased *erased, struct oms_error *error)
{
    const struct store_engine_ops *ops = replay->source->ops;
    struct oms_arena arena;
    struct store_record record;
    struct oms_str key, value;
    enum oms_status status = OMS_OK;
    oms_arena_init(&arena, 64 << 10, (size_t)1 << 30);
    struct store_iter *iter = ops->log_iter_open(replay->view, partition, from);
    for (; status == OMS_OK && ops->iter_item(iter, &key, &value, &status); from++, ops->iter_next(iter)) {
        uint64_t commit = oms_get_be64((const unsigned char *)key.data);
        oms_arena_reset(&arena);
        if (commit != from)
            status = oms_error_set(error, OMS_CORRUPT, "partition %u: commit %" PRIu64 " is missing",
                                   partition, from);
        else if (store_record_decode(partition, commit, value, &arena, &record) != OMS_OK)
            status = oms_error_set(error, OMS_CORRUPT,
                                   "partition %u commit %" PRIu64 ": the record does not decode", partition,
                                   commit);
        else if (record.destroys)
            erased_add(erased, &record.actor);
        replay->units++;
    }
    ops->iter_close(iter);
    oms_arena_fini(&arena);
    return status;
}

static enum oms_status rebuild(struct store_engine *engine, struct store_replay *replay,
                               struct erased *erased, struct oms_error *error)
{
    for (unsigned i = 0; i < OMS_PARTITIONS; i++) {
        uint64_t applied;
        enum oms_status status = store_fold_applied(engine, (uint16_t)i, &applied);
        if (status != OMS_OK)
            return oms_error_set(error, status, "the applied position of partition %u cannot be read", i);
        status = store_replay_partition(replay, (uint16_t)i, applied, error);
        if (status == OMS_OK)
            status = check_tail(replay, (uint16_t)i, applied + 1, erased, error);
        if (status != OMS_OK)
            return status;
    }
    return OMS_OK;
}

static enum oms_status count_actors(struct store_engine *engine, struct store_view *view, uint64_t *out)
{
    struct oms_str key, value;
    enum oms_status status;
    struct store_iter *iter = engine->ops->iter_open(view, STORE_STATE, OMS_STR_NONE, OMS_STR_NONE);
    for (; engine->ops->iter_item(iter, &key, &value, &status); engine->ops->iter_next(iter))
        ++*out;
    engine->ops->iter_close(iter);
    return status;
}

static enum oms_status compare(struct store_engine *engine, struct store_engine *scratch,
                               const struct erased *erased, struct store_verify_report *report,
                               struct oms_error *error)
{
    struct store_engine *const engines[2] = {engine, scratch};
    struct store_view *const views[2] = {engine->ops->view_open(engine), scratch->ops->view_open(scratch)};
    enum oms_status status = count_actors(scratch, views[1], &report->actors);
    for (unsigned i = 0; i < STORE_FAMILY_COUNT && status == OMS_OK; i++) {
        if (i == STORE_META)
            continue; /* the applied positions are where we folded to */
        struct pair pair = pair_open(engines, views, (enum store_family)i);
        status = i == STORE_TIMELINE ? compare_timelines(&pair, report)
                                     : compare_family(&pair, (enum store_family)i, erased, report);
        pair_close(&pair);
        if (status != OMS_OK)
            oms_error_set(error, status, "the family %s cannot be read", family_names[i]);
    }
    for (int side = 0; side < 2; side++)
        engines[side]->ops->view_close(views[side]);
    return status;
}

enum oms_status store_verify(struct store_engine *engine, struct store_engine *scratch,
                             const struct store_projector *projector,
                             void (*progress)(void *context, uint64_t units_done), void *context,
                             struct store_verify_report *report, struct oms_error *error)
{
    struct store_fold fold;
    struct store_replay replay;
    struct erased erased = {0};
    memset(report, 0, sizeof(*report));
    enum oms_status status = store_fold_init(&fold, scratch, projector, error);
    if (status == OMS_OK) {
        fold.check_history = true;
        fold.vault = engine->vault;
        store_replay_init(&replay, engine, &fold);
        replay.progress = progress;
        replay.progress_context = context;
        status = rebuild(engine, &replay, &erased, error);
        report->units = replay.units;
        store_replay_fini(&replay);
    }
    if (status == OMS_OK)
        status = compare(engine, scratch, &erased, report, error);
    store_fold_fini(&fold);
    oms_free(erased.items);
    return status;
}
