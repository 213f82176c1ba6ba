/*
 * Binding a request (section 6.1): the operation, its variables, the plan of their @skip/@include mask, and
 * the arguments that hold variables. After this nothing of the request changes, so that any thread may
 * execute it.
 *
 * A document keeps plans of the first OMS_GQL_VARIANTS_MAX masks that it meets; a request with another mask
 * gets a plan of its own in its arena, so that clients cannot fill the memory with variants.
 */
#include "http/graphql/request.h"

#include <stdio.h>

#include "http/graphql/coerce.h"
#include "http/graphql/errors.h"
#include "http/graphql/memory.h"
#include "runtime/base/limits.h"

struct gql_binding_run {
    struct gql_prepared *prepared;
    struct gql_operation_ast *operation;
    const struct oms_value *variables;
    struct oms_arena *arena;
    struct gql_errors *errors;
    struct gql_bound *bound;
};

static enum oms_status gql_bind_too_large(const struct gql_binding_run *run)
{
    gql_errors_add(run->errors, GQL_CODE_LIMIT, "The request is too large.");
    return OMS_LIMIT;
}

/* ---- the operation (GetOperation) ---- */

static enum oms_status gql_select_operation(struct gql_binding_run *run, struct oms_str name)
{
    const struct gql_document *document = run->prepared->document;

    if (!oms_str_present(name)) {
        run->operation = document->operations;
        if (document->operation_count == 1)
            return OMS_OK;
        gql_errors_add(run->errors, GQL_CODE_INPUT,
                       "The document has %u operations: say by operationName which one to run.",
                       document->operation_count);
        return OMS_INVALID;
    }
    for (struct gql_operation_ast *o = document->operations; o; o = o->next) {
        if (oms_str_present(o->name) && oms_str_eq(o->name, name)) {
            run->operation = o;
            return OMS_OK;
        }
    }
    gql_errors_add(run->errors, GQL_CODE_INPUT, "The document has no operation of that name.");
    return OMS_INVALID;
}

/* ---- variables (CoerceVariableValues) ---- */

/* One pass over what came: both sides may be long. Variables that the operation does not define are ignored.
 */
static void gql_take_given(struct gql_binding_run *run)
{
    const struct oms_value *variables = run->variables;

    for (size_t i = 0; variables && variables->kind == OMS_VALUE_OBJECT && i < variables->object.count; i++) {
        const struct oms_field *field = &variables->object.fields[i];
        const struct gql_variable *variable = gql_map_get(&run->operation->by_name, field->name);
        if (variable)
            run->bound[variable->index].given = &field->value;
    }
}

static enum oms_status gql_bind_variable(struct gql_binding_run *run, const struct gql_variable *variable)
{
    struct gql_bound *bound = &run->bound[variable->index];
    const struct oms_value *given = bound->given;
    struct gql_coercion c;
    char place[160];

    bound->present = true;
    if (!given && variable->initial_value) {
        bound->value = *variable->initial_value;
        return OMS_OK;
    }
    if (!given && variable->resolved->kind != GQL_KIND_NON_NULL) {
        bound->present = false;
        return OMS_OK;
    }
    gql_coercion_init(&c, run->arena, NULL, NULL);
    if (given && gql_coerce_value(&c, given, variable->resolved, &bound->value))
        return OMS_OK;
    if (!given) /* required */
        gql_error_at(run->errors, GQL_CODE_INPUT, run->prepared->document->source, variable->at,
                     "Variable \"$%.*s\" of type \"%s\" is required.", GQL_NAME(variable->name),
                     gql_typeref_text(variable->resolved).text);
    else
        gql_error_at(run->errors, GQL_CODE_INPUT, run->prepared->document->source, variable->at,
                     "Variable \"$%.*s%s\": %s", GQL_NAME(variable->name), gql_coercion_place(&c, place),
                     c.message);
    return c.exhausted ? OMS_LIMIT : OMS_INVALID;
}

static enum oms_status gql_bind_variables(struct gql_binding_run *run)
{
    const struct gql_operation_ast *operation = run->operation;
    enum oms_status result = OMS_OK;

