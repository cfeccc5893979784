// A resource server that takes nothing but tokens bound to a key or to a certificate (RFC 9449, RFC 8705).
//
//     node resource.mjs <folder that holds node_modules>      with RESOURCE_CONFIGURATION in the environment
//
// It gives a new nonce every few answers and knows every jti it has seen. What it has refused is in its log.

import { createHash, randomBytes } from 'node:crypto';
import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { calculateJwkThumbprint, createRemoteJWKSet, EmbeddedJWK, jwtVerify } =
  await import(pathToFileURL(join(process.argv[2], 'node_modules', 'jose', 'dist', 'webapi', 'index.js')));

const { url, issuer, jwks_uri: jwksUri, audience, port, control_port: controlPort, tls, rotate_after: rotateAfter } =
  JSON.parse(process.env.RESOURCE_CONFIGURATION);
const keys = createRemoteJWKSet(new URL(jwksUri));
const seen = new Set();
const log = [];
const nonces = [randomBytes(12).toString('base64url')];
let answers = 0;

class Refused extends Error {
  constructor(challenge) {
    super(challenge);
    this.challenge = challenge;
  }
}

const sha256 = (data) => createHash('sha256').update(data).digest('base64url');

async function judge(request, body) {
  const { authorization = '', dpop } = request.headers;
  const [, scheme, token] = /^([A-Za-z]+) (\S+)$/.exec(authorization) ?? [];
  if (!token) throw new Refused('DPoP error="invalid_token"');
  const { payload } = await jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt' });
  const { jkt, 'x5t#S256': x5t } = payload.cnf ?? {};
  if (jkt) {
    if (scheme.toLowerCase() !== 'dpop') throw new Refused('DPoP error="invalid_token"');
    await judgeProof(request, dpop, token, jkt);
  } else if (x5t) {
    const raw = request.socket.getPeerCertificate?.()?.raw;
    if (!raw || sha256(raw) !== x5t || dpop) throw new Refused('Bearer error="invalid_token"');
  } else {
    throw new Refused('Bearer error="invalid_token"');
  }
  return { sub: payload.sub, client_id: payload.client_id, scope: payload.scope, bound: jkt ? 'key' : 'certificate', body };
}

async function judgeProof(request, proof, token, thumbprint) {
  const fields = request.rawHeaders.filter((_, index) => index % 2 === 0 && request.rawHeaders[index].toLowerCase() === 'dpop');
  if (fields.length !== 1) throw new Refused('DPoP error="invalid_dpop_proof", error_description="not one proof"');
  const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, { typ: 'dpop+jwt', algorithms: ['ES256'] });
  const expected = {
    jkt: thumbprint, htm: request.method, htu: `${url}${request.url.split('?')[0]}`, ath: sha256(token),
  };
  const found = { ...payload, jkt: await calculateJwkThumbprint(protectedHeader.jwk) };
  for (const name of Object.keys(expected)) {
    if (found[name] !== expected[name]) throw new Refused(`DPoP error="invalid_dpop_proof", error_description="${name}"`);
  }
  if (Math.abs(Date.now() / 1000 - payload.iat) > 60) throw new Refused('DPoP error="invalid_dpop_proof", error_description="iat"');
  if (seen.has(payload.jti)) throw new Refused('DPoP error="invalid_dpop_proof", error_description="jti"');
  seen.add(payload.jti);
  if (payload.nonce !== nonces.at(-1)) throw new Refused('dpop error="use_dpop_nonce", error_description="the newest, please"');
}

async function answer(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const headers = { 'content-type': 'application/json' };
  let status = 200;
  let content;
  try {
    content = await judge(request, Buffer.concat(chunks).toString());
    answers += 1;
    if (answers % rotateAfter === 0) nonces.push(randomBytes(12).toString('base64url'));
  } catch (error) {
    status = 401;
    content = { error: error.message };
    headers['www-authenticate'] = error.challenge ?? 'DPoP error="invalid_token"';
  }
  log.push({ method: request.method, path: request.url, status, challenge: headers['www-authenticate'] });
  response.writeHead(status, { ...headers, 'dpop-nonce': nonces.at(-1) }).end(JSON.stringify(content));
}

const server = tls
  ? createServer({ cert: tls.certificate, key: tls.key, ca: tls.authority, requestCert: true, rejectUnauthorized: false }, answer)
  : createPlainServer(answer);
server.listen(port, '127.0.0.1');
// What the tests ask, without certificate or token.
createPlainServer((request, response) => response.end(JSON.stringify(log))).listen(controlPort, '127.0.0.1');
