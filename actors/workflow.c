/*
 * Building workflows from data, and the built-in one; see workflow.h.
 *
 * Every key is checked by name, so that a misspelt condition is an error and not a default. Faults name the
 * step by its number from 1 and its name.
 */
#include "actors/workflow.h"

#include <stdarg.h>
#include <stdio.h>

#include "actors/money.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/value.h"

/* Nothing required but what shipping and completion do themselves: imported orders pass without a clerk. */
static const char default_json[] =
    "{\"steps\":["
    "{\"stage\":\"PENDING\",\"stepName\":\"confirm_order\",\"activityStatus\":\"AwaitingConfirmation\","
    "\"sequence\":10},"
    "{\"stage\":\"CONFIRMED\",\"stepName\":\"review_order\",\"activityStatus\":\"AwaitingReview\","
    "\"sequence\":10,"
    "\"optional\":true},"
    "{\"stage\":\"CONFIRMED\",\"stepName\":\"pick_and_pack\",\"activityStatus\":\"AwaitingPicking\","
    "\"sequence\":20,"
    "\"optional\":true},"
    "{\"stage\":\"CONFIRMED\",\"stepName\":\"mark_as_shipped\",\"activityStatus\":\"AwaitingShipment\","
    "\"sequence\":30},"
    "{\"stage\":\"SHIPPED\",\"stepName\":\"mark_as_completed\",\"activityStatus\":\"AwaitingCompletion\","
    "\"sequence\":10}],"
    "\"defaults\":{\"days_to_return\":30,\"allow_partial_return\":true,\"auto_approve\":false,"
    "\"restocking_fee_percent\":0}}";

struct oms_str workflow_default_json(void)
{
    return (struct oms_str){default_json, sizeof default_json - 1};
}

/* ---- what a build works with ---- */

struct build {
    struct oms_arena *arena;
    struct oms_error *error;
    size_t index;        /* of the step; SIZE_MAX in the defaults */
    struct oms_str name; /* of the step */
};

static OMS_PRINTF(2, 3) enum oms_status fault(const struct build *build, const char *format, ...)
{
    struct oms_str name = build->name;
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (build->index == SIZE_MAX)
        return oms_error_set(build->error, OMS_INVALID, "defaults: %s", text);
    if (name.len > 64)
        name.len = 64;
    return oms_error_set(build->error, OMS_INVALID, "step %zu '%.*s': %s", build->index + 1,
                         OMS_STR_ARG(name), text);
}

static enum oms_status copy_text(const struct build *build, struct oms_str from, struct oms_str *to)
{
    *to = oms_str_copy(build->arena, from);
    return oms_str_present(*to) ? OMS_OK
                                : oms_error_set(build->error, OMS_LIMIT, "the workflow is too large");
}

/* ---- values ---- */

static enum oms_status take_text(const struct build *build, const struct oms_value *value, const char *key,
                                 struct oms_str *out)
{
    if (value->kind != OMS_VALUE_STRING && value->kind != OMS_VALUE_ENUM)
        return fault(build, "%s must be a string", key);
    if (!value->text.len || value->text.len > OMS_ID_BYTES_MAX)
        return fault(build, "%s must have 1 to %d bytes", key, OMS_ID_BYTES_MAX);
    return copy_text(build, value->text, out);
}

static enum oms_status take_bool(const struct build *build, const struct oms_value *value, const char *key,
                                 bool *out)
{
    if (value->kind != OMS_VALUE_BOOL)
        return fault(build, "%s must be true or false", key);
    *out = value->boolean;
    return OMS_OK;
}

static enum oms_status take_int(const struct build *build, const struct oms_value *value, const char *key,
                                int64_t min, int64_t max, int32_t *out)
{
    int64_t number = 0;
    bool ok = value->kind == OMS_VALUE_INT;

    if (ok)
        number = value->integer;
    else
        ok = value->kind == OMS_VALUE_NUMBER && oms_str_to_i64(value->text, &number) == OMS_OK;
    if (!ok || number < min || number > max)
        return fault(build, "%s must be a whole number from %lld to %lld", key, (long long)min,
                     (long long)max);
    *out = (int32_t)number;
    return OMS_OK;
}

