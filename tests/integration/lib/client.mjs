// Clients of the GraphQL endpoint: graphql-request over undici (what a storefront would use), and a plain one on
// node:http2 for load and for odd requests.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http2 from 'node:http2';

import { GraphQLClient } from 'graphql-request';
import { Agent, fetch } from 'undici';

// graphql-request over HTTP/2 with TLS, trusting `ca`; { client, close }.
export function storefront(server, token, ca, headers = {}) {
  const dispatcher = new Agent({ allowH2: true, connect: { ca: fs.readFileSync(ca) } });
  const client = new GraphQLClient(`${server.url}/graphql`, {
    headers: { authorization: `Bearer ${token}`, ...headers },
    fetch: (url, options) => fetch(url, { ...options, dispatcher }),
  });
  return { client, close: () => dispatcher.close() };
}

// One HTTP/2 connection. send() answers { status, headers, body, code } also when the stream is reset.
export class Connection {
  constructor(server, options = {}) {
    this.session = http2.connect(server.url, { rejectUnauthorized: false, ...options });
    this.session.on('error', (error) => { this.failed = error; });
    this.session.setMaxListeners(0);
    this.session.on('goaway', () => { this.goaway = true; });
  }

  send(headers, body) {
    return new Promise((resolve) => {
      const answer = { status: 0, headers: {}, body: '' };
      let stream;
      try {
        stream = this.session.request(headers, { endStream: body === undefined });
      } catch (error) {
        resolve({ ...answer, error });
        return;
      }
      stream.setEncoding('utf8');
      stream.on('response', (head) => { answer.status = head[':status']; answer.headers = head; });
      stream.on('data', (text) => { answer.body += text; });
      stream.on('error', (error) => { answer.error = error; });
      stream.on('close', () => resolve({ ...answer, code: stream.rstCode }));
      // A request on a session that ends just now may never see an event of its own.
      const gone = () => resolve({ ...answer, error: answer.error ?? new Error('the connection has ended') });
      this.session.once('close', gone);
      stream.on('close', () => this.session.off('close', gone));
      if (body !== undefined) stream.end(body);
    });
  }

  // A GraphQL request as JSON; the answer's body parsed when it is JSON.
  async post(token, query, variables, headers = {}) {
    const answer = await this.send({
      ':method': 'POST', ':path': '/graphql', 'content-type': 'application/json',
      ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers,
    }, typeof query === 'string' ? JSON.stringify({ query, variables }) : JSON.stringify(query));
    try { answer.json = JSON.parse(answer.body); } catch { answer.json = undefined; }
    return answer;
  }

  // The data of a document without errors.
  async data(token, query, variables, headers) {
    const answer = await this.post(token, query, variables, headers);
    assert.equal(answer.status, 200, `${answer.status} ${answer.body} ${answer.error ?? ''}`);
    assert.equal(answer.json.errors, undefined, answer.body);
    return answer.json.data;
  }

  close() { this.session.close(); }
  destroy() { this.session.destroy(); }
}

// A caller: a connection and a token, with the shapes that most tests want.
export class Caller {
  constructor(server, ...token) {
    this.server = server;
    this.connection = new Connection(server);
    this.token = token.length === 1 && token[0].startsWith('ey') ? token[0] : server.token(...token);
  }

  as(...token) {
    const other = Object.create(this);
    other.token = token.length === 1 && token[0].startsWith('ey') ? token[0] : this.server.token(...token);
    return other;
  }

  query(document, variables, headers) { return this.connection.data(this.token, document, variables, headers); }
  post(document, variables, headers) { return this.connection.post(this.token, document, variables, headers); }

  // Runs a command and answers its payload.
  async command(name, input, { select = orderFields, headers } = {}) {
    const type = `${name[0].toUpperCase()}${name.slice(1)}Input`;
    const created = name === 'createOrder' ? 'created' : '';
    const data = await this.query(`mutation($input: ${type}!) { ${name}(input: $input) { clientMutationId result { success message }
      replayed ${created} userErrors { code field message } order { ${select} } } }`, { input }, headers);
    const payload = data[name];
    assert.equal(payload.result.success, payload.userErrors.length === 0, JSON.stringify(payload));
    assert.ok(payload.result.message.length > 0);
    return payload;
  }

