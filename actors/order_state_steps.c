/*
 * The fold of what people do around an order: steps, holds, notes.
 *
 * Deadlines of steps pause while any hold is active: their clock is kept as what is left of it.
 */
#include "actors/order_fold.h"
#include "runtime/base/limits.h"

static struct order_activity *activity_at(struct order *order, uint32_t index)
{
    OMS_ASSERT(index < order->activity_count);
    return &order->activities[index];
}

/* ---- steps ---- */

void order_apply_step_started(struct order *order, const struct order_event *event,
                              const struct order_event_meta *meta)
{
    struct order_activity *activity = activity_at(order, event->step_started.activity);

    activity->started_at = meta->time;
    activity->due_at = event->step_started.due_at;
    activity->due_left_ms = event->step_started.due_left_ms;
}

void order_apply_step_finished(struct order *order, const struct order_event *event,
                               const struct order_event_meta *meta)
{
    const struct order_step_finished *finished = &event->step_finished;
    struct order_activity *activity = activity_at(order, finished->activity);

    activity->outcome = finished->outcome;
    activity->finished_at = meta->time;
    activity->due_at = 0;
    activity->due_left_ms = 0;
    activity->actor = order_keep_actor(order, &meta->actor);
    order_replace_if_present(order, &activity->comments, finished->comments);
    order_replace_if_present(order, &activity->user_input, finished->user_input);
}

void order_apply_reviewer_assigned(struct order *order, const struct order_event *event,
                                   const struct order_event_meta *meta)
{
    struct order_activity *activity = activity_at(order, event->reviewer.activity);

    (void)meta;
    order_replace(order, &activity->reviewer, event->reviewer.reviewer);
    order_replace_if_present(order, &activity->comments, event->reviewer.comments);
    if (activity->outcome == ORDER_OUTCOME_REJECTED) { /* a new reviewer opens the step again */
        activity->outcome = ORDER_OUTCOME_WAITING;
        activity->finished_at = 0;
    }
}

void order_apply_step_overdue(struct order *order, const struct order_event *event,
                              const struct order_event_meta *meta)
{
    struct order_activity *activity = activity_at(order, event->step_overdue.activity);

    (void)meta;
    activity->overdue = true;
    activity->due_at = 0;
    activity->due_left_ms = 0;
}

void order_apply_steps_reset(struct order *order, const struct order_event *event,
                             const struct order_event_meta *meta)
{
    uint32_t from = event->steps_reset.activity;
    enum order_stage stage = activity_at(order, from)->stage;

    (void)meta;
    for (size_t i = from; i < order->activity_count && order->activities[i].stage == stage; i++) {
        struct order_activity *activity = &order->activities[i];

        order->garbage += activity->comments.len + activity->user_input.len;
        activity->outcome = ORDER_OUTCOME_WAITING;
        activity->overdue = false;
        activity->reviewer = activity->comments = activity->user_input = OMS_STR_NONE;
        memset(&activity->actor, 0, sizeof(activity->actor));
        activity->started_at = activity->due_at = activity->due_left_ms = activity->finished_at = 0;
    }
}

/* ---- holds ---- */

static void pause_deadlines(struct order *order, int64_t at)
{
    for (size_t i = 0; i < order->activity_count; i++) {
        struct order_activity *activity = &order->activities[i];

        if (activity->due_at) {
            activity->due_left_ms = activity->due_at > at ? activity->due_at - at : 1;
            activity->due_at = 0;
        }
    }
}

static void resume_deadlines(struct order *order, int64_t at)
{
    for (size_t i = 0; i < order->activity_count; i++) {
        struct order_activity *activity = &order->activities[i];

        if (activity->due_left_ms) {
            activity->due_at = at + activity->due_left_ms;
            activity->due_left_ms = 0;
        }
    }
}

void order_apply_hold_placed(struct order *order, const struct order_event *event,
                             const struct order_event_meta *meta)
{
    const struct order_hold *placed = &event->hold;
    struct order_hold *hold;

    if (!order->hold_count)
        pause_deadlines(order, meta->time);
    order->holds =
        order_grow(order, order->holds, order->hold_count, &order->hold_cap, sizeof(*order->holds));
    hold = &order->holds[order->hold_count++];
    *hold = *placed;
    OMS_ASSERT(hold->id == order->hold_next);
    order->hold_next++;
    hold->owner = order_keep_actor(order, &placed->owner);
    hold->reason = order_keep(order, placed->reason);
    hold->placed_at = meta->time;
}

void order_apply_hold_released(struct order *order, const struct order_event *event,
                               const struct order_event_meta *meta)
{
    const struct order_hold_released *released = &event->hold_released;
    const struct order_hold *found = order_find_hold(order, released->hold);
    struct order_hold hold;
    size_t at;

    OMS_ASSERT(found);
    at = (size_t)(found - order->holds);
    hold = *found;
    hold.released_at = meta->time;
    hold.released_by = order_keep_actor(order, &meta->actor);
    hold.release_reason = order_keep(order, released->reason);
    memmove(order->holds + at, order->holds + at + 1, (order->hold_count - at - 1) * sizeof(hold));
    if (!--order->hold_count)
        resume_deadlines(order, meta->time);
    if (order->released_hold_count == OMS_ORDER_HOLDS_RELEASED_KEPT) {
        const struct order_hold *oldest = &order->released_holds[0];

        order->garbage += oldest->reason.len + oldest->release_reason.len + oldest->owner.subject.len + 48;
        memmove(order->released_holds, order->released_holds + 1,
                (OMS_ORDER_HOLDS_RELEASED_KEPT - 1) * sizeof(hold));
        order->released_hold_count--;
    }
    order->released_holds = order_grow(order, order->released_holds, order->released_hold_count,
                                       &order->released_hold_cap, sizeof(*order->released_holds));
    order->released_holds[order->released_hold_count++] = hold;
}

/* ---- notes ---- */

void order_apply_note(struct order *order, const struct order_event *event,
                      const struct order_event_meta *meta)
{
    const struct order_note *added = &event->note;
    struct order_note *note;

    order->notes =
        order_grow(order, order->notes, order->notes_held, &order->note_cap, sizeof(*order->notes));
    OMS_ASSERT(added->id == order->note_count + 1);
    note = &order->notes[order->notes_held++];
    order->note_count++;
    *note = *added;
    note->text = order_keep(order, added->text);
    note->author = order_keep_actor(order, &added->author);
    note->created_at = meta->time;
}

/* ---- another workflow ---- */

/* The new steps come as they stand; their text is kept anew, since it may be the old steps' own. */
void order_apply_workflow_migrated(struct order *order, const struct order_event *event,
                                   const struct order_event_meta *meta)
{
    const struct order_workflow_migrated *migrated = &event->workflow_migrated;

    (void)meta;
    order->garbage += order->activity_count * sizeof(*order->activities);
    order->workflow_version = migrated->to;
    order->activities = order_keep_array(order, migrated->activities, migrated->activity_count,
                                         sizeof(*migrated->activities));
    order->activity_count = migrated->activity_count;
    for (size_t i = 0; i < order->activity_count; i++) {
        struct order_activity *activity = &order->activities[i];

        activity->step_name = order_keep(order, activity->step_name);
        activity->activity_status = order_keep(order, activity->activity_status);
        activity->reviewer = order_keep(order, activity->reviewer);
        activity->comments = order_keep(order, activity->comments);
        activity->user_input = order_keep(order, activity->user_input);
        activity->actor = order_keep_actor(order, &activity->actor);
    }
}
