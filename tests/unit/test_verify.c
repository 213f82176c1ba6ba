/* Verification finds every kind of damage that it claims to find, and nothing in a sound store. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "storage/timeline.h"
#include "tests/unit/storage_toy.h"

static struct store_verify_report report; /* of the last verify */
static struct oms_error error;

/* A store with a few hundred units in it, closed. */
static int set_up(void **state)
{
    struct store_config config = {.window_ms = 3};
    toy_set_up(state);
    struct toy_fixture *f = *state;
    toy_start(f, 5, &config);
    for (int round = 0; round < 10; round++) {
        for (unsigned shard = 0; shard < TOY_SHARDS; shard++)
            toy_submit(&f->world, shard, 20, 0, UINT32_MAX);
        toy_run(&f->world, 10);
    }
    toy_submit(&f->world, 0, 5, 1, 5); /* a run of several units */
    toy_run(&f->world, 10);
    toy_close(&f->world);
    return 0;
}

static uint64_t progress_seen;

static void on_progress(void *context, uint64_t units_done)
{
    assert_ptr_equal(context, &progress_seen);
    assert_true(units_done >= progress_seen);
    progress_seen = units_done;
}

static enum oms_status verify(struct toy_fixture *f)
{
    struct store_memory *scratch_memory = store_memory_create();
    struct store_engine *scratch = store_memory_open(scratch_memory), *engine = store_memory_open(f->memory);
    struct store_projector projector = toy_projector();
    progress_seen = 0;
    enum oms_status status =
        store_verify(engine, scratch, &projector, on_progress, &progress_seen, &report, &error);
    engine->ops->close(engine, true);
    store_memory_destroy(scratch_memory);
    return status;
}

static void write(struct toy_fixture *f, enum store_family family, bool is_delete, struct oms_str key,
                  struct oms_str value)
{
    struct store_engine *engine = store_memory_open(f->memory);
    struct store_write one = {family, is_delete, key, value};
    assert_int_equal(engine->ops->write(engine, &one, 1), OMS_OK);
    engine->ops->close(engine, true);
}

/* The n-th key and value of a family. */
static void nth(struct toy_fixture *f, enum store_family family, unsigned n, struct oms_buf *key_out,
                struct oms_buf *value_out)
{
    struct store_engine *engine = store_memory_open(f->memory);
    struct store_view *view = engine->ops->view_open(engine);
    struct store_iter *iter = engine->ops->iter_open(view, family, OMS_STR_NONE, OMS_STR_NONE);
    struct oms_str key, value;
    enum oms_status status;
    for (unsigned i = 0; i < n; i++)
        engine->ops->iter_next(iter);
    assert_true(engine->ops->iter_item(iter, &key, &value, &status));
    oms_buf_init(key_out, 1000);
    oms_buf_init(value_out, 1000);
    oms_buf_append_str(key_out, key);
    oms_buf_append_str(value_out, value);
    engine->ops->iter_close(iter);
    engine->ops->view_close(view);
    engine->ops->close(engine, true);
}

static void expect_one_difference(struct toy_fixture *f, const char *family, const char *what)
{
    assert_int_equal(verify(f), OMS_OK);
    assert_true(report.differences >= 1);
    if (!strstr(report.first_difference, family) || !strstr(report.first_difference, what))
        fail_msg("'%s' does not say '%s … %s'", report.first_difference, family, what);
}

static void test_a_sound_store(void **state)
{
    struct toy_fixture *f = *state;
    assert_int_equal(verify(f), OMS_OK);
    assert_int_equal(report.differences, 0);
    assert_int_equal(report.units, 605);
    assert_int_equal(report.actors, TOY_TENANTS * TOY_ACTORS);
    assert_true(report.keys_compared > 600);
    assert_int_equal(progress_seen, 605);
}

static void test_an_empty_store(void **state)
{
    struct toy_fixture *f = *state;
    struct store_memory *kept = f->memory;
    f->memory = store_memory_create();
    assert_int_equal(verify(f), OMS_OK);
    assert_int_equal(report.units + report.differences + report.keys_compared, 0);
    store_memory_destroy(f->memory);
    f->memory = kept;
}

