/*
 * Building workflows from data; see workflow.h.
 *
 * Every key is checked by name, so that a misspelt condition is an error and not a default. All faults are
 * collected, each with the path of the value that it is about and the step's number (from 1) and name; a step
 * with a fault still takes its place, so that later steps are judged as they stand.
 */
#include <stdarg.h>
#include <stdio.h>

#include "actors/money.h"
#include "actors/workflow.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/value.h"

#define NAME_SHOWN 64

struct build {
    struct oms_arena *arena;
    struct refusal_list *refusals;
    const char *prefix;
    bool bare;           /* the input is a bare list of steps */
    bool is_new;         /* else it is stored, and was accepted once */
    size_t index;        /* of the step; SIZE_MAX outside of steps */
    struct oms_str name; /* of the step */
};

/* "workflow.steps.2." in the arena. */
static struct oms_str step_path(const struct build *build, const char *more)
{
    return refusal_field(build->refusals, "%s%s%zu%s%s", build->prefix, build->bare ? "" : "steps.",
                         build->index, *more ? "." : "", more);
}

static OMS_PRINTF(3, 4) bool fault(const struct build *build, struct oms_str key, const char *format, ...)
{
    struct oms_str name = build->name;
    char text[320], path[96];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (name.len > NAME_SHOWN)
        name.len = NAME_SHOWN;
    if (key.len > NAME_SHOWN)
        key.len = NAME_SHOWN;
    snprintf(path, sizeof path, "%.*s", OMS_STR_ARG(key));
    if (build->index == SIZE_MAX)
        return refusal_add(
            build->refusals, REFUSAL_INVALID,
            refusal_field(build->refusals, "%sdefaults%s%s", build->prefix, *path ? "." : "", path),
            "defaults: %s", text);
    return refusal_add(build->refusals, REFUSAL_INVALID, step_path(build, path), "step %zu '%.*s': %s",
                       build->index + 1, OMS_STR_ARG(name), text);
}

static bool too_large(const struct build *build)
{
    return refusal_add(build->refusals, REFUSAL_LIMIT_EXCEEDED, oms_str_of("workflow"),
                       "the workflow is too large");
}

static bool copy_text(const struct build *build, struct oms_str from, struct oms_str *to)
{
    *to = oms_str_copy(build->arena, from);
    return oms_str_present(*to) || too_large(build);
}

/* ---- values ---- */

static bool take_text(const struct build *build, const struct oms_field *field, struct oms_str *out)
{
    const struct oms_value *value = &field->value;

    if (value->kind != OMS_VALUE_STRING && value->kind != OMS_VALUE_ENUM)
        return fault(build, field->name, "%.*s must be a string", OMS_STR_ARG(field->name));
    if (!value->text.len || value->text.len > OMS_ID_BYTES_MAX)
        return fault(build, field->name, "%.*s must have 1 to %d bytes", OMS_STR_ARG(field->name),
                     OMS_ID_BYTES_MAX);
    for (size_t i = 0; build->is_new && i < value->text.len; i++)
        if ((unsigned char)value->text.data[i] < ' ' || value->text.data[i] == 0x7f)
            return fault(build, field->name, "%.*s has a control character", OMS_STR_ARG(field->name));
    return copy_text(build, value->text, out);
}

static bool take_bool(const struct build *build, const struct oms_field *field, bool *out)
{
    if (field->value.kind != OMS_VALUE_BOOL)
        return fault(build, field->name, "%.*s must be true or false", OMS_STR_ARG(field->name));
    *out = field->value.boolean;
    return true;
}

static bool take_int(const struct build *build, const struct oms_field *field, int64_t min, int64_t max,
                     int32_t *out)
{
    const struct oms_value *value = &field->value;
    int64_t number = 0;
    bool ok = value->kind == OMS_VALUE_INT;

    if (ok)
        number = value->integer;
    else
        ok = value->kind == OMS_VALUE_NUMBER && oms_str_to_i64(value->text, &number) == OMS_OK;
    if (!ok || number < min || number > max)
        return fault(build, field->name, "%.*s must be a whole number from %lld to %lld",
                     OMS_STR_ARG(field->name), (long long)min, (long long)max);
    *out = (int32_t)number;
    return true;
}