    if (operation->variable_count == 0)
        return OMS_OK;
    run->bound = oms_arena_calloc(run->arena, operation->variable_count, sizeof(*run->bound));
    if (!run->bound)
        return gql_bind_too_large(run);
    gql_take_given(run);
    for (const struct gql_variable *variable = operation->variables; variable; variable = variable->next) {
        enum oms_status status = gql_bind_variable(run, variable);
        if (status != OMS_OK && result != OMS_LIMIT)
            result = status;
        if (run->errors->truncated)
            break;
    }
    return result;
}

/* ---- the plan of the mask ---- */

/* A null is the business of the objects that ask it: it may be given where the variable has a default. */
static void gql_bind_mask(struct gql_binding_run *run, unsigned char *mask)
{
    for (const struct gql_variable *variable = run->operation->variables; variable;
         variable = variable->next) {
        const struct gql_bound *bound = &run->bound[variable->index];
        if (variable->mask_index == 0)
            continue;
        if (!bound->present || bound->value.kind != OMS_VALUE_BOOL)
            mask[variable->mask_index - 1] = GQL_MASK_NULL;
        else
            mask[variable->mask_index - 1] = bound->value.boolean;
    }
}

static enum oms_status gql_pick_plan(struct gql_binding_run *run, const struct gql_plan **out)
{
    struct gql_operation_ast *operation = run->operation;
    unsigned char *mask;
    struct gql_plan *plan;
    enum oms_status status;
    bool keep = operation->variant_count < OMS_GQL_VARIANTS_MAX;

    *out = operation->plan;
    if (operation->mask_count == 0)
        return OMS_OK;
    mask = oms_arena_calloc(run->arena, operation->mask_count, 1);
    if (!mask)
        return gql_bind_too_large(run);
    gql_bind_mask(run, mask);
    for (*out = operation->variants; *out; *out = (*out)->next) {
        if (memcmp((*out)->mask, mask, operation->mask_count) == 0)
            return OMS_OK;
    }
    if (!keep && run->arena->max - run->arena->used < gql_plan_room(operation->plan))
        return gql_bind_too_large(run);
    status = gql_plan_create(run->prepared->schema, run->prepared->document, operation, mask,
                             keep ? NULL : run->arena, &plan, run->errors);
    if (status != OMS_OK)
        return status;
    if (keep) {
        plan->next = operation->variants;
        operation->variants = plan;
        operation->variant_count++;
    }
    *out = plan;
    return OMS_OK;
}

/* A variable that decides about root fields is null: there is nothing to execute. */
static enum oms_status gql_bind_refused(const struct gql_binding_run *run, const struct gql_lit *variable)
{
    gql_error_at(run->errors, GQL_CODE_INPUT, run->prepared->document->source, variable->at, GQL_MASK_PROBLEM,
                 GQL_NAME(variable->text));
    return OMS_INVALID;
}

/* ---- arguments with variables ---- */

static bool gql_bind_slot(struct gql_binding_run *run, const struct gql_plan_slot *slot,
                          struct gql_bound_args *out)
{
    struct gql_coercion c;
    struct oms_value *args = oms_arena_calloc(run->arena, 1, sizeof(*args));
    char text[GQL_COERCION_MESSAGE_SIZE + 200], place[160];

    if (!args)
        return false;
    gql_coercion_init(&c, run->arena, run->operation, run->bound);
    if (gql_coerce_args(&c, slot->field->args, slot->field->arg_count, slot->args, args)) {
        out->args = args;
        return true;
    }
    if (c.exhausted)
        return false;
    /* An execution error of the field (section 6.4.1), reported when and where it is executed. */
    out->at = gql_coercion_at(&c, slot->args);
    gql_coercion_place(&c, place);
    snprintf(text, sizeof(text), "%s%s%s%s", place[0] ? "Argument \"" : "", place[0] ? place + 1 : "",
             place[0] ? "\": " : "", c.message);
    out->problem = oms_str_copy(run->arena, oms_str_of(text));
    return oms_str_present(out->problem);
}

static enum oms_status gql_bind_slots(struct gql_binding_run *run, struct gql_request *request)
{
    const struct gql_plan *plan = request->plan;
    struct gql_bound_args *slots;

    if (plan->slot_count == 0)
        return OMS_OK;
    slots = oms_arena_calloc(run->arena, plan->slot_count, sizeof(*slots));
    if (!slots)
        return gql_bind_too_large(run);
    for (uint32_t i = 0; i < plan->slot_count; i++) {
        if (!gql_bind_slot(run, &plan->slots[i], &slots[i]))
            return gql_bind_too_large(run);
    }
    request->slots = slots;
    return OMS_OK;
}