static void test_every_family_is_compared(void **state)
{
    struct toy_fixture *f = *state;
    static const char *const names[] = {"state", "aside", "timeline", "terms", "timers"};
    for (enum store_family family = STORE_STATE; family < STORE_META; family++) {
        struct oms_buf key, value;
        nth(f, family, 4, &key, &value);
        write(f, family, true, oms_buf_str(&key), OMS_STR_NONE);
        expect_one_difference(f, names[family], family == STORE_TIMELINE ? "lacks a commit" : "is missing");
        if (family != STORE_TIMELINE) {
            write(f, family, false, oms_buf_str(&key), OMS_STR("tampered"));
            expect_one_difference(f, names[family], "has another value");
            assert_int_equal(report.differences, 1);
        }
        write(f, family, false, oms_buf_str(&key), oms_buf_str(&value));
        assert_int_equal(verify(f), OMS_OK);
        assert_int_equal(report.differences, 0);
        if (family != STORE_TIMELINE) {
            write(f, family, false, OMS_STR("\xff extra"), OMS_STR("x"));
            expect_one_difference(f, names[family], "should not be there");
            write(f, family, true, OMS_STR("\xff extra"), OMS_STR_NONE);
        }
        oms_buf_fini(&key);
        oms_buf_fini(&value);
    }
}

static void test_timelines_are_compared_by_meaning(void **state)
{
    struct toy_fixture *f = *state;
    struct oms_buf key, value;
    struct store_timeline_run run;
    struct store_record one = {0};
    unsigned char own[STORE_TIMELINE_KEY_SIZE];
    /* A run of several units, cut into runs of one: the same timeline. */
    for (unsigned n = 0;; n++) {
        nth(f, STORE_TIMELINE, n, &key, &value);
        if (value.len >= 6)
            break;
        oms_buf_fini(&key);
        oms_buf_fini(&value);
    }
    store_address_read((const unsigned char *)key.data, &one.actor);
    write(f, STORE_TIMELINE, true, oms_buf_str(&key), OMS_STR_NONE);
    store_timeline_run_read(&run, oms_buf_str(&key), oms_buf_str(&value));
    one.version_to = run.item.version_to;
    while (store_timeline_run_next(&run)) {
        struct oms_buf packed;
        oms_buf_init(&packed, 100);
        one.version_from = one.version_to;
        one.version_to = run.item.version_to;
        one.commit = run.item.commit;
        store_timeline_pack(&one, 1, own, &packed);
        write(f, STORE_TIMELINE, false, oms_str_make(own, sizeof(own)), oms_buf_str(&packed));
        oms_buf_fini(&packed);
    }
    assert_int_equal(verify(f), OMS_OK);
    assert_int_equal(report.differences, 0);
    /* One commit more than there is. */
    struct oms_buf packed;
    oms_buf_init(&packed, 100);
    one.version_from = one.version_to++;
    one.commit = 999999;
    store_timeline_pack(&one, 1, own, &packed);
    write(f, STORE_TIMELINE, false, oms_str_make(own, sizeof(own)), oms_buf_str(&packed));
    expect_one_difference(f, "timeline", "a commit too many");
    oms_buf_fini(&packed);
    oms_buf_fini(&key);
    oms_buf_fini(&value);
}

static void expect_corrupt(struct toy_fixture *f, const char *says)
{
    assert_int_equal(verify(f), OMS_CORRUPT);
    if (!strstr(error.message, says))
        fail_msg("'%s' does not say '%s'", error.message, says);
}

static void test_damaged_records(void **state)
{
    struct toy_fixture *f = *state;
    for (size_t offset = 0; offset < 40; offset += 3) {
        assert_true(store_memory_corrupt(f->memory, store_partition_of(1), 17, offset));
        expect_corrupt(f, "commit 17: the record does not decode");
        assert_true(store_memory_corrupt(f->memory, store_partition_of(1), 17, offset)); /* and back */
    }
    assert_int_equal(verify(f), OMS_OK);
}

