// JSON Web Tokens, well made and badly made, and keys made by openssl.
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';

import { fresh } from './server.mjs';

const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
export const now = () => Math.floor(Date.now() / 1000);

// A pair of PEM texts, and the public one's file: kind 'rsa' or 'ec'.
export function keys(kind) {
  const secret = fresh('-secret.pem'), open = fresh('-public.pem');
  execFileSync('openssl', kind === 'rsa' ? ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', secret]
    : ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', secret], { stdio: 'ignore' });
  execFileSync('openssl', ['pkey', '-in', secret, '-pubout', '-out', open], { stdio: 'ignore' });
  return { secret: fs.readFileSync(secret, 'utf8'), open: fs.readFileSync(open, 'utf8'), file: open };
}

const hashes = { RS256: 'sha256', RS384: 'sha384', RS512: 'sha512', ES256: 'sha256' };

// `key`: PEM for RS and ES, the secret's text for HS.
export function sign(alg, key, claims, header = {}) {
  const text = `${encode({ alg, typ: 'JWT', ...header })}.${encode(claims)}`;
  let signature = '';
  if (alg.startsWith('HS')) signature = crypto.createHmac(`sha${alg.slice(2)}`, key).update(text).digest('base64url');
  else if (hashes[alg]) signature = crypto.sign(hashes[alg], Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
  return `${text}.${signature}`;
}
