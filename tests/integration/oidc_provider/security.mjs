// What makes oidc-provider a FAPI 2.0 authorization server, and its TLS end where clients show certificates.

import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { createServer } from 'node:https';

const ALGORITHMS = ['PS256', 'ES256', 'EdDSA', 'Ed25519'];
const ALIASED = { token_endpoint: '/token', pushed_authorization_request_endpoint: '/request',
  revocation_endpoint: '/token/revocation', userinfo_endpoint: '/me' };

// The certificate of the connection, as PEM; an end of a plain connection has none.
function certificateOf(ctx) {
  const raw = ctx.socket.getPeerCertificate?.()?.raw;
  return raw && new X509Certificate(raw).toString();
}

export const thumbprintOf = (raw) => createHash('sha256').update(raw).digest('base64url');

// The library's configuration; `features` go beside those of every provider of the tests.
export const configurationOf = ({ mtls_port: port, nonces }) => ({
  discovery: {
    mtls_endpoint_aliases: Object.fromEntries(
      Object.entries(ALIASED).map(([name, path]) => [name, `https://127.0.0.1:${port}${path}`]),
    ),
  },
  clientAuthMethods: ['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'],
  enabledJWA: {
    clientAuthSigningAlgValues: ALGORITHMS,
    idTokenSigningAlgValues: ['PS256', 'ES256'],
    requestObjectSigningAlgValues: ALGORITHMS,
    authorizationSigningAlgValues: ['PS256', 'ES256'],
    dPoPSigningAlgValues: ['ES256'],
  },
  features: {
    clientCredentials: { enabled: true },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => nonces, allowReplay: false },
    fapi: { enabled: true, profile: '2.0' },
    jwtResponseModes: { enabled: true },
    requestObjects: { enabled: true },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      selfSignedTlsClientAuth: true,
      tlsClientAuth: true,
      getCertificate: certificateOf,
      certificateAuthorized: (ctx) => ctx.socket.authorized,
      certificateSubjectMatches: (ctx, property, expected) =>
        property === 'tls_client_auth_subject_dn' && new X509Certificate(certificateOf(ctx)).subject === expected,
    },
  },
});

// Asks every client for a certificate and takes it whoever has signed it: what it is worth is judged for each client.
export const listenForCertificates = ({ mtls_port: port, certificate, key, authority }, handler) =>
  createServer({ cert: certificate, key, ca: authority, requestCert: true, rejectUnauthorized: false }, handler)
    .listen(port, '127.0.0.1');