static void append(struct toy_fixture *f, uint64_t commit, uint32_t version_from)
{
    struct store_engine *engine = store_memory_open(f->memory);
    struct oms_buf record;
    toy_record(&record, 1, 5, version_from, 1);
    struct store_append one = {
        .partition = store_partition_of(1), .commit = commit, .value = oms_buf_str(&record)};
    assert_int_equal(engine->ops->append(engine, &one, 1), OMS_OK);
    oms_buf_fini(&record);
    engine->ops->close(engine, true);
}

static uint64_t last_commit(struct toy_fixture *f)
{
    struct store_engine *engine = store_memory_open(f->memory);
    uint64_t last;
    assert_int_equal(engine->ops->last_commit(engine, store_partition_of(1), &last), OMS_OK);
    engine->ops->close(engine, true);
    return last;
}

/* What the next start will replay is checked as well, and counts as no difference. */
static void test_the_tail_that_is_not_applied(void **state)
{
    struct toy_fixture *f = *state;
    uint64_t last = last_commit(f);
    append(f, last + 1, f->world.actors[1][5].version);
    assert_int_equal(verify(f), OMS_OK);
    assert_int_equal(report.differences, 0);
    assert_int_equal(report.units, 606);
    assert_true(store_memory_corrupt(f->memory, store_partition_of(1), last + 1, 30));
    expect_corrupt(f, "the record does not decode");
    store_memory_truncate(f->memory, store_partition_of(1), last + 1);
    append(f, last + 2, f->world.actors[1][5].version);
    expect_corrupt(f, "is missing");
}

static void test_a_log_shorter_than_what_was_applied(void **state)
{
    struct toy_fixture *f = *state;
    store_memory_truncate(f->memory, store_partition_of(1), last_commit(f));
    expect_corrupt(f, "is missing");
}

/* The projector of the toy would notice; storage's own check must, from window to window, for one that does
 * not. */
static enum oms_status project_nothing(void *context, const struct store_vault *vault,
                                       const struct rt_address *actor, struct oms_str base,
                                       const struct store_record *records, size_t count,
                                       struct oms_arena *scratch, struct store_writes *writes)
{
    (void)vault;
    (void)context, (void)actor, (void)base, (void)records, (void)count, (void)scratch, (void)writes;
    return OMS_OK;
}

static void test_versions_have_no_gap(void **state)
{
    struct toy_fixture *f = *state;
    struct store_memory *kept = f->memory, *scratch_memory = store_memory_create();
    struct store_projector projector = {.project = project_nothing};
    /* One record a window: the check cannot be the one inside of a window. */
    f->memory = store_memory_create();
    append(f, 1, 0);
    append(f, 2, 1);
    append(f, 3, 3);
    struct store_engine *scratch = store_memory_open(scratch_memory), *engine = store_memory_open(f->memory);
    unsigned char position[8];
    for (uint64_t applied = 1; applied <= 3; applied++) {
        struct store_write writes[] = {{STORE_META, false, OMS_STR_NONE, oms_str_make(position, 8)},
                                       {STORE_META, false, OMS_STR("format"), OMS_STR_NONE}};
        unsigned char key[3] = {'a'}, format[4];
        oms_put_be16(key + 1, store_partition_of(1));
        oms_put_be64(position, applied);
        oms_put_be32(format, 1);
        writes[0].key = oms_str_make(key, 3);
        writes[1].value = oms_str_make(format, 4);
        assert_int_equal(engine->ops->write(engine, writes, 2), OMS_OK);
        enum oms_status status = store_verify(engine, scratch, &projector, NULL, NULL, &report, &error);
        assert_int_equal(status, applied < 3 ? OMS_OK : OMS_CORRUPT);
    }
    assert_non_null(strstr(error.message, "version 3 does not follow 2"));
    engine->ops->close(engine, true);
    store_memory_destroy(f->memory);
    store_memory_destroy(scratch_memory);
    f->memory = kept;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_sound_store, set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_an_empty_store, set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_every_family_is_compared, set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_timelines_are_compared_by_meaning, set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_records, set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_the_tail_that_is_not_applied, set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_a_log_shorter_than_what_was_applied, set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_versions_have_no_gap, set_up, toy_tear_down),
    };
    oms_log_set_level(OMS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