static enum oms_status gql_bind_roots(struct gql_binding_run *run, struct gql_request *request)
{
    const struct gql_plan_object *root = request->plan->root;
    struct gql_root *roots = NULL;

    request->roots = request->plan->roots;
    for (uint32_t i = 0; i < root->count; i++) {
        const struct gql_step *step = &root->steps[i];
        const struct gql_bound_args *bound;
        if (step->slot == GQL_NO_SLOT)
            continue;
        if (!roots) {
            roots = oms_arena_calloc(run->arena, root->count, sizeof(*roots));
            if (!roots)
                return gql_bind_too_large(run);
            memcpy(roots, request->plan->roots, root->count * sizeof(*roots));
            request->roots = roots;
        }
        bound = &request->slots[step->slot];
        if (bound->args)
            roots[i].args = bound->args;
        else
            roots[i].host = NULL; /* not to be dispatched: gql_execute_meta reports what is wrong */
    }
    return OMS_OK;
}

enum oms_status gql_bind(struct gql_prepared *prepared, struct oms_str operation_name,
                         const struct oms_value *variables, struct oms_arena *arena, struct gql_request **out,
                         struct gql_errors *errors)
{
    struct gql_binding_run run = {
        .prepared = prepared, .variables = variables, .arena = arena, .errors = errors};
    struct gql_request *request;
    enum oms_status status;

    if (variables && variables->kind != OMS_VALUE_OBJECT && variables->kind != OMS_VALUE_NULL) {
        gql_errors_add(errors, GQL_CODE_INPUT, "The variables must be an object.");
        return OMS_INVALID;
    }
    status = gql_select_operation(&run, operation_name);
    if (status == OMS_OK)
        status = gql_bind_variables(&run);
    if (status != OMS_OK)
        return status;
    request = OMS_ARENA_NEW(arena, struct gql_request);
    if (!request)
        return gql_bind_too_large(&run);
    request->prepared = prepared;
    request->operation = run.operation;
    status = gql_pick_plan(&run, &request->plan);
    if (status == OMS_OK && request->plan->root->refused)
        status = gql_bind_refused(&run, request->plan->root->refused);
    if (status == OMS_OK)
        status = gql_bind_slots(&run, request);
    if (status == OMS_OK)
        status = gql_bind_roots(&run, request);
    if (status == OMS_OK)
        *out = request;
    return status;
}

/* ---- looking at a request ---- */

enum gql_operation gql_request_operation(const struct gql_request *request)
{
    return request->operation->kind;
}

struct oms_str gql_request_operation_name(const struct gql_request *request)
{
    return request->operation->name;
}

size_t gql_request_root_count(const struct gql_request *request)
{
    return request->plan->root->count;
}

const struct gql_root *gql_request_root(const struct gql_request *request, size_t index)
{
    OMS_ASSERT(index < request->plan->root->count);
    return &request->roots[index];
}

/*
 * Whether the plans below `step` have the field path. Aliases make a field appear more than once, so this
 * walks all of them; the path is the host's and short, which bounds the depth.
 */
static bool gql_object_selects(const struct gql_plan_object *object, const char *path);

static bool gql_step_selects(const struct gql_step *step, const char *path)
{
    if (step->object)
        return gql_object_selects(step->object, path);
    for (uint32_t i = 0; step->choice && i < step->choice->count; i++) {
        if (gql_object_selects(step->choice->objects[i], path))
            return true;
    }
    return false;
}

static bool gql_object_selects(const struct gql_plan_object *object, const char *path)
{
    const char *dot = strchr(path, '.');
    struct oms_str name = dot ? oms_str_make(path, (size_t)(dot - path)) : oms_str_of(path);

    for (uint32_t i = 0; i < object->count; i++) {
        const struct gql_step *step = &object->steps[i];
        if (oms_str_eq(step->field->name, name) && (!dot || gql_step_selects(step, dot + 1)))
            return true;
    }
    return false;
}

bool gql_root_selects(const struct gql_request *request, size_t index, const char *path)
{
    OMS_ASSERT(index < request->plan->root->count);
    return gql_step_selects(&request->plan->root->steps[index], path);
}
