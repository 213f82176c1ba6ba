/*
 * The fields of an exported order, in the API's own words: a line of JSONL is what the API would answer to
 * this selection, and is written by the same resolvers.
 */
#include "http/export/export_impl.h"

#define MONEY "{ amount currency }"
#define HEAD                                                                                                 \
    "query { orders(first: 1) { nodes { orderId externalRef source version placedAt stage "                  \
    "fulfillmentStatus "                                                                                     \
    "paymentStatus activityStatus currency "
#define PERSONAL                                                                                             \
    "customerDetails { customerId name firstName lastName email phone } "                                    \
    "destination { recipient street line2 city state postal country phone } "                                \
    "billingAddress { recipient street line2 city state postal country phone } "                             \
    "notes { noteId text author { kind subject displayName } createdAt visibleToCustomer } "
#define IMPERSONAL       "destination { state country } "
#define SHIPMENT_ADDRESS "shipmentAddress { recipient street line2 city state postal country phone } "
/* P("…") is there when personal data is: what people wrote, and labels, which have the address on them. */
#define REST_1(P)                                                                                            \
    "lineItems { lineItemId productSku productName productCategory vendor { vendorId name country } "        \
    "orderQuantity productPrice " MONEY " discountAmount " MONEY " totalAmount " MONEY                       \
    " " P("options ") "package { weight dimensions } isFreeGift isTaxable cancelledQuantity "                \
                      "allocatedQuantity "                                                                   \
                      "shippedQuantity "                                                                     \
                      "deliveredQuantity returnedQuantity } "                                                \
                      "shippingDetails { method deliveryTime cost " MONEY                                    \
                      " } taxesIncluded taxLines { title rate amount " MONEY                                 \
                      " } taxDetails offerDetails coupons { couponCode } totalAmount " MONEY                 \
                      " totalDiscountsFee " MONEY " taxAmount " MONEY " finalAmount " MONEY                  \
                      " refundDue " MONEY " "                                                                \
                      "shipments { shipmentId status mode provider warehouse package { weight dimensions } " \
                      "pickupFrom "                                                                          \
                      "pickupUntil "
#define REST_2(P)                                                                                                                                           \
    "shipmentAmount " MONEY " trackingReference trackingUrl " P("labelUrl ") "carrierStatus " P(                                                            \
        "reason ") "shipmentItems { lineItemId quantity } createdAt confirmedAt dispatchedAt deliveredAt } "                                                \
                   "payments { paymentId status method provider transactionId amount " MONEY                                                                \
                   " occurredAt recordedAt } "                                                                                                              \
                   "returns { returnId status " P(                                                                                                          \
                       "reason comments decisionNote ") "items { lineItemId quantity receivedQuantity "                                                     \
                                                        "condition restock } refundableAmount " MONEY                                                       \
                                                        " requestedAt approvedAt receivedAt closedAt } "                                                    \
                                                        "refunds { refundId status returnId amount " MONEY                                                  \
                                                        " restockingFee " MONEY " shippingAmount " MONEY                                                    \
                                                        " " P(                                                                                              \
                                                            "reason ") "provider transactionId createdAt "                                                  \
                                                                       "settledAt } "                                                                       \
                                                                       "activities { stepName stage "                                                       \
                                                                       "activityStatus sequence optional "                                                  \
                                                                       "outcome reviewer " P(                                                               \
                                                                           "comments userInput ") "startedA"                                                \
                                                                                                  "t dueAt "                                                \
                                                                                                  "finished"                                                \
                                                                                                  "At } "                                                   \
                                                                                                  "holds { "                                                \
                                                                                                  "holdId"                                                  \
                                                                                                  " " P(                                                    \
                                                                                                      "re"                                                  \
                                                                                                      "as"                                                  \
                                                                                                      "on"                                                  \
                                                                                                      " ") "blocks placedAt expiresAt releasedAt " P("rele" \
                                                                                                                                                     "aseR" \
                                                                                                                                                     "easo" \
                                                                                                                                                     "n ") "} " P("cancellationReason ") "shippingReference dateCreated dateModified } } }"
#define KEPT(fields)     fields
#define LEFT_OUT(fields) ""

struct oms_str export_document(bool personal)
{
    return personal ? OMS_STR(HEAD PERSONAL REST_1(KEPT) SHIPMENT_ADDRESS REST_2(KEPT))
                    : OMS_STR(HEAD IMPERSONAL REST_1(LEFT_OUT) REST_2(LEFT_OUT));
}