/* An enum word of a small list; its index. */
static enum oms_status take_word(const struct build *build, const struct oms_value *value, const char *key,
                                 const char *const *words, size_t count, unsigned *out)
{
    const char *near;

    if (value->kind != OMS_VALUE_STRING && value->kind != OMS_VALUE_ENUM)
        return fault(build, "%s must be a string", key);
    for (size_t i = 0; i < count; i++)
        if (oms_str_eq_c(value->text, words[i])) {
            *out = (unsigned)i;
            return OMS_OK;
        }
    near = oms_str_nearest(value->text, words, count);
    return fault(build, "unknown %s '%.*s'%s%s%s", key, OMS_STR_ARG(value->text),
                 near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* ---- durations (ISO 8601-1:2019, 5.5.2, without years and months, whose length is not fixed) ---- */

static int64_t unit_ms(char unit, bool time)
{
    if (time)
        return unit == 'H' ? 3600000 : unit == 'M' ? 60000 : unit == 'S' ? 1000 : 0;
    return unit == 'W' ? 7 * 86400000ll : unit == 'D' ? 86400000 : 0;
}

enum oms_status workflow_duration_parse(struct oms_str text, int64_t *out_ms)
{
    int64_t total = 0, number = 0, last = INT64_MAX;
    bool time = false, digits = false, any = false;

    if (text.len < 3 || text.data[0] != 'P')
        return OMS_INVALID;
    for (size_t i = 1; i < text.len; i++) {
        char c = text.data[i];

        if (c >= '0' && c <= '9') {
            digits = true;
            number = number * 10 + (c - '0');
            if (number > OMS_WORKFLOW_DUE_MAX_MS / 1000)
                return OMS_LIMIT;
        } else if (c == 'T' && !time && !digits && i + 1 < text.len) {
            time = true;
        } else {
            int64_t unit = unit_ms(c, time);

            /* Units fall, each at most once. */
            if (!digits || !unit || unit >= last)
                return OMS_INVALID;
            total += number * unit;
            last = unit;
            number = 0;
            digits = false;
            any = true;
        }
        if (total > OMS_WORKFLOW_DUE_MAX_MS)
            return OMS_LIMIT;
    }
    if (digits || !any)
        return OMS_INVALID;
    *out_ms = total;
    return OMS_OK;
}

/* ---- conditions ---- */

static enum oms_status take_percent(const struct build *build, const struct oms_value *value, int32_t *out)
{
    int64_t percent;

    if (money_parse_value(value, 4, &percent) != MONEY_PARSE_OK || percent < 0 ||
        percent > 100 * WORKFLOW_PERCENT_UNIT)
        return fault(
            build,
            "restocking_fee_percent must be a decimal from 0 to 100 with at most 4 digits after the point");
    *out = (int32_t)percent;
    return OMS_OK;
}

static enum oms_status take_amount(const struct build *build, const struct oms_value *value,
                                   struct oms_str *out)
{
    char text[MONEY_TEXT_SIZE];
    int64_t amount;

    if (money_parse_value(value, MONEY_EXPONENT_MAX, &amount) != MONEY_PARSE_OK || amount < 0)
        return fault(build, "max_refund_amount must be a decimal of at least 0");
    if (value->kind != OMS_VALUE_INT)
        return copy_text(build, value->text, out);
    money_format(value->integer, 0, text);
    return copy_text(build, oms_str_of(text), out);
}

static enum oms_status take_patterns(const struct build *build, const struct oms_value *value)
{
    if (value->kind != OMS_VALUE_LIST)
        return fault(build, "non_returnable_sku_patterns must be a list");
    if (value->list.count)
        return fault(build, "non_returnable_sku_patterns is not supported yet");
    return OMS_OK;
}

static const char *const condition_keys[] = {
    "days_to_return",
    "allow_partial_return",
    "auto_approve",
    "complete_requires",
    "restocking_fee_percent",
    "max_refund_amount",
    "non_returnable_sku_patterns",
};

static enum oms_status take_condition(const struct build *build, const struct oms_field *field,
                                      struct workflow_conditions *out)
{
    static const char *const completes[] = {"shipped", "delivered"};
    const struct oms_value *value = &field->value;
    enum oms_status status;
    unsigned word = 0;
    bool flag = false;

    if (oms_str_eq_c(field->name, "days_to_return")) {
        out->has_days_to_return = true;
        return take_int(build, value, "days_to_return", 0, 36500, &out->days_to_return);
    }
    if (oms_str_eq_c(field->name, "allow_partial_return")) {
        status = take_bool(build, value, "allow_partial_return", &flag);
        out->whole_returns_only = !flag;
        return status;
    }
    if (oms_str_eq_c(field->name, "auto_approve"))
        return take_bool(build, value, "auto_approve", &out->auto_approve);
    if (oms_str_eq_c(field->name, "complete_requires")) {
        status = take_word(build, value, "complete_requires", completes, OMS_COUNT_OF(completes), &word);
        out->complete_requires_delivered = word == 1;
        return status;
    }
    if (oms_str_eq_c(field->name, "restocking_fee_percent"))
        return take_percent(build, value, &out->restocking_fee);
    if (oms_str_eq_c(field->name, "max_refund_amount"))
        return take_amount(build, value, &out->max_refund_amount);
    if (oms_str_eq_c(field->name, "non_returnable_sku_patterns"))
        return take_patterns(build, value);
    const char *near = oms_str_nearest(field->name, condition_keys, OMS_COUNT_OF(condition_keys));
    return fault(build, "unknown condition '%.*s'%s%s%s", OMS_STR_ARG(field->name),
                 near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* Lays what is given over what `out` has. A null leaves the default. */
static enum oms_status take_conditions(const struct build *build, const struct oms_value *value,
                                       struct workflow_conditions *out)
{
    enum oms_status status = OMS_OK;

    if (!value)
        return OMS_OK;
    if (value->kind != OMS_VALUE_OBJECT)
        return fault(build, "conditions must be an object");
    for (size_t i = 0; status == OMS_OK && i < value->object.count; i++)
        if (value->object.fields[i].value.kind != OMS_VALUE_NULL)
            status = take_condition(build, &value->object.fields[i], out);
    return status;
}

/* ---- steps ---- */

enum step_key {
    KEY_STAGE,
    KEY_NAME,
    KEY_ACTIVITY_STATUS,
    KEY_SEQUENCE,
    KEY_OPTIONAL,
    KEY_ROLE,
    KEY_WHEN,
    KEY_CONDITIONS,
    KEY_DUE_IN,
    KEY_ON_DUE,
    KEY_ON_REJECT,
    KEY_COUNT
};

static const char *const step_keys[KEY_COUNT] = {
    [KEY_STAGE] = "stage",       [KEY_NAME] = "stepName",         [KEY_ACTIVITY_STATUS] = "activityStatus",
    [KEY_SEQUENCE] = "sequence", [KEY_OPTIONAL] = "optional",     [KEY_ROLE] = "role",
    [KEY_WHEN] = "when",         [KEY_CONDITIONS] = "conditions", [KEY_DUE_IN] = "dueIn",
    [KEY_ON_DUE] = "onDue",      [KEY_ON_REJECT] = "onReject",
};
static const char *const step_keys_snake[KEY_COUNT] = {
    [KEY_STAGE] = "stage",       [KEY_NAME] = "step_name",        [KEY_ACTIVITY_STATUS] = "activity_status",
    [KEY_SEQUENCE] = "sequence", [KEY_OPTIONAL] = "optional",     [KEY_ROLE] = "role",
    [KEY_WHEN] = "when",         [KEY_CONDITIONS] = "conditions", [KEY_DUE_IN] = "due_in",
    [KEY_ON_DUE] = "on_due",     [KEY_ON_REJECT] = "on_reject",
};

/* The step's values by key; NULL where absent or null. */
static enum oms_status sort_keys(const struct build *build, const struct oms_value *step,
                                 const struct oms_value *out[KEY_COUNT])
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        out[i] = NULL;
    for (size_t i = 0; i < step->object.count; i++) {
        const struct oms_field *field = &step->object.fields[i];
        size_t key = 0;

        while (key < KEY_COUNT && !oms_str_eq_c(field->name, step_keys[key]) &&
               !oms_str_eq_c(field->name, step_keys_snake[key]))
            key++;
        if (key == KEY_COUNT) {
            const char *near = oms_str_nearest(field->name, step_keys, KEY_COUNT);

            return fault(build, "unknown key '%.*s'%s%s%s", OMS_STR_ARG(field->name),
                         near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        if (out[key])
            return fault(build, "%s is given twice", step_keys[key]);
        if (field->value.kind != OMS_VALUE_NULL)
            out[key] = &field->value;
    }
    return OMS_OK;
}

#define STAGE(name)  (1u << ORDER_STAGE_##name)
#define LIVE_STAGES  (STAGE(DRAFT) | STAGE(PENDING) | STAGE(CONFIRMED) | STAGE(SHIPPED))
#define AFTER_STAGES (STAGE(SHIPPED) | STAGE(COMPLETED))
#define SHIP_STAGES  (STAGE(CONFIRMED) | STAGE(SHIPPED) | STAGE(COMPLETED))

/* In which stages a step of this command can be performed; 0: it cannot be a step. */
static unsigned stages_of(enum order_command_type command)
{
    switch (command) {
    case ORDER_COMMAND_CREATE_ORDER:
        return STAGE(DRAFT) | STAGE(PENDING) | STAGE(CONFIRMED);
    case ORDER_COMMAND_ADD_LINE_ITEM:
    case ORDER_COMMAND_REMOVE_LINE_ITEM:
    case ORDER_COMMAND_CHANGE_QUANTITY:
        return STAGE(DRAFT) | STAGE(PENDING);
    case ORDER_COMMAND_CHANGE_DESTINATION:
        return STAGE(DRAFT) | STAGE(PENDING) | STAGE(CONFIRMED);
    case ORDER_COMMAND_PLACE_ORDER:
        return STAGE(DRAFT) | STAGE(PENDING);
    case ORDER_COMMAND_CONFIRM_ORDER:
        return STAGE(PENDING) | STAGE(CONFIRMED);
    case ORDER_COMMAND_CANCEL_LINE_ITEMS:
        return STAGE(PENDING) | STAGE(CONFIRMED);
    case ORDER_COMMAND_ADD_SHIPMENT:
    case ORDER_COMMAND_CONFIRM_SHIPMENT:
    case ORDER_COMMAND_DISPATCH_SHIPMENT:
    case ORDER_COMMAND_DELIVER_SHIPMENT:
    case ORDER_COMMAND_CANCEL_SHIPMENT:
    case ORDER_COMMAND_FAIL_SHIPMENT:
    case ORDER_COMMAND_ADD_SHIPPING_TRACKING_REFERENCE:
        return SHIP_STAGES;
    case ORDER_COMMAND_MARK_AS_SHIPPED:
        return STAGE(CONFIRMED) | STAGE(SHIPPED);
    case ORDER_COMMAND_MARK_AS_COMPLETED:
    case ORDER_COMMAND_REQUEST_RETURN:
    case ORDER_COMMAND_APPROVE_RETURN:
    case ORDER_COMMAND_REJECT_RETURN:
    case ORDER_COMMAND_RECEIVE_RETURN:
    case ORDER_COMMAND_CANCEL_RETURN:
        return AFTER_STAGES;
    case ORDER_COMMAND_PROCESS_REFUND:
    case ORDER_COMMAND_RECORD_PAYMENT:
    case ORDER_COMMAND_ADD_NOTE:
        return LIVE_STAGES | STAGE(COMPLETED);
    case ORDER_COMMAND_ESCALATE_REVIEWER:
    case ORDER_COMMAND_REVIEW_ORDER:
        return LIVE_STAGES;
    default:
        return 0;
    }
}

static enum oms_status take_stage(const struct build *build, const struct oms_value *value,
                                  const struct workflow_step *before, enum order_stage *out)
{
    if ((value->kind != OMS_VALUE_STRING && value->kind != OMS_VALUE_ENUM) ||
        !order_stage_parse(value->text, out))
        return fault(build, "stage must be DRAFT, PENDING, CONFIRMED, SHIPPED or COMPLETED");
    if (*out == ORDER_STAGE_CANCELLED)
        return fault(build, "a cancelled order has no steps");
    if (before && *out < before->stage)
        return fault(build, "stage %s comes after stage %s: steps stand in the order of the stages",
                     order_stage_name(*out), order_stage_name(before->stage));
    return OMS_OK;
}

static enum oms_status take_name(const struct build *build, const struct oms_value *value,
                                 const struct workflow *so_far, struct workflow_step *out)
{
    const struct order_command_info *info;
    enum oms_status status = take_text(build, value, "stepName", &out->name);

    if (status != OMS_OK)
        return status;
    out->command = order_command_parse(out->name);
    if (out->command && !(stages_of(out->command) & 1u << out->stage)) {
        info = order_command_info(out->command);
        return stages_of(out->command) ? fault(build, "%s cannot be performed in stage %s", info->word,
                                               order_stage_name(out->stage))
                                       : fault(build, "%s needs no step", info->word);
    }
    for (size_t i = 0; i < so_far->step_count; i++)
        if (oms_str_eq(so_far->steps[i].name, out->name) ||
            (out->command && so_far->steps[i].command == out->command))
            return fault(build, "there is such a step already (step %zu)", i + 1);
    out->conditions_only =
        out->command == ORDER_COMMAND_REQUEST_RETURN || out->command == ORDER_COMMAND_PROCESS_REFUND;
    return OMS_OK;
}

static enum oms_status take_due(const struct build *build, const struct oms_value *const keys[KEY_COUNT],
                                struct workflow_step *out)
{
    static const char *const words[] = {"notify", "escalate", "skip", "cancel"};
    const struct oms_value *due_in = keys[KEY_DUE_IN];
    enum oms_status status;
    unsigned word = 0;

    if (due_in) {
        if (due_in->kind != OMS_VALUE_STRING ||
            workflow_duration_parse(due_in->text, &out->due_in_ms) != OMS_OK || out->due_in_ms == 0)
            return fault(
                build,
                "dueIn must be an ISO 8601 duration of weeks, days, hours, minutes or seconds, at most "
                "366 days, such as PT48H");
    }
    if (!keys[KEY_ON_DUE])
        return OMS_OK;
    if (!due_in)
        return fault(build, "onDue needs dueIn");
    status = take_word(build, keys[KEY_ON_DUE], "onDue", words, OMS_COUNT_OF(words), &word);
    out->on_due = (enum workflow_on_due)word;
    return status;
}

/* The step to go back to is this one or one before it, in the same stage. */
static enum oms_status take_retry(const struct build *build, struct oms_str name,
                                  const struct workflow *so_far, struct workflow_step *out)
{
    out->on_reject = WORKFLOW_REJECT_RETRY;
    if (oms_str_eq(name, out->name)) {
        out->retry_step = (uint32_t)so_far->step_count;
        return OMS_OK;
    }
    for (size_t i = 0; i < so_far->step_count; i++) {
        if (!oms_str_eq(so_far->steps[i].name, name))
            continue;
        if (so_far->steps[i].stage != out->stage)
            return fault(build, "onReject cannot go back to stage %s",
                         order_stage_name(so_far->steps[i].stage));
        out->retry_step = (uint32_t)i;
        return OMS_OK;
    }
    return fault(build, "onReject: there is no step '%.*s' before this one", OMS_STR_ARG(name));
}

static enum oms_status take_on_reject(const struct build *build, const struct oms_value *value,
                                      const struct workflow *so_far, struct workflow_step *out)
{
    static const char *const words[] = {"hold", "cancel"};
    struct oms_str retry = OMS_STR("retry:");
    enum oms_status status;
    unsigned word = 0;

    if (!value)
        return OMS_OK;
    if (value->kind == OMS_VALUE_STRING && oms_str_starts(value->text, retry))
        return take_retry(build, oms_str_make(value->text.data + retry.len, value->text.len - retry.len),
                          so_far, out);
    status = take_word(build, value, "onReject", words, OMS_COUNT_OF(words), &word);
    out->on_reject = (enum workflow_on_reject)word;
    return status;
}

static enum oms_status check_step(const struct build *build, const struct workflow_step *before,
                                  const struct workflow_step *step)
{
    if (before && step->stage == before->stage && step->sequence <= before->sequence)
        return fault(build, "sequence %d does not follow %d: steps of a stage ascend", step->sequence,
                     before->sequence);
    if (step->conditions_only && (step->due_in_ms || step->on_reject))
        return fault(build, "this step carries conditions and role only");
    return OMS_OK;
}

static enum oms_status take_step(struct build *build, const struct oms_value *value,
                                 const struct workflow *so_far, struct workflow_step *out)
{
    const struct workflow_step *before = so_far->step_count ? &so_far->steps[so_far->step_count - 1] : NULL;
    const struct oms_value *keys[KEY_COUNT];
    enum oms_status status;

    if (value->kind != OMS_VALUE_OBJECT)
        return fault(build, "a step must be an object");
    if ((status = sort_keys(build, value, keys)) != OMS_OK)
        return status;
    if (keys[KEY_NAME] && keys[KEY_NAME]->kind == OMS_VALUE_STRING)
        build->name = keys[KEY_NAME]->text;
    for (size_t key = KEY_STAGE; key <= KEY_SEQUENCE; key++)
        if (!keys[key] && key != KEY_ACTIVITY_STATUS)
            return fault(build, "%s is missing", step_keys[key]);
    *out = (struct workflow_step){.conditions = so_far->defaults};
    if ((status = take_stage(build, keys[KEY_STAGE], before, &out->stage)) != OMS_OK ||
        (status = take_name(build, keys[KEY_NAME], so_far, out)) != OMS_OK ||
        (status = take_int(build, keys[KEY_SEQUENCE], "sequence", 0, INT32_MAX, &out->sequence)) != OMS_OK ||
        (status = take_conditions(build, keys[KEY_CONDITIONS], &out->conditions)) != OMS_OK ||
        (status = take_due(build, (const struct oms_value *const *)keys, out)) != OMS_OK ||
        (status = take_on_reject(build, keys[KEY_ON_REJECT], so_far, out)) != OMS_OK)
        return status;
    out->activity_status = out->name;
    if (keys[KEY_ACTIVITY_STATUS])
        status = take_text(build, keys[KEY_ACTIVITY_STATUS], "activityStatus", &out->activity_status);
    if (status == OMS_OK && keys[KEY_OPTIONAL])
        status = take_bool(build, keys[KEY_OPTIONAL], "optional", &out->optional);
    if (status == OMS_OK && keys[KEY_ROLE])
        status = take_text(build, keys[KEY_ROLE], "role", &out->role);
    if (status == OMS_OK && keys[KEY_WHEN] &&
        !(keys[KEY_WHEN]->kind == OMS_VALUE_LIST && keys[KEY_WHEN]->list.count == 0))
        return fault(build, "when is not supported yet");
    return status == OMS_OK ? check_step(build, before, out) : status;
}

/* ---- the whole ---- */

static enum oms_status take_steps(struct build *build, const struct oms_value *list, struct workflow *out)
{
    struct workflow_step *steps;
    enum oms_status status;

    if (list->kind != OMS_VALUE_LIST)
        return oms_error_set(build->error, OMS_INVALID, "steps must be a list");
    if (list->list.count > OMS_WORKFLOW_STEPS_MAX)
        return oms_error_set(build->error, OMS_LIMIT, "a workflow has at most %d steps",
                             OMS_WORKFLOW_STEPS_MAX);
    steps = oms_arena_calloc(build->arena, list->list.count + 1, sizeof *steps);
    if (!steps)
        return oms_error_set(build->error, OMS_LIMIT, "the workflow is too large");
    out->steps = steps;
    for (size_t i = 0; i < list->list.count; i++) {
        build->index = i;
        build->name = OMS_STR("?");
        status = take_step(build, &list->list.items[i], out, &steps[i]);
        if (status != OMS_OK)
            return status;
        out->step_count = i + 1;
    }
    return OMS_OK;
}

static enum oms_status keep_source(struct build *build, const struct oms_value *input, struct workflow *out)
{
    struct oms_buf text;

    oms_buf_init(&text, 1u << 20);
    oms_value_write_json(input, &text);
    if (!text.overflow)
        out->source = oms_str_copy(build->arena, oms_buf_str(&text));
    oms_buf_fini(&text);
    return oms_str_present(out->source) ? OMS_OK
                                        : oms_error_set(build->error, OMS_LIMIT, "the workflow is too large");
}

static enum oms_status check_top_keys(struct build *build, const struct oms_value *input)
{
    for (size_t i = 0; i < input->object.count; i++) {
        struct oms_str name = input->object.fields[i].name;

        if (!oms_str_eq_c(name, "steps") && !oms_str_eq_c(name, "defaults"))
            return oms_error_set(build->error, OMS_INVALID, "unknown key '%.*s', expected steps or defaults",
                                 OMS_STR_ARG(name));
    }
    return OMS_OK;
}

enum oms_status workflow_build(const struct oms_value *input, uint32_t version, struct oms_arena *arena,
                               struct workflow *out, struct oms_error *error)
{
    struct build build = {.arena = arena, .error = error, .index = SIZE_MAX};
    const struct oms_value *steps = input;
    enum oms_status status;

    *out = (struct workflow){.version = version};
    if (input->kind == OMS_VALUE_OBJECT) {
        if ((status = check_top_keys(&build, input)) != OMS_OK ||
            (status = take_conditions(&build, oms_value_get_set(input, "defaults"), &out->defaults)) !=
                OMS_OK)
            return status;
        steps = oms_value_get_set(input, "steps");
        if (!steps)
            return oms_error_set(error, OMS_INVALID, "steps is missing");
    }
    status = take_steps(&build, steps, out);
    return status == OMS_OK ? keep_source(&build, input, out) : status;
}

enum oms_status workflow_build_json(struct oms_str json, uint32_t version, struct oms_arena *arena,
                                    struct workflow *out, struct oms_error *error)
{
    struct oms_json_error fault_at = {0};
    struct oms_value value;
    enum oms_status status = oms_json_parse(json, OMS_JSON_DEPTH_MAX, arena, &value, &fault_at);

    if (status != OMS_OK)
        return oms_error_set(error, status, "line %u, column %u: %s", fault_at.line, fault_at.column,
                             fault_at.message ? fault_at.message : "no JSON");
    return workflow_build(&value, version, arena, out, error);
}

/* ---- reading ---- */

const struct workflow_step *workflow_find_step(const struct workflow *workflow, struct oms_str name)
{
    for (size_t i = 0; workflow && i < workflow->step_count; i++)
        if (oms_str_eq(workflow->steps[i].name, name))
            return &workflow->steps[i];
    return NULL;
}

const struct workflow_step *workflow_command_step(const struct workflow *workflow,
                                                  enum order_command_type command)
{
    for (size_t i = 0; workflow && i < workflow->step_count; i++)
        if (workflow->steps[i].command == command)
            return &workflow->steps[i];
    return NULL;
}

const struct workflow_conditions *workflow_conditions_of(const struct workflow *workflow,
                                                         enum order_command_type command)
{
    static const struct workflow_conditions none = {0};
    const struct workflow_step *step = workflow_command_step(workflow, command);

    if (step)
        return &step->conditions;
    return workflow ? &workflow->defaults : &none;
}