/* An enum word of a small list; its index. */
static bool take_word(const struct build *build, const struct oms_field *field, const char *const *words,
                      size_t count, unsigned *out)
{
    const struct oms_value *value = &field->value;
    const char *near;

    if (value->kind != OMS_VALUE_STRING && value->kind != OMS_VALUE_ENUM)
        return fault(build, field->name, "%.*s must be a string", OMS_STR_ARG(field->name));
    for (size_t i = 0; i < count; i++)
        if (oms_str_eq_c(value->text, words[i])) {
            *out = (unsigned)i;
            return true;
        }
    near = oms_str_nearest(value->text, words, count);
    return fault(build, field->name, "unknown %.*s '%.*s'%s%s%s", OMS_STR_ARG(field->name),
                 (int)(value->text.len < NAME_SHOWN ? value->text.len : NAME_SHOWN), value->text.data,
                 near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* ---- conditions ---- */

enum condition_key {
    CONDITION_DAYS_TO_RETURN,
    CONDITION_ALLOW_PARTIAL_RETURN,
    CONDITION_AUTO_APPROVE,
    CONDITION_COMPLETE_REQUIRES,
    CONDITION_RESTOCKING_FEE,
    CONDITION_MAX_REFUND,
    CONDITION_PATTERNS,
    CONDITION_COUNT
};

static const char *const condition_keys[CONDITION_COUNT] = {
    "days_to_return",
    "allow_partial_return",
    "auto_approve",
    "complete_requires",
    "restocking_fee_percent",
    "max_refund_amount",
    "non_returnable_sku_patterns",
};
static const char *const condition_keys_camel[CONDITION_COUNT] = {
    "daysToReturn",    "allowPartialReturn",       "autoApprove", "completeRequires", "restockingFeePercent",
    "maxRefundAmount", "nonReturnableSkuPatterns",
};
/* Whose decisions each one bounds: on another step it would mean nothing. */
static const enum order_command_type condition_commands[CONDITION_COUNT] = {
    ORDER_COMMAND_REQUEST_RETURN,    ORDER_COMMAND_REQUEST_RETURN, ORDER_COMMAND_REQUEST_RETURN,
    ORDER_COMMAND_MARK_AS_COMPLETED, ORDER_COMMAND_PROCESS_REFUND, ORDER_COMMAND_PROCESS_REFUND,
    ORDER_COMMAND_REQUEST_RETURN,
};

static bool take_percent(const struct build *build, const struct oms_field *field, int32_t *out)
{
    int64_t percent;

    if (money_parse_value(&field->value, 4, &percent) != MONEY_PARSE_OK || percent < 0 ||
        percent > 100 * WORKFLOW_PERCENT_UNIT)
        return fault(
            build, field->name,
            "restocking_fee_percent must be a decimal from 0 to 100 with at most 4 digits after the point");
    *out = (int32_t)percent;
    return true;
}

static bool take_amount(const struct build *build, const struct oms_field *field, struct oms_str *out)
{
    const struct oms_value *value = &field->value;
    char text[MONEY_TEXT_SIZE];
    int64_t amount;

    if (money_parse_value(value, MONEY_EXPONENT_MAX, &amount) != MONEY_PARSE_OK || amount < 0)
        return fault(build, field->name, "max_refund_amount must be a decimal of at least 0");
    if (value->kind != OMS_VALUE_INT)
        return copy_text(build, value->text, out);
    money_format(value->integer, 0, text);
    return copy_text(build, oms_str_of(text), out);
}

/* A hostile SKU for a pattern that backtracks: what it needs is learnt before an order waits for it. */
static bool probe(const struct build *build, struct oms_str path, const struct pattern *pattern)
{
    static const char *const shapes[] = {"A", "a", "0", "A0-", "- ", "_."};
    struct pattern_runner runner = {.arena = build->arena};
    char sku[OMS_ID_BYTES_MAX];

    for (size_t s = 0; build->is_new && s < 2 * OMS_COUNT_OF(shapes); s++) {
        const char *shape = shapes[s / 2];

        for (size_t i = 0; i < sizeof sku; i++)
            sku[i] = shape[i % strlen(shape)];
        if (s % 2)
            sku[sizeof sku - 1] = '!'; /* so that what fits so far fits no more */
        if (pattern_match(&runner, pattern, oms_str_make(sku, sizeof sku)) == PATTERN_LIMIT)
            return fault(build, path,
                         "the pattern needs more than %d steps on a SKU of %d characters: make it simpler",
                         OMS_PATTERN_STEPS_MAX, OMS_ID_BYTES_MAX);
    }
    return true;
}

static bool take_pattern(const struct build *build, struct oms_str path, const struct oms_value *value,
                         const struct pattern **out, struct oms_str *text)
{
    char message[128];
    size_t offset;

    if (value->kind != OMS_VALUE_STRING || !value->text.len)
        return fault(build, path, "a pattern must be a string that is not empty");
    *out = pattern_compile(value->text, build->arena, message, &offset);
    if (!*out)
        return fault(build, path, "the pattern '%.*s' is wrong at character %zu: %s",
                     (int)(value->text.len < NAME_SHOWN ? value->text.len : NAME_SHOWN), value->text.data,
                     offset + 1, message);
    return copy_text(build, value->text, text) && probe(build, path, *out);
}

static bool take_patterns(const struct build *build, const struct oms_field *field,
                          struct workflow_conditions *out)
{
    const struct oms_value *list = &field->value;
    const struct pattern **patterns;
    struct oms_str *texts;
    bool fine = true;

    if (list->kind != OMS_VALUE_LIST)
        return fault(build, field->name, "non_returnable_sku_patterns must be a list of regular expressions");
    if (list->list.count > OMS_WORKFLOW_PATTERNS_MAX)
        return fault(build, field->name, "non_returnable_sku_patterns has at most %d patterns",
                     OMS_WORKFLOW_PATTERNS_MAX);
    patterns = oms_arena_calloc(build->arena, list->list.count + 1, sizeof *patterns);
    texts = oms_arena_calloc(build->arena, list->list.count + 1, sizeof *texts);
    if (!patterns || !texts)
        return too_large(build);
    for (size_t i = 0; i < list->list.count; i++) {
        char path[NAME_SHOWN];

        snprintf(path, sizeof path, "%.*s.%zu", OMS_STR_ARG(field->name), i);
        fine = take_pattern(build, oms_str_of(path), &list->list.items[i], &patterns[i], &texts[i]) && fine;
    }
    out->non_returnable = patterns;
    out->non_returnable_text = texts;
    out->non_returnable_count = list->list.count;
    return fine;
}

static bool take_condition(const struct build *build, enum condition_key key, const struct oms_field *field,
                           struct workflow_conditions *out)
{
    static const char *const completes[] = {"shipped", "delivered"};
    unsigned word = 0;
    bool flag = false, fine;

    switch (key) {
    case CONDITION_DAYS_TO_RETURN:
        out->has_days_to_return = true;
        return take_int(build, field, 0, 36500, &out->days_to_return);
    case CONDITION_ALLOW_PARTIAL_RETURN:
        fine = take_bool(build, field, &flag);
        out->whole_returns_only = !flag;
        return fine;
    case CONDITION_AUTO_APPROVE:
        return take_bool(build, field, &out->auto_approve);
    case CONDITION_COMPLETE_REQUIRES:
        fine = take_word(build, field, completes, OMS_COUNT_OF(completes), &word);
        out->complete_requires_delivered = word == 1;
        return fine;
    case CONDITION_RESTOCKING_FEE:
        return take_percent(build, field, &out->restocking_fee);
    case CONDITION_MAX_REFUND:
        return take_amount(build, field, &out->max_refund_amount);
    case CONDITION_PATTERNS:
        return take_patterns(build, field, out);
    case CONDITION_COUNT:
        break;
    }
    OMS_UNREACHABLE();
    return false;
}

static enum condition_key condition_key_of(struct oms_str name)
{
    unsigned key = 0;

    while (key < CONDITION_COUNT && !oms_str_eq_c(name, condition_keys[key]) &&
           !oms_str_eq_c(name, condition_keys_camel[key]))
        key++;
    return (enum condition_key)key;
}

/* Lays what is given over what `out` has; a null leaves the default. `command`: of the step; NONE: defaults.
 */
static bool take_conditions(struct build *build, const struct oms_field *field,
                            enum order_command_type command, struct workflow_conditions *out)
{
    const char *place = build->index == SIZE_MAX ? "" : "conditions.";
    bool fine = true, seen[CONDITION_COUNT] = {false};

    if (!field || field->value.kind == OMS_VALUE_NULL)
        return true;
    if (field->value.kind != OMS_VALUE_OBJECT)
        return fault(build, build->index == SIZE_MAX ? OMS_STR("") : field->name, "%.*s must be an object",
                     OMS_STR_ARG(field->name));
    for (size_t i = 0; i < field->value.object.count; i++) {
        struct oms_field given = field->value.object.fields[i];
        enum condition_key key = condition_key_of(given.name);
        struct oms_str name = given.name;
        char path[NAME_SHOWN + 16];

        snprintf(path, sizeof path, "%s%.*s", place, (int)(name.len < NAME_SHOWN ? name.len : NAME_SHOWN),
                 name.data);
        given.name = oms_str_of(path);
        if (key == CONDITION_COUNT) {
            const char *near = oms_str_nearest(name, condition_keys, CONDITION_COUNT);

            fine = fault(build, given.name, "unknown condition '%.*s'%s%s%s",
                         (int)(name.len < NAME_SHOWN ? name.len : NAME_SHOWN), name.data,
                         near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
        } else if (seen[key]) {
            fine = fault(build, given.name, "%s is given twice", condition_keys[key]);
        } else if (build->is_new && build->index != SIZE_MAX && condition_commands[key] != command) {
            fine = fault(build, given.name, "%s is a condition of the step %s, or of defaults",
                         condition_keys[key], order_command_info(condition_commands[key])->word);
        } else if (given.value.kind != OMS_VALUE_NULL) {
            fine = take_condition(build, key, &given, out) && fine;
        }
        if (key < CONDITION_COUNT)
            seen[key] = true;
    }
    return fine;
}

/* ---- steps ---- */

enum step_key {
    KEY_STAGE,
    KEY_NAME,
    KEY_SEQUENCE,
    KEY_ACTIVITY_STATUS,
    KEY_OPTIONAL,
    KEY_ROLE,
    KEY_WHEN,
    KEY_CONDITIONS,
    KEY_DUE_IN,
    KEY_ON_DUE,
    KEY_ESCALATE_TO,
    KEY_ON_REJECT,
    KEY_COUNT
};
#define KEYS_NEEDED KEY_ACTIVITY_STATUS /* those before it */

static const char *const step_keys[KEY_COUNT] = {
    [KEY_STAGE] = "stage",
    [KEY_NAME] = "stepName",
    [KEY_SEQUENCE] = "sequence",
    [KEY_ACTIVITY_STATUS] = "activityStatus",
    [KEY_OPTIONAL] = "optional",
    [KEY_ROLE] = "role",
    [KEY_WHEN] = "when",
    [KEY_CONDITIONS] = "conditions",
    [KEY_DUE_IN] = "dueIn",
    [KEY_ON_DUE] = "onDue",
    [KEY_ESCALATE_TO] = "escalateTo",
    [KEY_ON_REJECT] = "onReject",
};
static const char *const step_keys_snake[KEY_COUNT] = {
    [KEY_STAGE] = "stage",
    [KEY_NAME] = "step_name",
    [KEY_SEQUENCE] = "sequence",
    [KEY_ACTIVITY_STATUS] = "activity_status",
    [KEY_OPTIONAL] = "optional",
    [KEY_ROLE] = "role",
    [KEY_WHEN] = "when",
    [KEY_CONDITIONS] = "conditions",
    [KEY_DUE_IN] = "due_in",
    [KEY_ON_DUE] = "on_due",
    [KEY_ESCALATE_TO] = "escalate_to",
    [KEY_ON_REJECT] = "on_reject",
};

/* The step's fields by key; NULL where absent or null. */
static bool sort_keys(const struct build *build, const struct oms_value *step,
                      const struct oms_field *out[KEY_COUNT])
{
    bool fine = true;

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

            fine = fault(build, field->name, "unknown key '%.*s'%s%s%s",
                         (int)(field->name.len < NAME_SHOWN ? field->name.len : NAME_SHOWN), field->name.data,
                         near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
        } else if (out[key]) {
            fine = fault(build, field->name, "%s is given twice", step_keys[key]);
        } else if (field->value.kind != OMS_VALUE_NULL) {
            out[key] = field;
        }
    }
    for (size_t key = 0; key < KEYS_NEEDED; key++)
        if (!out[key])
            fine = fault(build, oms_str_of(step_keys[key]), "%s is missing", step_keys[key]);
    return fine;
}

static bool take_stage(const struct build *build, const struct oms_field *field,
                       const struct workflow_step *before, enum order_stage *out)
{
    const struct oms_value *value = &field->value;

    if ((value->kind != OMS_VALUE_STRING && value->kind != OMS_VALUE_ENUM) ||
        !order_stage_parse(value->text, out))
        return fault(build, field->name, "stage must be DRAFT, PENDING, CONFIRMED, SHIPPED or COMPLETED");
    if (*out == ORDER_STAGE_CANCELLED) {
        *out = ORDER_STAGE_NONE;
        return fault(build, field->name, "a cancelled order has no steps");
    }
    if (before && before->stage && *out < before->stage)
        return fault(build, field->name,
                     "stage %s comes after stage %s: steps stand in the order of the stages",
                     order_stage_name(*out), order_stage_name(before->stage));
    return true;
}

static bool check_command(const struct build *build, const struct oms_field *field,
                          const struct workflow_step *step)
{
    unsigned stages = workflow_command_stages(step->command);
    const struct order_command_info *info = order_command_info(step->command);

    if (!stages)
        return fault(build, field->name, "%s needs no step", info->word);
    return !step->stage || (stages & 1u << step->stage) ||
           fault(build, field->name, "%s cannot be performed in stage %s", info->word,
                 order_stage_name(step->stage));
}

static bool take_name(const struct build *build, const struct oms_field *field, const struct workflow *so_far,
                      struct workflow_step *out)
{
    if (!take_text(build, field, &out->name))
        return false;
    out->command = order_command_parse(out->name);
    if (out->command && !check_command(build, field, out))
        return false;
    for (size_t i = 0; i < so_far->step_count; i++)
        if (oms_str_eq(so_far->steps[i].name, out->name) ||
            (out->command && so_far->steps[i].command == out->command))
            return fault(build, field->name, "there is such a step already (step %zu)", i + 1);
    out->conditions_only =
        out->command == ORDER_COMMAND_REQUEST_RETURN || out->command == ORDER_COMMAND_PROCESS_REFUND;
    return true;
}

static bool take_due(const struct build *build, const struct oms_field *const keys[KEY_COUNT],
                     struct workflow_step *out)
{
    static const char *const words[] = {"notify", "escalate", "skip", "cancel"};
    const struct oms_field *due_in = keys[KEY_DUE_IN], *to = keys[KEY_ESCALATE_TO];
    unsigned word = 0;

    if (due_in &&
        (due_in->value.kind != OMS_VALUE_STRING ||
         workflow_duration_parse(due_in->value.text, &out->due_in_ms) != OMS_OK || out->due_in_ms == 0))
        return fault(build, due_in->name,
                     "dueIn must be an ISO 8601 duration of weeks, days, hours, minutes or seconds, at most "
                     "366 days, such as PT48H");
    if (keys[KEY_ON_DUE]) {
        if (!take_word(build, keys[KEY_ON_DUE], words, OMS_COUNT_OF(words), &word))
            return false;
        if (!due_in)
            return fault(build, keys[KEY_ON_DUE]->name, "onDue needs dueIn");
    }
    out->on_due = (enum workflow_on_due)word;
    if (to && out->on_due != WORKFLOW_DUE_ESCALATE)
        return fault(build, to->name, "escalateTo needs onDue: escalate");
    return !to || take_text(build, to, &out->escalate_to);
}

/* Whether, from rejection to rejection, the steps send to one another in a circle: `to` is sent back to
 * `from`. */
static bool sends_back(const struct oms_value *list, struct oms_str from, struct oms_str to)
{
    for (size_t hops = 0; hops <= list->list.count; hops++) {
        const struct oms_value *found = NULL;

        for (size_t i = 0; i < list->list.count && !found; i++) {
            const struct oms_value *name = oms_value_get_set(&list->list.items[i], "stepName");

            if (!name)
                name = oms_value_get_set(&list->list.items[i], "step_name");
            if (name && name->kind == OMS_VALUE_STRING && oms_str_eq(name->text, to)) {
                found = oms_value_get_set(&list->list.items[i], "onReject");
                found = found ? found : oms_value_get_set(&list->list.items[i], "on_reject");
                break;
            }
        }
        if (!found || found->kind != OMS_VALUE_STRING || !oms_str_starts(found->text, OMS_STR("retry:")))
            return false;
        to = oms_str_make(found->text.data + 6, found->text.len - 6);
        if (oms_str_eq(to, from))
            return true;
    }
    return false;
}

/* The step to go back to is this one or one before it, in the same stage. */
static bool take_retry(const struct build *build, const struct oms_field *field, const struct oms_value *list,
                       const struct workflow *so_far, struct workflow_step *out)
{
    struct oms_str name = oms_str_make(field->value.text.data + 6, field->value.text.len - 6);

    out->on_reject = WORKFLOW_REJECT_RETRY;
    if (oms_str_eq(name, out->name)) {
        out->retry_step = (uint32_t)so_far->step_count;
        return true;
    }
    for (size_t i = 0; i < so_far->step_count; i++) {
        if (!oms_str_eq(so_far->steps[i].name, name))
            continue;
        if (so_far->steps[i].stage != out->stage)
            return fault(build, field->name, "onReject cannot go back to stage %s",
                         order_stage_name(so_far->steps[i].stage));
        if (so_far->steps[i].conditions_only)
            return fault(build, field->name, "onReject: '%.*s' is a step that is never performed in sequence",
                         OMS_STR_ARG(so_far->steps[i].name));
        out->retry_step = (uint32_t)i;
        return true;
    }
    if (name.len > NAME_SHOWN)
        name.len = NAME_SHOWN;
    if (sends_back(list, out->name, name))
        return fault(build, field->name, "onReject: a cycle of retries, since '%.*s' sends back to this step",
                     OMS_STR_ARG(name));
    return fault(build, field->name, "onReject: there is no step '%.*s' before this one", OMS_STR_ARG(name));
}

static bool take_on_reject(const struct build *build, const struct oms_field *field,
                           const struct oms_value *list, const struct workflow *so_far,
                           struct workflow_step *out)
{
    static const char *const words[] = {"hold", "cancel"};
    unsigned word = 0;

    if (!field)
        return true;
    if (field->value.kind == OMS_VALUE_STRING && oms_str_starts(field->value.text, OMS_STR("retry:")))
        return take_retry(build, field, list, so_far, out);
    if (field->value.kind == OMS_VALUE_STRING && oms_str_eq_c(field->value.text, "retry"))
        return fault(build, field->name, "onReject: retry needs a step, as in retry:%.*s",
                     OMS_STR_ARG(out->name));
    if (!take_word(build, field, words, OMS_COUNT_OF(words), &word))
        return false;
    out->on_reject = (enum workflow_on_reject)word;
    return true;
}

static bool take_when(const struct build *build, const struct oms_field *field, struct workflow_step *out)
{
    struct workflow_when *when;
    struct oms_str who;
    bool fine = true;

    if (!field)
        return true;
    if (field->value.kind != OMS_VALUE_LIST)
        return fault(build, field->name, "when must be a list of {field, op, value}");
    if (field->value.list.count > OMS_WORKFLOW_WHEN_MAX)
        return fault(build, field->name, "when has at most %d conditions", OMS_WORKFLOW_WHEN_MAX);
    when = oms_arena_calloc(build->arena, field->value.list.count + 1, sizeof *when);
    if (!when)
        return too_large(build);
    who = refusal_field(build->refusals, "step %zu '%.*s': ", build->index + 1,
                        (int)(build->name.len < NAME_SHOWN ? build->name.len : NAME_SHOWN), build->name.data);
    for (size_t i = 0; i < field->value.list.count; i++) {
        char path[32];

        snprintf(path, sizeof path, "when.%zu", i);
        fine = workflow_when_parse(&field->value.list.items[i], step_path(build, path), who, build->arena,
                                   build->refusals, &when[i]) &&
               fine;
    }
    out->when = when;
    out->when_count = field->value.list.count;
    return fine;
}

static void check_step(const struct build *build, const struct oms_field *const keys[KEY_COUNT],
                       const struct workflow_step *before, const struct workflow_step *step)
{
    static const enum step_key others[] = {KEY_WHEN, KEY_DUE_IN, KEY_ON_DUE, KEY_ESCALATE_TO, KEY_ON_REJECT};

    if (before && before->stage && step->stage == before->stage && step->sequence <= before->sequence)
        fault(build, keys[KEY_SEQUENCE]->name, "sequence %d does not follow %d: steps of a stage ascend",
              step->sequence, before->sequence);
    for (size_t i = 0; step->conditions_only && i < OMS_COUNT_OF(others); i++)
        if (keys[others[i]])
            fault(build, keys[others[i]]->name, "this step carries conditions and role only");
    if (build->is_new && step->conditions_only && keys[KEY_OPTIONAL] && !step->optional)
        fault(build, keys[KEY_OPTIONAL]->name,
              "this step is never required: it carries conditions and role only");
}

static void take_step(struct build *build, const struct oms_value *list, const struct workflow *so_far,
                      struct workflow_step *out)
{
    const struct workflow_step *before = so_far->step_count ? &so_far->steps[so_far->step_count - 1] : NULL;
    const struct oms_value *value = &list->list.items[build->index];
    const struct oms_field *keys[KEY_COUNT];
    bool fine;

    *out = (struct workflow_step){.conditions = so_far->defaults};
    if (value->kind != OMS_VALUE_OBJECT) {
        fault(build, OMS_STR(""), "a step must be an object");
        return;
    }
    for (size_t i = 0; i < value->object.count; i++)
        if ((oms_str_eq_c(value->object.fields[i].name, "stepName") ||
             oms_str_eq_c(value->object.fields[i].name, "step_name")) &&
            value->object.fields[i].value.kind == OMS_VALUE_STRING)
            build->name = value->object.fields[i].value.text;
    (void)sort_keys(build, value, keys);
    fine = keys[KEY_STAGE] && take_stage(build, keys[KEY_STAGE], before, &out->stage);
    fine = keys[KEY_NAME] && take_name(build, keys[KEY_NAME], so_far, out) && fine;
    fine = keys[KEY_SEQUENCE] && take_int(build, keys[KEY_SEQUENCE], 0, INT32_MAX, &out->sequence) && fine;
    out->activity_status = out->name;
    if (keys[KEY_ACTIVITY_STATUS])
        (void)take_text(build, keys[KEY_ACTIVITY_STATUS], &out->activity_status);
    if (keys[KEY_OPTIONAL])
        (void)take_bool(build, keys[KEY_OPTIONAL], &out->optional);
    if (keys[KEY_ROLE])
        (void)take_text(build, keys[KEY_ROLE], &out->role);
    (void)take_conditions(build, keys[KEY_CONDITIONS], out->command, &out->conditions);
    (void)take_due(build, keys, out);
    (void)take_on_reject(build, keys[KEY_ON_REJECT], list, so_far, out);
    (void)take_when(build, keys[KEY_WHEN], out);
    if (fine)
        check_step(build, keys, before, out);
}

/* ---- the whole ---- */

static bool fault_whole(const struct build *build, const char *key, const char *message)
{
    struct oms_str path = refusal_field(build->refusals, "%s%s", build->prefix, key);

    if (!*key && path.len)
        path.len--; /* the dot behind the prefix */
    return refusal_add(build->refusals, REFUSAL_INVALID, path, "%s", message);
}

static void take_steps(struct build *build, const struct oms_value *list, struct workflow *out)
{
    struct workflow_step *steps;

    if (list->kind != OMS_VALUE_LIST) {
        fault_whole(build, build->bare ? "" : "steps", "steps must be a list");
        return;
    }
    if (list->list.count > OMS_WORKFLOW_STEPS_MAX) {
        refusal_add(build->refusals, REFUSAL_LIMIT_EXCEEDED,
                    refusal_field(build->refusals, "%ssteps", build->prefix),
                    "a workflow has at most %d steps", OMS_WORKFLOW_STEPS_MAX);
        return;
    }
    steps = oms_arena_calloc(build->arena, list->list.count + 1, sizeof *steps);
    if (!steps) {
        too_large(build);
        return;
    }
    out->steps = steps;
    for (size_t i = 0; i < list->list.count; i++) {
        build->index = i;
        build->name = OMS_STR("?");
        take_step(build, list, out, &steps[i]);
        out->step_count = i + 1;
    }
}

static void keep_source(struct build *build, const struct oms_value *input, struct workflow *out)
{
    struct oms_buf text;

    oms_buf_init(&text, 1u << 20);
    oms_value_write_json(input, &text);
    if (!text.overflow && (!build->is_new || text.len <= OMS_WORKFLOW_BYTES_MAX))
        out->source = oms_str_copy(build->arena, oms_buf_str(&text));
    oms_buf_fini(&text);
    if (!oms_str_present(out->source))
        too_large(build);
}

static const struct oms_value *take_top(struct build *build, const struct oms_value *input,
                                        struct workflow *out)
{
    const struct oms_value *steps = NULL;

    for (size_t i = 0; i < input->object.count; i++) {
        const struct oms_field *field = &input->object.fields[i];

        if (oms_str_eq_c(field->name, "steps"))
            steps = &field->value;
        else if (oms_str_eq_c(field->name, "defaults"))
            (void)take_conditions(build, field, ORDER_COMMAND_NONE, &out->defaults);
        else
            refusal_add(build->refusals, REFUSAL_INVALID,
                        refusal_field(build->refusals, "%s%.*s", build->prefix,
                                      (int)(field->name.len < NAME_SHOWN ? field->name.len : NAME_SHOWN),
                                      field->name.data),
                        "unknown key '%.*s', expected steps or defaults",
                        (int)(field->name.len < NAME_SHOWN ? field->name.len : NAME_SHOWN), field->name.data);
    }
    if (!steps || steps->kind == OMS_VALUE_NULL) {
        fault_whole(build, "steps", "steps is missing");
        return NULL;
    }
    return steps;
}

static bool build_all(struct build *build, const struct oms_value *input, uint32_t version,
                      struct workflow *out)
{
    const struct oms_value *steps = input;

    *out = (struct workflow){.version = version};
    build->bare = input->kind != OMS_VALUE_OBJECT;
    if (!build->bare)
        steps = take_top(build, input, out);
    if (steps)
        take_steps(build, steps, out);
    if (!build->refusals->count && build->is_new)
        workflow_check(out, build->prefix, build->bare, build->refusals);
    if (!build->refusals->count)
        keep_source(build, input, out);
    return !build->refusals->count;
}

bool workflow_build_new(const struct oms_value *input, uint32_t version, const char *prefix,
                        struct oms_arena *arena, struct workflow *out, struct refusal_list *refusals)
{
    struct build build = {
        .arena = arena, .refusals = refusals, .prefix = prefix, .is_new = true, .index = SIZE_MAX};

    return build_all(&build, input, version, out);
}

static enum oms_status build_one(const struct oms_value *input, uint32_t version, bool is_new,
                                 struct oms_arena *arena, struct workflow *out, struct oms_error *error)
{
    struct refusal_list refusals;
    struct build build = {
        .arena = arena, .refusals = &refusals, .prefix = "", .is_new = is_new, .index = SIZE_MAX};

    refusal_list_init(&refusals, arena);
    if (build_all(&build, input, version, out))
        return OMS_OK;
    return oms_error_set(error, refusals.items[0].code == REFUSAL_LIMIT_EXCEEDED ? OMS_LIMIT : OMS_INVALID,
                         "%.*s", OMS_STR_ARG(refusals.items[0].message));
}

enum oms_status workflow_build(const struct oms_value *input, uint32_t version, struct oms_arena *arena,
                               struct workflow *out, struct oms_error *error)
{
    return build_one(input, version, true, arena, out, error);
}

static enum oms_status build_text(struct oms_str json, uint32_t version, bool is_new, struct oms_arena *arena,
                                  struct workflow *out, struct oms_error *error)
{
    struct oms_json_error fault_at = {0};
    struct oms_value value;
    enum oms_status status = oms_json_parse(json, OMS_JSON_DEPTH_MAX, arena, &value, &fault_at);

    if (status != OMS_OK)
        return oms_error_set(error, status, "line %u, column %u: %s", fault_at.line, fault_at.column,
                             fault_at.message ? fault_at.message : "no JSON");
    return build_one(&value, version, is_new, arena, out, error);
}

enum oms_status workflow_build_json(struct oms_str json, uint32_t version, struct oms_arena *arena,
                                    struct workflow *out, struct oms_error *error)
{
    return build_text(json, version, true, arena, out, error);
}

enum oms_status workflow_build_stored(struct oms_str json, uint32_t version, struct oms_arena *arena,
                                      struct workflow *out)
{
    return build_text(json, version, false, arena, out, NULL);
}
