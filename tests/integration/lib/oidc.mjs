// A real OpenID Connect provider (npm oidc-provider) on loopback, whose keys can be exchanged while it runs, and which
// can be made to fail in every way that a provider fails.
//
// The provider itself cannot exchange its keys: for a rotation another one with other keys takes its place behind the
// same address, as it would behind a load balancer.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';

import Provider from 'oidc-provider';
import { fetch } from 'undici'; // Node 18's own cannot list cookies

// A private JWK: kind 'RSA' or 'EC'.
export function privateJwk(kind, kid, more = {}) {
  const { privateKey } = kind === 'RSA' ? crypto.generateKeyPairSync('rsa', { modulusLength: 2048 })
    : crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: kind === 'RSA' ? 'RS256' : 'ES256', ...more };
}

export const publicJwk = ({ kty, n, e, crv, x, y, kid, use, alg }) => JSON.parse(JSON.stringify({ kty, n, e, crv, x, y, kid, use, alg }));

const keyOf = (jwk) => crypto.createPrivateKey({ key: jwk, format: 'jwk' });
const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

// A token that the test signs itself with one of the provider's keys: for claims and headers that a provider would not
// make. Parts of the header that are undefined are left out.
export function signWith(jwk, claims, header = {}) {
  const alg = header.alg ?? jwk.alg;
  const text = `${encode({ alg, typ: 'JWT', kid: jwk.kid, ...header })}.${encode(claims)}`;
  const signature = crypto.sign('sha256', Buffer.from(text), { key: keyOf(jwk), dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

export const publicPem = (jwk) => crypto.createPublicKey(keyOf(jwk)).export({ type: 'spki', format: 'pem' });

export class Idp {
  // options: keys (private JWKs), port (0: a free one), alg of access tokens, audience, ttl of tokens, claims (added to them).
  static async start(options = {}) {
    const idp = new Idp();
    idp.options = { alg: 'RS256', audience: 'orders', ttl: 300, claims: {}, ...options };
    idp.keys = options.keys ?? [privateJwk('RSA', 'one')];
    idp.fail = null; // (request, response) => true when it has answered
    idp.asked = { jwks: 0, discovery: 0 };
    await idp.listen(options.port ?? 0);
    idp.url = `http://127.0.0.1:${idp.port}`;
    idp.make();
    return idp;
  }

  async listen(port) {
    this.server = http.createServer((request, response) => this.handle(request, response));
    this.server.listen(port, '127.0.0.1');
    await new Promise((resolve, reject) => { this.server.on('listening', resolve); this.server.on('error', reject); });
    this.port = this.server.address().port;
  }

  // Down, as a machine that is off; back again at the same address.
  async down() {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }
  up() { return this.listen(this.port); }
  stop() { return this.server.listening ? this.down() : undefined; }

  rotate(...keys) {
    this.keys = keys;
    this.make();
  }

  handle(request, response) {
    const path = request.url.split('?')[0];
    if (path === '/jwks') this.asked.jwks++;
    if (path === '/.well-known/openid-configuration') this.asked.discovery++;
    if (this.fail && (path === '/jwks' || path.startsWith('/.well-known/')) && this.fail(request, response)) return;
    this.callback(request, response);
  }

  make() {
    const { options } = this;
    this.provider = new Provider(this.url, {
      jwks: { keys: this.keys },
      clients: [
        { client_id: 'backend', client_secret: 'backend-secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
        { client_id: 'storefront', client_secret: 'storefront-secret', grant_types: ['authorization_code'], response_types: ['code'],
          redirect_uris: ['https://shop.example/back'], id_token_signed_response_alg: this.keys[0].alg },
      ].map((client) => ({ id_token_signed_response_alg: this.keys[0].alg, ...client })),
      scopes: ['openid', 'orders'],
      cookies: { keys: ['cookies of a test'] },
      pkce: { required: () => true },
      ttl: { AccessToken: () => options.ttl, ClientCredentials: () => options.ttl, Interaction: 600, Session: 600, Grant: 600, IdToken: 600 },
      enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256'] },
      findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
      extraTokenClaims: () => options.claims,
      interactions: { url: (context, interaction) => `/interaction/${interaction.uid}` },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => 'urn:orders',
          useGrantedResource: () => true,
          getResourceServerInfo: () => ({ scope: 'orders', audience: options.audience, accessTokenFormat: 'jwt', accessTokenTTL: options.ttl, jwt: { sign: { alg: options.alg } } }),
        },
      },
    });
    const own = this.provider.callback();
    this.callback = (request, response) => (request.url.startsWith('/interaction/') ? this.interact(request, response) : own(request, response));
  }

  // Whoever comes is `this.person`, and agrees.
  async interact(request, response) {
    const { prompt, params, grantId } = await this.provider.interactionDetails(request, response);
    if (prompt.name === 'login') {
      await this.provider.interactionFinished(request, response, { login: { accountId: this.person } }, { mergeWithLastSubmission: false });
      return;
    }
    const grant = grantId ? await this.provider.Grant.find(grantId) : new this.provider.Grant({ accountId: this.person, clientId: params.client_id });
    grant.addOIDCScope('openid orders');
    grant.addResourceScope('urn:orders', 'orders');
    await this.provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
  }

  async exchange(client, form) {
    const answer = await fetch(`${this.url}/token`, { method: 'POST', body: new URLSearchParams(form),
      headers: { authorization: `Basic ${Buffer.from(`${client}:${client}-secret`).toString('base64')}` } });
    const body = await answer.json();
    assert.equal(answer.status, 200, JSON.stringify(body));
    return body;
  }

  // A machine's access token.
  async machine() {
    return (await this.exchange('backend', { grant_type: 'client_credentials', scope: 'orders', resource: 'urn:orders' })).access_token;
  }

  // A person logs in: the authorization code flow with PKCE, redirects and cookies as a browser would. Answers all tokens.
  async logIn(person) {
    const verifier = crypto.randomBytes(32).toString('base64url');
    const jar = new Map();
    this.person = person;
    let at = `${this.url}/auth?${new URLSearchParams({ client_id: 'storefront', response_type: 'code', redirect_uri: 'https://shop.example/back',
      scope: 'openid orders', resource: 'urn:orders', state: 'state', code_challenge_method: 'S256',
      code_challenge: crypto.createHash('sha256').update(verifier).digest('base64url') })}`;
    for (let hops = 0; !at.startsWith('https://shop.example/'); hops++) {
      assert.ok(hops < 12, at);
      const answer = await fetch(at, { redirect: 'manual', headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') } });
      for (const cookie of answer.headers.getSetCookie()) {
        const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/);
        if (value) jar.set(name, value); else jar.delete(name);
      }
      assert.ok(answer.status === 302 || answer.status === 303, `${answer.status} ${await answer.text()}`);
      at = new URL(answer.headers.get('location'), at).href;
    }
    const code = new URL(at).searchParams.get('code');
    assert.ok(code, at);
    return this.exchange('storefront', { grant_type: 'authorization_code', code, redirect_uri: 'https://shop.example/back', code_verifier: verifier });
  }
}