  // The order after a command that must be accepted.
  async does(name, input, options) {
    const payload = await this.command(name, input, options);
    assert.deepEqual(payload.userErrors, [], `${name} ${JSON.stringify(input)}`);
    assert.ok(payload.order, name);
    return payload.order;
  }

  // The codes of a command that must be refused; the first error when one code is named.
  async refused(code, name, input, options) {
    const payload = await this.command(name, input, options);
    assert.equal(payload.userErrors[0]?.code, code, `${name} ${JSON.stringify(input)}: ${JSON.stringify(payload)}`);
    assert.ok(payload.userErrors[0].message.length > 0);
    return payload;
  }

  async order(orderId, select = orderFields, args = '') {
    return (await this.query(`query($id: ID!) { getOrder(orderId: $id ${args}) { ${select} } }`, { id: orderId })).getOrder;
  }

  close() { this.connection.close(); }
}

const money = '{ amount currency minorUnits }';
const actor = '{ kind subject displayName }';

// Every field of an order but its events and actions.
export const orderFields = `id orderId version externalRef source placedAt stage fulfillmentStatus paymentStatus activityStatus
  currency customerDetails { customerId name firstName lastName email phone }
  destination { recipient street line2 city state postal country phone }
  billingAddress { recipient street line2 city state postal country phone }
  lineItems { lineItemId productSku productName productCategory vendor { vendorId name country } productPrice ${money}
    orderQuantity discountAmount ${money} options package { weight dimensions } isFreeGift isTaxable shippedQuantity
    deliveredQuantity returnedQuantity cancelledQuantity allocatedQuantity totalAmount ${money} }
  shipments { shipmentId status mode provider warehouse package { weight dimensions } pickupFrom pickupUntil
    shipmentAddress { city country } shipmentAmount ${money} trackingReference trackingUrl labelUrl carrierStatus reason
    shipmentItems { lineItemId productSku quantity } createdAt confirmedAt dispatchedAt deliveredAt }
  payments { paymentId status method provider transactionId amount ${money} occurredAt recordedAt }
  returns { returnId status reason comments decisionNote items { lineItemId productSku quantity receivedQuantity condition
    restock } refundableAmount ${money} requestedBy ${actor} requestedAt approvedAt receivedAt closedAt }
  refunds { refundId status returnId amount ${money} restockingFee ${money} shippingAmount ${money} reason provider
    transactionId createdAt settledAt }
  activities { stepName stage activityStatus sequence optional outcome reviewer comments userInput actor ${actor}
    startedAt dueAt finishedAt }
  holds { holdId owner ${actor} reason blocks placedAt expiresAt releasedAt releasedBy ${actor} releaseReason }
  notes { noteId text author ${actor} createdAt visibleToCustomer }
  shippingDetails { method deliveryTime cost ${money} } taxLines { title rate amount ${money} } taxDetails offerDetails
  coupons { couponCode } taxesIncluded totalAmount ${money} totalDiscountsFee ${money} taxAmount ${money}
  finalAmount ${money} refundDue ${money} cancellationReason shippingReference dateCreated dateModified`;

let references = 0;
// The input of an order of two lines of two vendors, 30.00 USD; parts laid over.
export function basket(parts = {}) {
  return {
    externalRef: `T-${process.pid}-${++references}`,
    customerDetails: { customerId: 'carol', name: 'Carol Shaw', email: 'carol@example.com', phone: '+44 20 7946 0000' },
    destination: { recipient: 'Carol Shaw', street: '1 High Street', city: 'London', postal: 'N1 9GU', country: 'GB' },
    lineItems: [
      { productSku: 'TEA', productName: 'Tea', vendor: { vendorId: 'tea-house' }, orderQuantity: 2,
        productPrice: { amount: '7.50', currency: 'USD' } },
      { productSku: 'CUP', productName: 'Cup', vendor: { vendorId: 'potter' }, orderQuantity: 3,
        productPrice: { amount: '5.00', currency: 'USD' } },
    ],
    ...parts,
  };
}
