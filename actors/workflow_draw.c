/*
 * Workflows as pictures: a flowchart in Mermaid's language or Graphviz's, so that people can look at one.
 *
 * Stages are groups, steps stand in them in their order; a dashed arrow goes where a rejection sends the
 * order. Names come from tenants: everything that either language could take for its own is written as an
 * entity.
 */
#include <stdio.h>

#include "actors/workflow.h"
#include "runtime/base/buf.h"

struct drawing {
    const struct workflow *workflow;
    struct oms_buf *out;
    bool dot;
};

/* Text within double quotes of either language: both read entities of HTML, and DOT a backslash as well. */
static void put_text(struct oms_buf *out, struct oms_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool plain = c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                     (c >= 'A' && c <= 'Z') || c == ' ' || c == '_' || c == '-' || c == '.' || c == ':' ||
                     c == ',' || c == '/' || c == '(' || c == ')';

        if (plain)
            oms_buf_append_char(out, (char)c);
        else
            oms_buf_appendf(out, "&#%u;", (unsigned)c);
    }
}

/* Mermaid takes "#45;" for what HTML writes as "&#45;". */
static void put_label(const struct drawing *d, struct oms_str text)
{
    struct oms_buf html;

    if (d->dot) {
        put_text(d->out, text);
        return;
    }
    oms_buf_init(&html, 4096);
    put_text(&html, text);
    for (size_t i = 0; i < html.len; i++)
        if (html.data[i] != '&')
            oms_buf_append_char(d->out, html.data[i]);
    oms_buf_fini(&html);
}

static void put_line(const struct drawing *d)
{
    if (d->dot)
        oms_buf_append_lit(d->out, "\\n");
    else
        oms_buf_append_lit(d->out, "<br/>");
}

static const char *on_due_word(enum workflow_on_due on_due)
{
    static const char *const words[] = {"notify", "escalate", "skip", "cancel"};

    return words[on_due];
}

/* What people must know of a step, a line each. */
static void put_step_text(const struct drawing *d, const struct workflow_step *step)
{
    char duration[32];

    put_label(d, step->name);
    if (step->role.len) {
        put_line(d);
        put_label(d, OMS_STR("role: "));
        put_label(d, step->role);
    }
    for (size_t i = 0; i < step->when_count; i++) {
        put_line(d);
        put_label(d, OMS_STR("when: "));
        put_label(d, oms_str_of(workflow_fact_name(step->when[i].fact)));
        put_label(d, OMS_STR(" "));
        put_label(d, oms_str_of(workflow_op_name(step->when[i].op)));
        put_label(d, OMS_STR(" ..."));
    }
    if (step->due_in_ms) {
        put_line(d);
        workflow_duration_text(step->due_in_ms, duration);
        put_label(d, OMS_STR("due: "));
        put_label(d, oms_str_of(duration));
        put_label(d, OMS_STR(", "));
        put_label(d, oms_str_of(on_due_word(step->on_due)));
    }
}

static void put_node(const struct drawing *d, size_t index)
{
    const struct workflow_step *step = &d->workflow->steps[index];
    /* Mermaid: a box for what is required, a stadium for what is optional, a flag for conditions alone. */
    const char *open = step->conditions_only ? ">" : step->optional ? "([" : "[";
    const char *close = step->conditions_only ? "]" : step->optional ? "])" : "]";

    if (d->dot)
        oms_buf_appendf(d->out, "    s%zu [label=\"", index + 1);
    else
        oms_buf_appendf(d->out, "    s%zu%s\"", index + 1, open);
    put_step_text(d, step);
    if (d->dot)
        oms_buf_appendf(d->out, "\", shape=%s, style=\"%s\"];\n", step->conditions_only ? "note" : "box",
                        step->optional ? "rounded,dashed" : "rounded");
    else
        oms_buf_appendf(d->out, "\"%s\n", close);
}

static void put_stage(const struct drawing *d, enum order_stage stage)
{
    const char *name = order_stage_name(stage);

    if (d->dot)
        oms_buf_appendf(d->out,
                        "  subgraph cluster_%s {\n    label=\"%s\";\n    e%d [label=\"%s\", shape=oval];\n",
                        name, name, stage, name);
    else
        oms_buf_appendf(d->out, "  subgraph %s\n    e%d((\"%s\"))\n", name, stage, name);
    for (size_t i = 0; i < d->workflow->step_count; i++)
        if (d->workflow->steps[i].stage == stage)
            put_node(d, i);
    if (d->dot)
        oms_buf_append_lit(d->out, "  }\n");
    else
        oms_buf_append_lit(d->out, "  end\n");
}

/* The way of an order, and from each rejection the way back. */
static void put_ways(const struct drawing *d)
{
    const struct workflow *w = d->workflow;
    char from[24], to[24];
    const char *arrow = d->dot ? " -> " : " --> ", *end = d->dot ? ";\n" : "\n";

    snprintf(from, sizeof from, "e%d", ORDER_STAGE_DRAFT);
    for (int stage = ORDER_STAGE_DRAFT; stage <= ORDER_STAGE_COMPLETED; stage++) {
        snprintf(to, sizeof to, "e%d", stage);
        if (stage > ORDER_STAGE_DRAFT)
            oms_buf_appendf(d->out, "  %s%s%s%s", from, arrow, to, end);
        memcpy(from, to, sizeof from);
        for (size_t i = 0; i < w->step_count; i++) {
            if ((int)w->steps[i].stage != stage || w->steps[i].conditions_only)
                continue;
            snprintf(to, sizeof to, "s%zu", i + 1);
            oms_buf_appendf(d->out, "  %s%s%s%s", from, arrow, to, end);
            memcpy(from, to, sizeof from);
        }
    }
    for (size_t i = 0; i < w->step_count; i++) {
        if (w->steps[i].on_reject != WORKFLOW_REJECT_RETRY)
            continue;
        if (d->dot)
            oms_buf_appendf(d->out, "  s%zu -> s%u [label=\"rejected\", style=dashed];\n", i + 1,
                            w->steps[i].retry_step + 1);
        else
            oms_buf_appendf(d->out, "  s%zu -. rejected .-> s%u\n", i + 1, w->steps[i].retry_step + 1);
    }
}

void workflow_draw(const struct workflow *workflow, enum workflow_drawing language, struct oms_buf *out)
{
    struct drawing d = {workflow, out, language == WORKFLOW_DOT};

    if (d.dot)
        oms_buf_append_lit(out, "digraph workflow {\n  rankdir=TB;\n");
    else
        oms_buf_append_lit(out, "flowchart TD\n");
    for (int stage = ORDER_STAGE_DRAFT; stage <= ORDER_STAGE_COMPLETED; stage++)
        put_stage(&d, (enum order_stage)stage);
    put_ways(&d);
    if (d.dot)
        oms_buf_append_lit(out, "}\n");
}
