// Readers of live streams: server-sent events over HTTP/2 read byte by byte, so that tests see what is on the wire, and
// waits that end.
import assert from 'node:assert/strict';
import http2 from 'node:http2';

import { until } from './server.mjs';

// One stream of server-sent events on an HTTP/2 session. `events` are { event, id, data } as they came; `items` the
// StreamItems of `next` events without errors.
export class EventStream {
  // document: the subscription; options: variables, token, headers, path (a GET then), field (the response key).
  constructor(session, document, { variables, token, headers = {}, path, field } = {}) {
    this.events = [];
    this.comments = 0;
    this.field = field ?? document?.match(/(orderEvents|tenantEvents)/)?.[1];
    this.text = '';
    const head = { ':method': path ? 'GET' : 'POST', ':path': path ?? '/graphql', accept: 'text/event-stream',
      ...(token ? { authorization: `Bearer ${token}` } : {}), ...(path ? {} : { 'content-type': 'application/json' }), ...headers };
    this.stream = session.request(head, { endStream: Boolean(path) });
    this.stream.setEncoding('utf8');
    this.stream.on('response', (answer) => { this.status = answer[':status']; this.headers = answer; });
    this.stream.on('data', (text) => this.take(text));
    this.stream.on('error', (error) => { this.error = error; });
    this.closed = new Promise((resolve) => this.stream.on('close', () => { this.ended = true; resolve(this.stream.rstCode); }));
    if (!path) this.stream.end(JSON.stringify({ query: document, variables }));
  }

  take(text) {
    this.text += text;
    for (let at; (at = this.text.indexOf('\n\n')) >= 0;) {
      const block = this.text.slice(0, at);
      this.text = this.text.slice(at + 2);
      const event = {};
      for (const line of block.split('\n')) {
        if (line.startsWith(':')) { this.comments++; continue; }
        const colon = line.indexOf(':');
        event[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, '');
      }
      if (event.event) this.events.push(event);
    }
  }

  get results() { return this.events.filter((event) => event.event === 'next').map((event) => JSON.parse(event.data)); }
  get errors() { return this.results.flatMap((result) => result.errors ?? []); }
  get items() { return this.results.filter((result) => result.data).map((result) => result.data[this.field]); }
  // The events of the items, checkpoints left out.
  get seen() { return this.items.filter((item) => item.event).map((item) => item.event); }
  get cursor() { return this.events.findLast((event) => event.id)?.id; }
  get completed() { return this.events.some((event) => event.event === 'complete'); }

  // Waits until the stream has `count` events (checkpoints aside).
  has(count, ms = 20000) {
    return until(() => this.seen.length >= count, ms, `${count} events; there are ${this.seen.length}: ${JSON.stringify(this.events.slice(-3))}`);
  }

  // Waits for its first item, which says that it is attached.
  async attached(ms = 20000) {
    await until(() => this.items.length || this.ended || this.completed, ms, 'the first item');
    assert.equal(this.status, 200, this.text);
    assert.deepEqual(this.errors, []);
    return this;
  }

  close() { this.stream.close(http2.constants.NGHTTP2_CANCEL); }
}

export const eventFields = 'id cursor sequence version commit at type command actor { kind subject } change order { orderId version stage externalRef }';
export const tenantEvents = `subscription($filter: EventFilter, $after: String) {
  tenantEvents(filter: $filter, after: $after) { cursor event { ${eventFields} } } }`;
export const orderEvents = `subscription($id: ID!, $after: String) {
  orderEvents(orderId: $id, after: $after) { cursor event { ${eventFields} } } }`;

// All that the log has for the caller, by pages: what a stream from the beginning must be equal to.
export async function history(caller, filter, fields = eventFields) {
  const found = [];
  for (let after = '0', more = true; more;) {
    const page = (await caller.query(`query($filter: EventFilter, $after: String) { tenantEventLog(first: 200, filter: $filter, after: $after) {
      nodes { ${fields} } pageInfo { hasNextPage endCursor } } }`, { filter, after })).tenantEventLog;
    found.push(...page.nodes);
    more = page.pageInfo.hasNextPage;
    after = page.pageInfo.endCursor;
  }
  return found;
}
