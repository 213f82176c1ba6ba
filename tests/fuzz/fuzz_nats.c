/* What a broker may send: subjects, places of acknowledgement, answers, headers; and payloads of events. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "actors/mark.h"
#include "http/nats/event_text.h"
#include "http/nats/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct oms_str text = oms_str_make(data, size), tenant, topic;
    struct nats_ack_place place;
    struct nats_answer answer;
    struct nats_event_text event;
    struct oms_arena arena;
    struct oms_buf out;
    struct mark mark;

    oms_arena_init(&arena, 4096, 16u << 20);
    oms_buf_init(&out, 16u << 20);
    (void)nats_ack_place_read(text, &place);
    (void)nats_subject_match(OMS_STR("in.{tenant}.*.{topic}"), text, &arena, &tenant, &topic);
    (void)nats_header_find(text, "Nats-Msg-Id");
    (void)nats_answer_read(text, &arena, &answer);
    (void)mark_decode(text, &mark);
    if (nats_event_text_read(text, &event))
        (void)nats_event_text_shorten(&event, size & 1, &out);
    /* What is written as a token is read as it was. */
    oms_buf_reset(&out);
    nats_token_write(&out, text);
    struct oms_str back = nats_token_read(oms_buf_str(&out), &arena);
    if (!out.overflow && oms_str_present(back) && !oms_str_eq(back, text))
        abort();
    oms_buf_fini(&out);
    oms_arena_fini(&arena);
    return 0;
}
