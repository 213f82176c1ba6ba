/*
 * The selection of a whole order for who sends events away: everything that needs no look into the store, so
 * no notes, no events, no available actions. What the brackets of "order { orderId … }" hold behind orderId.
 */
#ifndef STREAM_WHOLE_ORDER_H
#define STREAM_WHOLE_ORDER_H

#define WHOLE_MONEY   "{ amount currency }"
#define WHOLE_ADDRESS "{ recipient street line2 city state postal country phone }"
#define WHOLE_ACTOR   "{ kind subject displayName }"

#define WHOLE_ORDER                                                                                          \
    " id version externalRef source placedAt stage fulfillmentStatus paymentStatus activityStatus currency"  \
    " customerDetails { customerId name firstName lastName email phone }"                                    \
    " destination " WHOLE_ADDRESS " billingAddress " WHOLE_ADDRESS                                           \
    " lineItems { lineItemId productSku productName productCategory vendor { vendorId name country }"        \
    " productPrice " WHOLE_MONEY " orderQuantity discountAmount " WHOLE_MONEY                                \
    " options isFreeGift isTaxable"                                                                          \
    " shippedQuantity deliveredQuantity returnedQuantity cancelledQuantity allocatedQuantity "               \
    "totalAmount " WHOLE_MONEY " }"                                                                          \
    " shipments { shipmentId status mode provider warehouse shipmentAddress " WHOLE_ADDRESS                  \
    " shipmentAmount " WHOLE_MONEY " trackingReference trackingUrl labelUrl carrierStatus reason"            \
    " shipmentItems { lineItemId productSku quantity } createdAt confirmedAt dispatchedAt deliveredAt }"     \
    " payments { paymentId status method provider transactionId amount " WHOLE_MONEY                         \
    " occurredAt recordedAt }"                                                                               \
    " returns { returnId status reason comments decisionNote"                                                \
    " items { lineItemId productSku quantity receivedQuantity condition restock } "                          \
    "refundableAmount " WHOLE_MONEY " requestedBy " WHOLE_ACTOR                                              \
    " requestedAt approvedAt receivedAt closedAt }"                                                          \
    " refunds { refundId status returnId amount " WHOLE_MONEY " restockingFee " WHOLE_MONEY                  \
    " shippingAmount " WHOLE_MONEY " reason provider transactionId createdAt settledAt }"                    \
    " activities { stepName stage activityStatus sequence optional outcome reviewer comments userInput"      \
    " actor " WHOLE_ACTOR " startedAt dueAt finishedAt }"                                                    \
    " holds { holdId owner " WHOLE_ACTOR                                                                     \
    " reason blocks placedAt expiresAt releasedAt releasedBy " WHOLE_ACTOR " releaseReason }"                \
    " shippingDetails { method deliveryTime cost " WHOLE_MONEY                                               \
    " } taxLines { title rate amount " WHOLE_MONEY " }"                                                      \
    " taxDetails offerDetails coupons { couponCode } taxesIncluded totalAmount " WHOLE_MONEY                 \
    " totalDiscountsFee " WHOLE_MONEY " taxAmount " WHOLE_MONEY " finalAmount " WHOLE_MONEY                  \
    " refundDue " WHOLE_MONEY " cancellationReason shippingReference dateCreated dateModified"

#endif
