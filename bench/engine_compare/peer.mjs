// A peer of the comparison: the schema of liteoms served by another GraphQL server, out of plain objects in memory that
// the default resolvers read, without authentication, logging or a store. Its answers are those of liteoms.
//
//   node peer.mjs mercurius|yoga SDL ORDERS     prints its ports: HTTP/2 in clear text, HTTP/1.1
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';

import { buildSchema } from 'graphql';

const [name, sdl, data] = process.argv.slice(2);
const orders = new Map(JSON.parse(fs.readFileSync(data, 'utf8')).map((order) => [order.orderId, order]));
const getOrder = (_, { orderId }) => orders.get(orderId) ?? null;

const servers = {
  // The SDL as it is; JIT from the first request on.
  async mercurius() {
    const { default: fastify } = await import('fastify');
    const { default: mercurius } = await import('mercurius');
    const ports = [];
    for (const options of [{ http2: true }, {}]) {
      const app = fastify({ ...options, logger: false });
      app.register(mercurius, {
        schema: fs.readFileSync(sdl, 'utf8'),
        resolvers: { Query: { getOrder } },
        jit: 1, graphiql: false, subscription: false, path: '/graphql',
      });
      await app.listen({ host: '127.0.0.1', port: 0 });
      ports.push(app.server.address().port);
    }
    return ports;
  },
  // Its own caches of parsed and validated documents; nothing else that it can do.
  async yoga() {
    const { createYoga } = await import('graphql-yoga');
    const schema = buildSchema(fs.readFileSync(sdl, 'utf8'));
    schema.getQueryType().getFields().getOrder.resolve = getOrder;
    const yoga = createYoga({ schema, logging: false, graphiql: false, landingPage: false, cors: false, maskedErrors: false });
    const ports = [];
    for (const server of [http2.createServer(yoga), http.createServer(yoga)]) {
      await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
      ports.push(server.address().port);
    }
    return ports;
  },
};

console.log((await servers[name]()).join(' '));
