/* The fold of an order's record: all of its index, or OMS_LIMIT; never a part of it without a word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "actors/ids.h"
#include "actors/order_codec.h"
#include "actors/system.h"
#include "actors/unit_meta.h"
#include "order_fixture.h"
#include "storage/writes.h"

#define TENANT      5
#define LINES       40
#define TERMS       (LINES + 4) /* a sku each; stage, customer, external reference, vendor */
#define SCRATCH_MAX (1u << 20)

static const unsigned char order_id[IDS_ORDER_SIZE] = {1, 2, 3};

/* The creation of an order with many lines, as a unit of work. */
static void write_creation(struct order_lab *lab, const struct rt_address *address, struct store_unit *unit)
{
    struct order_line_input lines[LINES];
    struct order_command command;
    struct order_event_meta meta;
    struct order *none = order_create();
    char text[IDS_ORDER_TEXT + 1];

    for (size_t i = 0; i < LINES; i++) {
        char sku[] = {'S', (char)('0' + i / 10), (char)('0' + i % 10), 0};

        lines[i] = lab_line(oms_str_copy(&lab->forever, oms_str_of(sku)).data, "v1", 1, "1.00");
    }
    command = lab_create(lab, ORDER_STAGE_CONFIRMED, lines, LINES);
    ids_order_text(order_id, text);
    command.create.order_id = oms_str_copy(&lab->forever, oms_str_of(text));
    command.create.external_ref = OMS_STR("WEB-1");
    assert_int_equal(lab_run(lab, &command), REFUSAL_NONE);
    order_decision_meta(none, &command, &lab->context, 0, &meta);
    order_destroy(none);
    store_unit_begin(unit, address, 0, (uint32_t)lab->decision.version, meta.time);
    unit_meta_put(unit, &meta, OMS_STR_NONE);
    for (size_t i = 0; i < lab->decision.event_count; i++) {
        size_t mark = store_unit_begin_event(unit);

        order_event_encode(&lab->decision.events[i], &unit->record);
        store_unit_end_event(unit, mark);
    }
    assert_int_equal(store_unit_end(unit), OMS_OK);
}

static void an_index_is_whole_or_refused(void **state)
{
    struct store_projector projector = actors_projector();
    struct store_unit unit = {.commit = 1};
    struct store_record record;
    struct store_writes writes;
    struct rt_address address;
    struct oms_arena arena;
    struct order_lab lab;
    unsigned refused = 0;
    enum oms_status status = OMS_LIMIT;

    (void)state;
    lab_init(&lab);
    oms_buf_init(&unit.record, 1 << 20);
    oms_arena_init(&arena, 4096, SCRATCH_MAX);
    ids_order_address(TENANT, order_id, &address);
    write_creation(&lab, &address, &unit);
    assert_int_equal(
        store_record_decode(store_partition_of(TENANT), 1, oms_buf_str(&unit.record), &arena, &record),
        OMS_OK);
    store_writes_init(&writes);
    /* However little scratch there is. */
    for (size_t max = 64; status != OMS_OK && max <= SCRATCH_MAX; max += 64) {
        struct oms_arena scratch;

        oms_arena_init(&scratch, 64, max);
        store_writes_reset(&writes);
        status =
            projector.project(projector.context, NULL, &address, OMS_STR_NONE, &record, 1, &scratch, &writes);
        if (status != OMS_OK) {
            assert_int_equal(status, OMS_LIMIT);
            refused++;
        }
        oms_arena_fini(&scratch);
    }
    assert_int_equal(status, OMS_OK);
    assert_true(refused > 0);
    assert_int_equal(writes.family_count[STORE_TERMS], TERMS);
    store_writes_fini(&writes);
    oms_arena_fini(&arena);
    oms_buf_fini(&unit.record);
    lab_fini(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_is_whole_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
