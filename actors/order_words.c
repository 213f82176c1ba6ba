/*
 * Common words of orders as numbers: step names, sources, methods. A stored order repeats them so often that
 * they would be a third of its bytes.
 *
 * Sorted by length for the look-up, then by number. Numbers are stored: a new word takes the next free one
 * above the highest (1 to 63 are the commands' own), and none is ever changed or removed. A test holds the
 * tables together.
 */
#include "actors/order_pack.h"

struct word {
    uint8_t number;
    uint8_t len;
    const char *text;
};

#define W(number, text)                                                                                      \
    {                                                                                                        \
        number, sizeof(text) - 1, text                                                                       \
    }

static const struct word words[] = {
    W(64, "api"),
    W(72, "card"),
    W(73, "cash"),
    W(67, "import"),
    W(71, "pickup"),
    W(75, "paypal"),
    W(76, "stripe"),
    W(77, "manual"),
    W(79, "review"),
    W(66, "shopify"),
    W(69, "express"),
    W(78, "default"),
    W(32, "add_note"),
    W(34, "step_due"),
    W(68, "standard"),
    W(91, "Same Day"),
    W(70, "overnight"),
    W(87, "Furniture"),
    W(30, "place_hold"),
    W(65, "superstore"),
    W(88, "Technology"),
    W(6, "place_order"),
    W(33, "expire_hold"),
    W(90, "First Class"),
    W(1, "create_order"),
    W(9, "add_shipment"),
    W(19, "cancel_order"),
    W(27, "review_order"),
    W(31, "release_hold"),
    W(89, "Second Class"),
    W(2, "add_line_item"),
    W(7, "confirm_order"),
    W(14, "fail_shipment"),
    W(22, "reject_return"),
    W(24, "cancel_return"),
    W(29, "skip_activity"),
    W(74, "bank_transfer"),
    W(80, "pick_and_pack"),
    W(17, "record_payment"),
    W(20, "request_return"),
    W(21, "approve_return"),
    W(23, "receive_return"),
    W(25, "process_refund"),
    W(35, "track_shipment"),
    W(37, "erase_customer"),
    W(81, "AwaitingReview"),
    W(92, "Standard Class"),
    W(4, "change_quantity"),
    W(13, "cancel_shipment"),
    W(15, "mark_as_shipped"),
    W(82, "AwaitingPicking"),
    W(86, "AwaitingPayment"),
    W(93, "Office Supplies"),
    W(3, "remove_line_item"),
    W(10, "confirm_shipment"),
    W(12, "deliver_shipment"),
    W(83, "AwaitingShipment"),
    W(36, "migrate_workflow"),
    W(8, "cancel_line_items"),
    W(11, "dispatch_shipment"),
    W(18, "mark_as_completed"),
    W(26, "escalate_reviewer"),
    W(28, "complete_activity"),
    W(5, "change_destination"),
    W(84, "AwaitingCompletion"),
    W(85, "AwaitingConfirmation"),
    W(16, "add_shipping_tracking_reference"),
};

#define WORD_LENGTH_MAX 31
#define WORD_NUMBER_MAX 93

/* Of each length, the index of the first word that is at least so long. */
static const uint8_t first_of_length[WORD_LENGTH_MAX + 2] = {
    0,  0,  0,  0,  1,  3,  3,  9,  12, 16, 18, 21, 24, 30, 38, 47, 53,
    58, 63, 65, 65, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 67,
};

unsigned order_word_number(struct oms_str text)
{
    if (text.len == 0 || text.len > WORD_LENGTH_MAX)
        return 0;
    for (unsigned i = first_of_length[text.len]; i < first_of_length[text.len + 1]; i++)
        if (words[i].text[0] == text.data[0] && memcmp(words[i].text, text.data, text.len) == 0)
            return words[i].number;
    return 0;
}

/* By number, the word's index + 1; 0: no such number. */
static const uint8_t index_of_number[WORD_NUMBER_MAX + 1] = {
    0,  25, 31, 54, 48, 64, 22, 32, 59, 26, 55, 60, 56, 49, 33, 50, 67, 39, 61, 27, 40, 41, 34, 42,
    35, 43, 62, 28, 63, 36, 19, 29, 13, 23, 14, 44, 58, 45, 0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  1,  20, 10, 4,  15, 11, 17, 5,
    2,  3,  37, 6,  7,  8,  12, 9,  38, 46, 51, 57, 65, 66, 52, 18, 21, 30, 24, 16, 47, 53,
};

struct oms_str order_word_text(uint64_t number)
{
    const struct word *word;

    if (number > WORD_NUMBER_MAX || !index_of_number[number])
        return OMS_STR_NONE;
    word = &words[index_of_number[number] - 1];
    return (struct oms_str){word->text, word->len};
}
