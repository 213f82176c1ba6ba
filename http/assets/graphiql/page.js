// The page's own part: what stands in the editors at first, and how GraphiQL's requests travel.
//
// Queries and mutations are JSON both ways. A subscription is read as server-sent events from a request of its own
// (graphql-sse, distinct connections), since a browser's EventSource could not send the headers of the editor. A stream
// that breaks off is taken up at its last cursor.
'use strict';

const endpoint = new URL('graphql', document.baseURI);
const RETRIES_MAX = 5;
const RETRY_MS = 1000;
// Ends of a stream after which it goes on at its cursor.
const RESUMABLE = new Set(['SERVER_STOPPING', 'SLOW_READER']);

/* ---- requests ---- */

function request(params, headers, signal) {
  return fetch(endpoint, {
    method: 'POST',
    headers: { accept: 'application/json', ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(params),
    credentials: 'omit',
    signal,
  });
}

async function result(response) {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`the server answered ${response.status}: ${text.slice(0, 200)}`);
  }
}

/* ---- subscriptions ---- */

// The events { event, id, data } of a body, as they come (HTML standard, section 9.2.6).
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (text + value).split(/\r\n\r\n|\n\n|\r\r/);
    text = lines.pop();
    for (const block of lines) {
      const event = {};
      for (const line of block.split(/\r\n|\n|\r/)) {
        const colon = line.indexOf(':');
        if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, '');
      }
      if (event.event) yield event;
    }
  }
}

// One connection's worth of a stream. True when the server has said that it is over.
async function follow(params, headers, place, observer, signal) {
  const response = await request(params, { ...headers, accept: 'text/event-stream', ...(place.id ? { 'last-event-id': place.id } : {}) }, signal);
  if (!(response.headers.get('content-type') ?? '').startsWith('text/event-stream')) {
    observer.next(await result(response));
    return true;
  }
  for await (const event of events(response.body)) {
    if (event.event === 'complete') return true;
    if (event.event !== 'next') continue;
    place.failures = 0;
    if (event.id) place.id = event.id;
    const payload = JSON.parse(event.data);
    const end = payload.errors?.find((error) => RESUMABLE.has(error.extensions?.code));
    if (end) {
      if ((end.extensions.cursor ?? '0') !== '0') place.id = end.extensions.cursor;
      return false;
    }
    observer.next(payload);
  }
  return false;
}

async function stream(params, headers, observer, signal) {
  const place = { id: undefined, failures: 0 };
  for (;;) {
    try {
      if (await follow(params, headers, place, observer, signal)) break;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof TypeError)) { observer.error(error); return; } // not the network's
    }
    if (++place.failures > RETRIES_MAX) {
      observer.error(new Error(`the stream broke off${place.id ? ` after the cursor ${place.id}` : ''} and the server does not answer`));
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS * place.failures));
    if (signal.aborted) return;
  }
  observer.complete();
}

function isSubscription(document, name) {
  const operations = (document?.definitions ?? []).filter((definition) => definition.kind === 'OperationDefinition');
  const operation = operations.find((one) => one.name?.value === name) ?? operations[0];
  return operation?.operation === 'subscription';
}

function fetcher(params, options = {}) {
  const headers = Object.fromEntries(Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
  if (!isSubscription(options.documentAST, params.operationName)) return request(params, headers).then(result);
  return {
    subscribe(observer) {
      const controller = new AbortController();
      stream(params, headers, observer, controller.signal);
      return { unsubscribe: () => controller.abort() };
    },
  };
}

/* ---- what stands in the editors at first ---- */

const queries = [
  `# The latest orders. Ctrl-Enter runs, Ctrl-Space completes.
query Orders {
  orders(first: 5) {
    nodes {
      orderId
      externalRef
      stage
      paymentStatus
      fulfillmentStatus
      finalAmount { amount currency }
      placedAt
    }
    pageInfo { hasNextPage endCursor }
  }
}
`, `# Run it again: the same order, not created anew.
mutation Place {
  createOrder(input: {
    externalRef: "GRAPHIQL-1"
    customerDetails: {
      name: "Ada Byron"
      email: "ada@example.com"
    }
    destination: {
      street: "12 St James Square"
      city: "London"
      postal: "SW1Y 4JH"
      country: "GB"
    }
    lineItems: [{
      productSku: "TEA"
      productName: "Tea, first flush"
      vendor: { vendorId: "tea-house" }
      orderQuantity: 2
      productPrice: { amount: "7.50", currency: "GBP" }
    }]
  }) {
    created
    order {
      orderId
      stage
      finalAmount { amount currency }
    }
    userErrors { code field message }
  }
}
`, `# Every change of the orders that you may see.
# No event: only the cursor has moved on.
subscription Watch {
  tenantEvents {
    cursor
    event {
      at
      type
      command
      actor { kind subject }
      order { orderId stage version }
    }
  }
}
`];

const hint = 'Requests need a token in the headers editor: {"Authorization": "Bearer …"}; {"X-Tenant-Id": "…"} names the tenant of a token '
  + 'with several. Then fetch the schema again (the round arrow at the left).';

// Only a server in development mode has a token for this page.
async function settings() {
  try {
    const { token, reason } = await (await fetch(new URL('graphiql/token', document.baseURI), { cache: 'no-store', credentials: 'omit' })).json();
    if (token) return { headers: JSON.stringify({ Authorization: `Bearer ${token}` }, null, 2), note: 'Development mode: a token for the tenant "demo" is filled in.' };
    return { headers: '', note: reason ? `${reason} ${hint}` : hint };
  } catch {
    return { headers: '', note: hint };
  }
}

settings().then(({ headers, note }) => {
  const h = React.createElement;
  const page = h(GraphiQL, {
    fetcher,
    defaultHeaders: headers,
    defaultQuery: queries[0],
    defaultTabs: queries.map((query) => ({ query, headers: headers || null })),
    defaultEditorToolsVisibility: 'headers',
    isHeadersEditorEnabled: true,
    shouldPersistHeaders: false,
    showPersistHeadersSettings: false,
    inputValueDeprecation: true,
    schemaDescription: true,
  }, h(GraphiQL.Logo, null, 'LiteOMS'), h(GraphiQL.Footer, null, h('div', { className: 'liteoms-note' }, note)));
  ReactDOM.createRoot(document.getElementById('page')).render(page);
});
