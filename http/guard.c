/*
 * The arithmetic of guard.h.
 *
 * The estimate of buffered bytes is what was received since nothing was being received for the last time,
 * less what became requests since. Headers count by their uncompressed length, which is never less than what
 * was on the wire, so the estimate is never too high for an honest client; it is never taken below zero
 * either, so that compression earns nobody a credit.
 */
#include "http/guard.h"

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static void estimate_buffered(struct http_guard *guard, const struct http_guard_sample *sample)
{
    if (sample->buffered_bytes) {
        guard->buffered = sample->buffered_bytes;
        return;
    }
    uint64_t received = minus(sample->received_bytes, guard->baseline_received);
    uint64_t became = minus(sample->request_bytes, guard->baseline_requests);
    guard->buffered = sample->receiving ? minus(received, became) : 0;
    if (guard->buffered == 0) {
        guard->baseline_received = sample->received_bytes;
        guard->baseline_requests = sample->request_bytes;
    }
}

/* Streams that are neither requests of ours nor still arriving were cancelled on the way. */
static bool too_many_resets(struct http_guard *guard, const struct http_guard_sample *sample)
{
    uint64_t cancelled = minus(sample->streams, sample->requests + sample->receiving);
    uint64_t lost = sample->abandoned + cancelled;
    guard->resets_in_bucket += (int64_t)minus(lost, guard->last_lost);
    if (lost > guard->last_lost)
        guard->last_lost = lost;
    bool over = guard->resets_in_bucket > HTTP_GUARD_RESETS_BURST;
    guard->resets_in_bucket -= HTTP_GUARD_RESETS_PER_S * HTTP_GUARD_INTERVAL_MS / 1000;
    if (guard->resets_in_bucket < 0)
        guard->resets_in_bucket = 0;
    return over;
}

static bool too_much_noise(struct http_guard *guard, const struct http_guard_sample *sample)
{
    uint64_t received = minus(sample->received_bytes, guard->last_received);
    uint64_t allowed = HTTP_GUARD_NOISE_BYTES + minus(sample->sent_bytes, guard->last_sent) / 4;
    bool strike = sample->receiving == 0 && sample->in_flight == 0 &&
                  sample->requests == guard->last_requests && received > allowed;
    guard->last_received = sample->received_bytes;
    guard->last_sent = sample->sent_bytes;
    guard->last_requests = sample->requests;
    if (strike)
        guard->noise_strikes++;
    else if (guard->noise_strikes)
        guard->noise_strikes--;
    return guard->noise_strikes >= HTTP_GUARD_NOISE_STRIKES;
}

enum http_guard_verdict http_guard_judge(struct http_guard *guard, const struct http_guard_sample *sample,
                                         const struct http_guard_limits *limits)
{
    bool resets = too_many_resets(guard, sample);
    bool noise = too_much_noise(guard, sample);
    estimate_buffered(guard, sample);
    if (guard->buffered > limits->buffered_bytes_max)
        return HTTP_GUARD_BUFFERED;
    if (resets)
        return HTTP_GUARD_RESETS;
    if (noise)
        return HTTP_GUARD_NOISE;
    /*
     * One stalled stream ends the whole connection, since the library lets nobody end a single stream from
     * outside. So that the others' answers are not lost, it waits for a moment without any in flight, but not
     * for ever.
     */
    if (sample->oldest_receiving_ms > limits->request_timeout_ms &&
        (sample->in_flight == 0 || sample->oldest_receiving_ms > 2 * limits->request_timeout_ms))
        return HTTP_GUARD_SLOW_REQUEST;
    if (sample->oldest_unsent_ms > limits->response_timeout_ms)
        return HTTP_GUARD_SLOW_RESPONSE;
    return HTTP_GUARD_FINE;
}

const char *http_guard_verdict_name(enum http_guard_verdict verdict)
{
    static const char *const names[HTTP_GUARD_VERDICTS] = {"fine",          "buffered", "slow_request",
                                                           "slow_response", "resets",   "noise"};
    return names[verdict];
}
